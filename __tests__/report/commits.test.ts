import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { commitsBetween, commitsSection } from '../../src/report/commits.ts'

const env = { ...process.env, GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'acme/web' }
const folder = mkdtempSync(join(tmpdir(), 'commits-'))
const shas: string[] = []
const git = (...argv: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Jo', '-c', 'user.email=jo@example.com', ...argv], {
    cwd: folder,
    encoding: 'utf8',
  }).trim()

beforeAll(() => {
  git('init', '-q')
  for (const subject of ['one', 'two <b>\u202e @all', '::error::three']) {
    git('commit', '-q', '--allow-empty', '-m', subject)
    shas.push(git('rev-parse', 'HEAD'))
  }
})
afterAll(() => rmSync(folder, { recursive: true }))
const sha = (index: number): string => shas[index] ?? ''
const UNKNOWN = 'f'.repeat(40)

describe('the commits between two releases', () => {
  test.each<[what: string, from: () => string, to: () => string, direction: string | undefined, subjects: readonly string[]]>([
    ['forward', () => sha(0), () => sha(2), 'forward', [':\u200b:error::three', 'two <b> @all']],
    ['back', () => sha(1), () => sha(0), 'back', ['two <b> @all']],
    ['the same', () => sha(1), () => sha(1), 'same', []],
    ['one that the checkout does not have', () => UNKNOWN, () => sha(1), 'unknown', []],
    ['none is known of the one before', () => '', () => sha(1), undefined, []],
    ['what is no commit is never handed to git', () => '--output=/tmp/x', () => sha(1), undefined, []],
  ])('%s', async (_, from, to, direction, subjects) => {
    const found = await commitsBetween(from(), to(), folder, env)
    expect(found?.direction).toBe(direction)
    expect(found?.commits.map(({ subject }) => subject) ?? []).toEqual(subjects)
  })

  test('without a checkout there is the link', async () => {
    const section = commitsSection(await commitsBetween(sha(0), sha(1), '/nowhere', env))
    expect(section).toMatch(
      /^From another commit than before: \[`\w{7}` → `\w{7}`\]\(https:\/\/github\.com\/acme\/web\/compare\/\w{40}\.\.\.\w{40}\)$/,
    )
  })

  test('subjects are foreign text', async () => {
    expect(commitsSection(await commitsBetween(sha(0), sha(2), folder, env))).toContain('two &lt;b&gt; @\u200ball')
  })

  test('twenty are shown', () => {
    const commits = Array.from({ length: 20 }, () => ({ sha: UNKNOWN, subject: 's' }))
    expect(commitsSection({ from: UNKNOWN, to: UNKNOWN, direction: 'forward', commits, count: 25, link: '' })).toMatch(
      /- and 5 more$/,
    )
  })
})
