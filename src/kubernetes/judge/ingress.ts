// Judges an Ingress: it is well as soon as it is there. Many controllers never write an address, so none is waited for, as with krane, Helm and
// kstatus (Argo CD waits, and never ends with such a controller); but what is known of it is said.
import type { Ingress } from 'kubernetes-types/networking/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { eventTime } from './events.ts'
import { list, text } from './fields.ts'
import { blank, judgePresence, type Snapshot } from './workload.ts'

export function judgeIngress(snapshot: Snapshot<Ingress>, now: number): Judgement {
  const { object: ingress, name, since } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const last = snapshot.events(text(ingress?.metadata?.uid)).at(-1)
  const complaint = last?.type === 'Warning' && eventTime(last) + 1_000 > since ? foreignLine(text(last.message)) : ''
  const address = list(ingress?.status?.loadBalancer?.ingress).length > 0
  const message = complaint !== '' ? `its controller says: ${complaint}` : address ? '' : 'is there; no address is waited for'
  return { ...base, ready: 1, phase: 'healthy', message }
}
