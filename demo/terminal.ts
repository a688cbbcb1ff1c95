// What the demo prints: headings, the interesting lines of a step, one table. No line is longer than the terminal is wide.
import { stripVTControlCharacters, styleText } from 'node:util'
import { parseCommand } from '../__tests__/harness/runner-protocol.ts'

type Style = Parameters<typeof styleText>[0]

const NARROWEST = 40
const WIDEST = 120

export const terminalWidth = (): number => Math.min(WIDEST, Math.max(NARROWEST, process.stdout.columns || 100))

/** Breaks a text at spaces, and a word that is too long anywhere. Every line after the first is indented by `hanging` more. */
export function wrap(text: string, width: number, indent = '', hanging = '  '): readonly string[] {
  const lines: string[] = []
  let line = indent
  let empty = true
  for (const word of text.split(/(?<=\S) /)) {
    let rest = word
    if (!empty && line.length + 1 + rest.length > width) {
      lines.push(line)
      line = indent + hanging
      empty = true
    }
    while (line.length + (empty ? 0 : 1) + rest.length > width) {
      const room = width - line.length
      lines.push(line + rest.slice(0, room))
      rest = rest.slice(room)
      line = indent + hanging
    }
    line += empty ? rest : ` ${rest}`
    empty = false
  }
  return [...lines, line]
}

/** A line of a step as the demo shows it; undefined for what only a machine or a second look needs. */
export interface ShownLine {
  readonly text: string
  readonly style: Style | undefined
}

/**
 * Takes a step's output piece by piece and hands on its interesting lines: neither masks nor BuildKit's own log, a group as its
 * title alone, a digest cut to what tells it from another.
 */
export function createStepLog(show: (line: ShownLine) => void): { write(text: string): void; end(): void } {
  let rest = ''
  let inGroup = false
  const take = (raw: string): void => {
    const command = parseCommand(raw)
    if (command?.name === 'endgroup') inGroup = false
    if (inGroup) return
    const say = (text: string, style?: Style): void => show({ text: shortDigests(printable(text)), style })
    switch (command?.name) {
      case undefined:
        if (raw.trim() !== '' && !/^#\d+ /.test(raw)) say(raw)
        break
      case 'group':
        inGroup = true
        say(`▸ ${command.data}`)
        break
      case 'error':
        say(`✗ ${command.data}`, 'red')
        break
      case 'warning':
      case 'notice':
        say(`! ${command.data}`, 'yellow')
        break
    }
  }
  return {
    write(text) {
      const lines = (rest + text).split(/\r\n|\r|\n/)
      rest = lines.pop() ?? ''
      for (const line of lines) take(line)
    },
    end() {
      if (rest !== '') take(rest)
      rest = ''
    },
  }
}

/** A whole log for reading: masks and debug lines left out, commands as what they mean, a group's lines indented. */
export function readableLog(output: string): string {
  const lines: string[] = []
  let indent = ''
  for (const raw of output.split(/\r\n|\r|\n/)) {
    const command = parseCommand(raw)
    if (command?.name === 'endgroup') indent = ''
    else if (command === undefined) lines.push(indent + printable(raw))
    else if (command.name === 'group') {
      lines.push(`▾ ${printable(command.data)}`)
      indent = '  '
    } else if (/^(error|warning|notice)$/.test(command.name))
      lines.push(`${command.name === 'error' ? '✗' : '!'} ${printable(command.data)}`)
  }
  return lines.join('\n').trimEnd()
}

/** Nothing a stranger wrote may move the reader's cursor. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
}

export const shortDigests = (text: string): string => text.replace(/sha256:([0-9a-f]{7})[0-9a-f]{57}\b/g, 'sha256:$1…')

/** A table of text: columns as wide as their widest cell, the one named by `gives` cut where the whole would be too wide. */
export function table(rows: readonly (readonly string[])[], width: number, gives: number): readonly string[] {
  const columns = Math.max(0, ...rows.map(row => row.length))
  const widths = Array.from({ length: columns }, (_, column) => Math.max(0, ...rows.map(row => (row[column] ?? '').length)))
  const over = widths.reduce((sum, one) => sum + one + 2, -2) - width
  const own = widths[gives] ?? 0
  if (over > 0) widths[gives] = Math.max(8, own - over)
  return rows.map(row =>
    row
      .map((cell, column) => {
        const room = widths[column] ?? 0
        return (cell.length > room ? `${cell.slice(0, room - 1)}…` : cell).padEnd(room)
      })
      .join('  ')
      .trimEnd(),
  )
}

export interface Terminal {
  heading(text: string): void
  /** A line below the heading, wrapped. */
  say(text: string, indent?: number, style?: Style): void
  /** What stands even when all else is quiet. */
  always(lines: readonly string[]): void
}

export function createTerminal(quiet: boolean): Terminal {
  const write = (line: string, style?: Style): void => {
    // styleText looks itself whether the stream is a terminal that shows colours.
    process.stdout.write(`${style === undefined ? line : styleText(style, line, { stream: process.stdout })}\n`)
  }
  return {
    heading(text) {
      if (quiet) return
      write('')
      for (const line of wrap(text, terminalWidth())) write(line, 'bold')
    },
    say(text, indent = 2, style) {
      if (quiet) return
      for (const line of wrap(text, terminalWidth(), ' '.repeat(indent))) write(line, style)
    },
    always(lines) {
      for (const line of lines) write(line)
    },
  }
}
