// Since when what a release has created is up. Who needs it crashes until then, as an application does beside the database that comes with it.
import { list, timeOf } from './fields.ts'
import { followedKind } from './kinds.ts'
import { isGone, isReady, restartsOf } from './pod.ts'
import type { Snapshot } from './workload.ts'

interface PodRunner {
  readonly metadata?: { readonly uid?: unknown }
  readonly spec?: { readonly replicas?: unknown; readonly suspend?: unknown }
  readonly status?: { readonly desiredNumberScheduled?: unknown; readonly completionTime?: unknown }
}

/**
 * Of a kind that runs pods, in ms: when its first pod was Ready, or a Job had succeeded. Infinity while that may yet be. 0 of what nobody waits for: it
 * was there before the release or is not part of it yet, wants no pods, or crashes itself.
 */
export function upSince(snapshot: Snapshot): number {
  const { object, before, generation } = snapshot
  if (generation === 0) return 0
  if (object === undefined) return before === undefined ? Number.POSITIVE_INFINITY : 0
  const { spec, status, metadata } = object as PodRunner
  if (before !== undefined && before.metadata.uid === metadata?.uid) return 0
  if (spec?.replicas === 0 || spec?.suspend === true || status?.desiredNumberScheduled === 0) return 0
  if (object.kind === 'Job') return timeOf(status?.completionTime) ?? Number.POSITIVE_INFINITY
  // It may run no pod at all as long as nobody asks it for something.
  if (object.apiVersion.startsWith('serving.knative.dev/')) return 0
  const pods = followedKind(object)?.pods(snapshot) ?? []
  const ready = pods.filter(pod => isReady(pod) || pod.status?.phase === 'Succeeded')
  if (ready.length === 0) return pods.some(pod => isGone(pod) || restartsOf(pod) > 0) ? 0 : Number.POSITIVE_INFINITY
  const times = ready.map(pod => {
    const condition = list(pod.status?.conditions).find(({ type }) => type === 'Ready')
    return timeOf(condition?.lastTransitionTime) ?? 0
  })
  return Math.min(...times)
}
