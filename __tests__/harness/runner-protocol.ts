// What GitHub's runner reads from a step: command lines and environment files. Written from the runner's rules
// (actions/runner, ActionCommand.cs and FileCommandManager.cs), without a line of src, so that each holds the other to account.

/** One command as the runner understands it. */
export interface Command {
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
  readonly data: string
}

/** The commands a runner knows; anything else that looks like one is printed as text. */
const KNOWN = new Set([
  'add-mask',
  'add-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'notice',
  'remove-matcher',
  'save-state',
  'set-env',
  'set-output',
  'stop-commands',
  'warning',
])

/** The lines of a step's output: the runner's reader ends a line at `\n`, `\r\n` and a lone `\r`. */
export function outputLines(output: string): string[] {
  const lines = output.split(/\r\n|\r|\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** The command on a line of output, `::name key=value::data` or the older `##[name key=value]data`; undefined for plain text. */
export function parseCommand(line: string): Command | undefined {
  return parseColons(line) ?? parseBrackets(line)
}

function parseColons(line: string): Command | undefined {
  const text = line.trimStart()
  const end = text.indexOf('::', 2)
  if (!text.startsWith('::') || end < 0) return undefined
  return command(text.slice(2, end), ',', text.slice(end + 2), {
    '%0D': '\r',
    '%0A': '\n',
    '%3A': ':',
    '%2C': ',',
    '%25': '%',
  })
}

function parseBrackets(line: string): Command | undefined {
  const start = line.indexOf('##[')
  const end = line.indexOf(']', start)
  if (start < 0 || end < 0) return undefined
  return command(line.slice(start + 3, end), ';', line.slice(end + 1), {
    '%3B': ';',
    '%0D': '\r',
    '%0A': '\n',
    '%5D': ']',
    '%25': '%',
  })
}

function command(head: string, separator: ',' | ';', data: string, escapes: Record<string, string>): Command | undefined {
  const space = head.indexOf(' ')
  const name = (space < 0 ? head : head.slice(0, space)).toLowerCase()
  if (!KNOWN.has(name)) return undefined
  const properties: Record<string, string> = {}
  for (const property of space < 0
    ? []
    : head
        .slice(space + 1)
        .trim()
        .split(separator)) {
    const equals = property.indexOf('=')
    if (equals > 0 && equals < property.length - 1) {
      properties[property.slice(0, equals)] = unescaped(property.slice(equals + 1), escapes)
    }
  }
  const inData = separator === ',' ? { '%0D': '\r', '%0A': '\n', '%25': '%' } : escapes
  return { name, properties, data: unescaped(data, inData) }
}

/** One replacement after the other in the order given, `%25` last, as the runner does it. */
function unescaped(text: string, escapes: Record<string, string>): string {
  return Object.entries(escapes).reduce((plain, [escaped, token]) => plain.replaceAll(escaped, token), text)
}

/**
 * The values in a GITHUB_OUTPUT, GITHUB_STATE or GITHUB_ENV file: `name=value` lines and `name<<delimiter` blocks; a later value of the same name wins.
 * @throws Error as the runner does, and then fails the step
 */
export function parseKeyValueFile(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line === '') continue
    const equals = line.indexOf('=')
    const heredoc = line.indexOf('<<')
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      if (equals === 0) throw new Error(`Invalid format '${line}'. Name must not be empty`)
      values[line.slice(0, equals)] = line.slice(equals + 1)
    } else if (heredoc >= 0) {
      const [name, delimiter] = [line.slice(0, heredoc), line.slice(heredoc + 2)]
      if (name === '' || delimiter === '') {
        throw new Error(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`)
      }
      const end = lines.indexOf(delimiter, index + 1)
      if (end < 0) throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`)
      values[name] = lines.slice(index + 1, end).join('\n')
      index = end
    } else {
      throw new Error(`Invalid format '${line}'`)
    }
  }
  return values
}

/** The variable by which the runner hands an input to an action. */
export function inputVariable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
}
