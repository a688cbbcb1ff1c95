// Foreign text in Markdown: nothing in it can become markup, a link, a mention or the end of a code block.

/** Text inside a paragraph or a table cell. */
export function inline(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/([\\`*_[\]|~#!])/g, '\\$1')
    .replace(/@(?=\w)/g, '@\u200b')
    .replace(/(https?|ftp):\/\//gi, '$1:\u200b//')
    .replace(/(www\.)/gi, '$1\u200b')
    .split(/[\r\n]/)
    .map((line, index) => (index === 0 ? line.trimEnd() : line.trim()))
    .filter((line, index) => index === 0 || line !== '')
    .join(' ')
}

/** A word or two of code; empty for the empty text. A backtick can't be in it and is left out. */
export function code(text: string): string {
  const clean = text
    .replace(/`/g, '')
    .replace(/[\s|]+/g, ' ')
    .trim()
  return clean === '' ? '' : `\`${clean}\``
}

/** A fenced block whose fence is longer than any run of backticks within. */
export function codeBlock(text: string, language = 'text'): string {
  let longest = 2
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length)
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${text}\n${fence}`
}

/** A table; a cell that is already code (`...`) stays as it is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => (/^`[^`|\r\n]*`$/.test(text) ? text : inline(text))
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n')
}
