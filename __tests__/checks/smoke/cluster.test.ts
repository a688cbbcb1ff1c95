// A Service asked through the API server: over the same socket all of the cluster can be asked, with the rights of whoever deploys.
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { runFile, workspace } from './run-file.ts'
import { closeAll, http } from './servers.ts'

const PROXY = '/api/v1/namespaces/shop/services/web:80/proxy'
const SECRET = '/api/v1/namespaces/shop/secrets/db'
const OTHER = '/api/v1/namespaces/shop/services/admin:80/proxy/'
const socketPath = join(workspace(), 'api')
const seen: string[] = []
let headers: Record<string, unknown> = {}
/** Where `/go` leads to, and what `/give` answers. */
let location = ''
let elsewhere = 0

const api = createServer((request, response) => {
  const url = request.url ?? ''
  seen.push(url)
  headers = request.headers
  if (url === `${PROXY}/go`) response.writeHead(307, { location }).end()
  else if (url === `${PROXY}/give`) response.writeHead(202, { location }).end(JSON.stringify({ location }))
  else if (url.startsWith(PROXY)) response.end('{"ok":true}')
  else response.end('{"password":"hunter2"}')
})
beforeAll(async () => {
  await new Promise<void>(done => api.listen(socketPath, done))
  elsewhere = await http((request, response) => {
    seen.push(`elsewhere ${request.url}`)
    headers = request.headers
    response.end('{"ok":true}')
  })
})
afterAll(async () => {
  api.closeAllConnections()
  await Promise.all([closeAll(), new Promise(done => api.close(done))])
})
beforeEach(() => {
  seen.length = 0
})

const run = (...steps: string[]): ReturnType<typeof runFile> =>
  runFile(
    `smoke:\n  base-url: k8s://shop/web:80\n  fail-fast: false\n  steps:\n${steps.map(step => `    - ${step}\n`).join('')}`,
    {
      cluster: async () => ({ socketPath }),
    },
  )

describe('a redirect', () => {
  test.each([`${PROXY}/b`, `http://localhost${PROXY}/b`, `http://localhost:80${PROXY}/b`, 'b', './x/../b'])(
    'to %s stays with the Service, and is followed',
    async to => {
      location = to
      const ran = await run('{name: go, get: /go, headers: {X-Key: k}}')
      expect(ran.told).toEqual(['go: passed'])
      expect([seen.at(-1), headers['x-key']]).toEqual([`${PROXY}/b`, 'k'])
    },
  )

  test.each([
    SECRET,
    `http://localhost:80${SECRET}`,
    `https://localhost${SECRET}`,
    `${PROXY}/../../../secrets/db`,
    `${PROXY}/%2e%2e/%2E%2e/../secrets/db`,
    `${PROXY}/..%2f..%2F..%5c..%2fsecrets/db`,
    `${PROXY}x`,
    '../../../secrets/db',
    OTHER,
    'http://127.0.0.1:ELSEWHERE/b',
  ])('to %s leads out of it, and is not', async to => {
    location = to.replace('ELSEWHERE', String(elsewhere))
    const ran = await run('{name: go, get: /go, failure-limit: 0}')
    expect(ran.told).toEqual(['go: failed WrongRedirect'])
    expect(ran.wrong[0]).toContain('out of k8s://shop/web:80, ')
    expect(seen).toEqual([`${PROXY}/go`])
    expect(ran.log + JSON.stringify(ran.outcome)).not.toContain('hunter2')
  })
})

describe('a captured address', () => {
  const give = (source: string): string => `{name: give, get: /give, expect: {status: 202}, capture: {v: "${source}"}}`

  test.each([
    ['/jobs/7', '/jobs/7'],
    ['jobs/7?x=1', '/jobs/7?x=1'],
    ['http://localhost/jobs/7', '/jobs/7'],
    ['//localhost:80/jobs/7', '/jobs/7'],
    [`${PROXY}/jobs/7`, '/jobs/7'],
    [SECRET, SECRET],
    ['../../../secrets/db', '/secrets/db'],
    [OTHER, OTHER],
  ])('%s is %s of the Service that gave it', async (given, path) => {
    location = given
    for (const source of ['.location', 'header:location']) {
      const ran = await run(give(source), '{name: use, get: "${v}", headers: {X-Key: k}}')
      expect(ran.told).toEqual(['give: passed', 'use: passed'])
      expect([seen.at(-1), headers['x-key']]).toEqual([`${PROXY}${path}`, 'k'])
    }
  })

  test.each([
    ['http://localhost:8080/jobs/7', /localhost:8080.* is this machine, and for the Service itself/],
    ['https://localhost/jobs/7', /for the Service itself/],
    ['http://127.0.0.1:ELSEWHERE/jobs/7', /for the Service itself/],
    ['http://[::1]:80/jobs/7', /for the Service itself/],
    [`${PROXY}/..%2f..%2fsecrets/db`, /leads out of the service by its path/],
    ['/..%2f..%2fsecrets/db', /leads out of the service by its path/],
  ])('%s is not asked: the runner is not where the Service runs', async (given, because) => {
    location = given.replace('ELSEWHERE', String(elsewhere))
    const ran = await run(give('.location'), '{name: use, get: "${v}"}')
    expect(ran.told).toEqual(['give: passed', 'use: failed WrongCapture'])
    expect(ran.outcome.message).toMatch(because)
    expect(seen).toEqual([`${PROXY}/give`])
  })

  test('of another host is asked from here, without the headers', async () => {
    location = `http://files.test:${elsewhere}/b`
    const ran = await run(give('.location'), '{name: use, get: "${v}", headers: {X-Key: k}, timeout: 100ms}')
    expect(ran.told).toEqual(['give: passed', 'use: failed Unreachable'])
    expect(seen).toEqual([`${PROXY}/give`])
  })

  test('as a part of a path leads nowhere else', async () => {
    location = 'a/../../../x'
    const ran = await run(give('.location'), '{name: use, get: "/jobs/${v}"}')
    expect(ran.told).toEqual(['give: passed', 'use: failed WrongCapture'])
  })
})
