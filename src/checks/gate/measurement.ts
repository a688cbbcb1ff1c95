// From what a provider answered to one measurement: a value that is good or bad, or why there is none. Pure.
import { foreignLine } from '../../runner/foreign-text.ts'
import type { Aggregate, GateQuery } from './gate.ts'
import type { Fault, Point, Reading } from './provider.ts'
import { formatThreshold, formatValue, holds, isUpperLimit, type Threshold, type Unit } from './threshold.ts'

export type Measurement =
  | {
      readonly kind: 'value'
      /** When it was asked for, in ms since the gate began. */
      readonly at: number
      readonly value: number
      /** What it was held against, in the value's unit; undefined where only all values together are judged. */
      readonly limit: Threshold | undefined
      readonly good: boolean
      /** What the known good version had at that moment, where it is asked. */
      readonly baseline?: number
    }
  /** There is no value: empty, NaN, stale, too few events. */
  | { readonly kind: 'none'; readonly at: number; readonly reason: string; readonly problem: string }
  /** The newest data point is the one that was already counted. */
  | { readonly kind: 'repeated'; readonly at: number }
  | (Fault & { readonly at: number })

/** A value as the provider gave it, before any rule. */
export type Value = { readonly kind: 'value'; readonly value: number; readonly pointAt: number }
type NoValue = { readonly kind: 'none'; readonly reason: string; readonly problem: string }

const none = (reason: string, problem: string): NoValue => ({ kind: 'none', reason, problem })

/**
 * One number out of a reading.
 * NaN is no value, of one series among many as well: a mean over pods of which one says nothing speaks of fewer pods than it claims.
 */
export function readValue(
  reading: Reading,
  aggregate: Aggregate | undefined,
  now: number,
  staleMs: number,
): Value | NoValue | Fault {
  if (reading.kind === 'fault') return reading
  if (reading.kind === 'nothing') return none(reading.reason, reading.problem)
  const newest = reading.series.flatMap(({ labels, points }) => {
    const last = points.at(-1)
    return last === undefined ? [] : [{ ...last, labels }]
  })
  const [first, second] = newest
  if (first === undefined) return none('NoData', 'gave no data')
  if (second !== undefined && aggregate === undefined) return severalSeries(newest.length, first.labels, second.labels)
  const fresh = newest.filter(point => now - point.at <= staleMs)
  if (fresh.length === 0)
    return none(
      'StaleData',
      `gave no data newer than ${Math.round((now - Math.max(...newest.map(point => point.at))) / 1_000)} s`,
    )
  if (fresh.some(point => Number.isNaN(point.value)))
    return none('NaN', newest.length === 1 ? 'gave NaN, not a number' : 'gave NaN, not a number, for a series of it')
  const value = aggregated(
    fresh.map(point => point.value),
    aggregate,
  )
  return Number.isNaN(value)
    ? none('NaN', 'gave infinite values that have no sum')
    : { kind: 'value', value, pointAt: Math.max(...fresh.map(point => point.at)) }
}

function severalSeries(count: number, one: string, other: string): Fault {
  const problem = `gave ${count} series, such as ${foreignLine(one, 120)} and ${foreignLine(other, 120)}, where one is needed; put an aggregation into the query, or say aggregate: max, min, sum or avg`
  // The pods of the old version leave series behind that end with their window.
  return { kind: 'fault', reason: 'SeveralSeries', problem, healable: true }
}

function aggregated(values: readonly number[], aggregate: Aggregate | undefined): number {
  if (aggregate === 'max') return Math.max(...values)
  if (aggregate === 'min') return Math.min(...values)
  const sum = values.reduce((total, value) => total + value, 0)
  return aggregate === 'avg' ? sum / values.length : sum
}

/** All numbers of a range, series by series put together moment by moment; what is NaN is left out. */
export function readValues(
  reading: Extract<Reading, { kind: 'series' }>,
  aggregate: Aggregate | undefined,
): readonly Point[] | Fault {
  const filled = reading.series.filter(series => series.points.length > 0)
  const [first, second] = filled
  if (first === undefined) return []
  if (second !== undefined && aggregate === undefined) return severalSeries(filled.length, first.labels, second.labels)
  const moments = new Map<number, number[]>()
  for (const { points } of filled)
    for (const { at, value } of points) {
      const there = moments.get(at)
      if (there === undefined) moments.set(at, [value])
      else there.push(value)
    }
  return [...moments]
    .sort(([a], [b]) => a - b)
    .map(([at, values]) => ({ at, value: aggregated(values, aggregate) }))
    .filter(({ value }) => Number.isFinite(value))
}

/** What the baseline says, for the rules that look at one. */
export interface BaselineNow {
  /** Its mean before the deploy, or the good version's value at this moment. */
  readonly value: number
}

/** The value held against the query's rule. */
export function measure(query: GateQuery, at: number, value: number, baseline: BaselineNow | undefined): Measurement {
  const { rule, unit } = query
  const common = {
    kind: 'value',
    at,
    value,
    ...(baseline === undefined || !isStable(query) ? {} : { baseline: baseline.value }),
  } as const
  const against = (limit: Threshold): Measurement => {
    const good = holds(value, limit)
    // x/0 is infinite, and greater than any limit: that proves nothing.
    if (good && !Number.isFinite(value)) return { kind: 'none', at, reason: 'NaN', problem: 'gave an infinite value' }
    return { ...common, limit, good }
  }
  switch (rule.kind) {
    case 'threshold':
      return against(rule.threshold)
    case 'alarm':
      return against({ comparison: '<', value: 1, unit })
    case 'burn-rate':
      return against({ comparison: '<', value: rule.limit, unit })
    case 'rank':
      if (!Number.isFinite(value)) return { kind: 'none', at, reason: 'NaN', problem: 'gave an infinite value' }
      return { ...common, limit: undefined, good: true }
    case 'ratio': {
      if (baseline === undefined) return { kind: 'none', at, reason: 'NoBaseline', problem: 'has no baseline to be held against' }
      return against(ratioLimit(rule.ratio, rule.ignore, baseline.value, unit))
    }
  }
}

/** Where a ratio to this baseline puts the limit. With a baseline of 0 any error is more than any multiple of it: that is what `ignore` is for. */
export function ratioLimit(ratio: Threshold, ignore: Threshold | undefined, baseline: number, unit: Unit): Threshold {
  const value = ratio.value * baseline
  // 0 < 0 would be false, and no errors as before are good.
  const zero = value === 0 && (ratio.comparison === '<' || ratio.comparison === '>')
  const limit: Threshold = { comparison: zero ? (ratio.comparison === '<' ? '<=' : '>=') : ratio.comparison, value, unit }
  if (ignore === undefined) return limit
  const wider = isUpperLimit(ratio) ? ignore.value > value : ignore.value < value
  return wider ? { ...ignore, unit } : limit
}

function isStable({ rule }: GateQuery): boolean {
  return (rule.kind === 'ratio' || rule.kind === 'rank') && rule.baseline.kind === 'stable'
}

/** `1.2 % (< 5 %)`, `7.1 % is not < 5 %`, `gave no data`. */
export function describeMeasurement(measurement: Measurement, unit: Unit): string {
  if (measurement.kind === 'repeated') return 'has no newer data point yet'
  if (measurement.kind !== 'value') return measurement.problem
  const { value, limit, good, baseline } = measurement
  const than = baseline === undefined ? '' : `, the stable version ${formatValue(baseline, unit)}`
  const written = formatValue(value, unit)
  if (limit === undefined) return `${written}${than}`
  return good ? `${written} (${formatThreshold(limit)}${than})` : `${written} is not ${formatThreshold(limit)}${than}`
}
