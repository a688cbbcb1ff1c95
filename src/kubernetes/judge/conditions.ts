// Judges what is neither a workload nor a claim by the conditions in its status: CustomResourceDefinitions, and objects of kinds that we do not know,
// in kstatus's reading (sigs.k8s.io/cli-utils, pkg/kstatus).
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { within } from './container.ts'
import { count, text } from './fields.ts'
import { GRACES } from './grace.ts'
import { conditionOf, isAsItWas, type StatusCondition, said, wasSoBefore } from './status-conditions.ts'
import { blank, judgePresence, type Snapshot } from './workload.ts'

export function judgeDefinition(snapshot: Snapshot, now: number): Judgement {
  const base = blank(snapshot.name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const condition = (type: string): StatusCondition | undefined => conditionOf(snapshot.object, type)
  const names = condition('NamesAccepted')
  if (names?.status === 'False') {
    const { reason, message } = said(names)
    return { ...base, phase: 'failed', reason, message: `${snapshot.name}: its names are not accepted: ${message}` }
  }
  if (condition('Established')?.status === 'True') return { ...base, ready: 1, phase: 'healthy', message: '' }
  return { ...base, phase: 'progressing', message: 'is not established yet' }
}

/** What is to be True where it is there. Synced is what a SealedSecret and Crossplane's objects say. */
const POSITIVE = ['Ready', 'Available', 'Synced']

/**
 * Without a status, or one that says nothing of the kind, an object is well as soon as it is there. What was amiss before the release, in an object that
 * it leaves as it was, is said and not held against it.
 */
export function judgeByConditions(snapshot: Snapshot, now: number): Judgement {
  const { object, before, name } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const untouched = isAsItWas(snapshot)
  const known: string[] = []
  const isKnown = (condition: StatusCondition, words: string): boolean => {
    if (!untouched || !wasSoBefore(condition, conditionOf(before, text(condition.type)))) return false
    known.push(`${words}, as before this release: ${said(condition).message}`)
    return true
  }
  const stalled = conditionOf(object, 'Stalled')
  if (stalled?.status === 'True' && !isKnown(stalled, 'is stalled')) {
    const { reason, message } = said(stalled)
    return { ...base, phase: 'failed', reason, message: `${name} is stalled: ${message}` }
  }
  const reconciling = conditionOf(object, 'Reconciling')
  if (reconciling?.status === 'True' && !isKnown(reconciling, 'is being reconciled'))
    return { ...base, phase: 'progressing', message: `is being reconciled: ${said(reconciling).message}` }
  const found = POSITIVE.map(type => conditionOf(object, type)).filter(condition => condition !== undefined)
  for (const condition of found) {
    if (condition.status !== 'True' && isKnown(condition, `is not ${text(condition.type)}`)) continue
    const old = oldCondition(snapshot, condition, now)
    if (old !== undefined) return { ...base, ...old }
    if (condition.status === 'True') continue
    const { reason, message } = said(condition)
    return { ...base, phase: 'progressing', reason, message: `${name} is not ${text(condition.type)}: ${message}` }
  }
  return { ...base, ready: 1, phase: 'healthy', message: known[0] ?? '', ...(found.length > 0 ? {} : judgePhase(snapshot)) }
}

/** A condition may say which generation it is of. One that never comes to be of the present one is taken as it is in the end. */
function oldCondition(
  { object, since }: Snapshot,
  { observedGeneration }: StatusCondition,
  now: number,
): Pick<Judgement, 'phase' | 'message' | 'recheckAt'> | undefined {
  if (observedGeneration == null || count(observedGeneration) >= count(object?.metadata?.generation)) return undefined
  const { doomed, recheckAt } = within(GRACES.OldCondition, since, now, '', '')
  if (doomed || recheckAt === undefined) return undefined
  return { phase: 'progressing', message: 'waiting for the controller to see the change', recheckAt }
}

/** The words that kubedog too takes for on the way or gone wrong. Either may change, so that only the timeout makes a failure of it. */
const UNDER_WAY =
  /^(pending|creating|updating|progressing|provisioning|deploying|in ?progress|reconciling|initiali[sz]ing|starting|waiting|upgrading)$/i
const AMISS = /^(failed|failure|error|errored|aborted|rejected)$/i

/** Of an object without conditions that we know. A phase may be that of before the change, so it must have changed since. */
function judgePhase({ object, before, name }: Snapshot): Partial<Judgement> {
  const phase = phaseOf(object)
  const amiss = AMISS.test(phase)
  if (!amiss && !UNDER_WAY.test(phase)) return {}
  if (phaseOf(before) === phase) return { message: `its phase is ${phase}, as before this release` }
  const message = amiss ? `${name} is in phase ${phase}` : `its phase is ${phase}`
  return { ready: 0, phase: 'progressing', message, reason: amiss ? phase : '' }
}

function phaseOf(object: unknown): string {
  const { status } = (object ?? {}) as { status?: { phase?: unknown } | null }
  return foreignLine(text(status?.phase), 60)
}
