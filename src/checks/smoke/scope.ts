// The variables as a step sees them: those of the file, and what earlier steps have captured. What was captured is foreign: it is put in as a value,
// written as the place needs it, and never read as anything else.

import { fillTemplate, parseTemplate, TemplateFault } from '../check-file/template.ts'
import { missing, type Variables } from '../check-file/variables.ts'
import { shownJson } from '../json-assertion.ts'
import { literal } from '../pattern.ts'
import type { Captured } from '../verdict.ts'

/** An address with its variables filled in. `foreign`: it is a captured one as a whole, so a server has chosen where it leads. */
export interface FilledAddress extends Pick<Captured, 'from' | 'service'> {
  readonly text: string
  readonly foreign: boolean
}

export interface Scope {
  /** @throws TemplateFault */
  fill(text: string): string
  /** A text that is nothing but one variable becomes the captured value itself: a number stays one. */
  fillJson(value: unknown): unknown
  /** Captured values become a part of a path or a query, never more of an address than that. */
  fillAddress(text: string): FilledAddress
  /** Captured values stand for themselves and not for an expression. */
  fillPattern(text: string): string
  /** One argument of a program. A captured value alone can't become an option. */
  fillArgument(text: string): string
}

export function createScope(variables: Variables, captures: ReadonlyMap<string, Captured>): Scope {
  const lookUp = (name: string): string => {
    const captured = captures.get(name)
    const value = captured === undefined ? variables.lookUp(name) : textOf(captured.value)
    if (value === undefined) throw new TemplateFault(missing(name, [...variables.names, ...captures.keys()]))
    return value
  }
  const fill = (text: string): string => fillTemplate(text, lookUp)
  const alone = (text: string): Captured | undefined => {
    const [part, ...more] = parseTemplate(text)
    return part !== undefined && 'name' in part && more.length === 0 ? captures.get(part.name) : undefined
  }
  const fillJson = (value: unknown): unknown => {
    if (typeof value === 'string') {
      const captured = alone(value)
      return captured === undefined ? fill(value) : captured.value
    }
    if (Array.isArray(value)) return value.map(fillJson)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fillJson(each)]))
  }
  return {
    fill,
    fillJson,
    fillAddress: text => {
      const captured = alone(text)
      if (captured !== undefined) return { ...captured, text: textOf(captured.value), foreign: true }
      return {
        text: fillTemplate(text, name => (captures.has(name) ? asPathPart(lookUp(name), name) : lookUp(name))),
        foreign: false,
      }
    },
    fillPattern: text => fillTemplate(text, name => (captures.has(name) ? literal(lookUp(name)) : lookUp(name))),
    fillArgument: text => {
      const filled = fill(text)
      const [first] = parseTemplate(text)
      if (filled.startsWith('-') && first !== undefined && 'name' in first && captures.has(first.name))
        throw new TemplateFault(
          `would become an option of the program by \${${first.name}}, whose captured value starts with "-"`,
        )
      if (filled.includes('\0')) throw new TemplateFault('has a NUL character in a captured value')
      return filled
    },
  }
}

/** `.` and `..` are no name of anything in a path, encoded or not. */
function asPathPart(value: string, name: string): string {
  if (/^\.{0,2}$/.test(value))
    throw new TemplateFault(`has "${value}" captured as \${${name}}, which cannot be a part of an address`)
  return encodeURIComponent(value.toWellFormed())
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : shownJson(value)
}
