// Judges what routes requests: Gateways, and the routes that attach to them, whose conditions stand apart for each Gateway that has taken one up
// (gateway.networking.k8s.io; OpenShift's Route has the same by router).
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { within } from './container.ts'
import { count, list, text } from './fields.ts'
import { GRACES, type Grace } from './grace.ts'
import type { PodFinding } from './pod.ts'
import { inList, type StatusCondition, said, sinceOf, wasSoBefore } from './status-conditions.ts'
import { blank, conclude, judgePresence, type Snapshot } from './workload.ts'

/** One list of conditions, and whose they are. */
interface Part {
  readonly of: string
  readonly conditions: readonly StatusCondition[]
}

interface RouteStatus {
  readonly parents?: readonly {
    readonly parentRef?: { readonly name?: unknown }
    readonly conditions?: readonly StatusCondition[]
  }[]
  readonly ingress?: readonly { readonly routerName?: unknown; readonly conditions?: readonly StatusCondition[] }[]
}

function partsOfRoute(object: unknown): readonly Part[] {
  const { parents, ingress } = ((object ?? {}) as { status?: RouteStatus | null }).status ?? {}
  return [
    ...list(parents).map(({ parentRef, conditions }) => ({ of: text(parentRef?.name), conditions: list(conditions) })),
    ...list(ingress).map(({ routerName, conditions }) => ({ of: text(routerName), conditions: list(conditions) })),
  ]
}

interface GatewayStatus {
  readonly conditions?: readonly StatusCondition[]
  readonly listeners?: readonly { readonly name?: unknown; readonly conditions?: readonly StatusCondition[] }[]
}

function partsOfGateway(object: unknown): readonly Part[] {
  const { conditions, listeners } = ((object ?? {}) as { status?: GatewayStatus | null }).status ?? {}
  return [
    ...(Array.isArray(conditions) ? [{ of: '', conditions: list(conditions) }] : []),
    ...list(listeners).map(listener => ({ of: text(listener.name), conditions: list(listener.conditions) })),
  ]
}

export function judgeRoute(snapshot: Snapshot, now: number): Judgement {
  const words = { taker: 'Gateway', types: ['Accepted', 'ResolvedRefs', 'Admitted'], grace: GRACES.RouteRefused }
  return judgeParts(snapshot, partsOfRoute, words, now)
}

export function judgeGateway(snapshot: Snapshot, now: number): Judgement {
  const words = { taker: 'controller', types: ['Accepted', 'ResolvedRefs', 'Programmed'], grace: GRACES.GatewayRefused }
  return judgeParts(snapshot, partsOfGateway, words, now)
}

interface Words {
  readonly taker: string
  /** Conditions that are to be True where they are there. */
  readonly types: readonly string[]
  readonly grace: Grace
}

/** What was so before the release is said, and not held against it: such a route may be for a Gateway that comes later. */
function judgeParts(snapshot: Snapshot, partsOf: (object: unknown) => readonly Part[], words: Words, now: number): Judgement {
  const { object, before, name, since } = snapshot
  const base = blank(name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (object === undefined || presence !== undefined) return { ...base, phase: 'progressing', message: '', ...presence }
  const healthy = { ...base, ready: 1, phase: 'healthy', message: '' } as const
  const parts = partsOf(object)
  const old = partsOf(before)
  const generation = count(object.metadata?.generation)
  const findings: PodFinding[] = []
  const waiting: string[] = []
  let known = ''
  for (const { of, conditions } of parts)
    for (const type of words.types) {
      const condition = inList(conditions, type)
      if (condition === undefined || condition.status === 'True') continue
      const where = of === '' ? '' : `${foreignLine(of, 80)}: `
      const { reason, message } = said(condition)
      const was = old.find(part => part.of === of)
      if (before !== undefined && wasSoBefore(condition, inList(was?.conditions, type))) known = `${where}${message}`
      else if (condition.observedGeneration !== undefined && count(condition.observedGeneration) < generation)
        waiting.push('waiting for the controller to see the change')
      else if (condition.status === 'False' && !PENDING.has(reason))
        findings.push({ ...within(words.grace, sinceOf(condition, since), now, reason, `${where}${message}`), pod: '' })
      else waiting.push(`${where}${message}`)
    }
  if (parts.length === 0) {
    const message = `no ${words.taker} has taken it up`
    return before !== undefined && old.length === 0
      ? { ...healthy, message: `${message}, as before this release` }
      : { ...base, phase: 'progressing', message: `${message} yet` }
  }
  const message = known === '' ? '' : `as before this release, ${known}`
  return conclude(
    { ...base, ready: findings.length + waiting.length === 0 ? 1 : 0 },
    findings,
    waiting[0] ?? '',
    { message, provenAt: 0 },
    now,
  )
}

/** Said while the data plane or its address is still being made. */
const PENDING = new Set(['Pending', 'AddressNotAssigned', 'NoResources'])
