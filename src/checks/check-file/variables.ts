// The variables of a check file: those of `with`, and the step's environment. Captures come on top of them while the checks run.
import { fillTemplate, TemplateFault } from './template.ts'

/** A variable's name that says it is secret. */
const SECRET_NAME = /auth|cookie|token|api_?-?key|secret|passw|pwd|session|signature|credential|jwt|private/i

export interface Variables {
  /** The text with `with` and `env` variables filled in. @throws TemplateFault for a name that is not known */
  fill(text: string): string
  /** Undefined where there is none of that name. */
  lookUp(name: string): string | undefined
  /** Whether a variable, or a capture, of that name is to be seen by nobody. */
  isSecret(name: string): boolean
  readonly names: readonly string[]
  /** The values to be masked. */
  readonly secrets: readonly string[]
}

/**
 * @param given the file's `with`; an entry may use those above it
 * @param env what `env.NAME` stands for
 * @param secret names that the file declares secret
 * @throws TemplateFault
 */
export function createVariables(
  given: Readonly<Record<string, string | number | boolean>>,
  env: NodeJS.ProcessEnv,
  secret: readonly string[] = [],
): Variables {
  const values = new Map<string, string>()
  const used = new Set<string>()
  const isSecret = (name: string): boolean => secret.includes(name) || SECRET_NAME.test(name)
  const lookUp = (name: string): string | undefined => {
    if (!name.startsWith('env.')) return values.get(name)
    used.add(name)
    const value = env[name.slice('env.'.length)]
    return value === '' ? undefined : value
  }
  const fill = (text: string): string =>
    fillTemplate(text, name => {
      const value = lookUp(name)
      if (value === undefined) throw new TemplateFault(missing(name, [...values.keys()]))
      return value
    })
  for (const [name, value] of Object.entries(given)) {
    try {
      values.set(name, typeof value === 'string' ? fill(value) : String(value))
    } catch (error) {
      if (error instanceof TemplateFault) error.entry = name
      throw error
    }
  }
  return {
    fill,
    lookUp,
    isSecret,
    get names() {
      return [...values.keys()]
    },
    get secrets() {
      return [...new Set([...values.keys(), ...used, ...secret])]
        .filter(isSecret)
        .flatMap(name => lookUp(name) ?? [])
        .filter(value => value !== '')
    },
  }
}

/** What to say of a variable that has no value. */
export function missing(name: string, known: readonly string[]): string {
  if (name.startsWith('env.'))
    return `uses \${${name}}, but the environment variable ${name.slice('env.'.length)} is not set or empty; set it by "env" of the workflow's step`
  return `uses \${${name}}, which is no variable${known.length === 0 ? '; there are none in "with"' : `; there are ${known.join(', ')}`}`
}
