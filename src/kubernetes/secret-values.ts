// The values of Secrets that a release holds or its pods use, so that none of them is ever printed: a program may write its password into its log, an
// event may quote an environment.
import type { Log } from '../runner/log.ts'
import { ApiFailure, type KubernetesApi } from './api.ts'
import { containerImages } from './images.ts'
import { type KubernetesObject, objectName } from './objects.ts'
import { podReferences } from './preflight/pod-references.ts'
import { podTemplates } from './preflight/pod-templates.ts'
import type { Step } from './steps.ts'

/** Shorter ones are no secrets (a port, `true`, `prod`), and would tear holes into every other word. */
const SHORTEST = 6
/** Of a value with more lines, such as a bundle of certificates, only the first are looked for one by one. */
const LINES = 100
const MOST_VALUES = 500
/** How many Secrets outside of the release are read. */
const MOST_READ = 50

/**
 * Conceals the values of all Secrets among the steps. What is part of the release's own names or images stays: it is public already, and the outputs
 * would be of no use without it.
 */
export function concealSecrets(steps: readonly Step[], publicNames: readonly string[], log: Pick<Log, 'conceal'>): void {
  const objects = steps.flatMap(step => [step.body, step.live, step.before, step.desired].filter(object => object !== undefined))
  conceal(
    objects.filter(object => object.kind === 'Secret'),
    [...publicNames, ...namesOf(steps)],
    log,
  )
}

/** The same for the Secrets that the release's pods use and that are live already. What may not be read is passed over. */
export async function concealUsedSecrets(
  api: KubernetesApi,
  steps: readonly Step[],
  namespace: string,
  log: Pick<Log, 'conceal'>,
): Promise<void> {
  const own = new Set(
    steps
      .filter(({ body }) => body.kind === 'Secret')
      .map(({ body }) => pathOf(body.metadata.namespace ?? namespace, body.metadata.name)),
  )
  const used = podTemplates(steps, namespace).flatMap(template =>
    podReferences(template.spec)
      .filter(({ kind }) => kind === 'Secret')
      .map(({ name }) => pathOf(template.namespace, name)),
  )
  const wanted = [...new Set(used)].filter(path => !own.has(path)).slice(0, MOST_READ)
  const found = await Promise.all(
    wanted.map(async path => {
      try {
        return [await api.request<KubernetesObject>('GET', path)]
      } catch (error) {
        if (error instanceof ApiFailure) return []
        throw error
      }
    }),
  )
  conceal(found.flat(), [namespace, ...namesOf(steps)], log)
}

function pathOf(namespace: string, name: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`
}

function namesOf(steps: readonly Step[]): readonly string[] {
  return steps.flatMap(({ body }) => [
    objectName(body),
    body.metadata.namespace ?? '',
    ...containerImages(body).flatMap(({ image, container }) => [image, container]),
  ])
}

function conceal(secrets: readonly KubernetesObject[], publicNames: readonly string[], log: Pick<Log, 'conceal'>): void {
  const isPublic = (value: string): boolean => publicNames.some(name => name.includes(value))
  const values = new Set(secrets.flatMap(secretValues).filter(value => !isPublic(value)))
  for (const value of [...values].slice(0, MOST_VALUES)) log.conceal(value)
}

/** Everything in a Secret that must not be seen: its values, plain and in base64, their lines, what a login or an address holds within. */
export function secretValues(secret: KubernetesObject): readonly string[] {
  const { data, stringData } = secret as { data?: unknown; stringData?: unknown }
  const encoded = strings(data).flatMap(value => [value, Buffer.from(value, 'base64').toString()])
  const plain = strings(stringData)
  return [...new Set([...encoded, ...plain].flatMap(parts))].filter(value => value.length >= SHORTEST)
}

function strings(record: unknown): string[] {
  return typeof record === 'object' && record !== null ? Object.values(record).map(String) : []
}

function parts(value: string): readonly string[] {
  const whole = value.trim()
  const lines = whole.split(/\r?\n/, LINES)
  return [whole, ...(lines.length > 1 ? lines.map(line => line.trim()) : []), ...leavesOf(whole), ...passwordOf(whole)]
}

/** The texts in JSON, as a registry's login is. */
function leavesOf(text: string): readonly string[] {
  if (!text.startsWith('{')) return []
  try {
    const leaves = (value: unknown): string[] =>
      typeof value === 'string'
        ? [value]
        : typeof value === 'object' && value !== null
          ? Object.values(value).flatMap(leaves)
          : []
    return leaves(JSON.parse(text))
  } catch {
    return []
  }
}

/** `hunter22` of `postgres://shop:hunter22@db/shop`. */
function passwordOf(text: string): readonly string[] {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^\s/@]*:([^\s@]+)@/i.exec(text)?.[1]
  if (password === undefined) return []
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password]
  }
}
