// The tables in the README of monitoring-gate that come from the code: its presets, and how often it is wrong.
import { PRESETS } from '../src/checks/gate/presets.ts'
import { type Figures, figures, GATES } from './false-alarms.ts'

/** The README with the figures between their marks. */
export function withFalseAlarms(readme: string, all: readonly Figures[] = figures()): string {
  const percent = (count: number): string => `${((count / GATES) * 100).toFixed(1)} %`
  const rows = all.map(
    ({ gate, service, falseFailures, missed }) =>
      `| ${gate} | ${service.requestsPerSecond} a second, ${service.errorRate * 100} % errors | ${percent(falseFailures)} | ${percent(missed)} |`,
  )
  const head = ['| gate | healthy service | failed though healthy | missed at 3 times the errors |', '|---|---|---|---|']
  return between(readme, 'false alarms', [...head, ...rows])
}

/** The README with the presets between their marks. */
export function withPresets(readme: string): string {
  const rows = Object.entries(PRESETS).map(([name, { threshold, about }]) => `| \`${name}\` | \`${threshold}\` | ${about} |`)
  return between(readme, 'presets', ['| preset | threshold | what it is |', '|---|---|---|', ...rows])
}

function between(readme: string, mark: string, lines: readonly string[]): string {
  const [open, close] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`]
  const [before, rest = ''] = readme.split(open)
  const after = rest.split(close)[1]
  if (before === undefined || after === undefined)
    throw new Error(`the README has no place for ${mark}: put ${open} and ${close} where they belong`)
  return `${before}${open}\n${lines.join('\n')}\n${close}${after}`
}
