import { describe, expect, test } from '@jest/globals'
import { createStepLog, printable, readableLog, table, wrap } from '../../demo/terminal.ts'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

describe('a line', () => {
  test.each([
    ['short', 20, ['  short']],
    ['one two three four', 12, ['  one two', '    three', '    four']],
    ['a http://example.com/very/long', 14, ['  a', '    http://exa', '    mple.com/v', '    ery/long']],
    ['+0.1 s    two spaces stay', 40, ['  +0.1 s    two spaces stay']],
    ['', 20, ['  ']],
  ])('%p is wrapped at %p', (text, width, lines) => {
    expect(wrap(text, width, '  ')).toEqual(lines)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
  })

  test('of a stranger does not move the cursor', () => {
    expect(printable('a\u001b[2Jb\u0008c\u202ed')).toBe('ab c d')
  })
})

describe("a step's log", () => {
  function shown(...pieces: string[]): string[] {
    const lines: string[] = []
    const log = createStepLog(({ text, style }) => lines.push(style === undefined ? text : `${style}: ${text}`))
    for (const piece of pieces) log.write(piece)
    log.end()
    return lines
  }

  test.each<[string, string[], string[]]>([
    ['lines in pieces', ['one\ntw', 'o\r\nthr', 'ee'], ['one', 'two', 'three']],
    ['no masks, no debug lines', ['::add-mask::secret\n::debug::x\na\n'], ['a']],
    ["no BuildKit's log, no empty lines", ['#1 [1/2] FROM x\n\n#12 DONE\n# a\n'], ['# a']],
    ['a group as its title', ['::group::Evidence\nx\n::error::y\n::endgroup::\nafter\n'], ['▸ Evidence', 'after']],
    ['annotations', ['::error title=a::b%0Ac\n::warning::d\n::notice::e\n'], ['red: ✗ b c', 'yellow: ! d', 'yellow: ! e']],
    ['short digests', [`x@${DIGEST}, ${DIGEST}0\n`], [`x@sha256:0123456…, ${DIGEST}0`]],
  ])('shows %s', (_, pieces, lines) => {
    expect(shown(...pieces)).toEqual(lines)
  })
})

test('a whole log can be read', () => {
  const output = '::add-mask::secret\na\n::group::G\nx\n::endgroup::\n::debug::d\n::error title=t::e%0Af\n::warning::w\n\n'
  expect(readableLog(output)).toBe('a\n▾ G\n  x\n✗ e f\n! w')
})

describe('a table', () => {
  const rows = [
    ['', 'step', 'cause', 's'],
    ['✓', 'deploy', 'a long cause of it all', '1.0'],
  ]
  test('is as wide as it needs', () => {
    expect(table(rows, 80, 2)).toEqual(['   step    cause                   s', '✓  deploy  a long cause of it all  1.0'])
  })
  test('gives in one column where it is too wide', () => {
    expect(table(rows, 30, 2)).toEqual(['   step    cause           s', '✓  deploy  a long cause …  1.0'])
  })
  test('of nothing is nothing', () => expect(table([], 30, 0)).toEqual([]))
})
