// Durations as inputs write them and as people read them.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatDuration, parseDuration } from '../../src/runner/duration.ts'

test.each<[string, number | undefined]>([
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['1h0m5s', 3_605_000],
  ['500ms', 500],
  ['0s', 0],
  [' 5s ', 5_000],
  ['1.5h', 5_400_000],
  ['24h', 86_400_000],
  ['24h1ms', undefined],
  ['', undefined],
  ['10', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
  ['1m 30s', undefined],
  ['5S', undefined],
  ['1d', undefined],
  ['.5s', undefined],
  ['1.s', undefined],
  ['s', undefined],
  ['5s!', undefined],
  ['Infinitys', undefined],
  [`${'9'.repeat(400)}h`, undefined],
])('%j is %p ms', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds)
})

test.each([
  [-5, '0.0 s'],
  [0, '0.0 s'],
  [449, '0.4 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [59_499, '59 s'],
  [59_500, '1 m'],
  [90_000, '1 m 30 s'],
  [3_600_000, '1 h'],
  [3_900_000, '1 h 5 m'],
  [3_905_000, '1 h 5 m'],
])('%p ms reads %p', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text)
})

test('hours, minutes, seconds and milliseconds add up', () => {
  const part = fc.nat(5)
  fc.assert(
    fc.property(part, fc.nat(59), fc.nat(59), fc.nat(999), (h, m, s, ms) => {
      expect(parseDuration(`${h}h${m}m${s}s${ms}ms`)).toBe(((h * 60 + m) * 60 + s) * 1_000 + ms)
    }),
  )
})
