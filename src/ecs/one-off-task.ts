// Tasks that are run once, before or after a release: from its revision, where its service runs, and followed until their command has ended.
import { createHash } from 'node:crypto'
import type { Service, Task, TaskVolumeConfiguration } from '@aws-sdk/client-ecs'
import { type Clock, sleep } from '../deploy/clock.ts'
import { closest } from '../runner/closest-name.ts'
import { formatDuration } from '../runner/duration.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import type { AwsApi } from './api.ts'
import { logElsewhere, logsOf } from './diagnosis.ts'
import type { CommandOfContainer } from './entries.ts'
import { GRACES, REPEATS } from './judge/grace.ts'
import { shortName } from './judge/snapshot.ts'
import { endOf, taskName } from './judge/stopped-task.ts'
import type { Revision } from './live-service.ts'
import { PollPace } from './poll-pace.ts'
import { type Definition, essentialOf } from './task-definition.ts'

/** What is run once, one task for each, in order. */
export interface OneOffTasks {
  readonly before: readonly CommandOfContainer[]
  readonly after: readonly CommandOfContainer[]
  /** For each task. */
  readonly timeoutMs: number
}

export interface OneOffOptions {
  readonly api: AwsApi
  readonly cluster: string
  /** Whose network, launch type or capacity providers and platform version the task gets. */
  readonly service: Service
  readonly revision: Revision
  readonly timeoutMs: number
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly log: Log
  /** When raised the task is stopped. */
  readonly cancelled: AbortSignal
}

export type OneOffState =
  | { readonly phase: 'waiting' }
  | { readonly phase: 'done' }
  | {
      readonly phase: 'failed'
      readonly reason: string
      readonly message: string
      readonly container: string
      /** So many tasks may end so, for the command has not run in any of them; 0 where there was no room. Undefined where it has run. */
      readonly mostStarts: number | undefined
    }

/** What is to be thought of the task. `container` is the one whose command it is: its end is the task's. */
export function judgeOneOff(task: Task, container: string, definition: Definition): OneOffState {
  const own = task.containers?.find(({ name }) => name === container)
  // A program that somebody stops may end with 0 as well, and has not done its work.
  if (own?.exitCode === 0 && (task.stopCode ?? 'EssentialContainerExited') === 'EssentialContainerExited')
    return { phase: 'done' }
  const neverRan = task.stopCode === 'TaskFailedToStart' && own?.exitCode === undefined
  if (own?.exitCode === undefined && task.lastStatus !== 'STOPPED' && !neverRan) return { phase: 'waiting' }
  const end = endOf(task, new Set([...essentialOf(definition), container]))
  const said = foreignLine(task.stoppedReason ?? '', 300).replace(/\.$/, '')
  const exit = own?.exitCode === undefined ? '' : ` (container ${container} with exit code ${own.exitCode})`
  const stopped =
    task.stopCode === undefined && own?.exitCode !== undefined
      ? `container ${container} ended with exit code ${own.exitCode}`
      : `it was stopped${exit}${said === '' ? '' : `: ${said}`}`
  return {
    phase: 'failed',
    reason: end?.reason ?? (neverRan ? 'UnableToPlaceTask' : (task.stopCode ?? 'EssentialContainerExited')),
    message: end?.message ?? stopped,
    container: end?.container ?? container,
    mostStarts: neverRan ? (end === undefined ? 0 : REPEATS[end.rule].tasks) : undefined,
  }
}

/** What RunTask says when there is no room now; all else that it says, such as ATTRIBUTE or MISSING, stays as it is. */
const NO_ROOM = /^RESOURCE|^AGENT|capacity/i
const SIGN_OF_LIFE_MS = 30_000

/**
 * Starts the task and waits for its command's end. One that the same run has started before, and that still runs, is waited for instead.
 * @throws ExpectedFailure when it ends badly, cannot be started, takes too long, or is cancelled: it is stopped then
 */
export async function runOneOff(input: string, work: CommandOfContainer, options: OneOffOptions): Promise<void> {
  const { api, cluster, service, revision, timeoutMs, clock, log, cancelled } = options
  const name = `${input}: ${work.container} ${foreignLine(work.words.join(' '), 100)}`
  const fail = (reason: string, message: string): never => {
    throw new ExpectedFailure(reason, `${name}: ${message.replace(/\.$/, '')}.`)
  }
  const volumes = volumesOf(service, revision.definition)
  if (typeof volumes === 'string') return fail('InvalidInput', volumes)
  const startedBy = startedByOf(input, work, options)
  const pace = new PollPace()
  const begun = clock.now()
  let arn = await underWay(startedBy, options)
  let [started, starts, throttles, told, toldAt] = [begun, 0, api.throttles, '', begun]
  let noRoomSince: number | undefined
  if (arn !== undefined) log.info(`${name}: task ${shortName(arn)} of this run still runs, it is waited for`)

  const noRoom = async (said: string): Promise<void> => {
    noRoomSince ??= clock.now()
    if (clock.now() - noRoomSince >= roomGrace(service)) fail('UnableToPlaceTask', `there is no room for it: ${said}`)
    if (told !== said) log.info(`${name}: no room yet (${said}), it is tried again`)
    told = said
    await sleep(clock, pace.next({ moved: false, throttled: false }), cancelled)
  }

  try {
    for (;;) {
      if (cancelled.aborted) fail('Cancelled', 'cancelled, and its task stopped')
      if (clock.now() - begun >= timeoutMs)
        fail('Timeout', `not done after ${formatDuration(timeoutMs)}${arn === undefined ? '' : ', its task was stopped'}`)
      if (arn === undefined) {
        const { tasks = [], failures = [] } = await api.call('ecs', 'RunTask', {
          cluster,
          taskDefinition: revision.arn,
          count: 1,
          startedBy,
          clientToken: tokenOf(startedBy, clock.now()),
          overrides: { containerOverrides: [{ name: work.container, command: [...work.words] }] },
          ...placeOf(service),
          ...(volumes.length > 0 && { volumeConfigurations: volumes }),
        })
        arn = tasks[0]?.taskArn
        if (arn === undefined) {
          const said = foreignLine([failures[0]?.reason, failures[0]?.detail].filter(Boolean).join(': ') || 'RESOURCE', 300)
          if (!NO_ROOM.test(said)) fail('UnableToPlaceTask', `ECS cannot start it: ${said}`)
          await noRoom(said)
          continue
        }
        ;[started, starts] = [clock.now(), starts + 1]
        log.info(`${name}: task ${shortName(arn)}`)
      }
      const answer = await api.call('ecs', 'DescribeTasks', { cluster, tasks: [arn] })
      const task = answer.tasks?.[0]
      if (task === undefined && clock.now() - started >= GRACES.NotSeen.ms) fail('NotFound', `task ${shortName(arn)} is gone`)
      const state = task === undefined ? { phase: 'waiting' as const } : judgeOneOff(task, work.container, revision.definition)
      if (task !== undefined && state.phase !== 'waiting') {
        const ended = arn
        // What runs beside it, and would go on.
        if (task.stopCode === undefined) await stop(ended, options)
        arn = undefined
        if (state.phase === 'done') {
          const logs = await logsOf(api, revision.definition, work.container, shortName(ended))
          for (const { title, lines } of logs) log.group(title, lines)
          log.info(`${name}: done after ${formatDuration(clock.now() - begun)}`)
          return
        }
        if (state.mostStarts === 0) {
          await noRoom(state.message)
          continue
        }
        if (state.mostStarts !== undefined && starts < state.mostStarts) {
          log.info(`${name}: ${taskName(task)} could not be started (${state.message}), another is tried`)
          continue
        }
        const logs = await logsOf(api, revision.definition, state.container, shortName(ended))
        for (const { title, lines } of logs) log.group(title, lines)
        const last = logs.at(-1)?.lines.at(-1)
        const elsewhere = logElsewhere(api, revision.definition, state.container)
        const where = elsewhere === undefined ? '' : `. Its log is in ${elsewhere}`
        const words = last === undefined ? where : `. Its log ends with "${foreignLine(last, 200)}"`
        fail(state.reason, `${taskName(task)}, ${state.message}${words}`)
      }
      const status = task?.lastStatus ?? ''
      const moved = status !== told
      if (moved || clock.now() - toldAt >= SIGN_OF_LIFE_MS) {
        if (status !== '') log.info(`+${formatDuration(clock.now() - begun)} ${name}: ${status}`)
        ;[told, toldAt] = [status, clock.now()]
      }
      const wait = pace.next({ moved, throttled: api.throttles > throttles })
      throttles = api.throttles
      await sleep(clock, Math.max(1, Math.min(wait, begun + timeoutMs - clock.now())), cancelled)
    }
  } catch (error) {
    if (arn !== undefined) await stop(arn, options)
    throw error
  }
}

/** All containers that are named are there. @throws ExpectedFailure */
export function checkOneOffs({ before, after }: OneOffTasks, definition: Definition): void {
  const names = (definition.containerDefinitions ?? []).flatMap(({ name }) => name ?? [])
  for (const [input, work] of [['run-before', before] as const, ['run-after', after] as const])
    for (const { container } of work) {
      if (names.includes(container)) continue
      const near = closest(container, names)
      throw new ExpectedFailure(
        'InvalidInput',
        `${input}: there is no container ${container}${near === undefined ? '.' : `, did you mean ${near}?`} The task definition ${definition.family ?? ''} has ${names.join(', ')}. Nothing was changed.`,
      )
    }
}

/** What ECS takes of `startedBy`: 128 letters, digits, hyphens, underscores and slashes. The same work of the same run has the same. */
function startedByOf(input: string, work: CommandOfContainer, { cluster, service, revision, env }: OneOffOptions): string {
  const { GITHUB_RUN_ID: run = '', GITHUB_REPOSITORY: repository = '' } = env
  const same = [input, work.container, work.words, cluster, service.serviceName, revision.definition, repository]
  const hash = createHash('sha256').update(JSON.stringify(same)).digest('hex').slice(0, 16)
  return `deploy-actions/${(service.serviceName ?? '').slice(0, 60)}/${run.replace(/\D/g, '') || 'local'}/${hash}`
}

/** A call that is sent again, for its answer was lost, starts no second task. */
const tokenOf = (startedBy: string, now: number): string =>
  createHash('sha256').update(`${startedBy} ${now}`).digest('hex').slice(0, 64)

async function underWay(startedBy: string, { api, cluster }: OneOffOptions): Promise<string | undefined> {
  const { taskArns = [] } = await api.call('ecs', 'ListTasks', { cluster, startedBy })
  return taskArns[0]
}

/** It may have ended, or may not be stopped: what is to be said is said already. */
async function stop(task: string, { api, cluster, log }: OneOffOptions): Promise<void> {
  try {
    await api.call('ecs', 'StopTask', { cluster, task, reason: 'deploy-ecs has stopped it' })
  } catch (error) {
    log.warning(`Task ${shortName(task)} could not be stopped: ${error instanceof Error ? error.message : error}`)
  }
}

function roomGrace({ capacityProviderStrategy = [] }: Service): number {
  const scales = capacityProviderStrategy.some(({ capacityProvider = '' }) => !/^FARGATE/.test(capacityProvider))
  return (scales ? GRACES.PlacementWithScaling : GRACES.Placement).ms
}

/** Where the service's own tasks run. A service of CodeDeploy's has it in its task set. */
function placeOf(
  service: Service,
): Pick<Service, 'networkConfiguration' | 'capacityProviderStrategy' | 'launchType' | 'platformVersion'> {
  const set = service.taskSets?.find(({ status }) => status === 'PRIMARY')
  const network = service.networkConfiguration ?? set?.networkConfiguration
  const own = service.capacityProviderStrategy ?? []
  const strategy = own.length > 0 ? own : (set?.capacityProviderStrategy ?? [])
  const launchType = service.launchType ?? set?.launchType
  const platformVersion = service.platformVersion ?? set?.platformVersion
  return {
    ...(network === undefined ? {} : { networkConfiguration: network }),
    ...(strategy.length > 0 ? { capacityProviderStrategy: strategy } : launchType === undefined ? {} : { launchType }),
    ...(platformVersion === undefined ? {} : { platformVersion }),
  }
}

/**
 * The volumes that are configured at launch, as the service's own tasks have them: each task gets its own, which ends with it. A sentence where the service
 * has none of that name.
 */
function volumesOf({ deployments = [], serviceName }: Service, definition: Definition): TaskVolumeConfiguration[] | string {
  const configured = deployments.find(({ status }) => status === 'PRIMARY')?.volumeConfigurations ?? []
  const volumes: TaskVolumeConfiguration[] = []
  for (const { name, configuredAtLaunch } of definition.volumes ?? []) {
    if (configuredAtLaunch !== true) continue
    const volume = configured.find(candidate => candidate.name === name)?.managedEBSVolume
    if (volume === undefined)
      return `the volume ${name} is configured at launch, and service ${serviceName} has no volume configuration of that name`
    // Tags of the service are no task's that runs by itself: ECS refuses it.
    const tagSpecifications = volume.tagSpecifications?.map(({ propagateTags, ...tags }) =>
      propagateTags === 'SERVICE' ? tags : { ...tags, propagateTags },
    )
    const own = tagSpecifications === undefined ? volume : { ...volume, tagSpecifications }
    volumes.push({ name, managedEBSVolume: { ...own, terminationPolicy: { deleteOnTermination: true } } })
  }
  return volumes
}
