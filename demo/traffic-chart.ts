// What users saw, as SVG: answers a second by version, failures on top, and below which step was at work.
import { escapeHtml } from './escape-html.ts'
import { round, svg, ticksUpTo } from './gantt.ts'
import type { Second } from './service-probe.ts'

/** A stretch of time with a name; seconds since the probe began. */
export interface Stretch {
  readonly name: string
  readonly from: number
  readonly to: number
  /** Whether the step ended red. */
  readonly red: boolean
}

const WIDTH = 720
const LEFT = 120
const HEIGHT = 110
const LANE = 18
const COLOURS = 6

export function drawTraffic(seconds: readonly Second[], stretches: readonly Stretch[]): string {
  const versions = [...new Set(seconds.flatMap(second => [...second.versions.keys()]))].sort()
  const end = Math.max(1, seconds.length, ...stretches.map(stretch => stretch.to))
  const most = Math.max(1, ...seconds.map(total))
  const x = (at: number): number => round(LEFT + (at / end) * (WIDTH - LEFT - 20))
  const width = round(Math.max(1, x(1) - x(0) - 1))

  const bars = seconds.flatMap((second, index) => {
    let y = HEIGHT
    const parts = [...versions.map((version, colour) => ({ count: second.versions.get(version) ?? 0, style: style(colour) }))]
    return [...parts, { count: second.failed, style: 'crit' }]
      .filter(part => part.count > 0)
      .map(part => {
        const height = (part.count / most) * (HEIGHT - 10)
        y -= height
        return `<rect class="${part.style}" x="${x(index)}" y="${round(y)}" width="${width}" height="${round(height)}"/>`
      })
  })
  const lanes = stretches.map((stretch, index) => {
    const y = HEIGHT + 28 + index * LANE
    return (
      `<text class="lane" x="0" y="${y + 11}">${escapeHtml(stretch.name)}</text>` +
      `<rect class="${stretch.red ? 'crit' : 'done'}" x="${x(Math.max(0, stretch.from))}" y="${y}" width="${round(Math.max(2, x(stretch.to) - x(Math.max(0, stretch.from))))}" height="${LANE - 6}" rx="3"/>`
    )
  })
  const bottom = HEIGHT + 28 + stretches.length * LANE
  const ticks = ticksUpTo(end).map(
    second =>
      `<line class="grid" x1="${x(second)}" y1="0" x2="${x(second)}" y2="${bottom}"/>` +
      `<text class="axis" x="${x(second)}" y="${HEIGHT + 16}" text-anchor="middle">${second} s</text>`,
  )
  const legend = [
    ...versions.map((version, colour) => `<li><i class="${style(colour)}"></i>${escapeHtml(version)}</li>`),
    '<li><i class="crit"></i>no answer</li>',
  ]
  const axis = `<text class="lane" x="0" y="20">answers</text><text class="lane" x="0" y="34">a second</text>`
  return (
    `<ul class="legend">${legend.join('')}</ul>` +
    svg('Answers a second, by version', WIDTH, bottom + 4, [...ticks, axis, ...bars, ...lanes].join(''))
  )
}

const style = (colour: number): string => `version-${(colour % COLOURS) + 1}`

function total(second: Second): number {
  return second.failed + [...second.versions.values()].reduce((sum, count) => sum + count, 0)
}
