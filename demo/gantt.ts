// Draws the mermaid gantt charts of the job summaries as SVG: one lane a section, time in milliseconds (`dateFormat x`), three states.
// Only what our own reports write is understood; anything else is left as text.
import { escapeHtml } from './escape-html.ts'

export interface Lane {
  readonly name: string
  readonly tasks: readonly Task[]
}

export interface Task {
  readonly name: string
  readonly state: 'done' | 'active' | 'crit' | 'plain'
  /** Milliseconds. */
  readonly from: number
  readonly to: number
}

/** Undefined where a line is not understood. */
export function parseGantt(text: string): readonly Lane[] | undefined {
  const [head, ...lines] = text.split('\n').filter(line => line.trim() !== '')
  if (head?.trim() !== 'gantt') return undefined
  const lanes: { name: string; tasks: Task[] }[] = []
  for (const line of lines.map(entry => entry.trim())) {
    if (/^(dateFormat x|axisFormat\s.*)$/.test(line)) continue
    const section = /^section\s+(.+)$/.exec(line)
    if (section !== null) {
      lanes.push({ name: section[1] ?? '', tasks: [] })
      continue
    }
    const [, name = '', state = 'plain', from = '', to = ''] =
      /^(.+?)\s*:(?:(done|active|crit),\s*)?(\d+),\s*(\d+)$/.exec(line) ?? []
    const lane = lanes.at(-1)
    if (to === '' || lane === undefined) return undefined
    lane.tasks.push({ name, state: state as Task['state'], from: Number(from), to: Number(to) })
  }
  return lanes.some(lane => lane.tasks.length > 0) ? lanes : undefined
}

const WIDTH = 720
const LABELS = 150
const LANE = 30
const AXIS = 22
const CHARACTER = 6.6

export function drawGantt(lanes: readonly Lane[]): string {
  const end = Math.max(1, ...lanes.flatMap(lane => lane.tasks.map(task => task.to)))
  const x = (at: number): number => round(LABELS + (at / end) * (WIDTH - LABELS - 20))
  const bottom = lanes.length * LANE + 4
  const ticks = ticksUpTo(end / 1_000).map(
    second =>
      `<line class="grid" x1="${x(second * 1_000)}" y1="0" x2="${x(second * 1_000)}" y2="${bottom}"/>` +
      `<text class="axis" x="${x(second * 1_000)}" y="${bottom + 15}" text-anchor="middle">${second} s</text>`,
  )
  const rows = lanes.map((lane, index) => {
    const y = index * LANE + 4
    const bars = lane.tasks.map(task => {
      const width = Math.max(1.5, x(task.to) - x(task.from))
      const label = `${task.name}, ${(task.from / 1_000).toFixed(1)} to ${(task.to / 1_000).toFixed(1)} s`
      const inside =
        task.name.length * CHARACTER + 12 <= width
          ? `<text class="on-bar" x="${round(x(task.from) + width / 2)}" y="${y + 16}" text-anchor="middle">${escapeHtml(task.name)}</text>`
          : ''
      return (
        `<g><title>${escapeHtml(label)}</title>` +
        `<rect class="${task.state}" x="${x(task.from)}" y="${y}" width="${round(width)}" height="${LANE - 8}" rx="3"/>${inside}</g>`
      )
    })
    return `<text class="lane" x="0" y="${y + 16}">${escapeHtml(shortened(lane.name))}</text>${bars.join('')}`
  })
  return svg('Timeline', WIDTH, bottom + AXIS, [...ticks, ...rows].join(''))
}

const shortened = (name: string): string => (name.length > 22 ? `${name.slice(0, 21)}…` : name)

/** An SVG picture that is as wide as there is room. */
export function svg(title: string, width: number, height: number, content: string): string {
  return `<div class="picture"><svg role="img" aria-label="${escapeHtml(title)}" viewBox="0 0 ${width} ${height}">${content}</svg></div>`
}

/** At most nine round numbers of seconds from 0 to `end`. */
export function ticksUpTo(end: number): readonly number[] {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find(candidate => end / candidate <= 8) ?? 1_200
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => Math.round(index * step * 10) / 10)
}

export const round = (value: number): number => Math.round(value * 10) / 10
