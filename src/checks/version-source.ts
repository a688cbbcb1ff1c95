// Where an answer says which version gave it: a place in its JSON body, a header, or the whole body.
import { InputFault } from '../runner/inputs.ts'
import { type AnswerContent, readJson } from './answer.ts'
import { shownJson } from './json-assertion.ts'
import { formatJsonPath, type JsonPath, parseJsonPath, readJsonPath } from './json-path.ts'

export type VersionSource =
  | { readonly kind: 'json'; readonly path: JsonPath }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'body' }

/** `.version`, `header:x-version` or `body`. @throws InputFault */
export function parseVersionSource(text: string): VersionSource {
  if (text === 'body') return { kind: 'body' }
  const header = /^header:\s*(.*)$/i.exec(text)?.[1]
  if (header !== undefined) {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(header)) throw new InputFault(`"${header}" is no header's name`)
    return { kind: 'header', name: header.toLowerCase() }
  }
  if (text.startsWith('.') || text.startsWith('[')) return { kind: 'json', path: parseJsonPath(text) }
  throw new InputFault(`"${text}" is none of a path such as .version, header:<name>, or body`)
}

export function formatVersionSource(source: VersionSource): string {
  if (source.kind === 'json') return formatJsonPath(source.path)
  return source.kind === 'header' ? `the header ${source.name}` : 'the body'
}

/** The version as the answer gives it, or why it gives none. */
export function readVersion(
  answer: AnswerContent,
  source: VersionSource,
): { readonly version: string } | { readonly none: string } {
  if (source.kind === 'body') return { version: answer.body.trim() }
  if (source.kind === 'header') {
    const value = answer.headers[source.name]
    return value === undefined
      ? { none: `no header ${source.name}` }
      : { version: Array.isArray(value) ? value.join(', ') : value }
  }
  const json = readJson(answer)
  if ('unreadable' in json) return { none: json.unreadable }
  const value = readJsonPath(json.document, source.path)
  if (value === undefined) return { none: `nothing at ${formatJsonPath(source.path)}` }
  return { version: typeof value === 'string' ? value : shownJson(value) }
}
