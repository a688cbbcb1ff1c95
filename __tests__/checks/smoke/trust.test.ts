// What a server sends is foreign: it becomes no address, no variable, no option, no line of the runner; and secrets go nowhere but where they are meant to.
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { runFile } from './run-file.ts'
import { bodyOf, closeAll, http, server } from './servers.ts'

const SECRET = 'hunter2hunter2'
let here = 0
let elsewhere = 0
/** What `/give` answers as `value`. */
let given: unknown = ''
const seen: { port: number; url: string; headers: IncomingMessage['headers']; body: string }[] = []

beforeAll(async () => {
  const make = async (): Promise<number> => {
    const port = await http(async (request, response) => {
      const url = request.url ?? ''
      seen.push({ port: request.socket.localPort ?? 0, url, headers: request.headers, body: await bodyOf(request) })
      if (url === '/give') response.end(JSON.stringify({ value: given }))
      else if (url === '/away') response.writeHead(307, { location: `http://127.0.0.1:${elsewhere}/caught` }).end()
      else if (url === '/mirror')
        response.writeHead(500).end(`you sent ${request.headers.authorization} ${request.headers['x-captured']}`)
      else if (url === '/attack')
        response.writeHead(500).end('\n::error::pwned\n##[error]x | <img src=x> [a](b) `c` \u001b[31m@team\n')
      else response.end('{"ok":true}')
    })
    return port
  }
  here = await make()
  elsewhere = await make()
})
afterAll(closeAll)
beforeEach(() => {
  seen.length = 0
})

const GIVE = '{name: give, get: /give, capture: {v: .value}}'
const file = (...steps: string[]): string =>
  `smoke:\n  base-url: http://127.0.0.1:${here}\n  fail-fast: false\n  steps:\n${steps.map(step => `    - ${step}\n`).join('')}`

describe('a captured value', () => {
  test.each<[value: unknown, step: string, url: string]>([
    ['a/../b?x=1#y', '{name: use, get: "/jobs/${v}/file"}', '/jobs/a%2F..%2Fb%3Fx%3D1%23y/file'],
    [7, '{name: use, get: "/jobs/${v}"}', '/jobs/7'],
    ['${env.TOKEN}', '{name: use, get: "/jobs/${v}"}', '/jobs/%24%7Benv.TOKEN%7D'],
    ['a&b=c', '{name: use, get: /, query: {q: "${v}"}}', '/?q=a%26b%3Dc'],
    ['/next?page=2', '{name: use, get: "${v}"}', '/next?page=2'],
  ])('%j in %s asks for %s', async (value, step, url) => {
    given = value
    const ran = await runFile(file(GIVE, step), { env: { TOKEN: SECRET } })
    expect(ran.told).toEqual(['give: passed', 'use: passed'])
    expect(seen.at(-1)?.url).toBe(url)
  })

  test.each<[value: unknown, step: string, told: string]>([
    ['..', '{name: use, get: "/jobs/${v}"}', 'failed WrongCapture'],
    ['', '{name: use, get: "/jobs/${v}"}', 'failed WrongCapture'],
    ['file:///etc/passwd', '{name: use, get: "${v}"}', 'failed WrongCapture'],
    ['a\r\nX-Evil: 1', '{name: use, get: /, headers: {X-V: "${v}"}}', 'failed WrongCapture'],
    ['--help', '{name: use, run: [node, "${v}"]}', 'failed WrongCapture'],
    ['.*', '{name: use, get: /, expect: {body: {matches: "^${v}$"}}, failure-limit: 0}', 'failed WrongBody'],
  ])('%j is not taken in %s', async (value, step, told) => {
    given = value
    const ran = await runFile(file(GIVE, step), { env: { PATH: process.env['PATH'] } })
    expect(ran.told).toEqual(['give: passed', `use: ${told}`])
  })

  test.each(['http://${v}/', '${v}.example.com', 'http://a.${v}:80/x'])(
    '%s lets a server choose the host, and is refused',
    async address => {
      await expect(runFile(file(GIVE, `{get: "${address}"}`))).rejects.toThrow(/captured value in its host|no address/)
      expect(seen).toEqual([])
    },
  )

  test('becomes itself in a JSON body: a number stays one, a text cannot break out', async () => {
    given = { n: 1, text: '"}{' }
    await runFile(file(GIVE, '{post: /, json: {whole: "${v}", part: "x ${v}"}}'))
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual({ whole: { n: 1, text: '"}{' }, part: 'x {"n":1,"text":"\\"}{"}' })
  })

  test('an address on another host is asked without credentials', async () => {
    given = `http://127.0.0.1:${elsewhere}/file`
    const ran = await runFile(file(GIVE, `{name: use, get: "\${v}", bearer: ${SECRET}, headers: {X-Key: k}}`))
    expect(ran.told).toEqual(['give: passed', 'use: passed'])
    expect(seen.at(-1)).toMatchObject({ port: elsewhere, url: '/file' })
    expect(seen.at(-1)?.headers).not.toHaveProperty('authorization')
    expect(seen.at(-1)?.headers).not.toHaveProperty('x-key')
  })
})

describe('a secret', () => {
  test('of the file, the environment or an answer is in no line, no table and no report', async () => {
    given = 'captured-t0ken-value'
    const ran = await runFile(
      `with: {api-token: "\${env.TOKEN}"}\nsecrets: [pin]\n${file('{name: give, get: /give, capture: {pin: .value}}', '{get: /mirror, bearer: "${api-token}", headers: {x-captured: "${pin}"}, failure-limit: 0}')}`,
      { env: { TOKEN: SECRET } },
    )
    expect(seen.at(-1)?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, 'x-captured': 'captured-t0ken-value' })
    const all = ran.log.replace(/^::add-mask::.*$/gm, '') + JSON.stringify(ran.outcome)
    expect(all).toContain('you sent')
    expect(all).not.toMatch(/hunter2|t0ken-value/)
  })

  test('a body does not follow a redirect to another host', async () => {
    const ran = await runFile(file('{name: login, post: /away, form: {password: x}}'))
    expect(ran.told).toEqual(['login: failed WrongRedirect'])
    expect(seen.map(({ port }) => port)).toEqual([here])
  })
})

test('nothing in a body is a command to the runner, or markup in the summary', async () => {
  const ran = await runFile(file('{get: /attack, failure-limit: 0}'))
  expect(ran.log).not.toMatch(/^\s*::error|##\[|\u001b/m)
  expect(ran.outcome.summary).not.toMatch(/<img|\[a\]\(|`c`|@team/)
  const rows = ran.outcome.summary.split('\n').filter(line => line.startsWith('|'))
  expect(rows.map(row => row.split('|').length)).toEqual(rows.map(() => 7))
})

test('an expression that is slow on purpose is not: it takes time in proportion to the text', async () => {
  given = `${'a'.repeat(30_000)}!`
  const ran = await runFile(file('{get: /give, expect: {json: {.value: {matches: "^(a+)+$"}}}, failure-limit: 0}'))
  expect(ran.told[0]).toContain('failed WrongJson')
})

describe('a proxy', () => {
  const asked: string[] = []
  let proxy = 0
  beforeAll(async () => {
    const made = await server()
    proxy = made.port
    made.server.on('request', (request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
      response.end('{"by":"proxy"}')
    })
    made.server.on('connect', (request, socket) => {
      asked.push(`CONNECT ${request.url}`)
      const target = connect(here, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n') && target.pipe(socket).pipe(target))
    })
  })
  beforeEach(() => {
    asked.length = 0
  })

  test.each<[variables: Record<string, string>, step: string, asked: string[]]>([
    [{ HTTP_PROXY: 'http://u:p@127.0.0.1:PORT' }, '{get: "http://app.test/x"}', ['GET http://app.test/x Basic dTpw']],
    [{ http_proxy: '127.0.0.1:PORT' }, '{websocket: "ws://app.test/", failure-limit: 0}', ['CONNECT app.test:80']],
    [
      { HTTPS_PROXY: 'http://127.0.0.1:PORT' },
      '{get: "https://app.test/", timeout: 500ms, failure-limit: 0}',
      ['CONNECT app.test:443'],
    ],
    [{ HTTP_PROXY: 'http://127.0.0.1:PORT' }, '{get: /}', []],
    [{ HTTP_PROXY: 'http://127.0.0.1:PORT', NO_PROXY: 'x.org,.test' }, '{get: "http://app.test/", timeout: 500ms}', []],
    [{ ALL_PROXY: 'http://127.0.0.1:PORT' }, '{get: "http://app.test:HERE/", resolve: 127.0.0.1}', []],
  ])('%j, %s', async (variables, step, expected) => {
    const env = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value.replace('PORT', String(proxy))]))
    await runFile(file(step.replace('HERE', String(here))), { env })
    expect([...new Set(asked)]).toEqual(expected)
  })

  test('that does not answer is on the way: the service was not reached', async () => {
    const ran = await runFile(file('{name: a, get: "http://app.test/", timeout: 500ms, on-unreachable: inconclusive}'), {
      env: { HTTP_PROXY: 'http://127.0.0.1:1' },
    })
    expect(ran.told).toEqual(['a: inconclusive Unreachable'])
  })
})
