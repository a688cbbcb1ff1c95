// What events say, and when: the kubelet tells of probes, mounts and pulls nowhere else.
import type { Event } from 'kubernetes-types/core/v1.js'
import { count, text, timeOf } from './fields.ts'

type WithSeries = { readonly series?: { readonly lastObservedTime?: string; readonly count?: number } }

/** When an event last happened, in ms; 0 where it does not say. */
export function eventTime(event: Event): number {
  const { series } = event as WithSeries
  return (
    timeOf(series?.lastObservedTime) ??
    timeOf(event.lastTimestamp) ??
    timeOf(event.eventTime) ??
    timeOf(event.firstTimestamp) ??
    0
  )
}

/** When it happened for the first time, in ms; 0 where it does not say. */
export function firstEventTime(event: Event): number {
  return timeOf(event.firstTimestamp) ?? timeOf(event.eventTime) ?? eventTime(event)
}

/** How often it has happened. */
export function occurrences(event: Event): number {
  return Math.max(1, count(event.count), count((event as WithSeries).series?.count))
}

/** The newest event of these reasons; the events stand oldest first. */
export function newest(events: readonly Event[], ...reasons: readonly string[]): Event | undefined {
  return events.findLast(event => reasons.includes(text(event.reason)))
}

export type ProbeKind = 'Liveness' | 'Readiness' | 'Startup'

/** Failures of a probe, oldest first: `Liveness probe failed: ...`. One that `errored` could not be asked, which the kubelet does not count. */
export function probeFailures(events: readonly Event[], kind: ProbeKind): readonly Event[] {
  return events.filter(event => event.reason === 'Unhealthy' && text(event.message).startsWith(`${kind} probe failed`))
}

/** The kubelet's decisions to restart the container for the sake of a probe, oldest first. The container may take its whole time to end after that. */
export function probeKills(events: readonly Event[], container: string): readonly Event[] {
  return events.filter(
    event =>
      event.reason === 'Killing' &&
      /failed (liveness|startup) probe/.test(text(event.message)) &&
      text(event.message).includes(`ontainer ${container} failed`),
  )
}
