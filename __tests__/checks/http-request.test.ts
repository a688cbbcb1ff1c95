import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import {
  askOverHttp,
  type HttpOutcome,
  type HttpQuestion,
  mayCarryHeaders,
  redirectTarget,
} from '../../src/checks/http-request.ts'
import { explainError } from '../../src/checks/net/explain-error.ts'
import { selfSigned } from './self-signed.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let handler: Handler = (_request, response) => void response.end()
const seen: IncomingMessage[] = []
const sockets = new Set<unknown>()
const respond: Handler = (request, response) => {
  seen.push(request)
  sockets.add(request.socket)
  handler(request, response)
}
const here = createServer(respond)
const elsewhere = createServer(respond)

const listen = (server: Server | TcpServer, host = '127.0.0.1'): Promise<void> =>
  new Promise(done => server.listen(0, host, done))
const close = (server: Server | TcpServer): Promise<unknown> => new Promise(done => server.close(done))
const base = (server: Server | TcpServer): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(async () => {
  await Promise.all([listen(here), listen(elsewhere)])
})
afterAll(async () => {
  here.closeAllConnections()
  elsewhere.closeAllConnections()
  await Promise.all([close(here), close(elsewhere)])
})
afterEach(() => {
  seen.length = 0
  sockets.clear()
})

const ask = (path: string, more: Partial<HttpQuestion> = {}): Promise<HttpOutcome> =>
  askOverHttp({
    url: new URL(path, base(here)),
    headers: [],
    timeoutMs: 5_000,
    signal: new AbortController().signal,
    isWanted: status => status === 200,
    ...more,
  })

describe('a request', () => {
  test('brings status, headers and body, on a connection of its own', async () => {
    handler = (_request, response) => response.setHeader('X-Version', '1').end('hällo')
    const outcomes = [await ask('/a?b=c'), await ask('/a?b=c')]
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        kind: 'answer',
        answer: { status: 200, body: 'hällo', truncated: false, headers: { 'x-version': '1' } },
      })
    }
    expect(seen.map(({ method, url, headers }) => [method, url, headers.connection])).toEqual(
      Array(2).fill(['GET', '/a?b=c', 'close']),
    )
    expect(sockets.size).toBe(2)
  })

  test('sends the given headers, some in place of its own', async () => {
    handler = (_request, response) => void response.end()
    await ask('/', {
      headers: [
        ['Authorization', 'Bearer x'],
        ['Accept', 'text/plain'],
        ['Host', 'web.example.com'],
        ['X-A', '1'],
        ['x-a', '2'],
      ],
    })
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer x',
      accept: 'text/plain',
      host: 'web.example.com',
      'x-a': '1, 2',
    })
  })

  test('keeps 1 MiB of a body that never ends', async () => {
    handler = (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    }
    const outcome = await ask('/')
    expect(outcome).toMatchObject({ kind: 'answer', answer: { truncated: true } })
    expect(outcome.kind === 'answer' && outcome.answer.body.length).toBe(1024 * 1024)
  })

  test.each([
    ['gzip', gzipSync('{"a":1}')],
    ['br', brotliCompressSync('{"a":1}')],
  ])('unpacks %s, which it did not ask for', async (encoding, packed) => {
    handler = (_request, response) => response.setHeader('content-encoding', encoding).end(packed)
    expect(await ask('/')).toMatchObject({ answer: { body: '{"a":1}' } })
    expect(seen[0]?.headers['accept-encoding']).toBe('identity')
  })

  test('keeps 1 MiB of a packed body that would grow without end', async () => {
    const packed = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    handler = (_request, response) => response.setHeader('content-encoding', 'gzip').end(packed)
    expect(await ask('/')).toMatchObject({ kind: 'answer', answer: { truncated: true } })
  })

  test.each<[string, Handler, { stage: string; code?: string; problem?: unknown }]>([
    ['no answer', () => undefined, { stage: 'answering', code: 'TIMEOUT' }],
    ['a body that stops', (_request, response) => void response.write('x'), { stage: 'answering', code: 'TIMEOUT' }],
    ['a drop', request => request.socket.destroy(), { stage: 'answering', code: 'ECONNRESET' }],
    [
      'no HTTP',
      request => request.socket.end('SSH-2.0-x\r\n\r\n'),
      { stage: 'answering', problem: expect.stringContaining('not HTTP') },
    ],
    [
      'a drop within the body',
      (_request, response) => response.write('x', () => response.socket?.destroy()),
      { stage: 'answering', code: 'ECONNRESET' },
    ],
    [
      'a broken gzip',
      (_request, response) => response.setHeader('content-encoding', 'gzip').end('no gzip'),
      { stage: 'answering', code: 'Z_DATA_ERROR' },
    ],
  ])('%s', async (_name, answer, fault) => {
    handler = answer
    expect(await ask('/', { timeoutMs: fault.code === 'TIMEOUT' ? 150 : 10_000 })).toMatchObject({ kind: 'no-answer', fault })
  })

  test('drips of a body do not prolong its time', async () => {
    let drip: NodeJS.Timeout | undefined
    handler = (_request, response) => {
      drip = setInterval(() => response.write('x'), 20)
    }
    const outcome = await ask('/', { timeoutMs: 200 })
    clearInterval(drip)
    expect(outcome).toMatchObject({ kind: 'no-answer', fault: { code: 'TIMEOUT' } })
    expect(outcome.kind === 'no-answer' && outcome.fault.ms).toBeLessThan(1_000)
  })

  test('ends when it is called off', async () => {
    handler = () => controller.abort()
    const controller = new AbortController()
    expect(await ask('/', { signal: controller.signal })).toMatchObject({ kind: 'no-answer', fault: { code: 'ABORTED' } })
    expect(await ask('/', { signal: controller.signal })).toMatchObject({ kind: 'no-answer', fault: { code: 'ABORTED' } })
  })

  test('a closed port refuses', async () => {
    const closed = createTcpServer()
    await listen(closed)
    const url = new URL(base(closed))
    await close(closed)
    expect(await ask('/', { url })).toMatchObject({ kind: 'no-answer', fault: { stage: 'connecting', code: 'ECONNREFUSED' } })
  })

  test('https to a server without TLS cannot heal', async () => {
    handler = (_request, response) => void response.end()
    const url = new URL(base(here).replace('http:', 'https:'))
    expect(await ask('/', { url })).toMatchObject({ kind: 'no-answer', fault: { stage: 'unhealable', code: 'NOT_TLS' } })
  })

  test('a self-signed certificate cannot heal', async () => {
    const server = createTlsServer(selfSigned('web.example.com'), (_request, response) => void response.end())
    await listen(server)
    const url = new URL(base(server).replace('http:', 'https:'))
    const outcome = await ask('/', { url })
    await close(server)
    expect(outcome).toMatchObject({ kind: 'no-answer', fault: { stage: 'unhealable', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
  })

  test('finds an address of IPv6', async () => {
    const server = createServer((_request, response) => void response.end('six'))
    const up = await new Promise<boolean>(done => server.once('error', () => done(false)).listen(0, '::1', () => done(true)))
    if (!up) return
    const outcome = await ask('/', { url: new URL(`http://[::1]:${(server.address() as AddressInfo).port}/`) })
    await close(server)
    expect(outcome).toMatchObject({ kind: 'answer', answer: { body: 'six' } })
  })
})

describe('a redirect', () => {
  const secrets = [
    ['Authorization', 'Bearer x'],
    ['X-Api-Key', 'y'],
  ] as const

  test('on the same host is followed with the headers', async () => {
    handler = ({ url }, response) => (url === '/a' ? response.writeHead(302, { location: '/b' }).end() : response.end(url))
    expect(await ask('/a', { headers: secrets })).toMatchObject({
      answer: { status: 200, body: '/b', redirectedTo: `${base(here)}/b` },
    })
    expect(seen[1]?.headers).toMatchObject({ authorization: 'Bearer x', 'x-api-key': 'y' })
  })

  test('to another host carries no header of the user, and does not get them back on the way home', async () => {
    handler = ({ url }, response) => {
      if (url === '/a') response.writeHead(302, { location: `${base(elsewhere).replace('//', '//user:word@')}/b` }).end()
      else if (url === '/b') response.writeHead(302, { location: `${base(here)}/c` }).end()
      else response.end('home')
    }
    expect(await ask('/a', { headers: secrets })).toMatchObject({ answer: { body: 'home' } })
    expect(seen.map(({ headers }) => [headers.authorization, headers['x-api-key']])).toEqual([
      ['Bearer x', 'y'],
      [undefined, undefined],
      [undefined, undefined],
    ])
  })

  test('is not followed when its status is wanted', async () => {
    handler = (_request, response) => response.writeHead(301, { location: '/b' }).end()
    expect(await ask('/a', { isWanted: status => status === 301 })).toMatchObject({ kind: 'answer', answer: { status: 301 } })
    expect(seen.length).toBe(1)
  })

  test('in circles ends after 5', async () => {
    handler = (_request, response) => response.writeHead(302, { location: '/a' }).end()
    expect(await ask('/a')).toMatchObject({ kind: 'wrong-redirect', to: expect.stringContaining('more than 5 times') })
    expect(seen.length).toBe(6)
  })

  test('without a Location is an answer', async () => {
    handler = (_request, response) => response.writeHead(302).end()
    expect(await ask('/a')).toMatchObject({ kind: 'answer', answer: { status: 302 } })
  })

  test.each([
    ['file:///etc/passwd', 'not HTTP'],
    ['http://', 'is none'],
  ])('to %s is wrong', async (location, why) => {
    handler = (_request, response) => response.writeHead(302, { location }).end()
    expect(await ask('/a')).toMatchObject({ kind: 'wrong-redirect', to: expect.stringContaining(why) })
  })

  test('to a host that refuses is no matter of the runner', async () => {
    handler = (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
    const outcome = await ask('/a')
    expect(outcome).toMatchObject({
      fault: { stage: 'answering', problem: 'redirects to http://127.0.0.1:1/, which refused the connection' },
    })
  })

  test('has its time from the whole', async () => {
    handler = ({ url }, response) => {
      if (url === '/a') setTimeout(() => response.writeHead(302, { location: '/b' }).end(), 400)
    }
    const outcome = await ask('/a', { timeoutMs: 400 })
    expect(outcome.kind === 'no-answer' && outcome.fault.ms).toBeLessThan(1_350)
  })

  test.each([
    ['http://a.example/x', 'http://a.example/y', true],
    ['http://a.example/', 'https://a.example/', true],
    ['https://a.example/', 'http://a.example/', false],
    ['http://a.example/', 'https://a.example:8443/', false],
    ['http://a.example:8080/', 'https://a.example/', false],
    ['http://a.example/', 'http://a.example:8080/', false],
    ['http://a.example/', 'http://b.a.example/', false],
    ['http://a.example/', 'http://a.example.evil/', false],
  ])('from %s to %s carries headers: %s', (from, to, may) => {
    expect(mayCarryHeaders(new URL(from), new URL(to))).toBe(may)
  })

  test('credentials in a Location are dropped', () => {
    expect(String(redirectTarget('//user:word@b.example/x', new URL('https://a.example/')))).toBe('https://b.example/x')
  })
})

describe("node's errors", () => {
  const error = (code: string, message = 'm'): NodeJS.ErrnoException => Object.assign(new Error(message), { code })
  test.each([
    ['ENOTFOUND', 'connecting', 'connecting'],
    ['EAI_AGAIN', 'connecting', 'connecting'],
    ['ECONNREFUSED', 'connecting', 'connecting'],
    ['EHOSTUNREACH', 'connecting', 'connecting'],
    ['ECONNRESET', 'connecting', 'connecting'],
    ['ECONNRESET', 'answering', 'answering'],
    ['HPE_INVALID_CONSTANT', 'answering', 'answering'],
    ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'answering', 'answering'],
    ['CERT_HAS_EXPIRED', 'answering', 'unhealable'],
    ['CERT_NOT_YET_VALID', 'answering', 'unhealable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'answering', 'unhealable'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'answering', 'unhealable'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'answering', 'unhealable'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'answering', 'unhealable'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'answering', 'unhealable'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'answering', 'unhealable'],
    ['SOMETHING_NEW', 'answering', 'answering'],
  ] as const)('%s while %s is %s', (code, stage, expected) => {
    const { stage: found, problem } = explainError(error(code), stage)
    expect(found).toBe(expected)
    expect(problem).not.toBe('')
  })

  test('a certificate for another name says for which', () => {
    const wrong = Object.assign(error('ERR_TLS_CERT_ALTNAME_INVALID'), {
      reason: "Host: a. is not in the cert's altnames: DNS:b",
    })
    expect(explainError(wrong, 'answering').problem).toContain('DNS:b')
  })
})
