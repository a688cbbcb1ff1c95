// Judges what is neither a workload nor a claim by the conditions in its status: CustomResourceDefinitions, and objects of kinds that we do not know,
// in kstatus's reading (sigs.k8s.io/cli-utils, pkg/kstatus).
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { list, text } from './fields.ts'
import { blank, judgePresence, type Snapshot } from './workload.ts'

interface Condition {
  readonly type?: unknown
  readonly status?: unknown
  readonly reason?: unknown
  readonly message?: unknown
}

function conditionsOf(snapshot: Snapshot): (type: string) => Condition | undefined {
  const { conditions } = (snapshot.object?.['status'] ?? {}) as { conditions?: readonly Condition[] }
  return type => list(conditions).find(condition => condition.type === type)
}

/** What a condition says of itself. */
function said({ type, reason, message }: Condition): { reason: string; message: string } {
  const word = foreignLine(text(reason), 60)
  const sentence = foreignLine(text(message))
  return { reason: word || text(type), message: sentence || word || text(type) }
}

export function judgeDefinition(snapshot: Snapshot, now: number): Judgement {
  const base = blank(snapshot.name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const condition = conditionsOf(snapshot)
  const names = condition('NamesAccepted')
  if (names?.status === 'False') {
    const { reason, message } = said(names)
    return { ...base, phase: 'failed', reason, message: `${snapshot.name}: its names are not accepted: ${message}` }
  }
  if (condition('Established')?.status === 'True') return { ...base, ready: 1, phase: 'healthy', message: '' }
  return { ...base, phase: 'progressing', message: 'is not established yet' }
}

/** Without a status, or one that says nothing of the kind, an object is well as soon as it is there. */
export function judgeByConditions(snapshot: Snapshot, now: number): Judgement {
  const base = blank(snapshot.name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const condition = conditionsOf(snapshot)
  const stalled = condition('Stalled')
  if (stalled?.status === 'True') {
    const { reason, message } = said(stalled)
    return { ...base, phase: 'failed', reason, message: `${snapshot.name} is stalled: ${message}` }
  }
  const reconciling = condition('Reconciling')
  if (reconciling?.status === 'True')
    return { ...base, phase: 'progressing', message: `is being reconciled: ${said(reconciling).message}` }
  for (const type of ['Ready', 'Available']) {
    const found = condition(type)
    if (found === undefined || found.status === 'True') continue
    return { ...base, phase: 'progressing', ...said(found), message: `${snapshot.name} is not ${type}: ${said(found).message}` }
  }
  return { ...base, ready: 1, phase: 'healthy', message: '' }
}
