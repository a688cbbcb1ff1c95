// Judges a StatefulSet by its status and the pods of its update revision.
import type { StatefulSet } from 'kubernetes-types/apps/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { within } from './container.ts'
import { count, text } from './fields.ts'
import { GRACES } from './grace.ts'
import { isGone, isReady, type PodFinding, provenAt, waitingFor } from './pod.ts'
import { judgeRefusedPods } from './refusals.ts'
import {
  blank,
  conclude,
  disturbancesOf,
  judgePods,
  judgePresence,
  judgeReplacements,
  overdue,
  type Snapshot,
} from './workload.ts'

const HASH = 'controller-revision-hash'

/** The pods of the revision that the StatefulSet is updated to. */
export function updatedPods({ object, pods }: Snapshot<StatefulSet>): readonly Pod[] {
  const revision = text(object?.status?.updateRevision)
  return revision === '' ? [] : pods.filter(pod => pod.metadata?.labels?.[HASH] === revision)
}

/** Pods of an older revision that the controller is going to replace; it waits for those that are not Ready to become so, even if they never can. */
export function outdatedPods({ object, pods }: Pick<Snapshot<StatefulSet>, 'object' | 'pods'>): readonly Pod[] {
  const revision = text(object?.status?.updateRevision)
  if (object == null || revision === '' || object.spec?.updateStrategy?.type === 'OnDelete') return []
  return pods.filter(
    pod => !isGone(pod) && pod.metadata?.labels?.[HASH] !== revision && indexOf(pod, object) >= partitionOf(object),
  )
}

/** `web-3` is the fourth, unless the ordinals begin elsewhere. */
function indexOf(pod: Pod, set: StatefulSet): number {
  const ordinal = Number(/-(\d+)$/.exec(text(pod.metadata?.name))?.[1] ?? 0)
  return ordinal - count((set.spec as { ordinals?: { start?: number } } | undefined)?.ordinals?.start)
}

function partitionOf(set: StatefulSet): number {
  return count(set.spec?.updateStrategy?.rollingUpdate?.partition)
}

export function judgeStatefulSet(snapshot: Snapshot<StatefulSet>, now: number): Judgement {
  const { object: set, name } = snapshot
  const total = count(set?.spec?.replicas ?? 1)
  const base = blank(name, total)
  const presence = judgePresence(snapshot, now, true)
  if (set === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }

  const updated = updatedPods(snapshot)
  const current = updated.filter(pod => !isGone(pod))
  const ready = snapshot.pods.filter(pod => !isGone(pod) && isReady(pod)).length
  const known = { ...base, ready, disturbances: disturbancesOf(current) }
  const findings = [
    ...judgePods(snapshot, current, now),
    ...judgeReplacements(snapshot, updated, current.filter(isReady).length, total),
    ...judgeRefusedPods(snapshot, now),
    ...judgeBlockers(snapshot, now),
  ]
  const healthy = { message: whatStaysOld(set, current.length, total), provenAt: Math.max(0, ...current.map(provenAt)) }
  const waiting = whatIsMissing(snapshot, set, current, total)
  return conclude(known, findings, waiting === '' ? '' : waiting + overdue(snapshot.pods, now), healthy, now)
}

/** With ordered pods an old one that is not Ready holds up the update that would replace it: a known limitation of the controller. */
function judgeBlockers(snapshot: Snapshot<StatefulSet>, now: number): readonly PodFinding[] {
  if (snapshot.object?.spec?.podManagementPolicy === 'Parallel') return []
  const sick = outdatedPods(snapshot).filter(pod => !isReady(pod))
  if (sick.length < unavailableAllowed(snapshot.object)) return []
  return judgePods(snapshot, sick, now)
    .filter(finding => finding.reason !== '')
    .map(finding => {
      const message = `of an older revision, holds up the update: ${finding.message}. Delete it, so that it is made anew`
      const decided = within(GRACES.OutdatedPod, snapshot.since, now, finding.reason, message)
      const { pod, container } = finding
      return { ...decided, pod, ...(container === undefined ? {} : { container }) }
    })
}

/** How many pods may be down before the update waits for them: one, or maxUnavailable where the cluster knows that field. A share counts as one. */
function unavailableAllowed(set: StatefulSet | undefined): number {
  const { maxUnavailable } = (set?.spec?.updateStrategy?.rollingUpdate ?? {}) as { maxUnavailable?: unknown }
  return Math.max(1, count(maxUnavailable))
}

function whatIsMissing(snapshot: Snapshot<StatefulSet>, set: StatefulSet, current: readonly Pod[], total: number): string {
  const { status, spec } = set
  const onDelete = spec?.updateStrategy?.type === 'OnDelete'
  const there = snapshot.pods.filter(pod => !isGone(pod))
  const pending = current.find(pod => !isReady(pod))
  if (pending !== undefined) return `pod ${text(pending.metadata?.name)}: ${waitingFor(pending)}`
  const due = onDelete ? 0 : Math.max(0, total - partitionOf(set))
  const updated = current.filter(pod => indexOf(pod, set) >= partitionOf(set)).length
  if (!onDelete && updated < due) return `${updated} of ${due} pods are of the new revision`
  if (there.length < total) return `${there.length} of ${total} pods are there`
  if (there.length > total) return `${there.length - total} pods too many are still to end`
  const available = count(status?.availableReplicas)
  if (available < current.length) return `${available} of ${current.length} pods are available`
  return ''
}

function whatStaysOld(set: StatefulSet, updated: number, total: number): string {
  if (updated >= total) return ''
  const old = `${total - updated} of ${total} pods stay at the old revision`
  return set.spec?.updateStrategy?.type === 'OnDelete'
    ? `${old} until somebody deletes them (updateStrategy OnDelete)`
    : `${old} (partition ${partitionOf(set)})`
}
