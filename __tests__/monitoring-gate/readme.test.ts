// Every example in the README of monitoring-gate, run: on good values it passes, on bad ones it fails. And the tables that come from the code.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { repositoryRoot } from '../../scripts/action-file.ts'
import { figures, GATES } from '../../scripts/false-alarms.ts'
import { withFalseAlarms, withPresets } from '../../scripts/gate-tables.ts'
import { parseCheckFile } from '../../src/checks/check-file/read.ts'
import type { GateQuery } from '../../src/checks/gate/gate.ts'
import { planGate } from '../../src/checks/gate/plan.ts'
import type { Provider, Reading } from '../../src/checks/gate/provider.ts'
import { readQueries } from '../../src/checks/gate/read-queries.ts'
import { type GateRun, runGate } from '../../src/checks/gate/run-gate.ts'
import type { GateContent } from '../../src/checks/gate/schema.ts'
import { isUpperLimit } from '../../src/checks/gate/threshold.ts'
import { parseDuration } from '../../src/runner/duration.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'

const readme = readFileSync(join(repositoryRoot, 'actions/monitoring-gate/README.md'), 'utf8')

interface Inputs {
  readonly provider?: GateContent['provider']
  readonly queries?: string
  readonly alarms?: string
  readonly duration?: string
  readonly interval?: string
  readonly 'early-pass'?: number
  readonly 'minimum-score'?: string
}

const examples = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)]
  .flatMap(block => parse(block[1] ?? '') as { with: Inputs }[])
  .map(({ with: inputs }) => inputs)
  .filter(({ queries }) => queries !== undefined)

function contentOf(inputs: Inputs): GateContent {
  const ms = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseDuration(text))
  return {
    provider: inputs.provider,
    prometheus: { url: 'http://prometheus' },
    datadog: { 'api-key': 'a', 'app-key': 'b' },
    queries: [...readQueries(inputs.queries ?? '')],
    alarms: (inputs.alarms ?? '').split('\n').filter(name => name !== ''),
    duration: ms(inputs.duration),
    interval: ms(inputs.interval),
    'early-pass': inputs['early-pass'],
    ...(inputs['minimum-score'] === undefined ? {} : { 'minimum-score': Number.parseFloat(inputs['minimum-score']) / 100 }),
  }
}

/** A value that is good, or bad, to this query. The baseline is 1. */
function valueFor({ rule }: GateQuery, good: boolean): number {
  if (rule.kind === 'alarm' || rule.kind === 'burn-rate') return good ? 0 : 1
  if (rule.kind === 'rank') return good ? 1 : 9
  const limit = rule.kind === 'ratio' ? rule.ratio : rule.threshold
  return isUpperLimit(limit) === good ? limit.value * 0.9 : limit.value * 1.1
}

async function play(content: GateContent, good: boolean): Promise<GateRun> {
  const { gate } = planGate(content)
  const clock = new ManualClock(Date.UTC(2026, 0, 1))
  const providerOf = (query: GateQuery): Provider => {
    const series = (value: number, at: number): Reading => ({
      kind: 'series',
      series: [{ labels: '{}', points: [{ at, value }] }],
    })
    const stable =
      (query.rule.kind === 'rank' || query.rule.kind === 'ratio') && query.rule.baseline.kind === 'stable'
        ? query.rule.baseline.question
        : undefined
    return {
      now: async (question, at) =>
        series(question === query.events?.question ? 1_000_000 : question === stable ? 1 : valueFor(query, good), at),
      range: async () => ({
        kind: 'series',
        series: [{ labels: '{}', points: Array.from({ length: 20 }, (_, at) => ({ at, value: 1 })) }],
      }),
      resolved: () => '',
      link: () => undefined,
    }
  }
  let run: GateRun | undefined
  const running = runGate({ gate, providerOf, clock, signal: new AbortController().signal, print: () => undefined })
  void running.then(ended => {
    run = ended
  })
  do await settle(1)
  while (run === undefined && (await clock.next()))
  return running
}

describe('an example', () => {
  test('is there for every kind of gate', () => {
    const rules = new Set(examples.flatMap(inputs => planGate(contentOf(inputs)).gate.queries.map(({ rule }) => rule.kind)))
    expect([...rules].sort()).toEqual(['alarm', 'burn-rate', 'rank', 'ratio', 'threshold'])
    expect(new Set(examples.map(({ provider = 'prometheus' }) => provider))).toEqual(
      new Set(['prometheus', 'cloudwatch', 'datadog']),
    )
  })

  test.each(examples.map((inputs, index) => [index, inputs] as const))(
    '%d passes on good values, and fails on bad ones',
    async (_, inputs) => {
      expect((await play(contentOf(inputs), true)).verdict).toMatchObject({ result: 'passed' })
      expect((await play(contentOf(inputs), false)).verdict).toMatchObject({ result: 'failed' })
    },
  )
})

describe('the page on check files', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/check-file.md'), 'utf8')
  const gates = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text).filter(text => /^gate:/m.test(text))

  test('has an example with a gate, which passes on good values, and fails on bad ones', async () => {
    expect(gates.length).toBe(1)
    const { content, variables } = parseCheckFile(gates[0] ?? '', 'checks.yml', {})
    if (content.gate === undefined) throw new Error('it has no gate')
    expect(planGate(content.gate, text => variables.fill(text)).settings.prometheus?.url).toBe(
      'http://prometheus.monitoring:9090',
    )
    expect((await play(content.gate, true)).verdict).toMatchObject({ result: 'passed' })
    expect((await play(content.gate, false)).verdict).toMatchObject({ result: 'failed' })
  })
})

test('the presets are those of the code', () => {
  expect(withPresets(readme)).toBe(readme)
})

describe('how often it is wrong', () => {
  const all = figures()

  test.each(all)('$gate: below 1 %', ({ falseFailures, missed }) => {
    expect(falseFailures).toBeLessThan(GATES / 100)
    expect(missed).toBeLessThan(GATES / 100)
  })

  test('the figures are those in the README; npm run docs writes them', () => {
    expect(withFalseAlarms(readme, all)).toBe(readme)
  })
})
