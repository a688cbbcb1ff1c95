// Judges a HorizontalPodAutoscaler by its conditions: whether it finds what it is to scale. That it has no metrics yet is no failure: they come
// with the pods' first minute, and it scales nothing meanwhile.
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { within } from './container.ts'
import { GRACES } from './grace.ts'
import { conditionOf, said, sinceOf, wasSoBefore } from './status-conditions.ts'
import { blank, conclude, judgePresence, type Snapshot } from './workload.ts'

export function judgeAutoscaler(snapshot: Snapshot<HorizontalPodAutoscaler>, now: number): Judgement {
  const { object, before, name, since } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (object === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  const able = conditionOf(object, 'AbleToScale')
  const active = conditionOf(object, 'ScalingActive')
  if (able === undefined && active === undefined) return firstLook(snapshot, now)
  const healthy = { ...base, ready: 1, phase: 'healthy', message: '' } as const
  // Without its target it says nothing of the metrics.
  const amiss = able?.status === 'False' ? able : active?.status === 'False' ? active : undefined
  if (amiss === undefined) return healthy
  const { reason, message } = said(amiss)
  // Zero replicas are scaled by nobody.
  if (reason === 'ScalingDisabled') return { ...healthy, message: 'is disabled: there are no replicas to scale' }
  if (amiss === active && reason.startsWith('FailedGet')) return { ...healthy, message: `has no metrics yet: ${message}` }
  if (wasSoBefore(amiss, conditionOf(before, String(amiss.type))))
    return { ...healthy, message: `cannot scale, as before this release: ${message}` }
  const finding = within(GRACES.Autoscaler, sinceOf(amiss, since), now, reason, `cannot scale: ${message}`)
  return conclude(base, [{ ...finding, pod: '' }], '', { message: '', provenAt: 0 }, now)
}

/** It is looked at every 15 s. The wait is short: whoever has switched the controller off has no less of a release. */
function firstLook({ name, since }: Snapshot<HorizontalPodAutoscaler>, now: number): Judgement {
  const base = blank(name, 1)
  const recheckAt = since + GRACES.FirstLook.ms
  return recheckAt > now
    ? { ...base, phase: 'progressing', message: 'waiting for its controller to look at it', recheckAt }
    : { ...base, ready: 1, phase: 'healthy', message: 'its controller has not looked at it yet' }
}
