// A value held against the demands of a check file: equal, contains, matches, above ...
import { quoted } from './answer.ts'
import type { Demands, Matcher } from './check-file/expect-schema.ts'
import { equalJson, shownJson } from './json-assertion.ts'
import { pattern, patternNow } from './pattern.ts'
import type { Scope } from './smoke/scope.ts'

export interface Matched {
  readonly holds: boolean
  /** What is demanded, in words. */
  readonly expected: string
}

/** Holds the values that were found against the demands. None: there is nothing. Several (a JSONPath found them): each must hold. */
export type CompiledMatcher = (values: readonly unknown[], scope: Scope) => Matched

const SHOWN = 160

/** Made ahead, so that an expression that is none is told before anything is asked. @throws PatternFault */
export async function compileMatcher(matcher: Matcher): Promise<CompiledMatcher> {
  const demands: Demands = typeof matcher === 'object' && matcher !== null ? matcher : { equals: matcher }
  if (demands.matches !== undefined) await pattern(demands.matches.replace(/\$\{[^}]*\}/g, 'x'))
  return (values, scope) => {
    const results = Object.entries(demands)
      .filter(([, demand]) => demand !== undefined)
      .map(([name, demand]) => judge(name as keyof Demands, demand, values, scope))
    const wrong = results.filter(result => !result.holds)
    const told = wrong.length > 0 ? wrong : results
    return { holds: wrong.length === 0, expected: told.map(result => result.expected).join(' and ') }
  }
}

function judge(name: keyof Demands, demand: unknown, values: readonly unknown[], scope: Scope): Matched {
  const each = (expected: string, holds: (value: unknown) => boolean): Matched => ({
    expected,
    holds: values.length > 0 && values.every(holds),
  })
  const number = (word: string, holds: (value: number) => boolean): Matched =>
    each(`${word} ${demand}`, value => {
      const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
      return typeof read === 'number' && Number.isFinite(read) && holds(read)
    })
  const limit = Number(demand)
  switch (name) {
    case 'equals': {
      const wanted = scope.fillJson(demand)
      return each(shown(wanted), value => isSame(value, wanted))
    }
    case 'not': {
      const unwanted = scope.fillJson(demand)
      return { expected: `anything but ${shown(unwanted)}`, holds: !values.some(value => isSame(value, unwanted)) }
    }
    case 'contains': {
      const parts = [scope.fillJson(demand)].flat()
      return each(`with ${parts.map(part => shownQuoted(part)).join(' and ')}`, value =>
        parts.every(part => contains(value, part)),
      )
    }
    case 'matches': {
      const expression = scope.fillPattern(String(demand))
      const found = patternNow(expression)
      return each(
        `that matches ${shown(expression)}`,
        value => (typeof value === 'string' || typeof value === 'number') && found(String(value)),
      )
    }
    case 'one-of': {
      const wanted = scope.fillJson(demand) as readonly unknown[]
      return each(`one of ${wanted.map(shown).join(', ')}`, value => wanted.some(other => isSame(value, other)))
    }
    case 'above':
      return number('above', value => value > limit)
    case 'at-least':
      return number('of at least', value => value >= limit)
    case 'below':
      return number('below', value => value < limit)
    case 'at-most':
      return number('of at most', value => value <= limit)
    case 'exists':
      return { expected: demand === true ? 'to be there' : 'not to be there', holds: values.length > 0 === demand }
    case 'length':
      return each(`of length ${demand}`, value => (typeof value === 'string' || Array.isArray(value)) && value.length === limit)
    case 'count':
      return { expected: `${demand} times`, holds: values.length === limit }
  }
}

/** A text and a number that are written alike are the same: headers, bodies and variables have nothing but texts. */
function isSame(value: unknown, wanted: unknown): boolean {
  if (typeof wanted === 'object' && wanted !== null) return equalJson(value, wanted)
  if (typeof value === 'object' && value !== null) return false
  return value === wanted || (wanted !== null && value !== null && String(value) === String(wanted))
}

function contains(value: unknown, part: unknown): boolean {
  if (typeof value === 'string') return value.includes(String(part))
  if (Array.isArray(value)) return value.some(entry => isSame(entry, part))
  return typeof value === 'object' && value !== null && Object.hasOwn(value, String(part))
}

/** What was found, in words, to be cut by the caller. */
export function describeValues(values: readonly unknown[]): string {
  if (values.length === 0) return 'nothing'
  const texts = values.slice(0, 5).map(value => (typeof value === 'string' ? value : shownJson(value)))
  return `${texts.join(', ')}${values.length > 5 ? ` and ${values.length - 5} more` : ''}`
}

function shown(value: unknown): string {
  const text = quoted(typeof value === 'string' ? value : shownJson(value), SHOWN).slice(1, -1)
  return text === '' ? 'an empty text' : text
}

function shownQuoted(value: unknown): string {
  return quoted(typeof value === 'string' ? value : shownJson(value), SHOWN)
}
