// The JSON report of checks, as a file.
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes the report as JSON, secrets blotted out, and returns its path. */
export async function writeCheckReport(
  report: unknown,
  folder: string,
  redact: (text: string) => string,
  name = 'smoke-test',
): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${name}-${randomUUID().slice(0, 8)}.json`)
  const redacted = (_key: string, value: unknown): unknown => (typeof value === 'string' ? redact(value) : value)
  await writeFile(file, `${JSON.stringify(report, redacted, 2)}\n`)
  return file
}
