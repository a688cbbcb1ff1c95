// The built smoke-test, run as the runner does, against a server on this machine.

import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type ActionResult, type RunActionOptions, runAction } from '../harness/run-action.ts'

let handler: (request: IncomingMessage, response: ServerResponse, n: number) => void
let requests = 0
const server = createServer((request, response) => handler(request, response, ++requests))
let url = ''

beforeAll(async () => {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  requests = 0
})

const smokeTest = (inputs: Record<string, string>, more: Partial<RunActionOptions> = {}): Promise<ActionResult> =>
  runAction({ action: 'smoke-test', inputs: { url, interval: '100ms', timeout: '2s', ...inputs }, giveUpAfter: 30_000, ...more })
const version = (response: ServerResponse, value: string): void =>
  void response.end(JSON.stringify({ version: value, items: [{ ok: true }] }))

describe('smoke-test, built', () => {
  test('passes at once when all is right', async () => {
    handler = (_request, response) => version(response, '1.4.2')
    const step = await smokeTest({
      version: '1.4.2',
      consecutive: '20',
      'body-contains': 'version\nitems',
      json: '.items[0].ok=true',
    })
    expect(step).toMatchObject({ conclusion: 'success', outputs: { result: 'passed', reason: '', passed: '1', failed: '0' } })
    expect(Number(step.outputs['p95-ms'])).toBeLessThan(1_000)
    expect(requests).toBe(20)
    expect(JSON.parse(readFileSync(step.outputs['report'] ?? '', 'utf8'))).toMatchObject({
      checks: [{ result: 'passed', requests: { right: 20 } }],
    })
    expect(step.summary).toContain('### ✅ smoke-test: passed')
    expect(readFileSync(step.outputs['summary'] ?? '', 'utf8').trim()).toBe(step.summary.trim())
  })

  test('waits for an app that is still starting', async () => {
    handler = (_request, response, n) => (n < 4 ? response.writeHead(503).end('starting') : response.end('ready'))
    const step = await smokeTest({ timeout: '20s' })
    expect(step.conclusion).toBe('success')
    expect(step.output).toContain('expected status 200, came 503: "starting"')
    expect(step.output.match(/came 503/g)?.length).toBe(1)
  })

  test('a wrong answer is red, with what was expected and what came', async () => {
    handler = (_request, response) => response.writeHead(500).end('no database\n::error::pwned\n##[error]pwned')
    const step = await smokeTest({})
    expect(step).toMatchObject({
      conclusion: 'failure',
      outputs: { result: 'failed', reason: 'WrongStatus', passed: '0', failed: '1' },
    })
    expect(step.annotations).toEqual([
      expect.objectContaining({
        level: 'error',
        title: 'smoke-test: WrongStatus',
        message: expect.stringContaining('expected status 200, came 500: "no database'),
      }),
    ])
    expect(step.seconds).toBeLessThan(4)
  })

  test('a half shifted service does not pass', async () => {
    handler = (_request, response, n) => version(response, n % 3 === 0 ? '1.4.1' : '1.4.2')
    const step = await smokeTest({ version: '1.4.2', consecutive: '5' })
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'WrongVersion' } })
    expect(step.outputs['message']).toMatch(/several versions answered \(1\.4\.2: \d+ times, 1\.4\.1: \d+ times\)/)
  })

  test.each([
    [{}, { conclusion: 'failure', outputs: { result: 'failed', reason: 'Unreachable' } }],
    [{ 'on-unreachable': 'inconclusive' }, { conclusion: 'failure', outputs: { result: 'inconclusive', reason: 'Unreachable' } }],
    [
      { 'on-unreachable': 'inconclusive', 'on-inconclusive': 'warn' },
      { conclusion: 'success', outputs: { result: 'inconclusive', reason: 'Unreachable' }, annotations: [{ level: 'warning' }] },
    ],
  ])('a closed port, %j', async (inputs, expected) => {
    expect(await smokeTest({ url: 'http://127.0.0.1:1/', ...inputs })).toMatchObject(expected)
  })

  test('a server that hangs cannot prolong the test', async () => {
    handler = (_request, response) => void response.write('x')
    const step = await smokeTest({ timeout: '1s' })
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { reason: 'NoAnswer' } })
    expect(step.seconds).toBeLessThan(3)
  })

  test('a cancel ends it at once', async () => {
    handler = (_request, response) => response.writeHead(503).end()
    const step = await smokeTest(
      { timeout: '5m', interval: '1m' },
      { cancelAfter: { when: output => output.includes('came 503') } },
    )
    expect(step).toMatchObject({ conclusion: 'cancelled', outputs: { result: 'cancelled', reason: 'Cancelled' } })
    expect(step.seconds).toBeLessThan(3)
  })

  test('all wrong inputs are named at once, and no secret', async () => {
    const step = await smokeTest({
      url: 'https://user:hunter2hunter2@x/',
      status: 'ok',
      json: 'version',
      header: 'Cookie: a\u0001hunter2hunter2',
      timeot: '1s',
    })
    expect(step.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput' })
    expect(step.outputs['message']).toMatch(/^4 inputs are wrong.* url: .* status: .* json: .* header: /)
    expect(step.visible).not.toContain('hunter2')
    expect(step.seconds).toBeLessThan(2)
  })

  test('a header with a secret is sent, and its value is seen nowhere', async () => {
    handler = (request, response) =>
      response.writeHead(request.headers.authorization === 'Bearer hunter2hunter2' ? 500 : 401).end(request.headers.authorization)
    const step = await smokeTest({ header: 'Authorization: Bearer hunter2hunter2', timeout: '1s' })
    expect(step.outputs['message']).toContain('came 500')
    const files = [step.visible, step.summary, JSON.stringify(step.outputs), readFileSync(step.outputs['report'] ?? '', 'utf8')]
    expect(files.join('\n')).not.toContain('hunter2')
  })

  test('a pass that cannot be marked is red and says both', async () => {
    handler = (_request, response) => void response.end()
    const step = await smokeTest(
      { verifies: 'k8s://shop/web/7' },
      { env: { KUBECONFIG: '/nonexistent/config', HOME: '/nonexistent' } },
    )
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'passed', passed: '1' } })
    expect(step.outputs['message']).toMatch(
      /answered as asked.*The test passed, but k8s:\/\/shop\/web\/7 could not be marked verified: /,
    )
    expect(step.orphans).toEqual([])
  })
})
