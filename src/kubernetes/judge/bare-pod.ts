// Judges a pod that nobody owns: nobody makes it anew either.
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { failureOf } from './ended-pod.ts'
import { text } from './fields.ts'
import { isGone, isReady, provenAt, waitingFor } from './pod.ts'
import { blank, conclude, disturbancesOf, judgePods, judgePresence, type Snapshot, told } from './workload.ts'

export function judgeBarePod(snapshot: Snapshot<Pod>, now: number): Judgement {
  const { object: pod, name } = snapshot
  const base = blank(name, 1)
  const meantToEnd = text(pod?.spec?.restartPolicy || 'Always') !== 'Always'
  if (pod?.status?.phase === 'Succeeded' && meantToEnd) return { ...base, ready: 1, phase: 'healthy', message: '' }
  const presence = judgePresence(snapshot, now, false)
  if (pod === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  if (isGone(pod)) {
    const finding = failureOf(pod) ?? { reason: 'PodFailed', message: 'has ended', doomed: true, pod: text(pod.metadata?.name) }
    return { ...base, phase: 'failed', ...told(name, finding) }
  }
  const ready = isReady(pod)
  const known = { ...base, ready: ready ? 1 : 0, disturbances: disturbancesOf([pod]) }
  const waiting = meantToEnd && ready ? 'is running, and is yet to end' : ready && !meantToEnd ? '' : waitingFor(pod)
  return conclude(known, judgePods(snapshot, [pod], now), waiting, { message: '', provenAt: provenAt(pod) }, now)
}
