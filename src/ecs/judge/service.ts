// Judges one ECS service: what ECS says of the deployment, what its tasks died of, what its targets and events tell.
import type { Task } from '@aws-sdk/client-ecs'
import type { Judgement } from '../../deploy/verdict.ts'
import { digestDoubts, type OtherDigest, otherDigests, wrongDigest } from './digests.ts'
import { BREAKER, GRACES, REPEATS } from './grace.ts'
import { judgeEvents, type Trouble } from './placement.ts'
import { pausesOf, primaryOf, type Word, wordOnDeployment } from './service-deployment.ts'
import { revisionOf, type ServiceSnapshot, timeOf } from './snapshot.ts'
import { endOf, type TaskEnd, taskName } from './stopped-task.ts'
import { isHealthyTarget, sickTargets } from './targets.ts'

export function judgeService(snapshot: ServiceSnapshot, now: number): Judgement {
  const { name, service, expected } = snapshot
  const base = { workload: name, reason: '', culprit: '', ready: 0, total: service?.desiredCount ?? 0, disturbances: '' }
  if (service === undefined || service.status === 'INACTIVE' || service.status === 'DRAINING') {
    const message = `${name} ${service === undefined ? 'is not there' : `is ${service.status}`}: somebody else has deleted it`
    return { ...base, phase: 'failed', reason: 'NotFound', message }
  }
  const judgement = expected.rollsBack ? judgeRollback(snapshot, base, now) : judgeForward(snapshot, base, now)
  const pauses = judgement.phase === 'progressing' && !expected.rollsBack ? pausesOf(snapshot) : []
  return pauses.length === 0 ? judgement : { ...judgement, pauses }
}

type Known = Omit<Judgement, 'phase' | 'message'>

function judgeForward(snapshot: ServiceSnapshot, base: Known, now: number): Judgement {
  const { name, expected } = snapshot
  const tasks = tasksOf(snapshot)
  const ends = tasks.flatMap(task => endOf(task, expected.essential) ?? [])
  const running = tasks.filter(task => task.lastStatus === 'RUNNING' && !ends.some(end => end.task === task))
  const known = { ...base, ready: runningCount(snapshot, running), disturbances: disturbancesOf(tasks) }
  const fail = (reason: string, message: string, culprit = ''): Judgement => ({
    ...known,
    phase: 'failed',
    reason,
    message: `${name}: ${message}`,
    culprit,
  })

  const wrong = wrongDigest(otherDigests(running, expected.digests), snapshot.parts)
  if (wrong !== undefined) return fail('DigestMismatch', wrong.message, wrong.culprit)
  const word = wordOnDeployment(snapshot)
  if (word.phase === 'failed' && word.reason === 'Superseded') return fail(word.reason, word.message)
  const findings = [
    judgeEnds(ends, Math.max(running.length, known.ready), base.total),
    judgeTargets(snapshot, running, ends, now),
  ].flatMap(found => found ?? [])
  const finding = findings.find(({ doomed }) => doomed) ?? findings[0]
  const events = judgeEvents(snapshot, now)
  if (word.phase === 'failed') return failedByEcs(word, ends, events, fail)
  if (finding?.doomed === true) return fail(finding.reason, finding.message, finding.culprit)
  const ended = word.phase === 'complete' ? complete(snapshot, known, fail) : undefined
  if (ended !== undefined && ended.phase !== 'progressing') return ended
  if (events?.doomed === true) return fail(events.reason, events.message)
  const amiss = finding ?? events
  const recheck = amiss?.recheckAt === undefined ? {} : { recheckAt: amiss.recheckAt }
  return {
    ...known,
    phase: 'progressing',
    reason: amiss?.reason ?? '',
    message:
      amiss === undefined && ended !== undefined ? ended.message : `${name}: ${amiss?.message ?? waitingFor(snapshot, word)}`,
    culprit: finding?.culprit ?? '',
    ...recheck,
  }
}

/** What is not proven of a service that is healthy, for people. */
export function doubtsOf(snapshot: ServiceSnapshot): readonly string[] {
  return digestDoubts(snapshot.name, otherDigestsOf(snapshot), snapshot.parts)
}

/** Of the tasks that run. */
export function otherDigestsOf(snapshot: ServiceSnapshot): readonly OtherDigest[] {
  const running = tasksOf(snapshot).filter(({ lastStatus }) => lastStatus === 'RUNNING')
  return otherDigests(running, snapshot.expected.digests)
}

interface Finding extends Trouble {
  readonly culprit: string
}

/** ECS has given it up: the tasks' own reason says more than that. */
function failedByEcs(
  word: Extract<Word, { phase: 'failed' }>,
  ends: readonly TaskEnd[],
  events: Trouble | undefined,
  fail: (reason: string, message: string, culprit?: string) => Judgement,
): Judgement {
  const most = groups(ends)[0]
  // An alarm, or a person, ends what may be in the best of health: a single crash beside it is not the cause.
  const byTasks = word.reason === 'DeploymentCircuitBreaker' || (most?.length ?? 0) > 1
  const last = most?.at(-1)
  if (last !== undefined && byTasks)
    return fail(last.reason, `${told(last, most?.length ?? 1)}; ${word.message}`, culpritOf(last))
  if (events !== undefined && byTasks) return fail(events.reason, `${events.message}; ${word.message}`)
  return fail(word.reason, word.message)
}

/** The same cause together, the most frequent first. */
export function groups(ends: readonly TaskEnd[]): readonly (readonly TaskEnd[])[] {
  const causes = new Map<string, TaskEnd[]>()
  for (const end of ends) {
    const key = `${end.reason}/${end.container ?? ''}`
    causes.set(key, [...(causes.get(key) ?? []), end])
  }
  return [...causes.values()].sort((a, b) => b.length - a.length)
}

/** How many ends make a failure. Where some tasks run, ECS's own measure; where none does, the rule's. */
function enough(rule: keyof typeof REPEATS, running: number, wanted: number): number {
  const { tasks } = REPEATS[rule]
  if (tasks === 1 || running === 0) return tasks
  return Math.max(tasks, Math.min(BREAKER.most, Math.max(BREAKER.least, Math.ceil(wanted * BREAKER.share))))
}

/** `running`: tasks of the deployment that run, as far as they were read, and as ECS counts them. */
function judgeEnds(ends: readonly TaskEnd[], running: number, wanted: number): Finding | undefined {
  const judged = groups(ends).flatMap(group => {
    const last = group.at(-1)
    if (last === undefined) return []
    const doomed = group.length >= enough(last.rule, running, wanted)
    return [{ reason: last.reason, message: told(last, group.length), doomed, culprit: culpritOf(last) }]
  })
  return judged.find(({ doomed }) => doomed) ?? judged[0]
}

/** All that run are unhealthy for longer than anybody waits; or for longer than their grace period, where one was stopped for that already. */
function judgeTargets(
  snapshot: ServiceSnapshot,
  running: readonly Task[],
  ends: readonly TaskEnd[],
  now: number,
): Finding | undefined {
  const { service, targets } = snapshot
  const sick = sickTargets(running, targets, service)
  const first = sick[0]
  if (first === undefined) return undefined
  const stopped = ends.some(({ rule }) => rule === 'UnhealthyTarget')
  const noneIsWell = sick.length === running.length && !running.some(task => isHealthyTarget(task, targets))
  const decided = Math.max(...sick.map(({ graceUntil, until }) => (stopped ? graceUntil : until)))
  const known = { reason: 'UnhealthyTarget', message: `${taskName(first.task)}, ${first.message}`, culprit: taskName(first.task) }
  if (!noneIsWell) return { ...known, doomed: false }
  return decided <= now ? { ...known, doomed: true } : { ...known, doomed: false, recheckAt: decided }
}

const told = (end: TaskEnd, times: number): string =>
  `${taskName(end.task)}, ${end.message}${times > 1 ? ` (${times} tasks)` : ''}`

const culpritOf = (end: TaskEnd): string =>
  `${taskName(end.task)}${end.container === undefined ? '' : ` container ${end.container}`}`

/** Tasks of our deployment. Those that were stopped before it, or that another deployment started, are no fault of it. */
export function tasksOf({ tasks, expected, service }: ServiceSnapshot): readonly Task[] {
  // Which task set is the deployment's own CodeDeploy does not tell; its revision is new, and so are its tasks.
  if (expected.codeDeployment !== undefined)
    return tasks.filter(
      task => task.taskDefinitionArn === expected.taskDefinition && (timeOf(task.createdAt) ?? 0) + 1_000 >= expected.since,
    )
  const deployment = expected.deployment === '' ? primaryOf({ service })?.id : expected.deployment
  return tasks
    .filter(task => task.startedBy === deployment && task.taskDefinitionArn === expected.taskDefinition)
    .filter(task => expected.deployment !== '' || (timeOf(task.stoppedAt) ?? Number.MAX_VALUE) >= expected.since)
    .toSorted((a, b) => (timeOf(a.stoppedAt) ?? Number.MAX_VALUE) - (timeOf(b.stoppedAt) ?? Number.MAX_VALUE))
}

function runningCount({ service, expected }: ServiceSnapshot, running: readonly Task[]): number {
  const own = service?.deployments?.find(({ id, status, taskDefinition }) =>
    expected.codeDeployment !== undefined
      ? taskDefinition === expected.taskDefinition
      : expected.deployment === ''
        ? status === 'PRIMARY'
        : id === expected.deployment,
  )
  return own?.runningCount ?? running.length
}

/** Changes with every task that ended. */
function disturbancesOf(tasks: readonly Task[]): string {
  return tasks
    .filter(task => task.lastStatus === 'STOPPED')
    .map(task => task.taskArn ?? '')
    .sort()
    .join(',')
}

/** ECS calls it done; that a describe may be behind, and that tasks may have gone since, is looked at. */
function complete(snapshot: ServiceSnapshot, known: Known, fail: (reason: string, message: string) => Judgement): Judgement {
  const { name, service, expected, seen } = snapshot
  const primary = primaryOf(snapshot)
  const another = primary !== undefined && primary.id !== expected.deployment && primary.id !== expected.deploymentBefore
  if (expected.deployment !== '' && seen && another) {
    const by = snapshot.successor ?? revisionOf(primary.taskDefinition)
    return fail('Superseded', `the deployment was complete, and another one (${by}) is taking its place`)
  }
  const waiting = (message: string): Judgement => ({ ...known, phase: 'progressing', message: `${name}: ${message}` })
  if (primary?.taskDefinition !== expected.taskDefinition) {
    return waiting(`${revisionOf(primary?.taskDefinition)} is still shown, ${revisionOf(expected.taskDefinition)} is to run`)
  }
  const others = (service?.deployments ?? []).length - 1
  if (others > 0 && snapshot.serviceDeployment === undefined && snapshot.codeDeployment === undefined)
    return waiting('old tasks are still to end')
  const missing = known.total - (primary.runningCount ?? 0)
  // A daemon has no count of its own choice.
  if (service?.schedulingStrategy !== 'DAEMON' && missing > 0)
    return waiting(`${primary.runningCount ?? 0} of ${known.total} tasks of ${revisionOf(expected.taskDefinition)} run`)
  return { ...known, phase: 'healthy', message: '' }
}

function waitingFor(snapshot: ServiceSnapshot, word: Word): string {
  const { service, expected } = snapshot
  const primary = primaryOf(snapshot)
  const own = service?.deployments?.find(({ id }) => id === expected.deployment) ?? primary
  const [running, wanted] = [own?.runningCount ?? 0, own?.desiredCount ?? 0]
  const says = word.phase === 'progressing' ? word.message : ''
  if (own !== undefined && running < wanted)
    return `${running} of ${wanted} tasks of ${revisionOf(own.taskDefinition)} run; ${says}`
  return says
}

/** ECS itself puts the old revision back, by its breaker or because we asked it to. */
function judgeRollback(snapshot: ServiceSnapshot, base: Known, now: number): Judgement {
  const { name, expected, serviceDeployment, service } = snapshot
  const primary = primaryOf(snapshot)
  const back = primary?.taskDefinition === expected.taskDefinition
  const tasks = snapshot.tasks.filter(
    task => task.taskDefinitionArn === expected.taskDefinition && task.startedBy === primary?.id,
  )
  const known = { ...base, ready: primary?.runningCount ?? 0, disturbances: '' }
  const waiting = (message: string): Judgement => ({ ...known, phase: 'progressing', message: `${name}: ${message}` })
  const status = serviceDeployment?.status
  if (status === 'ROLLBACK_FAILED') {
    const message = `${name}: ECS could not put ${revisionOf(expected.taskDefinition)} back: ${serviceDeployment?.statusReason ?? 'it does not say why'}`
    return { ...known, phase: 'failed', reason: 'RolledBack', message }
  }
  if (!back) {
    const late = now > expected.since + GRACES.NotSeen.ms && status !== undefined && status === 'STOPPED'
    if (late)
      return {
        ...known,
        phase: 'failed',
        reason: 'Superseded',
        message: `${name}: ${revisionOf(primary?.taskDefinition)} is live by now, another deployment`,
      }
    return waiting(`ECS is putting ${revisionOf(expected.taskDefinition)} back`)
  }
  const ends = tasks
    .flatMap(task => endOf(task, expected.essential) ?? [])
    .filter(({ task }) => (timeOf(task.stoppedAt) ?? 0) >= expected.since)
  const running = tasks.filter(task => task.lastStatus === 'RUNNING')
  const finding = judgeEnds(ends, Math.max(running.length, known.ready), base.total)
  if (finding?.doomed === true)
    return { ...known, phase: 'failed', reason: finding.reason, message: `${name}: ${finding.message}`, culprit: finding.culprit }
  const byRollout = status === undefined || status === 'STOPPED'
  const over = byRollout ? primary?.rolloutState === 'COMPLETED' : status === 'ROLLBACK_SUCCESSFUL'
  if (!over) return waiting(`ECS is putting ${revisionOf(expected.taskDefinition)} back`)
  const missing = base.total - (primary?.runningCount ?? 0)
  if (service?.schedulingStrategy !== 'DAEMON' && missing > 0)
    return waiting(`${primary?.runningCount ?? 0} of ${base.total} tasks run again`)
  return { ...known, phase: 'healthy', message: '' }
}
