// One demand on a JSON body: `.path.to=value`.
import { InputFault } from '../runner/inputs.ts'
import { formatJsonPath, type JsonPath, readJsonPath, takeJsonPath } from './json-path.ts'

export interface JsonAssertion {
  readonly path: JsonPath
  /** As written after the `=`, spaces around it dropped. */
  readonly expected: string
}

/** @throws InputFault for an entry that is not `.path=value` */
export function parseJsonAssertion(entry: string): JsonAssertion {
  const form = 'write it like .version=1.4.2 or .items[0].ok=true'
  if (!entry.includes('=')) throw new InputFault(`"${cut(entry)}" has no =; ${form}`)
  const { path, rest } = takeJsonPath(entry)
  const equals = rest.trimStart()
  if (!equals.startsWith('=')) throw new InputFault(`"${cut(entry)}" is no path up to its =, from "${cut(rest)}" on; ${form}`)
  if (equals.startsWith('=='))
    throw new InputFault(`"${cut(entry)}" has two =; ${form}, or quote a value that starts with = like ."a"="=b"`)
  return { path, expected: equals.slice(1).trim() }
}

export function formatJsonAssertion({ path, expected }: JsonAssertion): string {
  return `${formatJsonPath(path)}=${expected}`
}

/** Whether the document says what is asked, and what it says in its place. */
export function evaluateJsonAssertion(
  document: unknown,
  { path, expected }: JsonAssertion,
): { readonly holds: boolean; readonly came: string } {
  const value = readJsonPath(document, path)
  return { holds: value !== undefined && meets(value, expected), came: value === undefined ? 'nothing' : shownJson(value) }
}

/**
 * A text in the document meets `expected` letter by letter (or quoted, as JSON would write it); anything else meets it as a JSON value, so that `1.0` is
 * the number 1 and the order of an object's members does not count. The text "true" is met by `true` too, for `expected` bears no quotes as a rule.
 */
function meets(value: unknown, expected: string): boolean {
  if (value === expected) return true
  let wanted: unknown
  try {
    wanted = JSON.parse(expected)
  } catch {
    return false
  }
  return equalJson(value, wanted)
}

/** Whether two JSON values are the same. The depth is that of `wanted`, which the user wrote. */
export function equalJson(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return value === wanted
  if (typeof value !== 'object' || value === null || Array.isArray(value) !== Array.isArray(wanted)) return false
  const names = Object.keys(wanted)
  return (
    names.length === Object.keys(value).length &&
    names.every(
      name =>
        Object.hasOwn(value, name) &&
        equalJson((value as Record<string, unknown>)[name], (wanted as Record<string, unknown>)[name]),
    )
  )
}

/** A JSON value as text, for a sentence; the caller cuts it. */
export function shownJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'nothing'
  } catch {
    return 'a value too deep to be shown'
  }
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
