// What a deployment is to make of each service: a task definition from a file, a family, a revision or the running service, with the inputs put in.
import type { Tag } from '@aws-sdk/client-ecs'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import type { AwsApi } from './api.ts'
import type { TagEntry } from './entries.ts'
import { readRevision } from './live-service.ts'
import type { LiveService, Wanted } from './passage.ts'
import type { ServiceSettings } from './service-change.ts'
import { type Definition, type Overrides, withOverrides } from './task-definition.ts'
import { readDefinitionFile } from './task-definition-file.ts'

export interface DeployTargetOptions {
  readonly api: AwsApi
  readonly cluster: string
  /** A file, a family, family:revision or an ARN; empty for what each service runs. */
  readonly taskDefinition: string
  readonly overrides: Overrides
  readonly tags: readonly TagEntry[]
  readonly settings: ServiceSettings
  readonly workspace: string
  readonly log: Log
}

export function deployTarget(options: DeployTargetOptions): (live: readonly LiveService[]) => Promise<readonly Wanted[]> {
  return async live => {
    const { overrides, tags } = options
    const given = await definitionOf(options)
    return Promise.all(
      live.map(async each => ({
        definition: withOverrides(given?.definition ?? each.revision.definition, overrides),
        tags: mergeTags(given?.tags ?? [], tags),
        settings: await settingsOf(options, each),
      })),
    )
  }
}

/** What `task-definition` names; undefined where it is empty. */
async function definitionOf({
  api,
  taskDefinition: wanted,
  workspace,
}: DeployTargetOptions): Promise<{ definition: Definition; tags: readonly Tag[] } | undefined> {
  if (wanted === '') return undefined
  const isFile = !wanted.startsWith('arn:') && (/\.(json|ya?ml)$/i.test(wanted) || wanted.includes('/'))
  if (isFile) return readDefinitionFile(wanted, workspace)
  const revision = await readRevision(api, wanted)
  if (!revision.active)
    throw new ExpectedFailure(
      'InvalidInput',
      `task-definition: ${revision.name} is INACTIVE: it was deregistered. Nothing was changed.`,
    )
  return { definition: revision.definition, tags: [] }
}

function mergeTags(first: readonly Tag[], then: readonly TagEntry[]): readonly Tag[] {
  const merged = new Map(first.map(({ key = '', value = '' }) => [key, value]))
  for (const { key, value } of then) merged.set(key, value)
  return [...merged].map(([key, value]) => ({ key, value }))
}

/** A service that is scaled by itself keeps its count. */
async function settingsOf(
  { api, cluster, settings, log }: DeployTargetOptions,
  { name, service }: LiveService,
): Promise<ServiceSettings> {
  if (settings.desiredCount === undefined || settings.desiredCount === service.desiredCount) return settings
  const { desiredCount: _, ...others } = settings
  if (service.schedulingStrategy === 'DAEMON') {
    log.warning(`desired-count: service ${name} is a DAEMON and has as many tasks as instances; its count was left alone.`)
    return others
  }
  try {
    const { ScalableTargets = [] } = await api.call('application-autoscaling', 'DescribeScalableTargets', {
      ServiceNamespace: 'ecs',
      ResourceIds: [`service/${cluster}/${name}`],
      ScalableDimension: 'ecs:service:DesiredCount',
    })
    const [target] = ScalableTargets
    if (target === undefined) return settings
    log.warning(
      `desired-count: service ${name} is scaled by Application Auto Scaling between ${target.MinCapacity ?? 0} and ${target.MaxCapacity ?? 0}; its count was left alone.`,
    )
    return others
  } catch (error) {
    if (!(error instanceof ExpectedFailure) || error.reason !== 'Forbidden') throw error
    log.info(`Whether service ${name} is scaled by itself could not be seen: ${error.message}`)
    return settings
  }
}
