import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readValue } from '../../../../src/checks/gate/measurement.ts'
import type { PrometheusSettings } from '../../../../src/checks/gate/plan.ts'
import { freshOnly, prometheus } from '../../../../src/checks/gate/providers/prometheus.ts'
import { signedHeaders } from '../../../../src/checks/gate/providers/sigv4.ts'
import { type AnsweringServer, asking, type Handler, json, startAnsweringServer, text } from './answering-server.ts'

let server: AnsweringServer
beforeAll(async () => {
  server = await startAnsweringServer()
})
afterAll(() => server.close())

const settings = (more: Partial<PrometheusSettings> = {}): PrometheusSettings => ({
  url: server.url,
  token: '',
  username: '',
  password: '',
  headers: [],
  ca: '',
  sigv4: '',
  ...more,
})
const QUESTION = { kind: 'expression', text: 'sum(rate(errors[$window]))' } as const
const vector = (...values: string[]): unknown => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: values.map((value, index) => ({ metric: { pod: `web-${index}` }, value: [1_700_000_000, value] })),
  },
})
const failure = (errorType: string, error: string): unknown => ({ status: 'error', errorType, error })

describe('what Prometheus answers', () => {
  test.each<[string, Handler, string]>([
    ['a value', json(vector('0.25')), 'value 0.25'],
    ['a scalar', json({ status: 'success', data: { resultType: 'scalar', result: [1, '3'] } }), 'value 3'],
    ['infinite', json(vector('+Inf')), 'value Infinity'],
    ['nothing', json(vector()), 'none NoData'],
    ['NaN', json(vector('NaN')), 'none NaN'],
    ['a value that is none', json(vector('many')), 'none NaN'],
    ['an empty value', json(vector('')), 'none NaN'],
    ['two series', json(vector('1', '2')), 'fault SeveralSeries may heal'],
    [
      'a range',
      json({
        status: 'success',
        data: {
          resultType: 'matrix',
          result: [
            {
              metric: {},
              values: [
                [1, '5'],
                [2, '6'],
              ],
            },
          ],
        },
      }),
      'value 6',
    ],
    ['a text', json({ status: 'success', data: { resultType: 'string', result: [1, 'x'] } }), 'fault InvalidQuery'],
    [
      'a note on the query',
      json({ ...(vector('1') as object), warnings: ['PromQL info: metric might not be a counter'] }),
      'value 1',
    ],
    ['a part of the data', json({ ...(vector('1') as object), warnings: ['remote_read: timeout'] }), 'none PartialData'],
    ['a wrong query', json(failure('bad_data', 'parse error: unexpected )'), 400), 'fault InvalidQuery'],
    ['a query that cannot be run now', json(failure('execution', 'many-to-many matching'), 422), 'fault InvalidQuery may heal'],
    ['a timeout of its own', json(failure('timeout', 'query timed out'), 503), 'fault ProviderError may heal'],
    ['an error within 200', json(failure('internal', 'no')), 'fault ProviderError may heal'],
    ['no permission', text('no', 401), 'fault Unauthorized'],
    ['forbidden', text('no', 403), 'fault Unauthorized'],
    ['another address', text('404 page not found', 404), 'fault ProviderError may heal'],
    ['500', text('', 500), 'fault ProviderError may heal'],
    ['too many requests', text('', 429), 'fault ProviderError may heal'],
    ['a login page', text('<html>Sign in</html>'), 'fault ProviderError may heal'],
    ['an empty body', text(''), 'fault ProviderError may heal'],
    ['garbage', text('{"status":"success","data":'), 'fault ProviderError may heal'],
    ['JSON of another kind', json({ hello: 'world' }), 'fault ProviderError may heal'],
    ['JSON that is hardly any', json(null), 'fault ProviderError may heal'],
    ['more than 1 MiB', text(`"${'x'.repeat(1_100_000)}"`), 'fault ProviderError may heal'],
    ['a cut connection', request => void request.socket.destroy(), 'fault NoAnswer may heal'],
    [
      'a redirect in a circle',
      (_request, response) => void response.writeHead(302, { location: '/again' }).end(),
      'fault ProviderError',
    ],
  ])('%s', async (_, handler, came) => {
    server.answer(handler)
    const value = readValue(await prometheus(settings(), {}).now(QUESTION, 1_000, asking()), undefined, 1_000, 60_000)
    const words = value.kind === 'value' ? `value ${value.value}` : `${value.kind} ${value.reason}`
    expect(`${words}${value.kind === 'fault' && value.healable ? ' may heal' : ''}`).toBe(came)
  })

  test('an answer that does not come is not waited for', async () => {
    server.answer(() => undefined)
    const begun = performance.now()
    expect(await prometheus(settings(), {}).now(QUESTION, 0, asking({ timeoutMs: 100 }))).toMatchObject({
      reason: 'NoAnswer',
      healable: true,
    })
    expect(performance.now() - begun).toBeLessThan(3_000)
  })

  test('a closed port is unreachable, and may heal', async () => {
    expect(await prometheus(settings({ url: 'http://127.0.0.1:1' }), {}).now(QUESTION, 0, asking())).toMatchObject({
      reason: 'Unreachable',
      healable: true,
    })
  })

  test('what it says cannot be a command of the runner, nor as long as it likes', async () => {
    server.answer(json(failure('bad_data', `\n::error::pwned ##[error]x \u001b[31m${'y'.repeat(5_000)}`), 400))
    const reading = await prometheus(settings(), {}).now(QUESTION, 0, asking())
    const problem = reading.kind === 'fault' ? reading.problem : ''
    expect(problem).not.toMatch(/^\s*::|##\[|\u001b|\n/m)
    expect(problem.length).toBeLessThan(500)
  })
})

describe('a gauge whose sender is gone', () => {
  const FRESH = 'x{a="b"} and time() - timestamp(x{a="b"}) <= 30'
  test.each<[string, string | undefined]>([
    ['x{a="b"}', FRESH],
    [' x{a="b"}\n', FRESH],
    ['sum(x{a="b"})', `sum(${FRESH})`],
    ['max by (pod) ( x{a="b"} )', `max by (pod) (${FRESH})`],
    ['MIN without(pod)(x{a="b"})', `MIN without(pod)(${FRESH})`],
    ['up', 'up and time() - timestamp(up) <= 30'],
    [
      'job:x:sum{a=~"}[0-9)", b!="\\"{"}',
      'job:x:sum{a=~"}[0-9)", b!="\\"{"} and time() - timestamp(job:x:sum{a=~"}[0-9)", b!="\\"{"}) <= 30',
    ],
    // These speak of a window, or of more than one series by name: what is too old in them can't be told by one time.
    ['rate(x[60s])', undefined],
    ['sum(rate(x[60s]))', undefined],
    ['x[60s]', undefined],
    ['x / y', undefined],
    ['x or vector(0)', undefined],
    ['x offset 5m', undefined],
    ['x @ 5', undefined],
    ['sum(x) / sum(y)', undefined],
    ['sum(x) by (pod)', undefined],
    ['quantile(0.9, x)', undefined],
    ['{job="a"}', undefined],
    ['vector(1)', undefined],
    ['1', undefined],
    ['Inf', undefined],
  ])('%s', (query, fresh) => {
    expect(freshOnly(query, 30_000)).toBe(fresh)
  })

  test.each<[string, fresh: unknown, any: unknown, string]>([
    ['sends on', vector('7'), vector('7'), 'value 7'],
    ['is gone', vector(), vector('7'), 'none StaleData'],
    ['was never there', vector(), vector(), 'none NoData'],
    ['is gone, and so is Prometheus', vector(), failure('internal', 'no'), 'none NoData'],
  ])('%s', async (_, fresh, any, came) => {
    server.answer((request, response, body) => {
      const query = new URL(request.url ?? '', 'http://server').searchParams.get('query') ?? ''
      json(query.includes('timestamp(') ? fresh : any)(request, response, body)
    })
    const reading = await prometheus(settings(), {}).now({ kind: 'expression', text: 'sum(queue)' }, 1_000, asking())
    const value = readValue(reading, undefined, 1_000, 60_000)
    expect(value.kind === 'value' ? `value ${value.value}` : `${value.kind} ${value.reason}`).toBe(came)
  })
})

describe('what Prometheus is asked', () => {
  test('the query with its window, without a time: the time is the server’s', async () => {
    server.answer(json(vector('1')))
    await prometheus(settings({ url: `${server.url}/prometheus/` }), {}).now(QUESTION, 5_000, asking({ windowMs: 90_000 }))
    const { method, url } = server.last()
    expect([method, url.pathname, Object.fromEntries(url.searchParams)]).toEqual([
      'GET',
      '/prometheus/api/v1/query',
      { query: 'sum(rate(errors[90s]))', timeout: '5s' },
    ])
  })

  test('a range with its step', async () => {
    server.answer(
      json({
        status: 'success',
        data: {
          resultType: 'matrix',
          result: [
            {
              metric: {},
              values: [
                [10, '1'],
                [25, '2'],
              ],
            },
          ],
        },
      }),
    )
    const reading = await prometheus(settings(), {}).range(QUESTION, 10_000, 40_000, 15_000, asking())
    expect(reading).toEqual({
      kind: 'series',
      series: [
        {
          labels: '{}',
          points: [
            { at: 10_000, value: 1 },
            { at: 25_000, value: 2 },
          ],
        },
      ],
    })
    expect(Object.fromEntries(server.last().url.searchParams)).toMatchObject({ start: '10', end: '40', step: '15' })
  })

  test('a long query goes in the body', async () => {
    server.answer(json(vector('1')))
    await prometheus(settings(), {}).now({ kind: 'expression', text: `up or ${'x'.repeat(5_000)}` }, 0, asking())
    const { method, url, body, headers } = server.last()
    expect([method, url.search, headers['content-type']]).toEqual(['POST', '', 'application/x-www-form-urlencoded'])
    expect(new URLSearchParams(body).get('query')).toHaveLength(5_006)
  })

  test.each<[string, Partial<PrometheusSettings>, Record<string, string | undefined>]>([
    ['nothing', {}, { authorization: undefined }],
    ['a token', { token: 't0ken' }, { authorization: 'Bearer t0ken' }],
    ['a password', { username: 'me', password: 'word' }, { authorization: `Basic ${Buffer.from('me:word').toString('base64')}` }],
    ['a tenant', { headers: [['X-Scope-OrgID', 'shop']], token: 't' }, { 'x-scope-orgid': 'shop', authorization: 'Bearer t' }],
  ])('with %s', async (_, more, headers) => {
    server.answer(json(vector('1')))
    await prometheus(settings(more), {}).now(QUESTION, 0, asking())
    for (const [name, value] of Object.entries(headers)) expect(server.last().headers[name]).toBe(value)
  })

  test('signed for Amazon Managed Prometheus', async () => {
    server.answer(json(vector('1')))
    const [key, secret] = [process.env['AWS_ACCESS_KEY_ID'], process.env['AWS_SECRET_ACCESS_KEY']]
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    })
    try {
      await prometheus(settings({ url: `${server.url}/workspaces/ws-1`, sigv4: 'eu-west-1' }), {}).now(QUESTION, 0, asking())
    } finally {
      restore('AWS_ACCESS_KEY_ID', key)
      restore('AWS_SECRET_ACCESS_KEY', secret)
    }
    expect(server.last().headers['authorization']).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/aps\/aws4_request, SignedHeaders=\S*host\S*, Signature=[0-9a-f]{64}$/,
    )
    expect(server.last().headers['x-amz-date']).toMatch(/^\d{8}T\d{6}Z$/)
  })

  test('the signature is what Signature Version 4 says, worked out by hand', async () => {
    const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
    const url = new URL('https://aps.example.com/workspaces/ws-1/api/v1/query?query=up%7Ba%3D%22b%22%7D&timeout=5s')
    const signed = await signedHeaders(
      { url, method: 'GET', headers: [], body: undefined, region: 'eu-west-1', service: 'aps' },
      async () => ({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: secret }),
      new Date('2026-01-31T12:36:00Z'),
    )
    const sha = (text: string): string => createHash('sha256').update(text).digest('hex')
    const mac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
    const canonical = [
      'GET',
      '/workspaces/ws-1/api/v1/query',
      'query=up%7Ba%3D%22b%22%7D&timeout=5s',
      'host:aps.example.com',
      `x-amz-content-sha256:${sha('')}`,
      'x-amz-date:20260131T123600Z',
      '',
      'host;x-amz-content-sha256;x-amz-date',
      sha(''),
    ].join('\n')
    const scope = '20260131/eu-west-1/aps/aws4_request'
    const toSign = ['AWS4-HMAC-SHA256', '20260131T123600Z', scope, sha(canonical)].join('\n')
    const key = ['20260131', 'eu-west-1', 'aps', 'aws4_request'].reduce<string | Buffer>(mac, `AWS4${secret}`)
    expect(Object.fromEntries('kind' in signed ? [] : signed)['authorization']).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${mac(key, toSign).toString('hex')}`,
    )
  })
})

describe('the link', () => {
  test('leads to the graph of the query, and nothing in the query can end it', () => {
    const question = { kind: 'expression', text: 'errors{a=")](x) <b>"}[$window]' } as const
    const link = prometheus(settings(), {}).link(question, 0, 300_000, 60_000) ?? ''
    const url = new URL(link)
    expect([url.pathname, url.searchParams.get('g0.expr'), url.searchParams.get('g0.range_input')]).toEqual([
      '/graph',
      'errors{a=")](x) <b>"}[60s]',
      '10m',
    ])
    expect(link).not.toMatch(/[()<>\s]/)
  })
})

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
