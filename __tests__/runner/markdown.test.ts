// Foreign text in the job summary: rendered, it is the text again, and nothing else.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { marked } from 'marked'
import { code, codeBlock, inline, table } from '../../src/runner/markdown.ts'

const render = (markdown: string): string => String(marked.parse(markdown, { gfm: true, async: false }))
const tagsIn = (html: string): string[] => [...html.matchAll(/<\/?([a-z0-9]+)[^>]*>/g)].map(([, name = '']) => name)

describe('text in a paragraph', () => {
  test.each([
    '<img src=x onerror=alert(1)>',
    '**bold** _em_ ~~gone~~ `code`',
    '[a](https://e.com) ![a](https://e.com/x.png)',
    'https://e.com http://e.com www.e.com HTTPS://e.com',
    'a\n\n# heading\n\n- item',
    '&lt;b&gt;',
    '\\<b>',
    '| a | b |',
  ])('%j is no markup', text => {
    expect(tagsIn(render(`a ${inline(text)}`)).filter(tag => tag !== 'p')).toEqual([])
  })

  test('whatever it is made of', () => {
    const pieces = fc.constantFrom(
      ...[
        '`',
        '``',
        '*',
        '_',
        '[',
        ']',
        '(',
        ')',
        '!',
        '<',
        '>',
        '&',
        '#',
        '\\',
        '|',
        '~',
        '\n',
        ' ',
        'a',
        'www.',
        'e.com',
        'https://',
      ],
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 15 }), parts => {
        const html = render(`a ${inline(parts.join(''))} b`)
        expect(tagsIn(html).filter(tag => tag !== 'p')).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })

  test('very much white space takes no time', () => {
    expect(inline(`a${' '.repeat(200_000)}b \n \n c`)).toHaveLength(200_004)
  })
})

describe('a code span', () => {
  test.each([
    ['CrashLoopBackOff', '`CrashLoopBackOff`'],
    ['a`<b>`\nc|d', '`a<b> c d`'],
    ['', ''],
    ['`', ''],
  ])('%j is %j', (text, markdown) => {
    expect(code(text)).toBe(markdown)
  })
})

describe('a table', () => {
  const cellsOf = (cell: string): string[] =>
    [...render(table(['a', 'b'], [[cell, 'x']])).matchAll(/<td>(.*?)<\/td>/gs)].map(([, td = '']) => td)
  test.each([
    ['`code`', '<code>code</code>'],
    ['a | b', 'a | b'],
    ['`a\n\n<img src=x>`', '`a &lt;img src=x&gt;`'],
    ['`a\r\n# b`', '`a # b`'],
  ])('cell %j is %j', (cell, html) => {
    expect(cellsOf(cell)).toEqual([html, 'x'])
  })
})

describe('a code block', () => {
  test.each(['```\n# out', '~~~', '````', '`\n`', '</code></pre><img>'])('%j stays in it', text => {
    expect(tagsIn(render(codeBlock(text)))).toEqual(['pre', 'code', 'code', 'pre'])
  })

  test('however many backticks there are', () => {
    expect(codeBlock('` '.repeat(200_000))).toMatch(/^```text\n/)
  })
})
