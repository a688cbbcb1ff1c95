// Every row of the verdict tables of a gate.
import { describe, expect, test } from '@jest/globals'
import type { Gate, GateQuery, Rule } from '../../../src/checks/gate/gate.ts'
import { judgeGate, judgeQuery, type QueryVerdict } from '../../../src/checks/gate/verdict.ts'
import { gate, history, query, valuesOf } from './gates.ts'

type Row = [signs: string, moment: 'time-left' | 'time-over', verdict: string, of?: Partial<GateQuery>, inGate?: Partial<Gate>]

const told = (verdict: QueryVerdict | undefined): string =>
  verdict === undefined ? 'ask on' : `${verdict.result} ${verdict.reason}`.trim()

describe('one query', () => {
  test.each<Row>([
    // While time is left.
    ['', 'time-left', 'ask on'],
    ['gggg', 'time-left', 'ask on'],
    ['x', 'time-left', 'inconclusive InvalidQuery'],
    ['ggggx', 'time-left', 'inconclusive InvalidQuery'],
    ['b', 'time-left', 'ask on'],
    ['bb', 'time-left', 'ask on'],
    ['bbb', 'time-left', 'failed ThresholdExceeded'],
    ['ggbbb', 'time-left', 'failed ThresholdExceeded'],
    ['b', 'time-left', 'failed ThresholdExceeded', { consecutive: 1 }],
    ['bgbgbgb', 'time-left', 'ask on'],
    ['bgbgbgbgb', 'time-left', 'failed ThresholdExceeded'],
    ['b', 'time-left', 'failed ThresholdExceeded', { failureLimit: 0 }],
    // What says nothing neither breaks a row of bad values nor adds to it.
    ['bnb', 'time-left', 'ask on'],
    ['bnbnb', 'time-left', 'failed ThresholdExceeded'],
    ['bfbfb', 'time-left', 'failed ThresholdExceeded'],
    ['b=====', 'time-left', 'ask on'],
    ['b==b==b', 'time-left', 'failed ThresholdExceeded'],
    ['nnnnnnn', 'time-left', 'ask on'],
    ['fff', 'time-left', 'ask on'],
    ['ffff', 'time-left', 'inconclusive Unreachable'],
    ['gggffff', 'time-left', 'inconclusive Unreachable'],
    ['ffnff', 'time-left', 'ask on'],
    ['ff', 'time-left', 'ask on', {}, { providerTimeoutMs: 60_000 }],
    ['f', 'time-left', 'inconclusive Unreachable', {}, { providerTimeoutMs: 0 }],
    // At the end.
    ['gggggggggg', 'time-over', 'passed'],
    ['ggggg', 'time-over', 'passed'],
    ['gbbggbbggg', 'time-over', 'passed'],
    ['gggg', 'time-over', 'inconclusive TooFewSamples'],
    ['gggggggggg', 'time-over', 'inconclusive TooFewSamples', { minimumSamples: 11 }],
    ['ggg', 'time-over', 'passed', { minimumSamples: 3 }],
    ['nnnnnnnnnn', 'time-over', 'inconclusive NaN'],
    ['nnnnnnnnnn', 'time-over', 'failed NaN', {}, { onNoData: 'fail' }],
    ['nnnnnnnnnn', 'time-over', 'passed', {}, { onNoData: 'pass' }],
    ['gnnnnnnnnn', 'time-over', 'inconclusive TooFewSamples', {}, { onNoData: 'pass' }],
    ['nfnfnfnfnf', 'time-over', 'inconclusive Unreachable', {}, { onNoData: 'pass' }],
    ['gggggggggb', 'time-over', 'ask on'],
    ['gggggggggn', 'time-over', 'ask on'],
    ['gggggggggf', 'time-over', 'ask on'],
    ['gggggggggbg', 'time-over', 'passed'],
    ['gggggggggbbb', 'time-over', 'failed ThresholdExceeded'],
    ['gggggggggbgbgb', 'time-over', 'inconclusive Unsettled'],
    ['gggggggggnnnn', 'time-over', 'inconclusive NaN'],
    ['gggggggggnnnn', 'time-over', 'failed NaN', {}, { onNoData: 'fail' }],
    ['gggggggggbnnf', 'time-over', 'inconclusive Unreachable'],
    ['', 'time-over', 'inconclusive TooFewSamples'],
  ])('%j, %s: %s', (signs, moment, verdict, of = {}, inGate = {}) => {
    const one = query(of)
    expect(told(judgeQuery(history(signs, one), gate({ queries: [one], ...inGate }), moment))).toBe(verdict)
  })

  test('every bad value is told with what it should have been', () => {
    expect(judgeQuery(history('gbbb'), gate(), 'time-left')?.because).toBe('8 % is not < 5 %, 3 times in a row')
    expect(judgeQuery(history('bgbgbgbgb'), gate(), 'time-left')?.because).toBe('8 % is not < 5 %, 5 times of 9')
  })
})

describe('one query, by rank', () => {
  const rank = (more: Partial<Extract<Rule, { kind: 'rank' }>> = {}): GateQuery =>
    query({
      rule: {
        kind: 'rank',
        worse: 'higher',
        confidence: 0.99,
        effect: 1.5,
        ignore: undefined,
        baseline: { kind: 'before', spanMs: 90_000 },
        ...more,
      },
    })
  const before = [10, 11, 9, 10, 12, 8, 10, 11, 9, 10]
  const same = [11, 9, 10, 10, 8, 12, 10, 9, 11, 10]
  const thrice = [30, 31, 29, 30, 32, 28, 30, 31, 29, 30]

  test.each<
    [string, number[], number[] | undefined, 'time-left' | 'time-over', string, Partial<Extract<Rule, { kind: 'rank' }>>?]
  >([
    ['the same', same, before, 'time-over', 'passed'],
    ['three times', thrice, before, 'time-over', 'failed WorseThanBaseline'],
    ['three times, and that is good', thrice, before, 'time-over', 'passed', { worse: 'lower' }],
    ['a third, and that is bad', before, thrice, 'time-over', 'failed WorseThanBaseline', { worse: 'lower' }],
    ['certain, but small', before.map(value => value + 4), before, 'time-over', 'passed'],
    [
      'certain and small, and no more is wanted',
      before.map(value => value + 4),
      before,
      'time-over',
      'failed WorseThanBaseline',
      { effect: 1 },
    ],
    [
      'within what is ignored',
      thrice,
      before,
      'time-over',
      'passed',
      { ignore: { comparison: '<=', value: 40, unit: 'number' } },
    ],
    ['no baseline', thrice, [], 'time-over', 'inconclusive NoBaseline'],
    ['a baseline too short to prove anything', [...thrice], [10], 'time-over', 'inconclusive TooFewSamples'],
    [
      'from errors where there were none',
      [1, 2, 1, 1, 3, 1, 2, 1, 1, 2],
      new Array(10).fill(0),
      'time-over',
      'failed WorseThanBaseline',
    ],
    ['no errors as before', new Array(10).fill(0), new Array(10).fill(0), 'time-over', 'passed'],
    ['too early to say', thrice.slice(0, 4), before, 'time-left', 'ask on'],
    ['so bad that the rest cannot mend it', thrice.slice(0, 9), before, 'time-left', 'failed WorseThanBaseline'],
  ])('%s: %j against %j, %s: %s', (_, now, known, moment, verdict, more = {}) => {
    const of = rank(more)
    expect(told(judgeQuery(valuesOf(of, now, known), gate({ queries: [of] }), moment))).toBe(verdict)
  })

  test('early is never other than what the end would say, whatever comes', () => {
    const of = rank()
    for (const taken of [5, 6, 7, 8, 9]) {
      const early = judgeQuery(valuesOf(of, thrice.slice(0, taken), before), gate({ queries: [of] }), 'time-left')
      if (early === undefined) continue
      const best = [...thrice.slice(0, taken), ...new Array<number>(10 - taken).fill(0)]
      expect(told(judgeQuery(valuesOf(of, best, before), gate({ queries: [of] }), 'time-over'))).toBe(told(early))
    }
  })
})

describe('the gate', () => {
  const verdictOf = (sign: string): QueryVerdict | undefined =>
    ({
      p: { result: 'passed', reason: '', because: 'is good' } as const,
      f: { result: 'failed', reason: 'ThresholdExceeded', because: 'is bad' } as const,
      i: { result: 'inconclusive', reason: 'NoData', because: 'gave no data' } as const,
    })[sign]

  /** One sign a query (p passed, f failed, i inconclusive, - undecided); capitals are critical, the others have their place as weight: 1, 2, 3. */
  test.each<[signs: string, minimumScore: number, verdict: string]>([
    ['PP', 1, 'passed'],
    ['P-', 1, 'ask on'],
    ['F-', 1, 'failed ThresholdExceeded'],
    ['PF', 0, 'failed ThresholdExceeded'],
    ['I-', 1, 'ask on'],
    ['IF', 1, 'failed ThresholdExceeded'],
    ['IP', 1, 'inconclusive NoData'],
    ['IP', 0, 'inconclusive NoData'],
    ['pp', 1, 'passed'],
    ['pf', 1, 'failed ThresholdExceeded'],
    ['fp', 0.6, 'passed'],
    ['pf', 0.6, 'failed ThresholdExceeded'],
    ['f-', 0.6, 'ask on'],
    ['-f', 0.6, 'failed ThresholdExceeded'],
    ['ip', 0.6, 'passed'],
    ['pi', 0.6, 'inconclusive NoData'],
    ['fip', 0.5, 'passed'],
    ['fpi', 0.5, 'inconclusive NoData'],
    ['Pf', 0.3, 'passed'],
    ['pF', 0.3, 'failed ThresholdExceeded'],
  ])('%s, %d of the weight must pass: %s', (signs, minimumScore, verdict) => {
    const queries = [...signs].map((sign, index) =>
      query({ name: `q${index}`, weight: index + 1, critical: sign !== sign.toLowerCase() }),
    )
    const verdicts = [...signs].map(sign => verdictOf(sign.toLowerCase()))
    const came = judgeGate(
      queries.map(of => history('', of)),
      verdicts,
      gate({ queries, minimumScore }),
      false,
    )
    expect(came === undefined ? 'ask on' : `${came.result} ${came.reason}`.trim()).toBe(verdict)
  })

  test.each([
    ['ggg', 3, {}, 'passed'],
    ['gg', 3, {}, 'ask on'],
    ['gggbgg', 3, {}, 'ask on'],
    ['gggngg', 3, {}, 'ask on'],
    ['bggg', 3, {}, 'passed'],
    ['ggg', 3, { minimumSamples: 4 }, 'ask on'],
    ['gggg', undefined, {}, 'ask on'],
  ])('%j with early-pass %s, %j: %s', (signs, earlyPass, of, verdict) => {
    const one = query(of)
    const own = gate({ queries: [one], earlyPass })
    const past = history(signs, one)
    expect(judgeGate([past], [judgeQuery(past, own, 'time-left')], own, false)?.result ?? 'ask on').toBe(verdict)
  })

  test('by rank an early pass waits until nothing that comes could fail it', () => {
    const rule: Rule = {
      kind: 'rank',
      worse: 'higher',
      confidence: 0.99,
      effect: 1.5,
      ignore: undefined,
      baseline: { kind: 'before', spanMs: 90_000 },
    }
    const one = query({ rule })
    const own = gate({ queries: [one], earlyPass: 2 })
    const early = (count: number): string | undefined =>
      judgeGate([valuesOf(one, new Array(count).fill(1), new Array(10).fill(5))], [undefined], own, false)?.result
    expect([early(2), early(9)]).toEqual([undefined, 'passed'])
  })

  test('a cancel ends it, unless it has failed', () => {
    const [one, own] = [query(), gate()]
    expect(judgeGate([history('g', one)], [undefined], own, true)).toMatchObject({ result: 'cancelled', reason: 'Cancelled' })
    expect(judgeGate([history('bbb', one)], [verdictOf('f')], own, true)?.result).toBe('failed')
  })
})
