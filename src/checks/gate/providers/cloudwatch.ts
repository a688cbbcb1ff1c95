// CloudWatch: metrics, metric math and Metrics Insights by GetMetricData, alarms by DescribeAlarms.
import { CloudWatchClient, DescribeAlarmsCommand, GetMetricDataCommand, type MetricDataQuery } from '@aws-sdk/client-cloudwatch'
import { messageOf } from '../../../runner/failure.ts'
import { foreignLine } from '../../../runner/foreign-text.ts'
import type { CloudWatchMetric, Question } from '../gate.ts'
import { fault } from '../json-request.ts'
import { type Asking, type Fault, type Provider, periodSeconds, type Reading, withWindow } from '../provider.ts'
import { alarmPage, metricsPage } from './cloudwatch-console.ts'

/** How far back the newest data point is looked for, in periods: services report theirs up to some minutes late. */
const PERIODS_BACK = 10
const VALUE = 'value'

export function cloudwatch(settings: { readonly region?: string }, env: NodeJS.ProcessEnv): Provider {
  const region = settings.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION']
  const client = new CloudWatchClient({ ...(region === undefined ? {} : { region }), maxAttempts: 2 })
  const points = async (question: Question, from: number, to: number, asking: Asking): Promise<Reading> => {
    const periodMs = periodSeconds(question) * 1_000
    const answer = await client.send(
      new GetMetricDataCommand({
        MetricDataQueries: queriesOf(question, asking.windowMs),
        StartTime: new Date(from),
        EndTime: new Date(to),
        ScanBy: 'TimestampAscending',
      }),
      { abortSignal: abortOf(asking) },
    )
    const results = (answer.MetricDataResults ?? []).filter(({ Id }) => Id === VALUE)
    const broken = results.find(({ StatusCode }) => StatusCode !== undefined && StatusCode !== 'Complete')
    const said = [...(broken?.Messages ?? []), ...(answer.Messages ?? [])].map(({ Value }) => Value ?? '').join('; ')
    if (broken?.StatusCode === 'Forbidden')
      return fault(
        'Unauthorized',
        'could not be asked: CloudWatch says Forbidden; see the permission cloudwatch:GetMetricData',
        false,
      )
    if (broken?.StatusCode === 'InternalError')
      return fault('ProviderError', `could not be asked: CloudWatch says InternalError ${foreignLine(said, 200)}`, true)
    if (broken !== undefined)
      return { kind: 'nothing', reason: 'PartialData', problem: `gave a part of the data only ${foreignLine(said, 200)}` }
    return {
      kind: 'series',
      series: results.map(({ Label, Timestamps = [], Values = [] }) => ({
        labels: `{${Label ?? ''}}`,
        // A data point bears the time at which its period begins, and is whole only at its end.
        points: Timestamps.flatMap((timestamp, index) => {
          const value = Values[index]
          const at = timestamp.getTime() + periodMs
          return value === undefined || at > to ? [] : [{ at, value }]
        }),
      })),
    }
  }
  return {
    now: (question, at, asking) =>
      safely(async () => {
        if (question.kind === 'alarm') return alarmState(client, question.name, at, asking)
        const periodMs = periodSeconds(question) * 1_000
        const reading = await points(question, at - periodMs * PERIODS_BACK, at, asking)
        return sinceDeploy(reading, asking.deployedAt + periodMs)
      }),
    range: (question, from, to, _stepMs, asking) => safely(() => points(question, from, to, asking)),
    resolved: (question, windowMs) => resolved(question, windowMs),
    link: (question, from, to, windowMs) => {
      if (region === undefined) return undefined
      if (question.kind === 'alarm') return alarmPage(region, question.name)
      return metricsPage(region, queriesOf(question, windowMs), from, to)
    },
  }
}

/** What was before the deploy began is not of its doing: the first data point that counts bears the time `earliest`. */
function sinceDeploy(reading: Reading, earliest: number): Reading {
  if (reading.kind !== 'series' || !reading.series.some(({ points }) => points.length > 0)) return reading
  const series = reading.series.map(({ labels, points }) => ({ labels, points: points.filter(({ at }) => at >= earliest) }))
  if (series.some(({ points }) => points.length > 0)) return { kind: 'series', series }
  return { kind: 'nothing', reason: 'NoData', problem: 'gave no data of a whole period since the deploy began' }
}

async function alarmState(client: CloudWatchClient, name: string, at: number, asking: Asking): Promise<Reading> {
  const { MetricAlarms = [], CompositeAlarms = [] } = await client.send(
    new DescribeAlarmsCommand({ AlarmNames: [name], AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] }),
    { abortSignal: abortOf(asking) },
  )
  const alarm = [...MetricAlarms, ...CompositeAlarms].find(({ AlarmName }) => AlarmName === name)
  if (alarm === undefined) return fault('NotFound', 'is not there; see its name, the region and the account', false)
  if (alarm.StateValue === 'OK') return state(0, at)
  if (alarm.StateValue !== 'ALARM')
    return { kind: 'nothing', reason: 'NoData', problem: `is in ${foreignLine(alarm.StateValue ?? 'no state', 40)}` }
  // What was red before the deploy began is not of its doing, and tells nothing of it.
  const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp
  if (since !== undefined && since.getTime() < asking.deployedAt)
    return fault('AlarmBefore', `was in ALARM before the deploy already, since ${since.toISOString()}`, true)
  return state(1, at)
}

function state(value: number, at: number): Reading {
  return { kind: 'series', series: [{ labels: '{}', points: [{ at, value }] }] }
}

function abortOf({ signal, timeoutMs }: Asking): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
}

function metricStat(id: string, metric: CloudWatchMetric, returned: boolean): MetricDataQuery {
  return {
    Id: id,
    ReturnData: returned,
    MetricStat: {
      Metric: {
        Namespace: metric.namespace,
        MetricName: metric.name,
        Dimensions: Object.entries(metric.dimensions).map(([Name, Value]) => ({ Name, Value })),
      },
      Period: metric.periodSeconds,
      Stat: metric.statistic,
    },
  }
}

function queriesOf(question: Question, windowMs: number): MetricDataQuery[] {
  if (question.kind === 'alarm') return []
  if (question.kind === 'metric') return [metricStat(VALUE, question.metric, true)]
  const metrics = Object.entries(question.metrics ?? {}).map(([id, metric]) => metricStat(id, metric, false))
  const Expression = withWindow(question.text, windowMs)
  return [...metrics, { Id: VALUE, Expression, Period: periodSeconds(question), ReturnData: true }]
}

function resolved(question: Question, windowMs: number): string {
  if (question.kind === 'alarm') return question.name
  if (question.kind === 'metric') return describeMetric(question.metric)
  const metrics = Object.entries(question.metrics ?? {}).map(([id, metric]) => `${id} = ${describeMetric(metric)}`)
  return [withWindow(question.text, windowMs), ...metrics].join('; ')
}

function describeMetric({ namespace, name, dimensions, statistic, periodSeconds }: CloudWatchMetric): string {
  const where = Object.entries(dimensions).map(([dimension, value]) => `${dimension}=${value}`)
  return `${statistic} of ${namespace} ${name}${where.length === 0 ? '' : ` {${where.join(', ')}}`} in ${periodSeconds} s`
}

/** Errors of the SDK by name, as CloudWatch's API reference and the SDKs' credential chain have them. */
async function safely(ask: () => Promise<Reading>): Promise<Reading> {
  try {
    return await ask()
  } catch (error) {
    return faultOf(error)
  }
}

function faultOf(error: unknown): Fault {
  const { name = '', code } = error as Partial<NodeJS.ErrnoException>
  const said = foreignLine(messageOf(error), 300)
  if (
    /AccessDenied|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|SignatureDoesNotMatch|AuthFailure|InvalidSignature|NotAuthorized/i.test(
      name,
    )
  )
    return fault('Unauthorized', `could not be asked: CloudWatch says ${name}: ${said}`, false)
  if (/CredentialsProviderError|TokenProviderError/.test(name))
    return fault('Unauthorized', `could not be asked: there are no AWS credentials here (${said})`, false)
  if (/Validation|InvalidParameter|MissingRequiredParameter|MissingParameter|InvalidFormat|InvalidNextToken/i.test(name))
    return fault('InvalidQuery', `is a query that CloudWatch does not take: ${said}`, false)
  if (said.includes('Region is missing'))
    return fault('InvalidQuery', 'could not be asked: no region is given; set aws-region or AWS_REGION', false)
  // The SDK wraps what is no Error of its own realm, and keeps its name in the message only.
  if (/TimeoutError|AbortError/.test(`${name} ${said}`) || code === 'ECONNRESET')
    return fault('NoAnswer', 'could not be asked: CloudWatch gave no answer in time', true)
  if (code !== undefined && /^E[A-Z_]+$/.test(code))
    return fault('Unreachable', `could not be asked: CloudWatch cannot be reached (${code})`, true)
  return fault('ProviderError', `could not be asked: CloudWatch says ${foreignLine(name, 80)}: ${said}`, true)
}
