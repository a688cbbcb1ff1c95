// docs/check-file.md and the README of smoke-test: each example of a check file is run, and passes, against servers that play its hosts.
import { createSocket } from 'node:dgram'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { WebSocketServer } from 'ws'
import { checkFileJsonSchema } from '../../scripts/check-file-schema.ts'
import { makeCertificate } from './self-signed.ts'
import { runFile, workspace } from './smoke/run-file.ts'
import { bodyOf, closeAll, http2Streams, https, https2, server, tcp } from './smoke/servers.ts'

const root = join(import.meta.dirname, '../..')
const documents = ['docs/check-file.md', 'actions/smoke-test/README.md']
const examples = documents.flatMap(document =>
  [...readFileSync(join(root, document), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)]
    .map(([, text = '']) => text)
    .filter(text => /^smoke:/m.test(text))
    .map((text, index) => [`${document}, example ${index + 1}`, text] as const),
)

const KINDS = [
  'get',
  'post',
  'upload',
  'form',
  'poll',
  'sse',
  'capture',
  'version',
  'repeat',
  'resolve',
  'graphql',
  'websocket',
  'tcp',
  'tls',
  'dns',
  'grpc',
  'run',
  'steps',
  'k8s://',
]
test.each(KINDS)('there is an example with %s', kind => {
  expect(examples.map(([, text]) => text).join('\n')).toMatch(kind === 'k8s://' ? /k8s:\/\// : new RegExp(`[\\s{]${kind}:\\s`))
})

const ca = makeCertificate({ name: 'Example Root', authority: true, days: 100 })
const client = makeCertificate({ name: 'client', issuer: ca })
const places: [name: RegExp, place: string][] = []
const cluster = createServer((request, response) =>
  response.writeHead(request.url === '/api/v1/namespaces/shop/services/web:80/proxy/health' ? 200 : 404).end('{"status":"ok"}'),
)
const dns = createSocket('udp4')
const socketPath = join(workspace(), 'proxy.sock')
let polls = 0

function answer(path: string, body: string): { status?: number; headers?: Record<string, string>; body: string } {
  if (path === '/login') return { status: 302, headers: { location: '/' }, body: '' }
  if (path === '/api/decks') return { status: 201, body: body.includes('filename="deck.txt"') ? '{"job":"j 1"}' : '{}' }
  if (path === '/api/jobs/j%201') return { body: ++polls < 2 ? '{"status":"running"}' : '{"status":"done","deck":7}' }
  if (path === '/api/decks/7/export') return { headers: { 'content-type': 'application/pdf' }, body: '%PDF-1.7' }
  if (path === '/api/chat') return { headers: { 'content-type': 'text/event-stream' }, body: 'data: cats\n\ndata: [DONE]\n\n' }
  if (path === '/events')
    return { headers: { 'content-type': 'text/event-stream' }, body: 'event: price\ndata: {"currency":"EUR"}\n\ndata: x\n\n' }
  if (path === '/api/orders') return { status: 201, body: '{"id":5}' }
  if (path === '/graphql') return { body: '{"data":{"product":{"name":"Tea"}}}' }
  return { headers: { 'x-version': '1.4.2' }, body: '{"status": "ok","version":"1.4.2","checks":[{"ok":true,"latency":3}]}' }
}

beforeAll(async () => {
  mkdirSync(join(workspace(), 'fixtures'), { recursive: true })
  mkdirSync(join(workspace(), 'certs'), { recursive: true })
  writeFileSync(join(workspace(), 'fixtures/deck.txt'), 'slides')
  writeFileSync(join(workspace(), 'certs/ca.pem'), ca.cert)
  writeFileSync(join(workspace(), 'certs/client.pem'), client.cert)
  const web = await server()
  web.server.on('request', async (request, response) => {
    const { status = 200, headers = {}, body } = answer((request.url ?? '').split('?')[0] ?? '', await bodyOf(request))
    response.writeHead(status, headers).end(body)
  })
  new WebSocketServer({ server: web.server }).on('connection', socket =>
    socket.on('message', () => socket.send('{"type":"pong"}')),
  )
  const made = (name: string): { key: string; cert: string } => makeCertificate({ name, issuer: ca, days: 30 })
  const shop = await https(made('shop.example.com'), (_request, response) => response.end())
  const internal = await https2(
    { ...made('internal.example.com'), ca: ca.cert, requestCert: true, rejectUnauthorized: true },
    (_request, response) => response.end(),
  )
  const mail = await tcp(socket => socket.write('220 mail.example.com\r\n'))
  const grpc = await http2Streams(stream =>
    stream.once('data', () => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]))
    }),
  )
  // One A record for whatever is asked: the question, and an answer that points back to its name (RFC 1035).
  dns.on('message', (query, from) => {
    const end = query.indexOf(0, 12) + 5
    const head = Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]), query.subarray(12, end)])
    dns.send(Buffer.concat([head, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 5])]), from.port)
  })
  await new Promise<void>(done => dns.bind(0, '127.0.0.1', done))
  await new Promise<void>(done => cluster.listen(socketPath, done))
  places.push(
    [/tls: shop\.example\.com:443/g, `tls: shop.example.com:${shop}\n      resolve: 127.0.0.1`],
    [/https:\/\/internal\.example\.com/g, `https://internal.example.com:${internal}`],
    [/resolve: 10\.0\.0\.5/g, 'resolve: 127.0.0.1'],
    [/(http|ws)s:\/\/(shop|slides)\.example\.com/g, `$1://127.0.0.1:${web.port}`],
    [/mail\.example\.com:25/g, `127.0.0.1:${mail}`],
    [/grpc\.example\.com:50051/g, `127.0.0.1:${grpc}`],
    [/server: 10\.0\.0\.10/g, `server: 127.0.0.1:${(dns.address() as AddressInfo).port}`],
  )
})
afterAll(async () => {
  dns.close()
  cluster.close()
  await closeAll()
})

describe('an example passes', () => {
  const env = {
    PATH: process.env['PATH'],
    SMOKE_TOKEN: 'smoke-token-1',
    SMOKE_PASSWORD: 'smoke-password-1',
    VERSION: '1.4.2',
    CLIENT_KEY: client.key,
  }

  test.each(examples)('%s', async (_, text) => {
    const placed = places.reduce((all, [name, place]) => all.replace(name, place), text)
    const ran = await runFile(placed, {
      env,
      cluster: async () => ({ socketPath }),
      usual: { timeoutMs: 20_000, intervalMs: 50 },
    })
    expect(ran.wrong).toEqual([])
    expect(ran.outcome.result).toBe('passed')
  })
})

test('the published schema is that of the source', () => {
  expect(readFileSync(join(root, 'schemas/check-file.schema.json'), 'utf8')).toBe(checkFileJsonSchema())
})

test('each example meets the published schema', async () => {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const { parse } = await import('yaml')
  const validate = new Ajv2020({ strict: false, logger: false }).compile(JSON.parse(checkFileJsonSchema()))
  for (const [name, text] of examples) {
    validate(parse(text))
    expect({ name, errors: validate.errors }).toEqual({ name, errors: null })
  }
})
