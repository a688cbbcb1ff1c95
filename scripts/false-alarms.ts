// How often a gate fails a healthy release, and how often it misses a bad one: thousands of simulated gates, judged by the verdict tables themselves.
// The same seed gives the same figures on every machine; `npm run docs` writes them into the README of monitoring-gate, and a test holds them there.
import type { Gate, GateQuery, Rule } from '../src/checks/gate/gate.ts'
import { type Measurement, measure } from '../src/checks/gate/measurement.ts'
import { DEFAULTS } from '../src/checks/gate/plan.ts'
import { parseThreshold } from '../src/checks/gate/threshold.ts'
import { type GateVerdict, type History, judgeGate, judgeQuery } from '../src/checks/gate/verdict.ts'

/** Taken from the global object once: in a test's own world every look at it is slow. */
const { cos, exp, imul, log, max, min, PI: pi, round, sqrt } = Math
const isNoNumber = Number.isNaN

/** A service as a gate sees it. */
interface Service {
  readonly requestsPerSecond: number
  /** Share of requests that fail while it is healthy. */
  readonly errorRate: number
}

/** How much the chance of an error sways from one interval to the next, as a share of itself: real traffic is no fair die. */
const SWAY = 0.3
/** How much the traffic sways. */
const TRAFFIC_SWAY = 0.2
const STEP_MS = 15_000
export const GATES = 1_000
const WORSE = 3

/** mulberry32: small, and the same everywhere. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = imul(state ^ (state >>> 15), 1 | state)
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

function normal(next: () => number): number {
  return sqrt(-2 * log(1 - next())) * cos(2 * pi * next())
}

/** Poisson; by the normal distribution where it can't be told from it. */
function poisson(mean: number, next: () => number): number {
  if (mean > 50) return max(0, round(mean + sqrt(mean) * normal(next)))
  const limit = exp(-mean)
  let count = 0
  for (let product = next(); product > limit; product *= next()) count++
  return count
}

interface Bucket {
  readonly requests: number
  readonly errors: number
}

/** One interval of traffic. */
function bucket(service: Service, seconds: number, times: number, next: () => number): Bucket {
  const requests = poisson(service.requestsPerSecond * seconds * max(0.1, 1 + TRAFFIC_SWAY * normal(next)), next)
  const chance = min(1, service.errorRate * times * max(0, 1 + SWAY * normal(next)))
  return { requests, errors: min(requests, poisson(requests * chance, next)) }
}

function rate(buckets: readonly Bucket[]): number {
  const requests = buckets.reduce((sum, { requests }) => sum + requests, 0)
  return buckets.reduce((sum, { errors }) => sum + errors, 0) / requests
}

/** Plays one gate over a service that becomes `times` as bad when the gate begins. Windows overlap, as those of rate() do. */
function play(gate: Gate, service: Service, times: number, seed: number): GateVerdict {
  const next = random(seed)
  const query = gate.queries[0] as GateQuery
  const { rule } = query
  const seconds = STEP_MS / 1_000
  const perWindow = round(gate.windowMs / STEP_MS)
  const every = round(query.intervalMs / STEP_MS)
  const before = Array.from({ length: round(gate.durationMs / STEP_MS) + perWindow }, () => bucket(service, seconds, 1, next))
  const known = before
    .map((_, index) => index + 1)
    .filter(end => end > perWindow && (before.length - end) % every === 0)
    .map(end => rate(before.slice(end - perWindow, end)))
    .filter(value => !isNoNumber(value))
  const baseline = rule.kind === 'ratio' ? { value: known.reduce((sum, value) => sum + value, 0) / known.length } : undefined
  const during: Bucket[] = []
  const measurements: Measurement[] = []
  for (let at = STEP_MS; ; at += STEP_MS) {
    during.push(bucket(service, seconds, times, next))
    if (at < query.delayMs || (at - query.delayMs) % query.intervalMs !== 0) continue
    const short = rate([...before, ...during].slice(-perWindow))
    const value = rule.kind === 'burn-rate' ? min(short, rate(during)) / (1 - rule.objective) : short
    measurements.push(
      isNoNumber(value) ? { kind: 'none', at, reason: 'NaN', problem: 'gave NaN' } : measure(query, at, value, baseline),
    )
    const history: History = { query, measurements, baseline: known }
    const verdict = judgeGate(
      [history],
      [judgeQuery(history, gate, at >= gate.durationMs ? 'time-over' : 'time-left')],
      gate,
      false,
    )
    if (verdict !== undefined) return verdict
  }
}

const RANK_WINDOW_MS = 60_000
const BEFORE = { kind: 'before', spanMs: 600_000 } as const

/** A gate as the README gives it: whatever is not named here is a default. */
interface Setting {
  readonly gate: string
  readonly service: Service
  readonly rule: Rule
  readonly durationMs: number
  readonly windowMs: number
}

const SETTINGS: readonly Setting[] = [
  {
    gate: '`threshold: < 5%`',
    service: { requestsPerSecond: 10, errorRate: 0.02 },
    rule: { kind: 'threshold', threshold: parseThreshold('< 5%') },
    durationMs: DEFAULTS.durationMs,
    windowMs: DEFAULTS.windowMs,
  },
  {
    gate: '`threshold: < 5%`, little traffic: `window: 4m`, `duration: 15m`',
    service: { requestsPerSecond: 2, errorRate: 0.02 },
    rule: { kind: 'threshold', threshold: parseThreshold('< 5%') },
    durationMs: 900_000,
    windowMs: 240_000,
  },
  {
    gate: '`baseline: { before: true, ratio: < 2 }`',
    service: { requestsPerSecond: 20, errorRate: 0.02 },
    rule: { kind: 'ratio', ratio: parseThreshold('< 2'), ignore: undefined, baseline: BEFORE },
    durationMs: DEFAULTS.durationMs,
    windowMs: DEFAULTS.windowMs,
  },
  {
    gate: '`baseline: { before: true, confidence: 99% }`, `duration: 10m`',
    service: { requestsPerSecond: 10, errorRate: 0.02 },
    rule: { kind: 'rank', worse: 'higher', confidence: 0.99, effect: DEFAULTS.effect, ignore: undefined, baseline: BEFORE },
    durationMs: 600_000,
    windowMs: DEFAULTS.windowMs,
  },
  {
    gate: '`burn-rate: { objective: 99%, limit: 2 }`',
    service: { requestsPerSecond: 10, errorRate: 0.01 },
    rule: { kind: 'burn-rate', objective: 0.99, limit: 2 },
    durationMs: DEFAULTS.durationMs,
    windowMs: DEFAULTS.windowMs,
  },
]

function gateOf({ rule, durationMs, windowMs }: Setting): Gate {
  const query: GateQuery = {
    name: 'errors',
    question: { kind: 'expression', text: '' },
    rule,
    unit: 'ratio',
    aggregate: undefined,
    events: undefined,
    minimumSamples: undefined,
    delayMs: windowMs,
    intervalMs: rule.kind === 'rank' ? RANK_WINDOW_MS : DEFAULTS.intervalMs,
    weight: 1,
    critical: true,
    consecutive: DEFAULTS.consecutive,
    failureLimit: DEFAULTS.failureLimit,
  }
  return {
    queries: [query],
    durationMs,
    windowMs,
    staleMs: DEFAULTS.staleMs,
    providerTimeoutMs: DEFAULTS.providerTimeoutMs,
    onNoData: 'inconclusive',
    minimumScore: 1,
    earlyPass: undefined,
    deployedAt: undefined,
  }
}

export interface Figures {
  readonly gate: string
  readonly service: Service
  /** Of GATES gates on a healthy service. */
  readonly falseFailures: number
  /** Of GATES gates on a service with three times its errors. */
  readonly missed: number
}

export function figures(): readonly Figures[] {
  return SETTINGS.map(setting => {
    const gate = gateOf(setting)
    const count = (times: number, from: number, result: GateVerdict['result']): number =>
      Array.from({ length: GATES }, (_, index) => play(gate, setting.service, times, from + index)).filter(
        verdict => verdict.result === result,
      ).length
    return {
      gate: setting.gate,
      service: setting.service,
      falseFailures: count(1, 0, 'failed'),
      missed: count(WORSE, 1_000_000, 'passed'),
    }
  })
}
