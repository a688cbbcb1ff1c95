import { describe, expect, test } from '@jest/globals'
import { type CheckOptions, type CheckRun, runCheck, waitForNext } from '../../src/checks/run-check.ts'
import type { Attempt } from '../../src/checks/verdict.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'

const answer = (status: number, came: string, ms = 10): Attempt => ({
  kind: 'answer',
  answer: { label: String(status), ms },
  findings: [{ kind: 'version', what: 'version', expected: '2', came, holds: came === '2' }],
})
const RIGHT = answer(200, '2')
const OLD = answer(200, '1')
const REFUSED: Attempt = {
  kind: 'no-answer',
  fault: { stage: 'connecting', code: 'ECONNREFUSED', problem: 'refused the connection', ms: 1 },
}
const HANGS: Attempt = { kind: 'no-answer', fault: { stage: 'answering', code: 'TIMEOUT', problem: 'gave no answer', ms: 1 } }

interface Scene {
  readonly run: CheckRun
  readonly lines: readonly string[]
  /** When each question went out, in ms, and the time it was given. */
  readonly asked: readonly { at: number; limit: number }[]
}

/** Runs a check on a clock that jumps. `script` says what comes for the n-th question at a time; a hanging one takes all its time, any other none. */
async function play(
  script: (n: number, at: number) => Attempt,
  options: Partial<CheckOptions & { consecutive: number }> = {},
): Promise<Scene> {
  const clock = new ManualClock(0)
  const lines: string[] = []
  const asked: { at: number; limit: number }[] = []
  let run: CheckRun | undefined
  const running = runCheck({
    ask: async limit => {
      asked.push({ at: clock.now(), limit })
      const attempt = script(asked.length, clock.now())
      if (attempt === HANGS) await new Promise<void>(done => clock.after(limit, done))
      return attempt
    },
    policy: { consecutive: options.consecutive ?? 1, onUnreachable: 'failed' },
    timeoutMs: 120_000,
    intervalMs: 2_000,
    clock,
    signal: new AbortController().signal,
    print: line => void lines.push(line),
    ...options,
  })
  void running.then(ended => {
    run = ended
  })
  do await settle()
  while (run === undefined && (await clock.next()))
  return { run: await running, lines, asked }
}

describe('the loop of a check', () => {
  test('a right answer passes at once', async () => {
    const { run, lines, asked } = await play(() => RIGHT)
    expect(run).toMatchObject({ verdict: { result: 'passed' }, elapsedMs: 0, p95Ms: 10 })
    expect(lines).toEqual(['+0.0 s    200 in 10 ms: as expected'])
    expect(asked).toEqual([{ at: 0, limit: 10_000 }])
  })

  test('five right answers in a row take no wait between them', async () => {
    const { run, lines, asked } = await play(() => RIGHT, { consecutive: 5 })
    expect(run.verdict.result).toBe('passed')
    expect(asked.map(({ at }) => at)).toEqual([0, 0, 0, 0, 0])
    expect(lines).toEqual(['+0.0 s    200 in 10 ms: as expected (1 of 5 in a row)', '+0.0 s    right 5 times in a row'])
  })

  test('an app that starts is asked each interval, and only changes are told', async () => {
    const { run, lines } = await play((_n, at) => (at < 8_000 ? REFUSED : at < 14_000 ? answer(503, '1') : RIGHT))
    expect(run).toMatchObject({ verdict: { result: 'passed' }, elapsedMs: 14_000, tally: { unconnected: 4, wrong: 3, right: 1 } })
    expect(lines).toEqual([
      '+0.0 s    no answer: refused the connection (ECONNREFUSED)',
      '+8.0 s    503 in 10 ms: expected version 2, came 1',
      '+14 s     200 in 10 ms: as expected',
    ])
    expect(run.stretches.map(({ at, times }) => [at, times])).toEqual([
      [0, 4],
      [8_000, 3],
      [14_000, 1],
    ])
  })

  test('a wrong answer that never changes is asked until the time is over, with a last question kept', async () => {
    const { run, asked, lines } = await play(() => OLD, { timeoutMs: 10_000 })
    expect(run.verdict).toMatchObject({ result: 'failed', reason: 'WrongVersion' })
    expect(asked.map(({ at }) => at)).toEqual([0, 2_000, 4_000, 6_000, 8_000, 9_000])
    expect(asked.at(-1)?.limit).toBe(1_000)
    expect(lines).toEqual(['+0.0 s    200 in 10 ms: expected version 2, came 1'])
  })

  test('a hanging server gets 10 s a question, and no more than what is left', async () => {
    const { run, asked } = await play(() => HANGS, { timeoutMs: 25_000 })
    expect(asked.map(({ limit }) => limit)).toEqual([10_000, 10_000, 1_000])
    expect(run).toMatchObject({ verdict: { result: 'failed', reason: 'NoAnswer' }, elapsedMs: 25_000, p95Ms: undefined })
  })

  test('a last question that was cut short does not hide the wrong answers before it', async () => {
    const { run } = await play(n => (n < 6 ? OLD : HANGS), { timeoutMs: 10_000 })
    expect(run).toMatchObject({ verdict: { reason: 'WrongVersion' }, elapsedMs: 10_000 })
  })

  test.each([
    ['A A B for ever', (n: number) => (n % 3 === 0 ? OLD : RIGHT), 3, 'failed'],
    ['A A B for ever, two are enough', (n: number) => (n % 3 === 0 ? OLD : RIGHT), 2, 'passed'],
    ['B, then A', (n: number) => (n < 4 ? OLD : RIGHT), 100, 'passed'],
  ])('version proof: %s', async (_name, script, consecutive, result) => {
    const { run } = await play(script, { consecutive })
    expect(run.verdict.result).toBe(result)
  })

  test('answers that come and go are not told each time', async () => {
    const { lines, asked } = await play(n => (n % 3 === 0 ? OLD : RIGHT), { consecutive: 3 })
    expect(asked.length).toBeGreaterThan(150)
    expect(lines.length).toBeLessThan(25)
  })

  test('there is a sign of life each 30 s', async () => {
    const { lines } = await play(() => REFUSED)
    expect(lines).toEqual([
      '+0.0 s    no answer: refused the connection (ECONNREFUSED)',
      '+30 s     still asking, for 1 m 30 s at most; 16 times so far, 0 of them right',
      '+1 m      still asking, for 1 m at most; 31 times so far, 0 of them right',
      '+1 m 30 s still asking, for 30 s at most; 46 times so far, 0 of them right',
    ])
  })

  test('a sign of life comes within a long interval too', async () => {
    const { lines } = await play(() => REFUSED, { intervalMs: 100_000 })
    expect(lines.length).toBe(4)
  })

  test('a certificate that is wrong ends it at once', async () => {
    const { run } = await play(() => ({
      kind: 'no-answer',
      fault: { stage: 'unhealable', code: 'CERT_HAS_EXPIRED', problem: 'has expired', ms: 1 },
    }))
    expect(run).toMatchObject({ verdict: { result: 'failed', reason: 'Certificate' }, elapsedMs: 0 })
  })

  test('a cancel ends the wait', async () => {
    const controller = new AbortController()
    const { run, asked } = await play(
      (n, at) => {
        if (n === 2) queueMicrotask(() => controller.abort())
        return at === 0 ? OLD : REFUSED
      },
      { signal: controller.signal },
    )
    expect(run.verdict.result).toBe('cancelled')
    expect(asked.length).toBe(2)
  })

  test('a check cancelled before it began asks for nothing that counts', async () => {
    const { run } = await play(() => HANGS, { signal: AbortSignal.abort() })
    expect(run).toMatchObject({ verdict: { result: 'cancelled' }, tally: { asked: 0 } })
  })
})

describe('the wait for the next question', () => {
  test.each([
    [2_000, 120_000, 60_000, 2_000],
    [2_000, 120_000, 2_500, 1_500],
    [2_000, 120_000, 1_000, undefined],
    [2_000, 120_000, -5, undefined],
    [100, 120_000, 150, 50],
    [2_000, 1_000, 1_000, 750],
    [2_000, 1_000, 250, undefined],
  ])('interval %i ms, %i ms in all, %i ms left: %j', (interval, timeout, left, wait) => {
    expect(waitForNext(interval, timeout, left)).toBe(wait)
  })
})
