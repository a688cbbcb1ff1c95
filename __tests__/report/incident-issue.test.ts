import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// Loaded here, where no test waits for it.
import '@actions/github'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type GitHub, startGitHub } from '../../sandbox/github/server.ts'
import { reportIncident } from '../../src/report/incident-issue.ts'

const folder = mkdtempSync(join(tmpdir(), 'incident-'))
let github: GitHub
beforeAll(async () => {
  execFileSync('git', ['init', '-q'], { cwd: folder })
  github = await startGitHub({ repositories: { 'acme/web': folder } })
})
afterAll(async () => {
  await github.close()
  rmSync(folder, { recursive: true })
})

const env = (repository = 'acme/web'): NodeJS.ProcessEnv => ({ GITHUB_REPOSITORY: repository, GITHUB_API_URL: github.url })
const incident = (subject: string, report = 'It crashed.'): Parameters<typeof reportIncident>[0] => ({
  subject,
  title: 'Rolled back',
  report,
})
const read = async (path: string): Promise<unknown> =>
  (await fetch(`${github.url}/repos/acme/web/issues${path}`, { headers: { authorization: 'token sandbox-token' } })).json()

test('one open issue for an app, commented on by further rollbacks; another app has its own', async () => {
  const options = { token: 'sandbox-token', env: env() }
  const first = await reportIncident(incident('k8s://shop/web'), options)
  const again = await reportIncident(incident('k8s://shop/web', 'x'.repeat(100_000)), options)
  const other = await reportIncident(incident('k8s://shop/web-admin'), options)
  expect([again, other]).toEqual([first, first + 1])
  expect(await read(`/${first}`)).toMatchObject({ title: 'Rolled back', labels: [{ name: 'incident' }], comments: 1 })
  const [comment] = (await read(`/${first}/comments`)) as { body: string }[]
  expect(comment?.body.length).toBeLessThan(65_536)
  expect(comment?.body).toMatch(/The report was cut here/)
})

test.each<[what: string, token: string, repository: string, reason: string, says: RegExp]>([
  ['a token that may not', 'sandbox-token-read', 'acme/web', 'Forbidden', /acme\/web was not written.*issues: write/],
  ['a token that is none', 'nonsense', 'acme/web', 'Forbidden', /issues: write/],
  ['a repository that is not there', 'sandbox-token', 'acme/none', 'Forbidden', /acme\/none/],
  ['no repository', 'sandbox-token', '', 'InvalidInput', /GITHUB_REPOSITORY/],
])('%s is said', async (_, token, repository, reason, says) => {
  const tried = reportIncident(incident('k8s://shop/other'), { token, env: env(repository) })
  await expect(tried).rejects.toMatchObject({ reason, message: expect.stringMatching(says) })
})
