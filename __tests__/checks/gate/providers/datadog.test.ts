import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readValue } from '../../../../src/checks/gate/measurement.ts'
import { datadog } from '../../../../src/checks/gate/providers/datadog.ts'
import { type AnsweringServer, asking, type Handler, json, startAnsweringServer } from './answering-server.ts'

let server: AnsweringServer
beforeAll(async () => {
  server = await startAnsweringServer()
})
afterAll(() => server.close())

const QUESTION = { kind: 'expression', text: 'sum:trace.http.request.errors{service:web}.rollup(sum, $window_seconds)' } as const
/** As the reference of GET /api/v1/query has it. */
const answer = (...series: [scope: string, pointlist: [number, number | null][]][]): unknown => ({
  status: 'ok',
  res_type: 'time_series',
  resp_version: 1,
  query: QUESTION.text,
  from_date: 0,
  to_date: 600_000,
  series: series.map(([scope, pointlist]) => ({
    metric: 'm',
    expression: 'm',
    scope,
    pointlist,
    interval: 20,
    length: pointlist.length,
    unit: null,
  })),
  values: [],
  times: [],
  message: '',
  group_by: [],
})

describe('Datadog', () => {
  test.each<[string, Handler, string]>([
    [
      'the newest value',
      json(
        answer([
          'service:web',
          [
            [560_000, 1],
            [580_000, 4],
          ],
        ]),
      ),
      'value 4 at 580000',
    ],
    [
      'a moment without a value',
      json(
        answer([
          'service:web',
          [
            [560_000, 1],
            [580_000, null],
          ],
        ]),
      ),
      'value 1 at 560000',
    ],
    ['no series', json(answer()), 'none NoData'],
    ['a series without points', json(answer(['service:web', []])), 'none NoData'],
    ['an old value', json(answer(['service:web', [[100_000, 1]]])), 'none StaleData'],
    ['two series', json(answer(['host:a', [[580_000, 1]]], ['host:b', [[580_000, 1]]])), 'fault SeveralSeries'],
    ['a wrong query', json({ status: 'error', error: 'Rule is malformed' }, 400), 'fault InvalidQuery'],
    ['an error within 200', json({ status: 'error', error: 'no', series: [] }), 'fault ProviderError'],
    ['wrong keys', json({ errors: ['Forbidden'] }, 403), 'fault Unauthorized'],
    ['too many requests', json({ errors: ['Rate limit'] }, 429), 'fault ProviderError'],
  ])('%s', async (_, handler, came) => {
    server.answer(handler)
    const provider = datadog({ url: server.url, apiKey: 'a', appKey: 'b' }, {})
    const value = readValue(await provider.now(QUESTION, 600_000, asking()), undefined, 600_000, 300_000)
    expect(value.kind === 'value' ? `value ${value.value} at ${value.pointAt}` : `${value.kind} ${value.reason}`).toBe(came)
  })

  test('is asked with both keys, for the time around', async () => {
    server.answer(json(answer()))
    await datadog({ url: `${server.url}/`, apiKey: 'api', appKey: 'app' }, {}).now(QUESTION, 1_000_000, asking())
    const { url, headers } = server.last()
    expect([headers['dd-api-key'], headers['dd-application-key'], url.pathname]).toEqual(['api', 'app', '/api/v1/query'])
    expect(Object.fromEntries(url.searchParams)).toEqual({
      from: '400',
      to: '1000',
      query: 'sum:trace.http.request.errors{service:web}.rollup(sum, 60)',
    })
  })

  test('the link leads to the site of the API', () => {
    const link = datadog({ url: 'https://api.datadoghq.eu', apiKey: '', appKey: '' }, {}).link(QUESTION, 1, 2, 60_000)
    expect(link).toMatch(/^https:\/\/app\.datadoghq\.eu\/metric\/explorer\?exp_metric=sum/)
  })
})
