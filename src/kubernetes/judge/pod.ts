// Judges one pod of the newest revision: its scheduling, its volumes, its containers.
import type { Container, ContainerStatus, Event, Pod } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import { conditionSince, type Finding, judgeContainer, LATE_CACHE, onOneNode, where, within } from './container.ts'
import { eventTime, firstEventTime, newest } from './events.ts'
import { count, latest, list, text, timeOf } from './fields.ts'
import { firstLivenessMs, GRACES, type Grace, LONGEST_START_MS } from './grace.ts'

export interface PodFinding extends Finding {
  readonly pod: string
  readonly container?: string
}

export interface PodContext {
  readonly pod: Pod
  /** Events of this pod, oldest first. */
  readonly events: readonly Event[]
  /** Restarts that a container had before the release began. */
  readonly restartsBefore: (container: string) => number
  /** No grace is counted from before this time: when the release began. Default: any time. */
  readonly floor?: number
  /** The release has changed something, if only a ConfigMap, that may mend what was broken before it. */
  readonly mayBeMended?: boolean
  /** When the last pod of the workload that is or was ending is gone: room, ports, quota and volumes are free only then. */
  readonly endedAt?: number | undefined
  /** A pod of the same revision is Ready on another node. */
  readonly readyElsewhere?: boolean
  /** Since when all else that the release has created is up, in ms; Infinity while it is not. Default: always. */
  readonly othersUpSince?: (() => number) | undefined
  /** How long a container took to be ready in the pods before the release, in ms. */
  readonly tookBefore?: ((container: string) => number | undefined) | undefined
  readonly now: number
}

/** A pod that counts no more: being deleted, or ended for good, so that its owner replaces it (evicted, preempted, refused by its node). */
export function isGone(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp != null || pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded'
}

/** The Ready condition, in which readiness gates are counted too. */
export function isReady(pod: Pod): boolean {
  return list(pod.status?.conditions).some(condition => condition.type === 'Ready' && condition.status === 'True')
}

/**
 * How long each container of a pod took from its start until the pod's containers were ready, in ms. Not known of one that had been ready before, and
 * none of a pod that is not.
 */
export function startTimes(pod: Pod): readonly (readonly [container: string, ms: number])[] {
  const readyAt = conditionSince(pod, 'ContainersReady', 'True')
  if (readyAt === undefined) return []
  return list(pod.status?.containerStatuses).flatMap(({ name, state }) => {
    const ms = readyAt - (timeOf(state?.running?.startedAt) ?? Number.NEGATIVE_INFINITY)
    return ms > 0 && ms <= LONGEST_START_MS ? [[name, ms] as const] : []
  })
}

export function restartsOf(pod: Pod): number {
  return containerStatuses(pod).reduce((sum, status) => sum + count(status.restartCount), 0)
}

/** Everything that is wrong with a pod, what is doomed first. */
export function judgePod(context: PodContext): readonly PodFinding[] {
  const { pod } = context
  if (isGone(pod)) return []
  const name = text(pod.metadata?.name)
  if (isOnLostNode(pod, context.events, context.now)) return [{ ...lostNode(pod, context.events), pod: name }]
  const unscheduled = judgeScheduling(context)
  if (unscheduled !== undefined) return [{ ...unscheduled, pod: name }]
  const findings = judgeContainers(context)
  const volumes = findings.length === 0 ? judgeSetUp(context) : undefined
  const all = volumes === undefined ? findings : [{ ...volumes, pod: name }]
  return [...all].sort((a, b) => Number(b.doomed) - Number(a.doomed))
}

/**
 * Its node was seen to be gone (the node controller says so of every pod that was Ready there), and the kubelet has not been heard since. All else that
 * is known of the pod is then past. It heals: the node comes back, or the pod is made anew elsewhere after 5 min.
 */
export function isOnLostNode(pod: Pod, events: readonly Event[], now: number): boolean {
  if (isReady(pod) || text(pod.spec?.nodeName) === '') return false
  const lost = newest(events, 'NodeNotReady')
  if (lost === undefined || eventTime(lost) + GRACES.NodeLost.ms <= now) return false
  return !events.some(event => OF_THE_KUBELET.has(text(event.reason)) && eventTime(event) > eventTime(lost))
}

const OF_THE_KUBELET = new Set([
  'Pulling',
  'Pulled',
  'Created',
  'Started',
  'Killing',
  'Failed',
  'BackOff',
  'Unhealthy',
  'FailedMount',
])

function lostNode(pod: Pod, events: readonly Event[]): Finding {
  const message = `its node ${foreignLine(text(pod.spec?.nodeName), 120)} is not ready`
  const lost = newest(events, 'NodeNotReady')
  const recheckAt = (lost === undefined ? 0 : eventTime(lost)) + GRACES.NodeLost.ms
  return { reason: 'NodeNotReady', message, doomed: false, recheckAt }
}

/** By when a liveness probe that fails must have been heard of, in ms: before that, Ready proves little. 0 where no container has one. */
export function provenAt(pod: Pod): number {
  const running = new Map(containerStatuses(pod).map(status => [status.name, timeOf(status.state?.running?.startedAt)]))
  const times = [...list(pod.spec?.containers), ...list(pod.spec?.initContainers)].map(container => {
    const startedAt = running.get(container.name)
    if (container.livenessProbe == null || startedAt === undefined) return 0
    // It is asked only once the startup probe has passed; that the pod became Ready is the first that is told of it.
    const from =
      container.startupProbe == null ? startedAt : latest([startedAt, conditionSince(pod, 'ContainersReady', 'True')], 0)
    return from + firstLivenessMs(container.livenessProbe)
  })
  return Math.max(0, ...times)
}

/** What the pod is waiting for when nothing is wrong, in a few words. */
export function waitingFor(pod: Pod): string {
  if (pod.spec?.nodeName == null)
    return list(pod.status?.conditions).some(condition => condition.reason === 'SchedulingGated')
      ? 'held back by a scheduling gate'
      : 'waiting for a node'
  const statuses = containerStatuses(pod)
  const backingOff = statuses.find(status => status.state?.waiting?.reason === 'CrashLoopBackOff')
  if (backingOff !== undefined) return `container ${backingOff.name} waits to be started again`
  const init = list(pod.status?.initContainerStatuses).find(status => status.state?.terminated == null && status.started !== true)
  if (init !== undefined) return `init container ${init.name} ${init.state?.running == null ? 'is being created' : 'is running'}`
  const creating = statuses.find(status => status.state?.waiting != null)
  if (statuses.length === 0) return `node ${foreignLine(text(pod.spec.nodeName), 120)} has not taken it up yet`
  if (creating !== undefined) return 'containers are being created'
  const starting = list(pod.status?.containerStatuses).find(status => status.ready !== true)
  return starting === undefined ? waitingForGate(pod) : `container ${starting.name} is running, not ready yet`
}

/** Its containers are ready; others, such as a load balancer, may have a word in it. */
function waitingForGate(pod: Pod): string {
  const gate = list(pod.spec?.readinessGates).find(
    ({ conditionType }) => list(pod.status?.conditions).find(({ type }) => type === conditionType)?.status !== 'True',
  )
  if (gate === undefined) return 'waiting to be Ready'
  const said = foreignLine(text(list(pod.status?.conditions).find(({ type }) => type === gate.conditionType)?.message), 240)
  return `its readiness gate ${foreignLine(text(gate.conditionType), 120)} is not met${said === '' ? '' : `: ${said}`}`
}

function containerStatuses(pod: Pod): readonly ContainerStatus[] {
  return [...list(pod.status?.initContainerStatuses), ...list(pod.status?.containerStatuses)]
}

function judgeScheduling({ pod, events, floor, endedAt, now }: PodContext): Finding | undefined {
  const condition = list(pod.status?.conditions).find(
    candidate => candidate.type === 'PodScheduled' && candidate.status === 'False' && candidate.reason === 'Unschedulable',
  )
  if (condition === undefined) return undefined
  const said = foreignLine(text(condition.message))
  const message = `no node can take the pod: ${said}`
  // The autoscaler's own words (cluster-autoscaler, Karpenter): a node is on its way, only the timeout ends this, or the autoscaler's next word.
  const autoscaler = newest(events, 'TriggeredScaleUp', 'Nominated', 'NotTriggerScaleUp')
  if (autoscaler !== undefined && autoscaler.reason !== 'NotTriggerScaleUp')
    return { reason: 'Unschedulable', message: `${message} (the autoscaler adds a node)`, doomed: false }
  const since = latest([timeOf(condition.lastTransitionTime), floor, endedAt], now)
  return within(schedulingGrace(pod, said), since, now, 'Unschedulable', message)
}

/** The scheduler names the taints that keep the pod away; those that a node's own state sets go again. */
function schedulingGrace(pod: Pod, said: string): Grace {
  if (/node\.kubernetes\.io\/(memory|disk|pid)-pressure/.test(said)) return GRACES.NodePressure
  if (
    /node\.kubernetes\.io\/(not-ready|unreachable|network-unavailable)|node\.cloudprovider\.kubernetes\.io\/uninitialized/.test(
      said,
    )
  )
    return GRACES.NodeAway
  if (text(pod.status?.nominatedNodeName) !== '') return GRACES.Preempting
  return /PersistentVolumeClaim/i.test(said) ? GRACES.UnboundVolume : GRACES.Unschedulable
}

function judgeContainers(context: PodContext): readonly PodFinding[] {
  const {
    pod,
    events,
    now,
    restartsBefore,
    floor = 0,
    mayBeMended = false,
    readyElsewhere = false,
    othersUpSince = () => 0,
    tookBefore,
  } = context
  const findings: PodFinding[] = []
  const specs: readonly { container: Container; init: boolean }[] = [
    ...list(pod.spec?.initContainers).map(container => ({ container, init: true })),
    ...list(pod.spec?.containers).map(container => ({ container, init: false })),
  ]
  const statuses = new Map(containerStatuses(pod).map(status => [status.name, status]))
  for (const { container, init } of specs) {
    const status = statuses.get(container.name)
    if (status === undefined) continue
    const sidecar = init && container.restartPolicy === 'Always'
    const own = events.filter(event => concerns(event, container.name))
    const finding = judgeContainer({
      pod,
      container,
      status,
      runsOnce: init ? !sidecar : text(pod.spec?.restartPolicy || 'Always') !== 'Always',
      restartsBefore: restartsBefore(container.name),
      events: own,
      floor,
      mayBeMended,
      readyElsewhere,
      othersUpSince,
      tookMs: tookBefore?.(container.name) ?? 0,
      now,
    })
    if (finding !== undefined) findings.push({ ...finding, pod: text(pod.metadata?.name), container: container.name })
  }
  return findings
}

/** An event names its container as `spec.containers{app}`; one that names none is the whole pod's. */
function concerns(event: Event, container: string): boolean {
  const path = text(event.involvedObject?.fieldPath)
  return path === '' || path.endsWith(`{${container}}`)
}

/** What keeps a pod's containers from being created at all stands in events only. */
function judgeSetUp(context: PodContext): Finding | undefined {
  const { pod, events, floor, endedAt, now } = context
  if (text(pod.spec?.nodeName) === '' || isSetUp(pod)) return undefined
  const event = newest(events, 'FailedMount', 'FailedMapVolume', 'FailedAttachVolume', 'FailedCreatePodSandBox')
  if (event === undefined) return undefined
  // Any of these comes after the volumes and the sandbox are there.
  const further = newest(events, 'Pulling', 'Pulled', 'Created', 'Started')
  if (further !== undefined && eventTime(further) >= eventTime(event)) return undefined
  const since = latest([conditionSince(pod, 'PodScheduled', 'True') ?? firstEventTime(event), floor], now)
  const said = foreignLine(text(event.message))
  if (event.reason === 'FailedCreatePodSandBox') {
    const message = `the pod's sandbox cannot be created${where(context)}: ${said}`
    return within(onOneNode(GRACES.FailedCreatePodSandBox, context), since, now, 'FailedCreatePodSandBox', message)
  }
  if (event.reason === 'FailedAttachVolume') {
    const message = `a volume cannot be attached: ${said}`
    return within(GRACES.FailedAttachVolume, latest([since, endedAt], now), now, 'FailedAttachVolume', message)
  }
  if (LATE_CACHE.test(said)) return within(GRACES.SyncCache, since, now, 'FailedMount', `a volume cannot be mounted: ${said}`)
  // A StatefulSet's pods have volumes of their own: that another one's can be mounted says nothing of this one's.
  const shared = !list(pod.metadata?.ownerReferences).some(owner => owner.kind === 'StatefulSet')
  const grace = shared ? onOneNode(GRACES.FailedMount, context) : GRACES.FailedMount
  return within(grace, since, now, 'FailedMount', `a volume cannot be mounted${shared ? where(context) : ''}: ${said}`)
}

/** Volumes and sandbox were there once: a container has been, or is about to be, started. */
function isSetUp(pod: Pod): boolean {
  if (conditionSince(pod, 'PodReadyToStartContainers', 'True') !== undefined) return true
  return containerStatuses(pod).some(({ state, lastState }) => {
    const waiting = state?.waiting?.reason ?? ''
    const early = waiting === '' || waiting === 'ContainerCreating' || waiting === 'PodInitializing'
    return state?.running != null || state?.terminated != null || lastState?.terminated != null || !early
  })
}
