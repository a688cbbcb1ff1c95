import { describe, expect, test } from '@jest/globals'
import { formatStatusPatterns, matchesStatus, parseStatusPatterns } from '../../src/checks/status-pattern.ts'
import { InputFault } from '../../src/runner/inputs.ts'

describe('a status pattern', () => {
  test.each([
    ['200', 200, true],
    ['200', 201, false],
    ['2xx', 204, true],
    ['2XX', 299, true],
    ['2xx', 302, false],
    ['200, 404', 404, true],
    ['200,3xx', 301, true],
    ['503', 200, false],
  ])('%s against %i: %s', (entry, status, holds) => {
    expect(matchesStatus(parseStatusPatterns(entry), status)).toBe(holds)
  })

  test.each(['', 'ok', '99', '600', '199', '1xx', '20x', '2000', '200,', '200-299', '-200'])('%j is none', entry => {
    expect(() => parseStatusPatterns(entry)).toThrow(InputFault)
  })

  test.each([
    [['200'], '200'],
    [['200', '204'], '200 or 204'],
    [['200', '204', '3xx'], '200, 204 or 3xx'],
  ])('%j reads %s', (patterns, text) => {
    expect(formatStatusPatterns(patterns)).toBe(text)
  })
})
