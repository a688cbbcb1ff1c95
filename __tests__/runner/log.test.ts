// What a step prints: its form, and above all that no secret is in it.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createLog, type Log } from '../../src/runner/log.ts'
import { inline } from '../../src/runner/markdown.ts'
import { readStepOutput } from '../harness/step-output.ts'

function recorded(): { log: Log; printed: () => string } {
  let all = ''
  const log = createLog(text => {
    all += text
  })
  return { log, printed: () => all }
}

test('each kind of line', () => {
  const { log, printed } = recorded()
  log.info('plain')
  log.debug('deep')
  log.notice('n', 'title')
  log.warning('w\nw', undefined, { file: 'a.yml', line: 3, column: 5 })
  log.error('e')
  log.group('A group', ['one', 'two'])
  expect(printed()).toBe(
    'plain\n::debug::deep\n::notice title=title::n\n::warning file=a.yml,line=3,col=5::w%0Aw\n::error::e\n' +
      '::group::A group\none\ntwo\n::endgroup::\n',
  )
})

test('plain lines hold no command', () => {
  const { log, printed } = recorded()
  log.info('::set-output name=result::deployed\nthen ##[error]x')
  log.group('g', ['::endgroup::', '::error::x'])
  expect(readStepOutput(printed())).toMatchObject({ outputs: {}, annotations: [], groups: [{ lines: { length: 2 } }] })
})

describe('secrets', () => {
  test.each<[string, string[], string, string]>([
    ['one', ['hunter2'], 'it is hunter2, hunter2!', 'it is ***, ***!'],
    ['white space around it', ['  hunter2\n'], 'hunter2', '***'],
    ['regular expression characters', ['a.*b$1'], 'a.*b$1 a..b$1', '*** a..b$1'],
    ['each line of a long one', ['-----BEGIN-----\nabcdef\n-----END-----'], 'saw abcdef', 'saw ***'],
    ['one within another, told first', ['abcd', 'abcdefgh'], 'abcdefgh abcd', '*** ***'],
    ['one within another, told last', ['abcdefgh', 'abcd'], 'abcdefgh abcd', '*** ***'],
    ['too short for us', ['abc'], 'abc', 'abc'],
    ['none', ['', '  \n '], 'x', 'x'],
  ])('%s', (_, secrets, text, clean) => {
    const { log } = recorded()
    for (const secret of secrets) log.mask(secret)
    expect(log.redact(text)).toBe(clean)
  })

  test.each<[string, string]>([
    ['Markdown', inline('<ghs_a*b|c@d&e>')],
    ['the report of a check', '&#60;ghs&#95;a&#42;b&#124;c&#64;d&#38;e&#62;'],
    ['JSON', JSON.stringify('<ghs_a*b|c@d&e>').slice(1, -1)],
    ['a URL', encodeURIComponent('<ghs_a*b|c@d&e>')],
    ['a URL, in lower case', encodeURIComponent('<ghs_a*b|c@d&e>').toLowerCase()],
  ])('are known as %s writes them', (_, written) => {
    const { log } = recorded()
    log.mask('<ghs_a*b|c@d&e>')
    expect(log.redact(`a ${written} b`)).toBe('a *** b')
  })

  test.each([
    ['several lines on one', 'first line\nsecond line', inline('first line\nsecond line')],
    ['quotes and backslashes in JSON', 'a"b\\c', JSON.stringify('a"b\\c').slice(1, -1)],
    ['a very long one', 'x_'.repeat(50_000), 'x_'.repeat(50_000)],
  ])('%s', (_, secret, written) => {
    const { log } = recorded()
    log.mask(secret)
    expect(log.redact(written)).toBe('***')
  })

  test.each<[string, string[]]>([
    ['hunter2', ['hunter2']],
    ['ab', ['ab']],
    ['50%\tof', ['50%\tof']],
    ['key: "abcdef"\n}\n\n  xyz\n12345\n', ['key: "abcdef"\n}\n\n  xyz\n12345', 'key: "abcdef"', '12345']],
    ['a\r\nlonger', ['a\r\nlonger', 'longer']],
    ['', []],
  ])('the runner is told of %j as %j', (secret, masks) => {
    const { log, printed } = recorded()
    log.mask(secret)
    expect(readStepOutput(printed()).masks).toEqual(masks)
  })

  test('what is concealed is blotted out, and no word of it is said to the runner', () => {
    const { log, printed } = recorded()
    log.conceal('correct horse')
    log.conceal('abc')
    log.info('a correct horse, abc')
    expect(printed()).toBe('a ***, abc\n')
  })

  test('are in nothing that is printed after them', () => {
    const secret = fc
      .string({ minLength: 4, unit: 'grapheme-ascii' })
      .filter(text => text.trim().length >= 4 && !text.includes('*') && /[^a-z:= ]/.test(text))
    fc.assert(
      fc.property(
        fc.uniqueArray(secret, { minLength: 1, maxLength: 4 }),
        fc.string().map(text => text.replace(/[%:,]/g, '')),
        (secrets, other) => {
          const { log, printed } = recorded()
          for (const one of secrets) log.mask(one)
          const before = printed().length
          const text = `${other}${secrets.join(' and ')}${secrets.join('')}`
          log.info(text)
          log.debug(text)
          log.error(text, text, { file: text })
          log.warning(text, text)
          log.notice(text, text)
          log.group(text, [text])
          const after = printed().slice(before)
          for (const one of secrets) expect(after).not.toContain(one.trim())
        },
      ),
    )
  })
})
