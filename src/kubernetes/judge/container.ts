// Judges one container of one pod: does it run, may it still come up, or never?
import type { Container, ContainerStatus, Event, Pod } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import { ENDS_THAT_DECIDE, GRACES, readinessGraceMs } from './grace.ts'

/** Something amiss. `doomed`: it will not come up by itself. Else `doomedAt` says when it would be, where time alone decides. */
export interface Finding {
  readonly reason: string
  readonly message: string
  readonly doomed: boolean
  readonly doomedAt?: number
}

export interface ContainerContext {
  readonly pod: Pod
  readonly container: Container
  readonly status: ContainerStatus
  /** An init container that is no sidecar: it is meant to end. */
  readonly runsOnce: boolean
  /** Restarts that had happened before the release began, for pods that are older than it. */
  readonly restartsBefore: number
  /** Events of the pod, oldest first. */
  readonly events: readonly Event[]
  readonly now: number
}

/** What is wrong with a container, or undefined where it is as it should be or on its way. */
export function judgeContainer(context: ContainerContext): Finding | undefined {
  return judgeEnds(context) ?? judgeWaiting(context) ?? judgeReadiness(context)
}

/** Milliseconds of an API server's time stamp; undefined where there is none. */
export function timeOf(stamp: string | undefined): number | undefined {
  if (stamp === undefined) return undefined
  const time = Date.parse(stamp)
  return Number.isNaN(time) ? undefined : time
}

/** A finding that becomes a failure once `graceMs` have passed since `since`. */
export function within(grace: { readonly ms: number }, since: number, now: number, reason: string, message: string): Finding {
  const doomedAt = since + grace.ms
  return doomedAt <= now ? { reason, message, doomed: true } : { reason, message, doomed: false, doomedAt }
}

/** The time from which a container's present trouble counts: when its pod was bound to a node, or when it last ended. */
function troubleSince({ pod, status, now }: ContainerContext): number {
  const scheduled = pod.status?.conditions?.find(condition => condition.type === 'PodScheduled' && condition.status === 'True')
  const times = [
    timeOf(scheduled?.lastTransitionTime),
    timeOf(status.lastState?.terminated?.finishedAt),
    timeOf(pod.metadata?.creationTimestamp),
  ]
  return Math.max(...times.filter(time => time !== undefined), Number.NEGATIVE_INFINITY) || now
}

const PULL_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'RegistryUnavailable',
  'SignatureValidationFailed',
  'ImageInspectError',
])

function judgeWaiting(context: ContainerContext): Finding | undefined {
  const { container, status, now } = context
  const reason = status.state?.waiting?.reason ?? ''
  const said = foreignLine(status.state?.waiting?.message ?? '')
  const since = troubleSince(context)
  const name = container.name
  if (reason === 'InvalidImageName') {
    return within(
      GRACES.InvalidImageName,
      since,
      now,
      reason,
      `container ${name}: the image reference "${container.image ?? ''}" is not valid`,
    )
  }
  if (reason === 'ErrImageNeverPull') {
    return within(
      GRACES.ErrImageNeverPull,
      since,
      now,
      reason,
      `container ${name}: image ${container.image ?? ''} is not on the node and imagePullPolicy is Never`,
    )
  }
  if (PULL_REASONS.has(reason)) {
    return within(
      GRACES.ErrImagePull,
      since,
      now,
      'ErrImagePull',
      `container ${name}: image ${container.image ?? ''} cannot be pulled: ${pullFault(context, said)}`,
    )
  }
  if (reason === 'CreateContainerConfigError') {
    const grace = /runAsNonRoot/.test(said) ? GRACES.RunAsNonRoot : GRACES.CreateContainerConfigError
    return within(grace, since, now, reason, `container ${name} cannot be configured: ${said}`)
  }
  if (reason === 'CreateContainerError')
    return within(GRACES.CreateContainerError, since, now, reason, `container ${name} cannot be created: ${said}`)
  return undefined
}

/** The registry's own words. While backing off the status may say only so much; the event of the last try says why. */
function pullFault({ events, container }: ContainerContext, said: string): string {
  const detail = said.replace(/^Back-off pulling image "[^"]*"(: )?/, '').replace(/^ErrImagePull: /, '')
  if (detail !== '') return shortenPullFault(detail)
  const failed = [...events]
    .reverse()
    .find(event => event.reason === 'Failed' && (event.message ?? '').includes(container.image ?? '\0'))
  return failed === undefined ? 'the kubelet is backing off' : shortenPullFault(foreignLine(failed.message ?? ''))
}

/** The runtime repeats the reference at every layer of its error; the innermost part says what happened. */
function shortenPullFault(text: string): string {
  const parts = text.split(
    /: (?=failed to |unexpected |rpc error|dial |lookup |httpReadSeeker|pull access denied|not found|unauthorized|denied)/,
  )
  return parts.length > 2 ? parts.slice(-2).join(': ') : text
}

function judgeEnds(context: ContainerContext): Finding | undefined {
  const { status, container, runsOnce, restartsBefore } = context
  const running = status.state?.running !== undefined
  const last = status.state?.terminated ?? status.lastState?.terminated
  if (last === undefined) return undefined
  if (runsOnce && last.exitCode === 0 && status.state?.terminated !== undefined) return undefined
  // A container that is back up has ended as often as it was started again; one that is down, once more.
  const ends = (status.restartCount ?? 0) - restartsBefore + (running ? 0 : 1)
  if (ends <= 0) return undefined
  const neverRan = last.reason === 'StartError' || last.reason === 'ContainerCannotRun'
  const outOfMemory = last.reason === 'OOMKilled'
  const deterministic = neverRan || outOfMemory || last.exitCode === 126 || last.exitCode === 127
  const decides = deterministic ? ENDS_THAT_DECIDE.deterministic : ENDS_THAT_DECIDE.crash
  const times = ends === 1 ? '' : ` (${ends} times)`
  const doomed = ends >= decides
  if (neverRan)
    return {
      reason: 'RunContainerError',
      message: `container ${container.name} cannot be started: ${startFault(last.message ?? '')}`,
      doomed,
    }
  if (outOfMemory) {
    const limit = String(container.resources?.limits?.['memory'] ?? 'none of its own')
    return {
      reason: 'OOMKilled',
      message: `container ${container.name} was killed for want of memory, its limit is ${limit}${times}`,
      doomed,
    }
  }
  const killed = killedByProbe(context)
  if (killed !== undefined)
    return { reason: 'CrashLoopBackOff', message: `container ${container.name} was killed by its ${killed}${times}`, doomed }
  return {
    reason: 'CrashLoopBackOff',
    message: `container ${container.name} ended with exit code ${last.exitCode}${exitCodeMeaning(last.exitCode)}${times}`,
    doomed,
  }
}

function killedByProbe({ events, container }: ContainerContext): string | undefined {
  const kill = [...events]
    .reverse()
    .find(
      event =>
        event.reason === 'Killing' &&
        /failed (liveness|startup) probe/.test(event.message ?? '') &&
        (event.message ?? '').includes(` ${container.name} `),
    )
  const kind = /failed (liveness|startup) probe/.exec(kill?.message ?? '')?.[1]
  if (kind === undefined) return undefined
  const said = probeEvent(events, kind === 'liveness' ? 'Liveness' : 'Startup')
  return `${kind} probe${said === '' ? '' : `: ${said}`}`
}

/** The meaning of exit codes by the shell's convention (POSIX: 126, 127; 128 + signal). */
function exitCodeMeaning(code: number): string {
  const meanings: Readonly<Record<number, string>> = {
    126: ' (command cannot be executed)',
    127: ' (command not found)',
    134: ' (SIGABRT)',
    137: ' (SIGKILL)',
    139: ' (SIGSEGV)',
    143: ' (SIGTERM)',
  }
  if (code === 0) return ', though it is meant to go on running'
  return meanings[code] ?? ''
}

/** What the runtime says of a program that it could not start, without the layers around it. */
function startFault(message: string): string {
  const line = foreignLine(message)
  return /exec: .*$/.exec(line)?.[0] ?? line
}

function judgeReadiness({ container, status, runsOnce, events, now }: ContainerContext): Finding | undefined {
  const startedAt = timeOf(status.state?.running?.startedAt)
  if (startedAt === undefined || runsOnce || status.ready || container.readinessProbe === undefined || status.started === false)
    return undefined
  const said = probeEvent(events, 'Readiness')
  const grace = { ms: readinessGraceMs(container.readinessProbe, container.startupProbe) }
  const message = `container ${container.name} runs but is not ready${said === '' ? '' : `: ${said}`}`
  return within(grace, startedAt, now, 'Unhealthy', message)
}

function probeEvent(events: readonly Event[], kind: 'Readiness' | 'Liveness' | 'Startup'): string {
  const event = [...events]
    .reverse()
    .find(candidate => candidate.reason === 'Unhealthy' && (candidate.message ?? '').startsWith(`${kind} probe`))
  return event === undefined ? '' : foreignLine(event.message ?? '', 240)
}
