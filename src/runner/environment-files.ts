// The files through which a step hands values to the runner: GITHUB_OUTPUT, GITHUB_STATE and GITHUB_ENV.
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'

/** `name<<delimiter` block for an environment file. The delimiter is random, so that no value can end it early. */
export function keyValueBlock(name: string, value: string, delimiter = `ghadelimiter_${randomUUID()}`): string {
  if (name.includes(delimiter) || value.includes(delimiter)) throw new Error(`the value of ${name} contains the delimiter`)
  return `${name}<<${delimiter}\n${value}\n${delimiter}\n`
}

/** Appends one value to the environment file named by `variable`; outside a runner, where it is not set, nothing is written. */
export function writeKeyValue(
  env: NodeJS.ProcessEnv,
  variable: 'GITHUB_OUTPUT' | 'GITHUB_STATE' | 'GITHUB_ENV',
  name: string,
  value: string,
): void {
  const file = env[variable]
  if (file !== undefined && file !== '') appendFileSync(file, keyValueBlock(name, value))
}
