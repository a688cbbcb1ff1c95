// The frame around every action, run as the runner runs it: however a run ends, it ends with a result, a reason and a message.
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { runAction } from '../harness/run-action.ts'

const action = join(import.meta.dirname, 'fixtures', 'frame')
const SECRET = 'hunter2secret'
/** What Node.js has read once it need not read again for each of the runs. */
const cache = { NODE_COMPILE_CACHE: join(tmpdir(), 'deploy-actions-compile-cache') }
const run = (how: string, { env, ...more }: Partial<Parameters<typeof runAction>[0]> = {}) =>
  runAction({ action, inputs: { how, token: SECRET }, env: { ...cache, ...env }, ...more })
const ready = { when: (output: string) => output.includes('ready\n') }

describe('a run ends', () => {
  test.each([
    ['green', 0, 'deployed', '', 'Deployed.\n::error::not mine'],
    ['red', 1, 'rolled-back', 'ErrImagePull', 'It failed.'],
    ['expected', 1, 'failed', 'NotFound', 'There is no ***.'],
    ['bug', 1, 'failed', 'InternalError', /^This is a bug in frame, please report it: \*\*\* is not a function/],
    ['stray', 1, 'failed', 'InternalError', 'This is a bug in frame, please report it: out of ***'],
  ])('%s with exit code %i, result %s, reason %j', async (how, exitCode, result, reason, message) => {
    const ended = await run(how)
    expect(ended).toMatchObject({ exitCode, outputs: { result, reason } })
    expect(ended.outputs['message']).toMatch(message)
    expect(ended.masks).toEqual([SECRET])
    for (const text of [ended.visible, ended.summary, JSON.stringify(ended.outputs), ended.post?.visible ?? ''])
      expect(text).not.toContain(SECRET)
    // The step's own words reach the runner as commands, foreign ones never.
    expect(ended.annotations.filter(one => one.message === 'not mine')).toEqual([])
  })

  test('with a stack trace for a bug, and without one for what was expected', async () => {
    const [bug, expected] = await Promise.all([run('bug'), run('expected')])
    expect(bug.stdout).toMatch(/\n {4}at /)
    expect(expected.stdout).not.toMatch(/\n {4}at /)
    expect(bug.annotations).toHaveLength(1)
  })

  test('with an annotation at each place of an expected failure', async () => {
    expect((await run('expected')).annotations).toEqual([
      { level: 'error', title: 'frame: NotFound', message: 'There is no ***.', file: 'k8s/web.yml', line: 3 },
      { level: 'error', title: 'frame: NotFound', message: 'Nor this.', file: 'k8s/web.yml', line: 9 },
      { level: 'error', title: 'frame: NotFound', message: 'Nor that.' },
    ])
  })

  test('with its report on the page and in a file', async () => {
    const ended = await run('green')
    expect(ended.summary).toBe('# Deployed with ***\n')
    expect(readFileSync(ended.outputs['summary'] ?? '', 'utf8')).toBe('# Deployed with ***')
    expect(ended.outputs['release']).toBe('k8s://shop/web/7?***')
  })
})

describe('wrong inputs', () => {
  test('fail before anything runs, all at once, with the secrets masked first', async () => {
    const ended = await run('grene', { inputs: { how: 'grene', timeout: SECRET, token: SECRET } })
    expect(ended).toMatchObject({ exitCode: 1, outputs: { result: 'failed', reason: 'InvalidInput' }, state: {} })
    expect(ended.lines[0]?.text).toBe(`::add-mask::${SECRET}`)
    expect(ended.outputs['message']).toBe(
      '2 inputs are wrong; nothing was changed. how: "grene" is none of green, red, expected, bug, stray, waits, hangs, deaf; ' +
        'did you mean green?. timeout: "***" is no duration; write it like 90s, 10m or 1h30m (24h at most).',
    )
    expect(ended.visible).not.toContain(SECRET)
  })

  test('warn when their name is unknown', async () => {
    const ended = await run('green', { inputs: { how: 'green', tiemout: '5s' } })
    expect(ended).toMatchObject({ exitCode: 0 })
    expect(ended.annotations).toEqual([
      { level: 'warning', title: 'frame', message: expect.stringMatching(/"tiemout" is not known.*did you mean "timeout"\?$/) },
    ])
  })
})

describe('a cancel', () => {
  test('that reaches the work ends it as cancelled, not as a bug', async () => {
    const ended = await run('waits', { cancelAfter: ready })
    expect(ended).toMatchObject({
      conclusion: 'cancelled',
      exitCode: 1,
      outputs: { result: 'cancelled', reason: 'Cancelled', message: 'frame was cancelled before it was done.' },
    })
    expect(ended.seconds).toBeLessThan(5)
    expect(ended.post?.stdout).toBe('put back deploy/web\n')
  })

  test.each(['hangs', 'deaf'])('or a kill that finds it in the middle leaves result, reason and message set: %s', async how => {
    const ended = await run(how, { killAfter: ready })
    expect(ended.outputs).toEqual({
      result: 'cancelled',
      reason: 'Cancelled',
      message: 'frame was killed before it could say how it ended.',
    })
    expect(ended.post?.exitCode).toBe(0)
  })
})

test('a run that can never end is red', async () => {
  expect(await run('deaf')).toMatchObject({ exitCode: 13, outputs: { result: 'cancelled' } })
})

describe('a post step', () => {
  test('is red only when it could not do what it is there for', async () => {
    const [good, bad] = await Promise.all([run('red'), run('bug')])
    expect(good.post).toMatchObject({ exitCode: 0, outputs: {} })
    expect(bad.post).toMatchObject({
      exitCode: 1,
      outputs: {},
      annotations: [{ level: 'error', title: 'frame: Timeout', message: 'It could not be put back.' }],
    })
  })
})

test('a bug in a post step that nobody waits for is reported as one, and prints no foreign command', async () => {
  const { post } = await run('stray')
  expect(post).toMatchObject({
    exitCode: 1,
    outputs: {},
    annotations: [{ level: 'error', message: expect.stringMatching(/^This is a bug in frame, please report it: out of luck\n/) }],
  })
})

describe('a runner in a bad way', () => {
  test('a page that cannot be written is a warning: it says nothing of the release', async () => {
    const ended = await run('green', {
      env: { NODE_OPTIONS: `--import ${dataUrl("process.env.GITHUB_STEP_SUMMARY = '/not/there'")}` },
    })
    expect(ended).toMatchObject({ exitCode: 0, outputs: { result: 'deployed', summary: '' } })
    expect(ended.annotations).toEqual([
      { level: 'warning', title: 'frame', message: expect.stringMatching(/^The report could not be written: ENOENT/) },
    ])
  })

  test('outputs that cannot be written end the step red, in words', async () => {
    const ended = await run('green', { env: { NODE_OPTIONS: `--import ${dataUrl("process.env.GITHUB_OUTPUT = '/not/there'")}` } })
    expect(ended.exitCode).toBe(1)
    expect(ended.annotations[0]?.message).toMatch(/^The outputs could not be written: ENOENT/)
    expect(existsSync('/not/there')).toBe(false)
  })
})

const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`
