// The values of one query drawn for the job summary: a mermaid xychart, with the limit as a second line.
import { codeBlock } from '../../runner/markdown.ts'
import type { GateQuery } from './gate.ts'
import type { Measurement } from './measurement.ts'
import { isUpperLimit, type Unit } from './threshold.ts'

/** More labels than this run into one another. */
const POINTS = 16

interface Drawn {
  readonly at: number
  readonly value: number
  readonly limit: number | undefined
}

/** Undefined where there are not two values to draw a line through. */
export function valueChart(query: GateQuery, measurements: readonly Measurement[]): string | undefined {
  const values = measurements.flatMap(measurement =>
    measurement.kind === 'value' && Number.isFinite(measurement.value)
      ? [{ at: measurement.at, value: measurement.value, limit: measurement.limit?.value }]
      : [],
  )
  if (values.length < 2) return undefined
  const drawn = thinned(values, upperIsWorse(query, measurements))
  const scale = scaleOf(query.unit, Math.max(...drawn.map(({ value, limit = 0 }) => Math.max(Math.abs(value), Math.abs(limit)))))
  const number = (value: number): string => String(Number((value * scale.factor).toPrecision(4)))
  const limits = drawn.map(({ limit }) => limit).filter(limit => limit !== undefined)
  const top = Math.max(...drawn.map(({ value }) => value), ...limits)
  const bottom = Math.min(0, ...drawn.map(({ value }) => value), ...limits)
  const lines = [
    'xychart-beta',
    `    title "${plain(query.name)}"`,
    `    x-axis [${drawn.map(({ at }) => `"${clock(at)}"`).join(', ')}]`,
    `    y-axis "${scale.name}" ${number(bottom)} --> ${number(top === bottom ? bottom + 1 : top + (top - bottom) * 0.1)}`,
    `    line [${drawn.map(({ value }) => number(value)).join(', ')}]`,
    ...(limits.length === drawn.length ? [`    line [${limits.map(number).join(', ')}]`] : []),
  ]
  return codeBlock(lines.join('\n'), 'mermaid')
}

function upperIsWorse({ rule }: GateQuery, measurements: readonly Measurement[]): boolean {
  if (rule.kind === 'rank') return rule.worse === 'higher'
  const limit = measurements.find(measurement => measurement.kind === 'value')?.limit
  return limit === undefined || isUpperLimit(limit)
}

/** Of neighbours that share a place the worst is drawn: a spike must be seen. */
function thinned(values: readonly Drawn[], upper: boolean): readonly Drawn[] {
  const size = Math.ceil(values.length / POINTS)
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values
      .slice(index * size, (index + 1) * size)
      .reduce((worst, each) => ((upper ? each.value > worst.value : each.value < worst.value) ? each : worst)),
  )
}

function scaleOf(unit: Unit, largest: number): { readonly factor: number; readonly name: string } {
  if (unit === 'ratio') return { factor: 100, name: '%' }
  if (unit === 'percent') return { factor: 1, name: '%' }
  if (unit === 'number') return { factor: 1, name: 'value' }
  const seconds = unit === 's' ? largest : largest / 1_000
  const inMs = seconds < 1
  return { factor: unit === 's' ? (inMs ? 1_000 : 1) : inMs ? 1 : 0.001, name: inMs ? 'ms' : 's' }
}

function clock(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Mermaid ends a text at a quote; `#` and `;` begin and end an entity. */
function plain(text: string): string {
  return text.replace(/["#;`\\\r\n<>]/g, ' ').slice(0, 60)
}
