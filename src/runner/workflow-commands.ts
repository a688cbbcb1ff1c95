// The runner's commands on standard output: `::name key=value,...::message`. Written here and not with @actions/core because loading that
// costs twice node's own start; a test holds each line to what @actions/core prints.
import type { FilePosition } from './failure.ts'

/** Command data as the runner unescapes it (actions/runner, ActionCommand.cs). */
export function escapeData(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
}

/** A command's property, in which `:` and `,` separate. */
export function escapeProperty(text: string): string {
  return escapeData(text).replace(/:/g, '%3A').replace(/,/g, '%2C')
}

/** One command line, without its newline. */
export function workflowCommand(
  name: string,
  properties: Readonly<Record<string, string | number | undefined>>,
  message: string,
): string {
  const list = Object.entries(properties)
    .filter((entry): entry is [string, string | number] => entry[1] !== undefined && entry[1] !== '')
    .map(([key, value]) => `${key}=${escapeProperty(String(value))}`)
    .join(',')
  return `::${name}${list === '' ? '' : ` ${list}`}::${escapeData(message)}`
}

/** An annotation on the run, at a line of the user's file where one is given. */
export function annotation(level: 'error' | 'warning' | 'notice', message: string, title?: string, at?: FilePosition): string {
  return workflowCommand(level, { title, file: at?.file, line: at?.line, col: at?.column }, message)
}
