// The fake of GitHub's API, driven by the Octokit that actions use, every answer held against GitHub's OpenAPI description.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getOctokit } from '@actions/github'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type GitHub, startGitHub } from '../../../sandbox/github/server.ts'
import { type Slice, slicePath } from '../../../scripts/openapi-slice.ts'
import { answerFaults } from './openapi.ts'

const slice = JSON.parse(readFileSync(slicePath, 'utf8')) as Slice
const folder = mkdtempSync(join(tmpdir(), 'github-'))
const shas: string[] = []
let github: GitHub
/** Which calls were answered, with which status. */
const seen = new Set<string>()
const faults: string[] = []

function git(...args: string[]): string {
  const identity = {
    GIT_AUTHOR_NAME: 'Jo',
    GIT_AUTHOR_EMAIL: '7+jo@users.noreply.github.com',
    GIT_AUTHOR_DATE: '2026-03-01T10:00:00+02:00',
    GIT_COMMITTER_NAME: 'Al',
    GIT_COMMITTER_EMAIL: 'al@example.com',
  }
  return execFileSync('git', args, { cwd: folder, env: { ...process.env, ...identity }, encoding: 'utf8' }).trim()
}

function commit(message: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  git('add', '-A')
  git('commit', '-qm', message)
  shas.push(git('rev-parse', 'HEAD'))
}

beforeAll(() => {
  git('init', '-q', '-b', 'main')
  commit('one', { 'a.txt': 'a\nb\nc\n', 'b.txt': 'b\n' })
  git('tag', 'v1.0.0')
  commit('two\n\nWhy: because', { 'a.txt': 'a\nB\nc\nd\n' })
  renameSync(join(folder, 'b.txt'), join(folder, 'ü b.txt'))
  commit('three', {})
  git('checkout', '-qb', 'feature/x', 'v1.0.0')
  rmSync(join(folder, 'b.txt'))
  commit('four', {})
  git('checkout', '-q', 'main')
})
beforeEach(async () => {
  github = await startGitHub({ repositories: { 'acme/web': folder }, now: () => new Date('2026-03-02T12:00:00.250Z') })
})
afterEach(() => github.close())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const it = { owner: 'acme', repo: 'web' }

/** What @actions/github gives an action, with every request and answer held against the description. */
function octokit(token = 'sandbox-token') {
  return getOctokit(token, {
    baseUrl: github.url,
    request: {
      fetch: async (url: string, init: { method: string; body?: string }) => {
        const answer = await fetch(url, init)
        const body: unknown = await answer.clone().json()
        const { call, found } = answerFaults(slice, init.method, new URL(url).pathname, init.body, answer.status, body)
        seen.add(`${call} ${answer.status}`)
        faults.push(...found)
        return answer
      },
    },
  })
}

/** The status and message of a call that must fail. */
async function refused(call: Promise<unknown>): Promise<string> {
  try {
    await call
  } catch (error) {
    const { status, response } = error as { status: number; response: { data: { message: string } } }
    return `${status} ${response.data.message.replaceAll('\n', ' ')}`
  }
  throw new Error('it was answered')
}

describe('repositories and commits', () => {
  test('a repository says its default branch', async () => {
    const { data } = await octokit().rest.repos.get(it)
    expect(data).toMatchObject({ full_name: 'acme/web', default_branch: 'main', open_issues_count: 0 })
  })

  test.each([['main'], ['v1.0.0'], ['feature/x'], ['heads/main']])('a commit by %s', async ref => {
    const { data } = await octokit().rest.repos.getCommit({ ...it, ref })
    expect(data.sha).toBe(git('rev-parse', `${ref}^{commit}`))
  })

  test('a commit has its message, people, and files', async () => {
    const { data } = await octokit().rest.repos.getCommit({ ...it, ref: shas[1] ?? '' })
    expect(data).toMatchObject({
      commit: { message: 'two\n\nWhy: because', author: { name: 'Jo', date: '2026-03-01T08:00:00Z' }, committer: { name: 'Al' } },
      author: { login: 'jo' },
      committer: null,
      parents: [{ sha: shas[0] }],
      stats: { additions: 2, deletions: 1, total: 3 },
      files: [{ filename: 'a.txt', status: 'modified', additions: 2, deletions: 1 }],
    })
  })

  test.each([
    ['v1.0.0...main', 'ahead', 2, 0, ['two', 'three'], ['a.txt modified', 'ü b.txt renamed']],
    ['main...v1.0.0', 'behind', 0, 2, [], []],
    ['main...main', 'identical', 0, 0, [], []],
    ['main...feature/x', 'diverged', 1, 2, ['four'], ['b.txt removed']],
  ])('%s is %s', async (basehead, status, ahead, behind, messages, files) => {
    const { data } = await octokit().rest.repos.compareCommitsWithBasehead({ ...it, basehead })
    expect([data.status, data.ahead_by, data.behind_by, data.total_commits]).toEqual([status, ahead, behind, ahead])
    expect(data.commits.map(one => one.commit.message.split('\n')[0])).toEqual(messages)
    expect(data.files?.map(file => `${file.filename} ${file.status}`)).toEqual(files)
    expect(data.merge_base_commit.sha).toBe(git('merge-base', ...basehead.split('...')))
  })

  test.each([['nothing'], ['--all'], ['main..feature/x'], ['main@{1}'], [':/one']])('%s is no commit', async ref => {
    expect(await refused(octokit().rest.repos.getCommit({ ...it, ref }))).toBe(`422 No commit found for SHA: ${ref}`)
    const basehead = `main...${ref}`
    expect(await refused(octokit().rest.repos.compareCommitsWithBasehead({ ...it, basehead }))).toBe('404 Not Found')
  })
})

describe('issues', () => {
  test('are made, found by label, newest first, and commented on', async () => {
    const { rest } = octokit()
    const first = await rest.issues.create({ ...it, title: 'Rolled back', body: 'Why', labels: ['incident'], assignees: ['jo'] })
    expect([first.status, first.data.number, first.data.created_at]).toEqual([201, 1, '2026-03-02T12:00:00Z'])
    await rest.issues.create({ ...it, title: 'Another', labels: ['incident', 'web'] })
    await rest.issues.create({ ...it, title: 'A third' })
    const found = await rest.issues.listForRepo({ ...it, labels: 'incident' })
    expect(found.data.map(issue => [issue.number, issue.title])).toEqual([
      [2, 'Another'],
      [1, 'Rolled back'],
    ])
    expect((await rest.issues.listForRepo({ ...it, state: 'closed' })).data).toEqual([])

    await rest.issues.createComment({ ...it, issue_number: 1, body: 'Again' })
    expect((await rest.issues.listComments({ ...it, issue_number: 1 })).data.map(comment => comment.body)).toEqual(['Again'])
    expect((await rest.issues.get({ ...it, issue_number: 1 })).data).toMatchObject({ comments: 1, user: { type: 'Bot' } })
    expect((await rest.repos.get(it)).data.open_issues_count).toBe(3)
  })

  test('come by pages', async () => {
    const { rest, paginate } = octokit()
    for (const title of ['1', '2', '3', '4', '5']) await rest.issues.create({ ...it, title })
    const { data, headers } = await rest.issues.listForRepo({ ...it, per_page: 2, page: 2 })
    expect(data.map(issue => issue.title)).toEqual(['3', '2'])
    expect(headers.link?.match(/rel="\w+"/g)).toEqual(['rel="prev"', 'rel="first"', 'rel="next"', 'rel="last"'])
    expect(await paginate(rest.issues.listForRepo, { ...it, per_page: 2 })).toHaveLength(5)
  })
})

describe('deployments', () => {
  test('are made of a commit and filtered', async () => {
    const { rest } = octokit()
    const { data, status } = await rest.repos.createDeployment({ ...it, ref: 'v1.0.0', payload: { release: 'k8s://web/web/7' } })
    expect([status, data]).toMatchObject([201, { sha: shas[0], environment: 'production', production_environment: true }])
    await rest.repos.createDeployment({ ...it, ref: 'main', environment: 'staging', description: 'x' })
    const ofStaging = await rest.repos.listDeployments({ ...it, environment: 'staging' })
    expect(ofStaging.data.map(one => [one.ref, one.production_environment])).toEqual([['main', false]])
    expect((await rest.repos.listDeployments(it)).data).toHaveLength(2)
  })

  test('have statuses, and a new success retires older ones, except in production', async () => {
    const { rest } = octokit()
    const states = async (id: number): Promise<string[]> =>
      (await rest.repos.listDeploymentStatuses({ ...it, deployment_id: id })).data.map(status => status.state)
    for (const [environment, older] of [
      ['staging', ['inactive', 'success', 'in_progress']],
      ['production', ['success', 'in_progress']],
    ] as const) {
      const ids: number[] = []
      for (const ref of ['v1.0.0', 'main']) {
        const { data } = await rest.repos.createDeployment({ ...it, ref, environment })
        const id = (data as { id: number }).id
        ids.push(id)
        await rest.repos.createDeploymentStatus({
          ...it,
          deployment_id: id,
          state: 'in_progress',
          log_url: 'https://example.com/1',
        })
        await rest.repos.createDeploymentStatus({
          ...it,
          deployment_id: id,
          state: 'success',
          environment_url: 'https://example.com',
        })
      }
      expect(await states(ids[0] ?? 0)).toEqual(older)
      expect(await states(ids[1] ?? 0)).toEqual(['success', 'in_progress'])
      expect((await rest.repos.getDeployment({ ...it, deployment_id: ids[0] ?? 0 })).data.environment).toBe(environment)
    }
  })
})

describe('it refuses', () => {
  const wrong = { state: 'fine' } as unknown as { state: 'success' }
  const titleless = {} as { title: string }
  test.each<[string, string | undefined, (rest: ReturnType<typeof octokit>['rest']) => Promise<unknown>, string]>([
    ['a wrong token', 'guessed', rest => rest.repos.get(it), '401 Bad credentials'],
    [
      'a token that may only read',
      'sandbox-token-read',
      rest => rest.issues.create({ ...it, title: 'x' }),
      '403 Resource not accessible by integration',
    ],
    ['a repository it does not know', undefined, rest => rest.repos.get({ owner: 'acme', repo: 'api' }), '404 Not Found'],
    ['an issue that is not there', undefined, rest => rest.issues.get({ ...it, issue_number: 9 }), '404 Not Found'],
    [
      'an issue without a title',
      undefined,
      rest => rest.issues.create({ ...it, ...titleless }),
      '422 Invalid request.  "title" wasn\'t supplied.',
    ],
    ['an issue with an empty title', undefined, rest => rest.issues.create({ ...it, title: ' ' }), '422 Validation Failed'],
    [
      'a comment on nothing',
      undefined,
      rest => rest.issues.createComment({ ...it, issue_number: 9, body: 'x' }),
      '404 Not Found',
    ],
    ['a deployment of nothing', undefined, rest => rest.repos.createDeployment({ ...it, ref: 'x' }), '422 No ref found for: x'],
    [
      'a status of nothing',
      undefined,
      rest => rest.repos.createDeploymentStatus({ ...it, deployment_id: 9, state: 'success' }),
      '404 Not Found',
    ],
  ])('%s', async (_, token, call, fault) => expect(await refused(call(octokit(token).rest))).toBe(fault))

  test('a state that GitHub does not know', async () => {
    const { rest } = octokit()
    const { data } = await rest.repos.createDeployment({ ...it, ref: 'main' })
    const { id } = data as { id: number }
    const answer = await fetch(`${github.url}/repos/acme/web/deployments/${id}/statuses`, {
      method: 'POST',
      headers: { authorization: 'token sandbox-token' },
      body: JSON.stringify(wrong),
    })
    expect([answer.status, await answer.json()]).toMatchObject([422, { errors: [{ field: 'state', code: 'invalid' }] }])
  })

  test.each([
    ['no token at all', undefined, '/repos/acme/web', 401],
    ['a token in a foreign scheme', 'Basic sandbox-token', '/repos/acme/web', 401],
    ['what is no JSON', 'Bearer sandbox-token', '/repos/acme/web/issues', 400],
    ['a call it does not serve', 'Bearer sandbox-token', '/repos/acme/web/merges', 404],
  ])('%s', async (_, authorization, path, status) => {
    const { body, ...get } = { body: '{', method: 'GET' }
    const init = status === 400 ? { method: 'POST', body } : get
    const answer = await fetch(`${github.url}${path}`, { ...init, headers: authorization === undefined ? {} : { authorization } })
    expect(answer.status).toBe(status)
  })
})

test('a repository is made known over HTTP', async () => {
  const answer = await fetch(`${github.url}/sandbox/repositories/acme/api`, {
    method: 'PUT',
    headers: { authorization: 'Bearer sandbox-token' },
    body: JSON.stringify({ folder }),
  })
  expect(answer.status).toBe(201)
  expect((await octokit().rest.repos.getCommit({ owner: 'ACME', repo: 'api', ref: 'main' })).data.sha).toBe(shas[2])
})

test('every call of the description was made, and every answer fits it', () => {
  expect(faults).toEqual([])
  const good = [...seen].filter(line => / 2\d\d$/.test(line)).map(line => line.split(' ')[0])
  expect([...new Set(good)].sort()).toEqual(Object.keys(slice.operations).sort())
})
