// The report of a deployment for people: verdict, why, what changed, timeline, what runs, the way back. Markdown, as GitHub shows it.
import type { DeployReport } from '../deploy/engine.ts'
import type { Culprit, ImageChange } from '../deploy/platform.ts'
import { formatDuration } from '../runner/duration.ts'
import { code, codeBlock, inline, table } from '../runner/markdown.ts'
import { type CommitRange, commitsSection } from './commits.ts'
import { timeline } from './timeline.ts'
import { type WayBack, wayBackSection } from './way-back.ts'

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
  readonly commits?: CommitRange | undefined
  /** How the release can be taken back, where it stays and there is something to go back to. */
  readonly wayBack?: WayBack | undefined
}

export function deployReport(report: DeployReport, context: ReportContext): string {
  const reason = report.reason === '' ? '' : ` · ${code(report.reason)}`
  return [
    `## ${context.title} ${inline(context.app)}: ${report.dryRun ? '🔎 Dry run' : (context.verdict ?? VERDICTS[report.result])}${reason}`,
    inline(report.message),
    remedies(report.remedies),
    table(
      ['release', 'before it', 'took'],
      [[report.release || '–', report.previousRelease || '–', formatDuration(context.seconds * 1_000)]],
    ),
    culprits(report),
    ...report.checks.map(checked => checked.summary),
    changes(report, context.commits),
    timeline(report.timeline),
    proof(report),
    report.restored.length === 0 ? '' : folded(`What was put back (${report.restored.length})`, list(report.restored)),
    context.wayBack === undefined ? '' : wayBackSection(context.wayBack),
  ]
    .filter(part => part !== '')
    .join('\n\n')
}

const folded = (summary: string, content: string): string => `<details><summary>${summary}</summary>\n\n${content}\n\n</details>`

const LINES_SHOWN = 100

function list(lines: readonly string[]): string {
  const more = lines.length > LINES_SHOWN ? [`- and ${lines.length - LINES_SHOWN} more`] : []
  return [...lines.slice(0, LINES_SHOWN).map(line => `- ${inline(line)}`), ...more].join('\n')
}

function remedies(commands: readonly string[]): string {
  if (commands.length === 0) return ''
  return `### To finish putting it back\n\n${codeBlock(commands.join('\n'), 'sh')}`
}

const CHANGES_SHOWN = 30

function changes(report: DeployReport, commits: CommitRange | undefined): string {
  const changed = report.plan.changes.filter(change => change.action !== 'none')
  if (changed.length === 0) return ''
  const rows = changed.slice(0, CHANGES_SHOWN).map(change => [change.object, change.action, change.details.join('; ')])
  const more = changed.length > CHANGES_SHOWN ? `\n\nand ${changed.length - CHANGES_SHOWN} more objects` : ''
  const diff = report.plan.diff === '' ? '' : folded('Diff', codeBlock(report.plan.diff.trimEnd(), 'diff'))
  return [
    '### What changed',
    images(report.plan.images ?? []),
    commitsSection(commits),
    `${table(['object', '', 'fields'], rows)}${more}`,
    diff,
  ]
    .filter(part => part !== '')
    .join('\n\n')
}

/** The same change of many containers is told once. */
function images(all: readonly ImageChange[]): string {
  const same = [...Map.groupBy(all, ({ from, to }) => `${from} ${to}`).values()]
  const rows = same.slice(0, CHANGES_SHOWN).map(group => {
    const [{ from = '', to = '' } = {} as Partial<ImageChange>] = group
    const names = group.map(({ workload, container }) => `${workload} ${container}`)
    const who = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
    return [who, from === '' ? '–' : code(shortImage(from)), code(shortImage(to))]
  })
  if (rows.length === 0) return ''
  const more = same.length > rows.length ? `\n\nand ${same.length - rows.length} more images` : ''
  return `${table(['container', 'image before', 'image now'], rows)}${more}`
}

/** The digest's beginning is enough to tell two apart. */
function shortImage(image: string): string {
  return image.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1…')
}

const CULPRITS_SHOWN = 10

function culprits({ culprits: all, restored }: DeployReport): string {
  if (all.length === 0) return ''
  const isGone = restored.length > 0
  const parts = all.slice(0, CULPRITS_SHOWN).map(culprit =>
    [
      `#### ${inline(culprit.workload)} · ${code(culprit.reason)}`,
      `${inline(culprit.where)}: ${inline(culprit.message)}${culprit.at === undefined ? '' : ` (${code(`${culprit.at.file}${culprit.at.line === undefined ? '' : `:${culprit.at.line}`}`)})`}`,
      culprit.facts.length === 0
        ? ''
        : table(
            culprit.facts.map(([name]) => name),
            [culprit.facts.map(([, value]) => value)],
          ),
      ...culprit.logs.map(log => `${inline(log.title)}, its last lines:\n\n${codeBlock(log.lines.join('\n'))}`),
      culprit.events.length === 0 ? '' : `Events:\n\n${codeBlock(culprit.events.join('\n'))}`,
      lookFurther(culprit, isGone),
    ]
      .filter(part => part !== '')
      .join('\n\n'),
  )
  const more = all.length > CULPRITS_SHOWN ? [`and ${all.length - CULPRITS_SHOWN} more`] : []
  return ['### Why', ...parts, ...more].join('\n\n')
}

function lookFurther({ commands, lastingCommands = [] }: Culprit, isGone: boolean): string {
  const shown = isGone ? lastingCommands : commands
  if (shown.length === 0) return ''
  const what = isGone ? 'Its pods are gone with it. What is still there' : 'Look further'
  const again = isGone
    ? `\n\nTo look at it while it fails, deploy it with ${code('on-failure: keep')} where that does no harm.`
    : ''
  return `${what}:\n\n${codeBlock(shown.join('\n'), 'sh')}${again}`
}

const DIGESTS_SHOWN = 100

function proof({ proof: found }: DeployReport): string {
  const rows = Object.entries(found?.digests ?? {}).flatMap(([workload, containers]) =>
    Object.entries(containers).map(([container, digest]) => [workload, container, code(digest)]),
  )
  const lines = [...(found?.doubts ?? []).map(doubt => `⚠️ ${doubt}`), ...(found?.proven ?? [])]
  if (rows.length === 0 && lines.length === 0) return ''
  const more = rows.length > DIGESTS_SHOWN ? `\n\nand ${rows.length - DIGESTS_SHOWN} more containers` : ''
  return [
    '### What runs',
    lines.length === 0 ? '' : list(lines),
    rows.length === 0 ? '' : `${table(['workload', 'container', 'digest'], rows.slice(0, DIGESTS_SHOWN))}${more}`,
  ]
    .filter(part => part !== '')
    .join('\n\n')
}
