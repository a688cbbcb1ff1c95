// Judges a Job: it is healthy once it has succeeded, and fails by its own word.
import type { Job } from 'kubernetes-types/batch/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { failures } from './ended-pod.ts'
import { count, list, text, timeOf } from './fields.ts'
import { isGone, type PodFinding, waitingFor } from './pod.ts'
import { judgeRefusedPods } from './refusals.ts'
import { blank, conclude, judgePods, judgePresence, type Snapshot } from './workload.ts'

/** What a Job is there to try again: its own count of failures decides, not ours. */
const RETRIED = new Set(['CrashLoopBackOff', 'OOMKilled', 'RunContainerError', 'Unhealthy'])

const QUEUE = 'kueue.x-k8s.io/queue-name'

export function judgeJob(snapshot: Snapshot<Job>, now: number): Judgement {
  const { object: job, name, pods } = snapshot
  const total = count(job?.spec?.completions ?? job?.spec?.parallelism ?? 1)
  const base = { ...blank(name, total), ready: count(job?.status?.succeeded) }

  const holds = (...types: readonly string[]) =>
    list(job?.status?.conditions).find(condition => types.includes(condition.type) && condition.status === 'True')
  // Also where it is being removed: ttlSecondsAfterFinished may be short.
  if (holds('Complete', 'SuccessCriteriaMet') !== undefined)
    // With a success policy not all need to.
    return { ...base, total: Math.min(total, base.ready || total), phase: 'healthy', message: '' }
  const presence = judgePresence(snapshot, now, false)
  if (job === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  // FailureTarget comes while pods are still ending: it is decided by then.
  const failed = holds('Failed', 'FailureTarget')
  if (failed !== undefined) return { ...base, ...judgeFailure(snapshot, failed) }
  if (job.spec?.suspend === true) {
    const queued = job.metadata?.labels?.[QUEUE] !== undefined || (job.spec as { managedBy?: string }).managedBy !== undefined
    return queued
      ? { ...base, phase: 'progressing', message: 'is suspended: its queue has yet to let it start' }
      : { ...base, phase: 'healthy', message: 'is suspended: it runs nothing until somebody resumes it' }
  }
  const lost = failedIndexes(job)
  if (lost !== '') {
    const why = { reason: 'FailedIndexes', message: `index ${lost} has no tries left (backoffLimitPerIndex)` }
    return { ...base, ...judgeFailure(snapshot, why) }
  }
  const current = pods.filter(pod => !isGone(pod))
  const findings: readonly PodFinding[] = [
    ...judgePods(snapshot, current, now).map(finding => (RETRIED.has(finding.reason) ? { ...finding, doomed: false } : finding)),
    ...judgeRefusedPods(snapshot, now),
  ]
  return conclude(base, findings, whatIsMissing(job, current, pods), { message: '', provenAt: 0 }, now)
}

/** Such a Job ends as failed once its other indexes are done, unless it is content with some of them. */
function failedIndexes(job: Job): string {
  const { successPolicy } = (job.spec ?? {}) as { successPolicy?: unknown }
  return successPolicy == null
    ? foreignLine(text((job.status as { failedIndexes?: unknown } | undefined)?.failedIndexes), 80)
    : ''
}

/** The API's default where each index has tries of its own. */
const NO_LIMIT = 2_147_483_647

function whatIsMissing(job: Job, current: readonly Pod[], pods: readonly Pod[]): string {
  const failed = count(job.status?.failed)
  const [last] = failures(pods)
  const limit = count(job.spec?.backoffLimit ?? 6)
  const of = limit >= NO_LIMIT ? '' : ` of ${1 + limit}`
  const tries = failed === 0 ? '' : ` (${failed}${of} tries failed${last === undefined ? '' : `, the last: ${last.message}`})`
  const pod = current.find(candidate => candidate.status?.phase !== 'Running') ?? current[0]
  if (pod === undefined) return `waiting for a pod${tries}`
  const what = pod.status?.phase === 'Running' ? 'is running' : waitingFor(pod)
  return `pod ${text(pod.metadata?.name)}: ${what}${tries}`
}

function judgeFailure(
  { name, pods, since }: Snapshot<Job>,
  condition: { reason?: string; message?: string; lastTransitionTime?: unknown },
): Pick<Judgement, 'phase' | 'reason' | 'message' | 'culprit'> {
  const reason = foreignLine(text(condition.reason), 60) || 'JobFailed'
  const before = (timeOf(condition.lastTransitionTime) ?? since) + 1_000 < since
  const again = before
    ? '. It failed before this release, and a Job is not run twice: delete it first, or give it another name'
    : ''
  const [last] = failures(pods)
  if (last === undefined)
    return {
      phase: 'failed',
      reason,
      message: `${name}: ${reason}, ${foreignLine(text(condition.message))}${again}`,
      culprit: '',
    }
  const culprit = `pod/${last.pod}${last.container === undefined ? '' : ` container ${last.container}`}`
  return { phase: 'failed', reason, message: `${name}: ${reason}, pod ${last.pod}, ${last.message}${again}`, culprit }
}
