// deploy-k8s from its built bundle against the real cluster: good releases, bad ones, cancels and kills.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { intent } from '../../src/kubernetes/change.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { probe, TestNamespace } from './test-namespace.ts'
import { webApp } from './web-app.ts'

jest.setTimeout(180_000)

const CRASH = { command: 'echo no database >&2; exit 3', version: 'bad', greeting: 'bye' }

interface Service extends KubernetesObject {
  spec: { clusterIP: string }
}

let space: TestNamespace

/** What a user can mean of an object, to see that it was put back as it was. */
function meant(kind: string, name: string): KubernetesObject | undefined {
  const object = space.get(kind, name)
  return object === undefined ? undefined : intent(object)
}

function url(name: string): string {
  return `http://${space.get<Service>('service', name)?.spec.clusterIP ?? ''}/`
}

describe('an app from its first release on', () => {
  beforeAll(() => {
    space = new TestNamespace('deploy')
  })
  afterAll(() => space.remove())

  test('a dry run says what would be created and creates nothing', async () => {
    space.write({ 'k8s/web.yaml': webApp({ version: '1' }) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', 'dry-run': 'true' })
    expect(run.conclusion).toBe('success')
    expect(run.outputs).toMatchObject({
      result: 'unchanged',
      message: 'Dry run, nothing was changed: it would create 3 objects.',
    })
    expect(run.outputs['diff']).toContain('+ spec.template.spec.containers[app].image')
    expect(space.get('deployment', 'web')).toBeUndefined()
    expect(space.releases('web')).toEqual({})
  })

  test('first-deploy: fail refuses the first one', async () => {
    const run = await space.deploy({ app: 'web', manifests: 'k8s', 'first-deploy': 'fail' })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(space.get('deployment', 'web')).toBeUndefined()
  })

  test('a first release that crashes is removed, and said to have been the first', async () => {
    space.write({ 'k8s/web.yaml': webApp({ ...CRASH, replicas: 1 }) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s' })
    expect(run.conclusion).toBe('failure')
    expect(run.outputs).toMatchObject({
      result: 'failed',
      reason: 'CrashLoopBackOff',
      'previous-release': '',
      release: `k8s://${space.name}/web/1`,
    })
    expect(run.outputs['message']).toMatch(
      /container app ended with exit code 3 \(3 times\).*no database.*It was the first release.*was removed/,
    )
    expect(space.get('deployment', 'web')).toBeUndefined()
    expect(space.get('configmap', 'web')).toBeUndefined()
    expect(space.releases('web')).toEqual({ '1': 'failed' })
  })

  test('a good release is deployed, with revision, digest and record', async () => {
    space.write({ 'k8s/web.yaml': webApp({ version: '2' }) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s' })
    expect(run.annotations.filter(({ level }) => level === 'error')).toEqual([])
    expect(run.conclusion).toBe('success')
    expect(run.outputs).toMatchObject({
      result: 'deployed',
      reason: '',
      release: `k8s://${space.name}/web/2`,
      'previous-release': '',
      revision: '1',
    })
    expect(JSON.parse(run.outputs['digests'] ?? '')).toEqual({
      'deployment/web': { app: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
    })
    expect(run.summary).toContain('✅ Deployed')
    expect(space.releases('web')).toEqual({ '1': 'failed', '2': 'deployed' })
    expect(run.orphans).toEqual([])
  })

  test('the same again is unchanged', async () => {
    const run = await space.deploy({ app: 'web', manifests: 'k8s/*.yaml' })
    expect(run.conclusion).toBe('success')
    expect(run.outputs).toMatchObject({ result: 'unchanged', release: `k8s://${space.name}/web/2` })
    expect(space.releases('web')).toEqual({ '1': 'failed', '2': 'deployed' })
  })

  test('a release that crashes is put back whole while every request is answered', async () => {
    const before = [meant('deployment', 'web'), meant('configmap', 'web'), meant('service', 'web')]
    const owners = space
      .get('configmap', 'web')
      ?.metadata.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`)
    space.write({
      'k8s/web.yaml': webApp(CRASH),
      'k8s/extra.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\ndata: {a: b}\n',
      'k8s/worker.yaml': webApp({ name: 'worker', replicas: 1 }),
    })
    const asking = probe(url('web'))
    const run = await space.deploy({ app: 'web', manifests: 'k8s' })
    const seen = await asking.stop()
    expect(run.conclusion).toBe('failure')
    expect(run.outputs).toMatchObject({
      result: 'rolled-back',
      reason: 'CrashLoopBackOff',
      'previous-release': `k8s://${space.name}/web/2`,
    })
    expect(run.outputs['message']).toMatch(
      /pod web-\S+, container app ended with exit code 3 .*Its log ends with "no database".*was put back and is healthy/,
    )
    expect(run.annotations.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(run.summary).toMatch(/no database[\s\S]*kubectl (--context \S+ )?-n/)
    expect([meant('deployment', 'web'), meant('configmap', 'web'), meant('service', 'web')]).toEqual(before)
    expect(
      space.get('configmap', 'web')?.metadata.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`),
    ).toEqual(owners)
    expect(space.get('configmap', 'extra')).toBeUndefined()
    expect(space.get('deployment', 'worker')).toBeUndefined()
    expect(space.releases('web')).toMatchObject({ '2': 'deployed', '3': 'rolled-back' })
    expect(seen.requests).toBeGreaterThan(50)
    expect(seen.failures).toEqual([])
  })

  test('on-failure: keep leaves the bad release as it is', async () => {
    const run = await space.deploy({ app: 'web', manifests: 'k8s/web.yaml', 'on-failure': 'keep' })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'CrashLoopBackOff' })
    expect(run.outputs['message']).toContain('left as it is')
    expect(space.get<{ data: unknown } & KubernetesObject>('configmap', 'web')?.data).toEqual({ greeting: 'bye' })
  })

  test('a rolling update over what was left loses no request', async () => {
    space.write({ 'k8s/web.yaml': webApp({ version: '5' }) })
    const asking = probe(url('web'))
    const run = await space.deploy({ app: 'web', manifests: 'k8s/web.yaml' })
    const seen = await asking.stop()
    expect(run.outputs).toMatchObject({ result: 'deployed' })
    expect(seen.failures).toEqual([])
  })

  test('set-image sets one container of what is live, and an unknown container is named with those there are', async () => {
    const wrong = await space.deploy({ app: 'web', 'set-image': 'deployment/web api=127.0.0.1:5000/library/busybox:1' })
    expect(wrong.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput' })
    expect(wrong.outputs['message']).toContain('has no container "api"; it has app')
    const digest = Object.values(
      JSON.parse((await space.deploy({ app: 'web', manifests: 'k8s/web.yaml' })).outputs['digests'] ?? '') as Record<
        string,
        { app: string }
      >,
    )[0]?.app
    const run = await space.deploy({ app: 'web', 'set-image': `deploy/web app=127.0.0.1:5000/library/busybox@${digest ?? ''}` })
    expect(run.outputs).toMatchObject({ result: 'deployed' })
    const live = space.get<
      KubernetesObject & { spec: { replicas: number; template: { spec: { containers: { image: string }[] } } } }
    >('deployment', 'web')
    expect(live?.spec.template.spec.containers[0]?.image).toBe(`127.0.0.1:5000/library/busybox@${digest ?? ''}`)
    expect(live?.spec.replicas).toBe(2)
    const back = await space.deploy({ app: 'web', manifests: 'k8s/web.yaml' })
    expect(back.outputs['diff']).toContain('+ spec.template.spec.containers[app].image: 127.0.0.1:5000/library/busybox:1')
  })
})

describe('a release that lacks something, or has dropped something', () => {
  beforeAll(async () => {
    space = new TestNamespace('ahead')
    space.write({
      'k8s/web.yaml': webApp({ replicas: 1 }),
      'k8s/extra.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\ndata: {a: b}\n',
    })
    expect((await space.deploy({ app: 'web', manifests: 'k8s' })).outputs).toMatchObject({ result: 'deployed' })
  })
  afterAll(() => space.remove())

  test('tags are pinned to the digests that run', () => {
    const live = space.get<KubernetesObject & { spec: { template: { spec: { containers: { image: string }[] } } } }>(
      'deployment',
      'web',
    )
    expect(live?.spec.template.spec.containers[0]?.image).toMatch(/busybox:1@sha256:[0-9a-f]{64}$/)
  })

  test.each<[string, Parameters<typeof webApp>[0], string, RegExp]>([
    [
      'an image that does not exist',
      { image: '127.0.0.1:5000/library/busybox:nowhere' },
      'ErrImagePull',
      /busybox:nowhere .* does not exist/,
    ],
    [
      'a Secret that is nowhere',
      { container: '          env:\n            - name: A\n              valueFrom: {secretKeyRef: {name: nowhere, key: a}}\n' },
      'CreateContainerConfigError',
      /Secret nowhere/,
    ],
    ['a node that nobody has', { container: '          resources: {requests: {cpu: "4000"}}\n' }, 'Unschedulable', /cpu/],
  ])('%s is found before anything is changed', async (_, lacking, reason, message) => {
    const before = meant('deployment', 'web')
    space.write({ 'k8s/web.yaml': webApp({ replicas: 1, ...lacking }) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', 'preflight-wait': '1s' })
    expect(run.conclusion).toBe('failure')
    expect(run.outputs).toMatchObject({ result: 'failed', reason })
    expect(run.outputs['message']).toMatch(message)
    expect(run.outputs['message']).toContain('Nothing was changed')
    expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', file: 'k8s/web.yaml' }))
    expect(meant('deployment', 'web')).toEqual(before)
    expect(space.releases('web')).toEqual({ '1': 'deployed' })
  })

  test('what the manifests have dropped is pruned once the new version is up, and not when that fails', async () => {
    rmSync(join(space.workspace, 'k8s/extra.yaml'))
    space.write({ 'k8s/web.yaml': webApp({ replicas: 1, ...CRASH }) })
    const tried = await space.deploy({ app: 'web', manifests: 'k8s', prune: 'true', 'dry-run': 'true' })
    expect(tried.outputs['message']).toMatch(/^Dry run, nothing was changed: it would .*delete 1 object/)
    expect(space.get('configmap', 'extra')).toBeDefined()
    const failed = await space.deploy({ app: 'web', manifests: 'k8s', prune: 'true' })
    expect(failed.output).toContain('delete configmap/extra')
    expect(failed.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
    expect(space.get('configmap', 'extra')).toBeDefined()
    space.write({ 'k8s/web.yaml': webApp({ replicas: 1, version: '2' }) })
    expect((await space.deploy({ app: 'web', manifests: 'k8s', prune: 'true' })).outputs).toMatchObject({ result: 'deployed' })
    expect(space.get('configmap', 'extra')).toBeUndefined()
  })
})

describe('an app that was deployed by other means', () => {
  beforeAll(() => {
    space = new TestNamespace('takeover')
    space.kubectl(['apply', '-f', '-'], true, webApp({ version: 'old', replicas: 1 }))
    space.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s'])
    space.kubectl(['set', 'env', 'deployment/web', 'ADDED=by-hand'])
    space.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s'])
  })
  afterAll(() => space.remove())

  test('a bad first release of ours is taken back to exactly what was there', async () => {
    const before = meant('deployment', 'web')
    space.write({ 'web.yaml': webApp({ ...CRASH, replicas: 1 }) })
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff', 'previous-release': '' })
    expect(meant('deployment', 'web')).toEqual(before)
  })

  test('a good one takes over, fields set by kubectl included', async () => {
    space.write({ 'web.yaml': webApp({ version: 'new', replicas: 1 }) })
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml' })
    expect(run.outputs).toMatchObject({ result: 'deployed' })
  })

  test('an autoscaler keeps its number of replicas through a deployment and a restore', async () => {
    space.kubectl(['autoscale', 'deployment/web', '--min=2', '--max=4', '--cpu-percent=80'])
    space.kubectl(['scale', 'deployment/web', '--replicas=3'])
    space.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s'])
    const replicas = (): number | undefined =>
      space.get<KubernetesObject & { spec: { replicas: number } }>('deployment', 'web')?.spec.replicas
    space.write({ 'web.yaml': webApp({ version: 'newer', replicas: 1 }) })
    expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs).toMatchObject({ result: 'deployed' })
    expect(replicas()).toBe(3)
    space.write({ 'web.yaml': webApp({ ...CRASH, replicas: 1 }) })
    expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs).toMatchObject({ result: 'rolled-back' })
    expect(replicas()).toBe(3)
  })
})

describe('a run that does not come to its end', () => {
  let before: KubernetesObject | undefined
  beforeAll(async () => {
    space = new TestNamespace('cut')
    space.write({ 'web.yaml': webApp({ version: '1', replicas: 1 }) })
    expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs).toMatchObject({ result: 'deployed' })
    before = meant('deployment', 'web')
    space.write({ 'web.yaml': webApp({ ...CRASH, replicas: 1 }) })
  })
  afterAll(() => space.remove())

  test.each([
    ['before anything was changed', 'Deploying web'],
    ['as soon as its record is written', 'Release k8s://'],
    ['while it is followed', 'exit code 3'],
  ])('a cancel %s leaves the old version serving', async (_, moment) => {
    const run = await space.deploy(
      { app: 'web', manifests: 'web.yaml' },
      { cancelAfter: { when: output => output.includes(moment) } },
    )
    expect(run.conclusion).toBe('cancelled')
    expect(run.outputs).toMatchObject({ result: 'cancelled', reason: 'Cancelled' })
    expect(meant('deployment', 'web')).toEqual(before)
    expect(Object.values(space.releases('web'))).not.toContain('pending')
    expect(space.get('lease', 'web.deploy')).toBeUndefined()
  })

  test('a killed main step is put back by the post step', async () => {
    const run = await space.deploy(
      { app: 'web', manifests: 'web.yaml' },
      { killAfter: { when: output => output.includes('exit code 3') } },
    )
    expect(run.outputs).toMatchObject({ result: 'cancelled' })
    expect(run.post?.exitCode).toBe(0)
    expect(run.post?.annotations).toEqual([
      expect.objectContaining({ level: 'warning', message: expect.stringContaining('was put back and is healthy') }),
    ])
    expect(meant('deployment', 'web')).toEqual(before)
    expect(Object.values(space.releases('web'))).not.toContain('pending')
  })

  test('a killed runner is taken up by the next deployment, and a failure of that one goes back to the last good one', async () => {
    await space.deploy(
      { app: 'web', manifests: 'web.yaml' },
      { killAfter: { when: output => output.includes('exit code 3') }, post: false },
    )
    expect(Object.values(space.releases('web'))).toContain('pending')
    const locked = await space.deploy({ app: 'web', manifests: 'web.yaml' }, { github: { run_id: '4711' } })
    expect(locked.outputs).toMatchObject({ result: 'failed', reason: 'Locked' })
    expect(locked.outputs['message']).toMatch(/under way: https:\/\/\S+\/actions\/runs\/\d+/)
    // A dead holder loses its lock after a minute: the test only sets the clock of its last sign of life back.
    space.kubectl(['patch', 'lease', 'web.deploy', '--type=merge', '-p', '{"spec":{"renewTime":"2020-01-01T00:00:00.000000Z"}}'])
    const run = await space.deploy({ app: 'web', manifests: 'web.yaml' }, { github: { run_id: '4711' } })
    expect(run.output).toContain('was never finished')
    expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
    expect(meant('deployment', 'web')).toEqual(before)
  })

  test('two deployments at once: one works, the other is told who holds the lock', async () => {
    space.write({ 'web.yaml': webApp({ version: '9', replicas: 1 }) })
    const run = (id: string): ReturnType<typeof space.deploy> =>
      space.deploy({ app: 'web', manifests: 'web.yaml', 'stable-for': '4s' }, { github: { run_id: id } })
    const results = (await Promise.all([run('100'), run('200')])).map(({ outputs }) => outputs['reason'] || outputs['result'])
    expect(results.sort()).toEqual(['Locked', 'deployed'])
  })
})

describe('what is wrong with the input is said at once, and nothing is changed', () => {
  beforeAll(() => {
    space = new TestNamespace('input')
    space.write({
      'web.yaml': webApp(),
      'broken.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web\ndata: {}\n',
      'wrong-field.yaml': webApp().replace('image:', 'imagee:'),
      'selector.yaml': webApp().replace('      labels:\n        app: web', '      labels:\n        app: wob'),
      'unknown-kind.yaml': 'apiVersion: example.org/v1\nkind: Gadget\nmetadata:\n  name: a\n',
    })
  })
  afterAll(() => {
    expect(space.get('deployment', 'web')).toBeUndefined()
    expect(space.releases('input')).toEqual({})
    space.remove()
  })

  test.each<[string, Record<string, string>, RegExp, Record<string, unknown>]>([
    ['nothing to deploy', { manifets: 'web.yaml' }, /^One input is wrong.*manifests/, {}],
    ['a namespace that is not there', { manifests: 'web.yaml', namespace: 'nowhere' }, /There is no namespace "nowhere"/, {}],
    ['a file that is not there', { manifests: 'wab.yaml' }, /"wab.yaml" does not exist/, {}],
    ['a file outside of the workspace', { manifests: '/etc/hosts' }, /workspace/, {}],
    ['a file that is no YAML', { manifests: 'broken.yaml' }, /not closed/, { file: 'broken.yaml', line: 4 }],
    ['an unknown field', { manifests: 'wrong-field.yaml' }, /imagee: field not declared/, { file: 'wrong-field.yaml', line: 42 }],
    [
      'what the server refuses',
      { manifests: 'selector.yaml' },
      /`selector` does not match template `labels`/,
      { file: 'selector.yaml' },
    ],
    ['a kind that the cluster does not know', { manifests: 'unknown-kind.yaml' }, /Gadget/, { file: 'unknown-kind.yaml' }],
    [
      'an image that is in no manifest',
      { manifests: 'web.yaml', images: 'ghcr.io/acme/api=ghcr.io/acme/api:1' },
      /no container in the manifests has an image of ghcr.io\/acme\/api/,
      {},
    ],
    ['an image reference that does not parse', { manifests: 'web.yaml', images: 'web=web:1:2' }, /web:1:2/, {}],
    ['a kubeconfig that is none', { manifests: 'web.yaml', kubeconfig: 'e30K' }, /kubeconfig/, {}],
    [
      'several inputs at once',
      { manifests: 'web.yaml', timeout: 'soon', 'dry-run': 'perhaps' },
      /^2 inputs are wrong.*timeout.*dry-run/,
      {},
    ],
  ])('%s', async (_, inputs, message, position) => {
    const run = await space.deploy({ app: 'input', ...inputs })
    expect(run.conclusion).toBe('failure')
    expect(run.outputs['result']).toBe('failed')
    expect(run.outputs['message']).toMatch(message)
    expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', ...position }))
    expect(run.output).not.toMatch(/\n\s+at /)
  })

  test('a Secret that is refused is not quoted', async () => {
    space.write({ 'secret.yaml': 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  pin: 424242\n' })
    const run = await space.deploy({ app: 'input', manifests: 'secret.yaml' })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput' })
    expect(run.outputs['message']).toContain('.stringData.pin: expected string')
    expect(run.output + run.summary).not.toContain('424242')
  })

  test('an unknown input is named with the nearest one there is', async () => {
    const run = await space.deploy({ app: 'input', manifets: 'web.yaml' })
    expect(run.annotations).toContainEqual(
      expect.objectContaining({ level: 'warning', message: expect.stringContaining('did you mean "manifests"?') }),
    )
  })

  test('missing rights are named, and no token is in any log', async () => {
    space.kubectl(['create', 'serviceaccount', 'weak'])
    const token = space.kubectl(['create', 'token', 'weak']).trim()
    const kubeconfig = space.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json'], false)
    const config = JSON.parse(kubeconfig) as { users: { user: unknown }[] }
    config.users = config.users.map(user => ({ ...user, user: { token } }))
    const run = await space.deploy({
      app: 'input',
      manifests: 'web.yaml',
      kubeconfig: Buffer.from(JSON.stringify(config)).toString('base64'),
    })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'Forbidden' })
    expect(run.outputs['message']).toMatch(/leases|secrets|deployments|services/)
    expect(run.masks).toContain(token)
    expect(run.visible).not.toContain(token)
  })
})
