// CloudWatch on the simulator, by the SDK's own wire protocol.
import { CloudWatchClient, PutMetricAlarmCommand, PutMetricDataCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Aws, startAws } from '../../../../sandbox/aws/aws.ts'
import type { CloudWatchMetric, Question } from '../../../../src/checks/gate/gate.ts'
import { readValue } from '../../../../src/checks/gate/measurement.ts'
import type { Provider } from '../../../../src/checks/gate/provider.ts'
import { cloudwatch } from '../../../../src/checks/gate/providers/cloudwatch.ts'
import { jsurl } from '../../../../src/checks/gate/providers/cloudwatch-console.ts'
import { asking } from './answering-server.ts'

let aws: Aws
let client: CloudWatchClient
let provider: Provider
const kept = { ...process.env }

const PERIOD_MS = 60_000
/** A whole period that has just ended, and its end. */
const from = Math.floor(Date.now() / PERIOD_MS) * PERIOD_MS - PERIOD_MS
const now = from + PERIOD_MS + 1_000

beforeAll(async () => {
  aws = await startAws({})
  client = new CloudWatchClient({ ...aws.client, maxAttempts: 1 })
  Object.assign(process.env, aws.environment)
  provider = cloudwatch({ region: 'eu-west-1' }, process.env)
  const put = (name: string, values: readonly [ago: number, value: number][]): Promise<unknown> =>
    client.send(
      new PutMetricDataCommand({
        Namespace: 'AWS/ApplicationELB',
        MetricData: values.map(([ago, value]) => ({
          MetricName: name,
          Dimensions: [{ Name: 'LoadBalancer', Value: 'app/web/1' }],
          Timestamp: new Date(from - ago * PERIOD_MS + 5_000),
          Value: value,
        })),
      }),
    )
  await put('RequestCount', [
    [0, 200],
    [1, 100],
    [2, 100],
  ])
  await put('HTTPCode_Target_5XX_Count', [
    [0, 8],
    [1, 50],
  ])
  await put('Old', [[8, 1]])
})
afterAll(async () => {
  process.env = kept
  client.destroy()
  await aws.close()
})

const metric = (name: string, more: Partial<CloudWatchMetric> = {}): CloudWatchMetric => ({
  namespace: 'AWS/ApplicationELB',
  name,
  dimensions: { LoadBalancer: 'app/web/1' },
  statistic: 'Sum',
  periodSeconds: 60,
  ...more,
})
const ask = async (question: Question, deployedAt = 0, at = now): Promise<string> => {
  const value = readValue(await provider.now(question, at, asking({ deployedAt })), undefined, at, 300_000)
  return value.kind === 'value' ? `value ${value.value}` : `${value.kind} ${value.reason}`
}

describe('metrics', () => {
  test.each<[string, Question, string]>([
    ['the newest whole period', { kind: 'metric', metric: metric('RequestCount') }, 'value 200'],
    ['a metric nobody sends', { kind: 'metric', metric: metric('Nothing') }, 'none NoData'],
    ['one that has stopped', { kind: 'metric', metric: metric('Old') }, 'none StaleData'],
    [
      'another dimension',
      { kind: 'metric', metric: metric('RequestCount', { dimensions: { LoadBalancer: 'app/api/2' } }) },
      'none NoData',
    ],
    [
      'metric math',
      {
        kind: 'expression',
        text: 'FILL(errors, 0) / requests',
        metrics: { errors: metric('HTTPCode_Target_5XX_Count'), requests: metric('RequestCount') },
      },
      'value 0.04',
    ],
    [
      'metric math that is none',
      { kind: 'expression', text: 'errors / (', metrics: { errors: metric('RequestCount') } },
      'fault InvalidQuery',
    ],
  ])('%s', async (_, question, came) => {
    expect(await ask(question)).toBe(came)
  })

  test('a period that is not over yet is not taken', async () => {
    expect(await ask({ kind: 'metric', metric: metric('RequestCount') }, 0, from + 30_000)).toBe('value 100')
  })

  test('a data point bears the end of its period, so that it is counted once', async () => {
    const reading = await provider.now({ kind: 'metric', metric: metric('RequestCount') }, now, asking())
    expect(reading.kind === 'series' ? reading.series[0]?.points.at(-1) : reading).toEqual({ at: from + PERIOD_MS, value: 200 })
  })

  test('the values before the deploy', async () => {
    const reading = await provider.range(
      { kind: 'metric', metric: metric('RequestCount') },
      from - 3 * PERIOD_MS,
      from,
      PERIOD_MS,
      asking(),
    )
    expect(reading.kind === 'series' ? reading.series[0]?.points.map(({ value }) => value) : reading).toEqual([100, 100])
  })
})

describe('alarms', () => {
  test('OK is good, ALARM is bad, one that was red before says nothing, and so does one without data', async () => {
    const name = 'web-5xx'
    await client.send(
      new PutMetricAlarmCommand({
        AlarmName: name,
        Namespace: 'Test',
        MetricName: 'Unsent',
        Statistic: 'Sum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 5,
        ComparisonOperator: 'GreaterThanThreshold',
      }),
    )
    const set = (state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA'): Promise<unknown> =>
      client.send(new SetAlarmStateCommand({ AlarmName: name, StateValue: state, StateReason: 'by the test' }))
    const question = { kind: 'alarm', name } as const
    const seen: string[] = [await ask(question)]
    for (const state of ['OK', 'ALARM'] as const) {
      await set(state)
      seen.push(await ask(question, Date.now() - 60_000))
    }
    seen.push(await ask(question, Date.now() + 60_000))
    expect(seen).toEqual(['none NoData', 'value 0', 'value 1', 'fault AlarmBefore'])
  })

  test('one that is not there', async () => {
    expect(await ask({ kind: 'alarm', name: 'nowhere' })).toBe('fault NotFound')
  })
})

describe('CloudWatch that does not answer as it should', () => {
  test.each<[string, string, boolean]>([
    ['AccessDeniedException', 'Unauthorized', false],
    ['ThrottlingException', 'ProviderError', true],
    ['connection', 'NoAnswer', true],
  ])('%s is %s', async (error, reason, healable) => {
    aws.scenario({ faults: [{ action: 'cloudwatch:*', error }] })
    try {
      const reading = await provider.now({ kind: 'metric', metric: metric('RequestCount') }, now, asking())
      expect(reading).toEqual({
        kind: 'fault',
        reason,
        healable,
        problem: expect.stringMatching(/^could not be asked: CloudWatch /),
      })
    } finally {
      await fetch(`${aws.endpoint}/sandbox/scenario`, { method: 'PUT', body: '{}' })
    }
  })
})

describe('links to the console', () => {
  test('an alarm', () => {
    expect(provider.link({ kind: 'alarm', name: 'a b/c' }, 0, 1, 1)).toBe(
      'https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/a%20b%2Fc',
    )
  })

  test('a graph, in the notation of the console', () => {
    const link = provider.link({ kind: 'metric', metric: metric('RequestCount') }, 0, 60_000, 1) ?? ''
    expect(link).toContain("#metricsV2:graph=~(metrics~(~(~'AWS*2fApplicationELB~'RequestCount~'LoadBalancer~'app*2fweb*2f1~(")
    expect(link).not.toMatch(/[<>\s"]/)
  })

  test.each<[Parameters<typeof jsurl>[0], string]>([
    ['a b', "~'a*20b"],
    ['$x', "~'!x"],
    ['é', "~'*e9"],
    ['…', "~'**2026"],
    [[], '~(~)'],
    [[1, true], '~(~1~true)'],
    [{ a: 'b', c: [1] }, "~(a~'b~c~(~1))"],
  ])('%j is %s', (value, written) => {
    expect(jsurl(value)).toBe(written)
  })
})
