// The registry client against a small registry in this process: token flow, refusals, digests, retries.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Credentials } from '../../src/image/credentials.ts'
import { apiAddress, digestOf, isLoopback, parseChallenge, Registry } from '../../src/image/registry.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'

const REVISION = 'a1'.repeat(20)
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const config = json({ config: { Labels: { 'org.opencontainers.image.revision': REVISION } } })
const manifest = json({ schemaVersion: 2, config: { digest: digestOf(config) } })
const attestation = json({ schemaVersion: 2, config: { digest: `sha256:${'0'.repeat(64)}` } })
const index = json({
  schemaVersion: 2,
  manifests: [
    { digest: digestOf(attestation), platform: { os: 'unknown', architecture: 'unknown' } },
    { digest: digestOf(manifest), platform: { os: 'linux', architecture: 'amd64' } },
  ],
})

type Answer = { status?: number; headers?: Record<string, string>; body?: Buffer | string }
type Handler = (request: IncomingMessage, origin: string) => Answer | undefined

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A registry on a free port; what the handler leaves is 404. Each request is noted as `GET /path`. */
async function registryWith(
  handler: Handler,
  credentials?: Credentials,
): Promise<{ registry: Registry; host: string; asked: string[]; slept: number[] }> {
  const asked: string[] = []
  const slept: number[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.method} ${decodeURIComponent(request.url ?? '')}`)
    const { status = 200, headers = {}, body = '' } = handler(request, `http://${request.headers.host}`) ?? { status: 404 }
    response.writeHead(status, headers).end(body)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const sleep = async (milliseconds: number): Promise<void> => void slept.push(milliseconds)
  return { registry: new Registry({ registry: host, repository: 'acme/web', credentials, sleep }), host, asked, slept }
}

const content: Handler = request => {
  const [, kind, name = ''] = /^\/v2\/acme\/web\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? []
  if (kind === undefined) return undefined
  const found = { index, [digestOf(index)]: index, '1': manifest, [digestOf(manifest)]: manifest, [digestOf(config)]: config }[
    name
  ]
  return (
    found && {
      body: found,
      headers: { 'docker-content-digest': digestOf(found), 'content-type': 'application/x+json; charset=x' },
    }
  )
}

const failureOf = async (run: Promise<unknown>): Promise<ExpectedFailure> => {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ExpectedFailure)
  return error as ExpectedFailure
}

describe('reading', () => {
  test('digest, manifest and labels of a tag', async () => {
    const { registry } = await registryWith(content)
    expect(await registry.digest('1')).toBe(digestOf(manifest))
    const found = await registry.manifest('1')
    expect(found).toEqual({ digest: digestOf(manifest), mediaType: 'application/x+json', body: manifest })
    expect(found && (await registry.labels(found))).toEqual({ 'org.opencontainers.image.revision': REVISION })
  })
  test('labels of an index are those of its first platform, not of an attestation', async () => {
    const { registry } = await registryWith(content)
    const found = await registry.manifest('index')
    expect(found && (await registry.labels(found))).toEqual({ 'org.opencontainers.image.revision': REVISION })
  })
  test('the configurations of an index are those of its platforms, and of a manifest its own', async () => {
    const { registry } = await registryWith(content)
    const of = (digest: string): Promise<readonly string[]> => registry.configurationsOf(digest)
    expect([await of(digestOf(index)), await of(digestOf(manifest))]).toEqual([[digestOf(config)], [digestOf(config)]])
    expect(await registry.digestsWithin(digestOf(index))).toEqual([digestOf(index), digestOf(manifest), digestOf(config)])
    expect(await of(`sha256:${'9'.repeat(64)}`)).toEqual([])
  })
  test('what is not there is undefined', async () => {
    const { registry } = await registryWith(content)
    expect([await registry.digest('2'), await registry.manifest('2')]).toEqual([undefined, undefined])
  })
  test('a registry that sends no digest with HEAD has its manifest hashed', async () => {
    const { registry } = await registryWith(() => ({ body: manifest }))
    expect(await registry.digest('1')).toBe(digestOf(manifest))
  })
  test('content that is not what its digest says is an error', async () => {
    const { registry } = await registryWith(() => ({ body: 'other', headers: { 'docker-content-digest': digestOf(manifest) } }))
    expect((await failureOf(registry.manifest('1'))).message).toMatch(/sent content of digest .* for sha256/)
  })
  test('a digest that is none is not repeated', async () => {
    const { registry } = await registryWith(() => ({ body: manifest, headers: { 'docker-content-digest': 'x`|::error::' } }))
    expect([await registry.digest('1'), (await registry.manifest('1'))?.digest]).toEqual([digestOf(manifest), digestOf(manifest)])
  })
  test('a blob that is not what its digest says is an error', async () => {
    const { registry } = await registryWith(request => ({ body: request.url?.includes('/blobs/') ? 'x' : manifest }))
    const found = await registry.manifest('1')
    expect((await failureOf(registry.labels(found as never))).reason).toBe('Conflict')
  })
  test('an answer larger than any manifest is not taken', async () => {
    const { registry } = await registryWith(() => ({ body: Buffer.alloc(5 * 1024 * 1024) }))
    expect((await failureOf(registry.manifest('1'))).message).toMatch(/more than the 4194304 bytes/)
  })
  test.each([
    ['another shape', { config: 7 }],
    ['wrong types', { manifests: [1, null], config: 7 }],
    ['a digest that is none', { config: { digest: '../../x' } }],
    ['an index within itself', { manifests: [{ digest: digestOf(index), platform: null }] }],
  ])('a manifest of %s has no labels', async (_, more) => {
    const body = json({ schemaVersion: 2, ...more })
    const { registry } = await registryWith(request => (request.url?.endsWith('/1') ? { body } : content(request, '')))
    const found = await registry.manifest('1')
    expect(found && (await registry.labels(found))).toEqual({})
  })
  test.each([[''], ['<html>'], ['[1]'], ['null'], ['{}']])('what answers %j is no registry', async body => {
    const { registry, host } = await registryWith(() => ({ body }))
    expect((await failureOf(registry.manifest('1'))).message).toContain(
      `${host} answered with something that is no image manifest`,
    )
  })
})

describe('credentials', () => {
  const user = { username: 'ann', password: 'hidden-pass' }
  const basic = `Basic ${Buffer.from('ann:hidden-pass').toString('base64')}`
  const guarded =
    (scopes: string[] = []): Handler =>
    (request, origin) => {
      const url = new URL(request.url ?? '', origin)
      if (url.pathname === '/token') {
        scopes.push(`${url.searchParams.get('service')} ${url.searchParams.get('scope')}`)
        if (request.headers.authorization !== basic) return { status: 401 }
        return { body: JSON.stringify({ token: url.searchParams.get('scope') }) }
      }
      const needed = request.method === 'POST' ? 'pull,push' : 'pull'
      const has = /^Bearer repository:acme\/web:(.+)$/.exec(request.headers.authorization ?? '')?.[1]
      if (has?.startsWith(needed) !== true)
        return { status: 401, headers: { 'www-authenticate': `Bearer realm="${origin}/token",service="reg",scope="x"` } }
      return request.method === 'POST'
        ? { status: 202, headers: { location: '/v2/acme/web/blobs/uploads/1' } }
        : content(request, origin)
    }

  test('bearer tokens, for as much as each request needs', async () => {
    const scopes: string[] = []
    const { registry, asked } = await registryWith(guarded(scopes), user)
    expect(await registry.digest('1')).toBe(digestOf(manifest))
    expect(await registry.mayPush()).toBe(true)
    expect(scopes).toEqual(['reg repository:acme/web:pull', 'reg repository:acme/web:pull,push'])
    expect(asked.at(-1)).toBe('DELETE /v2/acme/web/blobs/uploads/1')
  })
  test('basic', async () => {
    const handler: Handler = (request, origin) =>
      request.headers.authorization === basic
        ? content(request, origin)
        : { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } }
    const { registry } = await registryWith(handler, user)
    expect(await registry.digest('1')).toBe(digestOf(manifest))
  })
  test('a refresh token', async () => {
    const handler: Handler = (request, origin) => {
      if (request.url === '/token') return request.method === 'POST' ? { body: '{"access_token":"t"}' } : { status: 400 }
      return request.headers.authorization === 'Bearer t'
        ? content(request, origin)
        : { status: 401, headers: { 'www-authenticate': `Bearer realm="${origin}/token"` } }
    }
    const { registry } = await registryWith(handler, { username: '', password: '', identityToken: 'refresh' })
    expect(await registry.digest('1')).toBe(digestOf(manifest))
  })
  test.each([
    ['none given', undefined, /refused \(401\).*no credentials were given/],
    ['wrong ones', { username: 'ann', password: 'wrong-pass' }, /refused \(401\).*credentials of ann don't allow it/],
  ])('%s: refused in one sentence that names the registry', async (_, credentials, words) => {
    const { registry, host } = await registryWith(guarded(), credentials)
    const failure = await failureOf(registry.digest('1'))
    expect(failure.reason).toBe('Unauthorized')
    expect(failure.message).toMatch(words)
    expect(failure.message).toContain(host)
    expect(failure.message).not.toContain('wrong-pass')
  })
  test('a refresh token is not carried on to another host', async () => {
    const other = await registryWith(() => ({ body: '{"token":"t"}' }))
    const handler: Handler = (request, origin) =>
      request.url === '/token'
        ? { status: 307, headers: { location: `http://${other.host}/steal` } }
        : { status: 401, headers: { 'www-authenticate': `Bearer realm="${origin}/token"` } }
    const { registry } = await registryWith(handler, { username: '', password: '', identityToken: 'refresh' })
    expect((await failureOf(registry.digest('1'))).reason).toBe('Unauthorized')
    expect(other.asked).toEqual([])
  })
  test('forbidden, with the words of the registry', async () => {
    const body = '{"errors":[{"code":"DENIED","message":"::error::permission_denied"}]}'
    const { registry } = await registryWith(() => ({ status: 403, body }), user)
    const failure = await failureOf(registry.mayPush())
    expect(failure.reason).toBe('Forbidden')
    expect(failure.message).toMatch(/refused \(403\) to let us push to acme\/web \(DENIED, ::error::permission_denied\)/)
  })
  test.each([['Digest realm="x"'], ['Bearer'], ['Bearer realm="nowhere"'], [''], ['Bearer realm="http://[bad"']])(
    'a challenge that cannot be answered, %j, is a refusal',
    async challenge => {
      const { registry } = await registryWith(() => ({ status: 401, headers: { 'www-authenticate': challenge } }), user)
      expect((await failureOf(registry.digest('1'))).reason).toBe('Unauthorized')
    },
  )
})

describe('pushing', () => {
  test('a repository that is not there', async () => {
    const { registry } = await registryWith(() => undefined)
    expect(await registry.mayPush()).toBe(false)
  })
  test('one more tag for a manifest', async () => {
    const { registry, asked } = await registryWith(request => (request.method === 'PUT' ? { status: 201 } : undefined))
    await registry.tag({ digest: digestOf(manifest), mediaType: 'a/b', body: manifest }, 'edge')
    expect(asked).toEqual(['PUT /v2/acme/web/manifests/edge'])
  })
})

describe('a registry in trouble', () => {
  test('is asked again, as late as it says', async () => {
    const answers: Answer[] = [{ status: 503 }, { status: 429, headers: { 'retry-after': '3' } }, { body: manifest }]
    const { registry, slept } = await registryWith(() => answers.shift())
    expect((await registry.manifest('1'))?.digest).toBe(digestOf(manifest))
    expect(slept).toEqual([500, 3_000])
  })
  test('is given up in the end', async () => {
    const { registry, asked } = await registryWith(() => ({ status: 502 }))
    expect((await failureOf(registry.digest('1'))).message).toMatch(/answered 502 when reading acme\/web/)
    expect(asked).toHaveLength(4)
  })
  test('cannot be reached: said at once', async () => {
    const { registry, host, slept } = await registryWith(() => undefined)
    for (const server of servers.splice(0)) await new Promise(resolve => server.close(resolve))
    const failure = await failureOf(registry.digest('1'))
    expect([failure.reason, slept]).toEqual(['Unreachable', []])
    expect(failure.message).toMatch(`${host} can't be reached (connect ECONNREFUSED`)
  })
  test('breaks the connection: asked again', async () => {
    const { registry, asked, slept } = await registryWith((request, origin) => {
      if (asked.length === 1) request.socket.destroy()
      return content(request, origin)
    })
    expect(await registry.digest('1')).toBe(digestOf(manifest))
    expect(slept).toEqual([500])
  })
  test('a cancelled run does not wait for it', async () => {
    const signal = AbortSignal.abort()
    expect((await failureOf(new Registry({ registry: '127.0.0.1:1', repository: 'a/b', signal }).digest('1'))).reason).toBe(
      'Cancelled',
    )
  })
})

test.each([
  ['docker.io', 'https://registry-1.docker.io'],
  ['ghcr.io', 'https://ghcr.io'],
  ['localhost:5000', 'http://localhost:5000'],
  ['127.0.0.1:5000', 'http://127.0.0.1:5000'],
  ['[::1]:5000', 'http://[::1]:5000'],
  ['10.0.0.1:5000', 'https://10.0.0.1:5000'],
  ['localhost.example.com', 'https://localhost.example.com'],
  ['127.0.0.1.example.com', 'https://127.0.0.1.example.com'],
])('the API of %s is at %s', (registry, address) => {
  expect(apiAddress(registry)).toBe(address)
  expect(isLoopback(registry)).toBe(address.startsWith('http:'))
})

test.each([
  [
    'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
    'bearer',
    { realm: 'https://a/t', service: 's', scope: 'repository:x:pull,push' },
  ],
  ['basic realm=r', 'basic', { realm: 'r' }],
  ['Bearer realm="a\\"b"', 'bearer', { realm: 'a"b' }],
  ['', '', {}],
])('challenge %j', (header, scheme, parameters) => {
  expect(parseChallenge(header)).toEqual({ scheme, parameters })
})
