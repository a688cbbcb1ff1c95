// Judges a PersistentVolume: free or taken, it is well; one that its plugin could not reclaim is not.
import type { PersistentVolume } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { text } from './fields.ts'
import { blank, judgePresence, type Snapshot } from './workload.ts'

export function judgeVolume(snapshot: Snapshot<PersistentVolume>, now: number): Judgement {
  const { object: volume, name } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const phase = text(volume?.status?.phase)
  if (phase === 'Failed') {
    const reason = foreignLine(text(volume?.status?.reason), 60) || 'VolumeFailed'
    const said = foreignLine(text(volume?.status?.message))
    return { ...base, phase: 'failed', reason, message: `${name} has failed${said === '' ? '' : `: ${said}`}` }
  }
  const message = phase === 'Released' ? 'is released: no claim can have it until somebody clears its claimRef' : ''
  return { ...base, ready: 1, phase: 'healthy', message }
}
