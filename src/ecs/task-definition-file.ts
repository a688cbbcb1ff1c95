// A task definition from a JSON or YAML file of the workspace, with the place of whatever is wrong in it.
import { readFile, realpath, stat } from 'node:fs/promises'
import { relative, resolve, sep } from 'node:path'
import type { Tag } from '@aws-sdk/client-ecs'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { type Definition, READ_ONLY, registrable } from './task-definition.ts'

export interface DefinitionFile {
  readonly definition: Definition
  readonly tags: readonly Tag[]
}

/** ECS takes 64 KiB of task definition; a file may have comments and white space beside it. */
const LARGEST_BYTES = 1024 * 1024

const FIELDS = [
  'family',
  'taskRoleArn',
  'executionRoleArn',
  'networkMode',
  'containerDefinitions',
  'volumes',
  'placementConstraints',
  'requiresCompatibilities',
  'cpu',
  'memory',
  'tags',
  'pidMode',
  'ipcMode',
  'proxyConfiguration',
  'inferenceAccelerators',
  'ephemeralStorage',
  'runtimePlatform',
  'enableFaultInjection',
]
const CONTAINER_FIELDS = [
  'name',
  'image',
  'repositoryCredentials',
  'cpu',
  'memory',
  'memoryReservation',
  'links',
  'portMappings',
  'essential',
  'restartPolicy',
  'entryPoint',
  'command',
  'environment',
  'environmentFiles',
  'mountPoints',
  'volumesFrom',
  'linuxParameters',
  'secrets',
  'dependsOn',
  'startTimeout',
  'stopTimeout',
  'versionConsistency',
  'hostname',
  'user',
  'workingDirectory',
  'disableNetworking',
  'privileged',
  'readonlyRootFilesystem',
  'dnsServers',
  'dnsSearchDomains',
  'extraHosts',
  'dockerSecurityOptions',
  'interactive',
  'pseudoTerminal',
  'dockerLabels',
  'ulimits',
  'logConfiguration',
  'healthCheck',
  'systemControls',
  'resourceRequirements',
  'firelensConfiguration',
  'credentialSpecs',
]
/** What `aws ecs describe-task-definition` prints beside, which nobody has to take out. */
const ANSWERED: ReadonlySet<string> = new Set(READ_ONLY)

/** @throws ExpectedFailure InvalidInput with line and column where there is one */
export async function readDefinitionFile(entry: string, workspace: string): Promise<DefinitionFile> {
  const shown = `"${foreignLine(entry, 200)}"`
  const fail = (why: string, at?: FilePosition): ExpectedFailure =>
    new ExpectedFailure('InvalidInput', `task-definition: ${why}. Nothing was changed.`, at === undefined ? {} : { at })
  const path = resolve(workspace, entry)
  let real: string
  try {
    real = await realpath(path)
  } catch {
    throw fail(`${shown} does not exist in the workspace; write a file, a family, family:revision or an ARN`)
  }
  const root = await realpath(workspace)
  if (!real.startsWith(root + sep)) throw fail(`${shown} lies outside of the workspace`)
  const file = relative(root, real).split(sep).join('/')
  const { size, ...kind } = await stat(real).then(found => ({ size: found.size, isFile: found.isFile() }))
  if (!kind.isFile) throw fail(`${shown} is no file`)
  if (size > LARGEST_BYTES) throw fail(`${shown} has ${size} bytes, ${LARGEST_BYTES} are the most`, { file })
  return parseDefinition(await readFile(real, 'utf8'), file)
}

/** The definition in `text`. `file` is its name, for the place of a fault. */
export async function parseDefinition(text: string, file: string): Promise<DefinitionFile> {
  const { LineCounter, parseDocument, isMap } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  const fail = (why: string, offset?: number): ExpectedFailure => {
    const place = offset === undefined ? undefined : lines.linePos(offset)
    const where = place === undefined ? '' : `:${place.line}:${place.col}`
    return new ExpectedFailure('InvalidInput', `task-definition: ${file}${where}: ${why}. Nothing was changed.`, {
      at: { file, ...(place === undefined ? {} : { line: place.line, column: place.col }) },
    })
  }
  const fault = document.errors[0]
  if (fault !== undefined) throw fail(foreignLine(fault.message, 200).replace(/\.$/, ''), fault.pos[0])
  if (!isMap(document.contents)) throw fail('it holds no task definition, which is a map with family and containerDefinitions')
  const whole = document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>
  // As `aws ecs describe-task-definition` prints it: { taskDefinition: {…}, tags: […] }.
  const inner = typeof whole['taskDefinition'] === 'object' && whole['taskDefinition'] !== null
  const content = (inner ? whole['taskDefinition'] : whole) as Record<string, unknown>
  const prefix = inner ? ['taskDefinition'] : []
  const offsetOf = (path: readonly (string | number)[]): number | undefined => {
    const node = document.getIn([...prefix, ...path], true) as { range?: readonly number[] | null } | undefined
    return node?.range?.[0]
  }
  const check = (keys: readonly string[], known: readonly string[], path: readonly (string | number)[]): void => {
    for (const key of keys) {
      if (known.includes(key) || (path.length === 0 && ANSWERED.has(key))) continue
      const near = known.find(name => name.toLowerCase() === key.toLowerCase()) ?? closest(key, known)
      const hint = near === undefined ? '' : `; did you mean ${near}?`
      throw fail(
        `ECS knows no field "${foreignLine(key, 60)}"${path.length === 0 ? '' : ' of a container'}${hint}`,
        offsetOf([...path, key]),
      )
    }
  }
  check(Object.keys(content), FIELDS, [])
  if (typeof content['family'] !== 'string' || content['family'] === '') throw fail('it has no family', offsetOf([]))
  const containers = content['containerDefinitions']
  if (!Array.isArray(containers) || containers.length === 0)
    throw fail('it has no containerDefinitions', offsetOf(['containerDefinitions']))
  for (const [index, container] of containers.entries()) {
    if (typeof container !== 'object' || container === null)
      throw fail('a container is no map', offsetOf(['containerDefinitions', index]))
    check(Object.keys(container), CONTAINER_FIELDS, ['containerDefinitions', index])
    const { name, image } = container as { name?: unknown; image?: unknown }
    if (typeof name !== 'string' || name === '') throw fail('a container has no name', offsetOf(['containerDefinitions', index]))
    if (typeof image !== 'string')
      throw fail(`container ${foreignLine(name, 60)} has no image`, offsetOf(['containerDefinitions', index]))
  }
  const tags = (inner ? whole['tags'] : content['tags']) as Tag[] | undefined
  return { definition: registrable(asTexts(content)), tags: Array.isArray(tags) ? tags : [] }
}

/** YAML and people write `cpu: 256` and `value: 8080`; the API wants texts there. */
function asTexts(content: Record<string, unknown>): Parameters<typeof registrable>[0] {
  const text = (value: unknown): unknown => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value)
  const pairs = (list: unknown): unknown =>
    Array.isArray(list)
      ? list.map(pair =>
          typeof pair === 'object' && pair !== null && 'value' in pair ? { ...pair, value: text(pair.value) } : pair,
        )
      : list
  const containers = (content['containerDefinitions'] as Record<string, unknown>[]).map(container =>
    'environment' in container ? { ...container, environment: pairs(container['environment']) } : container,
  )
  return {
    ...content,
    ...('cpu' in content ? { cpu: text(content['cpu']) } : {}),
    ...('memory' in content ? { memory: text(content['memory']) } : {}),
    containerDefinitions: containers,
  } as Parameters<typeof registrable>[0]
}
