// The one loop of a gate: asks every query when it is due, prints what changed, and ends when the verdict table has one.
import { type Clock, sleep } from '../../deploy/clock.ts'
import { formatDuration } from '../../runner/duration.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { askQuery, type BaselineMemory } from './ask-query.ts'
import { type Gate, type GateQuery, plannedSamples } from './gate.ts'
import { describeMeasurement, type Measurement } from './measurement.ts'
import { describeRule } from './plan.ts'
import type { Provider } from './provider.ts'
import { type GateVerdict, type History, judgeGate, judgeQuery, type QueryVerdict } from './verdict.ts'

export interface GateOptions {
  readonly gate: Gate
  readonly providerOf: (query: GateQuery) => Provider
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** One query when the gate has ended. `resolved` is foreign text. */
export interface QueryRun extends History {
  readonly verdict: QueryVerdict | undefined
  readonly resolved: string
  readonly link: string | undefined
}

export interface GateRun {
  readonly verdict: GateVerdict
  readonly queries: readonly QueryRun[]
  readonly startedAt: number
  readonly elapsedMs: number
}

/** One request may take so long: a provider that needs more is as good as away. */
const REQUEST_LIMIT_MS = 10_000
/** In a long wait something is printed at least this often, so that nobody takes the step for dead. */
const SIGN_OF_LIFE_MS = 60_000

interface State {
  readonly query: GateQuery
  readonly provider: Provider
  readonly measurements: Measurement[]
  readonly memory: BaselineMemory
  nextAt: number
  lastPointAt: number | undefined
  verdict: QueryVerdict | undefined
  printed: string
}

/** Runs a gate to its verdict. */
export async function runGate({ gate, providerOf, clock, signal, print }: GateOptions): Promise<GateRun> {
  const startedAt = clock.now()
  const deployedAt = Math.min(gate.deployedAt ?? startedAt, startedAt)
  const elapsed = (): number => clock.now() - startedAt
  let printedAt = 0
  const say = (line: string): void => {
    printedAt = elapsed()
    print(`${`+${formatDuration(printedAt)}`.padEnd(10)} ${line}`)
  }
  const states: State[] = gate.queries.map(query => ({
    query,
    provider: providerOf(query),
    measurements: [],
    memory: {},
    nextAt: query.delayMs,
    lastPointAt: undefined,
    verdict: undefined,
    printed: '',
  }))
  for (const line of describeGate(gate)) print(line)
  for (const { query, provider } of states)
    print(`${query.name} ${describeRule(query)}: ${foreignLine(provider.resolved(query.question, gate.windowMs), 600)}`)

  const history = ({ query, measurements, memory }: State): History => ({ query, measurements, baseline: memory.values })
  const end = (verdict: GateVerdict): GateRun => {
    const to = clock.now()
    return {
      verdict,
      startedAt,
      elapsedMs: elapsed(),
      queries: states.map(state => ({
        ...history(state),
        verdict: state.verdict,
        resolved: state.provider.resolved(state.query.question, gate.windowMs),
        link: state.provider.link(state.query.question, startedAt, to, gate.windowMs),
      })),
    }
  }

  for (;;) {
    const now = clock.now()
    const due = states.filter(state => state.verdict === undefined && state.nextAt <= now - startedAt)
    await Promise.all(
      due.map(async state => {
        const { query, provider, memory, lastPointAt } = state
        const asked = await askQuery({
          query,
          gate,
          provider,
          memory,
          startedAt,
          now,
          deployedAt,
          lastPointAt,
          timeoutMs: REQUEST_LIMIT_MS,
          signal,
        })
        // What was given up because of the cancel says nothing of the release.
        if (signal.aborted) return
        state.measurements.push(asked.measurement)
        state.lastPointAt = asked.pointAt ?? lastPointAt
      }),
    )
    if (!signal.aborted) for (const state of due) tell(state, gate, say)
    // A slow answer has used up the turns that went by meanwhile.
    for (const state of due) while (state.nextAt <= elapsed()) state.nextAt += state.query.intervalMs
    const over = now - startedAt >= gate.durationMs
    for (const state of states)
      state.verdict ??= signal.aborted ? undefined : judgeQuery(history(state), gate, over ? 'time-over' : 'time-left')
    const verdict = judgeGate(
      states.map(history),
      states.map(state => state.verdict),
      gate,
      signal.aborted,
    )
    if (verdict !== undefined) return end(verdict)
    const next = Math.min(...states.filter(state => state.verdict === undefined).map(state => state.nextAt))
    const until = startedAt + (elapsed() < gate.durationMs ? Math.min(next, gate.durationMs) : next)
    while (clock.now() < until && !signal.aborted) {
      const silence = elapsed() - printedAt
      if (silence >= SIGN_OF_LIFE_MS) say(stillWatching(states, gate.durationMs - elapsed()))
      else await sleep(clock, Math.min(until - clock.now(), SIGN_OF_LIFE_MS - silence), signal)
    }
  }
}

function describeGate(gate: Gate): string[] {
  const [first] = gate.queries
  const planned = first === undefined ? 0 : plannedSamples(gate, first)
  const from = first === undefined || first.delayMs === 0 ? '' : `, the first after ${formatDuration(first.delayMs)}`
  return [
    `Watching ${gate.queries.length} ${gate.queries.length === 1 ? 'query' : 'queries'} for ${formatDuration(gate.durationMs)}: ${planned} ${planned === 1 ? 'value' : 'values'} each${from}`,
  ]
}

/** Says what changed: every bad value, and the first of its kind of everything else. */
function tell(state: State, gate: Gate, say: (line: string) => void): void {
  const { query, measurements } = state
  const last = measurements.at(-1)
  if (last === undefined || last.kind === 'repeated') return
  const values = measurements.filter(measurement => measurement.kind === 'value')
  const streak = values.length - 1 - values.findLastIndex(value => value.good)
  const bad = last.kind === 'value' && !last.good
  const sign = bad ? `bad ${values.length}` : last.kind === 'value' ? 'good' : `${last.kind} ${last.reason}`
  if (sign === state.printed) return
  state.printed = sign
  const count = bad && query.consecutive > 1 ? ` (${streak} of ${query.consecutive} in a row)` : ''
  const away = last.kind === 'fault' && last.healable ? `; asking on for ${formatDuration(gate.providerTimeoutMs)}` : ''
  say(`${query.name}: ${shown(query, last)}${count}${away}`)
}

function stillWatching(states: readonly State[], remainingMs: number): string {
  const lines = states
    .filter(({ verdict }) => verdict === undefined)
    .slice(0, 5)
    .map(({ query, measurements }) => {
      const last = measurements.findLast(measurement => measurement.kind !== 'repeated')
      return `${query.name}: ${last === undefined ? 'no value yet' : shown(query, last)}`
    })
  return `still watching, for ${formatDuration(Math.max(0, remainingMs))} more; ${lines.join('; ')}`
}

function shown({ rule, unit }: GateQuery, measurement: Measurement): string {
  if (rule.kind === 'alarm' && measurement.kind === 'value') return measurement.good ? 'OK' : 'is in ALARM'
  return describeMeasurement(measurement, unit)
}
