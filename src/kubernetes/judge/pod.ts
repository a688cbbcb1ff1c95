// Judges one pod of the newest revision: its scheduling, its volumes, its containers.
import type { Container, ContainerStatus, Event, Pod } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import { type Finding, judgeContainer, timeOf, within } from './container.ts'
import { GRACES } from './grace.ts'

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
  readonly now: number
}

/** A pod that counts no more: being deleted, or ended for good, so that its owner replaces it (evicted, preempted, refused by its node). */
export function isGone(pod: Pod): boolean {
  return pod.metadata?.deletionTimestamp !== undefined || pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded'
}

/** The Ready condition, in which readiness gates are counted too. */
export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') ?? false
}

export function restartsOf(pod: Pod): number {
  return containerStatuses(pod).reduce((sum, status) => sum + (status.restartCount ?? 0), 0)
}

/** Everything that is wrong with a pod, what is doomed first. */
export function judgePod(context: PodContext): readonly PodFinding[] {
  const { pod } = context
  if (isGone(pod)) return []
  const name = pod.metadata?.name ?? ''
  const unscheduled = judgeScheduling(context)
  if (unscheduled !== undefined) return [{ ...unscheduled, pod: name }]
  const findings = judgeContainers(context)
  const volumes = findings.length === 0 ? judgeSetUp(context) : undefined
  const all = volumes === undefined ? findings : [{ ...volumes, pod: name }]
  return [...all].sort((a, b) => Number(b.doomed) - Number(a.doomed))
}

/** What the pod is waiting for when nothing is wrong, in a few words. */
export function waitingFor(pod: Pod): string {
  if (pod.spec?.nodeName === undefined) return 'waiting for a node'
  const statuses = containerStatuses(pod)
  const init = (pod.status?.initContainerStatuses ?? []).find(
    status => status.state?.terminated === undefined && status.started !== true,
  )
  if (init !== undefined)
    return `init container ${init.name} ${init.state?.running === undefined ? 'is being created' : 'is running'}`
  const creating = statuses.find(status => status.state?.waiting !== undefined)
  if (creating !== undefined || statuses.length === 0) return 'containers are being created'
  const starting = statuses.find(status => !status.ready)
  return starting === undefined ? 'waiting to be Ready' : `container ${starting.name} is running, not ready yet`
}

function containerStatuses(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
}

function judgeScheduling({ pod, events, now }: PodContext): Finding | undefined {
  const condition = pod.status?.conditions?.find(candidate => candidate.type === 'PodScheduled' && candidate.status === 'False')
  if (condition === undefined || condition.reason !== 'Unschedulable') return undefined
  const message = `no node can take the pod: ${foreignLine(condition.message ?? '')}`
  // The autoscaler's own words (cluster-autoscaler, Karpenter): a node is on its way, only the timeout ends this.
  if (events.some(event => event.reason === 'TriggeredScaleUp' || event.reason === 'Nominated'))
    return { reason: 'Unschedulable', message: `${message} (the autoscaler adds a node)`, doomed: false }
  return within(GRACES.Unschedulable, timeOf(condition.lastTransitionTime) ?? now, now, 'Unschedulable', message)
}

function judgeContainers(context: PodContext): readonly PodFinding[] {
  const { pod, events, now, restartsBefore } = context
  const findings: PodFinding[] = []
  const specs: readonly { container: Container; init: boolean }[] = [
    ...(pod.spec?.initContainers ?? []).map(container => ({ container, init: true })),
    ...(pod.spec?.containers ?? []).map(container => ({ container, init: false })),
  ]
  const statuses = new Map(containerStatuses(pod).map(status => [status.name, status]))
  for (const { container, init } of specs) {
    const status = statuses.get(container.name)
    if (status === undefined) continue
    const sidecar = init && (container as { restartPolicy?: string }).restartPolicy === 'Always'
    const own = events.filter(event => concerns(event, container.name))
    const finding = judgeContainer({
      pod,
      container,
      status,
      runsOnce: init && !sidecar,
      restartsBefore: restartsBefore(container.name),
      events: own,
      now,
    })
    if (finding !== undefined) findings.push({ ...finding, pod: pod.metadata?.name ?? '', container: container.name })
  }
  return findings
}

/** An event names its container as `spec.containers{app}`; one that names none is the whole pod's. */
function concerns(event: Event, container: string): boolean {
  const path = event.involvedObject?.fieldPath
  return path === undefined || path.endsWith(`{${container}}`)
}

const SET_UP_EVENTS = ['FailedMount', 'FailedAttachVolume', 'FailedCreatePodSandBox'] as const

/** What keeps a pod's containers from being created at all stands in events only. */
function judgeSetUp({ pod, events, now }: PodContext): Finding | undefined {
  const started = (pod.status?.containerStatuses ?? []).some(status => status.state?.waiting === undefined)
  if (started || pod.spec?.nodeName === undefined) return undefined
  const event = [...events].reverse().find(candidate => (SET_UP_EVENTS as readonly string[]).includes(candidate.reason ?? ''))
  if (event === undefined) return undefined
  const scheduled = pod.status?.conditions?.find(condition => condition.type === 'PodScheduled' && condition.status === 'True')
  const since = timeOf(scheduled?.lastTransitionTime) ?? timeOf(event.firstTimestamp) ?? now
  const said = foreignLine(event.message ?? '')
  if (event.reason === 'FailedCreatePodSandBox')
    return within(
      GRACES.FailedCreatePodSandBox,
      since,
      now,
      'FailedCreatePodSandBox',
      `the pod's sandbox cannot be created: ${said}`,
    )
  return within(GRACES.FailedMount, since, now, 'FailedMount', `a volume cannot be mounted: ${said}`)
}
