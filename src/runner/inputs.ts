// Typed inputs, declared once for each action: they are parsed from this declaration, and action.yml and the README are held against it by a test.

import { closest } from './closest-name.ts'
import { parseDuration } from './duration.ts'
import { ExpectedFailure } from './failure.ts'

/** One input's declaration. Made by `text`, `list`, `boolean`, `duration`, `choice` and `integer`. */
export interface InputSpec<T> {
  readonly kind: 'text' | 'list' | 'boolean' | 'duration' | 'choice' | 'integer'
  readonly required: boolean
  /** The default as action.yml spells it; empty where there is none. */
  readonly default: string
  /** The value, or throws InputFault. Never called with the empty text of an input that is not required and has no default, except for `text` and `list`. */
  parse(raw: string): T
  /** The parts of the raw value that must never be seen in a log. */
  secrets(raw: string): readonly string[]
}

export type InputSpecs = Readonly<Record<string, InputSpec<unknown>>>

/** The parsed values, under the inputs' own names. */
export type InputValues<S extends InputSpecs> = { readonly [K in keyof S]: S[K] extends InputSpec<infer T> ? T : never }

/** What is wrong with one input, said after `<name>: `. */
export class InputFault extends Error {}

interface CommonOptions {
  readonly required?: boolean
  readonly default?: string
  /** `true`: the whole value is secret. A function names the secret parts of it. */
  readonly secret?: boolean | ((raw: string) => readonly string[])
}

function spec<T>(kind: InputSpec<T>['kind'], options: CommonOptions, parse: (raw: string) => T): InputSpec<T> {
  const { secret } = options
  return {
    kind,
    required: options.required ?? false,
    default: options.default ?? '',
    parse,
    secrets: raw => (typeof secret === 'function' ? secret(raw) : secret === true && raw !== '' ? [raw] : []),
  }
}

/** Free text, trimmed. With `parse` it becomes something else, and `parse` throws InputFault for what it does not take. */
export function text(options?: CommonOptions): InputSpec<string>
export function text<T>(options: CommonOptions & { readonly parse: (raw: string) => T }): InputSpec<T>
export function text<T>(options: CommonOptions & { readonly parse?: (raw: string) => T } = {}): InputSpec<T | string> {
  return spec('text', options, raw => (options.parse === undefined ? raw : options.parse(raw)))
}

/** One entry a line; empty lines and lines that start with `#` are passed over. With `each`, every entry is parsed by it. */
export function list(options?: CommonOptions): InputSpec<readonly string[]>
export function list<T>(options: CommonOptions & { readonly each: (entry: string) => T }): InputSpec<readonly T[]>
export function list<T>(
  options: CommonOptions & { readonly each?: (entry: string) => T } = {},
): InputSpec<readonly (T | string)[]> {
  return spec('list', options, raw => {
    const entries = raw
      .split(/\r?\n/)
      .map(line => line.trim())
      .filter(line => line !== '' && !line.startsWith('#'))
    return options.each === undefined ? entries : eachEntry(entries, options.each)
  })
}

/** All entries parsed, or one InputFault that tells the faults of all of them. */
function eachEntry<T>(entries: readonly string[], each: (entry: string) => T): T[] {
  const faults: string[] = []
  const values = entries.flatMap(entry => {
    try {
      return [each(entry)]
    } catch (error) {
      if (!(error instanceof InputFault)) throw error
      faults.push(error.message)
      return []
    }
  })
  if (faults.length > 0) throw new InputFault(faults.map(fault => fault.replace(/\.$/, '')).join('; '))
  return values
}

/** YAML 1.2's `true` and `false`, in the three spellings of its core schema. */
export function boolean(options: { readonly default: 'true' | 'false' }): InputSpec<boolean> {
  return spec('boolean', options, raw => {
    if (/^(true|True|TRUE)$/.test(raw)) return true
    if (/^(false|False|FALSE)$/.test(raw)) return false
    throw new InputFault(`"${raw}" is neither true nor false`)
  })
}

/** Milliseconds, from `90s`, `10m`, `1h30m`; at most 24 h. */
export function duration(options: { readonly default: string; readonly atLeast?: string }): InputSpec<number> {
  const least = options.atLeast === undefined ? 0 : (parseDuration(options.atLeast) ?? 0)
  return spec('duration', options, raw => {
    const value = parseDuration(raw)
    if (value === undefined) throw new InputFault(`"${raw}" is no duration; write it like 90s, 10m or 1h30m (24h at most)`)
    if (value < least) throw new InputFault(`"${raw}" is less than the ${options.atLeast} it must have at least`)
    return value
  })
}

export function choice<const C extends readonly string[]>(
  choices: C,
  options: { readonly default: C[number] },
): InputSpec<C[number]> {
  return spec('choice', options, raw => {
    if ((choices as readonly string[]).includes(raw)) return raw as C[number]
    const near = closest(raw, choices)
    throw new InputFault(`"${raw}" is none of ${choices.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`)
  })
}

/** A whole number within bounds. */
export function integer(options: { readonly default: string; readonly min: number; readonly max: number }): InputSpec<number> {
  return spec('integer', options, raw => {
    const value = Number(raw)
    if (!/^\d+$/.test(raw) || value < options.min || value > options.max) {
      throw new InputFault(`"${raw}" is no whole number from ${options.min} to ${options.max}`)
    }
    return value
  })
}

/** The variable under which the runner hands over an input: only spaces are replaced, a hyphen stays. */
export function inputVariable(name: string): string {
  return `INPUT_${name.replace(/ /g, '_').toUpperCase()}`
}

/**
 * The secret parts of all inputs, right or wrong: to be masked before anything else is printed.
 * An input whose secret parts can't be told, because it is not what it should be, is secret as a whole.
 */
export function inputSecrets(specs: InputSpecs, env: NodeJS.ProcessEnv): readonly string[] {
  return Object.entries(specs).flatMap(([name, input]) => {
    const raw = rawValue(name, input, env)
    try {
      return input.secrets(raw)
    } catch (error) {
      if (!(error instanceof InputFault)) throw error
      return [raw]
    }
  })
}

function rawValue(name: string, input: InputSpec<unknown>, env: NodeJS.ProcessEnv): string {
  const given = (env[inputVariable(name)] ?? '').trim()
  return given === '' ? input.default : given
}

/**
 * All inputs parsed from the runner's variables.
 * @param check faults that only several inputs together show
 * @throws ExpectedFailure InvalidInput that names all faults of all inputs at once
 */
export function readInputs<S extends InputSpecs>(
  specs: S,
  env: NodeJS.ProcessEnv,
  check: (values: InputValues<S>) => readonly string[] = () => [],
  notYet: readonly string[] = [],
): InputValues<S> {
  const faults = notYet
    .filter(name => !['', 'false', 'none'].includes((env[inputVariable(name)] ?? '').trim()))
    .map(name => `${name}: is planned and not there yet; without it nothing of what it is for would be done`)
  const values: Record<string, unknown> = {}
  for (const [name, input] of Object.entries(specs)) {
    const raw = rawValue(name, input, env)
    if (raw === '' && input.required) {
      faults.push(`${name}: is required and was not given`)
      continue
    }
    try {
      values[name] = input.parse(raw)
    } catch (error) {
      if (!(error instanceof InputFault)) throw error
      faults.push(`${name}: ${error.message}`)
    }
  }
  if (faults.length === 0) faults.push(...check(values as InputValues<S>))
  if (faults.length > 0) {
    const intro = faults.length === 1 ? 'One input is wrong' : `${faults.length} inputs are wrong`
    throw new ExpectedFailure(
      'InvalidInput',
      `${intro}; nothing was changed. ${faults.map(fault => fault.replace(/\.?$/, '.')).join(' ')}`,
    )
  }
  return values as InputValues<S>
}

/** Sentences about inputs that are not known, each with the nearest name: they are passed over, and perhaps were meant for another. */
export function unknownInputs(specs: InputSpecs, env: NodeJS.ProcessEnv, notYet: readonly string[] = []): string[] {
  const known = new Set([...Object.keys(specs), ...notYet].map(inputVariable))
  return Object.keys(env)
    .filter(variable => variable.startsWith('INPUT_') && !known.has(variable) && env[variable] !== '')
    .map(variable => {
      const name = variable.slice('INPUT_'.length).toLowerCase()
      const near = closest(name, Object.keys(specs))
      return `The input "${name}" is not known and was passed over${near === undefined ? '' : `; did you mean "${near}"?`}`
    })
}
