// One service on its way through a release: what was live, what is to be, what goes back should it fail.
import type { Service, Tag } from '@aws-sdk/client-ecs'
import type { Change } from '../deploy/platform.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { isCodeDeploys } from './code-deploy.ts'
import { primaryOf } from './judge/service-deployment.ts'
import type { Revision } from './live-service.ts'
import { changeOfService, type ServiceChange, type ServiceSettings } from './service-change.ts'
import { type ReleaseNote, releaseNote, type Undo, undoOf } from './tags.ts'
import { type Definition, describeDifference, differences } from './task-definition.ts'

/** A service and the revision it runs. */
export interface LiveService {
  readonly name: string
  readonly service: Service
  readonly revision: Revision
}

/** What is to be made of a service. */
export interface Wanted {
  /** What is to run. It is registered unless it means the same as what runs. */
  readonly definition: Definition
  readonly tags: readonly Tag[]
  /** A revision that is registered already: a rollback's. It keeps the status it has. */
  readonly revision?: Revision
  readonly settings: ServiceSettings
}

/** One service on its way. */
export interface Passage {
  readonly name: string
  readonly arn: string
  /** What was live when this run began. */
  readonly live: Revision
  /** What is put back: what was live, or, where a killed run is taken up, what was live before that. */
  readonly before: Revision
  readonly deploymentBefore: string
  readonly deploymentArnBefore: string
  readonly undo: Undo
  readonly definition: Definition
  readonly tags: readonly Tag[]
  readonly change: ServiceChange
  readonly forced: boolean
  readonly keepsStatus: boolean
  /** True where ECS's own rollback leads to `before`: it goes to the last revision whose deployment was complete. */
  readonly ecsKnows: boolean
  readonly byCodeDeploy: boolean
  /** `web:8` that a killed run was at, which this one takes up; empty where there is none. */
  readonly takenUp: string
  /** What is to run; undefined until it is registered. */
  revision: Revision | undefined
  digests: Readonly<Record<string, string>>
  /** `ecs-svc/…` that our UpdateService began. */
  deployment: string
  /** CodeDeploy's name of the deployment; empty where it made none. */
  codeDeployment: string
  touched: boolean
  /** How it was put back; `failed` where it could not be, and is still to be. */
  restored: 'no' | 'failed' | 'by ecs' | 'by us' | 'left'
}

/** Whether the release does anything to the service, or has to finish what a killed run began. */
export function changes({ change, revision, live, forced, before }: Passage): boolean {
  return revision?.arn !== live.arn || forced || Object.keys(change.input).length > 0 || before.arn !== live.arn
}

export function passageOf(
  { name, service, revision: live }: LiveService,
  wanted: Wanted | undefined,
  before: Revision | undefined,
  unfinished: ReleaseNote | undefined,
): Passage {
  if (wanted === undefined || before === undefined) throw new Error(`nothing is wanted of service ${name}`)
  const change = changeOfService(service, wanted.settings)
  const same = differences(live.definition, wanted.definition).length === 0 && wanted.definition.family === live.definition.family
  const primary = primaryOf({ service })
  return {
    name,
    arn: service.serviceArn ?? '',
    live,
    before,
    deploymentBefore: primary?.id ?? '',
    deploymentArnBefore: service.currentServiceDeployment ?? '',
    undo: { ...change.undo, ...(unfinished === undefined ? {} : undoOf(service.tags)) },
    definition: wanted.definition,
    tags: wanted.tags,
    change,
    // ECS takes other capacity providers only with a new deployment.
    forced: wanted.settings.forceNewDeployment || change.input.capacityProviderStrategy !== undefined,
    keepsStatus: wanted.revision !== undefined,
    ecsKnows: before.arn === live.arn && primary?.rolloutState !== 'IN_PROGRESS' && primary?.rolloutState !== 'FAILED',
    byCodeDeploy: isCodeDeploys(service),
    takenUp: unfinished?.revision ?? '',
    revision: wanted.revision ?? (same ? live : undefined),
    digests: {},
    deployment: '',
    codeDeployment: '',
    // What a killed run has changed is put back with this one, should it fail.
    touched: unfinished !== undefined,
    restored: 'no',
  }
}

export function changeOf(passage: Passage): Change {
  const { name, live, definition, revision, change } = passage
  const found = revision?.arn === live.arn ? [] : differences(live.definition, definition)
  const images = found.filter(({ path }) => path.endsWith('.image'))
  const others = found.filter(({ path }) => !path.endsWith('.image'))
  const shown = [...images, ...others].slice(0, 8).map(describeDifference)
  const details = [
    ...(revision !== undefined && revision.arn !== live.arn ? [`revision: ${live.name} -> ${revision.name}`] : []),
    ...shown,
    ...(found.length > shown.length ? [`and ${found.length - shown.length} more fields`] : []),
    ...change.details,
  ]
  return { object: `service/${name}`, action: details.length === 0 ? 'none' : 'change', details }
}

export function unfinishedNote(service: Service): ReleaseNote | undefined {
  const note = releaseNote(service)
  return note?.status === 'pending' ? note : undefined
}

export function refuseOtherControllers({ serviceName, deploymentController }: Service): void {
  const type = deploymentController?.type ?? 'ECS'
  if (type === 'EXTERNAL')
    throw new ExpectedFailure(
      'InvalidInput',
      `Service ${serviceName} has the deployment controller EXTERNAL: its task sets belong to another tool, which has to deploy them. Nothing was changed.`,
    )
}

/** CodeDeploy takes a revision, and nothing else of a service. */
export function refuseForCodeDeploy(passage: Passage, service: Service): void {
  if (!isCodeDeploys(service) || (Object.keys(passage.change.input).length === 0 && !passage.forced)) return
  throw new ExpectedFailure(
    'InvalidInput',
    `Service ${passage.name} is deployed by CodeDeploy, which takes a new revision and nothing else: leave out ${passage.change.details.map(detail => detail.replace(/:.*/, '')).join(', ')}. Nothing was changed.`,
  )
}
