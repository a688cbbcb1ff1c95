// env.json as shell lines.
import type { EnvironmentFile } from './state.ts'

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** `export` lines for a POSIX shell. */
export function exportLines(environment: EnvironmentFile): string {
  const { PATH_PREPEND: folders = [], ...rest } = environment
  const lines = Object.entries(rest).map(([name, value]) => `export ${name}=${quote(String(value))}`)
  if (folders.length > 0) lines.push(`export PATH=${quote(folders.join(':'))}:"$PATH"`)
  return `${lines.join('\n')}\n`
}
