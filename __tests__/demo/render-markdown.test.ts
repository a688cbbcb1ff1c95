import { describe, expect, test } from '@jest/globals'
import { renderMarkdown, safeHtml } from '../../demo/render-markdown.ts'
import { codeBlock, inline } from '../../src/runner/markdown.ts'

describe('of HTML', () => {
  test.each([
    ['<details><summary>Diff</summary>', '<details><summary>Diff</summary>'],
    ['a &amp; b &#124; c &copy', 'a &amp; b &#124; c &amp;copy'],
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['<details open onclick="x()">', '&lt;details open onclick=&quot;x()&quot;&gt;'],
    ['<img src=x onerror=y>', '&lt;img src=x onerror=y&gt;'],
    ['<code', '&lt;code'],
    ['<<code>>', '&lt;<code>&gt;'],
    ['</main></body>', '&lt;/main&gt;&lt;/body&gt;'],
  ])('%p stays as %p', (html, kept) => {
    expect(safeHtml(html)).toBe(kept)
  })
})

describe('a summary', () => {
  test('has its gantt chart drawn', () => {
    const html = renderMarkdown('```mermaid\ngantt\n    dateFormat x\n    section a\n    healthy :done, 0, 5000\n```')
    expect(html).toContain('<svg')
    expect(html).not.toContain('dateFormat')
  })

  test('shows a diagram it can not draw as text', () => {
    expect(renderMarkdown('```mermaid\nflowchart TD\n  A --> B<b>\n```')).toContain('A --&gt; B&lt;b&gt;')
  })

  test('has its tables, details and code', () => {
    const html = renderMarkdown(
      '| a | b |\n|---|---|\n| <code>x &#124; y</code> | 2 |\n\n<details><summary>More</summary>\n\n```diff\n- old\n+ new\n```\n\n</details>\n',
    )
    expect(html).toContain('<td><code>x &#124; y</code></td>')
    expect(html).toMatch(/<details><summary>More<\/summary>[\s\S]*<del>- old<\/del>\n<ins>\+ new<\/ins>[\s\S]*<\/details>/)
  })

  test.each([
    ['a script', '<script>alert(1)</script>\n\ntext <b onclick="x()">bold</b>'],
    ['a picture', '![alt](https://example.com/x.png)'],
    ['a script behind a link', '[click](javascript:alert(1)) <javascript:alert(1)>'],
    ['a quote in a link', '[click](https://example.com/"onclick="alert(1))'],
    ['a frame in a code fence', '```html\n<iframe src="https://example.com"></iframe>\n```'],
    ['a style', '<style>@import url(https://example.com)</style>'],
  ])('can not bring %s', (_, markdown) => {
    expect(renderMarkdown(markdown)).not.toMatch(/<(script|img|iframe|style|b)\b|javascript:[^<]*"|<[^>]*\sonclick=(?!&)/)
  })

  test('shows foreign text as it was', () => {
    const foreign = '<img src=x> `a` | *b* [c](d) & &lt; ~e~'
    const html = renderMarkdown(`${inline(foreign)}\n\n${codeBlock(foreign)}`)
    const shown = '&lt;img src=x&gt; `a` | *b* [c](d) &amp; &amp;lt; ~e~'
    expect(html).toContain(`<p>${shown}</p>`)
    expect(html).toContain(`<pre><code>${shown}</code></pre>`)
  })
})
