// What a gate asks: its queries, the rule each is held against, and how long it is watched. The schema makes one of it, a test may as well.
import type { Threshold, Unit } from './threshold.ts'

/** One thing a provider can be asked for. */
export type Question =
  /** PromQL, Datadog's query language or CloudWatch's metric math; `$window` in it stands for the gate's window. */
  | { readonly kind: 'expression'; readonly text: string; readonly metrics?: Readonly<Record<string, CloudWatchMetric>> }
  | { readonly kind: 'metric'; readonly metric: CloudWatchMetric }
  | { readonly kind: 'alarm'; readonly name: string }

export interface CloudWatchMetric {
  readonly namespace: string
  readonly name: string
  readonly dimensions: Readonly<Record<string, string>>
  /** Sum, Average, p95, ... */
  readonly statistic: string
  readonly periodSeconds: number
}

/** How several series become one value. */
export const AGGREGATES = ['max', 'min', 'sum', 'avg'] as const
export type Aggregate = (typeof AGGREGATES)[number]

/** What a value is compared with, beside a fixed limit. */
export type Baseline =
  /** The same query over the time before the deploy began. */
  | { readonly kind: 'before'; readonly spanMs: number }
  /** A query for the version that is known to be good, asked at the same moments. */
  | { readonly kind: 'stable'; readonly question: Question }

/** When a value is good. */
export type Rule =
  | { readonly kind: 'threshold'; readonly threshold: Threshold }
  /** The value as a multiple of the baseline's mean. What is within `ignore` is good whatever the baseline was. */
  | { readonly kind: 'ratio'; readonly ratio: Threshold; readonly ignore: Threshold | undefined; readonly baseline: Baseline }
  /** All values together against the baseline's, by the one-sided Mann-Whitney U test. Decided once, over all of them. */
  | {
      readonly kind: 'rank'
      readonly worse: 'higher' | 'lower'
      /** 0.99: a release that is no worse fails one time in a hundred. */
      readonly confidence: number
      /** How many times worse the mean must be as well, from 1: a difference that is certain may still be small. */
      readonly effect: number
      readonly ignore: Threshold | undefined
      readonly baseline: Baseline
    }
  /** How many times faster than allowed the error budget is spent, over a long and a short window: the lesser of both. */
  | { readonly kind: 'burn-rate'; readonly objective: number; readonly limit: number }
  /** A CloudWatch alarm: 1 while it is in ALARM. */
  | { readonly kind: 'alarm' }

export interface GateQuery {
  readonly name: string
  readonly question: Question
  readonly rule: Rule
  /** What one unit of its values means. */
  readonly unit: Unit
  /** Without it the query must give exactly one series. */
  readonly aggregate: Aggregate | undefined
  /** A query for the number of requests (jobs, ...) a value is made of; with fewer than `minimum` of them the value says nothing. */
  readonly events: { readonly question: Question; readonly minimum: number } | undefined
  /** Values that a verdict needs; undefined: half of those that were planned. */
  readonly minimumSamples: number | undefined
  /** Time before its first value, within the gate's duration: until then it would speak of the time before the gate. */
  readonly delayMs: number
  /**
   * Time between its values, at least that between two data points of its provider: what is asked sooner is the same point again.
   * By rank at least the window: values that share their requests are no independent witnesses.
   */
  readonly intervalMs: number
  readonly weight: number
  /** Critical: the gate fails with it, whatever the others say. */
  readonly critical: boolean
  /** Bad values in a row that make a failure. */
  readonly consecutive: number
  /** Bad values in all that are put up with. */
  readonly failureLimit: number
}

export interface Gate {
  readonly queries: readonly GateQuery[]
  readonly durationMs: number
  /** What `$window` stands for. */
  readonly windowMs: number
  /** A data point older than this is stale. */
  readonly staleMs: number
  /** How long a query may get no usable answer from its provider in a row. */
  readonly providerTimeoutMs: number
  readonly onNoData: 'inconclusive' | 'fail' | 'pass'
  /** The share of all weight that must pass, 0 to 1. */
  readonly minimumScore: number
  /** Good values in a row of every query that end the gate before its time; undefined: it never ends early by a pass. */
  readonly earlyPass: number | undefined
  /** When the deploy began, in ms since 1970; undefined: when the gate does. */
  readonly deployedAt: number | undefined
}

/** How many values a query is asked for when all goes well. */
export function plannedSamples(gate: Pick<Gate, 'durationMs'>, query: Pick<GateQuery, 'delayMs' | 'intervalMs'>): number {
  return Math.floor(Math.max(0, gate.durationMs - query.delayMs) / query.intervalMs) + 1
}

/** Values a verdict on this query needs. */
export function samplesNeeded(query: Pick<GateQuery, 'minimumSamples'>, planned: number): number {
  return query.minimumSamples ?? Math.max(1, Math.ceil(planned / 2))
}
