// A path into a JSON document: `.version`, `.items[0].ok`, `.labels["app.kubernetes.io/name"]`, `.[0]`, and `.` for all of it.
import { InputFault } from '../runner/inputs.ts'

/** Text names a member of an object, a number counts in a list. */
export type JsonPath = readonly (string | number)[]

const MEMBER = /^\.([A-Za-z_$][\w$-]*)/
const INDEX = /^\.?\[(\d{1,9})\]/
const QUOTED = /^\.?\[("(?:[^"\\]|\\.)*")\]/
const LONGEST = 1_000

/** The path that `text` starts with, and what follows it. @throws InputFault where there is none */
export function takeJsonPath(text: string): { readonly path: JsonPath; readonly rest: string } {
  if (!text.startsWith('.') && !text.startsWith('['))
    throw new InputFault(`"${cut(text)}" does not start with a path such as .version`)
  const path: (string | number)[] = []
  let rest = text
  for (;;) {
    const [whole = '', found = ''] = MEMBER.exec(rest) ?? INDEX.exec(rest) ?? QUOTED.exec(rest) ?? []
    if (whole === '') break
    path.push(found.startsWith('"') ? unquote(found) : /^\d/.test(found) ? Number(found) : found)
    rest = rest.slice(whole.length)
  }
  if (path.length === 0 && rest.startsWith('.')) rest = rest.slice(1)
  if (text.length - rest.length > LONGEST) throw new InputFault(`the path "${cut(text)}" is longer than ${LONGEST} characters`)
  return { path, rest }
}

/** @throws InputFault when `text` is anything but one path */
export function parseJsonPath(text: string): JsonPath {
  const { path, rest } = takeJsonPath(text)
  if (rest !== '') {
    throw new InputFault(
      `"${cut(text)}" is no path from "${cut(rest)}" on; a member with other characters is written ["like this"]`,
    )
  }
  return path
}

export function formatJsonPath(path: JsonPath): string {
  const text = path
    .map(part =>
      typeof part === 'number' ? `[${part}]` : MEMBER.exec(`.${part}`)?.[1] === part ? `.${part}` : `[${JSON.stringify(part)}]`,
    )
    .join('')
  return text.startsWith('.') ? text : `.${text}`
}

/** What stands at `path`: own members only, so that no prototype's is taken for the document's. Undefined where there is nothing. */
export function readJsonPath(document: unknown, path: JsonPath): unknown {
  let value = document
  for (const part of path) {
    if (Array.isArray(value)) {
      if (typeof part !== 'number') return undefined
      value = value[part]
    } else if (typeof value === 'object' && value !== null) {
      if (typeof part !== 'string' || !Object.hasOwn(value, part)) return undefined
      value = (value as Record<string, unknown>)[part]
    } else return undefined
  }
  return value
}

function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    throw new InputFault(`${cut(quoted)} is no text as JSON quotes it`)
  }
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
