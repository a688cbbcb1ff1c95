// What a value is held against: `< 5%`, `>= 0.95`, `< 500ms`; and how a value is written for people.
import { parseDuration } from '../../runner/duration.ts'
import { foreignLine } from '../../runner/foreign-text.ts'

/** What one unit of a value means: a share of 1, a hundredth, seconds, milliseconds, or a plain number. */
export const UNITS = ['number', 'ratio', 'percent', 's', 'ms'] as const
export type Unit = (typeof UNITS)[number]

export type Comparison = '<' | '<=' | '>' | '>='

export interface Threshold {
  readonly comparison: Comparison
  /** In the query's own unit. */
  readonly value: number
  readonly unit: Unit
}

/** What is wrong with a threshold, said after its name. */
export class ThresholdFault extends Error {}

/**
 * `< 0.05`, `< 5%`, `>= 10s`. Without `unit` the threshold tells what the query gives: `5%` a ratio (0.05), `500ms` seconds (0.5), as Prometheus has both.
 * @throws ThresholdFault
 */
export function parseThreshold(text: string, unit?: Unit): Threshold {
  const [, comparison, amount = ''] = /^\s*(<=|>=|<|>)\s*(\S.*?)\s*$/.exec(text) ?? []
  const example = 'write it like < 5%, < 500ms or >= 0.95'
  if (comparison === undefined)
    throw new ThresholdFault(`"${foreignLine(text, 80)}" does not begin with <, <=, > or >=; ${example}`)
  const amountRead = parseAmount(amount, unit)
  if (amountRead === undefined)
    throw new ThresholdFault(`"${foreignLine(amount, 80)}" is no number, percentage or duration; ${example}`)
  if ('fault' in amountRead) throw new ThresholdFault(amountRead.fault)
  return { comparison: comparison as Comparison, ...amountRead }
}

/** `5%`, `500ms`, `0.05` in the unit that the query gives; undefined when it is none of them. */
export function parseAmount(text: string, unit?: Unit): { value: number; unit: Unit } | { fault: string } | undefined {
  const percent = /^([+-]?\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1]
  if (percent !== undefined) {
    if (unit === 's' || unit === 'ms') return { fault: `${foreignLine(text, 80)} is a share, and unit says ${unit}` }
    if (unit === 'percent') return { value: Number(percent), unit }
    return { value: Number(percent) / 100, unit: unit ?? 'ratio' }
  }
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return { value: Number(text), unit: unit ?? 'number' }
  const ms = parseDuration(text.replace(/\s+/g, ''))
  if (ms === undefined) return undefined
  if (unit === 'ratio' || unit === 'percent') return { fault: `${foreignLine(text, 80)} is a duration, and unit says ${unit}` }
  if (unit === 'ms') return { value: ms, unit }
  return { value: ms / 1_000, unit: unit ?? 's' }
}

export function holds(value: number, { comparison, value: limit }: Pick<Threshold, 'comparison' | 'value'>): boolean {
  if (comparison === '<') return value < limit
  if (comparison === '<=') return value <= limit
  return comparison === '>' ? value > limit : value >= limit
}

/** Whether a greater value is a worse one. */
export function isUpperLimit({ comparison }: Pick<Threshold, 'comparison'>): boolean {
  return comparison === '<' || comparison === '<='
}

/** `5 %`, `480 ms`, `1.2 s`, `0.0312`. */
export function formatValue(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return value > 0 ? 'infinite' : Number.isNaN(value) ? 'NaN' : '-infinite'
  if (unit === 'ratio') return `${short(value * 100)} %`
  if (unit === 'percent') return `${short(value)} %`
  if (unit === 'number') return short(value)
  const seconds = unit === 's' ? value : value / 1_000
  return Math.abs(seconds) < 1 ? `${short(seconds * 1_000)} ms` : `${short(seconds)} s`
}

/** Three digits that say something, and no exponent where people would not write one. */
export function short(value: number): string {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e15 || size < 1e-6) return value.toPrecision(3)
  return size >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}

export function formatThreshold(threshold: Threshold): string {
  return `${threshold.comparison} ${formatValue(threshold.value, threshold.unit)}`
}
