// Judges a ReplicaSet or a ReplicationController that nobody owns, by its pods. It replaces none of them when its template changes.
import type { ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Pod, ReplicationController } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { count, list, text } from './fields.ts'
import { isGone, isReady, provenAt, waitingFor } from './pod.ts'
import { judgeReplicaFailure } from './refusals.ts'
import { blank, conclude, disturbancesOf, judgePods, judgePresence, judgeReplacements, type Snapshot } from './workload.ts'

export function judgeReplicaSet(snapshot: Snapshot<ReplicaSet | ReplicationController>, now: number): Judgement {
  const { object: set, name, pods } = snapshot
  const total = count(set?.spec?.replicas ?? 1)
  const base = blank(name, total)
  const presence = judgePresence(snapshot, now, true)
  if (set === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  const current = pods.filter(pod => !isGone(pod))
  const ready = current.filter(isReady).length
  const known = { ...base, ready, disturbances: disturbancesOf(current) }
  const findings = [
    ...judgePods(snapshot, current, now),
    ...judgeReplacements(snapshot, pods, ready, total),
    ...judgeReplicaFailure(snapshot, set, now),
  ]
  const healthy = { message: whatStaysOld(set, current), provenAt: Math.max(0, ...current.map(provenAt)) }
  return conclude(known, findings, whatIsMissing(set, current, ready, total), healthy, now)
}

function whatIsMissing({ status }: ReplicaSet | ReplicationController, current: readonly Pod[], ready: number, total: number) {
  const pending = current.find(pod => !isReady(pod))
  if (current.length < total) return `${current.length} of ${total} pods are there`
  if (current.length > total) return `${current.length - total} pods too many are still to end`
  if (pending !== undefined) return `pod ${text(pending.metadata?.name)}: ${waitingFor(pending)}`
  if (ready < total) return `${ready} of ${total} pods are ready`
  const available = count(status?.availableReplicas)
  return available < total ? `${available} of ${total} pods are available` : ''
}

/** Pods do not say of which template they are; that they run another image does. */
function whatStaysOld(set: ReplicaSet | ReplicationController, current: readonly Pod[]): string {
  const wanted = new Map(list(set.spec?.template?.spec?.containers).map(({ name, image }) => [name, image]))
  const old = current.filter(pod =>
    list(pod.spec?.containers).some(({ name, image }) => wanted.has(name) && wanted.get(name) !== image),
  ).length
  if (old === 0) return ''
  return `${old} of ${current.length} pods run another image until somebody deletes them: it replaces none by itself`
}
