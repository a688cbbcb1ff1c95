// Metrics as series of one value a period, by statistic; and the basics of metric math over them.
import { AwsError } from '../protocol/errors.ts'
import type { Datum, Metric } from './state.ts'

/** Value by the period's start, in seconds since 1970. */
export type Series = ReadonlyMap<number, number>

/** One value for each period of the range that has data. */
export function seriesOf(
  metric: Metric | undefined,
  stat: string,
  period: number,
  from: number,
  to: number,
): Map<number, number> {
  const buckets = new Map<number, Datum[]>()
  for (const datum of metric?.data ?? []) {
    if (datum.at < from || datum.at >= to) continue
    const start = Math.floor(datum.at / period) * period
    buckets.set(start, [...(buckets.get(start) ?? []), datum])
  }
  return new Map([...buckets].sort(([a], [b]) => a - b).map(([start, data]) => [start, statistic(data, stat)]))
}

/** @throws AwsError for a statistic that is none of Sum, Average, Minimum, Maximum, SampleCount and percentiles */
export function statistic(data: readonly Datum[], stat: string): number {
  const all = data.flatMap(datum => datum.values)
  const count = all.reduce((sum, one) => sum + one.count, 0)
  const sum = all.reduce((total, one) => total + one.value * one.count, 0)
  const percentile = /^p(\d+(?:\.\d+)?)$/.exec(stat)?.[1]
  if (percentile !== undefined) {
    const sorted = all.toSorted((a, b) => a.value - b.value)
    let left = Math.max(1, Math.ceil((count * Number(percentile)) / 100))
    for (const one of sorted) {
      left -= one.count
      if (left <= 0) return one.value
    }
    return sorted.at(-1)?.value ?? 0
  }
  switch (stat) {
    case 'Sum':
      return sum
    case 'Average':
      return sum / count
    case 'SampleCount':
      return count
    case 'Minimum':
      return Math.min(...all.map(one => one.value))
    case 'Maximum':
      return Math.max(...all.map(one => one.value))
    default:
      throw new AwsError('InvalidParameterValueException', `The parameter Stat ${stat} is not supported`)
  }
}

type Value = Series | number

/** Arithmetic, comparisons, SUM, AVG, MIN, MAX, FILL and IF over series by their ids. @throws AwsError */
export function evaluate(expression: string, series: ReadonlyMap<string, Series>): Series {
  const tokens = expression.match(/\d+(?:\.\d+)?|[A-Za-z_]\w*|<=|>=|==|!=|[-+*/()<>,]/g) ?? []
  const times = [...new Set([...series.values()].flatMap(one => [...one.keys()]))].sort((a, b) => a - b)
  let at = 0
  const fail = (): never => {
    throw new AwsError('ValidationError', `Error in expression '${expression}': Invalid syntax`)
  }
  const take = (token: string): void => {
    if (tokens[at] !== token) fail()
    at += 1
  }
  const LEVELS = [
    ['<', '>', '<=', '>=', '==', '!='],
    ['+', '-'],
    ['*', '/'],
  ] as const
  const level = (depth: number): Value => {
    const operators = LEVELS[depth]
    if (operators === undefined) return primary()
    let left = level(depth + 1)
    while (operators.some(one => one === tokens[at])) {
      const operator = tokens[at] ?? ''
      at += 1
      left = combine(left, level(depth + 1), (a, b) => compute(operator, a, b))
    }
    return left
  }
  const primary = (): Value => {
    const token = tokens[at] ?? fail()
    at += 1
    if (token === '(') {
      const value = level(0)
      take(')')
      return value
    }
    if (token === '-') return combine(0, primary(), (a, b) => a - b)
    if (/^\d/.test(token)) return Number(token)
    if (tokens[at] === '(') return call(token)
    return series.get(token) ?? fail()
  }
  const call = (name: string): Value => {
    take('(')
    if (tokens[at] === ')') {
      at += 1
      return name === 'METRICS' ? total([...series.values()]) : fail()
    }
    const inner = tokens[at] === 'METRICS' ? [...series.values()] : undefined
    const given: Value[] = [level(0)]
    while (tokens[at] === ',') {
      at += 1
      given.push(level(0))
    }
    take(')')
    return apply(name, given, inner, times) ?? fail()
  }
  const value = level(0)
  if (at < tokens.length) fail()
  if (typeof value === 'number')
    throw new AwsError('ValidationError', `Error in expression '${expression}': it must return a time series`)
  return value
}

/** `times`: those of all series, which FILL fills. */
function apply(
  name: string,
  given: readonly Value[],
  metrics: readonly Series[] | undefined,
  times: readonly number[],
): Value | undefined {
  const [first, second, third] = given
  if (first === undefined) return undefined
  const fold = (by: (values: number[]) => number): Value => {
    if (metrics !== undefined) return folded(metrics, by)
    // Of one series these are one number.
    return typeof first === 'number' ? first : by([...first.values()])
  }
  switch (name) {
    case 'SUM':
      return fold(values => values.reduce((a, b) => a + b, 0))
    case 'AVG':
      return fold(values => values.reduce((a, b) => a + b, 0) / values.length)
    case 'MIN':
      return fold(values => Math.min(...values))
    case 'MAX':
      return fold(values => Math.max(...values))
    case 'FILL':
      return typeof first === 'number' || typeof second !== 'number'
        ? first
        : new Map(times.map(time => [time, first.get(time) ?? second]))
    case 'IF':
      return second === undefined ? undefined : combine3(first, second, third)
    default:
      return undefined
  }
}

const total = (all: readonly Series[]): Series => folded(all, values => values.reduce((a, b) => a + b, 0))

function folded(all: readonly Series[], by: (values: number[]) => number): Series {
  const times = [...new Set(all.flatMap(one => [...one.keys()]))].sort((a, b) => a - b)
  return new Map(times.map(time => [time, by(all.flatMap(one => one.get(time) ?? []))]))
}

/** Where both have a value. */
function combine(a: Value, b: Value, by: (a: number, b: number) => number): Value {
  if (typeof a === 'number' && typeof b === 'number') return by(a, b)
  const times =
    typeof a === 'number' ? [...(b as Series).keys()] : [...a.keys()].filter(time => typeof b === 'number' || b.has(time))
  const of = (value: Value, time: number): number => (typeof value === 'number' ? value : (value.get(time) ?? Number.NaN))
  return new Map(times.map(time => [time, by(of(a, time), of(b, time))] as const).filter(([, value]) => Number.isFinite(value)))
}

function combine3(condition: Value, yes: Value, no: Value | undefined): Value {
  const chosen = combine(condition, yes, (a, b) => (a !== 0 ? b : Number.NaN))
  if (no === undefined) return chosen
  const other = combine(condition, no, (a, b) => (a === 0 ? b : Number.NaN))
  if (typeof chosen === 'number' || typeof other === 'number') return condition !== 0 ? yes : no
  return new Map([...chosen, ...other].sort(([a], [b]) => a - b))
}

function compute(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '<':
      return Number(a < b)
    case '>':
      return Number(a > b)
    case '<=':
      return Number(a <= b)
    case '>=':
      return Number(a >= b)
    case '==':
      return Number(a === b)
    default:
      return Number(a !== b)
  }
}
