// Judges a Rollout of Argo Rollouts by its phase and the pods of its newest ReplicaSet. (Its controller: argoproj/argo-rollouts, rollout/sync.go and
// utils/rollout; the phase has been there since 1.0.)
import type { ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { formatDuration } from '../../runner/duration.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { judgeByConditions } from './conditions.ts'
import { podsOf } from './deployment.ts'
import { count, list, text } from './fields.ts'
import { isGone, isReady, provenAt } from './pod.ts'
import { judgeReplicaFailure } from './refusals.ts'
import { conditionOf, said } from './status-conditions.ts'
import {
  blank,
  conclude,
  disturbancesOf,
  judgePods,
  judgePresence,
  judgeReplacements,
  type Snapshot,
  told,
  worst,
} from './workload.ts'

const HASH = 'rollouts-pod-template-hash'

interface Pause {
  readonly duration?: unknown
}

interface Rollout {
  readonly metadata?: { readonly name?: string; readonly annotations?: Readonly<Record<string, unknown>> }
  readonly spec?: {
    readonly replicas?: unknown
    readonly paused?: unknown
    readonly workloadRef?: unknown
    readonly strategy?: {
      readonly canary?: { readonly steps?: readonly { readonly pause?: Pause | null }[] }
      readonly blueGreen?: { readonly autoPromotionSeconds?: unknown }
    }
  }
  readonly status?: {
    readonly phase?: unknown
    readonly message?: unknown
    readonly currentPodHash?: unknown
    readonly currentStepIndex?: unknown
    readonly workloadObservedGeneration?: unknown
    readonly pauseConditions?: readonly { readonly reason?: unknown }[]
  }
}

const rolloutOf = (snapshot: Pick<Snapshot, 'object'>): Rollout => (snapshot.object ?? {}) as Rollout

function newestSet(snapshot: Snapshot): ReplicaSet | undefined {
  const hash = text(rolloutOf(snapshot).status?.currentPodHash)
  return hash === '' ? undefined : snapshot.replicaSets.find(set => set.metadata?.labels?.[HASH] === hash)
}

/** The pods of the newest revision. */
export const newestRolloutPods = (snapshot: Snapshot): readonly Pod[] => podsOf(newestSet(snapshot), snapshot.pods)

export function judgeRollout(snapshot: Snapshot, now: number): Judgement {
  const rollout = rolloutOf(snapshot)
  const { spec, status } = rollout
  const total = count(spec?.replicas ?? 1)
  const base = blank(snapshot.name, total)
  const presence = judgePresence(snapshot, now, false)
  if (snapshot.object === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  if (!seesItsWorkload(rollout)) return { ...base, phase: 'progressing', message: 'waiting for the controller to see the change' }
  const phase = text(status?.phase)
  if (phase === '') return judgeByConditions(snapshot, now)

  const pods = newestRolloutPods(snapshot)
  const current = pods.filter(pod => !isGone(pod))
  const ready = current.filter(isReady).length
  const known = { ...base, ready, disturbances: disturbancesOf(current) }
  const findings = [
    ...judgePods(snapshot, current, now),
    ...judgeReplacements(snapshot, pods, ready, total),
    ...judgeReplicaFailure(snapshot, newestSet(snapshot), now),
  ]
  const proven = Math.max(0, ...current.map(provenAt))
  const finding = worst(findings)
  if (phase === 'Degraded' && finding?.doomed !== true)
    return { ...known, phase: 'failed', ...degraded(snapshot, status?.message) }
  if (phase === 'Paused' && finding?.doomed !== true) {
    const pause = pauseOf(rollout)
    if (pause.failed) {
      const message = `${snapshot.name} is paused, so it rolls nothing out; resume it with kubectl argo rollouts promote ${text(rollout.metadata?.name)}`
      return { ...known, phase: 'failed', reason: 'RolloutPaused', message }
    }
    // What nobody but a person ends is reported and not waited for, as a partition is.
    if (pause.forGood && finding === undefined) return conclude(known, [], '', { message: pause.message, provenAt: proven }, now)
    return conclude(known, findings, pause.message, { message: '', provenAt: 0 }, now)
  }
  const said = foreignLine(text(status?.message))
  const waiting = phase === 'Healthy' ? '' : said || 'is being rolled out'
  return conclude(
    { ...known, total: phase === 'Healthy' ? ready : total },
    findings,
    waiting,
    { message: '', provenAt: proven },
    now,
  )
}

/** A Rollout that takes its template from a Deployment writes which generation of that it should and does see. */
function seesItsWorkload({ spec, status, metadata }: Rollout): boolean {
  const wanted = metadata?.annotations?.['rollout.argoproj.io/workload-generation']
  return spec?.workloadRef == null || wanted === undefined || text(status?.workloadObservedGeneration) === wanted
}

function degraded({ name, object }: Snapshot, message: unknown): Pick<Judgement, 'reason' | 'message' | 'culprit'> {
  const invalid = conditionOf(object, 'InvalidSpec')
  const progressing = conditionOf(object, 'Progressing')
  const cause = invalid?.status === 'True' ? invalid : progressing?.status === 'False' ? progressing : undefined
  const reason = cause === undefined ? 'Degraded' : said(cause).reason
  const why = foreignLine(text(message)) || (cause === undefined ? 'it does not say why' : said(cause).message)
  return told(name, { reason, message: `is degraded: ${why}`, doomed: true, pod: '' })
}

function pauseOf({ spec, status, metadata }: Rollout): {
  readonly failed: boolean
  readonly forGood: boolean
  readonly message: string
} {
  const reasons = list(status?.pauseConditions).map(condition => text(condition.reason))
  const promote = `kubectl argo rollouts promote ${text(metadata?.name)}`
  if (reasons.includes('CanaryPauseStep')) {
    const steps = list(spec?.strategy?.canary?.steps)
    const index = count(status?.currentStepIndex)
    const at = `is paused at step ${index + 1} of ${steps.length}`
    const duration = steps[index]?.pause?.duration
    if (duration == null) return { failed: false, forGood: true, message: `${at} until somebody promotes it: ${promote}` }
    const time = typeof duration === 'number' ? formatDuration(duration * 1_000) : foreignLine(text(duration), 20)
    return { failed: false, forGood: false, message: `${at} for ${time}` }
  }
  if (reasons.includes('BlueGreenPause')) {
    const seconds = count(spec?.strategy?.blueGreen?.autoPromotionSeconds)
    return seconds > 0
      ? { failed: false, forGood: false, message: `is promoted after ${formatDuration(seconds * 1_000)}` }
      : { failed: false, forGood: true, message: `is paused before it takes over, until somebody promotes it: ${promote}` }
  }
  if (spec?.paused === true) return { failed: true, forGood: false, message: '' }
  const why = foreignLine(reasons.join(', '), 60) || foreignLine(text(status?.message), 200)
  return { failed: false, forGood: false, message: `is paused: ${why}; go on with ${promote}` }
}
