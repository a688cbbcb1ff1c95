import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { definition } from '../../actions/smoke-test/src/definition.ts'
import { type Ports, smokeTest } from '../../actions/smoke-test/src/smoke-test.ts'
import { examine } from '../../src/checks/expectation.ts'
import type { Attempt } from '../../src/checks/verdict.ts'
import type { Outcome } from '../../src/runner/action.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { inputSecrets, inputVariable, readInputs } from '../../src/runner/inputs.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'

const temporary = mkdtempSync(join(tmpdir(), 'smoke-'))
afterAll(() => rmSync(temporary, { recursive: true }))

const URL = 'http://web.example/health'
const RELEASE = 'k8s://shop/web/7'

const answered = (status: number, body: string): Attempt => {
  const content = { status, headers: {}, body, truncated: false }
  const version = { expected: '2', from: { kind: 'json', path: ['version'] } } as const
  return {
    kind: 'answer',
    answer: { label: String(status), ms: 12.4 },
    findings: examine(content, { status: ['200'], bodyContains: [], json: [], version }),
  }
}
const REFUSED: Attempt = {
  kind: 'no-answer',
  fault: { stage: 'connecting', code: 'ECONNREFUSED', problem: 'refused the connection', ms: 1 },
}

interface Ended {
  readonly outcome: Outcome<string>
  readonly printed: string
  readonly marked: readonly string[]
  readonly report: { checks: { result: string; requests: object; timeline: { what: string }[] }[] }
}

async function play(attempt: Attempt, inputs: Record<string, string> = {}, ports: Partial<Ports> = {}): Promise<Ended> {
  const given = { url: URL, version: '2', timeout: '10s', ...inputs }
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [inputVariable(name), value]))
  const values = readInputs(definition.inputs, env)
  const clock = new ManualClock(0)
  const marked: string[] = []
  let printed = ''
  const log = createLog(text => {
    printed += text
  })
  for (const secret of inputSecrets(definition.inputs, env)) log.mask(secret)
  const signal = new AbortController().signal
  const runner = { env: {}, workspace: temporary, temporary, log, cancelled: signal, ending: signal, saveState: () => undefined }
  let outcome: Outcome<string> | undefined
  const running = smokeTest(values, runner, {
    clock,
    ask: async () => attempt,
    markVerified: async address => void marked.push(address),
    ...ports,
  })
  void running.then(
    ended => {
      outcome = ended
    },
    () => undefined,
  )
  do await settle()
  while (outcome === undefined && (await clock.next()))
  const ended = await running
  const report = JSON.parse(readFileSync(ended.outputs?.report ?? '', 'utf8'))
  return { outcome: ended, printed, marked, report }
}

describe('smoke-test', () => {
  test('a pass is green, and its release is marked', async () => {
    const { outcome, printed, marked, report } = await play(answered(200, '{"version":"2"}'), {
      verifies: RELEASE,
      consecutive: '3',
    })
    expect(outcome).toMatchObject({
      result: 'passed',
      reason: '',
      green: true,
      outputs: { passed: '1', failed: '0', 'p95-ms': '12' },
    })
    expect(outcome.message).toBe(
      `${URL} answered as asked, 3 times in a row: status 200, version 2 in .version (3 requests in 0 ms). ${RELEASE} is marked verified.`,
    )
    expect(marked).toEqual([RELEASE])
    expect(printed.split('\n')[0]).toBe(
      `Asking ${URL} for status 200, version 2 in .version, 3 times in a row; 10 s at most, every 2.0 s`,
    )
    expect(report.checks[0]).toMatchObject({ result: 'passed', requests: { total: 3, right: 3 } })
  })

  test('without verifies nothing is marked', async () => {
    const { outcome, marked } = await play(answered(200, '{"version":"2"}'))
    expect(outcome.green).toBe(true)
    expect(marked).toEqual([])
  })

  test('a failure is red, names the difference and marks nothing', async () => {
    const { outcome, marked, report } = await play(answered(200, '{"version":"1"}'), { verifies: RELEASE })
    expect(outcome).toMatchObject({
      result: 'failed',
      reason: 'WrongVersion',
      green: false,
      outputs: { passed: '0', failed: '1' },
    })
    expect(outcome.message).toContain(`${URL} answered wrongly: expected version 2, came 1 (6 requests in 9.0 s).`)
    expect(marked).toEqual([])
    expect(report.checks[0]).toMatchObject({ result: 'failed', reason: 'WrongVersion', versions: { 1: 6 } })
  })

  test.each<[Record<string, string>, object, boolean]>([
    [{}, { result: 'failed', reason: 'Unreachable', green: false, outputs: { passed: '0', failed: '1', 'p95-ms': '' } }, false],
    [
      { 'on-unreachable': 'inconclusive' },
      { result: 'inconclusive', reason: 'Unreachable', green: false, outputs: { passed: '0', failed: '0' } },
      false,
    ],
    [
      { 'on-unreachable': 'inconclusive', 'on-inconclusive': 'warn' },
      { result: 'inconclusive', reason: 'Unreachable', green: true },
      true,
    ],
    [{ 'on-inconclusive': 'warn' }, { result: 'failed', green: false }, false],
  ])('never a connection, %j', async (inputs, expected, warns) => {
    const { outcome, marked } = await play(REFUSED, { ...inputs, verifies: RELEASE })
    expect(outcome).toMatchObject(expected)
    expect(outcome.warning === true).toBe(warns)
    expect(marked).toEqual([])
  })

  test('a pass that cannot be marked is red, and says both', async () => {
    const { outcome } = await play(
      answered(200, '{"version":"2"}'),
      { verifies: RELEASE },
      { markVerified: () => Promise.reject(new ExpectedFailure('NotFound', 'There is no release 7 of web.')) },
    )
    expect(outcome).toMatchObject({ result: 'passed', reason: 'NotFound', green: false })
    expect(outcome.message).toMatch(
      /answered as asked.*The test passed, but .*\/7 could not be marked verified: There is no release 7 of web\.$/,
    )
    expect(outcome.summary).toContain('could not be marked verified')
  })

  test('a bug in marking stays a bug', async () => {
    const markVerified = (): Promise<void> => Promise.reject(new TypeError('x is undefined'))
    await expect(play(answered(200, '{"version":"2"}'), { verifies: RELEASE }, { markVerified })).rejects.toThrow(TypeError)
  })

  test('a hostile body reaches neither the log as a command nor the summary as Markdown', async () => {
    const { outcome, printed } = await play(
      answered(500, '\n::error::pwned\n##[error]x | <img src=x> [a](b) `c` \u001b[31m@team'),
    )
    expect(printed).not.toMatch(/^\s*::error|##\[|\u001b/m)
    expect(outcome.summary).not.toMatch(/<img|\[a\]\(|`c`|@team/)
    const rows = (outcome.summary ?? '').split('\n').filter(line => line.startsWith('|'))
    expect(rows.map(row => row.split('|').length)).toEqual(rows.map(() => 6))
  })

  test('a secret is in no line and no file', async () => {
    const secret = 'hunter2hunter2'
    const ask = async (): Promise<Attempt> => answered(500, `you sent ${secret}`)
    const { printed, outcome } = await play(
      REFUSED,
      { header: `Authorization: Bearer ${secret}`, url: `${URL}?token=${secret}` },
      { ask },
    )
    expect(printed.replace(/^::add-mask::.*$/gm, '')).not.toContain(secret)
    expect(readFileSync(outcome.outputs?.report ?? '', 'utf8')).not.toContain(secret)
  })

  test('the summary shows what was looked at', async () => {
    const { outcome } = await play(answered(200, '{"version":"1"}'))
    expect(outcome.summary?.split('\n').slice(0, 10)).toEqual([
      '### ❌ smoke-test: failed (WrongVersion)',
      '',
      expect.stringContaining('answered wrongly: expected version 2, came 1'),
      '',
      `Asked: <code>${URL}</code> for <code>status 200, version 2 in .version</code>`,
      '',
      '| looked at | expected | came last | |',
      '|---|---|---|---|',
      '| <code>status</code> | <code>200</code> | <code>200</code> | ✓ |',
      '| <code>version</code> | <code>2</code> | <code>1</code> | ✗ |',
    ])
    expect(outcome.summary).toContain('6 requests in 9.0 s, 0 right, 6 wrong, 0 without an answer, p95 12 ms')
  })
})
