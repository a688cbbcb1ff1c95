// Judges what Knative's controllers run (Service, Configuration, Revision, Route and the like) by their Ready condition, in the reading that all of
// Knative keeps to: Unknown is on its way, False is a failure; and the pods of a Service's newest revision, so that a crash has a name.
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { within } from './container.ts'
import { text } from './fields.ts'
import { GRACES } from './grace.ts'
import { isGone, isReady, provenAt } from './pod.ts'
import { conditionOf, said, sinceOf } from './status-conditions.ts'
import { blank, conclude, disturbancesOf, judgePods, judgePresence, type Snapshot } from './workload.ts'

/** A pod's label with its Service's name, and that with its revision's. */
export const KNATIVE_SERVICE = 'serving.knative.dev/service'
const REVISION = 'serving.knative.dev/revision'

/** The pods of a Service's newest revision. */
export function newestKnativePods({ object, pods }: Pick<Snapshot, 'object' | 'pods'>): readonly Pod[] {
  const { latestCreatedRevisionName } = (object?.['status'] ?? {}) as { latestCreatedRevisionName?: unknown }
  const revision = text(latestCreatedRevisionName)
  return revision === '' ? [] : pods.filter(pod => pod.metadata?.labels?.[REVISION] === revision)
}

export function judgeKnative(snapshot: Snapshot, now: number): Judgement {
  const { object, name, since } = snapshot
  const presence = judgePresence(snapshot, now, true)
  if (object === undefined || presence !== undefined) return { ...blank(name, 1), phase: 'progressing', message: '', ...presence }
  const current = newestKnativePods(snapshot).filter(pod => !isGone(pod))
  const condition = conditionOf(object, 'Ready')
  const isUp = condition?.status === 'True'
  const ready = current.filter(isReady).length
  const known = { ...blank(name, Math.max(1, isUp ? ready : current.length)), disturbances: disturbancesOf(current) }
  const findings = [...(isUp ? [] : judgePods(snapshot, current, now))]
  if (condition?.status === 'False') {
    const { reason, message } = said(condition)
    findings.push({
      ...within(GRACES.KnativeFailed, sinceOf(condition, since), now, reason, `is not ready: ${message}`),
      pod: '',
    })
  }
  const waiting = isUp ? '' : condition === undefined ? 'is not ready yet' : `is not ready yet: ${said(condition).message}`
  const healthy = { message: '', provenAt: Math.max(0, ...current.map(provenAt)) }
  // Without requests it may have no pod at all, and is ready all the same.
  return conclude({ ...known, ready: isUp ? Math.max(1, ready) : ready }, findings, waiting, healthy, now)
}
