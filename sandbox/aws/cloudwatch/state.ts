// What CloudWatch keeps in one region: metrics and alarms.
import type { Region } from '../world.ts'

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA'

export interface Alarm {
  readonly name: string
  readonly arn: string
  /** As PutMetricAlarm took it. */
  readonly definition: Readonly<Record<string, unknown>>
  state: AlarmState
  reason: string
  reasonData: string | undefined
  updatedAt: number
  readonly configuredAt: number
  readonly history: { at: number; type: string; summary: string }[]
}

export interface Datum {
  readonly at: number
  readonly values: readonly { readonly value: number; readonly count: number }[]
  readonly unit: string | undefined
}

export interface Metric {
  readonly namespace: string
  readonly name: string
  readonly dimensions: readonly { Name?: string; Value?: string }[]
  readonly data: Datum[]
}

export class CloudWatch {
  readonly region: Region
  readonly alarms = new Map<string, Alarm>()
  readonly metrics = new Map<string, Metric>()
  readonly tags = new Map<string, { Key?: string; Value?: string }[]>()

  constructor(region: Region) {
    this.region = region
  }

  set(name: string, state: AlarmState, reason: string, reasonData?: string): Alarm | undefined {
    const alarm = this.alarms.get(name)
    if (alarm === undefined) return undefined
    const now = this.region.world.now()
    if (alarm.state !== state)
      alarm.history.unshift({ at: now, type: 'StateUpdate', summary: `Alarm updated from ${alarm.state} to ${state}` })
    Object.assign(alarm, { state, reason, reasonData, updatedAt: now })
    return alarm
  }
}

/** Those of the names that are in ALARM. */
export const alarmsInAlarm = (region: Region, names: readonly string[]): string[] =>
  names.filter(name => region.part(CloudWatch).alarms.get(name)?.state === 'ALARM')

export interface MetricDimensions {
  readonly Namespace?: string
  readonly MetricName?: string
  readonly Dimensions?: readonly { Name?: string; Value?: string }[]
}

/** A metric is its namespace, name and all its dimensions, in whatever order. */
export function metricKey({ Namespace = '', MetricName = '', Dimensions = [] }: MetricDimensions): string {
  const dimensions = Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).sort()
  return [Namespace, MetricName, ...dimensions].join('\n')
}

export const metricOf = (watch: CloudWatch, named: MetricDimensions): Metric | undefined => watch.metrics.get(metricKey(named))
