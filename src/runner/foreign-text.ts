// Text that others wrote (container logs, events, HTTP bodies, tool output) made harmless before it is printed or reported.

const ANSI = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const ZERO_WIDTH_SPACE = '\u200b'

/**
 * Foreign text that can be printed to the runner's log: no terminal escapes, no control characters but newline and tab, and no line the runner
 * would take for a command. The runner reads `::name::` at the start of a line, white space before it or not, and `##[name]` anywhere
 * (actions/runner, ActionCommand.cs). `limit` is in characters; what is longer is cut and says so.
 */
export function foreignText(text: string, limit = 4_000): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}… (${text.length - limit} more characters)` : text
  return withoutCommands(cut.replace(ANSI, '').replace(/\r\n?/g, '\n').replace(CONTROL, ''))
}

/** The text with every line broken that the runner would take for a command, and nothing else changed. */
export function withoutCommands(text: string): string {
  // U+0085 is white space to the runner and not to JavaScript. What ends a line here and not there comes before the `^` of its own.
  return text
    .replace(/^((?:[^\S\r\n\u2028\u2029]|\u0085)*):(?=:)/gm, `$1:${ZERO_WIDTH_SPACE}`)
    .replace(/##(?=\[)/g, `#${ZERO_WIDTH_SPACE}#`)
}

/** Foreign text on one line, for a sentence. */
export function foreignLine(text: string, limit = 400): string {
  return foreignText(text.replace(/\s+/g, ' ').trim(), limit).replace(/\n/g, ' ')
}
