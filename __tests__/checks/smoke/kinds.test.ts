// Every kind of step against a real server of its protocol: what passes, what fails, and by which word.
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { WebSocketServer } from 'ws'
import { makeCertificate } from '../self-signed.ts'
import { runFile, workspace } from './run-file.ts'
import { bodyOf, closeAll, http, http2, http2Streams, https, https2, server, tcp } from './servers.ts'

const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
let polls = 0
const routes: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage, body: string) => void>> = {
  '/ok': response =>
    response
      .setHeader('X-Version', '1.4.2')
      .end('{"status":"ok","version":"1.4.2","items":[{"id":7,"ok":true},{"id":8,"ok":false}]}'),
  '/text': response => response.end('all is fine'),
  '/late': response => setTimeout(() => response.end('all is fine'), 20),
  '/empty': response => response.writeHead(204).end(),
  '/down': response => response.writeHead(503).end('starting'),
  '/jobs': response => response.writeHead(201, { location: '/jobs/7' }).end('{"id":7,"token":"hunter2hunter2"}'),
  '/jobs/7': response => response.end(JSON.stringify({ status: ++polls % 3 === 0 ? 'done' : 'running', file: '/text' })),
  '/broken-job': response => response.end('{"status":"failed"}'),
  '/never': response => response.end('{"status":"running"}'),
  '/graphql': (response, _request, body) =>
    response.end(
      JSON.stringify(body.includes('wrong') ? { errors: [{ message: 'no such field' }] } : { data: { me: { id: 1 } } }),
    ),
  '/sse': response => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': hello\n\nevent: token\ndata: {"text":"a"}\n\ndata: two\r\ndata: lines\r\n\r\n')
    response.write('data: [DONE]\n\n')
  },
  '/silent': response => response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
  '/circle': response => response.writeHead(302, { location: '/circle' }).end(),
  '/moved': response => response.writeHead(301, { location: '/ok' }).end(),
}

let plain = 0
let h2c = 0
let ws = 0
let greeting = 0
let health = 0
beforeAll(async () => {
  plain = await http(async (request, response) => {
    const body = await bodyOf(request)
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
    const route = routes[(request.url ?? '').split('?')[0] ?? '']
    if (route === undefined) response.writeHead(404).end('nothing here')
    else route(response, request, body)
  })
  h2c = await http2((request, response) => response.end(`{"version":"${request.httpVersion}"}`))
  const sockets = await server()
  ws = sockets.port
  new WebSocketServer({ server: sockets.server }).on('connection', socket => {
    socket.send('{"type":"welcome"}')
    socket.on('message', data => socket.send(String(data) === 'bad' ? 'no' : String(data)))
  })
  greeting = await tcp(socket => socket.write('220 mail.example.com ESMTP\r\n'))
  // grpc.health.v1.Health: "web" serves, "db" does not, anything else is not known.
  health = await http2Streams(stream => {
    stream.once('data', (frame: Buffer) => {
      const name = frame.subarray(7).toString()
      const known = name === '' || name === 'web' || name === 'db'
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': known ? '0' : '5' }))
      stream.end(known ? Buffer.from([0, 0, 0, 0, 2, 8, name === 'db' ? 2 : 1]) : undefined)
    })
  })
})
afterAll(closeAll)

/** Steps as flow maps, one a line, indented by the test. */
const file = (steps: string, more = ''): string =>
  `smoke:\n  base-url: http://127.0.0.1:${plain}\n${more}  steps:\n${steps.replace(/^/gm, '    ')}`
const fill = (text: string): string =>
  text
    .replaceAll('PLAIN', String(plain))
    .replaceAll('H2C', String(h2c))
    .replaceAll('WS', String(ws))
    .replaceAll('SMTP', String(greeting))
    .replaceAll('HEALTH', String(health))

describe('a step', () => {
  test.each<[step: string, told: string, wrong?: RegExp]>([
    ['get: /ok', 'passed'],
    [
      '{get: /ok, expect: {status: [200, 3xx], headers: {x-version: 1.4.2}, body: {contains: version}, time-below: 5s}}',
      'passed',
    ],
    [
      '{get: /ok, expect: {json: {.status: ok, ".items[0].id": 7, "$.items[?@.ok == false]": {count: 1}, .nothing: {exists: false}}}}',
      'passed',
    ],
    [
      '{get: /ok, expect: {json: {.version: {matches: "^1\\\\.4\\\\."}, .items: {length: 2}, ".items[1].id": {above: 7, at-most: 8}}}}',
      'passed',
    ],
    [
      '{get: /ok, expect: {json: {.status: {not: bad, one-of: [ok, fine]}, .items: {contains: x}}}, failure-limit: 0}',
      'failed WrongJson',
      /\.items: with "x"/,
    ],
    ['{get: /ok, expect: {json: {.status: down}}, failure-limit: 0}', 'failed WrongJson', /^\.status: down, ok$/],
    [
      '{get: /ok, expect: {json-schema: {type: object, required: [status], properties: {version: {type: string, pattern: "^1"}}}}}',
      'passed',
    ],
    [
      '{get: /ok, expect: {json-schema: {type: object, properties: {status: {type: number}}}}, failure-limit: 0}',
      'failed WrongJson',
      /\/status must be number/,
    ],
    ['{get: /text, expect: {json: {.a: 1}}, failure-limit: 0}', 'failed WrongJson', /a body that is no JSON/],
    ['{get: /text, expect: {body: all is fine}}', 'passed'],
    ['{get: /text, expect: {body: fine}, failure-limit: 0}', 'failed WrongBody', /^body: fine, all is fine$/],
    ['{get: /ok, expect: {headers: {x-version: {exists: false}}}, failure-limit: 0}', 'failed WrongHeader'],
    ['{get: /late, expect: {time-below: 10ms}, failure-limit: 0}', 'failed TooSlow'],
    ['{get: /down, failure-limit: 2}', 'failed WrongStatus', /^status: 2xx, 503$/],
    ['{post: /down}', 'failed WrongStatus'],
    ['{get: /empty, expect: {status: 204}}', 'passed'],
    ['{head: /ok, expect: {headers: {x-version: 1.4.2}}}', 'passed'],
    ['{get: /moved}', 'passed'],
    ['{get: /moved, redirects: 0, expect: {status: 301, headers: {location: /ok}}}', 'passed'],
    ['{get: /circle, failure-limit: 0}', 'failed WrongRedirect', /more than 5 times/],
    ['{get: /ok, version: {expected: 1.4.2}}', 'passed'],
    [
      '{get: /ok, version: {expected: 1.4.20, from: "header:x-version"}, failure-limit: 0}',
      'failed WrongVersion',
      /^version: 1\.4\.20, 1\.4\.2$/,
    ],
    [
      '{get: /broken-job, poll: {until: {json: {.status: done}}, fail-when: {json: {.status: failed}}}}',
      'failed NotDone',
      /anything but failed/,
    ],
    [
      '{get: /never, poll: {until: {json: {.status: done}}, interval: 10ms, back-off: 2}, timeout: 500ms}',
      'failed NotDone',
      /^\.status: done, running$/,
    ],
    ['{get: /sse, sse: {first-within: 5s, events: 3, event: {name: token, json: {.text: a}}}}', 'passed'],
    ['{get: /sse, sse: {event: {data: "two\\nlines"}}}', 'passed'],
    [
      '{get: /sse, sse: {event: {data: three}, within: 200ms}, failure-limit: 0}',
      'failed WrongEvent',
      /^event data: three, \[DONE\]$/,
    ],
    [
      '{get: /silent, sse: {first-within: 100ms, within: 200ms}, failure-limit: 0}',
      'failed TooSlow',
      /first event: within 100 ms, none within 200 ms/,
    ],
    ['{get: /down, sse: {}, failure-limit: 0}', 'failed WrongStatus'],
    ['{get: /ok, repeat: {requests: 20, parallel: 4, p95-below: 9s}}', 'passed'],
    ['{get: /ok, repeat: {for: 100ms, parallel: 2}}', 'passed'],
    ['{get: /down, repeat: {requests: 4, error-rate-below: 50%}}', 'failed ErrorRate', /error rate: below 50%, 100% \(4 of 4\)/],
    ['{get: "http://127.0.0.1:H2C/", http2: true, expect: {json: {.version: "2.0"}}}', 'passed'],
    ['{get: "http://app.example.com:H2C/", resolve: 127.0.0.1, http2: true}', 'passed'],
    ['{graphql: /graphql, query: "{me {id}}", expect: {json: {.data.me.id: 1}}}', 'passed'],
    ['{graphql: /graphql, query: "{wrong}", failure-limit: 0}', 'failed WrongJson', /\.errors: not to be there/],
    ['{websocket: "ws://127.0.0.1:WS/"}', 'passed'],
    ['{websocket: "ws://127.0.0.1:WS/", send: ping}', 'passed'],
    ['{websocket: "ws://127.0.0.1:WS/", send: {a: 1}, expect: {message: {json: {.a: 1}}}}', 'passed'],
    [
      '{websocket: "ws://127.0.0.1:WS/", send: bad, expect: {message: {contains: good}}, timeout: 500ms}',
      'failed WrongMessage',
      /^message: with "good", no$/,
    ],
    ['{websocket: /ok, failure-limit: 0}', 'failed WrongStatus', /101 \(WebSocket\)/],
    ['{tcp: "127.0.0.1:SMTP"}', 'passed'],
    ['{tcp: "127.0.0.1:SMTP", expect: {answer: {matches: "^220 "}}}', 'passed'],
    ['{tcp: "127.0.0.1:SMTP", expect: {answer: {matches: "^500 "}}, timeout: 500ms}', 'failed WrongMessage', /220 mail/],
    ['{tcp: "127.0.0.1:1", timeout: 100ms}', 'failed Unreachable'],
    ['{tcp: "127.0.0.1:1", timeout: 100ms, on-unreachable: inconclusive}', 'inconclusive Unreachable'],
    ['{grpc: "127.0.0.1:HEALTH"}', 'passed'],
    ['{grpc: "grpc://127.0.0.1:HEALTH", service: web}', 'passed'],
    ['{grpc: "127.0.0.1:HEALTH", service: db, failure-limit: 0}', 'failed NotServing', /SERVING, NOT_SERVING/],
    ['{grpc: "127.0.0.1:HEALTH", service: none, failure-limit: 0}', 'failed NotServing', /gRPC status NOT_FOUND/],
    ['{grpc: "127.0.0.1:PLAIN", failure-limit: 0}', 'failed NoAnswer'],
    ['{run: [node, -e, "console.log(JSON.stringify({ok: true}))"], expect: {json: {.ok: true}}}', 'passed'],
    ['{run: [node, -e, "console.error(`no database`); process.exit(3)"]}', 'failed WrongExit', /^exit code: 0, 3$/],
    ['{run: [node, -e, "process.exit(3)"], expect: {exit: 3}}', 'passed'],
    ['{run: [node, -e, "setInterval(() => 0, 1000)"], timeout: 500ms}', 'failed NoAnswer'],
    ['{run: [no-such-program-here]}', 'inconclusive NotFound', /cannot be run here/],
    ['{run: [node, -p, "process.env.INPUT_TOKEN + process.env.A"], env: {A: b}, expect: {stdout: undefinedb}}', 'passed'],
  ])('%s: %s', async (...[step, told, wrong]) => {
    const ran = await runFile(file(`- ${fill(step)}`), { env: { PATH: process.env['PATH'], INPUT_TOKEN: 'x' } })
    expect(ran.told[0]?.replace(/^.*: (?=[a-z]+( [A-Z]\w+)?$)/, '')).toBe(told)
    if (wrong !== undefined) expect(ran.wrong.join('\n')).toMatch(wrong)
    if (told === 'passed') expect(ran.wrong).toEqual([])
  })
})

describe('what a request sends', () => {
  const last = (): (typeof seen)[number] | undefined => seen.at(-1)

  test.each<[step: string, expected: Record<string, unknown>]>([
    [
      '{put: /ok, json: {a: [1, "${env.WHO}"]}}',
      { method: 'PUT', body: '{"a":[1,"me & you"]}', headers: { 'content-type': 'application/json' } },
    ],
    ['{post: /ok, form: {who: "${env.WHO}", n: 1}}', { body: 'who=me+%26+you&n=1' }],
    [
      '{patch: /ok, body: "hi ${env.WHO}", headers: {content-type: text/x}}',
      { body: 'hi me & you', headers: { 'content-type': 'text/x' } },
    ],
    ['{delete: /ok}', { method: 'DELETE', body: '' }],
    ['{get: /ok, query: {q: "${env.WHO}", tag: [a, b]}}', { url: '/ok?q=me+%26+you&tag=a&tag=b' }],
    ['{get: /ok, bearer: s3cr3t}', { headers: { authorization: 'Bearer s3cr3t' } }],
    ['{get: /ok, basic: {user: u, password: p}}', { headers: { authorization: 'Basic dTpw' } }],
  ])('%s', async (step, expected) => {
    const ran = await runFile(file(`- ${step}`), { env: { WHO: 'me & you' } })
    expect(ran.wrong).toEqual([])
    expect(last()).toMatchObject(expected)
  })

  test('an upload is a form with the file in it', async () => {
    writeFileSync(join(workspace(), 'deck.txt'), 'slides')
    const ran = await runFile(
      file('- {post: /ok, upload: {file: deck.txt, field: deck, type: text/plain, fields: {title: Demo}}}'),
    )
    expect(ran.wrong).toEqual([])
    const boundary = /boundary=(.*)$/.exec(last()?.headers['content-type'] ?? '')?.[1]
    expect(last()?.body).toBe(
      [
        `--${boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nDemo\r\n`,
        `--${boundary}\r\nContent-Disposition: form-data; name="deck"; filename="deck.txt"\r\nContent-Type: text/plain\r\n\r\nslides\r\n`,
        `--${boundary}--\r\n`,
      ].join(''),
    )
  })

  test('upload, then the job done, then the download: each by what was captured before it', async () => {
    const ran = await runFile(
      file(`- {name: create, post: /jobs, json: {a: 1}, expect: {status: 201}, capture: {job: .id, where: "header:location"}}
- {name: done, get: "/jobs/\${job}", poll: {until: {json: {.status: done}}, interval: 5ms}, capture: {file: .file}}
- {name: again, get: "\${where}"}
- {name: download, get: "\${file}", expect: {body: all is fine}}`),
    )
    expect(ran.told).toEqual(['create: passed', 'done: passed', 'again: passed', 'download: passed'])
  })
})

describe('a certificate', () => {
  const root = makeCertificate({ name: 'Test Root', authority: true, days: 100 })
  const middle = makeCertificate({ name: 'Test Middle', issuer: root, authority: true, days: 50 })
  const ports: Record<string, number> = {}
  const client = makeCertificate({ name: 'client', issuer: root })
  const env = { CA: root.cert, CERT: client.cert, KEY: client.key }

  beforeAll(async () => {
    const leaf = (days: number, name = '127.0.0.1'): { key: string; cert: string; chain: string } => {
      const made = makeCertificate({ name, issuer: middle, days })
      return { key: made.key, cert: made.cert, chain: made.cert + middle.cert }
    }
    const answer = (_request: IncomingMessage, response: ServerResponse): void => void response.end('{"version":"2"}')
    const good = leaf(20)
    ports['good'] = await https({ key: good.key, cert: good.chain }, answer)
    ports['chainless'] = await https({ key: good.key, cert: good.cert }, answer)
    const old = leaf(-2)
    ports['expired'] = await https({ key: old.key, cert: old.chain }, answer)
    const oldRoot = makeCertificate({ name: 'Old root', authority: true, days: -1 })
    const overdue = makeCertificate({ name: '127.0.0.1', issuer: oldRoot, days: 20 })
    ports['overdue'] = await https({ key: overdue.key, cert: overdue.cert }, answer)
    const own = makeCertificate({ name: '127.0.0.1', days: -2 })
    ports['own'] = await https({ key: own.key, cert: own.cert }, answer)
    Object.assign(env, { OLD_CA: oldRoot.cert, OWN: own.cert })
    const other = leaf(20, 'web.example.com')
    ports['other'] = await https({ key: other.key, cert: other.chain }, answer)
    ports['h2'] = await https2({ key: good.key, cert: good.chain }, answer)
    ports['mutual'] = await https(
      { key: good.key, cert: good.chain, ca: root.cert, requestCert: true, rejectUnauthorized: true },
      answer,
    )
  })

  test.each<[step: string, told: string, wrong?: RegExp]>([
    [`{tls: "127.0.0.1:good", ca: CA, expect: {days-left: 14, names: [127.0.0.1], issuer: {contains: Middle}}}`, 'passed'],
    [`{tls: "127.0.0.1:good", ca: CA, expect: {days-left: 30}}`, 'failed Certificate', /^validity: 30 days left, 19 days$/],
    [
      `{tls: "127.0.0.1:good", ca: CA, expect: {names: [web.example.com]}}`,
      'failed Certificate',
      /^name: web\.example\.com, 127\.0\.0\.1$/,
    ],
    [`{tls: "127.0.0.1:good"}`, 'failed Certificate', /^chain: trusted, a certificate/],
    [`{tls: "127.0.0.1:good", expect: {chain: any}}`, 'passed'],
    [`{tls: "127.0.0.1:chainless", ca: CA}`, 'failed Certificate', /chain is incomplete/],
    [`{tls: "127.0.0.1:expired", ca: CA}`, 'failed Certificate', /^validity: not over, it expired on/],
    // The root is not part of the chain whose dates are told, and nobody else trusts what it has signed.
    [`{tls: "127.0.0.1:overdue", ca: OLD_CA}`, 'failed Certificate', /^chain: trusted, from a root that has expired$/],
    [`{tls: "127.0.0.1:overdue", ca: OLD_CA, expect: {chain: any}}`, 'passed'],
    [`{tls: "127.0.0.1:own", ca: OWN}`, 'failed Certificate', /^validity: not over, it expired on/],
    [`{tls: "web.example.com:other", ca: CA, resolve: 127.0.0.1}`, 'passed'],
    [`{tls: "127.0.0.1:other", ca: CA}`, 'failed Certificate', /^name: 127\.0\.0\.1, web\.example\.com$/],
    [`{get: "https://127.0.0.1:good/", tls: {ca: CA}}`, 'passed'],
    [`{get: "https://127.0.0.1:good/"}`, 'failed Certificate'],
    [`{get: "https://127.0.0.1:expired/", tls: {ca: CA}}`, 'failed Certificate', /has expired/],
    [`{get: "https://127.0.0.1:other/", tls: {ca: CA}}`, 'failed Certificate', /for another name/],
    [`{get: "https://127.0.0.1:other/", tls: {ca: CA, server-name: web.example.com}}`, 'passed'],
    [`{get: "https://127.0.0.1:chainless/", tls: {verify: false}}`, 'passed'],
    [`{get: "https://127.0.0.1:h2/", http2: true, tls: {ca: CA}}`, 'passed'],
    [`{get: "https://127.0.0.1:good/", http2: true, tls: {ca: CA}, failure-limit: 0}`, 'failed NoAnswer', /HTTP\/2/],
    [`{get: "https://127.0.0.1:mutual/", tls: {ca: CA, cert: CERT, key: KEY}}`, 'passed'],
    [`{get: "https://127.0.0.1:mutual/", tls: {ca: CA}, failure-limit: 0}`, 'failed NoAnswer'],
  ])('%s: %s', async (...[step, told, wrong]) => {
    const filled = step.replace(/:(good|chainless|expired|overdue|own|other|h2|mutual)\b/, (_, name: string) => `:${ports[name]}`)
    const ran = await runFile(file(`- ${filled.replace(/\b(OLD_CA|CA|CERT|KEY|OWN)\b/g, '"$${env.$1}"')}`), { env })
    expect(ran.told[0]).toMatch(new RegExp(`: ${told}$`))
    if (wrong !== undefined) expect(ran.wrong.join('\n')).toMatch(wrong)
  })
})
