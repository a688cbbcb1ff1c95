// What keeps ECS from starting tasks at all: it says so in the service's events, and nowhere else.
import type { Service, ServiceEvent } from '@aws-sdk/client-ecs'
import { foreignLine } from '../../runner/foreign-text.ts'
import { GRACES, REPEATS } from './grace.ts'
import { type ServiceSnapshot, timeOf } from './snapshot.ts'
import { PASSING } from './stopped-task.ts'

export interface Trouble {
  readonly reason: string
  readonly message: string
  readonly doomed: boolean
  /** In ms, when it is decided. */
  readonly recheckAt?: number
}

/** An event of a deployment that came up all the same: what was told before it is over. */
const RELIEF = /has started \d+ tasks|has reached a steady state|registered \d+ targets/i

/**
 * The trouble of which the newest events tell, of this deployment only. An event counts until a later one tells of tasks that were started.
 * `started`: tasks of the deployment have been seen, so that ECS can place some.
 */
export function judgeEvents({ service, expected }: ServiceSnapshot, now: number): Trouble | undefined {
  const ours = (service?.events ?? [])
    .filter(event => (timeOf(event.createdAt) ?? 0) + 1_000 >= expected.since)
    .toSorted((a, b) => (timeOf(a.createdAt) ?? 0) - (timeOf(b.createdAt) ?? 0))
  const relief = ours.findLastIndex(({ message = '' }) => RELIEF.test(message))
  const open = ours.slice(relief + 1)
  return pull(open) ?? lasting(open, service, expected.since, now)
}

/** A failed pull may be told as a failed placement: it is no shortage that passes, unless the registry was out of breath. */
function pull(events: readonly ServiceEvent[]): Trouble | undefined {
  const told = events.filter(({ message = '' }) => /Reason: CannotPull/.test(message))
  const last = told.at(-1)
  if (last === undefined) return undefined
  const { tasks } = PASSING.test(last.message ?? '') ? REPEATS.PullTrouble : REPEATS.CannotPullContainerError
  return { reason: 'CannotPullContainerError', message: textOf(last), doomed: told.length >= tasks }
}

function lasting(events: readonly ServiceEvent[], service: Service | undefined, since: number, now: number): Trouble | undefined {
  for (const { matches, reason, ms } of KINDS) {
    const told = events.filter(({ message = '' }) => matches.test(message))
    const last = told.at(-1)
    if (last === undefined) continue
    const from = Math.max(since, timeOf(told[0]?.createdAt) ?? now)
    const end = from + ms(service)
    return end <= now
      ? { reason, message: textOf(last), doomed: true }
      : { reason, message: textOf(last), doomed: false, recheckAt: end }
  }
  return undefined
}

const KINDS: readonly {
  readonly matches: RegExp
  readonly reason: string
  readonly ms: (service: Service | undefined) => number
}[] = [
  { matches: /unable to assume (?:the )?role/i, reason: 'RoleNotAssumable', ms: () => GRACES.RoleNotAssumable.ms },
  {
    matches: /unable to place a task|capacity is unavailable|unable to consistently start tasks/i,
    reason: 'UnableToPlaceTask',
    ms: service => (scales(service) ? GRACES.PlacementWithScaling.ms : GRACES.Placement.ms),
  },
  {
    matches: /failed to register targets|failed to describe target health/i,
    reason: 'TargetGroup',
    ms: () => GRACES.TargetGroup.ms,
  },
]

/** Fargate's providers have no instances that could be added. */
function scales(service: Service | undefined): boolean {
  return (service?.capacityProviderStrategy ?? []).some(
    ({ capacityProvider = '' }) => !/^FARGATE(_SPOT)?$/.test(capacityProvider),
  )
}

/** `(service web) was unable to …` without the name that is said already. */
function textOf({ message = '' }: ServiceEvent): string {
  return foreignLine(message.replace(/^\(service [^)]*\)\s*/, '').replace(/\s*For more information,.*$/s, ''), 300).replace(
    /\.$/,
    '',
  )
}
