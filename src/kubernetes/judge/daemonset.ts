// Judges a DaemonSet by its status and the pods of its newest revision.
import type { ControllerRevision, DaemonSet } from 'kubernetes-types/apps/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { count, list, text } from './fields.ts'
import { isGone, isOnLostNode, isReady, provenAt, waitingFor } from './pod.ts'
import { judgeRefusedPods } from './refusals.ts'
import { blank, conclude, disturbancesOf, judgePods, judgePresence, judgeReplacements, type Snapshot } from './workload.ts'

const HASH = 'controller-revision-hash'

/** The pods of the present template. Its hash stands in the ControllerRevision with the highest number, and nowhere else. */
export function newestDaemonPods({ object, pods, controllerRevisions }: Snapshot<DaemonSet>): readonly Pod[] {
  const uid = object?.metadata?.uid
  const own = list(controllerRevisions).filter(revision =>
    list(revision.metadata?.ownerReferences).some(owner => owner.uid === uid),
  )
  const [newest] = own.toSorted((a, b) => count(b.revision) - count(a.revision))
  const hash = hashOf(newest)
  return hash === '' ? [] : pods.filter(pod => pod.metadata?.labels?.[HASH] === hash)
}

const hashOf = (revision: ControllerRevision | undefined): string => text(revision?.metadata?.labels?.[HASH])

export function judgeDaemonSet(snapshot: Snapshot<DaemonSet>, now: number): Judgement {
  const { object: set, name } = snapshot
  const lost = lostNodes(snapshot, now)
  const total = Math.max(0, count(set?.status?.desiredNumberScheduled) - lost.size)
  const base = blank(name, total)
  const presence = judgePresence(snapshot, now, true)
  if (set === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }

  const newest = newestDaemonPods(snapshot).filter(pod => !lost.has(text(pod.spec?.nodeName)))
  const current = newest.filter(pod => !isGone(pod))
  const ready = current.filter(isReady).length
  const onDelete = set.spec?.updateStrategy?.type === 'OnDelete'
  const findings = [
    ...judgePods(snapshot, current, now),
    ...judgeReplacements(snapshot, newest, ready, total),
    ...judgeRefusedPods(snapshot, now),
  ]
  const there = snapshot.pods.filter(pod => !isGone(pod) && !lost.has(text(pod.spec?.nodeName)))
  const old = total - current.length
  const message =
    lost.size > 0
      ? `not waited for where the node is not ready: ${foreignLine([...lost].sort().join(', '), 200)}`
      : onDelete && old > 0
        ? `${old} of ${total} pods stay at the old revision until somebody deletes them (updateStrategy OnDelete)`
        : ''
  return conclude(
    { ...base, ready: onDelete ? there.filter(isReady).length : ready, disturbances: disturbancesOf(current) },
    findings,
    whatIsMissing(set, current, onDelete ? there : current, total),
    { message, provenAt: Math.max(0, ...current.map(provenAt)) },
    now,
  )
}

/** Nodes that went away under a pod: nobody moves a DaemonSet's pod, and whether they come back is not for this release to say. */
function lostNodes({ pods, events }: Snapshot<DaemonSet>, now: number): ReadonlySet<string> {
  return new Set(pods.filter(pod => isOnLostNode(pod, events(text(pod.metadata?.uid)), now)).map(pod => text(pod.spec?.nodeName)))
}

/** `counted`: the pods that must be there, one a node. */
function whatIsMissing(set: DaemonSet, current: readonly Pod[], counted: readonly Pod[], total: number): string {
  const pending = current.find(pod => !isReady(pod))
  if (counted === current && (count(set.status?.updatedNumberScheduled) < total || current.length < total))
    return `${Math.min(current.length, count(set.status?.updatedNumberScheduled))} of ${total} pods are of the new revision`
  if (pending !== undefined) return `pod ${text(pending.metadata?.name)}: ${waitingFor(pending)}`
  if (counted.length < total) return `${counted.length} of ${total} pods are there`
  const available = count(set.status?.numberAvailable)
  if (counted === current && available < total) return `${available} of ${total} pods are available`
  return ''
}
