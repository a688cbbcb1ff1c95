// The report of a deployment for people: verdict, what changed, timeline, culprits with their evidence. Markdown, as GitHub shows it.

import type { DeployReport } from '../deploy/engine.ts'
import type { TimelineEntry } from '../deploy/follow.ts'
import type { Culprit } from '../deploy/platform.ts'
import { formatDuration } from '../runner/duration.ts'
import { code, codeBlock, inline, table } from '../runner/markdown.ts'

const VERDICTS: Readonly<Record<DeployReport['result'], string>> = {
  deployed: '✅ Deployed',
  unchanged: '✅ Unchanged',
  'rolled-back': '❌ Failed, and put back',
  failed: '❌ Failed',
  cancelled: '⚠️ Cancelled',
}

export interface ReportContext {
  readonly app: string
  readonly title: string
  /** The verdict in words, where the result's own words would mislead. */
  readonly verdict?: string
  readonly seconds: number
}

export function deployReport(report: DeployReport, context: ReportContext): string {
  const reason = report.reason === '' ? '' : ` · ${code(report.reason)}`
  return [
    `## ${context.title} ${inline(context.app)}: ${report.dryRun ? '🔎 Dry run' : (context.verdict ?? VERDICTS[report.result])}${reason}`,
    inline(report.message),
    table(
      ['release', 'before it', 'took'],
      [[report.release || '–', report.previousRelease || '–', formatDuration(context.seconds * 1_000)]],
    ),
    changes(report),
    culprits(report.culprits),
    ...report.checks.map(checked => checked.summary),
    timeline(report.timeline),
    proof(report),
    report.restored.length === 0
      ? ''
      : `<details><summary>What was put back (${report.restored.length})</summary>\n\n${report.restored.map(line => `- ${inline(line)}`).join('\n')}\n\n</details>`,
  ]
    .filter(part => part !== '')
    .join('\n\n')
}

const CHANGES_SHOWN = 30

function changes(report: DeployReport): string {
  const changed = report.plan.changes.filter(change => change.action !== 'none')
  if (changed.length === 0) return ''
  const rows = changed.slice(0, CHANGES_SHOWN).map(change => [change.object, change.action, change.details.join('; ')])
  const more = changed.length > CHANGES_SHOWN ? `\n\nand ${changed.length - CHANGES_SHOWN} more objects` : ''
  const diff =
    report.plan.diff === ''
      ? ''
      : `\n\n<details><summary>Diff</summary>\n\n${codeBlock(report.plan.diff.trimEnd(), 'diff')}\n\n</details>`
  return `### What changed\n\n${table(['object', '', 'fields'], rows)}${more}${diff}`
}

function culprits(all: readonly Culprit[]): string {
  if (all.length === 0) return ''
  const parts = all.map(culprit =>
    [
      `#### ${inline(culprit.workload)} · ${code(culprit.reason)}`,
      `${inline(culprit.where)}: ${inline(culprit.message)}`,
      culprit.facts.length === 0
        ? ''
        : table(
            culprit.facts.map(([name]) => name),
            [culprit.facts.map(([, value]) => value)],
          ),
      ...culprit.logs.map(log => `${inline(log.title)}:\n\n${codeBlock(log.lines.join('\n'))}`),
      culprit.events.length === 0 ? '' : `Events:\n\n${codeBlock(culprit.events.join('\n'))}`,
      culprit.commands.length === 0 ? '' : `Look further:\n\n${codeBlock(culprit.commands.join('\n'), 'sh')}`,
    ]
      .filter(part => part !== '')
      .join('\n\n'),
  )
  return `### Why\n\n${parts.join('\n\n')}`
}

const ENTRIES_SHOWN = 60

/** Shares of the whole that are shorter than this can't be seen, and mermaid writes their names across their neighbours'. */
const SHORTEST_SHOWN = 0.01

/** A mermaid gantt of each workload's states. Its axis is in seconds since following began, written as the clock time that mermaid wants. */
export function timeline(entries: readonly TimelineEntry[]): string {
  const whole = Math.max(0, ...entries.map(entry => entry.to))
  const shown = entries.filter(entry => entry.to - entry.from > whole * SHORTEST_SHOWN).slice(0, ENTRIES_SHOWN)
  if (shown.length === 0) return ''
  const workloads = [...new Set(shown.map(entry => entry.workload))]
  const sections = workloads.map(workload => {
    const last = entries.findLast(entry => entry.workload === workload)
    const lines = shown
      .filter(entry => entry.workload === workload)
      .map(
        entry =>
          `    ${mermaidText(entry.state)} :${style(entry.state, entry === last)}${Math.round(entry.from)}, ${Math.max(Math.round(entry.to), Math.round(entry.from) + 1)}`,
      )
    return `    section ${mermaidText(workload)}\n${lines.join('\n')}`
  })
  return `### Timeline\n\n${codeBlock(`gantt\n    dateFormat x\n    axisFormat %M:%S\n${sections.join('\n')}`, 'mermaid')}`
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

function proof(report: DeployReport): string {
  const rows = Object.entries(report.proof?.digests ?? {}).flatMap(([workload, containers]) =>
    Object.entries(containers).map(([container, digest]) => [workload, container, code(digest)]),
  )
  return rows.length === 0 ? '' : `### What runs\n\n${table(['workload', 'container', 'digest'], rows)}`
}
