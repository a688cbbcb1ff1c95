// What the steps of a check file leave behind: one sentence, a table for the job summary, and their part of the JSON report.
import { formatDuration } from '../../runner/duration.ts'
import { checkEntry, code, formatShort, lastFindings, plain, SIGNS } from '../check-report.ts'
import type { PartOutcome } from '../part.ts'
import { percentile } from '../percentile.ts'
import type { SmokeRun, StepRun } from './run-smoke.ts'

export interface SmokeOutcome extends PartOutcome {
  readonly passed: number
  readonly failed: number
  /** The 95th percentile of the times of all answers; undefined without any. */
  readonly p95Ms: number | undefined
}

export function smokeOutcome(run: SmokeRun): SmokeOutcome {
  const { checks, result } = run
  const ended = checks.flatMap(check => (check.state === 'ended' ? [check] : []))
  const count = (wanted: string): number => ended.filter(check => check.run.verdict.result === wanted).length
  const decisive = ended.find(check => check.run.verdict.result === result)
  return {
    result,
    reason: result === 'passed' ? '' : (decisive?.run.verdict.reason ?? (result === 'cancelled' ? 'Cancelled' : 'Timeout')),
    message: messageOf(run, decisive),
    summary: summaryOf(run),
    report: checks.map(reportEntry),
    passed: count('passed'),
    failed: count('failed'),
    p95Ms: percentile(
      ended.flatMap(check => check.run.times),
      95,
    ),
  }
}

function messageOf({ checks, result, elapsedMs }: SmokeRun, decisive: Extract<StepRun, { state: 'ended' }> | undefined): string {
  const all = `${checks.length} ${checks.length === 1 ? 'check' : 'checks'}`
  if (result === 'passed') return `${all} passed in ${formatShort(elapsedMs)}.`
  if (result === 'cancelled') return `The checks were cancelled after ${formatShort(elapsedMs)}.`
  if (decisive === undefined) {
    const late = checks.find(check => check.state === 'unfinished')
    return `The time was over after ${formatShort(elapsedMs)}, before "${late?.name ?? ''}" could be asked. Give a longer timeout, or see what took so long.`
  }
  const number = checks.filter(check => check.state === 'ended' && check.run.verdict.result === result).length
  const others = number > 1 ? ` (and ${number - 1} more)` : ''
  return `Of ${all} "${decisive.name}" ${result === 'failed' ? 'failed' : 'could not be told'}${others}: ${decisive.message}`
}

const ROWS = 200

function summaryOf(run: SmokeRun): string {
  const { checks, result } = run
  const rows = checks.slice(0, ROWS).map(row)
  const more = checks.length > ROWS ? ['', `and ${checks.length - ROWS} more`] : []
  const title = `### ${SIGNS[result]} Checks: ${result} in ${formatDuration(run.elapsedMs)}`
  return [title, '', '| check | | time | expected | came |', '|---|---|---|---|---|', ...rows, ...more, ''].join('\n')
}

function row(check: StepRun): string {
  if (check.state !== 'ended')
    return `| ${plain(check.name)} | ⏭ ${check.state === 'skipped' ? 'skipped' : 'not finished'} | | | ${plain(check.because)} |`
  const { run, name, asked } = check
  const { verdict, tally } = run
  const wrong = lastFindings(run).find(found => !found.holds)
  const [expected, came] =
    verdict.result === 'passed'
      ? [asked, tally.last?.kind === 'answer' ? tally.last.answer.label : '']
      : wrong === undefined
        ? [asked, verdict.because]
        : [`${wrong.what} ${wrong.expected}`, wrong.excerpt === undefined ? wrong.came : `${wrong.came}: ${wrong.excerpt}`]
  const tries = tally.asked > 1 ? `, ${tally.asked} tries` : ''
  const reason = verdict.reason === '' ? '' : ` ${verdict.reason}`
  return `| ${plain(name)} | ${SIGNS[verdict.result]}${reason} | ${formatShort(run.elapsedMs)}${tries} | ${code(cut(expected))} | ${code(cut(came))} |`
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

function reportEntry(check: StepRun): unknown {
  if (check.state === 'ended') return checkEntry(check)
  return { name: check.name, result: check.state, message: check.because }
}
