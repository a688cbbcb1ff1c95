// Which HTTP statuses are right: `200`, `2xx`, or several of these.
import { InputFault } from '../runner/inputs.ts'

/** One status as text (`204`), or a class of them (`2xx`). */
export type StatusPattern = string

/** The patterns of one entry, which may name several with commas between. */
export function parseStatusPatterns(entry: string): readonly StatusPattern[] {
  const patterns = entry.split(',').map(part => part.trim().toLowerCase())
  for (const pattern of patterns) {
    if (!/^[2-5](?:xx|\d\d)$/.test(pattern))
      throw new InputFault(`"${pattern}" is no HTTP status from 200 to 599; write it like 200 or 2xx`)
  }
  return patterns
}

export function matchesStatus(patterns: readonly StatusPattern[], status: number): boolean {
  return patterns.some(pattern => (pattern.endsWith('xx') ? pattern[0] === String(status)[0] : pattern === String(status)))
}

/** `200`, or `200, 204 or 3xx`. */
export function formatStatusPatterns(patterns: readonly StatusPattern[]): string {
  const last = patterns.at(-1) ?? ''
  return patterns.length < 2 ? last : `${patterns.slice(0, -1).join(', ')} or ${last}`
}
