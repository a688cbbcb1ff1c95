// The harness held against what the runner documents, on two small actions of its own.
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { runAction } from './run-action.ts'

const mirror = join(import.meta.dirname, 'fixtures', 'mirror')
const stubborn = join(import.meta.dirname, 'fixtures', 'stubborn')

describe('a step that runs to its end', () => {
  test('sees inputs, defaults and context as the runner spells them, and nothing of the machine', async () => {
    process.env['INPUT_STRAY'] = 'x'
    process.env['KUBECONFIG'] = '/etc/kubernetes/admin.conf'
    const result = await runAction({
      action: mirror,
      inputs: { 'set image': 'a=b', 'dry-run': true, 'lower.case': 1 },
      env: { EXTRA: 'given', GONE: undefined },
      github: { repository: 'acme/shop', ref: 'refs/tags/v1.2.3' },
    })
    delete process.env['INPUT_STRAY']
    delete process.env['KUBECONFIG']
    const seen = JSON.parse(result.outputs['seen'] ?? '{}')
    expect(seen).toMatchObject({
      INPUT_SET_IMAGE: 'a=b',
      'INPUT_ON-FAILURE': 'rollback',
      INPUT_APP: 'acme/shop',
      'INPUT_DRY-RUN': 'true',
      'INPUT_LOWER.CASE': '1',
      STATE_fromPre: '1',
      EXTRA: 'given',
      GITHUB_REPOSITORY: 'acme/shop',
      GITHUB_REF_NAME: 'v1.2.3',
      GITHUB_REF_TYPE: 'tag',
      GITHUB_WORKSPACE: result.workspace,
      RUNNER_TEMP: result.temporary,
    })
    for (const name of ['INPUT_STRAY', 'KUBECONFIG', 'GONE', 'NODE_OPTIONS', 'JEST_WORKER_ID', 'GITHUB_TOKEN'])
      expect(seen).not.toHaveProperty(name)
    expect(result.outputs['node']).toMatch(/^v24\./)
  })

  test('gives its outputs, state, environment, path, summary, annotations, groups and masks', async () => {
    const result = await runAction({ action: mirror })
    expect(result).toMatchObject({
      conclusion: 'success',
      exitCode: 0,
      outputs: { lines: 'a\n\nb\nEOF' },
      state: { begun: 'deploy/web' },
      env: { LATER: 'seen' },
      path: ['/opt/tool'],
      summary: '# Done\n',
      masks: ['hunter2'],
      groups: [{ title: 'A group', lines: ['in it'] }],
      annotations: [{ level: 'warning', message: '50% of it\nis wrong', title: 'A: title', file: 'k8s/web.yml', line: 3 }],
      pre: { stdout: 'pre ran\n' },
      orphans: [],
    })
    expect(result.stdout).toContain('hunter2')
    expect(result.visible).not.toContain('hunter2')
    expect(result.lines.map(line => line.text)).toContain('in it')
  })

  test('hands state, environment and path on to the post step, also when it failed', async () => {
    const result = await runAction({ action: mirror, env: { EXIT: '1' } })
    expect(result.conclusion).toBe('failure')
    expect(result.exitCode).toBe(1)
    expect(JSON.parse(result.post?.outputs['seen'] ?? '{}')).toEqual({
      STATE_begun: 'deploy/web',
      STATE_fromPre: '1',
      LATER: 'seen',
      first: '/opt/tool',
    })
  })

  test('has no post step when the machine is gone', async () => {
    expect((await runAction({ action: mirror, post: false })).post).toBeUndefined()
  })
})

describe('a step that is ended', () => {
  const ready = { when: (output: string) => output.includes('ready\n') }

  test('by a cancel gets SIGINT first, is cancelled whatever its exit code, and its post step runs', async () => {
    const result = await runAction({ action: stubborn, env: { LEAVE_AT: 'SIGINT' }, cancelAfter: ready })
    expect(result).toMatchObject({ conclusion: 'cancelled', exitCode: 0, stdout: 'ready\ngot SIGINT\n' })
    expect(result.post?.stdout).toBe('put back\n')
  })

  test('by a kill has no exit code, and a post step only where its condition says so', async () => {
    const result = await runAction({ action: stubborn, killAfter: ready })
    expect(result).toMatchObject({ conclusion: 'failure', exitCode: -1, signal: 'SIGKILL', stdout: 'ready\n' })
    expect(result.post).toBeUndefined()
  })

  test('leaves processes behind that are named and ended', async () => {
    const result = await runAction({ action: stubborn, inputs: { 'leaves-behind': true }, killAfter: ready })
    expect(result.orphans.map(orphan => orphan.command)).toEqual([expect.stringContaining('setInterval')])
  })

  test('because it does not end is told with its output', async () => {
    await expect(runAction({ action: stubborn, giveUpAfter: 700 })).rejects.toThrow(/did not end within 0.7 s.*\nready\n/s)
  })
})

test('an action that is not built is told with the command that mends it', async () => {
  await expect(runAction({ action: join(import.meta.dirname, 'fixtures', 'unbuilt') })).rejects.toThrow(
    /main\.mjs is not there\. Build it: npm run build/,
  )
})
