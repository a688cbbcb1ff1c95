// What a step prints: plain lines, groups and annotations. Secrets that were registered are blotted out here too, not only by the runner.

import type { FilePosition } from './failure.ts'
import { annotation, workflowCommand } from './workflow-commands.ts'

export interface Log {
  info(line: string): void
  /** A line shown only when the user has switched on debug logging. */
  debug(line: string): void
  notice(message: string, title?: string): void
  warning(message: string, title?: string, at?: FilePosition): void
  error(message: string, title?: string, at?: FilePosition): void
  /** Lines folded under a title. */
  group(title: string, lines: readonly string[]): void
  /** From here on the value is never seen in the log, in an output or in a summary. */
  mask(secret: string): void
  /** The text with all registered secrets blotted out. */
  redact(text: string): string
}

/** A value shorter than this is not blotted out by us: it would tear holes into every other word. The runner is told of it all the same. */
const SHORTEST_REDACTED = 4

export function createLog(write: (text: string) => void): Log {
  const secrets = new Set<string>()
  const redact = (text: string): string => {
    let clean = text
    for (const secret of secrets) clean = clean.replaceAll(secret, '***')
    return clean
  }
  const line = (text: string): void => write(`${text}\n`)
  return {
    info: text => line(redact(text)),
    debug: text => line(workflowCommand('debug', {}, redact(text))),
    notice: (message, title) => line(annotation('notice', redact(message), title)),
    warning: (message, title, at) => line(annotation('warning', redact(message), title, at)),
    error: (message, title, at) => line(annotation('error', redact(message), title, at)),
    group: (title, lines) => {
      line(workflowCommand('group', {}, redact(title)))
      for (const text of lines) line(redact(text))
      line('::endgroup::')
    },
    mask: secret => {
      for (const part of new Set([secret, ...secret.split(/\r?\n/)].map(text => text.trim()))) {
        if (part === '') continue
        line(workflowCommand('add-mask', {}, part))
        if (part.length >= SHORTEST_REDACTED) secrets.add(part)
      }
    },
    redact,
  }
}
