import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type ApiFailure, asExpectedFailure, createApi, METADATA_ONLY } from '../../src/kubernetes/api.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { type Answer, FakeApiServer, failure, hangUp, json, listOf, pod, proxyError, raw, silence } from './fake-api-server.ts'

let server: FakeApiServer
let clock: ManualClock
let api: ReturnType<typeof createApi>
const said: string[] = []

beforeEach(async () => {
  server = await FakeApiServer.start()
  clock = new ManualClock(Date.now())
  said.length = 0
  api = createApi({ socketPath: server.socketPath, clock, log: { info: line => said.push(line), debug: () => undefined } })
})

afterEach(async () => {
  api.close()
  await server.stop()
})

const OK = json(200, { ok: true })
const PODS = '/api/v1/namespaces/shop/pods'

/** Lets time pass until the promise is settled; says how much had passed. */
async function inTime<T>(
  promise: Promise<T>,
  stepMs = 250,
  limitMs = 200_000,
): Promise<{ value?: T; error?: ApiFailure; ms: number }> {
  let settled: { value?: T; error?: ApiFailure } | undefined
  promise.then(
    value => {
      settled = { value }
    },
    error => {
      settled = { error }
    },
  )
  const start = clock.now()
  for (let turn = 0; turn < 40 && settled === undefined; turn++) await clock.advance(0)
  while (settled === undefined && clock.now() - start < limitMs) await clock.advance(stepMs)
  if (settled === undefined) throw new Error('not settled')
  return { ...settled, ms: clock.now() - start }
}

/** The server has answered before: from here on nothing is a first request. */
async function acquainted(): Promise<void> {
  server.next(OK)
  await api.request('GET', '/version')
  server.seen.length = 0
}

describe('request', () => {
  test('asks for metadata alone where it is told to', async () => {
    server.otherwise(OK)
    await api.request('GET', '/api/v1/namespaces/shop/secrets/a', { accept: METADATA_ONLY })
    await api.request('GET', '/api/v1/namespaces/shop/secrets/a')
    expect(server.seen.map(({ headers }) => headers.accept)).toEqual([METADATA_ONLY, 'application/json'])
  })

  test('speaks as kubectl proxy wants it, on connections that stay open', async () => {
    server.otherwise(OK)
    await api.request('GET', PODS, { query: { labelSelector: 'app in (a,b)', limit: undefined } })
    await api.request('PATCH', `${PODS}/a`, { query: { fieldManager: 'x' }, body: { metadata: { name: 'ä' } } })
    expect(
      server.seen.map(({ method, path, query, headers, body }) => [
        method,
        path,
        query.toString(),
        headers.host,
        headers['content-type'],
        body,
      ]),
    ).toEqual([
      ['GET', PODS, 'labelSelector=app+in+%28a%2Cb%29', 'localhost', undefined, ''],
      ['PATCH', `${PODS}/a`, 'fieldManager=x', 'localhost', 'application/apply-patch+yaml', '{"metadata":{"name":"ä"}}'],
    ])
    expect(server.openConnections).toBe(1)
  })

  const euro = Buffer.from('{"name":"€ and 😀"}')
  test.each<[string, Answer, unknown]>([
    ['JSON over chunk borders', raw(200, 'application/json', '{"na', 'me": "a', 'b"}'), { name: 'ab' }],
    [
      'UTF-8 split over chunks',
      raw(200, 'application/json', ...[...euro].map(byte => Uint8Array.of(byte))),
      { name: '€ and 😀' },
    ],
    ['a big body', json(200, { data: 'x'.repeat(8_000_000) }), { data: 'x'.repeat(8_000_000) }],
  ])('reads %s', async (_, answer, expected) => {
    server.next(answer)
    expect(await api.request('GET', PODS)).toEqual(expected)
  })

  test.each<[string, Answer, object]>([
    [
      'a Status',
      failure(404, 'NotFound', 'pods "a" not found'),
      { status: 404, reason: 'NotFound', message: 'pods "a" not found' },
    ],
    [
      'a Status with causes',
      failure(422, 'Invalid', 'Pod "a" is invalid', {
        details: { causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.x' }] },
      }),
      { status: 422, reason: 'Invalid', causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.x' }] },
    ],
    [
      'plain text',
      raw(404, 'text/plain', '404 page not found\n'),
      { status: 404, reason: 'NotFound', message: '404 page not found' },
    ],
    ['no text at all', raw(418, 'text/plain'), { status: 418, reason: 'HTTP418', message: 'HTTP status 418' }],
    ['a login page', raw(200, 'text/html', '<html>Sign in</html>'), { status: 200, reason: 'NotJson' }],
    ['half an object', raw(200, 'application/json', '{"kind":'), { status: 200, reason: 'NotJson' }],
    ['17 MiB', raw(200, 'application/json', `"${'x'.repeat(17 * 1024 * 1024)}"`), { reason: 'TooLarge' }],
    ['an own 500', failure(500, 'InternalError', 'etcd is broken'), { status: 500, reason: 'InternalError', transient: false }],
    [
      'a plugin that fails',
      proxyError('getting credentials: exec: executable aws not found'),
      { status: 0, reason: 'Credentials' },
    ],
    [
      'a wrong certificate',
      proxyError('tls: failed to verify certificate: x509: certificate signed by unknown authority'),
      { reason: 'Certificate' },
    ],
    [
      'an unknown host',
      proxyError('dial tcp: lookup nix.invalid: no such host'),
      { reason: 'Unreachable', mayHaveHappened: false },
    ],
  ])('tells %s by its name, at once', async (_, answer, expected) => {
    server.next(answer)
    await expect(api.request('GET', PODS)).rejects.toMatchObject({ name: 'ApiFailure', ...expected })
    expect(server.seen).toHaveLength(1)
  })

  test.each<[string, Answer]>([
    ['429', failure(429, 'TooManyRequests')],
    ['502', raw(502, 'text/html', '<html>Bad gateway</html>')],
    ['503', failure(503, 'ServiceUnavailable')],
    ['504', failure(504, 'Timeout')],
    ['a 500 that says when to come again', failure(500, 'ServerTimeout', 'later', { details: { retryAfterSeconds: 1 } })],
    ['a broken connection', hangUp],
    ['a proxy that cannot get through', proxyError('dial tcp 10.0.0.1:6443: connect: connection refused')],
    ['a proxy whose connection broke', proxyError('EOF')],
    ['a certificate that was good before', proxyError('tls: handshake failure')],
    ['a plugin that worked before', proxyError('getting credentials: exec: executable aws failed with exit code 255')],
    ['a token that ran out', failure(401, 'Unauthorized')],
  ])('tries again after %s', async (_, answer) => {
    await acquainted()
    server.next(answer, answer, OK)
    expect(await inTime(api.request('GET', PODS))).toMatchObject({ value: { ok: true } })
    expect(server.seen).toHaveLength(3)
  })

  test('lives through an API server that is away for 20 s, and says so once', async () => {
    await acquainted()
    await server.goAway()
    const answer = inTime(api.request('GET', PODS))
    clock.after(20_000, () => void server.listen())
    server.otherwise(OK)
    const { value, ms } = await answer
    expect(value).toEqual({ ok: true })
    expect(ms).toBeLessThanOrEqual(22_500)
    expect(said).toHaveLength(1)
  })

  test.each([
    ['ever after', true, 25_000, 30_500],
    ['the first time', false, 0, 3_250],
  ])('gives up on a refused connection in time: %s', async (_, known, atLeast, atMost) => {
    if (known) await acquainted()
    server.otherwise(proxyError('dial tcp 127.0.0.1:1: connect: connection refused'))
    const { error, ms } = await inTime(api.request('GET', PODS))
    expect(error).toMatchObject({ reason: 'Unreachable' })
    expect(ms).toBeGreaterThanOrEqual(atLeast)
    expect(ms).toBeLessThanOrEqual(atMost)
  })

  test('a first request waits 10 s for a silent server, not longer', async () => {
    server.otherwise(silence)
    const { error, ms } = await inTime(api.request('GET', PODS))
    expect(error).toMatchObject({ reason: 'NoAnswer', transient: true })
    expect(ms).toBe(10_000)
  })

  test('a server that goes silent in the middle is asked again', async () => {
    await acquainted()
    server.next(response => {
      response.writeHead(200)
      response.write('{')
    }, OK)
    const { value, ms } = await inTime(api.request('GET', PODS))
    expect(value).toEqual({ ok: true })
    expect(ms).toBeLessThanOrEqual(21_000)
  })

  test.each([
    ['1', 1_000, 1_250],
    ['3', 3_000, 3_250],
    ['3600', 15_000, 15_250],
  ])('waits as Retry-After: %s asks, within reason', async (header, atLeast, atMost) => {
    await acquainted()
    server.next(failure(429, 'TooManyRequests', 'slow down', {}, { 'retry-after': header }), OK)
    const { ms } = await inTime(api.request('POST', PODS, { body: {} }))
    expect(ms).toBeGreaterThanOrEqual(atLeast)
    expect(ms).toBeLessThanOrEqual(atMost)
  })

  const versioned = { metadata: { name: 'a', resourceVersion: '5' } }
  test.each<[string, string, object, boolean]>([
    ['GET', 'GET', {}, true],
    ['DELETE', 'DELETE', {}, true],
    ['apply', 'PATCH', { body: {} }, true],
    ['merge patch', 'PATCH', { body: {}, contentType: 'application/merge-patch+json' }, true],
    ['JSON patch', 'PATCH', { body: [], contentType: 'application/json-patch+json' }, false],
    ['PUT with a resourceVersion', 'PUT', { body: versioned }, true],
    ['PUT without one', 'PUT', { body: { metadata: { name: 'a' } } }, false],
    ['POST', 'POST', { body: {} }, false],
  ])(
    '%s, of which nobody knows whether it happened, is sent again: only where that does no harm',
    async (_, method, options, again) => {
      await acquainted()
      server.next(hangUp, OK)
      const { value, error } = await inTime(api.request(method, PODS, options))
      if (again) expect(value).toEqual({ ok: true })
      else expect(error).toMatchObject({ reason: 'Unreachable', mayHaveHappened: true })
      expect(server.seen).toHaveLength(again ? 2 : 1)
    },
  )

  test('a POST that never reached the API server is sent again', async () => {
    await acquainted()
    server.next(proxyError('dial tcp 10.0.0.1:6443: connect: connection refused'), OK)
    expect(await inTime(api.request('POST', PODS, { body: {} }))).toMatchObject({ value: { ok: true } })
  })

  test.each([['before it'], ['while waiting for the answer'], ['while waiting to try again']])(
    'a cancel ends a request: %s',
    async when => {
      await acquainted()
      const stop = new AbortController()
      server.otherwise(when.endsWith('again') ? hangUp : silence)
      if (when === 'before it') stop.abort()
      const answer = inTime(api.request('GET', PODS, { signal: stop.signal }))
      await clock.advance(20)
      stop.abort()
      const { error } = await answer
      expect(error?.name).toBe('AbortError')
      expect(asExpectedFailure(error, 'Reading pods')).toMatchObject({
        reason: 'Cancelled',
        message: 'Reading pods was cancelled.',
      })
      await clock.advance(60_000)
      expect(clock.pending).toBe(0)
    },
  )

  test('no timer is left behind', async () => {
    await acquainted()
    expect(clock.pending).toBe(0)
  })
})

describe('text', () => {
  test.each([
    ['whole', 'a log\nof two lines', 100, 'a log\nof two lines'],
    ['cut', 'abcdefgh', 5, 'abcde'],
    ['cut in the middle of a character', 'ab€', 4, 'ab'],
    ['no JSON', '{', 10, '{'],
  ])('%s', async (_, body, limitBytes, expected) => {
    server.next(raw(200, 'text/plain', body))
    expect(await api.text(`${PODS}/a/log`, { query: { tailLines: '5' }, limitBytes })).toBe(expected)
    expect(server.seen[0]?.query.toString()).toBe('tailLines=5')
  })
})

describe('stream', () => {
  const lines = async (...pieces: (string | Uint8Array)[]): Promise<string[]> => {
    const seen: string[] = []
    server.next(raw(200, 'text/plain', ...pieces))
    await api.stream('/x', { onLine: line => seen.push(line) })
    return seen
  }

  test.each<[string, (string | Uint8Array)[], string[]]>([
    ['several in a piece', ['a\nb\n'], ['a', 'b']],
    ['one over several pieces', ['a', 'b', 'c\nd', '\n'], ['abc', 'd']],
    ['a last one without an end', ['a\nb'], ['a', 'b']],
    ['none', [], []],
    ['split in the middle of a character', [...Buffer.from('€\n')].map(byte => Uint8Array.of(byte)), ['€']],
  ])('lines: %s', async (_, pieces, expected) => {
    expect(await lines(...pieces)).toEqual(expected)
  })

  test('what onLine throws ends it', async () => {
    server.next(raw(200, 'text/plain', 'a\nb\n'))
    const broken = api.stream('/x', {
      onLine: line => {
        throw new Error(`no ${line}`)
      },
    })
    await expect(broken).rejects.toThrow('no a')
  })

  test('a refusal is an ApiFailure', async () => {
    server.next(failure(410, 'Expired', 'too old resource version'))
    await expect(api.stream('/x', { onLine: () => undefined })).rejects.toMatchObject({ status: 410, reason: 'Expired' })
  })
})

describe('list', () => {
  test('page by page, each object with its kind', async () => {
    server.next(
      listOf('7', [{ metadata: { name: 'a' } }], { continue: 'more' }),
      listOf('7', [{ metadata: { name: 'b' } }], { continue: '' }),
    )
    const { items, resourceVersion } = await api.list(PODS, { labelSelector: 'app=x' })
    expect(items).toEqual(['a', 'b'].map(name => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } })))
    expect(resourceVersion).toBe('7')
    expect(server.seen.map(seen => seen.query.toString())).toEqual([
      'labelSelector=app%3Dx&limit=500',
      'labelSelector=app%3Dx&limit=500&continue=more',
    ])
  })

  test('begins again when the pages ran out of time, at last without pages', async () => {
    const first = listOf('7', [pod('a', '1')], { continue: 'more' })
    server.next(first, failure(410, 'Expired'), first, failure(410, 'Expired'), listOf('9', [pod('b', '8')]))
    const { items, resourceVersion } = await api.list(PODS)
    expect(items.map(item => item.metadata.name)).toEqual(['b'])
    expect(resourceVersion).toBe('9')
    expect(server.seen.at(-1)?.query.get('limit')).toBeNull()
  })

  test.each<[string, Answer, string]>([
    ['null for items', json(200, { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: null }), ''],
    ['an object that is no list', json(200, pod('a', '1')), 'no list of objects'],
    ['null', json(200, null), 'no list of objects'],
  ])('%s', async (_, answer, fault) => {
    server.next(answer)
    const listed = api.list(PODS)
    if (fault === '') expect((await listed).items).toEqual([])
    else await expect(listed).rejects.toThrow(fault)
  })
})

describe('resource', () => {
  const APPS = json(200, {
    resources: [
      { name: 'deployments', kind: 'Deployment', namespaced: true },
      { name: 'deployments/scale', kind: 'Scale', namespaced: true },
    ],
  })
  const CORE = json(200, { resources: [{ name: 'namespaces', kind: 'Namespace', namespaced: false }] })

  test('paths, from one request a group version', async () => {
    server.next(APPS)
    const [deployments, same] = await Promise.all([api.resource('apps/v1', 'Deployment'), api.resource('apps/v1', 'Deployment')])
    expect(same.plural).toBe('deployments')
    expect(deployments).toMatchObject({ group: 'apps', version: 'v1', plural: 'deployments', namespaced: true })
    expect(deployments.path('shop', 'web')).toBe('/apis/apps/v1/namespaces/shop/deployments/web')
    expect(deployments.path('shop')).toBe('/apis/apps/v1/namespaces/shop/deployments')
    expect(deployments.path(undefined)).toBe('/apis/apps/v1/deployments')
    expect(deployments.path('a/b', 'c?d')).toBe('/apis/apps/v1/namespaces/a%2Fb/deployments/c%3Fd')
    expect(() => deployments.path('shop', '..')).toThrow('no name')
    server.next(CORE)
    const namespaces = await api.resource('v1', 'Namespace')
    expect(namespaces.path('ignored', 'shop')).toBe('/api/v1/namespaces/shop')
    expect(server.seen.map(seen => seen.path)).toEqual(['/apis/apps/v1', '/api/v1'])
  })

  test.each<[string, Answer, string, string]>([
    ['a misspelt kind', APPS, 'Deploymnt', 'The cluster knows no kind Deploymnt in apiVersion apps/v1. Did you mean Deployment?'],
    ['a kind of subresources only', APPS, 'Scale', 'The cluster knows no kind Scale in apiVersion apps/v1.'],
    [
      'an unknown version',
      raw(404, 'text/plain', '404 page not found'),
      'Deployment',
      'The cluster does not know apiVersion apps/v1 (kind Deployment). Correct it, or install the CustomResourceDefinition it comes from.',
    ],
  ])('%s is NotFound', async (_, answer, kind, message) => {
    server.otherwise(answer)
    await expect(api.resource('apps/v1', kind)).rejects.toMatchObject({ name: 'ExpectedFailure', reason: 'NotFound', message })
  })

  test('a kind that came to be since is found', async () => {
    server.next(CORE, APPS)
    await expect(api.resource('apps/v1', 'Deployment')).rejects.toMatchObject({ reason: 'NotFound' })
    expect((await api.resource('apps/v1', 'Deployment')).plural).toBe('deployments')
  })

  test('a failed look-up is not remembered', async () => {
    server.next(failure(403, 'Forbidden'), APPS)
    await expect(api.resource('apps/v1', 'Deployment')).rejects.toMatchObject({ status: 403 })
    expect((await api.resource('apps/v1', 'Deployment')).plural).toBe('deployments')
  })
})

describe('now', () => {
  test.each([
    ['the same', 0, 0],
    ['1 s ahead, which may be rounding', 1_000, 0],
    ['an hour ahead', 3_600_000, 3_600_000],
    ['ten minutes behind', -600_000, -600_000],
  ])("a server's clock that is %s", async (_, skew, expected) => {
    const date = new Date(Math.floor((clock.now() + skew) / 1_000) * 1_000).toUTCString()
    server.next(json(200, {}, { date }))
    await api.request('GET', '/version')
    expect(Math.abs(api.now() - clock.now() - expected)).toBeLessThanOrEqual(expected === 0 ? 0 : 500)
  })

  test('a failure of the proxy says nothing of the server’s clock', async () => {
    await acquainted()
    const wrong: Answer = response => {
      response.writeHead(500, { 'content-type': 'text/plain', date: new Date(0).toUTCString() })
      response.end('EOF')
    }
    server.next(wrong, OK)
    await inTime(api.request('GET', PODS))
    expect(Math.abs(api.now() - clock.now())).toBeLessThan(2_000)
  })
})

describe('asExpectedFailure', () => {
  const forbidden =
    'deployments.apps "web" is forbidden: User "system:serviceaccount:ci:bot" cannot patch resource "deployments" in API group "apps" in the namespace "shop"'
  test.each<[string, Answer, string, string]>([
    [
      'access',
      failure(403, 'Forbidden', forbidden),
      'Forbidden',
      'Applying deployment/web failed: system:serviceaccount:ci:bot may not patch deployments.apps in namespace shop. A Role with the verb "patch" on "deployments.apps" there, bound to it, would allow that.',
    ],
    [
      'access to the whole cluster',
      failure(
        403,
        'Forbidden',
        'nodes is forbidden: User "bot" cannot list resource "nodes" in API group "" at the cluster scope',
      ),
      'Forbidden',
      'Applying deployment/web failed: bot may not list nodes in the cluster. A ClusterRole with the verb "list" on "nodes", bound to it, would allow that.',
    ],
    [
      'a quota',
      failure(403, 'Forbidden', 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'),
      'Forbidden',
      'Applying deployment/web failed: pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2.',
    ],
    [
      'no namespace',
      failure(404, 'NotFound', 'namespaces "shop" not found'),
      'NotFound',
      'Applying deployment/web failed: there is no namespace shop. Create it first, or correct it in the manifest or the input "namespace".',
    ],
    [
      'nothing there',
      failure(404, 'NotFound', 'pods "a" not found'),
      'NotFound',
      'Applying deployment/web failed: pods "a" not found.',
    ],
    [
      'credentials',
      failure(401, 'Unauthorized', 'Unauthorized'),
      'Unauthorized',
      'Applying deployment/web failed: the API server refused the credentials (401 Unauthorized). They may have expired, or belong to another cluster; make new ones.',
    ],
    [
      'a wrong field',
      failure(422, 'Invalid', 'Deployment.apps "web" is invalid', {
        details: { causes: [{ field: 'spec.replicas', message: 'must be >= 0' }] },
      }),
      'InvalidInput',
      'Applying deployment/web failed: the API server refused it: Deployment.apps "web" is invalid (spec.replicas: must be >= 0).',
    ],
    [
      'a conflict',
      failure(409, 'Conflict', 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas', {
        details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl"', field: '.spec.replicas' }] },
      }),
      'Conflict',
      'Applying deployment/web failed: Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas.',
    ],
    [
      'a foreign text that would be a command',
      failure(400, 'BadRequest', '::error::gotcha\n::set-output name=x::y'),
      'InvalidInput',
      'Applying deployment/web failed: the API server refused it: :\u200b:error::gotcha ::set-output name=x::y.',
    ],
    [
      'nothing in particular',
      failure(405, 'MethodNotAllowed', 'not allowed'),
      'MethodNotAllowed',
      'Applying deployment/web failed: not allowed.',
    ],
  ])('%s', async (_, answer, reason, message) => {
    server.next(answer)
    const error = await api
      .request('PUT', PODS, { body: {} })
      .catch((thrown: unknown) => asExpectedFailure(thrown, 'Applying deployment/web'))
    expect(error).toMatchObject({ name: 'ExpectedFailure', reason, message })
  })

  test('a bug stays a bug', () => {
    const bug = new TypeError('x is undefined')
    expect(asExpectedFailure(bug, 'Applying')).toBe(bug)
    expect(asExpectedFailure('text', 'Applying')).toMatchObject({ name: 'Error', message: 'text' })
  })
})
