// Pods that could not even be created: quota, admission, a missing service account. ReplicaSets and ReplicationControllers say so in a condition,
// the others in an event.
import type { ReplicaSetStatus } from 'kubernetes-types/apps/v1.js'
import type { ReplicationControllerStatus } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import { within } from './container.ts'
import { eventTime, firstEventTime, newest } from './events.ts'
import { latest, list, text, timeOf } from './fields.ts'
import { GRACES } from './grace.ts'
import type { PodFinding } from './pod.ts'
import { endingUntil, type Snapshot } from './workload.ts'

/** What LimitRanger and PodSecurity say when they refuse a pod. */
const REFUSED_FOR_GOOD = /(?:maximum|minimum) \S+ usage per (?:Container|Pod) is |violates PodSecurity "/

/** Pods that could not even be created, as StatefulSets, DaemonSets and Jobs tell of it: in an event of the workload's own. */
export function judgeRefusedPods<T>(snapshot: Snapshot<T>, now: number): readonly PodFinding[] {
  const { metadata } = snapshot.object as { metadata?: { uid?: unknown } }
  const event = newest(snapshot.events(text(metadata?.uid)), 'FailedCreate', 'SuccessfulCreate')
  if (event?.reason !== 'FailedCreate' || eventTime(event) + 1_000 < snapshot.since) return []
  const message = `pods cannot be created: ${foreignLine(text(event.message))}`
  const from = latest([firstEventTime(event), snapshot.since], now)
  const since = latest([from, endingUntil(snapshot)], now)
  const ms = Math.max(GRACES.FailedCreate.ms, since - from + 5_000)
  if (REFUSED_FOR_GOOD.test(message)) return [{ ...within(GRACES.Refused, from, now, 'FailedCreate', message), pod: '' }]
  return [{ ...within({ ms }, since, now, 'FailedCreate', message), pod: '' }]
}

/** Pods that could not even be created: quota, admission, a missing service account. The ReplicaSet says so in its ReplicaFailure condition. */
export function judgeReplicaFailure<T>(
  snapshot: Snapshot<T>,
  replicaSet: { readonly status?: ReplicaSetStatus | ReplicationControllerStatus } | undefined,
  now: number,
): readonly PodFinding[] {
  const condition = list(replicaSet?.status?.conditions).find(
    candidate => candidate.type === 'ReplicaFailure' && candidate.status === 'True',
  )
  if (condition === undefined) return []
  const message = `pods cannot be created: ${foreignLine(text(condition.message))}`
  const from = latest([timeOf(condition.lastTransitionTime), snapshot.since], now)
  const since = latest([from, endingUntil(snapshot)], now)
  // The controller tries again after twice the time each time: a quota that is freed after 33 s was seen to be used after 41.
  const ms = Math.max(GRACES.FailedCreate.ms, since - from + 5_000)
  if (REFUSED_FOR_GOOD.test(message)) return [{ ...within(GRACES.Refused, from, now, 'FailedCreate', message), pod: '' }]
  return [{ ...within({ ms }, since, now, text(condition.reason) || 'FailedCreate', message), pod: '' }]
}
