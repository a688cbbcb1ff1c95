// Metrics: put, and got as series.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { evaluateAlarms } from './alarms.ts'
import { evaluate, type Series, seriesOf, statistic } from './series.ts'
import { CloudWatch, type Metric, type MetricDimensions, metricKey, metricOf } from './state.ts'

interface MetricDatum extends MetricDimensions {
  readonly Timestamp?: number
  readonly Value?: number
  readonly Values?: number[]
  readonly Counts?: number[]
  readonly StatisticValues?: { SampleCount: number; Sum: number; Minimum: number; Maximum: number }
  readonly Unit?: string
}

interface Query {
  readonly Id: string
  readonly Label?: string
  readonly ReturnData?: boolean
  readonly Expression?: string
  readonly MetricStat?: { readonly Metric: MetricDimensions; readonly Period: number; readonly Stat: string }
}

function valuesOf(datum: MetricDatum): { value: number; count: number }[] {
  if (datum.Values !== undefined) return datum.Values.map((value, index) => ({ value, count: datum.Counts?.[index] ?? 1 }))
  const { StatisticValues: set } = datum
  if (set === undefined) return [{ value: datum.Value ?? 0, count: 1 }]
  // The extremes, and what is left between them: minimum, maximum, sum and count come out right.
  if (set.SampleCount < 3) return [{ value: set.Sum / set.SampleCount, count: set.SampleCount }]
  const rest = { value: (set.Sum - set.Minimum - set.Maximum) / (set.SampleCount - 2), count: set.SampleCount - 2 }
  return [{ value: set.Minimum, count: 1 }, rest, { value: set.Maximum, count: 1 }]
}

export const metricHandlers: Record<string, Handler> = {
  PutMetricData: (input: { Namespace: string; MetricData?: MetricDatum[] }, { region, world }) => {
    const watch = region.part(CloudWatch)
    for (const datum of input.MetricData ?? []) {
      const named = { Namespace: input.Namespace, MetricName: datum.MetricName ?? '', Dimensions: datum.Dimensions ?? [] }
      const key = metricKey(named)
      const known: Metric = watch.metrics.get(key) ?? {
        namespace: named.Namespace,
        name: named.MetricName,
        dimensions: named.Dimensions,
        data: [],
      }
      watch.metrics.set(key, known)
      known.data.push({ at: datum.Timestamp ?? world.now(), values: valuesOf(datum), unit: datum.Unit })
    }
    evaluateAlarms(watch)
  },
  ListMetrics: (input: { Namespace?: string; MetricName?: string }, { region }) => ({
    Metrics: [...region.part(CloudWatch).metrics.values()]
      .filter(one => (input.Namespace ?? one.namespace) === one.namespace && (input.MetricName ?? one.name) === one.name)
      .map(one => ({ Namespace: one.namespace, MetricName: one.name, Dimensions: one.dimensions })),
  }),
  GetMetricData: (input: { MetricDataQueries: Query[]; StartTime: number; EndTime: number; ScanBy?: string }, { region }) => {
    const watch = region.part(CloudWatch)
    const known = new Map<string, Series>()
    for (const { Id, MetricStat } of input.MetricDataQueries) {
      if (MetricStat === undefined) continue
      known.set(
        Id,
        seriesOf(metricOf(watch, MetricStat.Metric), MetricStat.Stat, MetricStat.Period, input.StartTime, input.EndTime),
      )
    }
    const metrics = new Map(known)
    for (const { Id, Expression, MetricStat } of input.MetricDataQueries) {
      if (Expression === undefined && MetricStat === undefined)
        throw new AwsError('ValidationError', `The parameter MetricDataQueries.member.${Id} needs Expression or MetricStat`)
      // Series of metrics, and those that were computed before.
      if (Expression !== undefined) known.set(Id, evaluate(Expression, Expression.includes('METRICS()') ? metrics : known))
    }
    return {
      MetricDataResults: input.MetricDataQueries.filter(query => query.ReturnData !== false).map(query => {
        const series = [...(known.get(query.Id) ?? [])]
        const ordered = input.ScanBy === 'TimestampAscending' ? series : series.toReversed()
        return {
          Id: query.Id,
          Label: query.Label ?? query.MetricStat?.Metric.MetricName ?? query.Id,
          Timestamps: ordered.map(([at]) => at),
          Values: ordered.map(([, value]) => value),
          StatusCode: 'Complete',
        }
      }),
      Messages: [],
    }
  },
  GetMetricStatistics: (
    input: MetricDimensions & {
      StartTime: number
      EndTime: number
      Period: number
      Statistics?: string[]
      ExtendedStatistics?: string[]
    },
    { region },
  ) => {
    const metric = metricOf(region.part(CloudWatch), input)
    const times = [...seriesOf(metric, 'Sum', input.Period, input.StartTime, input.EndTime).keys()]
    return {
      Label: input.MetricName ?? '',
      Datapoints: times.map(at => {
        const data = (metric?.data ?? []).filter(datum => Math.floor(datum.at / input.Period) * input.Period === at)
        return {
          Timestamp: at,
          ...Object.fromEntries((input.Statistics ?? []).map(stat => [stat, statistic(data, stat)])),
          ...(input.ExtendedStatistics !== undefined && {
            ExtendedStatistics: Object.fromEntries(input.ExtendedStatistics.map(stat => [stat, statistic(data, stat)])),
          }),
          Unit: data[0]?.unit ?? 'None',
        }
      }),
    }
  },
}
