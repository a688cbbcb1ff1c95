import { describe, expect, test } from '@jest/globals'
import type { AnswerContent } from '../../src/checks/answer.ts'
import { describeDifference, describeExpectation, type Expectation, examine } from '../../src/checks/expectation.ts'
import { parseJsonAssertion } from '../../src/checks/json-assertion.ts'
import { formatVersionSource, parseVersionSource, readVersion } from '../../src/checks/version-source.ts'
import { InputFault } from '../../src/runner/inputs.ts'

const answer = (body: string, more: Partial<AnswerContent> = {}): AnswerContent => ({
  status: 200,
  headers: {},
  body,
  truncated: false,
  ...more,
})
const plain: Expectation = { status: ['200'], bodyContains: [], json: [] }
const versioned = (from = '.version'): Expectation => ({
  ...plain,
  version: { expected: '1.4.2', from: parseVersionSource(from) },
})

describe('an answer held against an expectation', () => {
  test.each<[string, AnswerContent, Expectation, string]>([
    ['right status', answer(''), plain, 'as expected'],
    ['wrong status', answer('', { status: 503 }), plain, 'expected status 200, came 503'],
    ['wrong status with a body', answer('no database', { status: 500 }), plain, 'expected status 200, came 500: "no database"'],
    ['text there', answer('all is fine'), { ...plain, bodyContains: ['fine'] }, 'as expected'],
    [
      'text missing',
      answer('all\nis bad'),
      { ...plain, bodyContains: ['fine'] },
      'expected body with "fine", came one without it: "all is bad"',
    ],
    ['no body', answer(' '), { ...plain, bodyContains: ['fine'] }, 'expected body with "fine", came an empty one'],
    [
      'two texts missing',
      answer('x'),
      { ...plain, bodyContains: ['a', 'b'] },
      'expected body with "a", came one without it: "x" (and one more difference)',
    ],
    ['JSON right', answer('{"a":1}'), { ...plain, json: [parseJsonAssertion('.a=1')] }, 'as expected'],
    ['JSON wrong', answer('{"a":2}'), { ...plain, json: [parseJsonAssertion('.a=1')] }, 'expected .a 1, came 2'],
    [
      'no JSON, asked twice',
      answer('<h1>'),
      { ...plain, json: [parseJsonAssertion('.a=1'), parseJsonAssertion('.b=1'), parseJsonAssertion('.c=1')] },
      'expected .a 1, came a body that is no JSON: "<h1>" (and 2 more differences)',
    ],
    [
      'JSON cut off',
      answer('{}', { truncated: true }),
      { ...plain, json: [parseJsonAssertion('.a=1')] },
      'expected .a 1, came a body longer than 1 MiB, which is not read as JSON: "{}"',
    ],
    ['version right', answer('{"version":"1.4.2"}'), versioned(), 'as expected'],
    ['version old', answer('{"version":"1.4.1"}'), versioned(), 'expected version 1.4.2, came 1.4.1'],
    ['version longer', answer('{"version":"1.4.20"}'), versioned(), 'expected version 1.4.2, came 1.4.20'],
    ['version missing', answer('{}'), versioned(), 'expected version 1.4.2, came nothing at .version: "{}"'],
    ['version in a header', answer('', { headers: { 'x-version': '1.4.2' } }), versioned('header:X-Version'), 'as expected'],
    ['no such header', answer(''), versioned('header:x-version'), 'expected version 1.4.2, came no header x-version'],
    ['version as the body', answer('1.4.2\n'), versioned('body'), 'as expected'],
    ['version within the body', answer('v1.4.2'), versioned('body'), 'expected version 1.4.2, came v1.4.2'],
  ])('%s', (_name, given, expectation, sentence) => {
    expect(describeDifference(examine(given, expectation))).toBe(sentence)
  })

  test('what came is harmless and cut', () => {
    const body = `\u001b[31m\n::error::pwned ##[error]${'x'.repeat(500)}`
    const sentence = describeDifference(examine(answer(body, { status: 500 }), plain))
    expect(sentence).not.toMatch(/[\u0000-\u001f]|##\[|^::/)
    expect(sentence.length).toBeLessThan(300)
  })

  test('a secret that the body repeats is blotted out before the text is cut', () => {
    const redact = (text: string): string => text.replaceAll('s3cr3t-token', '***')
    const body = `${'x'.repeat(155)}s3cr3t-token`
    expect(JSON.stringify(examine(answer(body, { status: 500 }), plain, redact))).not.toContain('s3cr')
  })

  test('is described in words', () => {
    const expectation = { status: ['200', '3xx'], bodyContains: ['ok'], json: [parseJsonAssertion('.a=1')] }
    expect(describeExpectation({ ...versioned(), ...expectation })).toBe(
      'status 200 or 3xx, a body with "ok", .a=1, version 1.4.2 in .version',
    )
  })
})

describe('where a version is read', () => {
  test.each([
    ['.build.version', '.build.version'],
    ['header:X-App-Version', 'the header x-app-version'],
    ['HEADER: x', 'the header x'],
    ['body', 'the body'],
  ])('%s is %s', (text, words) => {
    expect(formatVersionSource(parseVersionSource(text))).toBe(words)
  })

  test.each(['', 'version', 'header:', 'header:a b', '.a b', 'Body'])('%j is refused', text => {
    expect(() => parseVersionSource(text)).toThrow(InputFault)
  })

  test.each([
    ['{"version":1.1}', { version: '1.1' }],
    ['{"version":null}', { version: 'null' }],
    ['', { none: 'an empty body' }],
  ])('%s gives %j', (body, read) => {
    expect(readVersion(answer(body), parseVersionSource('.version'))).toEqual(read)
  })
})
