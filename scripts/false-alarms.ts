// How often a gate fails a healthy release, and how often it misses a bad one: thousands of simulated gates, judged by the verdict tables themselves.
// The same seed gives the same figures on every machine; `npm run docs` writes them into the README of monitoring-gate, and a test holds them there.
import { type Gate, type GateQuery } from '../src/checks/gate/gate.ts'
import { type Measurement, measure } from '../src/checks/gate/measurement.ts'
import { parseThreshold } from '../src/checks/gate/threshold.ts'
import { type GateVerdict, type History, judgeGate, judgeQuery } from '../src/checks/gate/verdict.ts'

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
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
}

/** Poisson; by the normal distribution where it can't be told from it. */
function poisson(mean: number, next: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(next)))
  const limit = Math.exp(-mean)
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
  const requests = poisson(service.requestsPerSecond * seconds * Math.max(0.1, 1 + TRAFFIC_SWAY * normal(next)), next)
  const chance = Math.min(1, service.errorRate * times * Math.max(0, 1 + SWAY * normal(next)))
  return { requests, errors: Math.min(requests, poisson(requests * chance, next)) }
}

function rate(buckets: readonly Bucket[]): number {
  const requests = buckets.reduce((sum, { requests }) => sum + requests, 0)
  return buckets.reduce((sum, { errors }) => sum + errors, 0) / requests
}

/** Plays one gate over a service that becomes `times` as bad when the gate begins. Windows overlap, as those of rate() do. */
export function play(gate: Gate, service: Service, times: number, seed: number): GateVerdict {
  const next = random(seed)
  const query = gate.queries[0] as GateQuery
  const { rule } = query
  const seconds = STEP_MS / 1_000
  const perWindow = Math.round(gate.windowMs / STEP_MS)
  const every = Math.round(query.intervalMs / STEP_MS)
  const before = Array.from({ length: Math.round(gate.durationMs / STEP_MS) + perWindow }, () => bucket(service, seconds, 1, next))
  const known = before
    .map((_, index) => index + 1)
    .filter(end => end > perWindow && (before.length - end) % every === 0)
    .map(end => rate(before.slice(end - perWindow, end)))
    .filter(value => !Number.isNaN(value))
  const baseline = rule.kind === 'ratio' ? { value: known.reduce((sum, value) => sum + value, 0) / known.length } : undefined
  const during: Bucket[] = []
  const measurements: Measurement[] = []
  for (let at = STEP_MS; ; at += STEP_MS) {
    during.push(bucket(service, seconds, times, next))
    if (at < gate.delayMs || (at - gate.delayMs) % query.intervalMs !== 0) continue
    const short = rate([...before, ...during].slice(-perWindow))
    const value = rule.kind === 'burn-rate' ? Math.min(short, rate(during)) / (1 - rule.objective) : short
    measurements.push(Number.isNaN(value) ? { kind: 'none', at, reason: 'NaN', problem: 'gave NaN' } : measure(query, at, value, baseline))
    const history: History = { query, measurements, baseline: known }
    const verdict = judgeGate([history], [judgeQuery(history, gate, at >= gate.durationMs ? 'time-over' : 'time-left')], gate, false)
    if (verdict !== undefined) return verdict
  }
}

const base = (consecutive: number, failureLimit: number): Omit<GateQuery, 'rule' | 'unit'> => ({
  name: 'errors', question: { kind: 'expression', text: '' }, aggregate: undefined, events: undefined, minimumSamples: undefined,
  intervalMs: 15_000, weight: 1, critical: true, consecutive, failureLimit })
const gateOf = (query: GateQuery): Gate => ({ queries: [query], durationMs: 300_000, delayMs: 60_000, windowMs: 60_000, staleMs: 300_000, providerTimeoutMs: 60_000,
  onNoData: 'inconclusive', minimumScore: 1, earlyPass: undefined, deployedAt: undefined })
const before = { kind: 'before', spanMs: 300_000 } as const
for (const [c, f] of [[3, 5], [4, 6], [4,8], [5, 8]] as const) for (const rps of [2, 5, 10, 50]) {
  const kinds: [string, GateQuery, number, Gate?][] = [
    ['thr', { ...base(c, f), unit: 'ratio', rule: { kind: 'threshold', threshold: parseThreshold('< 5%') } }, 0.02],
    ['thr10', { ...base(c, f), unit: 'ratio', rule: { kind: 'threshold', threshold: parseThreshold('< 10%') } }, 0.05],
    ['ratio', { ...base(c, f), unit: 'ratio', rule: { kind: 'ratio', ratio: parseThreshold('< 2'), ignore: undefined, baseline: before } }, 0.02],
    ['rank', { ...base(c, f), intervalMs: 60_000, unit: 'ratio', rule: { kind: 'rank', worse: 'higher', confidence: 0.99, effect: 1.5, ignore: undefined, baseline: before } }, 0.02],
    ['burn', { ...base(c, f), unit: 'number', rule: { kind: 'burn-rate', objective: 0.99, limit: 2 } }, 0.01],
  ]
  const out = kinds.map(([name, query, p]) => {
    const g = gateOf(query)
    let [ff, fi, mp, mi] = [0, 0, 0, 0]
    for (let seed = 0; seed < GATES; seed++) {
      const h = play(g, { requestsPerSecond: rps, errorRate: p }, 1, seed).result
      if (h === 'failed') ff++; if (h === 'inconclusive') fi++
      const m = play(g, { requestsPerSecond: rps, errorRate: p }, WORSE, seed + 1e6).result
      if (m === 'passed') mp++; if (m === 'inconclusive') mi++
    }
    return `${name} F${ff}/${fi} M${mp}/${mi}`
  })
  console.log(c, f, rps, out.join('  '))
}
