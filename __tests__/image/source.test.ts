// What git, the event and package.json say of a commit, read from repositories made for each test.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { readSource } from '../../src/image/source.ts'

let root = ''
let workspace = ''
const base = { PATH: process.env['PATH'] ?? '' }

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'source-'))
  workspace = join(root, 'workspace')
  mkdirSync(workspace)
})
afterEach(() => rmSync(root, { recursive: true }))

function git(...args: string[]): string {
  const identity = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' }
  const env = { ...base, ...identity, GIT_CONFIG_NOSYSTEM: '1', HOME: root }
  return execFileSync('git', args, { cwd: workspace, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

function commit(...tags: string[]): string {
  git('commit', '-q', '--allow-empty', '-m', 'x')
  for (const tag of tags) git('tag', tag)
  return git('rev-parse', 'HEAD')
}

test.each<[string, () => void, string | undefined, string | undefined]>([
  ['the nearest tag', () => [commit('v1.0.0'), commit('v1.4.2'), commit()], '1.4.2', 'the nearest tag'],
  ['the highest of several on one commit', () => [commit('v1.9.0', 'v1.10.0', 'v1', 'v1.10')], '1.10.0', 'the nearest tag'],
  [
    'past tags that only look like versions',
    () => [commit('v1.4.2'), commit('v1.4.3.1'), commit('v2.0.0_x')],
    '1.4.2',
    'the nearest tag',
  ],
  ['an annotated tag', () => [commit(), git('tag', '-a', 'v3.0.0-rc.1', '-m', 'x')], '3.0.0-rc.1', 'the nearest tag'],
  ['package.json where there is no tag', () => [commit('release-1'), manifest('.', '5.6.7')], '5.6.7', 'package.json'],
  ['the nearest package.json', () => [commit(), manifest('.', '5.6.7'), manifest('app', '0.1.0')], '0.1.0', 'package.json'],
  ['nothing', () => [commit('1.0.0'), manifest('.', 'none')], undefined, undefined],
])('version: %s', async (_, prepare, version, from) => {
  git('init', '-q')
  mkdirSync(join(workspace, 'app'))
  prepare()
  const source = await readSource(join(workspace, 'app'), workspace, '', base)
  expect(source.version).toEqual(version === undefined ? undefined : { version, from })
})

function manifest(folder: string, version: string): void {
  writeFileSync(join(workspace, folder, 'package.json'), JSON.stringify({ version }))
}

test('a shallow clone is known as such', async () => {
  git('init', '-q')
  commit('v1.0.0')
  commit()
  git('clone', '-q', '--depth', '1', `file://${workspace}`, join(root, 'clone'))
  const source = await readSource(join(root, 'clone'), join(root, 'clone'), '', base)
  expect([source.shallow, source.version]).toEqual([true, undefined])
})

test('a pull request has the revision of its head, read from the event', async () => {
  git('init', '-q')
  const head = commit()
  const merge = commit()
  const event = join(root, 'event.json')
  writeFileSync(event, JSON.stringify({ pull_request: { head: { sha: head } } }))
  const env = { ...base, GITHUB_EVENT_NAME: 'pull_request', GITHUB_SHA: merge, GITHUB_EVENT_PATH: event }
  expect((await readSource(workspace, workspace, '', env)).revision).toBe(head)
})

test.each(['', '[]', '{"pull_request":{"head":{"sha":7}}}', '{'])('an event of %j changes nothing', async payload => {
  git('init', '-q')
  const head = commit()
  const event = join(root, 'event.json')
  writeFileSync(event, payload)
  const env = { ...base, GITHUB_EVENT_NAME: 'pull_request', GITHUB_SHA: head, GITHUB_EVENT_PATH: event }
  expect((await readSource(workspace, workspace, '', env)).revision).toBe(head)
})

test.each([
  ['outside of git', base],
  ['without git on PATH', { PATH: '/nonexistent' }],
])('%s the runner knows the commit and package.json the version', async (_, env) => {
  manifest('.', '1.2.3')
  const sha = 'ab'.repeat(20)
  expect(await readSource(workspace, workspace, '', { ...env, GIT_CEILING_DIRECTORIES: root, GITHUB_SHA: sha })).toEqual({
    version: { version: '1.2.3', from: 'package.json' },
    revision: sha,
    shallow: false,
  })
})

test('no package.json above the workspace is read', async () => {
  writeFileSync(join(root, 'package.json'), '{"version":"9.9.9"}')
  expect((await readSource(workspace, workspace, '', { ...base, GIT_CEILING_DIRECTORIES: root })).version).toBeUndefined()
})

test('a bare repository among the files of a commit runs nothing on the runner', async () => {
  const folder = join(workspace, 'app')
  const mark = join(root, 'ran')
  for (const part of ['objects', 'refs/heads', 'refs/tags']) mkdirSync(join(folder, part), { recursive: true })
  writeFileSync(join(folder, 'HEAD'), 'ref: refs/heads/main')
  for (const name of ['heads/main', 'tags/v9.9.9']) writeFileSync(join(folder, 'refs', name), `${'1'.repeat(40)}\n`)
  // Its commit is missing and is to be fetched, by a command of its own.
  writeFileSync(
    join(folder, 'config'),
    `[core]\nrepositoryformatversion = 1\nbare = true\nsshCommand = "touch ${mark};"\n[extensions]\npartialClone = o\n[remote "o"]\nurl = ssh://x/y\npromisor = true\n`,
  )
  const source = await readSource(folder, workspace, '', base)
  expect([existsSync(mark), source.version, source.revision]).toEqual([false, undefined, undefined])
})
