// One value of one query: what it takes to ask for (the value, the events behind it, the baseline beside it), put together to one measurement.
import type { Baseline, Gate, GateQuery, Question } from './gate.ts'
import { type BaselineNow, type Measurement, measure, readValue, readValues, type Value } from './measurement.ts'
import type { Asking, Fault, Provider } from './provider.ts'
import { short } from './threshold.ts'

/** What is known of the time before the deploy, once it is: it does not change any more. */
export interface BaselineMemory {
  values?: readonly number[]
}

export interface QueryAsking {
  readonly query: GateQuery
  readonly gate: Gate
  readonly provider: Provider
  readonly memory: BaselineMemory
  /** Ms since 1970. */
  readonly startedAt: number
  readonly now: number
  readonly deployedAt: number
  /** The newest data point that was counted. */
  readonly lastPointAt: number | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** The windows of a burn rate: the long one is all of the time watched so far, the short one a twelfth of the whole, as the SRE workbook has it. */
export function burnWindows(gate: Gate, elapsedMs: number): { readonly shortMs: number; readonly longMs: number } {
  const shortMs = Math.max(gate.windowMs, gate.durationMs / 12)
  return { shortMs, longMs: Math.max(shortMs, Math.min(gate.durationMs, elapsedMs)) }
}

export async function askQuery(
  asking: QueryAsking,
): Promise<{ readonly measurement: Measurement; readonly pointAt: number | undefined }> {
  const { query, now, startedAt } = asking
  const at = now - startedAt
  const without = (measurement: Measurement): { measurement: Measurement; pointAt: undefined } => ({
    measurement,
    pointAt: undefined,
  })
  const [value, events, baseline] = await Promise.all([askValue(asking), askEvents(asking), askBaseline(asking)])
  for (const answer of [value, events, baseline]) if (answer?.kind === 'fault') return without({ ...answer, at })
  if (value.kind !== 'value') return without({ ...(value as Exclude<typeof value, Value>), at })
  if (value.pointAt === asking.lastPointAt) return without({ kind: 'repeated', at })
  if (events !== undefined && query.events !== undefined) {
    if (events.kind === 'none')
      return without({ kind: 'none', at, reason: events.reason, problem: `has no events: the query for them ${events.problem}` })
    if (events.kind === 'value' && events.value < query.events.minimum)
      return without({
        kind: 'none',
        at,
        reason: 'TooFewEvents',
        problem: `is made of ${short(events.value)} events, and needs ${query.events.minimum}`,
      })
  }
  if (baseline?.kind === 'none') return without({ kind: 'none', at, reason: 'NoBaseline', problem: baseline.problem })
  const known: BaselineNow | undefined = baseline?.kind === 'value' ? { value: baseline.value } : undefined
  return { measurement: measure(query, at, value.value, known), pointAt: value.pointAt }
}

type Answer = ReturnType<typeof readValue>

async function askFor(asking: QueryAsking, question: Question, windowMs: number): Promise<Answer> {
  const { provider, now, gate, query } = asking
  return readValue(await provider.now(question, now, optionsOf(asking, windowMs)), query.aggregate, now, gate.staleMs)
}

function optionsOf({ gate, timeoutMs, signal, deployedAt }: QueryAsking, windowMs: number): Asking {
  return { windowMs, staleMs: gate.staleMs, timeoutMs, signal, deployedAt }
}

async function askValue(asking: QueryAsking): Promise<Answer> {
  const { query, gate, now, startedAt } = asking
  if (query.rule.kind !== 'burn-rate') return askFor(asking, query.question, gate.windowMs)
  const { shortMs, longMs } = burnWindows(gate, now - startedAt)
  const [short, long] = await Promise.all([askFor(asking, query.question, shortMs), askFor(asking, query.question, longMs)])
  if (short.kind !== 'value' || long.kind !== 'value') return short.kind === 'value' ? long : short
  // Spent fast over both windows: a short spike does not count, and neither does what is long over.
  return { ...short, value: Math.min(short.value, long.value) / (1 - query.rule.objective) }
}

async function askEvents(asking: QueryAsking): Promise<Answer | undefined> {
  const { events } = asking.query
  return events === undefined ? undefined : askFor(asking, events.question, asking.gate.windowMs)
}

function baselineOf({ rule }: GateQuery): Baseline | undefined {
  return rule.kind === 'ratio' || rule.kind === 'rank' ? rule.baseline : undefined
}

type BaselineAnswer = Pick<Value, 'kind' | 'value'> | { readonly kind: 'none'; readonly problem: string } | Fault

async function askBaseline(asking: QueryAsking): Promise<BaselineAnswer | undefined> {
  const baseline = baselineOf(asking.query)
  if (baseline === undefined) return undefined
  if (baseline.kind === 'stable') {
    const answer = await askFor(asking, baseline.question, asking.gate.windowMs)
    return answer.kind === 'none'
      ? { kind: 'none', problem: `has no baseline: the stable version's query ${answer.problem}` }
      : answer
  }
  const values = asking.memory.values ?? (await askBefore(asking, baseline.spanMs))
  if ('kind' in values) return values
  asking.memory.values = values
  if (values.length === 0) return { kind: 'none', problem: 'has no baseline: there are no values from before the deploy' }
  // The mean and not the median: of a rare error the median is 0, and any error then infinitely worse.
  return { kind: 'value', value: values.reduce((sum, value) => sum + value, 0) / values.length }
}

/** The values before the deploy, as far apart as those of the gate. */
async function askBefore(asking: QueryAsking, spanMs: number): Promise<readonly number[] | Fault> {
  const { query, provider, deployedAt, gate } = asking
  const reading = await provider.range(
    query.question,
    deployedAt - spanMs,
    deployedAt,
    query.intervalMs,
    optionsOf(asking, gate.windowMs),
  )
  if (reading.kind === 'fault') return reading
  if (reading.kind === 'nothing') return []
  const points = readValues(reading, query.aggregate)
  return 'kind' in points ? points : points.map(({ value }) => value)
}
