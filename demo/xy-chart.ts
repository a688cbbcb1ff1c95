// Draws the mermaid xychart of a gate's report as SVG: a line of values, and one of the limit. Only what our own reports write is understood.
import { escapeHtml } from './escape-html.ts'
import { round, svg } from './gantt.ts'

export interface XyChart {
  readonly title: string
  readonly labels: readonly string[]
  readonly unit: string
  readonly bottom: number
  readonly top: number
  readonly lines: readonly (readonly number[])[]
}

/** Undefined where a line is not understood. */
export function parseXyChart(text: string): XyChart | undefined {
  const [head, ...lines] = text.split('\n').map(line => line.trim())
  if (head !== 'xychart-beta') return undefined
  const [title, labels, axis, ...drawn] = lines
  const [, name] = /^title "([^"]*)"$/.exec(title ?? '') ?? []
  const [, list] = /^x-axis \[(.*)\]$/.exec(labels ?? '') ?? []
  const [, unit, bottom, top] = /^y-axis "([^"]*)" (\S+) --> (\S+)$/.exec(axis ?? '') ?? []
  const values = drawn.map(line => /^line \[([-\d., e+]*)\]$/.exec(line)?.[1]?.split(', ').map(Number))
  if (name === undefined || list === undefined || unit === undefined || values.length === 0) return undefined
  const known = values.filter(each => each?.every(Number.isFinite) === true) as number[][]
  if (known.length < values.length || !Number.isFinite(Number(bottom)) || !Number.isFinite(Number(top))) return undefined
  return {
    title: name,
    labels: [...list.matchAll(/"([^"]*)"/g)].map(([, label = '']) => label),
    unit,
    bottom: Number(bottom),
    top: Number(top),
    lines: known,
  }
}

const WIDTH = 720
const LEFT = 120
const HEIGHT = 130

export function drawXyChart({ title, labels, unit, bottom, top, lines }: XyChart): string {
  const x = (index: number): number => round(LEFT + (index / Math.max(1, labels.length - 1)) * (WIDTH - LEFT - 30))
  const y = (value: number): number => round(8 + (1 - (value - bottom) / (top - bottom || 1)) * (HEIGHT - 16))
  const path = (values: readonly number[]): string => values.map((value, index) => `${x(index)},${y(value)}`).join(' ')
  const step = Math.ceil(labels.length / 8)
  const parts = [
    `<text class="lane" x="0" y="20">${escapeHtml(title)}</text><text class="lane" x="0" y="34">${escapeHtml(unit)}</text>`,
    ...[bottom, top].map(value => `<text class="axis" x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`),
    ...labels.map((label, index) =>
      index % step === 0
        ? `<text class="axis" x="${x(index)}" y="${HEIGHT + 14}" text-anchor="middle">${escapeHtml(label)}</text>`
        : '',
    ),
    ...lines.map(
      (values, index) =>
        `<polyline points="${path(values)}" fill="none" stroke="currentColor" stroke-width="${index === 0 ? 2 : 1}"${index === 0 ? '' : ' stroke-dasharray="5 4"'}/>`,
    ),
  ]
  return svg(`${title}, and its limit`, WIDTH, HEIGHT + 20, parts.join(''))
}
