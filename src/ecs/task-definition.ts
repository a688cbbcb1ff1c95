// Task definitions: what ECS adds taken off, inputs put in, two of them compared as what they mean.
import type { ContainerDefinition, RegisterTaskDefinitionCommandInput, TaskDefinition } from '@aws-sdk/client-ecs'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { SECRET_NAME } from '../runner/secret-name.ts'
import type { CommandOfContainer, ImageOfContainer, SettingOfContainer } from './entries.ts'

/** What can be registered; tags are kept apart. */
export type Definition = Omit<RegisterTaskDefinitionCommandInput, 'tags'>

export interface Overrides {
  readonly images: readonly ImageOfContainer[]
  readonly environment: readonly SettingOfContainer[]
  readonly secrets: readonly SettingOfContainer[]
  readonly logOptions: readonly SettingOfContainer[]
  readonly commands: readonly CommandOfContainer[]
  /** Empty: as it is. */
  readonly cpu: string
  readonly memory: string
}

/** Fields that ECS answers and does not take. */
export const READ_ONLY = [
  'taskDefinitionArn',
  'revision',
  'status',
  'requiresAttributes',
  'compatibilities',
  'registeredAt',
  'registeredBy',
  'deregisteredAt',
  'deleteRequestedAt',
] as const

export function registrable(definition: TaskDefinition): Definition {
  const readOnly = new Set<string>([...READ_ONLY, 'tags'])
  return Object.fromEntries(
    Object.entries(definition).filter(([key, value]) => !readOnly.has(key) && value !== undefined),
  ) as unknown as Definition
}

/**
 * The definition with the inputs put in.
 * @throws ExpectedFailure InvalidInput that names every container that is not there, and those that are
 */
export function withOverrides(definition: Definition, overrides: Overrides): Definition {
  const containers = definition.containerDefinitions ?? []
  const names = containers.flatMap(({ name }) => name ?? [])
  const asked: readonly (readonly [string, readonly { readonly container: string }[]])[] = [
    ['images', overrides.images],
    ['environment', overrides.environment],
    ['secrets', overrides.secrets],
    ['log-options', overrides.logOptions],
    ['command', overrides.commands],
  ]
  const unknown = asked.flatMap(([input, entries]) =>
    entries
      .filter(({ container }) => !names.includes(container))
      .map(({ container }) => {
        const near = closest(container, names)
        return `${input}: there is no container ${container}${near === undefined ? '' : `, did you mean ${near}?`}`
      }),
  )
  if (unknown.length > 0)
    throw new ExpectedFailure(
      'InvalidInput',
      `${[...new Set(unknown)].join('; ').replace(/([^?])$/, '$1.')} The task definition ${definition.family ?? ''} has ${names.length === 0 ? 'no containers' : names.join(', ')}. Nothing was changed.`,
    )
  return {
    ...definition,
    ...(overrides.cpu === '' ? {} : { cpu: overrides.cpu }),
    ...(overrides.memory === '' ? {} : { memory: overrides.memory }),
    containerDefinitions: containers.map(container => withContainerOverrides(container, overrides)),
  }
}

function withContainerOverrides(container: ContainerDefinition, overrides: Overrides): ContainerDefinition {
  const own = <T extends { readonly container: string }>(entries: readonly T[]): readonly T[] =>
    entries.filter(entry => entry.container === container.name)
  const image = own(overrides.images).at(-1)
  const command = own(overrides.commands).at(-1)
  const [environment, secrets, logOptions] = [own(overrides.environment), own(overrides.secrets), own(overrides.logOptions)]
  if (logOptions.length > 0 && container.logConfiguration?.logDriver === undefined)
    throw new ExpectedFailure(
      'InvalidInput',
      `log-options: container ${container.name} has no logConfiguration whose options could be set. Nothing was changed.`,
    )
  // A name that is set as a variable is a secret no more, and the other way round: ECS takes each name once.
  const variables = new Map((container.environment ?? []).map(({ name = '', value = '' }) => [name, value]))
  const secretsByName = new Map((container.secrets ?? []).map(({ name = '', valueFrom = '' }) => [name, valueFrom]))
  for (const { name, value } of environment) {
    variables.set(name, value)
    secretsByName.delete(name)
  }
  for (const { name, value } of secrets) {
    secretsByName.set(name, value)
    variables.delete(name)
  }
  const touched = environment.length + secrets.length > 0
  return {
    ...container,
    ...(image === undefined ? {} : { image: image.reference }),
    ...(command === undefined ? {} : { command: [...command.words] }),
    ...(touched && (container.environment !== undefined || variables.size > 0)
      ? { environment: [...variables].map(([name, value]) => ({ name, value })) }
      : {}),
    ...(touched && (container.secrets !== undefined || secretsByName.size > 0)
      ? { secrets: [...secretsByName].map(([name, valueFrom]) => ({ name, valueFrom })) }
      : {}),
    ...(logOptions.length === 0 || container.logConfiguration === undefined
      ? {}
      : {
          logConfiguration: {
            ...container.logConfiguration,
            options: {
              ...container.logConfiguration.options,
              ...Object.fromEntries(logOptions.map(({ name, value }) => [name, value])),
            },
          },
        }),
  }
}

/** One field that differs, by its path. A value whose name says that it is secret is concealed. */
export interface Difference {
  readonly path: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** What differs in meaning: order of variables, defaults that ECS fills in and empty lists do not. */
export function differences(before: Definition, after: Definition): readonly Difference[] {
  const [a, b] = [flat(meaning(before)), flat(meaning(after))]
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter(path => a.get(path) !== b.get(path))
    .sort()
    .map(path => ({ path, before: concealed(path, a.get(path)), after: concealed(path, b.get(path)) }))
}

/** What `secrets` has are names of secrets; a variable, or an option of the log driver, is a value. */
function concealed(path: string, value: string | undefined): string | undefined {
  const [, name = ''] = /^containers\.[^.]+\.(?:environment|logConfiguration\.options)\.(.+)$/.exec(path) ?? []
  return value !== undefined && SECRET_NAME.test(name) ? '***' : value
}

/** For the plan: `image app: web:1 -> web:2`. */
export function describeDifference({ path, before, after }: Difference): string {
  const [, container, rest] = /^containers\.([^.]+)\.(.*)$/.exec(path) ?? []
  const what = container === undefined ? path : `${rest} ${container}`
  return `${what}: ${shown(before)} -> ${shown(after)}`
}

export function diffOf(found: readonly Difference[]): string {
  return found
    .flatMap(({ path, before, after }) => [
      ...(before === undefined ? [] : [`- ${path}: ${foreignLine(before, 400)}`]),
      ...(after === undefined ? [] : [`+ ${path}: ${foreignLine(after, 400)}`]),
    ])
    .join('\n')
}

const shown = (value: string | undefined): string =>
  value === undefined ? 'none' : value === '' ? '""' : foreignLine(value, 120)

/** The definition as a tree in which equal meaning is equal. */
function meaning(definition: Definition): Record<string, unknown> {
  const { containerDefinitions = [], cpu, memory, ...rest } = definition
  const networkMode =
    definition.networkMode ?? (definition.requiresCompatibilities?.includes('FARGATE') === true ? 'awsvpc' : 'bridge')
  return {
    ...(rest as Record<string, unknown>),
    networkMode,
    requiresCompatibilities: [...(definition.requiresCompatibilities ?? [])].sort(),
    cpu: sizeOf(cpu, 1_024),
    memory: sizeOf(memory, 1_024),
    volumes: byName(definition.volumes ?? []),
    containers: byName(containerDefinitions.map(container => containerMeaning(container, networkMode))),
  }
}

function containerMeaning(container: ContainerDefinition, networkMode: string): Record<string, unknown> {
  const { environment, secrets, portMappings, healthCheck, essential, cpu, ...rest } = container
  const ownPort = networkMode === 'awsvpc' || networkMode === 'host'
  return {
    ...rest,
    essential: String(essential ?? true),
    cpu: cpu === 0 ? undefined : cpu,
    environment: Object.fromEntries((environment ?? []).map(({ name = '', value = '' }) => [name, value])),
    secrets: Object.fromEntries((secrets ?? []).map(({ name = '', valueFrom = '' }) => [name, valueFrom])),
    portMappings: Object.fromEntries(
      (portMappings ?? []).map(({ containerPort, hostPort, protocol = 'tcp', ...more }) => [
        `${containerPort ?? more.containerPortRange ?? ''}/${protocol}`,
        { ...more, hostPort: hostPort === 0 ? undefined : (hostPort ?? (ownPort ? containerPort : undefined)), open: 'yes' },
      ]),
    ),
    healthCheck:
      healthCheck === undefined
        ? undefined
        : {
            ...healthCheck,
            interval: healthCheck.interval ?? 30,
            timeout: healthCheck.timeout ?? 5,
            retries: healthCheck.retries ?? 3,
            startPeriod: healthCheck.startPeriod === 0 ? undefined : healthCheck.startPeriod,
          },
  }
}

function byName(entries: readonly { readonly name?: unknown }[]): Record<string, unknown> {
  return Object.fromEntries(entries.map(({ name, ...rest }) => [String(name), { ...rest, there: 'yes' }]))
}

/** `1 vCPU` and `0.5 GB` are 1024 and 512. */
function sizeOf(size: string | undefined, unit: number): string | undefined {
  const [, number, name] = /^([\d.]+)\s*(v?cpu|gb)?/i.exec(size ?? '') ?? []
  return number === undefined ? size : String(Number(number) * (name === undefined ? 1 : unit))
}

/** Every leaf by its path. What is empty, false or not there is left out: ECS answers with or without it alike. An empty text is a value. */
function flat(tree: unknown, path = '', into = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(tree)) {
    if (tree.length === 0) return into
    if (tree.every(item => typeof item === 'string')) into.set(path, JSON.stringify(tree))
    else for (const [index, item] of tree.entries()) flat(item, `${path}[${index}]`, into)
  } else if (typeof tree === 'object' && tree !== null)
    for (const [key, value] of Object.entries(tree)) flat(value, path === '' ? key : `${path}.${key}`, into)
  else if (tree !== undefined && tree !== null && tree !== false) into.set(path, String(tree))
  return into
}

/** Images by container. */
export function imagesOf(definition: Definition): ReadonlyMap<string, string> {
  return new Map((definition.containerDefinitions ?? []).map(({ name = '', image = '' }) => [name, image]))
}

/** Containers whose end ends the task. */
export function essentialOf(definition: Definition): ReadonlySet<string> {
  return new Set(
    (definition.containerDefinitions ?? []).filter(({ essential }) => essential !== false).map(({ name = '' }) => name),
  )
}
