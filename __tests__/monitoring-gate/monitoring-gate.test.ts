import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { definition } from '../../actions/monitoring-gate/src/definition.ts'
import { monitoringGate, type Ports } from '../../actions/monitoring-gate/src/monitoring-gate.ts'
import type { Outcome } from '../../src/runner/action.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { inputSecrets, inputVariable, readInputs } from '../../src/runner/inputs.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock } from '../deploy/manual-clock.ts'

const temporary = mkdtempSync(join(tmpdir(), 'gate-'))
let body: unknown = ''
const server = createServer((_request, response) => void response.end(typeof body === 'string' ? body : JSON.stringify(body)))
let url = ''
beforeAll(async () => {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(temporary, { recursive: true })
})

const RELEASE = 'k8s://shop/web/7'
const vector = (...values: string[]): unknown => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: values.map((value, index) => ({ metric: { pod: `<img src=x>|::error::${index}` }, value: [1, value] })),
  },
})

interface Ended {
  readonly outcome: Outcome<string>
  readonly printed: string
  readonly marked: readonly string[]
}

async function play(answer: unknown, inputs: Record<string, string> = {}, ports: Partial<Ports> = {}): Promise<Ended> {
  body = answer
  const given = {
    'prometheus-url': url,
    queries: '- { name: errors, query: "errors{a=\\"b\\"}", threshold: < 5% }',
    duration: '60s',
    'provider-timeout': '30s',
    ...inputs,
  }
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [inputVariable(name), value]))
  const values = readInputs(definition.inputs, env, definition.check)
  const clock = new ManualClock(Date.UTC(2026, 0, 1))
  const marked: string[] = []
  let printed = ''
  const log = createLog(text => {
    printed += text
  })
  for (const secret of inputSecrets(definition.inputs, env)) log.mask(secret)
  const signal = new AbortController().signal
  const runner = { env: {}, workspace: temporary, temporary, log, cancelled: signal, ending: signal, saveState: () => undefined }
  let over = false
  const running = monitoringGate(values, runner, { clock, markVerified: async address => void marked.push(address), ...ports })
  running.then(
    () => {
      over = true
    },
    () => {
      over = true
    },
  )
  // The server is real: its answers take a moment of the machine's own time, while the clock stands still.
  while (!over) {
    if (clock.pending === 0) await new Promise(resolve => setTimeout(resolve, 1))
    else await clock.next()
  }
  return { outcome: await running, printed, marked }
}

describe('monitoring-gate', () => {
  test('a pass is green, and its release is marked', async () => {
    const { outcome, marked } = await play(vector('0.01'), { verifies: RELEASE })
    expect(outcome).toMatchObject({ result: 'passed', reason: '', green: true })
    expect(outcome.message).toBe(
      `The gate passed: errors 1 % (< 5 %) at last, 5 values (5 values of 1 query in 1 m). ${RELEASE} is marked verified.`,
    )
    expect(marked).toEqual([RELEASE])
  })

  test('a failure is red, by name, and marks nothing', async () => {
    const { outcome, marked, printed } = await play(vector('0.5'), { verifies: RELEASE })
    expect(outcome).toMatchObject({ result: 'failed', reason: 'ThresholdExceeded', green: false })
    expect(outcome.message).toBe(
      'The gate failed: errors 50 % is not < 5 %, 4 times in a row (4 values of 1 query in 45 s). See the graph and the logs of the new version.',
    )
    expect(marked).toEqual([])
    expect(printed).toContain('errors must stay < 5 %: errors{a="b"}')
    const report = JSON.parse(readFileSync(outcome.outputs?.measurements ?? '', 'utf8'))
    expect(report).toMatchObject({
      result: 'failed',
      queries: [
        { name: 'errors', query: 'errors{a="b"}', measurements: [{ kind: 'value', value: 0.5, good: false }, {}, {}, {}] },
      ],
    })
  })

  test.each<[string, unknown, Record<string, string>, object]>([
    ['no data', vector(), {}, { result: 'inconclusive', reason: 'NoData', green: false }],
    ['no data, with a warning', vector(), { 'on-inconclusive': 'warn' }, { result: 'inconclusive', green: true, warning: true }],
    ['no data is a failure', vector(), { 'on-no-data': 'fail' }, { result: 'failed', reason: 'NoData', green: false }],
    ['no data is a pass', vector(), { 'on-no-data': 'pass' }, { result: 'passed', green: true }],
    ['a failure is never a warning', vector('1'), { 'on-inconclusive': 'warn' }, { result: 'failed', green: false }],
    ['garbage', 'hello', { 'on-no-data': 'pass' }, { result: 'inconclusive', reason: 'ProviderError', green: false }],
    ['two series', vector('0', '0'), { 'on-no-data': 'pass' }, { result: 'inconclusive', reason: 'SeveralSeries', green: false }],
  ])('%s', async (_, answer, inputs, expected) => {
    const { outcome, marked } = await play(answer, { ...inputs })
    expect(outcome).toMatchObject(expected)
    expect(marked).toEqual([])
  })

  test('a pass that cannot be marked is red, and says both', async () => {
    const markVerified = (): Promise<void> => Promise.reject(new ExpectedFailure('NotFound', 'There is no release 7 of web.'))
    const { outcome } = await play(vector('0.01'), { verifies: RELEASE }, { markVerified })
    expect(outcome).toMatchObject({ result: 'passed', reason: 'NotFound', green: false })
    expect(outcome.message).toMatch(
      /^The gate passed: .*The gate passed, but .* could not be marked verified: There is no release 7 of web\.$/,
    )
    expect(outcome.summary).toContain('could not be marked verified')
  })

  test('the summary has the verdict, the query, its values drawn against the limit, and a link', async () => {
    const { outcome } = await play(vector('0.5'))
    const summary = outcome.summary ?? ''
    expect(summary).toContain('### ❌ monitoring-gate: failed · `ThresholdExceeded`')
    expect(summary).toContain('| errors | \\&lt; 5 % |'.replace('\\', ''))
    expect(summary).toContain(`[graph](<${url}/graph?g0.expr=errors%7Ba%3D%22b%22%7D`)
    expect(summary).toContain(
      [
        'xychart-beta',
        '    title "errors"',
        '    x-axis ["0:00", "0:15", "0:30", "0:45"]',
        '    y-axis "%" 0 --> 55',
        '    line [50, 50, 50, 50]',
        '    line [5, 5, 5, 5]',
      ].join('\n'),
    )
  })

  test('what a provider says reaches neither the log as a command nor the summary as Markdown', async () => {
    const { outcome, printed } = await play(vector('1', '2'))
    expect(printed).not.toMatch(/^\s*::error/m)
    expect(outcome.summary).not.toMatch(/<img/)
  })

  test('a name and a query reach the summary as text', async () => {
    const queries = JSON.stringify([{ name: '<b>x</b> "| `y`', query: '```\n</details><img src=x>', threshold: '< 5%' }])
    const { outcome } = await play(vector('0.01'), { queries })
    const outside = (outcome.summary ?? '').replace(/(`{3,})[\s\S]*?\n\1/g, '')
    expect(outside).not.toMatch(/<img|<b>/)
    expect(outcome.summary).toContain('````text\n``` </details><img src=x>\n````')
  })

  test('a secret is in no line and no file', async () => {
    const secret = 'hunter2hunter2'
    const { outcome, printed } = await play({ status: 'error', error: `bad token ${secret}` }, { 'prometheus-token': secret })
    expect(printed.replace(/^::add-mask::.*$/gm, '')).not.toContain(secret)
    expect(readFileSync(outcome.outputs?.measurements ?? '', 'utf8')).not.toContain(secret)
  })

  test.each<[string, string, RegExp]>([
    ['no list', 'errors', /queries: .*must be a list/],
    ['no YAML', '- { name: [', /queries: line 1: /],
    [
      'a misspelt key',
      '- { name: errors, query: up, treshold: < 5% }',
      /queries: errors: "treshold" is no key that is known here; did you mean threshold\?/,
    ],
    ['nothing to be held against', '- { name: errors, query: up }', /errors: has nothing to be held against/],
    ['no question', '- { name: errors, threshold: < 5% }', /errors: needs one of query, metric and preset/],
    ['a wrong threshold', '- { name: errors, query: up, threshold: 5% }', /errors, threshold: "5%" does not begin with/],
    ['a preset nobody knows', '- { name: errors, preset: nginx/errors }', /errors, preset: must be .*nginx-ingress\/error-rate/],
    [
      'a name twice',
      '- { name: a, query: up, threshold: < 5 }\n- { name: a, query: up, threshold: < 5 }',
      /a, name: is the name of another query too/,
    ],
    [
      'a baseline of two kinds',
      '- { name: a, query: up, baseline: { before: true, query: up, ratio: < 2 } }',
      /a, baseline: needs either before or query/,
    ],
    ['a burn rate over no window', '- { name: a, query: up, burn-rate: { objective: 99% } }', /must have \$window/],
    [
      'an objective without a budget',
      '- { name: a, query: "x[$window]", burn-rate: { objective: 100% } }',
      /needs an objective below 100%/,
    ],
    ['two faults', '- { name: a, query: up }\n- { query: up, threshold: < 5 }', /a: has nothing.*; query 2, name: is missing/],
    [
      'a preset of another provider',
      '- { name: a, preset: alb/p95 }',
      /query a: the preset alb\/p95 is for cloudwatch, and the provider is prometheus/,
    ],
    [
      'a metric of another provider',
      '- { name: a, metric: { namespace: x, name: y }, threshold: < 5 }',
      /query a: metric is for cloudwatch/,
    ],
    [
      'more samples than there is time for',
      '- { name: a, query: up, threshold: < 5, minimum-samples: 50 }',
      /a: minimum-samples is 50, and there is time for 5 values only/,
    ],
  ])('%s is told before anything is asked', async (_, queries, fault) => {
    await expect(play(vector('0'), { queries })).rejects.toThrow(fault)
    await expect(play(vector('0'), { queries })).rejects.toMatchObject({ reason: 'InvalidInput' })
  })

  test('the gate of a check file', async () => {
    writeFileSync(
      join(temporary, 'checks.yml'),
      `with: { limit: 5% }\ngate:\n  prometheus: { url: ${url} }\n  duration: 30s\n  queries:\n    - { name: errors, query: errors, threshold: '< \${limit}' }\n`,
    )
    const { outcome, printed } = await play(vector('0.01'), { queries: '', 'prometheus-url': '', checks: 'checks.yml' })
    expect(outcome).toMatchObject({ result: 'passed', green: true })
    expect(printed).toContain('errors must stay < 5 %: errors')
  })
})
