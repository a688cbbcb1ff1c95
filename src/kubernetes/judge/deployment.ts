// Judges a Deployment by its status, its newest ReplicaSet and that one's pods.
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Event, Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { timeOf, within } from './container.ts'
import { GRACES } from './grace.ts'
import { isGone, isReady, judgePod, type PodFinding, restartsOf, waitingFor } from './pod.ts'

/** All that is known of one workload at one instant: raw API objects. */
export interface DeploymentSnapshot {
  readonly name: string
  readonly deployment: Deployment | undefined
  /** The generation that our apply was answered with; what is older says nothing about this release. */
  readonly generation: number
  readonly replicaSets: readonly ReplicaSet[]
  /** Pods of any of these ReplicaSets. */
  readonly pods: readonly Pod[]
  /** Events of the Deployment, its ReplicaSets and pods by their uid, oldest first. */
  readonly events: (uid: string) => readonly Event[]
  /** Restarts of a container, by its pod's uid, that had happened before the release began. */
  readonly restartsBefore: (podUid: string, container: string) => number
}

const REVISION = 'deployment.kubernetes.io/revision'

/** The ReplicaSet of the Deployment's present template: the one that carries the Deployment's own revision. */
export function newestReplicaSet(deployment: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const revision = deployment.metadata?.annotations?.[REVISION]
  return revision === undefined ? undefined : replicaSets.find(set => set.metadata?.annotations?.[REVISION] === revision)
}

export function podsOf(replicaSet: ReplicaSet | undefined, pods: readonly Pod[]): readonly Pod[] {
  const uid = replicaSet?.metadata?.uid
  return uid === undefined ? [] : pods.filter(pod => pod.metadata?.ownerReferences?.some(owner => owner.uid === uid))
}

export function judgeDeployment(snapshot: DeploymentSnapshot, now: number): Judgement {
  const { deployment } = snapshot
  const total = deployment?.spec?.replicas ?? 1
  const base = { workload: snapshot.name, reason: '', culprit: '', ready: 0, total, disturbances: '' }
  if (deployment === undefined) return { ...base, phase: 'progressing', message: 'not seen yet' }
  if (deployment.metadata?.deletionTimestamp !== undefined) {
    return { ...base, phase: 'failed', reason: 'NotFound', message: `${snapshot.name} is being deleted by somebody else` }
  }
  if (deployment.spec?.paused === true) {
    return {
      ...base,
      phase: 'failed',
      reason: 'DeploymentPaused',
      message: `${snapshot.name} is paused, so it rolls nothing out; resume it with kubectl rollout resume ${snapshot.name}`,
    }
  }
  const observed = deployment.status?.observedGeneration ?? 0
  if (observed < Math.max(snapshot.generation, deployment.metadata?.generation ?? 0))
    return { ...base, phase: 'progressing', message: 'waiting for the controller to see the change' }

  const replicaSet = newestReplicaSet(deployment, snapshot.replicaSets)
  const pods = podsOf(replicaSet, snapshot.pods)
  const current = pods.filter(pod => !isGone(pod))
  const ready = current.filter(isReady).length
  const disturbances = current
    .map(pod => `${pod.metadata?.uid ?? ''}:${restartsOf(pod)}`)
    .sort()
    .join(',')
  const known = { ...base, ready, disturbances }

  const finding = worstFinding(snapshot, current, now) ?? judgeCreation(snapshot, replicaSet, now)
  if (finding?.doomed === true)
    return {
      ...known,
      phase: 'failed',
      reason: finding.reason,
      message: sentence(snapshot.name, finding),
      culprit: culpritOf(finding),
    }
  const progressing = deployment.status?.conditions?.find(condition => condition.type === 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    const why =
      finding === undefined
        ? `${snapshot.name} made no progress for ${deployment.spec?.progressDeadlineSeconds ?? 600} s`
        : sentence(snapshot.name, finding)
    return {
      ...known,
      phase: 'failed',
      reason: finding?.reason ?? 'ProgressDeadlineExceeded',
      message: why,
      culprit: finding === undefined ? '' : culpritOf(finding),
    }
  }

  const recheck = finding?.doomedAt === undefined ? {} : { recheckAt: finding.doomedAt }
  if (finding !== undefined)
    return {
      ...known,
      phase: 'progressing',
      reason: finding.reason,
      message: sentence(snapshot.name, finding),
      culprit: culpritOf(finding),
      ...recheck,
    }
  const waiting = whatIsMissing(deployment, current, ready, total)
  return waiting === '' ? { ...known, phase: 'healthy', message: '' } : { ...known, phase: 'progressing', message: waiting }
}

/** The rollout's arithmetic, as `kubectl rollout status` does it, and beyond it that the pods themselves are seen Ready. */
function whatIsMissing(deployment: Deployment, current: readonly Pod[], ready: number, total: number): string {
  const status = deployment.status ?? {}
  const updated = status.updatedReplicas ?? 0
  if (updated < total) return `${updated} of ${total} pods are of the new revision`
  const pending = current.find(pod => !isReady(pod))
  if (pending !== undefined) return `pod ${pending.metadata?.name ?? ''}: ${waitingFor(pending)}`
  const old = (status.replicas ?? 0) - updated
  if (old > 0) return `${old} old ${old === 1 ? 'pod is' : 'pods are'} still to end`
  if ((status.availableReplicas ?? 0) < updated) return `${status.availableReplicas ?? 0} of ${updated} pods are available`
  if (ready < total) return `${ready} of ${total} pods are ready`
  return ''
}

function worstFinding(snapshot: DeploymentSnapshot, pods: readonly Pod[], now: number): PodFinding | undefined {
  const findings = pods.flatMap(pod => {
    const uid = pod.metadata?.uid ?? ''
    return judgePod({
      pod,
      events: snapshot.events(uid),
      restartsBefore: container => snapshot.restartsBefore(uid, container),
      now,
    })
  })
  const doomed = findings.find(finding => finding.doomed)
  if (doomed !== undefined) return doomed
  return [...findings].sort((a, b) => (a.doomedAt ?? Number.POSITIVE_INFINITY) - (b.doomedAt ?? Number.POSITIVE_INFINITY))[0]
}

/** Pods that could not even be created: quota, admission, a missing service account. The ReplicaSet says so in its ReplicaFailure condition. */
function judgeCreation(snapshot: DeploymentSnapshot, replicaSet: ReplicaSet | undefined, now: number): PodFinding | undefined {
  const condition = replicaSet?.status?.conditions?.find(
    candidate => candidate.type === 'ReplicaFailure' && candidate.status === 'True',
  )
  if (condition === undefined) return undefined
  const message = `pods cannot be created: ${foreignLine(condition.message ?? '')}`
  const since = Math.max(timeOf(condition.lastTransitionTime) ?? now, ...endingSince(snapshot.pods))
  return { ...within(GRACES.FailedCreate, since, now, condition.reason ?? 'FailedCreate', message), pod: '' }
}

/** Old pods that are still ending hold quota; the grace begins when the last of them has gone. */
function endingSince(pods: readonly Pod[]): number[] {
  return pods.flatMap(pod => timeOf(pod.metadata?.deletionTimestamp) ?? [])
}

function culpritOf(finding: PodFinding): string {
  if (finding.pod === '') return ''
  return `pod/${finding.pod}${finding.container === undefined ? '' : ` container ${finding.container}`}`
}

function sentence(workload: string, finding: PodFinding): string {
  return finding.pod === '' ? `${workload}: ${finding.message}` : `${workload}: pod ${finding.pod}, ${finding.message}`
}
