// One deployment by the engine to the simulated ECS, on a clock that only the test moves: what it ended with, how long it took, what it asked of AWS.
import type { Service } from '@aws-sdk/client-ecs'
import { type Aws, startAws } from '../../sandbox/aws/aws.ts'
import { drive } from '../../sandbox/aws/drive.ts'
import type { Scenario } from '../../sandbox/aws/scenario.ts'
import { pushImage, type Seed, type Seeded, seed } from '../../sandbox/aws/seed.ts'
import { type DeployOptions, type DeployReport, deploy } from '../../src/deploy/engine.ts'
import { AwsApi } from '../../src/ecs/api.ts'
import { type DeployTargetOptions, deployTarget } from '../../src/ecs/deploy-target.ts'
import { EcsPlatform, type EcsPlatformOptions } from '../../src/ecs/platform.ts'
import { preflight } from '../../src/ecs/preflight.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock } from '../deploy/manual-clock.ts'

export interface Stage {
  readonly aws: Aws
  readonly clock: ManualClock
  readonly seeded: Seeded
  /** Pushes `web:<tag>`; returns its digest. */
  push(tag: string): string
  deploy(play?: Play): Promise<Ended>
  /** Steps the clock until it is done. */
  drive<T>(work: Promise<T>): Promise<T>
  /** As it is, whatever faults the scenario has. */
  service(name?: string): Service
  close(): Promise<void>
}

export interface Play {
  /** The image that is deployed, by its tag; none where it is empty. */
  readonly tag?: string
  readonly target?: Partial<DeployTargetOptions>
  readonly platform?: Partial<EcsPlatformOptions>
  readonly options?: Partial<DeployOptions>
  /** Seconds after the beginning at which the user cancels, and at which the process must end. */
  readonly cancelAt?: number
  readonly endAt?: number
  /** What happens from the beginning of the deployment on. */
  readonly scenario?: Scenario
  readonly during?: (at: (seconds: number, run: () => void) => void) => void
}

export interface Ended {
  readonly report: DeployReport | undefined
  /** What was thrown instead. */
  readonly error: { readonly reason: string; readonly message: string } | undefined
  readonly result: string
  readonly reason: string
  readonly message: string
  readonly seconds: number
  readonly calls: number
  readonly log: string
  readonly platform: EcsPlatform
}

export async function setStage(options: { readonly seed?: Seed; readonly scenario?: Scenario } = {}): Promise<Stage> {
  const clock = new ManualClock()
  const aws = await startAws({ clock, scenario: options.scenario ?? {} })
  const seeded = await seed(aws, { tags: ['1'], ...options.seed })
  return {
    aws,
    clock,
    seeded,
    push: tag => pushImage(aws, seeded.service, tag),
    deploy: play => run(aws, clock, seeded, play),
    drive: work => drive(clock, work),
    service: name => {
      const { services } = aws.call('ecs:DescribeServices', {
        cluster: seeded.cluster,
        services: [name ?? seeded.service],
        include: ['TAGS'],
      }) as { services: Service[] }
      if (services[0] === undefined) throw new Error('there is no such service')
      return services[0]
    },
    close: () => aws.close(),
  }
}

async function run(aws: Aws, clock: ManualClock, seeded: Seeded, play: Play = {}): Promise<Ended> {
  const { cluster, service, repository } = seeded
  const [cancel, end] = [new AbortController(), new AbortController()]
  const printed: string[] = []
  const log = createLog(text => printed.push(text))
  if (play.scenario !== undefined) aws.scenario(play.scenario)
  const api = new AwsApi({
    region: '',
    clock,
    signal: end.signal,
    settings: aws.client,
    onTrouble: sentence => log.info(sentence),
  })
  const images = play.tag === undefined ? [] : [{ container: service, reference: `${repository}:${play.tag}` }]
  const target = deployTarget({
    api,
    cluster,
    taskDefinition: '',
    overrides: { images, environment: [], secrets: [], logOptions: [], commands: [], cpu: '', memory: '' },
    tags: [],
    settings: { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [] },
    workspace: import.meta.dirname,
    log,
    ...play.target,
  })
  const platform = new EcsPlatform({
    api,
    cluster,
    services: [service],
    target,
    lookAhead: preflight({ api, mode: 'on', alarms: play.target?.settings?.alarms ?? [], log }),
    lockWaitMs: 0,
    env: RUN,
    clock,
    log,
    cancelled: cancel.signal,
    ...play.platform,
  })
  const startedAt = clock.now()
  const asked = aws.calls.count()
  if (play.cancelAt === 0) cancel.abort()
  else if (play.cancelAt !== undefined) clock.after(play.cancelAt * 1_000, () => cancel.abort())
  if (play.endAt !== undefined) clock.after(play.endAt * 1_000, () => end.abort())
  play.during?.((seconds, act) => void clock.after(seconds * 1_000, act))
  let report: DeployReport | undefined
  let error: Ended['error']
  const work = deploy(platform, {
    timeoutMs: 15 * 60_000,
    stableForMs: 0,
    onFailure: 'rollback',
    firstDeploy: 'allow',
    dryRun: false,
    clock,
    log,
    cancelled: cancel.signal,
    ending: end.signal,
    ...play.options,
  })
  try {
    report = await drive(clock, work)
  } catch (thrown) {
    error = thrown as NonNullable<Ended['error']>
    if (error.reason === undefined) throw thrown
  }
  const seconds = (clock.now() - startedAt) / 1_000
  api.close()
  return {
    report,
    error,
    result: report?.result ?? 'refused',
    reason: report?.reason ?? error?.reason ?? '',
    message: report?.message ?? error?.message ?? '',
    seconds,
    calls: aws.calls.count() - asked,
    log: printed.join(''),
    platform,
  }
}

/** The run that deploys. */
export const RUN = {
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'acme/web',
  GITHUB_RUN_ID: '1',
  GITHUB_RUN_ATTEMPT: '1',
  GITHUB_JOB: 'deploy',
  GITHUB_ACTION: 'deploy',
  GITHUB_SHA: '3f9c2ab1d4e5f60718293a4b5c6d7e8f90a1b2c3',
}
