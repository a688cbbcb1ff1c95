// Job summaries to HTML. They hold text of strangers (logs, manifests, answers): of their HTML only a few tags without attributes stay.
import { Marked, type Tokens } from 'marked'
import { escapeHtml } from './escape-html.ts'
import { drawGantt, parseGantt } from './gantt.ts'
import { drawXyChart, parseXyChart } from './xy-chart.ts'

const KEPT = /^<\/?(?:details|summary|code|br)>$/

/** Tags that stay stand as they are; everything else that HTML would take for its own is escaped. A reference stays: it is only text. */
export function safeHtml(html: string): string {
  return html
    .split(/(<[^<>]*>)/)
    .map(part => (KEPT.test(part) ? part : escapeHtml(part).replace(/&amp;(#\d{1,7}|#x[\da-f]{1,6}|[a-z]{2,31});/gi, '&$1;')))
    .join('')
}

const marked = new Marked({
  gfm: true,
  async: false,
  renderer: {
    html: ({ text }: Tokens.HTML | Tokens.Tag) => safeHtml(text),
    code({ text, lang }: Tokens.Code) {
      const lanes = lang === 'mermaid' ? parseGantt(text) : undefined
      if (lanes !== undefined) return drawGantt(lanes)
      const chart = lang === 'mermaid' ? parseXyChart(text) : undefined
      if (chart !== undefined) return drawXyChart(chart)
      return `<pre><code>${lang === 'diff' ? colouredDiff(text) : escapeHtml(text)}</code></pre>\n`
    },
    link({ href, tokens }: Tokens.Link) {
      const text = this.parser.parseInline(tokens)
      return /^https?:\/\//i.test(href) ? `<a href="${escapeHtml(href)}" rel="noreferrer">${text}</a>` : text
    },
    /** A picture would be fetched from somewhere. */
    image: ({ text }: Tokens.Image) => escapeHtml(text),
    table({ header, rows }: Tokens.Table) {
      const cells = (row: Tokens.TableCell[], tag: string): string =>
        `<tr>${row.map(cell => `<${tag}${isLong(cell.text) ? ' class="long"' : ''}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join('')}</tr>`
      const body = rows.map(row => cells(row, 'td')).join('')
      return `<div class="wide"><table><thead>${cells(header, 'th')}</thead><tbody>${body}</tbody></table></div>\n`
    },
  },
})

export function renderMarkdown(markdown: string): string {
  return marked.parse(markdown, { async: false })
}

/** Whether it has a word, such as a digest, that must be broken to fit. */
const isLong = (text: string): boolean => /\S{40}/.test(text)

function colouredDiff(text: string): string {
  const tag = (line: string): string => (line.startsWith('+') ? 'ins' : line.startsWith('-') ? 'del' : '')
  return text
    .split('\n')
    .map(line => (tag(line) === '' ? escapeHtml(line) : `<${tag(line)}>${escapeHtml(line)}</${tag(line)}>`))
    .join('\n')
}
