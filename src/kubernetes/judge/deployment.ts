// Judges a Deployment by its status, its newest ReplicaSet and that one's pods.
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { count, list, text, timeOf } from './fields.ts'
import { isGone, isReady, provenAt, waitingFor } from './pod.ts'
import { judgeReplicaFailure } from './refusals.ts'
import { disturbancesOf, judgeAbsence, judgePods, judgeReplacements, overdue, type Snapshot, told, worst } from './workload.ts'

export type DeploymentSnapshot = Snapshot<Deployment>

const REVISION = 'deployment.kubernetes.io/revision'

/**
 * The ReplicaSet of the Deployment's present template: the one that carries the Deployment's own revision. Undefined as long as there is none:
 * with strategy Recreate the revision is still the old one's while its pods end.
 */
export function newestReplicaSet(deployment: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const revision = text(deployment.metadata?.annotations?.[REVISION])
  const newest = revision === '' ? undefined : replicaSets.find(set => set.metadata?.annotations?.[REVISION] === revision)
  const scaledAway = newest?.spec?.replicas === 0 && count(deployment.spec?.replicas ?? 1) > 0
  return scaledAway && deployment.spec?.strategy?.type === 'Recreate' ? undefined : newest
}

export function podsOf(replicaSet: ReplicaSet | undefined, pods: readonly Pod[]): readonly Pod[] {
  const uid = replicaSet?.metadata?.uid
  return uid === undefined ? [] : pods.filter(pod => list(pod.metadata?.ownerReferences).some(owner => owner.uid === uid))
}

export function judgeDeployment(snapshot: DeploymentSnapshot, now: number): Judgement {
  const { object: deployment, name } = snapshot
  const total = count(deployment?.spec?.replicas ?? 1)
  const base = { workload: name, reason: '', culprit: '', ready: 0, total, disturbances: '' }
  if (deployment === undefined) return { ...base, ...judgeAbsence(snapshot, now) }
  if (deployment.metadata?.deletionTimestamp != null)
    return { ...base, phase: 'failed', reason: 'NotFound', message: `${name} is being deleted by somebody else` }
  if (deployment.spec?.paused === true) {
    const message = `${name} is paused, so it rolls nothing out; resume it with kubectl rollout resume ${name}`
    return { ...base, phase: 'failed', reason: 'DeploymentPaused', message }
  }
  const progressing = list(deployment.status?.conditions).find(condition => condition.type === 'Progressing')
  const observed = count(deployment.status?.observedGeneration)
  if (observed < Math.max(snapshot.generation, count(deployment.metadata?.generation))) {
    // A ReplicaSet that is refused (by quota or a webhook) is told before the change is called seen. It may as well be the last release's trouble.
    const refused = progressing?.status === 'False' && /ReplicaSetCreateError|FailedCreate/.test(text(progressing.reason))
    return refused
      ? { ...base, phase: 'progressing', reason: text(progressing.reason), message: foreignLine(text(progressing.message)) }
      : { ...base, phase: 'progressing', message: 'waiting for the controller to see the change' }
  }

  const replicaSet = newestReplicaSet(deployment, snapshot.replicaSets)
  const pods = podsOf(replicaSet, snapshot.pods)
  const current = pods.filter(pod => !isGone(pod))
  const ready = current.filter(isReady).length
  const known = { ...base, ready, disturbances: disturbancesOf(current) }

  const finding = worst([
    ...judgePods(snapshot, current, now),
    ...judgeReplacements(snapshot, pods, ready, total),
    ...judgeReplicaFailure(snapshot, replicaSet, now),
  ])
  if (finding?.doomed === true) return { ...known, phase: 'failed', ...told(name, finding) }
  if (progressing?.reason === 'ProgressDeadlineExceeded' && isOfThisRelease(progressing, snapshot, replicaSet)) {
    const { reason } = progressing
    const seconds = count(deployment.spec?.progressDeadlineSeconds) || 600
    if (finding === undefined) return { ...known, phase: 'failed', reason, message: `${name} made no progress for ${seconds} s` }
    const why = told(name, finding)
    if (why.reason !== '') return { ...known, phase: 'failed', ...why }
    return { ...known, phase: 'failed', ...why, reason, message: `${why.message}; no progress was made for ${seconds} s` }
  }
  if (finding !== undefined) {
    const recheck = finding.recheckAt === undefined ? {} : { recheckAt: finding.recheckAt }
    return { ...known, phase: 'progressing', ...told(name, finding), ...recheck }
  }
  const waiting = whatIsMissing(deployment, current, ready, total)
  if (waiting !== '') return { ...known, phase: 'progressing', message: waiting + overdue(snapshot.pods, now) }
  const proven = Math.max(0, ...current.map(provenAt))
  return { ...known, phase: 'healthy', message: '', ...(proven > now ? { provenAt: proven } : {}) }
}

/**
 * The condition outlives the trouble: a release that leaves the template as it is (and mends a Secret, say) finds the last one's, and one that is put
 * back finds that of the release before it.
 */
function isOfThisRelease(
  condition: { message?: unknown; lastUpdateTime?: unknown; lastTransitionTime?: unknown },
  { since }: DeploymentSnapshot,
  replicaSet: ReplicaSet | undefined,
): boolean {
  const named = /^ReplicaSet "([^"]+)"/.exec(text(condition.message))?.[1]
  if (named !== undefined && replicaSet !== undefined && named !== replicaSet.metadata?.name) return false
  const at = timeOf(condition.lastUpdateTime) ?? timeOf(condition.lastTransitionTime)
  // The stamp is in whole seconds.
  return at === undefined || at + 1_000 > since
}

/** The rollout's arithmetic, as `kubectl rollout status` does it, and beyond it that the pods themselves are seen Ready. */
function whatIsMissing(deployment: Deployment, current: readonly Pod[], ready: number, total: number): string {
  const { status } = deployment
  const updated = count(status?.updatedReplicas)
  if (updated < total) return `${updated} of ${total} pods are of the new revision`
  const pending = current.find(pod => !isReady(pod))
  if (pending !== undefined) return `pod ${text(pending.metadata?.name)}: ${waitingFor(pending)}`
  const old = count(status?.replicas) - updated
  if (old > 0) return `${old} old ${old === 1 ? 'pod is' : 'pods are'} still to end`
  const available = count(status?.availableReplicas)
  if (available < updated) return `${available} of ${updated} pods are available`
  if (ready < total) return `${ready} of ${total} pods are ready`
  return ''
}
