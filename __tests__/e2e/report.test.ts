// What a failed release leaves for the person who looks into it: the report, annotations, commands that work when pasted, and no secret anywhere.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { intent } from '../../src/kubernetes/change.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { grant, kubeconfigOf, without } from './service-account.ts'
import { runProgram, TestNamespace } from './test-namespace.ts'
import { webApp } from './web-app.ts'

jest.setTimeout(120_000)

const CRASH = 'echo no database >&2; exit 3'

let space: TestNamespace

function meant(kind: string, name: string): KubernetesObject | undefined {
  const object = space.get(kind, name)
  return object === undefined ? undefined : intent(object)
}

/** The commands in the code block below a heading of the report. */
function commandsBelow(summary: string, heading: string): string[] {
  const after = summary.slice(summary.indexOf(heading))
  return (/```sh\n([\s\S]*?)\n```/.exec(after)?.[1] ?? '').split('\n').filter(line => line !== '')
}

describe('the report', () => {
  const git = (...argv: string[]): string =>
    execFileSync('git', ['-c', 'user.name=Jo', '-c', 'user.email=jo@example.com', ...argv], {
      cwd: space.workspace,
      encoding: 'utf8',
    }).trim()
  const commit = (subject: string): string => {
    git('add', '-A')
    git('commit', '-qm', subject)
    return git('rev-parse', 'HEAD')
  }

  beforeAll(async () => {
    space = new TestNamespace('report')
    git('init', '-q')
    space.write({
      'web.yaml': webApp({ version: '1', replicas: 1 }),
      '.github/workflows/back.yml':
        'on:\n  workflow_dispatch:\n    inputs: {app: {}, to: {}}\njobs:\n  back:\n    uses: org/deploy-actions/.github/workflows/rollback.yml@v1\n',
    })
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml' }, { github: { sha: commit('Begin') } })
    expect(run.outputs).toMatchObject({ result: 'deployed' })
    expect(run.summary).not.toContain('To take this release back')
  })
  afterAll(() => space.remove())

  test('a good release: image, commits between, proof, and how to take it back', async () => {
    const old = git('rev-parse', 'HEAD')
    space.write({ 'web.yaml': webApp({ version: '2', replicas: 1 }) })
    commit('Say <b>hello</b> to @everyone')
    space.write({ 'web.yaml': webApp({ version: '3', replicas: 1 }) })
    const now = commit('Serve version 3')
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml' }, { github: { sha: now } })
    expect(run.outputs).toMatchObject({ result: 'deployed' })
    expect(run.summary).toContain(`2 commits more than before: [\`${old.slice(0, 7)}\` → \`${now.slice(0, 7)}\`]`)
    expect(run.summary).toContain(`/compare/${old}...${now})`)
    expect(run.summary).toContain('Serve version 3')
    expect(run.summary).not.toMatch(/<b>|@everyone/)
    expect(run.summary).toContain('1 container runs from the very digest that was deployed')
    expect(run.summary).toContain('service/web leads to all 1 new pods')
    expect(run.summary).toContain('gh workflow run back.yml --repo acme/web -f app=web -f to=1')
  })

  test('a bad one: annotations at the manifests’ lines, the image before and now, and commands that still work', async () => {
    const image = webApp().match(/image: (\S+)/)?.[1] ?? ''
    space.write({
      'web.yaml': webApp({ version: '4', replicas: 1, command: CRASH, image: image.replace('127.0.0.1', 'localhost') }),
      'api.yaml': webApp({ name: 'api', replicas: 1, command: CRASH }),
    })
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml\napi.yaml', 'pin-digests': 'false', preflight: 'off' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back' })
    const errors = run.annotations.filter(({ level }) => level === 'error')
    expect(errors[0]?.file).toMatch(/^(web|api)\.yaml$/)
    expect(errors[0]?.line).toBe(42)
    expect(run.summary).toMatch(
      /image before \| image now[\s\S]*deployment\/web app \| `127\.0\.0\.1:\d+\S+` \| `localhost:\d+\S+`/,
    )
    const commands = commandsBelow(run.summary, '### Why')
    expect(commands).toHaveLength(2)
    for (const command of commands) expect(await runProgram('sh', ['-c', command], space.env)).toMatch(/BackOff|exit 3/)
  })
})

describe('putting back that fails', () => {
  let kubeconfig = ''
  beforeAll(async () => {
    space = new TestNamespace('remedy')
    space.write({ 'web.yaml': webApp({ version: '1', replicas: 1, greeting: 'one' }) })
    expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs).toMatchObject({ result: 'deployed' })
    // It may apply, but not replace: what no preflight was asked to look for is found out when it is too late.
    grant(space, { weak: without('update', 'deployments') })
    kubeconfig = kubeconfigOf(space)('weak')
  })
  afterAll(() => space.remove())

  test('is said first, with commands that finish it', async () => {
    const before = [meant('deployment', 'web'), meant('configmap', 'web')]
    space.write({
      'web.yaml': webApp({ version: '2', replicas: 1, greeting: 'two', command: CRASH }),
      'extra.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\n',
    })
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml\nextra.yaml', preflight: 'off', kubeconfig })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'CrashLoopBackOff' })
    expect(run.outputs['message']).toMatch(
      /^PUTTING BACK FAILED, the bad release may be serving: 1 of 3 objects .*may not update deployments/,
    )
    expect(run.summary.split('\n').findIndex(line => line.startsWith('### '))).toBe(
      run.summary.split('\n').indexOf('### To finish putting it back'),
    )
    expect(space.releases('web')).toEqual({ '1': 'deployed', '2': 'failed' })
    expect(meant('deployment', 'web')).not.toEqual(before[0])
    for (const command of commandsBelow(run.summary, '### To finish putting it back'))
      await runProgram('sh', ['-c', command], space.env)
    expect([meant('deployment', 'web'), meant('configmap', 'web')]).toEqual(before)
  })
})

describe('a release that is too large for its record', () => {
  const noise = (name: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  noise: ${randomBytes(500_000).toString('base64')}\n`
  const large = (): Record<string, string> => ({ 'k8s/a.yaml': noise('a'), 'k8s/b.yaml': noise('b'), 'k8s/c.yaml': noise('c') })

  beforeAll(async () => {
    space = new TestNamespace('large')
    space.write({ 'k8s/web.yaml': webApp({ version: '1', replicas: 1 }) })
    expect((await space.deploy({ app: 'web', manifests: 'k8s' })).outputs).toMatchObject({ result: 'deployed' })
  })
  afterAll(() => space.remove())

  test('is deployed, with a warning that says what is not kept', async () => {
    space.write({ ...large(), 'k8s/web.yaml': webApp({ version: '2', replicas: 1 }) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s' })
    expect(run.outputs).toMatchObject({ result: 'deployed' })
    expect(run.annotations).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        message: expect.stringMatching(/KiB compressed, more than the 1024 KiB.*only their names/),
      }),
    )
  })

  test('is put back by its own run when it fails', async () => {
    const before = ['a', 'b', 'c'].map(name => meant('configmap', name))
    space.write({ ...large(), 'k8s/web.yaml': webApp({ version: '3', replicas: 1, command: CRASH }) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
    expect(['a', 'b', 'c'].map(name => meant('configmap', name))).toEqual(before)
  })

  test('a killed run of it cannot be put back by the post step, which says so', async () => {
    const run = await space.deploy(
      { app: 'web', manifests: 'k8s' },
      { killAfter: { when: output => output.includes('Release k8s://') } },
    )
    expect(run.post?.output).toMatch(/PUTTING BACK FAILED.*too large for its release record/)
    expect(Object.values(space.releases('web'))).not.toContain('pending')
    space.write({ 'k8s/web.yaml': webApp({ version: '4', replicas: 1 }) })
    expect((await space.deploy({ app: 'web', manifests: 'k8s' })).outputs).toMatchObject({ result: 'deployed' })
  })

  test('cannot be gone back to, but can be gone back from', async () => {
    const refused = await space.rollback({ app: 'web', to: '2' })
    expect(refused.outputs).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(refused.outputs['message']).toMatch(/too large for its release record.*Deploy its commit 3f9c2ab1d4e5.* again/)
    const run = await space.rollback({ app: 'web', to: '1' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back' })
    expect(['a', 'b', 'c'].map(name => space.get('configmap', name))).toEqual([undefined, undefined, undefined])
  })
})

describe('the value of a Secret', () => {
  const OURS = 'correct-horse/battery+staple'
  const THEIRS = 'p4ss w"ord & <more>'
  const secret = (name: string, value: string): string =>
    `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\nstringData:\n  value: ${JSON.stringify(value)}\n`
  const env = (variable: string, name: string): string =>
    `            - name: ${variable}\n              valueFrom: {secretKeyRef: {name: ${name}, key: value}}\n`

  beforeAll(() => {
    space = new TestNamespace('secret')
    space.kubectl(['apply', '-f', '-'], true, secret('theirs', THEIRS))
  })
  afterAll(() => space.remove())

  const leaks: readonly (readonly [where: string, app: Parameters<typeof webApp>[0]])[] = [
    ['a log', { command: 'echo "$OURS $THEIRS" >&2; exit 3' }],
    ['a termination message', { command: 'echo "$OURS $THEIRS" > /dev/termination-log; exit 3' }],
    [
      'an event',
      {
        command: 'sleep 2; exit 3',
        container:
          '          startupProbe:\n            exec: {command: ["sh", "-c", "echo $OURS $THEIRS; exit 1"]}\n            periodSeconds: 1\n',
      },
    ],
  ]

  test('is not seen though it stands in a log, a termination message or an event', async () => {
    const deployed = leaks.map(async ([where, app]) => {
      const name = where.replaceAll(/[^a-z]/g, '')
      const variables = `          env:\n${env('OURS', `ours-${name}`)}${env('THEIRS', 'theirs')}`
      space.write({
        [`${name}.yaml`]: webApp({ name, replicas: 1, ...app, container: `${variables}${app?.container ?? ''}` }),
        [`${name}-secret.yaml`]: secret(`ours-${name}`, OURS),
      })
      const run = await space.deploy({ app: name, manifests: `${name}.yaml\n${name}-secret.yaml` })
      expect(run.outputs['result']).toBe('failed')
      const seen = [run.output, run.summary, JSON.stringify(run.outputs), run.post?.output ?? ''].join('\n')
      for (const value of [OURS, THEIRS])
        for (const spelling of [
          value,
          Buffer.from(value).toString('base64'),
          encodeURIComponent(value),
          JSON.stringify(value).slice(1, -1),
        ])
          expect(seen).not.toContain(spelling)
      expect(seen).toContain('***')
    })
    await Promise.all(deployed)
  })

  test('is not seen in what is said of a manifest that is wrong', async () => {
    const broken = [
      `${secret('a', OURS)}  broken: "${OURS}\n`,
      secret('a', OURS).replace('value: ', 'value: [').concat('  : x\n'),
      secret('A B', OURS),
    ]
    for (const text of broken) {
      space.write({ 'broken.yaml': text })
      const run = await space.deploy({ app: 'broken', manifests: 'broken.yaml' })
      expect(run.outputs['result']).toBe('failed')
      expect(run.output + run.summary + run.outputs['message']).not.toContain(OURS)
    }
  })
})
