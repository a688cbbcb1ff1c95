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
  return [refused(snapshot, text(metadata?.uid), firstEventTime(event), 'FailedCreate', message, now)]
}

/** Pods that could not even be created: quota, admission, a missing service account. The ReplicaSet says so in its ReplicaFailure condition. */
export function judgeReplicaFailure<T>(
  snapshot: Snapshot<T>,
  replicaSet:
    | { readonly metadata?: { readonly uid?: string }; readonly status?: ReplicaSetStatus | ReplicationControllerStatus }
    | undefined,
  now: number,
): readonly PodFinding[] {
  const condition = list(replicaSet?.status?.conditions).find(
    candidate => candidate.type === 'ReplicaFailure' && candidate.status === 'True',
  )
  if (condition === undefined) return []
  const message = `pods cannot be created: ${foreignLine(text(condition.message))}`
  const reason = text(condition.reason) || 'FailedCreate'
  return [refused(snapshot, text(replicaSet?.metadata?.uid), timeOf(condition.lastTransitionTime), reason, message, now)]
}

/** A quota's own count of what is used follows the pods that are gone. */
const QUOTA_LAG_MS = 3_000

/**
 * The controller tries again after twice the time each time: a quota that is freed after 33 s was seen to be used after 41. Pods that come or go in
 * between make it try too, and wait the longer for the next time: where it has not tried since there may be room, that next time is waited for.
 */
function refused<T>(
  snapshot: Snapshot<T>,
  uid: string,
  firstAt: number | undefined,
  reason: string,
  message: string,
  now: number,
): PodFinding {
  const from = latest([firstAt, snapshot.since], now)
  if (REFUSED_FOR_GOOD.test(message)) return { ...within(GRACES.Refused, from, now, 'FailedCreate', message), pod: '' }
  const since = latest([from, endingUntil(snapshot)], now)
  const tries = snapshot.events(uid).filter(event => event.reason === 'FailedCreate')
  const lastTry = latest(tries.map(eventTime), from)
  const nextTry = lastTry > from && lastTry < since + QUOTA_LAG_MS ? lastTry + 2 * (lastTry - from) + 5_000 : since
  const ms = Math.max(GRACES.FailedCreate.ms, since - from + 5_000, nextTry - since)
  return { ...within({ ms }, since, now, reason, message), pod: '' }
}
