// What the judges of all kinds have in common: what they are shown, and what they say of a workload that is not there or of its pods.
import type { ControllerRevision, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Event, Pod } from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { KubernetesObject } from '../objects.ts'
import { count, text, timeOf } from './fields.ts'
import { GRACES } from './grace.ts'
import { isReady, judgePod, type PodFinding, restartsOf } from './pod.ts'

/** All that is known of one workload at one instant: raw API objects. */
export interface Snapshot<T = KubernetesObject> {
  /** `statefulset/db` */
  readonly name: string
  readonly object: T | undefined
  /** The generation that our apply was answered with; what is older says nothing about this release. 0: it was not applied. */
  readonly generation: number
  /** When the release began (ms, the API server's time): no grace is counted from before it, since what it changed may mend what was broken. */
  readonly since: number
  /** When a pod of the workload was last seen to vanish, in ms: what it held is free since then. */
  readonly lastPodGoneAt?: number | undefined
  /** A Deployment's. */
  readonly replicaSets: readonly ReplicaSet[]
  /** A DaemonSet's. */
  readonly controllerRevisions?: readonly ControllerRevision[]
  /** Pods that the workload or any of these ReplicaSets owns. */
  readonly pods: readonly Pod[]
  /** A Service's. */
  readonly endpointSlices?: readonly EndpointSlice[]
  /** The object as it was when the release began; undefined where it was not there. What was amiss before is not held against the release. */
  readonly before?: T | undefined
  /** Of a Service: the release's workloads in its namespace that it selects, as they are. */
  readonly selected?: () => readonly KubernetesObject[]
  /** Events of the workload, its ReplicaSets and pods by their uid, oldest first. */
  readonly events: (uid: string) => readonly Event[]
  /** Restarts of a container, by its pod's uid, that had happened before the release began. */
  readonly restartsBefore: (podUid: string, container: string) => number
  /** Since when all else that the release has created is up, in ms; Infinity while it is not. */
  readonly othersUpSince?: () => number
  /** How long a container took to be ready in the pods that were there when the release began, in ms; undefined where that is not known. */
  readonly tookBefore?: (container: string) => number | undefined
}

/** What a judge says when nothing else is to be said yet. */
export function blank(name: string, total: number): Omit<Judgement, 'phase' | 'message'> {
  return { workload: name, reason: '', culprit: '', ready: 0, total, disturbances: '' }
}

interface Observed {
  readonly metadata?: { readonly deletionTimestamp?: unknown; readonly generation?: unknown }
  readonly status?: { readonly observedGeneration?: unknown } | null
}

/**
 * Of an object that is not there, is on its way out, or whose controller has not seen our change: what follows from that. Else undefined.
 * `observes`: its controller always says which generation it has seen.
 */
export function judgePresence<T>(
  snapshot: Snapshot<T>,
  now: number,
  observes: boolean,
): Pick<Judgement, 'phase' | 'reason' | 'message' | 'recheckAt'> | undefined {
  const object = snapshot.object as Observed | undefined
  if (object === undefined) return judgeAbsence(snapshot, now)
  if (object.metadata?.deletionTimestamp != null)
    return { phase: 'failed', reason: 'NotFound', message: `${snapshot.name} is being deleted by somebody else` }
  const observed = generationOf(object.status?.observedGeneration)
  if (observed === undefined && !observes) return undefined
  if ((observed ?? 0) < Math.max(snapshot.generation, count(object.metadata?.generation)))
    return { phase: 'progressing', reason: '', message: 'waiting for the controller to see the change' }
  return undefined
}

/** Argo Rollouts writes the number as text, and its first versions wrote a hash there, which says nothing. */
function generationOf(value: unknown): number | undefined {
  if (typeof value === 'string') return /^\d+$/.test(value) ? Number(value) : undefined
  return typeof value === 'number' ? value : undefined
}

export function judgeAbsence<T>(
  { generation, since, name }: Snapshot<T>,
  now: number,
): Pick<Judgement, 'phase' | 'reason' | 'message' | 'recheckAt'> {
  if (generation === 0) return { phase: 'progressing', reason: '', message: 'not seen yet' }
  const recheckAt = since + GRACES.Gone.ms
  if (recheckAt > now) return { phase: 'progressing', reason: '', message: 'not seen yet', recheckAt }
  return { phase: 'failed', reason: 'NotFound', message: `${name} is not there: somebody else has deleted it` }
}

export function judgePods<T>(snapshot: Snapshot<T>, pods: readonly Pod[], now: number): readonly PodFinding[] {
  const endedAt = endingUntil(snapshot)
  const nodes = new Set(pods.filter(isReady).map(pod => text(pod.spec?.nodeName)))
  return pods.flatMap(pod => {
    const uid = text(pod.metadata?.uid)
    return judgePod({
      pod,
      events: snapshot.events(uid),
      restartsBefore: container => snapshot.restartsBefore(uid, container),
      floor: snapshot.since,
      mayBeMended: snapshot.generation > 0,
      endedAt,
      othersUpSince: snapshot.othersUpSince,
      tookBefore: snapshot.tookBefore,
      readyElsewhere: nodes.size > 1 || (nodes.size === 1 && !nodes.has(text(pod.spec?.nodeName))),
      now,
    })
  })
}

/** What is doomed, else what is decided soonest. */
export function worst(findings: readonly PodFinding[]): PodFinding | undefined {
  const doomed = findings.find(finding => finding.doomed)
  const first = [...findings].sort((a, b) => (a.recheckAt ?? Number.MAX_VALUE) - (b.recheckAt ?? Number.MAX_VALUE))[0]
  return doomed ?? first
}

/**
 * A pod that its node ends for good (evicted, refused, over its own limits) is replaced, and that heals. Where more have ended so than there are to be,
 * three at least, the next one will too.
 */
export function judgeReplacements<T>(
  snapshot: Snapshot<T>,
  pods: readonly Pod[],
  ready: number,
  total: number,
): readonly PodFinding[] {
  const ended = pods.filter(
    pod =>
      pod.status?.phase === 'Failed' &&
      pod.metadata?.deletionTimestamp == null &&
      (timeOf(pod.metadata?.creationTimestamp) ?? 0) + 1_000 > snapshot.since,
  )
  const last = ended
    .toSorted((a, b) => (timeOf(a.metadata?.creationTimestamp) ?? 0) - (timeOf(b.metadata?.creationTimestamp) ?? 0))
    .at(-1)
  if (last === undefined || ready >= total || ended.length < Math.max(3, total + 1)) return []
  const why = foreignLine(text(last.status?.message))
  const reason = text(last.status?.reason) === '' ? 'PodFailed' : foreignLine(text(last.status?.reason), 60)
  const message = `${ended.length} pods were ended by their node, one after the other${why === '' ? '' : `: ${why}`}`
  return [{ reason, message, doomed: true, pod: text(last.metadata?.name) }]
}

/** When the last pod that is ending must be gone, or the last one went: until then it holds quota, ports, volumes and room. */
export function endingUntil<T>({ pods, lastPodGoneAt }: Snapshot<T>): number | undefined {
  const times = [...pods.map(pod => timeOf(pod.metadata?.deletionTimestamp)), lastPodGoneAt].filter(time => time !== undefined)
  return times.length === 0 ? undefined : Math.max(...times)
}

/** A kubelet ends a pod within its grace period; one that is there for longer has a node that is gone, or a finalizer that nobody clears. */
const OVERDUE_MS = 30_000

/** Of pods that should have ended and have not: which, in a few words. Empty where there is none. */
export function overdue(pods: readonly Pod[], now: number): string {
  const pod = pods.find(candidate => (timeOf(candidate.metadata?.deletionTimestamp) ?? now) + OVERDUE_MS < now)
  if (pod === undefined) return ''
  const node = foreignLine(text(pod.spec?.nodeName), 120)
  return `; pod ${text(pod.metadata?.name)} should have ended long ago${node === '' ? '' : `: its node ${node} may be gone`}`
}

export function told(workload: string, finding: PodFinding): Pick<Judgement, 'reason' | 'message' | 'culprit'> {
  const { reason, message, pod, container } = finding
  if (pod === '') return { reason, message: `${workload}: ${message}`, culprit: '' }
  const culprit = `pod/${pod}${container === undefined ? '' : ` container ${container}`}`
  return { reason, message: `${workload}: pod ${pod}, ${message}`, culprit }
}

/** Changes with every restart and every pod that comes or goes. */
export function disturbancesOf(pods: readonly Pod[]): string {
  return pods
    .map(pod => `${text(pod.metadata?.uid)}:${restartsOf(pod)}`)
    .sort()
    .join(',')
}

/** The judgement of a workload with pods, once it is known what is amiss and what is yet to come. */
export function conclude(
  known: Omit<Judgement, 'phase' | 'message'>,
  findings: readonly PodFinding[],
  waiting: string,
  healthy: { readonly message: string; readonly provenAt: number },
  now: number,
): Judgement {
  const finding = worst(findings)
  if (finding?.doomed === true) return { ...known, phase: 'failed', ...told(known.workload, finding) }
  if (finding !== undefined) {
    const recheck = finding.recheckAt === undefined ? {} : { recheckAt: finding.recheckAt }
    return { ...known, phase: 'progressing', ...told(known.workload, finding), ...recheck }
  }
  if (waiting !== '') return { ...known, phase: 'progressing', message: waiting }
  return {
    ...known,
    phase: 'healthy',
    message: healthy.message,
    ...(healthy.provenAt > now ? { provenAt: healthy.provenAt } : {}),
  }
}
