// What came of the scenarios, as one table for people: printed at the end, and written to a file where SCENARIO_TABLE names one.

import type { ScenarioRun } from './run-scenario.ts'
import type { Scenario } from './scenario.ts'

interface Row {
  readonly name: string
  readonly bad: boolean
  readonly result: string
  readonly reason: string
  readonly verdictSeconds: number
  readonly seconds: number
}

export class ScenarioTable {
  readonly #rows: Row[] = []

  add({ name, must }: Scenario, { step: { outputs, seconds }, verdictSeconds }: ScenarioRun): void {
    this.#rows.push({
      name,
      bad: 'fail' in must,
      result: outputs['result'] ?? '',
      reason: outputs['reason'] ?? '',
      verdictSeconds,
      seconds,
    })
  }

  /** In Markdown, slowest verdict last; empty where nothing ran. */
  toString(): string {
    if (this.#rows.length === 0) return ''
    const cells = [
      ['scenario', 'result', 'reason', 'verdict after', 'all in all'],
      ...[true, false].flatMap(bad =>
        this.#rows
          .filter(row => row.bad === bad)
          .toSorted((a, b) => a.verdictSeconds - b.verdictSeconds)
          .map(({ name, result, reason, verdictSeconds, seconds }) => [
            name,
            result,
            reason,
            inSeconds(verdictSeconds),
            inSeconds(seconds),
          ]),
      ),
    ]
    const widths = cells[0]?.map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0))) ?? []
    const lines = cells.map(row => `| ${row.map((cell, column) => pad(cell, widths[column] ?? 0, column > 2)).join(' | ')} |`)
    const rule = `|${widths.map((width, column) => (column > 2 ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`
    return [lines[0], rule, ...lines.slice(1), '', ...[true, false].map(bad => this.#summary(bad))].join('\n')
  }

  #summary(bad: boolean): string {
    const times = this.#rows
      .filter(row => row.bad === bad)
      .map(row => row.verdictSeconds)
      .sort((a, b) => a - b)
    const [median, worst] = [times[Math.floor(times.length / 2)], times.at(-1)]
    const what = bad ? 'bad releases: verdict' : 'good releases: deployed'
    return median === undefined || worst === undefined
      ? ''
      : `${times.length} ${what} after ${inSeconds(median)} at the median, ${inSeconds(worst)} at the worst`
  }
}

const inSeconds = (seconds: number): string => `${seconds.toFixed(1)} s`
const pad = (cell: string, width: number, right: boolean): string => (right ? cell.padStart(width) : cell.padEnd(width))
