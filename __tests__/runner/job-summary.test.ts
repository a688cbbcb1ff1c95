// The job summary: appended to the page, kept as a file, and never longer than GitHub takes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals'
import { appendJobSummary } from '../../src/runner/job-summary.ts'

const folder = mkdtempSync(join(tmpdir(), 'job-summary-'))
const page = join(folder, 'page.md')
beforeEach(() => writeFileSync(page, '# Before\n'))
afterAll(() => rmSync(folder, { recursive: true }))

test('is appended to the page and written to a file of its own', async () => {
  const env = { GITHUB_STEP_SUMMARY: page, RUNNER_TEMP: join(folder, 'not', 'there', 'yet') }
  const [first, second] = [await appendJobSummary(env, '# A', 'web'), await appendJobSummary(env, '# B', 'web')]
  expect(readFileSync(page, 'utf8')).toBe('# Before\n# A\n# B\n')
  expect(readFileSync(first ?? '', 'utf8')).toBe('# A')
  expect(first).toMatch(/\/not\/there\/yet\/web-[0-9a-f]{8}\.md$/)
  expect(second).not.toBe(first)
})

describe('outside a runner', () => {
  test.each([[{}], [{ GITHUB_STEP_SUMMARY: '', RUNNER_TEMP: '' }]])('%j nothing is written', async env => {
    expect(await appendJobSummary(env, '# A', 'web')).toBeUndefined()
  })
})

test.each([
  ['ASCII', 'x'],
  ['two bytes', 'ü'],
  ['three bytes', '漢'],
  ['four bytes', '🚀'],
])('a report of %s that is too long is cut between characters, within 1 MiB, and says so', async (_, character) => {
  await appendJobSummary({ GITHUB_STEP_SUMMARY: page }, character.repeat(2 * 1024 * 1024), 'web')
  const bytes = readFileSync(page)
  expect(bytes.length).toBeLessThanOrEqual(1024 * 1024)
  expect(bytes.length).toBeGreaterThan(1024 * 1024 - 8_192)
  expect(bytes.toString()).toMatch(new RegExp(`${character}\n\n\\(The report was cut here[^\n]*\\)\n\n?$`, 'u'))
  expect(bytes.toString()).not.toContain('\ufffd')
})
