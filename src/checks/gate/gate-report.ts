// What a gate leaves behind: its sentence, the JSON with all measurements, and the Markdown for the job summary.
import { formatDuration } from '../../runner/duration.ts'
import { foreignLine, foreignText } from '../../runner/foreign-text.ts'
import { code, codeBlock, inline, table } from '../../runner/markdown.ts'
import { valueChart } from './chart.ts'
import { describeRule } from './plan.ts'
import type { GateRun, QueryRun } from './run-gate.ts'
import { formatThreshold, formatValue, short } from './threshold.ts'

const SIGNS = { passed: '✅', failed: '❌', inconclusive: '❔', cancelled: '⏹' } as const

/** What to do about it, where the verdict itself does not say. */
const ADVICE: Readonly<Record<string, string>> = {
  ThresholdExceeded: 'See the graph and the logs of the new version.',
  WorseThanBaseline: 'See the graph and the logs of the new version.',
  BurnRate: 'See the graph and the logs of the new version.',
  Alarm: 'See the alarm and the logs of the new version.',
  NoData: 'See whether the query names the right series, and whether there is traffic.',
  NaN: 'A rate without traffic is 0/0: see whether there is any.',
  StaleData: 'See whether the metrics are still collected.',
  TooFewEvents: 'Give a longer window, or watch while there is traffic.',
  TooFewSamples: 'Give a longer duration, or a lower minimum-samples.',
  NoBaseline: 'A first deploy has none: give a threshold as well.',
  SeveralSeries: '',
  Unreachable: 'See whether the address is right and this runner may reach it.',
  Unsettled: 'Give a longer duration.',
}

/** One sentence on what was seen, and one on what to do about it. */
export function gateMessage({ verdict, queries, elapsedMs }: GateRun): string {
  const values = queries.reduce((sum, { measurements }) => sum + measurements.filter(({ kind }) => kind === 'value').length, 0)
  const seen = `${values} ${values === 1 ? 'value' : 'values'} of ${queries.length} ${queries.length === 1 ? 'query' : 'queries'} in ${formatDuration(elapsedMs)}`
  if (verdict.result === 'cancelled') return `The gate was cancelled after ${seen}.`
  if (verdict.result === 'passed') return `The gate passed: ${verdict.because} (${seen}).`
  const advice = ADVICE[verdict.reason] ?? ''
  const how = verdict.result === 'failed' ? 'The gate failed' : 'The gate could not tell'
  return `${how}: ${verdict.because} (${seen}).${advice === '' ? '' : ` ${advice}`}`
}

/** The content of the JSON file. */
export function gateReport(run: GateRun): unknown {
  const { verdict, queries, startedAt, elapsedMs } = run
  return {
    schema: 1,
    result: verdict.result,
    reason: verdict.reason,
    message: gateMessage(run),
    score: Number(verdict.score.toFixed(4)),
    started: new Date(startedAt).toISOString(),
    milliseconds: Math.round(elapsedMs),
    queries: queries.map(({ query, verdict: own, resolved, link, measurements, baseline }) => ({
      name: query.name,
      query: foreignText(resolved),
      rule: describeRule(query),
      link: link ?? null,
      result: own?.result ?? 'undecided',
      reason: own?.reason ?? '',
      because: own?.because ?? '',
      weight: query.weight,
      critical: query.critical,
      unit: query.unit,
      baseline: baseline ?? null,
      measurements: measurements.map(measurement => ({
        at: Math.round(measurement.at),
        kind: measurement.kind,
        ...(measurement.kind === 'value'
          ? {
              value: Number.isFinite(measurement.value) ? measurement.value : String(measurement.value),
              good: measurement.good,
              ...(measurement.limit === undefined ? {} : { limit: `${measurement.limit.comparison} ${measurement.limit.value}` }),
              ...(measurement.baseline === undefined ? {} : { baseline: measurement.baseline }),
            }
          : measurement.kind === 'repeated'
            ? {}
            : { reason: measurement.reason, problem: measurement.problem }),
      })),
    })),
  }
}

/** The job summary's part on a gate. */
export function gateSummary(run: GateRun, title: string, extra: readonly string[] = []): string {
  const { verdict, queries } = run
  const reason = verdict.reason === '' ? '' : ` · ${code(verdict.reason)}`
  const weighed = queries.some(({ query }) => !query.critical)
  return [
    `### ${SIGNS[verdict.result]} ${inline(title)}: ${verdict.result}${reason}`,
    inline(gateMessage(run)),
    ...extra.map(inline),
    table(
      ['query', 'must be', 'last', 'worst', 'values', 'verdict', ...(weighed ? ['weight'] : [])],
      queries.map(each => [
        ...rowOf(each),
        ...(weighed ? [`${short(each.query.weight)}${each.query.critical ? ', critical' : ''}`] : []),
      ]),
    ),
    ...queries.map(detailsOf),
  ].join('\n\n')
}

function rowOf({ query, measurements, verdict }: QueryRun): string[] {
  const values = measurements.filter(measurement => measurement.kind === 'value')
  const bad = values.filter(({ good }) => !good).length
  const last = values.at(-1)
  const limit = last?.limit
  const worst =
    values.length === 0 ? undefined : values.reduce((one, other) => (isWorse(other.value, one.value, query) ? other : one))
  const shown = (value: number | undefined): string =>
    value === undefined ? '–' : query.rule.kind === 'alarm' ? (value > 0 ? 'ALARM' : 'OK') : formatValue(value, query.unit)
  return [
    query.name,
    query.rule.kind === 'rank' || query.rule.kind === 'alarm' || limit === undefined
      ? describeRule(query).replace(/^must (be |stay )?/, '')
      : formatThreshold({ ...limit, unit: query.unit }),
    shown(last?.value),
    shown(worst?.value),
    `${values.length}${bad === 0 ? '' : `, ${bad} bad`}`,
    verdict === undefined ? 'undecided' : `${verdict.result}${verdict.reason === '' ? '' : ` (${verdict.reason})`}`,
  ]
}

function isWorse(value: number, than: number, { rule }: QueryRun['query']): boolean {
  if (rule.kind === 'rank') return rule.worse === 'higher' ? value > than : value < than
  const comparison = rule.kind === 'threshold' ? rule.threshold.comparison : rule.kind === 'ratio' ? rule.ratio.comparison : '<'
  return comparison.startsWith('<') ? value > than : value < than
}

function detailsOf({ query, resolved, link, measurements, verdict }: QueryRun): string {
  const chart = query.rule.kind === 'alarm' ? undefined : valueChart(query, measurements)
  const graph = link === undefined ? '' : ` [graph](<${link.replace(/[<>\s]/g, encodeURIComponent)}>)`
  const gaps = measurements.filter(({ kind }) => kind === 'none' || kind === 'fault')
  const lastGap = gaps.at(-1)
  const why =
    lastGap !== undefined && 'problem' in lastGap
      ? `${gaps.length} times there was no value; the last time it ${lastGap.problem}`
      : ''
  const open = verdict?.result === 'failed' || verdict?.result === 'inconclusive' ? ' open' : ''
  return [
    `<details${open}><summary>${inline(foreignLine(query.name, 80))}</summary>`,
    `${inline(describeRule(query))}.${graph}`,
    codeBlock(foreignText(resolved, 2_000)),
    ...(why === '' ? [] : [inline(why)]),
    ...(chart === undefined ? [] : [chart]),
    '</details>',
  ].join('\n\n')
}
