// The job summary: the Markdown report on the run's page, and the same as a file for later steps.
import { randomUUID } from 'node:crypto'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What one step's summary may hold, in bytes: GitHub drops a larger one whole. */
const LIMIT_BYTES = 1024 * 1024
const ROOM_FOR_NOTE_BYTES = 4_096

/** Appends `markdown` to the job summary and writes it to a file of its own under RUNNER_TEMP. Returns that file's path. */
export async function appendJobSummary(env: NodeJS.ProcessEnv, markdown: string, action: string): Promise<string | undefined> {
  const kept = cutToBytes(markdown, LIMIT_BYTES - ROOM_FOR_NOTE_BYTES)
  const page = env['GITHUB_STEP_SUMMARY'] ?? ''
  if (page !== '') await appendFile(page, `${kept}\n`)
  const folder = env['RUNNER_TEMP'] ?? ''
  if (folder === '') return undefined
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${action}-${randomUUID().slice(0, 8)}.md`)
  await writeFile(file, kept)
  return file
}

function cutToBytes(markdown: string, limit: number): string {
  if (Buffer.byteLength(markdown) <= limit) return markdown
  const whole = Buffer.from(markdown)
    .subarray(0, limit)
    .toString()
    .replace(/\ufffd$/, '')
  return `${whole}\n\n(The report was cut here: a step's summary holds 1 MiB.)\n`
}
