// Judges a PersistentVolumeClaim: bound, or bound as soon as a pod uses it.
import type { PersistentVolumeClaim } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { within } from './container.ts'
import { eventTime, newest } from './events.ts'
import { latest, text, timeOf } from './fields.ts'
import { GRACES } from './grace.ts'
import { blank, conclude, judgePresence, type Snapshot } from './workload.ts'

export function judgeClaim(snapshot: Snapshot<PersistentVolumeClaim>, now: number): Judgement {
  const { object: claim, name, since } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (claim === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  const phase = text(claim.status?.phase)
  if (phase === 'Bound') return { ...base, ready: 1, phase: 'healthy', message: '' }
  if (phase === 'Lost')
    return { ...base, phase: 'failed', reason: 'ClaimLost', message: `${name}: the volume that it was bound to is gone` }
  const event = newest(
    snapshot.events(text(claim.metadata?.uid)),
    'ProvisioningFailed',
    'FailedBinding',
    'WaitForFirstConsumer',
    'WaitForPodScheduled',
    'Provisioning',
    'ExternalProvisioning',
    'ProvisioningSucceeded',
  )
  const reason = text(event?.reason)
  if (reason.startsWith('WaitFor')) return { ...base, phase: 'healthy', message: 'is bound when the first pod uses it' }
  if (event === undefined || !reason.includes('Failed')) {
    const said = reason === 'ExternalProvisioning' ? `: ${foreignLine(text(event?.message), 240)}` : ''
    return { ...base, phase: 'progressing', message: `is not bound to a volume yet${said}` }
  }
  // The controller says the same every 15 s: the trouble began with the claim, or with the release.
  const from = latest([timeOf(claim.metadata?.creationTimestamp), since], eventTime(event))
  const message = `no volume: ${foreignLine(text(event.message))}`
  const grace = reason === 'FailedBinding' ? GRACES.FailedBinding : GRACES.ProvisioningFailed
  const finding = within(grace, from, now, reason, message)
  return conclude(base, [{ ...finding, pod: '' }], '', { message: '', provenAt: 0 }, now)
}
