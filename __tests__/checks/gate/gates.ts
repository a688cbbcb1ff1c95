// Gates for tests: everything has a value that plays no part, so that a test names only what it is about.
import type { Gate, GateQuery, Rule } from '../../../src/checks/gate/gate.ts'
import { type Measurement, measure } from '../../../src/checks/gate/measurement.ts'
import { parseThreshold } from '../../../src/checks/gate/threshold.ts'
import type { History } from '../../../src/checks/gate/verdict.ts'

export const BELOW_5_PERCENT: Rule = { kind: 'threshold', threshold: parseThreshold('< 5%') }

export function query(more: Partial<GateQuery> = {}): GateQuery {
  return {
    name: 'errors',
    question: { kind: 'expression', text: 'errors' },
    rule: BELOW_5_PERCENT,
    unit: 'ratio',
    aggregate: undefined,
    events: undefined,
    minimumSamples: undefined,
    delayMs: 0,
    intervalMs: 10_000,
    weight: 1,
    critical: true,
    consecutive: 3,
    failureLimit: 4,
    ...more,
  }
}

/** 10 values: one each 10 s, the first at once. */
export function gate(more: Partial<Gate> = {}): Gate {
  return {
    queries: [query()],
    durationMs: 90_000,
    windowMs: 10_000,
    staleMs: 300_000,
    providerTimeoutMs: 30_000,
    onNoData: 'inconclusive',
    minimumScore: 1,
    earlyPass: undefined,
    deployedAt: undefined,
    ...more,
  }
}

/** What was measured, one sign each: g good, b bad, n NaN, f a fault that may heal, x one that can't, = the same data point again. */
export function measured(signs: string, of: GateQuery = query()): Measurement[] {
  return [...signs].map((sign, index): Measurement => {
    const at = index * of.intervalMs
    if (sign === 'g') return measure(of, at, 0.01, undefined)
    if (sign === 'b') return measure(of, at, 0.08, undefined)
    if (sign === 'n') return { kind: 'none', at, reason: 'NaN', problem: 'gave NaN, not a number' }
    if (sign === '=') return { kind: 'repeated', at }
    const healable = sign === 'f'
    return { kind: 'fault', at, reason: healable ? 'Unreachable' : 'InvalidQuery', problem: 'could not be asked', healable }
  })
}

export function history(signs: string, of: GateQuery = query()): History {
  return { query: of, measurements: measured(signs, of), baseline: undefined }
}

/** Values for a rule that looks at all of them together. */
export function valuesOf(of: GateQuery, values: readonly number[], baseline?: readonly number[]): History {
  return { query: of, measurements: values.map((value, index) => measure(of, index * of.intervalMs, value, undefined)), baseline }
}
