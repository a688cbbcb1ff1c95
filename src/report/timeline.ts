// When each workload was in which state, as a mermaid gantt: GitHub draws it in the job summary.
import type { TimelineEntry } from '../deploy/follow.ts'
import { codeBlock, inline } from '../runner/markdown.ts'

/** More lanes than that fit on no screen, and mermaid draws nothing at all of a text beyond 50,000 characters (its maxTextSize). */
const WORKLOADS_SHOWN = 20
const ENTRIES_OF_A_WORKLOAD = 12
/** Shares of the whole that are shorter than this can't be seen, and mermaid writes their names across their neighbours'. */
const SHORTEST_SHOWN = 0.01

/**
 * A mermaid gantt of each workload's states. Its axis is in seconds since following began, written as the clock time that mermaid wants. Of many workloads
 * those are shown that ended badly, and then those that took longest.
 */
export function timeline(entries: readonly TimelineEntry[]): string {
  const whole = Math.max(0, ...entries.map(entry => entry.to))
  const visible = entries.filter(entry => entry.to - entry.from > whole * SHORTEST_SHOWN)
  const lanes = [...Map.groupBy(visible, ({ workload }) => workload)].map(([workload, own]) => ({
    workload,
    shown: own.slice(-ENTRIES_OF_A_WORKLOAD),
    last: entries.findLast(entry => entry.workload === workload),
    busy: own.filter(({ state }) => state !== 'healthy').reduce((sum, { from, to }) => sum + to - from, 0),
  }))
  if (lanes.length === 0) return ''
  const rank = (lane: (typeof lanes)[number]): number => (lane.last?.state === 'healthy' ? 1 : 0)
  const chosen = new Set(lanes.toSorted((a, b) => rank(a) - rank(b) || b.busy - a.busy).slice(0, WORKLOADS_SHOWN))
  const sections = lanes
    .filter(lane => chosen.has(lane))
    .map(({ workload, shown, last }) => {
      const lines = shown.map(entry => {
        const from = Math.round(entry.from)
        return `    ${mermaidText(entry.state)} :${style(entry.state, entry === last)}${from}, ${Math.max(Math.round(entry.to), from + 1)}`
      })
      return `    section ${mermaidText(workload)}\n${lines.join('\n')}`
    })
  const left = lanes.filter(lane => !chosen.has(lane))
  const healthy = left.filter(({ last }) => last?.state === 'healthy').length
  const more =
    left.length === 0 ? '' : `\n\n${inline(`and ${left.length} more workloads, ${healthy} of them healthy in the end`)}`
  return `### Timeline\n\n${codeBlock(`gantt\n    dateFormat x\n    axisFormat %M:%S\n${sections.join('\n')}`, 'mermaid')}${more}`
}

/** Every pod is not ready at first: red only where it was the end. */
function style(state: string, isLast: boolean): string {
  if (state === 'healthy') return 'done, '
  return state === 'progressing' || (state === 'Unhealthy' && !isLast) ? 'active, ' : 'crit, '
}

/** Mermaid ends a task's name at `:` and a line at `;`, and takes `#` for the start of an entity. */
function mermaidText(text: string): string {
  return text.replace(/[:;#\r\n]/g, ' ').slice(0, 60)
}
