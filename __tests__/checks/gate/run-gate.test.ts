// The loop of a gate on a clock that only the test moves, with providers that answer from a list.
import { describe, expect, test } from '@jest/globals'
import type { Gate, GateQuery } from '../../../src/checks/gate/gate.ts'
import type { Asking, Provider, Reading } from '../../../src/checks/gate/provider.ts'
import { type GateRun, runGate } from '../../../src/checks/gate/run-gate.ts'
import { sleep } from '../../../src/deploy/clock.ts'
import { ManualClock, settle } from '../../deploy/manual-clock.ts'
import { gate, query } from './gates.ts'

interface Asked {
  readonly text: string
  readonly at: number
  readonly windowMs: number
}

interface Played {
  readonly run: GateRun
  readonly asked: readonly Asked[]
  readonly printed: readonly string[]
}

type Answers = (text: string, seconds: number, asking: Asking, clock: ManualClock) => Reading | Promise<Reading>

const point = (value: number, at: number): Reading => ({ kind: 'series', series: [{ labels: '{}', points: [{ at, value }] }] })
const gone: Reading = {
  kind: 'fault',
  reason: 'Unreachable',
  problem: 'could not be asked: Prometheus refused the connection',
  healable: true,
}

const START = Date.UTC(2026, 0, 1)

async function play(given: Gate, answers: Answers, before: readonly number[] = [], cancelAt?: number): Promise<Played> {
  const clock = new ManualClock(START)
  const [asked, printed]: [Asked[], string[]] = [[], []]
  const provider: Provider = {
    now: async (question, at, asking) => {
      const text = question.kind === 'expression' ? question.text : ''
      asked.push({ text, at: (at - START) / 1_000, windowMs: asking.windowMs })
      return answers(text, (at - START) / 1_000, asking, clock)
    },
    range: async (_question, from, to, stepMs) => {
      asked.push({
        text: `before ${(from - START) / 1_000} to ${(to - START) / 1_000}`,
        at: (clock.now() - START) / 1_000,
        windowMs: stepMs,
      })
      return {
        kind: 'series',
        series: before.length === 0 ? [] : [{ labels: '{}', points: before.map((value, at) => ({ at, value })) }],
      }
    },
    resolved: question => (question.kind === 'expression' ? question.text : ''),
    link: () => undefined,
  }
  const cancel = new AbortController()
  let run: GateRun | undefined
  const running = runGate({
    gate: given,
    providerOf: () => provider,
    clock,
    signal: cancel.signal,
    print: line => printed.push(line),
  })
  void running.then(ended => {
    run = ended
  })
  do {
    await settle(2)
    if (cancelAt !== undefined && clock.now() - START >= cancelAt * 1_000) cancel.abort()
  } while (run === undefined && (cancel.signal.aborted || (await clock.next())))
  return { run: await running, asked, printed }
}

const always =
  (value: number): Answers =>
  (_text, seconds) =>
    point(value, START + seconds * 1_000)
const from =
  (second: number, value: number, otherwise = 0.01): Answers =>
  (_text, seconds) =>
    point(seconds >= second ? value : otherwise, START + seconds * 1_000)
const one = (more: Partial<GateQuery> = {}, inGate: Partial<Gate> = {}): Gate => gate({ queries: [query(more)], ...inGate })

describe('the loop', () => {
  test('asks every interval until the duration is over, and passes', async () => {
    const { run, asked, printed } = await play(one(), always(0.01))
    expect(run).toMatchObject({ verdict: { result: 'passed', score: 1 }, elapsedMs: 90_000 })
    expect(asked.map(({ at }) => at)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
    expect(printed).toEqual(
      [
        'Watching 1 query for 1 m 30 s: 10 values each',
        'errors must stay < 5 %: errors',
        '+0.0 s     errors: 1 % (< 5 %)',
        '+60 s      still watching, for 30 s more; errors: 1 % (< 5 %)',
      ].map(line => line.replace('+60 s ', '+1 m  ')),
    )
  })

  test('the first value is after the delay', async () => {
    const { asked, run } = await play(one({ delayMs: 60_000 }), always(0.01))
    expect(asked.map(({ at }) => at)).toEqual([60, 70, 80, 90])
    expect(run.verdict.result).toBe('passed')
  })

  test('a failure ends it at once, and every bad value is printed', async () => {
    const { run, printed } = await play(one(), from(30, 0.08))
    expect(run).toMatchObject({ verdict: { result: 'failed', reason: 'ThresholdExceeded' }, elapsedMs: 50_000 })
    expect(printed.slice(3)).toEqual([
      '+30 s      errors: 8 % is not < 5 % (1 of 3 in a row)',
      '+40 s      errors: 8 % is not < 5 % (2 of 3 in a row)',
      '+50 s      errors: 8 % is not < 5 % (3 of 3 in a row)',
    ])
  })

  test('a bad value at the very end is looked at again, not waved through', async () => {
    const { run } = await play(one(), from(90, 0.08))
    expect(run).toMatchObject({ verdict: { result: 'failed' }, elapsedMs: 110_000 })
    const mended = await play(one(), (text, seconds, asking, clock) =>
      (seconds === 90 ? always(0.08) : always(0.01))(text, seconds, asking, clock),
    )
    expect(mended.run).toMatchObject({ verdict: { result: 'passed' }, elapsedMs: 100_000 })
  })

  test('a provider that is away ends it after its own limit, and says why', async () => {
    const { run, printed } = await play(one(), () => gone)
    expect(run).toMatchObject({ verdict: { result: 'inconclusive', reason: 'Unreachable' }, elapsedMs: 30_000 })
    expect(run.verdict.because).toBe('errors could not be asked: Prometheus refused the connection, for 30 s now')
    expect(printed[2]).toBe('+0.0 s     errors: could not be asked: Prometheus refused the connection; asking on for 30 s')
  })

  test('one that comes back does not', async () => {
    const { run } = await play(one(), (text, seconds, asking, clock) =>
      seconds > 20 && seconds < 50 ? gone : always(0.01)(text, seconds, asking, clock),
    )
    expect(run.verdict.result).toBe('passed')
  })

  test('one query away does not hide that another is bad', async () => {
    const both = gate({ queries: [query({ name: 'away', question: { kind: 'expression', text: 'away' } }), query()] })
    const { run } = await play(both, (text, seconds, asking, clock) =>
      text === 'away' ? gone : from(60, 0.08)(text, seconds, asking, clock),
    )
    expect(run).toMatchObject({ verdict: { result: 'failed', reason: 'ThresholdExceeded' }, elapsedMs: 80_000 })
  })

  test('slow answers use up turns, and never add any', async () => {
    const { asked, run } = await play(one({ minimumSamples: 4 }), async (_text, seconds, _asking, clock) => {
      await sleep(clock, 25_000)
      return point(0.01, START + seconds * 1_000)
    })
    expect([asked.map(({ at }) => at), run.verdict.result]).toEqual([[0, 30, 60, 90], 'passed'])
  })

  test('the same data point again is not a second one', async () => {
    const { run } = await play(one(), (_text, seconds) => point(0.08, START + (seconds < 60 ? 0 : 60_000)))
    expect(run.verdict).toMatchObject({ result: 'inconclusive', reason: 'TooFewSamples' })
    expect(run.queries[0]?.measurements.filter(({ kind }) => kind === 'value').length).toBe(2)
  })

  test.each<[string, Answers, string]>([
    ['empty', () => ({ kind: 'series', series: [] }), 'NoData'],
    ['NaN', always(Number.NaN), 'NaN'],
    ['stale', () => point(0.01, START - 301_000), 'StaleData'],
    [
      'two series',
      () => ({ kind: 'series', series: ['a', 'b'].map(labels => ({ labels, points: [{ at: START, value: 1 }] })) }),
      'SeveralSeries',
    ],
    ['infinite on the good side', (_text, seconds) => point(Number.NEGATIVE_INFINITY, START + seconds * 1_000), 'NaN'],
  ])('%s is never a pass', async (_, answers, reason) => {
    const { run } = await play(one(), answers)
    expect(run.verdict).toMatchObject({ result: 'inconclusive', reason })
  })

  test('infinite on the bad side is bad', async () => {
    expect((await play(one(), always(Number.POSITIVE_INFINITY))).run.verdict.result).toBe('failed')
  })

  test.each<['max' | 'min' | 'sum' | 'avg', string]>([
    ['max', 'failed'],
    ['min', 'passed'],
    ['avg', 'passed'],
    ['sum', 'failed'],
  ])('several series by %s: %s', async (aggregate, result) => {
    const answers: Answers = (_text, seconds) => ({
      kind: 'series',
      series: [0.01, 0.06].map(value => ({ labels: '', points: [{ at: START + seconds * 1_000, value }] })),
    })
    expect((await play(one({ aggregate }), answers)).run.verdict.result).toBe(result)
  })

  test('too few events behind a value make it none', async () => {
    const events = { question: { kind: 'expression', text: 'count' }, minimum: 100 } as const
    const few = await play(one({ events }), (text, seconds) => point(text === 'count' ? 20 : 0.5, START + seconds * 1_000))
    expect(few.run.verdict).toMatchObject({ result: 'inconclusive', reason: 'TooFewEvents' })
    const many = await play(one({ events }), (text, seconds) => point(text === 'count' ? 200 : 0.5, START + seconds * 1_000))
    expect(many.run.verdict.result).toBe('failed')
  })

  test('a cancel ends it at once', async () => {
    const { run } = await play(one(), always(0.01), [], 40)
    expect(run).toMatchObject({ verdict: { result: 'cancelled', reason: 'Cancelled' }, elapsedMs: 40_000 })
  })
})

describe('baselines', () => {
  const ratio = (more: object = {}): Gate =>
    one({
      rule: {
        kind: 'ratio',
        ratio: { comparison: '<', value: 2, unit: 'number' },
        ignore: undefined,
        baseline: { kind: 'before', spanMs: 60_000 },
        ...more,
      },
    })

  test.each<[string, number, number[], string]>([
    ['the same', 0.02, [0.02, 0.02], 'passed '],
    ['thrice', 0.06, [0.01, 0.03], 'failed WorseThanBaseline'],
    ['nothing before', 0.06, [], 'inconclusive NoBaseline'],
    // 0 times anything is 0: the first error ever is worse, not "no difference can be told".
    ['the first errors ever', 0.001, [0, 0, 0], 'failed WorseThanBaseline'],
    ['still none', 0, [0, 0, 0], 'passed '],
  ])('before the deploy, %s: %d after %j: %s', async (_, now, before, verdict) => {
    const { run, asked } = await play(ratio(), always(now), before)
    expect(`${run.verdict.result} ${run.verdict.reason}`).toBe(verdict)
    expect(asked.filter(({ text }) => text.startsWith('before'))).toEqual([{ text: 'before -60 to 0', at: 0, windowMs: 10_000 }])
  })

  test('what is within `ignore` is good whatever was before', async () => {
    const ignore = { comparison: '<=', value: 0.005, unit: 'ratio' } as const
    expect((await play(ratio({ ignore }), always(0.004), [0, 0])).run.verdict.result).toBe('passed')
    expect((await play(ratio({ ignore }), always(0.006), [0, 0])).run.verdict.result).toBe('failed')
  })

  test('before the deploy began, not the gate', async () => {
    const { asked } = await play({ ...ratio(), deployedAt: START - 120_000 }, always(0.02), [0.02])
    expect(asked[1]?.text).toBe('before -180 to -120')
  })

  test('the stable version, asked at the same moments', async () => {
    const stable = ratio({ baseline: { kind: 'stable', question: { kind: 'expression', text: 'stable' } } })
    const answers =
      (value: number): Answers =>
      (text, seconds) =>
        point(text === 'stable' ? 0.02 + seconds / 1_000 : value, START + seconds * 1_000)
    expect((await play(stable, answers(0.03))).run.verdict.result).toBe('passed')
    const worse = await play(stable, answers(0.3))
    expect(worse.run.verdict.reason).toBe('WorseThanBaseline')
    expect(worse.printed[2]).toBe('+0.0 s     errors: 30 % is not < 4 %, the stable version 2 % (1 of 3 in a row)')
  })

  test('a stable version without data is no baseline', async () => {
    const stable = ratio({ baseline: { kind: 'stable', question: { kind: 'expression', text: 'stable' } } })
    const { run } = await play(stable, (text, seconds) =>
      text === 'stable' ? { kind: 'series', series: [] } : point(0.3, START + seconds * 1_000),
    )
    expect(run.verdict).toMatchObject({ result: 'inconclusive', reason: 'NoBaseline' })
  })
})

describe('burn rates', () => {
  const burning = one(
    { unit: 'number', rule: { kind: 'burn-rate', objective: 0.99, limit: 10 } },
    { durationMs: 600_000, windowMs: 30_000 },
  )

  test('are asked over a twelfth of the bake time, and over all of it that has passed', async () => {
    const { asked, run } = await play(burning, always(0.01))
    expect(run.verdict.result).toBe('passed')
    const windows = (at: number): number[] => asked.filter(each => each.at === at).map(({ windowMs }) => windowMs)
    expect([windows(0), windows(120), windows(600)]).toEqual([
      [50_000, 50_000],
      [50_000, 120_000],
      [50_000, 600_000],
    ])
  })

  test.each<[string, (windowMs: number) => number, string]>([
    ['both windows burn', () => 0.2, 'failed BurnRate'],
    ['only the short one: a spike', windowMs => (windowMs > 50_000 ? 0.05 : 0.2), 'passed '],
    ['only the long one: it is over', windowMs => (windowMs > 50_000 ? 0.2 : 0.05), 'passed '],
  ])('%s', async (_, share, verdict) => {
    const { run } = await play(
      { ...burning, queries: burning.queries.map(each => ({ ...each, delayMs: 60_000 })) },
      (_text, seconds, { windowMs }) => point(share(windowMs), START + seconds * 1_000),
    )
    expect(`${run.verdict.result} ${run.verdict.reason}`).toBe(verdict)
  })
})
