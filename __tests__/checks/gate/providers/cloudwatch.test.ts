// CloudWatch on the simulator, by the SDK's own wire protocol.
import { CloudWatchClient, PutMetricAlarmCommand, PutMetricDataCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Aws, startAws } from '../../../../sandbox/aws/aws.ts'
import type { CloudWatchMetric, Question } from '../../../../src/checks/gate/gate.ts'
import { readValue } from '../../../../src/checks/gate/measurement.ts'
import { planGate } from '../../../../src/checks/gate/plan.ts'
import type { Provider } from '../../../../src/checks/gate/provider.ts'
import { cloudwatch } from '../../../../src/checks/gate/providers/cloudwatch.ts'
import { jsurl } from '../../../../src/checks/gate/providers/cloudwatch-console.ts'
import { type GateRun, runGate } from '../../../../src/checks/gate/run-gate.ts'
import type { GateContent, QueryContent } from '../../../../src/checks/gate/schema.ts'
import { ManualClock } from '../../../deploy/manual-clock.ts'
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

  test('a period that began before the deploy is not taken', async () => {
    const question = { kind: 'metric', metric: metric('RequestCount') } as const
    expect([await ask(question, from), await ask(question, from + 1)]).toEqual(['value 200', 'none NoData'])
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

describe('a gate at its defaults', () => {
  const MIDNIGHT = Math.floor(from / PERIOD_MS - 600) * PERIOD_MS
  const labels = { LoadBalancer: 'app/gate/1' }
  /** One value a minute, from minutes before the gate to some after it. */
  const put = (name: string, of: (minute: number) => number): Promise<unknown> =>
    client.send(
      new PutMetricDataCommand({
        Namespace: 'AWS/ApplicationELB',
        MetricData: Array.from({ length: 30 }, (_, index) => index - 10).map(minute => ({
          MetricName: name,
          Dimensions: Object.entries(labels).map(([Name, Value]) => ({ Name, Value })),
          Timestamp: new Date(MIDNIGHT + minute * PERIOD_MS + 5_000),
          Value: of(minute),
        })),
      }),
    )
  beforeAll(async () => {
    await put('RequestCount', () => 200)
    // Healthy until the gate begins, and bad from then on.
    await put('HTTPCode_Target_5XX_Count', minute => (minute < 0 ? 2 : 100))
    // The bad version before the gate, and one that is well from then on.
    await put('TargetResponseTime', minute => (minute <= 0 ? 9 : 0.2))
    await put('HTTPCode_Target_4XX_Count', () => 2)
  })

  const play = async (content: GateContent, offsetMs: number, lateMs = 0): Promise<GateRun> => {
    const clock = new ManualClock(MIDNIGHT + offsetMs)
    const { gate } = planGate({ provider: 'cloudwatch', ...content })
    let over = false
    const late: Provider = { ...provider, now: (question, at, asked) => provider.now(question, at - lateMs, asked) }
    const signal = new AbortController().signal
    const running = runGate({ gate, providerOf: () => late, clock, signal, print: () => undefined }).finally(() => {
      over = true
    })
    // The simulator is real: its answers take a moment of the machine's own time, while the clock stands still.
    while (!over) {
      if (clock.pending === 0) await new Promise(resolve => setTimeout(resolve, 1))
      else await clock.next()
    }
    return running
  }

  const errors: QueryContent = { name: 'errors', preset: 'alb/error-rate', labels }
  const refused: QueryContent = {
    name: 'refused',
    query: 'FILL(refused, 0) / requests',
    metrics: {
      refused: { namespace: 'AWS/ApplicationELB', name: 'HTTPCode_Target_4XX_Count', dimensions: labels, statistic: 'Sum' },
      requests: { namespace: 'AWS/ApplicationELB', name: 'RequestCount', dimensions: labels, statistic: 'Sum' },
    },
    threshold: '< 5%',
  }
  const p95: QueryContent = { name: 'p95', preset: 'alb/p95', labels }
  const touchy: QueryContent = { ...p95, consecutive: 1 }

  test.each<[string, QueryContent, offset: number, late: number, string]>([
    ['a service that is well', refused, 0, 0, 'passed '],
    ['one that is well, begun within a minute', refused, 31_000, 0, 'passed '],
    ['one whose data is two minutes late', refused, 59_000, 120_000, 'passed '],
    ['errors since the deploy', errors, 31_000, 0, 'failed ThresholdExceeded'],
    ['errors since the deploy, told two minutes late', errors, 31_000, 120_000, 'failed ThresholdExceeded'],
    ['a version that mends what was slow before', touchy, 31_000, 0, 'passed '],
    ['the same, told two minutes late', touchy, 31_000, 120_000, 'passed '],
  ])('%s', async (_, query, offset, late, verdict) => {
    const { verdict: came } = await play({ queries: [query] }, offset, late)
    expect(`${came.result} ${came.reason}`).toBe(verdict)
  })

  test('each period is one value, and an alarm beside them is looked at from the first moment on', async () => {
    const { gate } = planGate({ provider: 'cloudwatch', queries: [errors], alarms: ['web-5xx'] })
    expect(gate.queries.map(({ delayMs, intervalMs }) => [delayMs, intervalMs])).toEqual([
      [120_000, 60_000],
      [0, 15_000],
    ])
    const { queries } = await play({ queries: [refused] }, 0)
    expect(queries[0]?.measurements.map(({ kind, at }) => `${kind} ${at / 1_000}`)).toEqual([
      'value 120',
      'value 180',
      'value 240',
      'value 300',
    ])
  })

  test.each<[string, Partial<QueryContent>, Partial<GateContent>, [delay: number, interval: number]]>([
    ['a longer period', { metric: { namespace: 'a', name: 'b', period: 120_000 } }, {}, [240, 120]],
    ['a short one', { metric: { namespace: 'a', name: 'b', period: 1_000 } }, {}, [2, 15]],
    ['a longer interval', { metric: { namespace: 'a', name: 'b' } }, { interval: 90_000 }, [120, 90]],
    ['a delay that is given', { metric: { namespace: 'a', name: 'b' } }, { delay: 0 }, [0, 60]],
    ['a SELECT', { query: 'SELECT AVG(x) FROM y' }, {}, [120, 60]],
    ['less time than two periods', { metric: { namespace: 'a', name: 'b' } }, { duration: 90_000 }, [90, 60]],
  ])('%s', (_, asked, content, expected) => {
    const query = { name: 'q', threshold: '< 1', ...asked }
    const [planned] = planGate({ provider: 'cloudwatch', ...content, queries: [query] }).gate.queries
    expect([planned?.delayMs ?? 0, planned?.intervalMs ?? 0].map(ms => ms / 1_000)).toEqual(expected)
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
