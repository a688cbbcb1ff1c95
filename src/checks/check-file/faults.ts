// What zod finds wrong, as sentences for the author of a check file: the key, what is wrong with it, and the nearest key that is right.
import type { z } from 'zod'
import { closest } from '../../runner/closest-name.ts'
import { foreignLine } from '../../runner/foreign-text.ts'

/** One fault. `key`: it is the key's name at `path` that is wrong, not its value. */
export interface Fault {
  readonly path: readonly PropertyKey[]
  readonly key?: string
  readonly message: string
}

type Issue = z.core.$ZodIssue

/** Handed to zod's parse: names all keys that an object knows where it has one that it does not. */
export const describeIssue: z.core.$ZodErrorMap = issue => {
  if (issue.code === 'unrecognized_keys') {
    const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape
    return `knows ${Object.keys(shape ?? {}).join(', ')}`
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'is missing'
  if (issue.code === 'invalid_type') return `must be ${NAMES[issue.expected] ?? issue.expected}`
  if (issue.code === 'too_small' && issue.origin === 'array') return 'must not be empty'
  if (issue.code === 'invalid_value')
    return `must be ${issue.values
      .map(value => String(value))
      .join(', ')
      .replace(/, ([^,]*)$/, ' or $1')}`
  return undefined
}

const NAMES: Readonly<Record<string, string>> = {
  object: 'a map of keys and values',
  record: 'a map of keys and values',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
}

/** All faults, the outermost first. */
export function faultsOf(issues: readonly Issue[], above: readonly PropertyKey[] = []): Fault[] {
  return issues.filter(issue => !isConsequence(issue, issues)).flatMap(issue => faultsOfIssue(issue, above))
}

/** Where a key is misspelt, that the right one is missing is no fault of its own. */
function isConsequence(issue: Issue, all: readonly Issue[]): boolean {
  return (
    issue.code === 'custom' && all.some(other => other.code === 'unrecognized_keys' && other.path.join() === issue.path.join())
  )
}

function faultsOfIssue(issue: Issue, above: readonly PropertyKey[]): Fault[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.replace(/^knows /, '').split(', ')
    return issue.keys.map(key => {
      const near = closest(key, known)
      const hint = near === undefined ? `known here: ${issue.message.replace(/^knows /, '')}` : `did you mean ${near}?`
      return { path, key, message: `"${foreignLine(key, 80)}" is no key that is known here; ${hint}` }
    })
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return faultsOfUnion(issue, path)
  if (issue.code === 'invalid_key')
    return [{ path, key: String(path.at(-1) ?? ''), message: issue.issues[0]?.message ?? issue.message }]
  return [{ path, message: issue.message }]
}

/** Of several shapes that a value may have, the one that its author seems to have meant: that which it fits best. */
function faultsOfUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: readonly PropertyKey[]): Fault[] {
  const shapes = issue.errors.filter(issues => !issues.some(each => each.code === 'invalid_type' && each.path.length === 0))
  const best = [...shapes].sort((a, b) => misfit(a) - misfit(b))[0]
  if (best === undefined)
    return [{ path, message: issue.message === 'Invalid input' ? alternatives(issue.errors) : issue.message }]
  return faultsOf(best as Issue[], path)
}

function alternatives(errors: readonly (readonly Issue[])[]): string {
  const all = [...new Set(errors.flat().map(each => each.message.replace(/^must be /, '')))]
  return `must be ${all.join(' or ')}`
}

/** Keys that a shape does not know weigh most: they say what was meant. */
function misfit(issues: readonly Issue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 3 * issue.keys.length : 1), 0)
}
