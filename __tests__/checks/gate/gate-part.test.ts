// The `gate:` part of a check file, run after its smoke part as a deployment runs it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseCheckFile } from '../../../src/checks/check-file/read.ts'
import { type ChecksOutcome, prepareChecks } from '../../../src/checks/run-checks.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { createLog } from '../../../src/runner/log.ts'

const seen: string[] = []
let value = '0.01'
const server = createServer((request, response) => {
  seen.push((request.url ?? '').replace(/\?.*/, ''))
  const vector = { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [1, value] }] } }
  response.writeHead(request.url === '/down' ? 503 : 200).end(JSON.stringify(vector))
})
let url = ''
beforeAll(async () => {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const file = (path = '/up', threshold = '< 5%'): string => `with: { prometheus: '${url}' }
smoke:
  timeout: 1s
  steps: [{ name: up, get: '${url}${path}' }]
gate:
  prometheus: { url: '\${prometheus}', token: '\${env.PROMETHEUS_TOKEN}' }
  duration: 1s
  interval: 500ms
  queries: [{ name: errors, query: errors, threshold: '${threshold}', consecutive: 2 }]
`

async function run(text: string, restored = false): Promise<{ outcome: ChecksOutcome; printed: string }> {
  seen.length = 0
  let printed = ''
  const log = createLog(line => {
    printed += line
  })
  const env = { PROMETHEUS_TOKEN: 'hunter2hunter2' }
  const signal = new AbortController().signal
  const context = { workspace: '/nowhere', temporary: '/nowhere', env, log, clock: systemClock, signal, restored }
  const checks = await prepareChecks(parseCheckFile(text, 'checks.yml', env), context)
  return { outcome: await checks.run(), printed }
}

describe('a check file with smoke and gate', () => {
  test('both pass, one after the other, and the gate’s variables are filled in', async () => {
    const { outcome, printed } = await run(file())
    expect(outcome).toMatchObject({ result: 'passed', reason: '' })
    expect(outcome.message).toContain('The gate passed: errors 1 % (< 5 %)')
    expect([seen[0], seen.at(-1)]).toEqual(['/up', '/api/v1/query'])
    expect(printed.replace(/^::add-mask::.*$/gm, '')).not.toContain('hunter2')
  })

  test('a gate that fails fails the whole', async () => {
    value = '0.5'
    const { outcome } = await run(file())
    value = '0.01'
    expect(outcome).toMatchObject({ result: 'failed', reason: 'ThresholdExceeded' })
  })

  test('metrics are not asked of a service that answers wrongly', async () => {
    const { outcome } = await run(file('/down'))
    expect(outcome.result).toBe('failed')
    expect(seen).not.toContain('/api/v1/query')
  })

  test('what was put back is not watched', async () => {
    expect((await run(file(), true)).outcome.result).toBe('passed')
    expect(seen).not.toContain('/api/v1/query')
  })

  test('what is wrong is told with line and column, before anything is asked', async () => {
    await expect(run(file('/up', '5%'))).rejects.toThrow(
      /checks\.yml:9:\d+: gate\.queries\[0\]\.threshold: "5%" does not begin with/,
    )
    expect(seen).toEqual([])
  })
})
