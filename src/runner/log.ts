// What a step prints: plain lines, groups and annotations. Secrets that were registered are blotted out here too, not only by the runner.

import type { FilePosition } from './failure.ts'
import { withoutCommands } from './foreign-text.ts'
import { secretSpellings } from './secret-spellings.ts'
import { annotation, workflowCommand } from './workflow-commands.ts'

export interface Log {
  /** Text as it is, but for what the runner would take for a command. */
  info(text: string): void
  /** A line shown only when the user has switched on debug logging. */
  debug(line: string): void
  notice(message: string, title?: string): void
  warning(message: string, title?: string, at?: FilePosition): void
  error(message: string, title?: string, at?: FilePosition): void
  /** Lines folded under a title. */
  group(title: string, lines: readonly string[]): void
  /** From here on the value is never seen in the log, in an output or in a summary. */
  mask(secret: string): void
  /**
   * The same without a word to the runner: for values that we come across and that are not the workflow's own. As masks they would blot out every other
   * step's output too, and the runner drops a job's output that holds a masked word.
   */
  conceal(secret: string): void
  /** The text with all registered secrets blotted out, also where Markdown, JSON or a URL has escaped them. */
  redact(text: string): string
}

/** A value shorter than this is not blotted out by us: it would tear holes into every other word. */
const SHORTEST_REDACTED = 4

export function createLog(write: (text: string) => void): Log {
  const secrets = new Map<string, RegExp | string>()
  let longestFirst: readonly (RegExp | string)[] = []
  const redact = (text: string): string => longestFirst.reduce<string>((clean, secret) => clean.replaceAll(secret, '***'), text)
  /** A secret that begins with another one would else be seen from there on. */
  const sortSecrets = (): void => {
    longestFirst = [...secrets].sort(([a], [b]) => b.length - a.length).map(([, spellings]) => spellings)
  }
  const line = (text: string): void => write(`${text}\n`)
  const annotate = (level: 'error' | 'warning' | 'notice', message: string, title = '', at?: FilePosition): void =>
    line(annotation(level, redact(message), redact(title), at && { ...at, file: redact(at.file) }))
  return {
    info: text => line(withoutCommands(redact(text))),
    debug: text => line(workflowCommand('debug', {}, redact(text))),
    notice: (message, title) => annotate('notice', message, title),
    warning: (message, title, at) => annotate('warning', message, title, at),
    error: (message, title, at) => annotate('error', message, title, at),
    group: (title, lines) => {
      line(workflowCommand('group', {}, redact(title)))
      for (const text of lines) line(withoutCommands(redact(text)))
      line('::endgroup::')
    },
    mask: secret => {
      const whole = secret.trim()
      const lines = whole.split(/\r?\n/).map(text => text.trim())
      for (const part of new Set([whole, ...lines])) {
        // A short line of a long secret, such as a brace, is no secret; as a mask it would blot out every other brace of the job's log.
        if (part === '' || (part !== whole && part.length < SHORTEST_REDACTED)) continue
        line(workflowCommand('add-mask', {}, part))
        if (part.length >= SHORTEST_REDACTED) secrets.set(part, secretSpellings(part))
      }
      sortSecrets()
    },
    conceal: secret => {
      if (secret.length < SHORTEST_REDACTED || secrets.has(secret)) return
      secrets.set(secret, secretSpellings(secret))
      sortSecrets()
    },
    redact,
  }
}
