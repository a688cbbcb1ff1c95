// The built monitoring-gate, run as the runner does, against a real Prometheus that scrapes a real app which turns bad while it is watched.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CloudWatchClient, PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startAws } from '../../sandbox/aws/aws.ts'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import { scrape } from '../../sandbox/prometheus/targets.ts'
import { type ActionResult, type RunActionOptions, runAction } from '../harness/run-action.ts'
import { type MeteredApp, startMeteredApp } from './metered-app.ts'

const { PROMETHEUS_URL: url = '', PROMETHEUS_TARGETS: targets = '' } = sandboxEnvironment()
const name = `gate-${randomUUID().slice(0, 8)}`
let app: MeteredApp
let stable: MeteredApp

const gate = (inputs: Record<string, string>, more: Partial<RunActionOptions> = {}): Promise<ActionResult> =>
  runAction({
    action: 'monitoring-gate',
    inputs: { 'prometheus-url': url, duration: '12s', interval: '500ms', window: '4s', ...inputs },
    giveUpAfter: 60_000,
    ...more,
  })
const errors = (version: string): string => `- name: errors
  preset: prom-client/error-rate
  labels: { app: ${name}, version: '${version}' }
  minimum-events: 50
`
const p95 = `- name: p95
  preset: prom-client/p95
  labels: { app: ${name}, version: '2' }
  minimum-events: 50
  threshold: < 300ms
`
/** Makes the app worse, once the gate has seen it well. */
const turning = (change: () => void, well = /errors: 0 %/): Partial<RunActionOptions> => {
  let changed = false
  return {
    onOutput: text => {
      if (changed || !well.test(text)) return
      changed = true
      change()
    },
  }
}
interface Report {
  readonly result: string
  readonly queries: readonly {
    readonly name: string
    readonly query: string
    readonly measurements: readonly { readonly kind: string; readonly value: number }[]
  }[]
}
const reportOf = (step: ActionResult): Report => JSON.parse(readFileSync(step.outputs['measurements'] ?? '', 'utf8'))

describe('monitoring-gate, built, on a real Prometheus', () => {
  beforeAll(async () => {
    app = await startMeteredApp(targets, name, '2')
    stable = await startMeteredApp(targets, name, '1')
    // Time enough for windows of 4 s that are full, and for a baseline before the gate.
    await new Promise(done => setTimeout(done, 15_000))
  })
  afterAll(() => Promise.all([app.close(), stable.close()]))

  test('a healthy app passes, with its values, chart and link', async () => {
    const step = await gate({ queries: errors('2') + p95 })
    expect(step).toMatchObject({ conclusion: 'success', outputs: { result: 'passed', reason: '' } })
    expect(step.outputs['message']).toMatch(
      /^The gate passed: errors 0 % \(< 5 %\) at last, \d+ values; p95 [\d.]+ ms \(< 300 ms\) at last/,
    )
    expect(step.summary).toContain('xychart-beta')
    expect(step.summary).toContain(`[graph](<${url}/graph?g0.expr=`)
    const report = reportOf(step)
    expect(report.queries.map(query => query.name)).toEqual(['errors', 'p95'])
    expect(report.queries[0]?.query).toContain('[4s]')
    expect(report.queries[1]?.measurements.filter(({ kind }) => kind === 'value').length).toBeGreaterThan(8)
    expect(step.seconds).toBeGreaterThan(11)
  })

  test('errors that begin while it is watched fail it, early and by name', async () => {
    const step = await gate(
      { queries: errors('2') + p95, duration: '40s' },
      turning(() => {
        app.errorRate = 0.5
      }),
    )
    app.errorRate = 0
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'ThresholdExceeded' } })
    expect(step.outputs['message']).toMatch(/^The gate failed: errors [\d.]+ % is not < 5 %, 4 times in a row/)
    expect(step.seconds).toBeLessThan(25)
    await new Promise(done => setTimeout(done, 5_000))
  })

  test('answers that become slow fail it', async () => {
    const step = await gate(
      { queries: errors('2') + p95, duration: '40s' },
      turning(() => {
        app.latencyMs = 600
      }),
    )
    app.latencyMs = 5
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'ThresholdExceeded' } })
    expect(step.outputs['message']).toMatch(/^The gate failed: p95 /)
    await new Promise(done => setTimeout(done, 5_000))
  })

  test('a version worse than the stable one fails, by ratio and by rank, and one that is no worse does not', async () => {
    const query = (version: string): string =>
      `sum(rate(http_request_duration_seconds_sum{app="${name}",version="${version}"}[$window])) / sum(rate(http_request_duration_seconds_count{app="${name}",version="${version}"}[$window]))`
    const queries = `- name: by ratio
  query: ${query('2')}
  unit: s
  baseline: { query: '${query('1')}', ratio: < 3 }
- name: by rank
  query: ${query('2')}
  unit: s
  baseline: { query: '${query('1')}', confidence: 99% }
`
    const same = await gate({ queries, window: '2s', duration: '16s' })
    expect(same).toMatchObject({ conclusion: 'success', outputs: { result: 'passed' } })
    app.latencyMs = 60
    await new Promise(done => setTimeout(done, 3_000))
    const worse = await gate({ queries, window: '2s', duration: '16s' })
    app.latencyMs = 5
    expect(worse).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'WorseThanBaseline' } })
  })

  test('two series where one is needed, NaN, nothing, and a query that is none: never a pass, and each by name', async () => {
    const one = async (query: string): Promise<string[]> => {
      const step = await gate({
        queries: `- { name: q, query: '${query}', threshold: < 1 }`,
        duration: '2s',
        interval: '200ms',
        'provider-timeout': '1s',
      })
      expect(step.conclusion).toBe('failure')
      return [step.outputs['result'] ?? '', step.outputs['reason'] ?? '']
    }
    const seen = await Promise.all([one(`up{app="${name}"}`), one('0/0'), one('nowhere'), one('sum(')])
    expect(seen).toEqual([
      ['inconclusive', 'SeveralSeries'],
      ['inconclusive', 'NaN'],
      ['inconclusive', 'NoData'],
      ['inconclusive', 'InvalidQuery'],
    ])
  })

  test('a gauge that is sent no more is stale, and not what it was at last', async () => {
    const at = Date.now()
    // With a time of its own a series has no end that Prometheus would note.
    const server = createServer((_request, response) => response.end(`queue_waiting 7 ${at}\n`))
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    const own = `${name}-queue`
    const unscrape = scrape(targets, own, `127.0.0.1:${(server.address() as AddressInfo).port}`, { app: own })
    try {
      await new Promise(done => setTimeout(done, 4_000))
      const query = `max(queue_waiting{app="${own}"})`
      const queries = `- { name: queue, query: '${query}', threshold: < 10 }`
      const [fresh, stale] = await Promise.all([
        gate({ queries, duration: '3s' }),
        gate({ queries, duration: '3s', 'stale-after': '2s' }),
      ])
      expect(fresh.outputs).toMatchObject({ result: 'passed', reason: '' })
      expect(stale.outputs).toMatchObject({ result: 'inconclusive', reason: 'StaleData' })
      expect(stale.outputs['message']).toContain('gave no data newer than 2 s')
    } finally {
      unscrape()
      server.close()
    }
  })

  test('no traffic is no pass', async () => {
    app.traffic(false)
    await new Promise(done => setTimeout(done, 5_000))
    const step = await gate({ queries: errors('2'), duration: '6s', 'on-inconclusive': 'warn' })
    app.traffic(true)
    expect(step).toMatchObject({
      conclusion: 'success',
      outputs: { result: 'inconclusive' },
      annotations: [{ level: 'warning' }],
    })
    expect(['NaN', 'TooFewEvents']).toContain(step.outputs['reason'])
  })
})

describe('monitoring-gate, built, on CloudWatch as the simulator has it', () => {
  test('an alarm that goes off while it is watched fails it, at once', async () => {
    const aws = await startAws({})
    const client = new CloudWatchClient({ ...aws.client, maxAttempts: 1 })
    const set = (state: 'OK' | 'ALARM'): Promise<unknown> =>
      client.send(new SetAlarmStateCommand({ AlarmName: 'web-5xx', StateValue: state, StateReason: 'by the test' }))
    try {
      await client.send(
        new PutMetricAlarmCommand({
          AlarmName: 'web-5xx',
          Namespace: 'Test',
          MetricName: 'Unsent',
          Statistic: 'Sum',
          Period: 60,
          EvaluationPeriods: 1,
          Threshold: 5,
          ComparisonOperator: 'GreaterThanThreshold',
        }),
      )
      await set('OK')
      let changed = false
      const step = await gate(
        { provider: 'cloudwatch', alarms: 'web-5xx', 'prometheus-url': '', duration: '60s' },
        {
          env: aws.environment,
          onOutput: text => {
            if (changed || !text.includes('alarm web-5xx: OK')) return
            changed = true
            void set('ALARM')
          },
        },
      )
      expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'Alarm' } })
      expect(step.outputs['message']).toMatch(/^The gate failed: alarm web-5xx is in ALARM/)
      expect(step.summary).toContain('#alarmsV2:alarm/web-5xx')
      expect(step.seconds).toBeLessThan(30)
    } finally {
      client.destroy()
      await aws.close()
    }
  })

  test('a metric comes to a verdict: passed while it is well, and failed once it turns bad', async () => {
    const aws = await startAws({})
    let latency = 0.2
    const sending = setInterval(() => {
      aws.call('cloudwatch:PutMetricData', { Namespace: 'Web', MetricData: [{ MetricName: 'Latency', Value: latency }] })
    }, 100)
    const queries = '- { name: latency, metric: { namespace: Web, name: Latency, statistic: p95, period: 1s }, threshold: < 1s }'
    const inputs = { provider: 'cloudwatch', 'prometheus-url': '', queries }
    try {
      const well = await gate(inputs, { env: aws.environment })
      expect(well).toMatchObject({ conclusion: 'success', outputs: { result: 'passed', reason: '' } })
      expect(well.outputs['message']).toMatch(/^The gate passed: latency 200 ms \(< 1 s\) at last, \d+ values/)
      const turn = (): void => {
        latency = 3
      }
      const bad = await gate({ ...inputs, duration: '60s' }, { ...turning(turn, /latency: 200 ms/), env: aws.environment })
      expect(bad).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'ThresholdExceeded' } })
      expect(bad.outputs['message']).toMatch(/^The gate failed: latency 3 s is not < 1 s, 4 times in a row/)
      expect(bad.seconds).toBeLessThan(30)
    } finally {
      clearInterval(sending)
      await aws.close()
    }
  })
})
