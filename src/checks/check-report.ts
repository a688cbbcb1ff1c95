// What a check leaves behind: the JSON report, and the Markdown for the job summary.
import { formatDuration } from '../runner/duration.ts'
import type { Finding } from './expectation.ts'
import type { CheckRun } from './run-check.ts'

/** A check that ended. `address` and `asked` are safe to print. */
export interface FinishedCheck {
  readonly name: string
  readonly address: string
  /** The expectation in words. */
  readonly asked: string
  readonly message: string
  readonly run: CheckRun
}

/** The JSON report's content. Its shape holds several checks, though a plain smoke-test has one. */
export function checkReport(checks: readonly FinishedCheck[]): unknown {
  return { schema: 1, checks: checks.map(checkEntry) }
}

/** One check in the JSON report. */
export function checkEntry({ name, address, asked, message, run }: FinishedCheck): Record<string, unknown> {
  return {
    name,
    address,
    expected: asked,
    result: run.verdict.result,
    reason: run.verdict.reason,
    message,
    milliseconds: Math.round(run.elapsedMs),
    p95Ms: run.p95Ms === undefined ? null : Math.round(run.p95Ms * 10) / 10,
    requests: {
      total: run.tally.asked,
      right: run.tally.right,
      wrong: run.tally.wrong,
      pending: run.tally.pending,
      unconnected: run.tally.unconnected,
      unanswered: run.tally.unanswered,
    },
    versions: Object.fromEntries(run.tally.versions),
    last: lastFindings(run),
    timeline: run.stretches.map(({ at, line, times }) => ({ at: Math.round(at), what: line, times })),
  }
}

export const SIGNS = { passed: '✅', failed: '❌', inconclusive: '❔', cancelled: '⏹' } as const

/** The job summary's part on a check. */
export function checkSummary(check: FinishedCheck, extra: readonly string[] = []): string {
  const { run } = check
  const { tally, verdict } = run
  const findings = lastFindings(run)
  const rows = findings.map(
    ({ what, expected, came, excerpt, holds }) =>
      `| ${code(what)} | ${code(expected)} | ${code(excerpt === undefined ? came : `${came}: ${excerpt}`)} | ${holds ? '✓' : '✗'} |`,
  )
  const counts = [
    `${tally.asked} ${tally.asked === 1 ? 'request' : 'requests'} in ${formatShort(run.elapsedMs)}`,
    `${tally.right} right`,
    `${tally.wrong} wrong`,
    `${tally.unconnected + tally.unanswered} without an answer`,
    ...(run.p95Ms === undefined ? [] : [`p95 ${Math.round(run.p95Ms)} ms`]),
  ]
  return [
    `### ${SIGNS[verdict.result]} ${check.name}: ${verdict.result}${verdict.reason === '' ? '' : ` (${verdict.reason})`}`,
    '',
    plain(check.message),
    ...extra.map(plain),
    '',
    `Asked: ${code(check.address)} for ${code(check.asked)}`,
    '',
    ...(rows.length === 0 ? [] : ['| looked at | expected | came last | |', '|---|---|---|---|', ...rows, '']),
    counts.join(', '),
    '',
    ...(run.stretches.length < 2 ? [] : timeline(run)),
  ].join('\n')
}

function timeline({ stretches }: CheckRun): string[] {
  const rows = stretches.map(({ at, line, times }) => `| +${formatDuration(at)} | ${times} | ${code(line)} |`)
  return [
    '<details><summary>How it went</summary>',
    '',
    '| at | times | what came |',
    '|---|---|---|',
    ...rows,
    '',
    '</details>',
    '',
  ]
}

/** What the last answer was held against; the last wrong one, where the check did not pass. */
export function lastFindings({ tally, verdict }: CheckRun): readonly Finding[] {
  const last = verdict.result === 'passed' ? tally.last : (tally.lastWrong ?? tally.last)
  return last?.kind === 'answer' ? last.findings : []
}

/** As formatDuration, but a time below a second is in ms: `44 ms`. */
export function formatShort(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : formatDuration(milliseconds)
}

/** Text that Markdown and HTML leave alone: every character either could take for its own is written as a reference. */
export function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[&<>|`*_~[\]\\#!@$]/g, character => `&#${character.charCodeAt(0)};`)
}

export function code(text: string): string {
  return `<code>${plain(text)}</code>`
}
