// Judges one container of one pod: does it run, may it still come up, or never?
import type { Container, ContainerState, ContainerStatus, Event, Pod, Probe } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import { eventTime, firstEventTime, occurrences, type ProbeKind, probeFailures, probeKills } from './events.ts'
import { count, latest, list, text, timeOf } from './fields.ts'
import { ENDS_THAT_DECIDE, FOUND_MS, GRACES, type Grace, PROBE_KILLS, readinessGraceMs, stillFailingMs } from './grace.ts'

/** Something amiss. `doomed`: it will not come up by itself. Else `recheckAt` says when that may be otherwise though nothing happens meanwhile. */
export interface Finding {
  readonly reason: string
  readonly message: string
  readonly doomed: boolean
  readonly recheckAt?: number
}

export interface ContainerContext {
  readonly pod: Pod
  readonly container: Container
  readonly status: ContainerStatus
  /** It is meant to end: an init container that is no sidecar, a container of a pod that is not always restarted. */
  readonly runsOnce: boolean
  /** Restarts that had happened before the release began, for pods that are older than it. */
  readonly restartsBefore: number
  /** Events of the pod and this container, oldest first. */
  readonly events: readonly Event[]
  /** No grace is counted from before this time: when the release began. */
  readonly floor: number
  /** The release has changed something that may mend what was broken before it. */
  readonly mayBeMended: boolean
  /** A pod of the same revision is Ready on another node: what fails here may be the node's fault. */
  readonly readyElsewhere: boolean
  /** Since when all else that the release has created is up, in ms; Infinity while it is not. */
  readonly othersUpSince: () => number
  /** How long the container took to be ready in the pods before the release, in ms; 0 where that is not known. */
  readonly tookMs: number
  readonly now: number
}

/** What is wrong with a container, or undefined where it is as it should be or on its way. */
export function judgeContainer(context: ContainerContext): Finding | undefined {
  const findings = [judgeEnds, judgeProbeKills, judgeWaiting, judgeStartup, judgeReadiness].flatMap(rule => rule(context) ?? [])
  return findings.find(finding => finding.doomed) ?? findings[0]
}

/** A finding that becomes a failure once `graceMs` have passed since `since`. */
export function within(grace: { readonly ms: number }, since: number, now: number, reason: string, message: string): Finding {
  return after(since + grace.ms, now, reason, message)
}

function after(doomedAt: number, now: number, reason: string, message: string): Finding {
  return doomedAt <= now ? { reason, message, doomed: true } : { reason, message, doomed: false, recheckAt: doomedAt }
}

/** When a condition last became `status`. */
export function conditionSince(pod: Pod, type: string, status: 'True' | 'False'): number | undefined {
  const condition = list(pod.status?.conditions).find(candidate => candidate.type === type && candidate.status === status)
  return timeOf(condition?.lastTransitionTime)
}

/**
 * The time from which a container's present trouble counts: when its turn came. That is after its pod was bound to a node and had its volumes and
 * sandbox, after the init containers before it, and after its own last end.
 */
function troubleSince({ pod, container, status, floor, now }: ContainerContext): number {
  const inits = list(pod.status?.initContainerStatuses)
  const own = inits.findIndex(init => init.name === container.name)
  const before = own < 0 ? inits : inits.slice(0, own)
  return latest(
    [
      timeOf(pod.metadata?.creationTimestamp),
      conditionSince(pod, 'PodScheduled', 'True'),
      conditionSince(pod, 'PodReadyToStartContainers', 'True'),
      ...before.map(init => timeOf(init.state?.terminated?.finishedAt) ?? timeOf(init.state?.running?.startedAt)),
      timeOf(status.lastState?.terminated?.finishedAt),
      floor > 0 ? floor : undefined,
    ],
    now,
  )
}

/** The kubelet's own words for a Secret or ConfigMap that it has not read yet. */
export const LATE_CACHE = /failed to sync \w+ cache|object \S+ not registered/

/** The grace of something that may be the fault of the pod's node alone. */
export function onOneNode(grace: Grace, { readyElsewhere }: { readonly readyElsewhere?: boolean }): Grace {
  return readyElsewhere === true && grace.ms < GRACES.OneNode.ms ? GRACES.OneNode : grace
}

/** Names the node where others of the same revision are well. */
export function where({ pod, readyElsewhere }: { readonly pod: Pod; readonly readyElsewhere?: boolean }): string {
  return readyElsewhere === true ? ` on node ${foreignLine(text(pod.spec?.nodeName), 120)}, and can elsewhere` : ''
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
  const reason = text(status.state?.waiting?.reason)
  const said = foreignLine(text(status.state?.waiting?.message))
  const since = troubleSince(context)
  const { name } = container
  const image = foreignLine(text(container.image))
  if (reason === 'InvalidImageName')
    return within(GRACES.InvalidImageName, since, now, reason, `container ${name}: the image reference "${image}" is not valid`)
  if (reason === 'ErrImageNeverPull') {
    const message = `container ${name}: image ${image} is not on the node and imagePullPolicy is Never`
    return within(GRACES.ErrImageNeverPull, since, now, reason, message)
  }
  if (PULL_REASONS.has(reason)) {
    const fault = pullFault(context, said)
    const wrongPlatform = /no match for platform|no matching manifest/.test(fault)
    const grace = wrongPlatform ? GRACES.WrongPlatform : onOneNode(GRACES.ErrImagePull, context)
    const message = `container ${name}: image ${image} cannot be pulled${where(context)}: ${fault}`
    return within(grace, pullFailingSince(context, since), now, 'ErrImagePull', message)
  }
  if (reason === 'CreateContainerConfigError') {
    const grace = /runAsNonRoot|non-root/.test(said)
      ? GRACES.RunAsNonRoot
      : LATE_CACHE.test(said)
        ? GRACES.SyncCache
        : GRACES.CreateContainerConfigError
    return within(grace, since, now, reason, `container ${name} cannot be configured: ${said}`)
  }
  if (reason === 'CreateContainerError')
    return within(
      onOneNode(GRACES.CreateContainerError, context),
      since,
      now,
      reason,
      `container ${name} cannot be created${where(context)}: ${said}`,
    )
  return undefined
}

const pullFailures = ({ events, container }: ContainerContext): readonly Event[] =>
  events.filter(
    event =>
      event.reason === 'Failed' &&
      text(event.message).startsWith('Failed to pull image') &&
      text(event.message).includes(text(container.image)),
  )

/** A large image may take minutes before its pull breaks off: what counts is when it first did. */
function pullFailingSince(context: ContainerContext, since: number): number {
  const [first] = pullFailures(context)
  return first === undefined ? since : Math.max(since, firstEventTime(first))
}

/** The registry's own words. While backing off the status may say only so much; the event of the last try says why. */
function pullFault(context: ContainerContext, said: string): string {
  const detail = said.replace(/^Back-off pulling image "[^"]*"(: )?/, '').replace(/^ErrImagePull: /, '')
  if (detail !== '') return shortenPullFault(detail)
  const failed = pullFailures(context).at(-1)
  return failed === undefined ? 'the kubelet is backing off' : shortenPullFault(foreignLine(text(failed.message)))
}

/** The runtime repeats the reference at every layer of its error; the innermost part says what happened. */
function shortenPullFault(text: string): string {
  const parts = text.split(
    /: (?=failed to |unexpected |rpc error|dial |lookup |httpReadSeeker|pull access denied|not found|unauthorized|denied)/,
  )
  return parts.length > 2 ? parts.slice(-2).join(': ') : text
}

function judgeEnds(context: ContainerContext): Finding | undefined {
  const { status, container, runsOnce, restartsBefore, now } = context
  const running = isRunning(status.state)
  const last = status.state?.terminated ?? status.lastState?.terminated
  if (runsOnce && status.state?.terminated?.exitCode === 0) return undefined
  const backingOff = status.state?.waiting?.reason === 'CrashLoopBackOff'
  if (last == null && !backingOff) return undefined
  // A container that is back up has ended as often as it was started again; one that is down, once more.
  const ends = count(status.restartCount) - restartsBefore + (running ? 0 : 1)
  const stuck = judgeStuckBefore(context, ends)
  if (stuck !== undefined) return stuck
  if (ends <= 0) return undefined
  const neverRan = last?.reason === 'StartError' || last?.reason === 'ContainerCannotRun'
  const outOfMemory = last?.reason === 'OOMKilled'
  const deterministic =
    (neverRan && !OF_THE_MOMENT.test(text(last?.message))) || outOfMemory || last?.exitCode === 126 || last?.exitCode === 127
  const { crash, beforeOthers } = ENDS_THAT_DECIDE
  const tooEarly =
    !deterministic &&
    ends >= crash &&
    ends < beforeOthers &&
    (timeOf(last?.startedAt) ?? now) - FOUND_MS < context.othersUpSince()
  const doomed = ends >= (deterministic ? ENDS_THAT_DECIDE.deterministic : crash) && !tooEarly
  // One that is up again may be well now. Whether it is Ready, and stays so, is seen elsewhere.
  if (running && !doomed) return undefined
  const times = ends === 1 ? '' : ` (${ends} times${tooEarly ? ', before all else that is new was up' : ''})`
  if (neverRan)
    return {
      reason: 'RunContainerError',
      message: `container ${container.name} cannot be started: ${startFault(text(last?.message))}`,
      doomed,
    }
  if (outOfMemory) {
    const limit = container.resources?.limits?.['memory']
    const message = `container ${container.name} was killed for want of memory, ${limit === undefined ? 'it has no limit of its own' : `its limit is ${limit}`}${times}`
    return { reason: 'OOMKilled', message, doomed }
  }
  const hook = failedHook(context, timeOf(last?.startedAt))
  if (hook !== undefined) return { reason: 'PostStartHookError', message: hook + times, doomed }
  const kind = killedBy(context, timeOf(last?.startedAt), timeOf(last?.finishedAt))
  if (kind !== undefined) return { reason: 'Unhealthy', message: killed(context, kind) + times, doomed }
  const how =
    last == null ? 'ends soon after every start' : `ended with exit code ${last.exitCode}${exitCodeMeaning(last.exitCode)}`
  return { reason: 'CrashLoopBackOff', message: `container ${container.name} ${how}${times}`, doomed }
}

/** What keeps a program from being started though it may well start the next time: the machine, and not the program. */
const OF_THE_MOMENT =
  /no space left|resource temporarily unavailable|cannot allocate memory|timed? ?out|deadline exceeded|device or resource busy/i

/** A postStart hook that failed ends the container by SIGKILL, whose exit code says nothing. */
function failedHook({ events, container }: ContainerContext, startedAt: number | undefined): string | undefined {
  const event = events.findLast(({ reason }) => reason === 'FailedPostStartHook')
  if (event === undefined || eventTime(event) + 1_000 < (startedAt ?? 0)) return undefined
  return `container ${container.name} was killed because its postStart hook failed: ${foreignLine(text(event.message), 240)}`
}

const isRunning = (state: ContainerState | undefined): boolean => state?.running != null

/**
 * A container that was crashing before the release began, over the same revision: the kubelet's back-off may have grown to minutes, so that three
 * more ends are not waited for. One more crash decides, or that it is still waiting when the longest back-off is over; where nothing was changed, a
 * short look is enough.
 */
function judgeStuckBefore(
  { container, status, restartsBefore, floor, mayBeMended, now }: ContainerContext,
  ends: number,
): Finding | undefined {
  const restarts = count(status.restartCount)
  if (restartsBefore === 0 || restarts < ENDS_THAT_DECIDE.crash || status.state?.waiting?.reason !== 'CrashLoopBackOff')
    return undefined
  const last = status.lastState?.terminated
  const how = last == null ? '' : ` with exit code ${last.exitCode}${exitCodeMeaning(last.exitCode)}`
  const message = `container ${container.name} ended${how} (${restarts + 1} times, most of them before this release)`
  return ends > 0
    ? { reason: 'CrashLoopBackOff', message, doomed: true }
    : within(mayBeMended ? GRACES.LongestBackOff : GRACES.CrashingBefore, floor, now, 'CrashLoopBackOff', message)
}

/** The probe that ended the life of a container from `startedAt` to `finishedAt`, if one did. */
function killedBy(
  context: ContainerContext,
  startedAt: number | undefined,
  finishedAt: number | undefined,
): ProbeKind | undefined {
  const kill = probeKills(context.events, context.container.name).findLast(
    event => eventTime(event) >= (startedAt ?? 0) && eventTime(event) <= (finishedAt ?? Number.POSITIVE_INFINITY) + 2_000,
  )
  return kill === undefined ? undefined : kindOf(kill)
}

const kindOf = (kill: Event): ProbeKind => (text(kill.message).includes('failed startup probe') ? 'Startup' : 'Liveness')

function killed({ events, container }: ContainerContext, kind: ProbeKind): string {
  const said = probeSaid(events, kind)
  return `container ${container.name} was killed by its ${kind.toLowerCase()} probe${said === '' ? '' : `: ${said}`}`
}

/**
 * A liveness or startup probe that fails. The pod may well be Ready meanwhile, and the container may take 30 s to end when it is killed, so that the
 * status says nothing of it for more than a minute: the events do.
 */
function judgeProbeKills(context: ContainerContext): Finding | undefined {
  const { container, events, floor, now, status } = context
  const startedAt = timeOf(status.state?.running?.startedAt)
  const kills = probeKills(events, container.name).filter(event => eventTime(event) >= floor)
  const lastKill = kills.at(-1)
  const kind = lastKill === undefined ? 'Liveness' : kindOf(lastKill)
  const probe: Probe | undefined = kind === 'Startup' ? container.startupProbe : container.livenessProbe
  if (probe == null) return undefined
  const failures = probeFailures(events, kind).filter(event => eventTime(event) >= floor)
  const lastFailure = latest(failures.map(eventTime), 0)
  const failsUntil = lastFailure + stillFailingMs(probe)
  const inThisLife = startedAt !== undefined && lastFailure >= startedAt
  const failing = inThisLife && now < failsUntil
  if (lastKill === undefined) {
    if (!failing) return undefined
    const said = probeSaid(events, kind)
    return {
      reason: 'Unhealthy',
      message: `container ${container.name} may soon be killed: ${said}`,
      doomed: false,
      recheckAt: failsUntil,
    }
  }
  const killedAt = eventTime(lastKill)
  const firstFailure = Math.max(floor, Math.min(killedAt, ...failures.map(firstEventTime)))
  const times = kills.reduce((sum, event) => sum + (firstEventTime(event) >= floor ? occurrences(event) : 1), 0)
  const message = killed(context, kind) + (times === 1 ? '' : ` (${times} times)`)
  const ending = startedAt !== undefined && killedAt > startedAt
  if (!ending && !failing && startedAt !== undefined) return undefined
  if (times >= 2) return after(firstFailure + PROBE_KILLS.twiceMs, now, 'Unhealthy', message)
  if (ending)
    return after(Math.max(firstFailure + PROBE_KILLS.onceMs, killedAt + PROBE_KILLS.notEndingMs), now, 'Unhealthy', message)
  // In its second life: a failure at its very beginning says nothing, one after a whole period says that it is no better than the first.
  const period = Math.max(1, count(probe.periodSeconds) || 10) * 1_000
  if (startedAt === undefined || lastFailure < startedAt + Math.min(period, 10_000) - 1_000)
    return { reason: 'Unhealthy', message, doomed: false, recheckAt: failsUntil > now ? failsUntil : now + period }
  return after(firstFailure + PROBE_KILLS.onceMs, now, 'Unhealthy', message)
}

/** The meaning of exit codes by the shell's convention (POSIX: 126, 127; 128 + signal). */
export function exitCodeMeaning(code: number): string {
  const meanings: Readonly<Record<number, string>> = {
    126: ' (command cannot be executed)',
    127: ' (command not found)',
    134: ' (SIGABRT)',
    137: ' (SIGKILL)',
    139: ' (SIGSEGV)',
    143: ' (SIGTERM)',
  }
  if (code === 0) return ', though it is meant to go on running'
  return meanings[code] ?? (code > 128 && code < 165 ? ` (signal ${code - 128})` : '')
}

/** What the runtime says of a program that it could not start, without the layers around it. */
export function startFault(message: string): string {
  const line = foreignLine(message)
  return /exec: .*$/.exec(line)?.[0] ?? line
}

/** A startup probe may fail for as long as its numbers allow. What it says is told, for somebody may wait for it in vain. */
function judgeStartup({ container, status, events, floor }: ContainerContext): Finding | undefined {
  const startedAt = timeOf(status.state?.running?.startedAt)
  const failure = probeFailures(events, 'Startup').at(-1)
  if (container.startupProbe == null || status.started !== false || startedAt === undefined || failure === undefined)
    return undefined
  if (eventTime(failure) < Math.max(startedAt, floor)) return undefined
  const message = `container ${container.name} has not started yet: ${probeSaid(events, 'Startup')}`
  return { reason: '', message, doomed: false }
}

function judgeReadiness({ pod, container, status, runsOnce, events, floor, tookMs, now }: ContainerContext): Finding | undefined {
  const startedAt = timeOf(status.state?.running?.startedAt)
  const probe = container.readinessProbe
  if (startedAt === undefined || runsOnce || status.ready === true || probe == null || status.started === false) return undefined
  const lostAt = conditionSince(pod, 'ContainersReady', 'False')
  const since = latest([startedAt, lostAt], floor)
  const failure = probeFailures(events, 'Readiness').at(-1)
  const said = probeSaid(events, 'Readiness')
  // 408, 425 and 429 are the words of a server that is not yet able to.
  const refused = /statuscode: 4(?!08|25|29)\d\d/.test(said)
  const from = Math.max(since, floor, refused && failure !== undefined ? firstEventTime(failure) : 0)
  const patience = readinessGraceMs(probe, container.startupProbe, false, tookMs)
  const grace = refused ? readinessGraceMs(probe, container.startupProbe, true) : patience
  const message = `container ${container.name} runs but is not ready${said === '' ? '' : `: ${said}`}`
  const finding = after(Math.min(from + grace, Math.max(since, floor) + patience), now, 'Unhealthy', message)
  // A start in which no probe has failed yet has nothing amiss.
  return said === '' && !finding.doomed ? { ...finding, reason: '' } : finding
}

function probeSaid(events: readonly Event[], kind: ProbeKind): string {
  const failure = probeFailures(events, kind).at(-1)
  return failure === undefined ? '' : foreignLine(text(failure.message), 240)
}
