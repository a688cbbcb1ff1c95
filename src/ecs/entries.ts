// What list inputs of deploy-ecs say, one entry a line. Read at the start of a step, so nothing heavy is imported here.
import { parseReference } from '../image/reference.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { InputFault } from '../runner/inputs.ts'

export interface ImageOfContainer {
  readonly container: string
  readonly reference: string
}

/** `container NAME=value`: a variable, a secret's address or a log option. */
export interface SettingOfContainer {
  readonly container: string
  readonly name: string
  readonly value: string
}

export interface CommandOfContainer {
  readonly container: string
  readonly words: readonly string[]
}

/** One provider of a capacity provider strategy, as UpdateService takes it. */
export interface CapacityProviderEntry {
  readonly capacityProvider: string
  readonly weight: number
  readonly base: number
}

export interface TagEntry {
  readonly key: string
  readonly value: string
}

/** Names in the ECS API: of clusters, services, families and containers. */
const NAME = /^[A-Za-z0-9_-]{1,255}$/
const SERVICE_ARN = /^arn:[a-z-]+:ecs:[a-z0-9-]+:\d{12}:service\/(?:([A-Za-z0-9_-]+)\/)?([A-Za-z0-9_-]+)$/
const CLUSTER_ARN = /^arn:[a-z-]+:ecs:[a-z0-9-]+:\d{12}:cluster\/([A-Za-z0-9_-]+)$/

const shown = (entry: string): string => `"${foreignLine(entry, 200)}"`

/** A cluster's name, from a name or an ARN. */
export function parseCluster(raw: string): string {
  const name = CLUSTER_ARN.exec(raw)?.[1] ?? raw
  if (!NAME.test(name)) throw new InputFault(`${shown(raw)} is no cluster's name and no ARN of one`)
  return name
}

/** A service's name, from a name or an ARN. */
export function parseService(raw: string): string {
  const name = SERVICE_ARN.exec(raw)?.[2] ?? raw
  if (!NAME.test(name)) throw new InputFault(`${shown(raw)} is no service's name and no ARN of one`)
  return name
}

export function parseRegion(raw: string): string {
  if (raw === '' || /^[a-z]{2,3}(-[a-z]+)+-\d{1,2}$/.test(raw)) return raw
  throw new InputFault(`${shown(raw)} is no AWS region, such as eu-west-1`)
}

/** `app=123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1.4.2` */
export function parseImageOfContainer(entry: string): ImageOfContainer {
  const equals = entry.indexOf('=')
  const container = entry.slice(0, Math.max(0, equals)).trim()
  const reference = entry.slice(equals + 1).trim()
  if (equals < 1 || reference === '') throw new InputFault(`${shown(entry)} is not written container=reference`)
  if (!NAME.test(container))
    throw new InputFault(`in ${shown(entry)}, ${shown(container)} is no container's name; write container=reference`)
  try {
    parseReference(reference)
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw error
    throw new InputFault(`in ${shown(entry)}, ${error.message.replace(/\.$/, '')}`)
  }
  return { container, reference }
}

/** `app LOG_LEVEL=debug`. The value may be empty, and have spaces and further equals signs in it. */
export function parseSettingOfContainer(entry: string): SettingOfContainer {
  const [, container = '', name = '', value = ''] = /^(\S+)\s+([^\s=]+)=(.*)$/s.exec(entry) ?? []
  if (name === '') throw new InputFault(`${shown(withoutValue(entry))} is not written container NAME=value`)
  if (!NAME.test(container)) throw new InputFault(`${shown(container)} is no container's name; write container NAME=value`)
  return { container, name, value }
}

/** What stands after the equals sign may be secret. */
const withoutValue = (entry: string): string => entry.replace(/=.*$/s, '=…')

/** `app ["node", "server.js"]`, or words without quotes: `app node server.js`. */
export function parseCommandOfContainer(entry: string): CommandOfContainer {
  const [, container = '', rest = ''] = /^(\S+)\s+(.+)$/s.exec(entry) ?? []
  if (rest === '') throw new InputFault(`${shown(entry)} is not written container command`)
  if (!NAME.test(container)) throw new InputFault(`${shown(container)} is no container's name; write container command`)
  if (!rest.startsWith('[')) {
    if (/["']/.test(rest)) throw new InputFault(`in ${shown(entry)}, quotes are for a JSON array: app ["sh", "-c", "two words"]`)
    return { container, words: rest.trim().split(/\s+/) }
  }
  let words: unknown
  try {
    words = JSON.parse(rest)
  } catch {
    throw new InputFault(`in ${shown(entry)}, the command begins with [ and is no JSON array`)
  }
  if (!Array.isArray(words) || words.some(word => typeof word !== 'string'))
    throw new InputFault(`in ${shown(entry)}, the command is no JSON array of texts`)
  return { container, words: words as string[] }
}

/** `FARGATE_SPOT=weight:3,base:1`. The name alone has the weight 1. */
export function parseCapacityProvider(entry: string): CapacityProviderEntry {
  const [, capacityProvider = '', rest] = /^([^=]*?)\s*(?:=(.*))?$/s.exec(entry) ?? []
  if (!NAME.test(capacityProvider)) throw new InputFault(`${shown(entry)} is not written provider=weight:3,base:1`)
  const numbers: { weight?: number; base?: number } = {}
  for (const part of rest === undefined ? [] : rest.split(',')) {
    const [, name, digits = ''] = /^\s*(weight|base)\s*:\s*(\d+)\s*$/.exec(part) ?? []
    if (name !== 'weight' && name !== 'base')
      throw new InputFault(`in ${shown(entry)}, ${shown(part.trim())} is neither weight:<number> nor base:<number>`)
    if (numbers[name] !== undefined) throw new InputFault(`${shown(entry)} has its ${name} twice`)
    const value = Number(digits)
    if (value > MOST[name]) throw new InputFault(`in ${shown(entry)}, the ${name} is more than ${MOST[name]}`)
    numbers[name] = value
  }
  return { capacityProvider, weight: numbers.weight ?? (numbers.base === undefined ? 1 : 0), base: numbers.base ?? 0 }
}

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html */
const MOST = { weight: 1_000, base: 100_000 }
const MOST_PROVIDERS = 20

/** What ECS would refuse of the providers together. */
export function faultsOfStrategy(providers: readonly CapacityProviderEntry[]): readonly string[] {
  if (providers.length === 0) return []
  const names = new Set(providers.map(({ capacityProvider }) => capacityProvider))
  return [
    ...(names.size < providers.length ? ['names a provider twice'] : []),
    ...(providers.length > MOST_PROVIDERS ? [`names more than ${MOST_PROVIDERS} providers`] : []),
    ...(providers.filter(({ base }) => base > 0).length > 1 ? ['gives more than one provider a base'] : []),
    ...(providers.every(({ weight }) => weight === 0) ? ['gives no provider a weight'] : []),
  ]
}

export function parseTagEntry(entry: string): TagEntry {
  const equals = entry.indexOf('=')
  const key = entry.slice(0, Math.max(0, equals)).trim()
  if (key === '') throw new InputFault(`${shown(entry)} is not written key=value`)
  if (/^aws:/i.test(key)) throw new InputFault(`the tag ${shown(key)} begins with aws:, which AWS keeps for itself`)
  if (/^deploy-actions[:/]/.test(key)) throw new InputFault(`the tag ${shown(key)} is one of those that releases are recorded in`)
  return { key, value: entry.slice(equals + 1).trim() }
}

/** vCPU units, or MiB: what ECS takes of `cpu` and `memory`. */
export function parseSize(raw: string): string {
  if (raw === '' || /^\d+(?:\.\d+)?\s*(?:v?cpu|gb|mb)?$/i.test(raw)) return raw
  throw new InputFault(`${shown(raw)} is no size, such as 512, "1 vCPU" or "2 GB"`)
}
