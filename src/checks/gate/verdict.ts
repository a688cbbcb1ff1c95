// The verdict tables of a gate. Pure: from what was measured so far to passed, failed, inconclusive, or to asking on.
//
// One query, the first row that holds decides:
//   | seen                                                                  | verdict        | reason                           |
//   |-----------------------------------------------------------------------|----------------|----------------------------------|
//   | a fault that asking again cannot heal                                 | inconclusive   | InvalidQuery, Unauthorized, ...  |
//   | `consecutive` bad values in a row, or more than `failure-limit` in all | failed        | ThresholdExceeded,               |
//   |                                                                       |                | WorseThanBaseline, BurnRate,     |
//   |                                                                       |                | Alarm                            |
//   | by rank: worse, even if all values to come were the best ever seen    | failed         | WorseThanBaseline                |
//   | for `provider-timeout` nothing but faults                             | inconclusive   | the fault's: Unreachable, ...    |
//   | time is left                                                          | ask on         |                                  |
//   | not `minimum-samples` values, most of what else came being faults     | inconclusive   | the last fault's                 |
//   | no value at all                                                       | `on-no-data`   | NoData, NaN, StaleData, ...      |
//   | values, but not `minimum-samples`                                     | inconclusive   | TooFewSamples                    |
//   | the last one is bad, or there is none: asked `consecutive` times more | ask on         |                                  |
//   | then still bad                                                        | inconclusive   | Unsettled                        |
//   | then still none                                                       | `on-no-data`, or inconclusive for a fault | its own |
//   | by rank: worse, by `confidence` and by `effect`                       | failed         | WorseThanBaseline                |
//   | by rank: no baseline, or too few values to be that sure of anything   | inconclusive   | NoBaseline, TooFewSamples        |
//   | else                                                                  | passed         |                                  |
//
// The gate:
//   | seen                                                                  | verdict        |
//   |-----------------------------------------------------------------------|----------------|
//   | a critical query failed                                               | failed, at once |
//   | the others cannot reach `minimum-score` any more, all undecided ones counted as passed | failed, at once |
//   | cancelled                                                             | cancelled      |
//   | every query good `early-pass` times in a row, where that is set       | passed         |
//   | a query is undecided                                                  | ask on         |
//   | a critical query is inconclusive, or the score could go either way    | inconclusive   |
//   | else                                                                  | passed         |
import { type Gate, type GateQuery, plannedSamples, samplesNeeded } from './gate.ts'
import { probabilityOfChance } from './mann-whitney.ts'
import { describeMeasurement, type Measurement } from './measurement.ts'
import { formatValue, short } from './threshold.ts'

/** All that is known of one query. */
export interface History {
  readonly query: GateQuery
  /** In the order in which they were taken. */
  readonly measurements: readonly Measurement[]
  /** By rank: what was measured before the deploy; undefined while it is not known. Values of a stable version are with each measurement. */
  readonly baseline: readonly number[] | undefined
}

export interface QueryVerdict {
  readonly result: 'passed' | 'failed' | 'inconclusive'
  /** Empty for a pass. */
  readonly reason: string
  /** What was seen, to be said after the query's name. */
  readonly because: string
}

export interface GateVerdict {
  readonly result: 'passed' | 'failed' | 'inconclusive' | 'cancelled'
  readonly reason: string
  /** A sentence's part, names of queries included. */
  readonly because: string
  /** The share of the weight that passed. */
  readonly score: number
}

/** Whether the gate may go on. */
export type Moment = 'time-left' | 'time-over'

type ValueMeasurement = Extract<Measurement, { kind: 'value' }>

/** The first table. Undefined: ask on. */
export function judgeQuery(history: History, gate: Gate, moment: Moment): QueryVerdict | undefined {
  const { query } = history
  const counted = history.measurements.filter(measurement => measurement.kind !== 'repeated')
  const values = counted.filter(measurement => measurement.kind === 'value')
  const last = counted.at(-1)
  if (last?.kind === 'fault' && !last.healable) return { result: 'inconclusive', reason: last.reason, because: last.problem }
  const failure =
    failureOf(query, values) ?? rankFailure(history, values, moment === 'time-over' ? 0 : remaining(counted.length, gate, query))
  if (failure !== undefined && (query.rule.kind !== 'rank' || moment === 'time-left')) return failure
  const away = faultsInARow(counted)
  if (away !== undefined && away.forMs >= gate.providerTimeoutMs)
    return {
      result: 'inconclusive',
      reason: away.last.reason,
      because: `${away.last.problem}, for ${Math.round(away.forMs / 1_000)} s now`,
    }
  if (moment === 'time-left') return undefined
  return atTheEnd(history, counted, values, gate, failure)
}

function atTheEnd(
  { query, baseline }: History,
  counted: readonly Measurement[],
  values: readonly ValueMeasurement[],
  gate: Gate,
  failure: QueryVerdict | undefined,
): QueryVerdict | undefined {
  const planned = plannedSamples(gate, query)
  const needed = samplesNeeded(query, planned)
  const last = counted.at(-1)
  const more = counted.filter(({ at }) => at > gate.durationMs + query.intervalMs / 2).length
  const mayAskOn = more < query.consecutive
  if (values.length < needed) {
    const faults = counted.filter(measurement => measurement.kind === 'fault')
    const empty = counted.filter(measurement => measurement.kind === 'none')
    const fault = faults.at(-1)
    if (fault !== undefined && faults.length >= empty.length)
      return {
        result: 'inconclusive',
        reason: fault.reason,
        because: `${fault.problem} (${faults.length} of ${counted.length} times)`,
      }
    const lastEmpty = empty.at(-1)
    if (values.length === 0 && lastEmpty !== undefined) return withoutData(lastEmpty.reason, lastEmpty.problem, gate)
    return {
      result: 'inconclusive',
      reason: 'TooFewSamples',
      because: `gave ${values.length} values of the ${needed} that a verdict needs${lastEmpty === undefined ? '' : `: else it ${lastEmpty.problem}`}`,
    }
  }
  if (last !== undefined && (last.kind !== 'value' || !last.good)) {
    if (mayAskOn) return undefined
    if (last.kind === 'none') return withoutData(last.reason, `${last.problem} at the end`, gate)
    if (last.kind === 'fault') return { result: 'inconclusive', reason: last.reason, because: `${last.problem}, at the end` }
    return {
      result: 'inconclusive',
      reason: 'Unsettled',
      because: `${describeMeasurement(last, query.unit)} at the end, though never ${query.consecutive} times in a row`,
    }
  }
  if (query.rule.kind === 'rank') {
    if (failure !== undefined) return failure
    const known = baselineOf(query, values, baseline).length
    if (known === 0) return { result: 'inconclusive', reason: 'NoBaseline', because: 'has no baseline to be held against' }
    if (!canDecide(values.length, known, query.rule.confidence))
      return {
        result: 'inconclusive',
        reason: 'TooFewSamples',
        because: `has ${values.length} values against ${known} before, too few to be ${percent(query.rule.confidence)} sure of anything`,
      }
  }
  return { result: 'passed', reason: '', because: passedBecause(query, values, baseline) }
}

function withoutData(reason: string, problem: string, { onNoData }: Gate): QueryVerdict {
  if (onNoData === 'pass') return { result: 'passed', reason: '', because: `${problem}, which on-no-data: pass lets pass` }
  return { result: onNoData === 'fail' ? 'failed' : 'inconclusive', reason, because: problem }
}

/** Values still to come when all goes well. */
function remaining(taken: number, gate: Gate, query: GateQuery): number {
  return Math.max(0, plannedSamples(gate, query) - taken)
}

const REASONS = {
  threshold: 'ThresholdExceeded',
  ratio: 'WorseThanBaseline',
  rank: 'WorseThanBaseline',
  'burn-rate': 'BurnRate',
  alarm: 'Alarm',
} as const

function failureOf(query: GateQuery, values: readonly ValueMeasurement[]): QueryVerdict | undefined {
  const last = values.at(-1)
  if (last === undefined || last.good) return undefined
  const streak = values.length - 1 - values.findLastIndex(value => value.good)
  const bad = values.filter(value => !value.good).length
  const what = query.rule.kind === 'alarm' ? 'is in ALARM' : describeMeasurement(last, query.unit)
  const reason = REASONS[query.rule.kind]
  const times = (count: number): string => (query.rule.kind === 'alarm' ? '' : count === 1 ? ', once' : `, ${count} times`)
  if (streak >= query.consecutive)
    return { result: 'failed', reason, because: `${what}${times(streak)}${streak > 1 ? ' in a row' : ''}` }
  if (bad > query.failureLimit) return { result: 'failed', reason, because: `${what}${times(bad)} of ${values.length}` }
  return undefined
}

/**
 * By rank, what holds whatever the next `toCome` values are. They are taken as better than all that was seen, and the good version's as worse:
 * so to look at every moment costs none of the confidence.
 */
function rankFailure(history: History, values: readonly ValueMeasurement[], toCome: number): QueryVerdict | undefined {
  const { query } = history
  if (query.rule.kind !== 'rank') return undefined
  const { worse, confidence, effect, ignore, baseline: source } = query.rule
  const before = baselineOf(query, values, history.baseline)
  if (values.length === 0 || before.length === 0) return undefined
  const now = values.map(({ value }) => value)
  const sign = worse === 'higher' ? 1 : -1
  const best = -sign * Number.MAX_VALUE
  const future = new Array<number>(toCome).fill(best)
  const futureBefore = new Array<number>(source.kind === 'stable' ? toCome : 0).fill(-best)
  const [release, known] = [
    [...now, ...future].map(value => sign * value),
    [...before, ...futureBefore].map(value => sign * value),
  ]
  const chance = probabilityOfChance(release, known)
  if (chance > 1 - confidence) return undefined
  // The mean of what is to come is not known; nothing that can be counted goes below 0.
  const means = [(mean(now) * now.length) / (now.length + toCome), mean(before)] as const
  const nonNegative = now.every(value => value >= 0) && before.every(value => value >= 0)
  if (toCome > 0 && (!nonNegative || worse === 'lower' || source.kind === 'stable')) return undefined
  if (worse === 'higher' ? means[0] < means[1] * effect : means[0] * effect > means[1]) return undefined
  if (ignore !== undefined && (worse === 'higher' ? means[0] <= ignore.value : means[0] >= ignore.value)) return undefined
  return {
    result: 'failed',
    reason: REASONS.rank,
    because: `${formatValue(mean(now), query.unit)} in the mean is worse than ${formatValue(mean(before), query.unit)} before: by chance only with a probability of ${short(Math.max(chance, 1e-6))} (${now.length} values against ${before.length})`,
  }
}

/** Whether so few values could fail the test at all: if not, that they did not fail it says nothing. */
function canDecide(values: number, known: number, confidence: number): boolean {
  const worst = [...new Array<number>(values).keys()].map(value => value + known)
  return probabilityOfChance(worst, [...new Array<number>(known).keys()]) <= 1 - confidence
}

function baselineOf(
  { rule }: GateQuery,
  values: readonly ValueMeasurement[],
  before: readonly number[] | undefined,
): readonly number[] {
  if (rule.kind === 'rank' && rule.baseline.kind === 'stable')
    return values.flatMap(({ baseline }) => (baseline === undefined ? [] : [baseline]))
  return before ?? []
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The faults that came last without anything between, and for how long. */
function faultsInARow(
  counted: readonly Measurement[],
): { readonly forMs: number; readonly last: Extract<Measurement, { kind: 'fault' }> } | undefined {
  const last = counted.at(-1)
  if (last?.kind !== 'fault') return undefined
  const first = counted[counted.findLastIndex(measurement => measurement.kind !== 'fault') + 1] ?? last
  return { forMs: last.at - first.at, last }
}

function passedBecause(query: GateQuery, values: readonly ValueMeasurement[], before: readonly number[] | undefined): string {
  const bad = values.filter(value => !value.good).length
  const last = values.at(-1)
  if (last === undefined) return 'gave no value'
  if (query.rule.kind === 'alarm') return 'is OK'
  const count = `${values.length} ${values.length === 1 ? 'value' : 'values'}`
  if (query.rule.kind === 'rank') {
    const known = baselineOf(query, values, before)
    return `${formatValue(mean(values.map(({ value }) => value)), query.unit)} in the mean of ${count}, ${formatValue(mean(known), query.unit)} before`
  }
  return `${describeMeasurement(last, query.unit)} at last, ${count}${bad === 0 ? '' : `, ${bad} of them bad`}`
}

/** Whether the query alone would let the gate end before its time. */
function passesEarly({ query, measurements, baseline }: History, earlyPass: number, gate: Gate): boolean {
  const counted = measurements.filter(measurement => measurement.kind !== 'repeated')
  const values = counted.filter(measurement => measurement.kind === 'value')
  if (values.length < (query.minimumSamples ?? 0)) return false
  const streak = counted.length - 1 - counted.findLastIndex(measurement => measurement.kind !== 'value' || !measurement.good)
  if (streak < earlyPass) return false
  return (
    query.rule.kind !== 'rank' || !mayStillFail({ query, measurements, baseline }, values, remaining(counted.length, gate, query))
  )
}

/** By rank: whether values to come, the worst there are, could make it a failure. */
function mayStillFail({ query, baseline }: History, values: readonly ValueMeasurement[], toCome: number): boolean {
  if (query.rule.kind !== 'rank') return true
  const before = baselineOf(query, values, baseline)
  if (before.length === 0 || query.rule.baseline.kind === 'stable') return true
  const sign = query.rule.worse === 'higher' ? 1 : -1
  const now = [...values.map(({ value }) => sign * value), ...new Array<number>(toCome).fill(Number.MAX_VALUE)]
  return (
    probabilityOfChance(
      now,
      before.map(value => sign * value),
    ) <=
    1 - query.rule.confidence
  )
}

/** The second table. Undefined: ask on. `verdicts` are those of `histories`, in the same order. */
export function judgeGate(
  histories: readonly History[],
  verdicts: readonly (QueryVerdict | undefined)[],
  gate: Gate,
  cancelled: boolean,
): GateVerdict | undefined {
  const all = histories.map((history, index) => ({ history, query: history.query, verdict: verdicts[index] }))
  const weigh = (some: typeof all): number => some.reduce((sum, { query }) => sum + query.weight, 0)
  const total = weigh(all)
  const share = (some: typeof all): number => (total === 0 ? 1 : weigh(some) / total)
  const passed = all.filter(({ verdict }) => verdict?.result === 'passed')
  const failed = all.filter(({ verdict }) => verdict?.result === 'failed')
  const open = all.filter(({ verdict }) => verdict === undefined)
  const unclear = all.filter(({ verdict }) => verdict?.result === 'inconclusive')
  const score = share(passed)
  const best = share(all.filter(({ verdict }) => verdict?.result !== 'failed'))
  const told = (some: typeof all): string =>
    some
      .slice(0, 3)
      .map(({ query, verdict }) => `${query.name} ${verdict?.because ?? ''}`)
      .join('; ') + (some.length > 3 ? `; and ${some.length - 3} more` : '')
  const because = (result: GateVerdict['result'], first: typeof all, text = told(first)): GateVerdict => ({
    result,
    reason: first[0]?.verdict?.reason ?? '',
    because: text,
    score,
  })

  const critical = failed.filter(({ query }) => query.critical)
  if (critical.length > 0) return because('failed', [...critical, ...failed.filter(({ query }) => !query.critical)])
  if (best < gate.minimumScore - TINY)
    return because(
      'failed',
      failed,
      `${told(failed)}: at most ${percent(best)} of the weight can pass, and ${percent(gate.minimumScore)} must`,
    )
  if (cancelled) return { result: 'cancelled', reason: 'Cancelled', because: 'was cancelled', score }
  const { earlyPass } = gate
  if (
    earlyPass !== undefined &&
    open.length > 0 &&
    unclear.length === 0 &&
    failed.length === 0 &&
    open.every(({ history }) => passesEarly(history, earlyPass, gate))
  )
    return { result: 'passed', reason: '', because: `every value was good, the last ${earlyPass} times in a row`, score: 1 }
  if (open.length > 0) return undefined
  const needed = unclear.filter(({ query }) => query.critical || score < gate.minimumScore - TINY)
  if (needed.length > 0) return because('inconclusive', needed)
  return because('passed', [], told(passed))
}

/** Sums of weights are not exact. */
const TINY = 1e-9

function percent(share: number): string {
  return `${short(share * 100)} %`
}
