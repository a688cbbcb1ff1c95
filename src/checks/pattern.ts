// Regular expressions in the syntax of RE2, which take time in proportion to the text: what a server sends can't make one run for ever.
import type { RE2JS } from 're2js'

/** Whether the expression is found in a text. */
export type Pattern = (text: string) => boolean

/** What is wrong with an expression. */
export class PatternFault extends Error {}

let library: typeof RE2JS | undefined
const compiled = new Map<string, Pattern>()
const KEPT = 1_000

/** @throws PatternFault */
export async function pattern(expression: string): Promise<Pattern> {
  library ??= (await import('re2js')).RE2JS
  return patternNow(expression)
}

/** @throws PatternFault, or Error before `pattern` has been awaited once */
export function patternNow(expression: string): Pattern {
  if (library === undefined) throw new Error('regular expressions are used before they are loaded')
  const known = compiled.get(expression)
  if (known !== undefined) return known
  try {
    const program = library.compile(expression)
    const found: Pattern = text => program.matcher(text).find()
    if (compiled.size >= KEPT) compiled.clear()
    compiled.set(expression, found)
    return found
  } catch (error) {
    throw new PatternFault(`is no regular expression of RE2: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The same, and undefined for what is no expression. */
export function compiledPattern(expression: string): Pattern | undefined {
  try {
    return patternNow(expression)
  } catch (error) {
    if (error instanceof PatternFault) return undefined
    throw error
  }
}

/** The text as an expression that finds it and nothing else. */
export function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
