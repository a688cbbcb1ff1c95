// Text that others wrote: nothing in it may reach the runner as a command or the terminal as an escape.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { foreignLine, foreignText, withoutCommands } from '../../src/runner/foreign-text.ts'
import { outputLines, parseCommand } from '../harness/runner-protocol.ts'

const Z = '\u200b'

describe('commands are broken', () => {
  test.each([
    ['::error::x', `:${Z}:error::x`],
    ['  \t::set-output name=a::b', `  \t:${Z}:set-output name=a::b`],
    ['a\n::add-mask::e', `a\n:${Z}:add-mask::e`],
    ['a\r::add-mask::e', `a\n:${Z}:add-mask::e`],
    ['a\r\n::error::e', `a\n:${Z}:error::e`],
    ['\n\n\n ::error::e', `\n\n\n :${Z}:error::e`],
    [':\u0000:error::x', `:${Z}:error::x`],
    [':\u001b[0m:error::x', `:${Z}:error::x`],
    ['\u00a0::error::x', `\u00a0:${Z}:error::x`],
    ['\u0085::error::x', `:${Z}:error::x`],
    ['\u2028::error::x', `:${Z}:error::x`],
    ['::::', `:${Z}:::`],
    ['text ##[error]x', `text #${Z}#[error]x`],
    ['###[group]', `##${Z}#[group]`],
    ['#\u202e#[error]x', `#${Z}#[error]x`],
  ])('%j', (text, safe) => {
    expect(foreignText(text)).toBe(safe)
  })

  const pieces = fc.constantFrom(
    ...['::', ':', '##[', '#', '[', ']', 'error', 'set-output name=a', 'add-mask', 'stop-commands', ' ', '\t', '\n', '\r'],
    ...['\u0000', '\u001b', '\u001b[0m', '\u001b]0;', '\u0007', '\u0085', '\u00a0', '\u2028', '\u200b', '\u00ad', '\ufeff', 'x'],
  )
  const hostile = fc.array(pieces, { maxLength: 20 }).map(parts => parts.join(''))
  test('whatever they are made of', () => {
    for (const make of [foreignText, foreignLine]) {
      fc.assert(
        fc.property(hostile, text => outputLines(make(text)).every(line => parseCommand(line) === undefined)),
        { numRuns: 1_000 },
      )
    }
  })

  test('and stay broken in a runner that compares text by culture, where zero-width characters count for nothing', () => {
    // The first two UTF-16 units of what such a runner takes for `::` are cut off before the name is read.
    fc.assert(
      fc.property(hostile, text =>
        outputLines(foreignText(text)).every(line => {
          const trimmed = line.trimStart()
          const looksLikeOne = trimmed.replace(/[\u200b\u00ad\ufeff]/g, '').startsWith('::')
          return !looksLikeOne || parseCommand(`::${trimmed.slice(2)}`) === undefined
        }),
      ),
      { numRuns: 1_000 },
    )
  })

  test('behind white space that only the runner takes for such', () => {
    expect(withoutCommands('\u0085 \u0085::error::x')).toBe(`\u0085 \u0085:${Z}:error::x`)
  })

  test('in our own lines too, which are else left as they are', () => {
    expect(withoutCommands('a\u001b[1m b\n::error::x\r ::error::y')).toBe(`a\u001b[1m b\n:${Z}:error::x\r :${Z}:error::y`)
    fc.assert(
      fc.property(hostile, text => outputLines(withoutCommands(text)).every(line => parseCommand(line) === undefined)),
      { numRuns: 1_000 },
    )
  })
})

describe('what is no command stays readable', () => {
  test.each([
    ['k8s://shop/web/3', 'k8s://shop/web/3'],
    ['std::vector<int>', 'std::vector<int>'],
    ['[::1]:8080', '[::1]:8080'],
    ['# heading\n## another', '# heading\n## another'],
    ['tab\there', 'tab\there'],
    ['naïve 日本 🚀', 'naïve 日本 🚀'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b[38;5;196;1mred\u001b[K', 'red'],
    ['\u001b]8;;https://e.com\u0007link\u001b]8;;\u0007', 'link'],
    ['\u001b]0;title\u001b\\after', 'after'],
    ['bell\u0007 nul\u0000 del\u007f csi\u009b', 'bell nul del csi'],
    ['\u202egnp.exe', 'gnp.exe'],
  ])('%j', (text, safe) => {
    expect(foreignText(text)).toBe(safe)
  })

  test('an escape that is never closed hides one line at most', () => {
    expect(foreignText('\u001b]0;evil\npanic: no database')).toBe('\npanic: no database')
  })
})

describe('length', () => {
  test('is limited, and the cut is told', () => {
    expect(foreignText('abcdef', 4)).toBe('abcd… (2 more characters)')
    expect(foreignText('abcd', 4)).toBe('abcd')
  })

  test.each(['\n', ' ', ':', '#', '\u001b[', '\u001b]', '\u001b[1;'])('does not slow it down: %j', piece => {
    const begun = performance.now()
    foreignText(piece.repeat(100_000), 1_000_000)
    foreignLine(piece.repeat(100_000), 1_000_000)
    // Linear work takes some ten milliseconds, quadratic minutes.
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})

test.each([
  ['two\nlines', 'two lines'],
  ['  a \t\r\n b  ', 'a b'],
  ['x\u001b[1m\ny', 'x y'],
  ['', ''],
])('on one line: %j', (text, line) => {
  expect(foreignLine(text)).toBe(line)
})
