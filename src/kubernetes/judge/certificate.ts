// Judges a cert-manager Certificate: Ready, and not being issued anew. A request that was refused is repeated after an hour, which is not waited for.
import type { Judgement } from '../../deploy/verdict.ts'
import { judgeByConditions } from './conditions.ts'
import { timeOf } from './fields.ts'
import { conditionOf, isAsItWas, said, wasSoBefore } from './status-conditions.ts'
import { blank, judgePresence, type Snapshot, told } from './workload.ts'

export function judgeCertificate(snapshot: Snapshot, now: number): Judgement {
  const { object, before, name, since } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const issuing = conditionOf(object, 'Issuing')
  const ready = conditionOf(object, 'Ready')
  if (ready === undefined) return { ...base, phase: 'progressing', message: 'waiting for the certificate' }
  const asBefore = [ready.status === 'True' ? undefined : ready, issuing?.status === 'True' ? issuing : undefined].some(
    condition => condition !== undefined && wasSoBefore(condition, conditionOf(before, String(condition.type))),
  )
  if (asBefore && isAsItWas(snapshot)) return judgeByConditions(snapshot, now)
  if (issuing?.status === 'True') return { ...base, phase: 'progressing', message: `is being issued: ${said(issuing).message}` }
  const { lastFailureTime } = (object?.['status'] ?? {}) as { lastFailureTime?: unknown }
  const failedAt = timeOf(lastFailureTime)
  if (issuing?.status === 'False' && ready.status !== 'True' && failedAt !== undefined && failedAt + 1_000 > since) {
    const { reason, message } = said(issuing)
    return { ...base, phase: 'failed', ...told(name, { reason, message: `is not issued: ${message}`, doomed: true, pod: '' }) }
  }
  return judgeByConditions(snapshot, now)
}
