// Many requests as one try, against answers from a list.
import { describe, expect, test } from '@jest/globals'
import type { NoAnswer } from '../../../src/checks/answer.ts'
import { repeated } from '../../../src/checks/kinds/repeat.ts'
import type { Attempt } from '../../../src/checks/verdict.ts'

const right = (ms: number): Attempt => ({ kind: 'answer', answer: { ms, label: '200' }, findings: [] })
const none = (stage: NoAnswer['stage'], ms: number): Attempt => ({
  kind: 'no-answer',
  fault: { stage, code: 'TIMEOUT', problem: 'gave no answer in time', ms },
})

/** What does not hold, or how it could not be asked. */
async function told(attempts: readonly Attempt[]): Promise<string> {
  const given = [...attempts]
  const ask = repeated(async () => given.shift() ?? right(1), {
    requests: attempts.length,
    'error-rate-below': 0.1,
    'p95-below': 500,
  })
  const attempt = await ask(60_000, new AbortController().signal)
  if (attempt.kind === 'no-answer') return attempt.fault.stage
  return attempt.findings
    .filter(({ holds }) => !holds)
    .map(({ what, came }) => `${what} ${came}`)
    .join('; ')
}
const answers = (count: number, ms = 5): Attempt[] => Array.from({ length: count }, () => right(ms))

describe('the 95th percentile', () => {
  test.each<[string, Attempt[], string]>([
    ['all is fast', answers(100), ''],
    ['5 of 100 are slow', [...answers(95), ...answers(5, 900)], ''],
    ['6 of 100 are slow', [...answers(94), ...answers(6, 900)], 'p95 900 ms'],
    [
      '8 of 100 hang until they are given up',
      [...Array.from({ length: 8 }, () => none('answering', 10_000)), ...answers(92)],
      'p95 10000 ms',
    ],
    [
      '8 of 100 find no connection for as long',
      [...Array.from({ length: 8 }, () => none('connecting', 10_000)), ...answers(92)],
      'p95 10000 ms',
    ],
    ['2 of 100 hang', [none('answering', 10_000), none('answering', 10_000), ...answers(98)], ''],
    ['it cannot be asked from here at all', [none('impossible', 0)], 'impossible'],
    ['nothing ever answers', Array.from({ length: 3 }, () => none('answering', 10_000)), 'answering'],
  ])('%s', async (_, attempts, expected) => {
    expect(await told(attempts)).toBe(expected)
  })
})
