import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { FindingKind } from '../../src/checks/expectation.ts'
import { type Attempt, count, judgeCheck, type Moment, NOTHING_SEEN, type Policy, type Tally } from '../../src/checks/verdict.ts'

/** One attempt from a letter: R right, W wrong status, J wrong JSON, B wrong body, V wrong version, L wrong redirect, U unconnected, N unanswered, X unhealable, C cut short, P not done yet, F wrong for good, I cannot be asked from here. */
function attempt(letter: string): Attempt {
  const fault = { code: 'CODE', problem: 'had a problem', ms: 1 }
  if (letter === 'U') return { kind: 'no-answer', fault: { ...fault, stage: 'connecting' } }
  if (letter === 'N') return { kind: 'no-answer', fault: { ...fault, stage: 'answering' } }
  if (letter === 'C') return { kind: 'no-answer', fault: { ...fault, stage: 'answering', cutShort: true } }
  if (letter === 'X') return { kind: 'no-answer', fault: { ...fault, stage: 'unhealable', code: 'CERT_HAS_EXPIRED' } }
  if (letter === 'T') return { kind: 'no-answer', fault: { ...fault, stage: 'unhealable', code: 'NOT_TLS' } }
  if (letter === 'I') return { kind: 'no-answer', fault: { ...fault, stage: 'impossible', code: 'Forbidden' } }
  const kinds: Record<string, FindingKind> = {
    R: 'version',
    V: 'version',
    W: 'status',
    J: 'json',
    B: 'body',
    L: 'redirect',
    P: 'state',
    F: 'state',
  }
  const kind = kinds[letter] ?? 'status'
  const holds = letter === 'R'
  const finding = { kind, what: kind, expected: '2', came: holds ? '2' : '1', holds }
  const more = letter === 'P' ? { pending: true } : letter === 'F' ? { final: true } : {}
  return { kind: 'answer', answer: { label: '200', ms: 1 }, findings: [finding], ...more }
}

function tallyOf(letters: string): Tally {
  return [...letters].map(attempt).reduce(count, NOTHING_SEEN)
}

function judge(letters: string, moment: Moment, policy: Partial<Policy> = {}): string {
  const verdict = judgeCheck(tallyOf(letters), { consecutive: 1, onUnreachable: 'failed', ...policy }, moment)
  return verdict === undefined ? 'ask again' : `${verdict.result} ${verdict.reason}`.trim()
}

describe('the verdict table', () => {
  test.each<[row: string, letters: string, moment: Moment, verdict: string, policy?: Partial<Policy>]>([
    ['nothing seen yet', '', 'time-left', 'ask again'],
    ['right at once', 'R', 'time-left', 'passed'],
    ['right after all else', 'UNWVR', 'time-left', 'passed'],
    ['right as the time ends', 'R', 'time-over', 'passed'],
    ['right as the user cancels', 'R', 'cancelled', 'passed'],
    ['cancelled before anything', '', 'cancelled', 'cancelled Cancelled'],
    ['cancelled after a wrong answer', 'W', 'cancelled', 'cancelled Cancelled'],
    ['a certificate is wrong: at once', 'X', 'time-left', 'failed Certificate'],
    [
      'a certificate is wrong, whatever on-unreachable',
      'X',
      'time-left',
      'failed Certificate',
      { onUnreachable: 'inconclusive' },
    ],
    ['no TLS: at once', 'UT', 'time-left', 'failed NotTls'],
    ['it cannot be asked from here: at once', 'I', 'time-left', 'inconclusive Forbidden'],
    ['it can no longer be asked from here', 'WI', 'time-left', 'inconclusive Forbidden'],
    ['wrong for good: at once', 'PF', 'time-left', 'failed NotDone'],
    [
      'one more wrong answer than are borne: at once',
      'WRW',
      'time-left',
      'failed WrongStatus',
      { failureLimit: 1, consecutive: 3 },
    ],
    ['as many wrong answers as are borne', 'WRR', 'time-left', 'ask again', { failureLimit: 1, consecutive: 3 }],
    ['no wrong answer is borne', 'N', 'time-left', 'failed NoAnswer', { failureLimit: 0 }],
    ['no connection is no wrong answer', 'UUU', 'time-left', 'ask again', { failureLimit: 0 }],
    ['not done yet is no wrong answer', 'PPP', 'time-left', 'ask again', { failureLimit: 0 }],
    ['not done yet, and then it is', 'PPR', 'time-left', 'passed'],
    ['not done when the time is over', 'WPP', 'time-over', 'failed NotDone'],
    ['a wrong answer is asked again', 'W', 'time-left', 'ask again'],
    ['no connection is asked again', 'U', 'time-left', 'ask again'],
    ['no answer is asked again', 'N', 'time-left', 'ask again'],
    ['never a connection', 'UUU', 'time-over', 'failed Unreachable'],
    ['never a connection, on-unreachable', 'UUU', 'time-over', 'inconclusive Unreachable', { onUnreachable: 'inconclusive' }],
    ['no connection after an answer', 'WU', 'time-over', 'failed Unreachable', { onUnreachable: 'inconclusive' }],
    ['no connection after one without an answer', 'NU', 'time-over', 'failed Unreachable', { onUnreachable: 'inconclusive' }],
    ['wrong status to the end', 'UWW', 'time-over', 'failed WrongStatus'],
    ['wrong body', 'B', 'time-over', 'failed WrongBody'],
    ['wrong JSON', 'J', 'time-over', 'failed WrongJson'],
    ['wrong version', 'V', 'time-over', 'failed WrongVersion'],
    ['wrong redirect', 'L', 'time-over', 'failed WrongRedirect'],
    ['wrong in two ways: the last counts', 'WV', 'time-over', 'failed WrongVersion'],
    ['connected, never an answer', 'NN', 'time-over', 'failed NoAnswer', { onUnreachable: 'inconclusive' }],
    ['no answer after answers', 'WN', 'time-over', 'failed NoAnswer'],
    ['the only request was cut short', 'C', 'time-over', 'failed NoAnswer'],
    ['the last request was cut short', 'WC', 'time-over', 'failed WrongStatus'],
    ['cut short after no connection', 'UC', 'time-over', 'failed Unreachable', { onUnreachable: 'inconclusive' }],
    ['not asked at all', '', 'time-over', 'failed Timeout'],
    ['2 of 3 in a row', 'RR', 'time-left', 'ask again', { consecutive: 3 }],
    ['3 of 3 in a row', 'RRR', 'time-left', 'passed', { consecutive: 3 }],
    ['A A B A A: never 3 in a row', 'RRVRR', 'time-left', 'ask again', { consecutive: 3 }],
    ['A A B A A A', 'RRVRRR', 'time-left', 'passed', { consecutive: 3 }],
    ['A U A U: a lost connection breaks the row too', 'RURU', 'time-left', 'ask again', { consecutive: 2 }],
    ['A N A A', 'RNRR', 'time-left', 'passed', { consecutive: 2 }],
    ['too few when the time is over', 'RR', 'time-over', 'failed Timeout', { consecutive: 3 }],
    ['too few, for the version flaps', 'RVRR', 'time-over', 'failed WrongVersion', { consecutive: 3 }],
    ['too few, for the status flaps', 'RRWR', 'time-over', 'failed WrongStatus', { consecutive: 3 }],
  ])('%s: %s, %s: %s', (_row, letters, moment, verdict, policy = {}) => {
    expect(judge(letters, moment, policy)).toBe(verdict)
  })

  test('several versions are named with their numbers', () => {
    const verdict = judgeCheck(tallyOf('RRVRV'), { consecutive: 3, onUnreachable: 'failed' }, 'time-over')
    expect(verdict?.because).toBe(
      'answered wrongly: expected version 2, came 1; several versions answered (2: 3 times, 1: 2 times)',
    )
  })

  test('a server that makes up versions does not fill the memory', () => {
    const made = Array.from({ length: 100 }, (_, index): Attempt => {
      const found = attempt('V')
      return found.kind === 'answer'
        ? { ...found, findings: found.findings.map(finding => ({ ...finding, came: `v${index}` })) }
        : found
    })
    const { versions } = made.reduce(count, NOTHING_SEEN)
    expect(versions.size).toBe(11)
    expect(versions.get('others')).toBe(90)
  })
})

describe('each row of the table in docs/check-file.md', () => {
  const table = /\| seen \| verdict \| reason \|\n\|---\|---\|---\|\n((?:\|.*\n)+)/.exec(
    readFileSync(join(import.meta.dirname, '../../docs/check-file.md'), 'utf8'),
  )
  const rows = (table?.[1] ?? '')
    .trim()
    .split('\n')
    .map(row =>
      row
        .split('|')
        .slice(1, 4)
        .map(cell => cell.trim()),
    )
  /** What the row's words are, in letters. */
  const scenes: readonly (readonly [begins: string, letters: string, moment: Moment, policy?: Partial<Policy>])[] = [
    ['`consecutive` right', 'WRR', 'time-left', { consecutive: 2 }],
    ['a certificate that is wrong', 'X', 'time-left'],
    ['it cannot be asked from here', 'I', 'time-left'],
    ['a wrong answer that is the last word', 'F', 'time-left'],
    ['more wrong or broken answers', 'WW', 'time-left', { failureLimit: 1 }],
    ['the run was cancelled', 'W', 'cancelled'],
    ['time is left', 'W', 'time-left'],
    ['nothing but DNS and connect errors', 'UU', 'time-over', { onUnreachable: 'inconclusive' }],
    ['at last a connection without', 'WN', 'time-over'],
    ['at last no connection', 'WU', 'time-over'],
    ['at last `poll` was not done', 'WP', 'time-over'],
    ['the last answer was wrong', 'RW', 'time-over', { consecutive: 2 }],
    ['right, but not', 'WR', 'time-over', { consecutive: 2 }],
  ]

  test('has a scene, in its order', () => {
    expect(rows.map(([seen = ''], index) => seen.startsWith(scenes[index]?.[0] ?? '?'))).toEqual(scenes.map(() => true))
  })

  test.each(scenes.map((scene, index) => [scene, rows[index] ?? []] as const))(
    '%j',
    ([, letters, moment, policy], [, verdict = '', reason = '']) => {
      const [result = '', word = ''] = judge(letters, moment, policy).split(' ')
      expect(verdict).toContain(
        result === 'ask' ? 'asked again' : result === 'inconclusive' && verdict.startsWith('as ') ? 'on-unreachable' : result,
      )
      if (result !== 'ask' && !reason.startsWith('that of')) expect(reason).toContain(word)
    },
  )
})
