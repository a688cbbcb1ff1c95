// What a source of metrics must be able to do, so that another one is one small file.
import type { Question } from './gate.ts'

export interface Point {
  /** When it was true, in ms since 1970. */
  readonly at: number
  /** NaN and infinite ones as they came. */
  readonly value: number
}

export interface Series {
  /** What tells it from the others, `{pod="web-1"}`: foreign text. */
  readonly labels: string
  /** Oldest first. */
  readonly points: readonly Point[]
}

/** How an answer was unusable. */
export interface Fault {
  readonly kind: 'fault'
  /** One word: Unreachable, NoAnswer, Unauthorized, InvalidQuery, ProviderError, SeveralSeries, NotFound. */
  readonly reason: string
  /** What happened, safe to print, to be said after the query's name. */
  readonly problem: string
  /** False: asking again cannot help. */
  readonly healable: boolean
}

export type Reading =
  | { readonly kind: 'series'; readonly series: readonly Series[] }
  /** There is an answer, and it says that nothing is known. */
  | { readonly kind: 'nothing'; readonly reason: string; readonly problem: string }
  | Fault

export interface Asking {
  /** What `$window` stands for, in ms. */
  readonly windowMs: number
  /** A data point older than this says nothing. */
  readonly staleMs: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** When the deploy began, in ms since 1970. */
  readonly deployedAt: number
}

/** Never throws for what a server does; every call ends within `timeoutMs`, and soon after `signal` is raised. */
export interface Provider {
  /** The newest value of each series as of `at`, in ms since 1970. */
  now(question: Question, at: number, asking: Asking): Promise<Reading>
  /** The values of each series from `from` to `to`, `stepMs` apart. */
  range(question: Question, from: number, to: number, stepMs: number, asking: Asking): Promise<Reading>
  /** The query as it is sent, or the metric's or alarm's name: foreign text. */
  resolved(question: Question, windowMs: number): string
  /** The provider's own page on it; undefined where there is none. */
  link(question: Question, from: number, to: number, windowMs: number): string | undefined
}

/** The text with `$window` and `$window_seconds` filled in. A `$` at the end of a regular expression stays. */
export function withWindow(text: string, windowMs: number): string {
  const seconds = Math.max(1, Math.round(windowMs / 1_000))
  return text.replace(/\$window(_seconds)?\b/g, (_, plain: string | undefined) =>
    plain === undefined ? `${seconds}s` : String(seconds),
  )
}

/** The period of a CloudWatch expression that has no metric of its own, such as a SELECT. */
const EXPRESSION_PERIOD_SECONDS = 60

/** Time between two of CloudWatch's data points on the question, in seconds. An alarm has none: it has a state at any moment. */
export function periodSeconds(question: Question): number {
  if (question.kind === 'alarm') return 0
  if (question.kind === 'metric') return question.metric.periodSeconds
  return Math.max(EXPRESSION_PERIOD_SECONDS, ...Object.values(question.metrics ?? {}).map(metric => metric.periodSeconds))
}

/** Whether the question speaks of the gate's window. */
export function asksForWindow(question: Question): boolean {
  return question.kind === 'expression' && /\$window(?:_seconds)?\b/.test(question.text)
}
