// Metric alarms: set by hand, or by what their metric says.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { evaluate, type Series, seriesOf } from './series.ts'
import { type Alarm, type AlarmState, CloudWatch, type MetricDimensions, metricOf } from './state.ts'

interface Query {
  readonly Id: string
  readonly Expression?: string
  readonly ReturnData?: boolean
  readonly MetricStat?: { readonly Metric: MetricDimensions; readonly Period: number; readonly Stat: string }
}

interface Definition extends MetricDimensions {
  readonly AlarmName: string
  readonly Statistic?: string
  readonly ExtendedStatistic?: string
  readonly Period?: number
  readonly EvaluationPeriods?: number
  readonly DatapointsToAlarm?: number
  readonly Threshold?: number
  readonly ComparisonOperator?: string
  readonly TreatMissingData?: string
  readonly Metrics?: readonly Query[]
  readonly Tags?: { Key?: string; Value?: string }[]
}

const describe = (alarm: Alarm): object => {
  const { Tags: _, ...definition } = alarm.definition
  return {
    ...definition,
    AlarmArn: alarm.arn,
    AlarmConfigurationUpdatedTimestamp: alarm.configuredAt,
    ActionsEnabled: definition['ActionsEnabled'] ?? true,
    OKActions: definition['OKActions'] ?? [],
    AlarmActions: definition['AlarmActions'] ?? [],
    InsufficientDataActions: definition['InsufficientDataActions'] ?? [],
    Dimensions: definition['Dimensions'] ?? [],
    StateValue: alarm.state,
    StateReason: alarm.reason,
    ...(alarm.reasonData !== undefined && { StateReasonData: alarm.reasonData }),
    StateUpdatedTimestamp: alarm.updatedAt,
    StateTransitionedTimestamp: alarm.updatedAt,
  }
}

const BREACHES: Readonly<Record<string, (value: number, threshold: number) => boolean>> = {
  GreaterThanThreshold: (value, threshold) => value > threshold,
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
}

/** Looks at every alarm again, after new data. */
export function evaluateAlarms(watch: CloudWatch): void {
  for (const alarm of watch.alarms.values()) {
    const definition = alarm.definition as unknown as Definition
    const { EvaluationPeriods = 1, DatapointsToAlarm = EvaluationPeriods, Threshold = 0, ComparisonOperator = '' } = definition
    const breaches = BREACHES[ComparisonOperator]
    const period =
      definition.Period ?? definition.Metrics?.find(query => query.MetricStat !== undefined)?.MetricStat?.Period ?? 60
    const now = watch.region.world.now()
    const from = Math.floor(now / period) * period - (EvaluationPeriods - 1) * period
    const series = seriesFor(watch, definition, period, from, now + 1)
    if (breaches === undefined || series.size === 0) continue
    const breaching = [...series.values()].filter(value => breaches(value, Threshold))
    const state: AlarmState = breaching.length >= DatapointsToAlarm ? 'ALARM' : 'OK'
    if (state === alarm.state) continue
    const crossed = state === 'ALARM' ? 'Threshold Crossed' : 'Threshold Not Crossed'
    watch.set(
      alarm.name,
      state,
      `${crossed}: ${breaching.length} datapoints of ${series.size} were beyond the threshold (${Threshold}).`,
    )
  }
}

function seriesFor(watch: CloudWatch, definition: Definition, period: number, from: number, to: number): Series {
  if (definition.Metrics === undefined) {
    const metric = metricOf(watch, definition)
    return seriesOf(metric, definition.Statistic ?? definition.ExtendedStatistic ?? 'Average', period, from, to)
  }
  const known = new Map<string, Series>()
  for (const { Id, MetricStat } of definition.Metrics)
    if (MetricStat !== undefined)
      known.set(Id, seriesOf(metricOf(watch, MetricStat.Metric), MetricStat.Stat, MetricStat.Period, from, to))
  for (const { Id, Expression } of definition.Metrics) if (Expression !== undefined) known.set(Id, evaluate(Expression, known))
  const shown = definition.Metrics.find(query => query.ReturnData !== false)
  return known.get(shown?.Id ?? '') ?? new Map()
}

export const alarmHandlers: Record<string, Handler> = {
  PutMetricAlarm: (input: Definition, { region, world }) => {
    const watch = region.part(CloudWatch)
    const before = watch.alarms.get(input.AlarmName)
    const alarm: Alarm = {
      name: input.AlarmName,
      arn: region.arn('cloudwatch', `alarm:${input.AlarmName}`),
      definition: { ...input },
      state: before?.state ?? 'INSUFFICIENT_DATA',
      reason: before?.reason ?? 'Unchecked: Initial alarm creation',
      reasonData: before?.reasonData,
      updatedAt: before?.updatedAt ?? world.now(),
      configuredAt: world.now(),
      history: before?.history ?? [],
    }
    watch.alarms.set(alarm.name, alarm)
    watch.tags.set(alarm.arn, input.Tags ?? watch.tags.get(alarm.arn) ?? [])
    evaluateAlarms(watch)
  },
  DescribeAlarms: (
    input: { AlarmNames?: string[]; AlarmNamePrefix?: string; StateValue?: string; MaxRecords?: number; NextToken?: string },
    { region },
  ) => {
    const all = [...region.part(CloudWatch).alarms.values()]
      .filter(alarm => input.AlarmNames?.includes(alarm.name) ?? true)
      .filter(alarm => alarm.name.startsWith(input.AlarmNamePrefix ?? ''))
      .filter(alarm => input.StateValue === undefined || alarm.state === input.StateValue)
    const from = Number(input.NextToken ?? 0)
    const to = from + (input.MaxRecords ?? 50)
    return {
      MetricAlarms: all.slice(from, to).map(describe),
      CompositeAlarms: [],
      NextToken: to < all.length ? String(to) : undefined,
    }
  },
  DeleteAlarms: (input: { AlarmNames: string[] }, { region }) => {
    for (const name of input.AlarmNames) region.part(CloudWatch).alarms.delete(name)
  },
  SetAlarmState: (
    input: { AlarmName: string; StateValue: AlarmState; StateReason: string; StateReasonData?: string },
    { region },
  ) => {
    if (region.part(CloudWatch).set(input.AlarmName, input.StateValue, input.StateReason, input.StateReasonData) === undefined)
      throw new AwsError('ResourceNotFound', `Alarm ${input.AlarmName} does not exist`, { status: 404 })
  },
  DescribeAlarmHistory: (input: { AlarmName?: string }, { region }) => ({
    AlarmHistoryItems: [...region.part(CloudWatch).alarms.values()]
      .filter(alarm => input.AlarmName === undefined || alarm.name === input.AlarmName)
      .flatMap(alarm =>
        alarm.history.map(({ at, type, summary }) => ({
          ...{
            AlarmName: alarm.name,
            AlarmType: 'MetricAlarm',
            Timestamp: at,
            HistoryItemType: type,
            HistorySummary: summary,
            HistoryData: '{}',
          },
        })),
      ),
  }),
}
