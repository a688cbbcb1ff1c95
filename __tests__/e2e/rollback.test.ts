// rollback from its built bundle against the real cluster.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { startGitHub } from '../../sandbox/github/server.ts'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { runAction } from '../harness/run-action.ts'
import { probe, TestNamespace } from './test-namespace.ts'
import { webApp } from './web-app.ts'

jest.setTimeout(180_000)

interface Service extends KubernetesObject {
  spec: { clusterIP: string }
}

interface Versioned extends KubernetesObject {
  spec: { template: { metadata: { annotations: Record<string, string> } } }
}

describe('rolling an app back', () => {
  let space: TestNamespace
  const url = (): string => `http://${space.get<Service>('service', 'web')?.spec.clusterIP ?? ''}/`
  const serving = async (): Promise<string> =>
    ((await (await fetch(url(), { headers: { connection: 'close' } })).json()) as { version: string }).version

  beforeAll(async () => {
    space = new TestNamespace('rollback')
    space.kubectl(['apply', '-f', '-'], true, webApp({ version: 'by-hand', replicas: 1 }))
    space.kubectl(['rollout', 'status', 'deployment/web', '--timeout=60s'])
  })
  afterAll(() => space.remove())

  const deploy = async (version: string, more: Record<string, string> = {}): Promise<string> => {
    space.write({ 'k8s/web.yaml': webApp({ version, replicas: 1, greeting: version }), ...more })
    const run = await space.deploy({ app: 'web', manifests: 'k8s' })
    expect(run.outputs).toMatchObject({ result: 'deployed' })
    return run.outputs['release'] ?? ''
  }
  const verify = async (release: string, version: string): Promise<void> => {
    const run = await runAction({
      action: 'smoke-test',
      inputs: { url: url(), json: `.version=${version}`, verifies: release, timeout: '20s' },
      env: space.env,
    })
    expect(run.outputs).toMatchObject({ result: 'passed' })
  }

  test('without any release there is nothing to roll back', async () => {
    const run = await space.rollback({ app: 'web', to: 'previous' })
    expect(run.conclusion).toBe('failure')
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(run.outputs['message']).toContain('there are no releases yet')
  })

  test('before the first release is what was there by other means', async () => {
    await deploy('1')
    expect(await serving()).toBe('1')
    const run = await space.rollback({ app: 'web', to: 'previous' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back', 'previous-release': `k8s://${space.name}/web/1` })
    expect(await serving()).toBe('by-hand')
    expect(space.releases('web')).toEqual({ '1': 'rolled-back', '2': 'deployed' })
  })

  test('last-verified needs one that was verified', async () => {
    const run = await space.rollback({ app: 'web' })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(run.outputs['message']).toMatch(/was ever verified.*verifies/)
  })

  test('last-verified passes over what was never verified, restores configuration, removes what came since, and loses no request', async () => {
    const verified = await deploy('3')
    await verify(verified, '3')
    await deploy('4')
    await deploy('5', { 'k8s/later.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: later\ndata: {a: b}\n' })
    expect(space.releases('web')).toMatchObject({ '3': 'verified', '4': 'deployed', '5': 'deployed' })
    const planned = await space.rollback({ app: 'web', 'dry-run': 'true' })
    expect(planned.outputs).toMatchObject({
      result: 'unchanged',
      message: 'Dry run, nothing was changed: it would change 2 objects, delete 1 object.',
    })
    expect(await serving()).toBe('5')
    const asking = probe(url())
    const run = await space.rollback({ app: 'web' })
    const seen = await asking.stop()
    expect(run.conclusion).toBe('success')
    expect(run.outputs).toMatchObject({
      result: 'rolled-back',
      release: `k8s://${space.name}/web/6`,
      'previous-release': `k8s://${space.name}/web/5`,
    })
    expect(JSON.parse(run.outputs['restored'] ?? '')).toMatchObject({ release: 3 })
    expect(await serving()).toBe('3')
    expect(space.get<KubernetesObject & { data: unknown }>('configmap', 'web')?.data).toEqual({ greeting: '3' })
    expect(space.get('configmap', 'later')).toBeUndefined()
    expect(space.releases('web')).toMatchObject({ '5': 'rolled-back', '6': 'deployed' })
    expect(seen.failures).toEqual([])
  })

  test('a second deployment after a rollback removes fields that only the rolled back release had', async () => {
    await deploy('7')
    expect(await serving()).toBe('7')
  })

  test('bad-release guards against rolling back what somebody else has already replaced', async () => {
    const run = await space.rollback({ app: 'web', to: 'previous', 'bad-release': `k8s://${space.name}/web/5` })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(run.outputs['message']).toMatch(/web\/5 is not live, .*web\/7 is/)
    const other = await space.rollback({ app: 'web', to: 'previous', 'bad-release': `k8s://${space.name}/shop/7` })
    expect(other.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput' })
  })

  test('a number chooses the release; one that is not there is answered with those there are', async () => {
    const missing = await space.rollback({ app: 'web', to: '99' })
    expect(missing.outputs['message']).toMatch(/There is no release .*web\/99: there are 7 \(deployed\)/)
    const run = await space.rollback({ app: 'web', to: '4' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back' })
    expect(await serving()).toBe('4')
  })

  test('what was left after a failure is what is taken away, and a Job that ran is not run again', async () => {
    const job = (name: string): string =>
      `apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: ${name}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: app\n          image: ${sandboxEnvironment().BASE_IMAGE}\n          command: ["true"]\n`
    space.write({ 'kept/web.yaml': webApp({ name: 'kept', version: '1', replicas: 1 }), 'kept/job.yaml': job('migrate-1') })
    expect((await space.deploy({ app: 'kept', manifests: 'kept' })).outputs).toMatchObject({ result: 'deployed' })
    space.kubectl(['delete', 'job', 'migrate-1'])
    space.write({
      'kept/web.yaml': webApp({ name: 'kept', version: '2', replicas: 1, command: 'exit 3' }),
      'kept/job.yaml': job('migrate-2'),
    })
    const kept = await space.deploy({ app: 'kept', manifests: 'kept', timeout: '3s', 'on-failure': 'keep' })
    expect(kept.outputs).toMatchObject({ result: 'failed', release: `k8s://${space.name}/kept/2` })
    const run = await space.rollback({ app: 'kept', to: 'previous' })
    expect(run.outputs).toMatchObject({ result: 'rolled-back', 'previous-release': `k8s://${space.name}/kept/2` })
    expect(JSON.parse(run.outputs['restored'] ?? '')).toMatchObject({ release: 1 })
    expect(space.get<Versioned>('deployment', 'kept')?.spec.template.metadata.annotations).toMatchObject({ version: '1' })
    expect([space.get('job', 'migrate-1'), space.get('job', 'migrate-2')]).toEqual([undefined, undefined])
    expect(space.releases('kept')).toEqual({ '1': 'deployed', '2': 'rolled-back', '3': 'deployed' })
  })

  test('a wrong target of the rollback is said before anything is asked', async () => {
    const run = await space.rollback({ app: 'web', to: 'last-verifed' })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput' })
    expect(run.outputs['message']).toContain('did you mean last-verified?')
  })

  test('by a tag, by a revision, with one incident issue for both', async () => {
    const { BASE_IMAGE: base, REGISTRY: registry } = sandboxEnvironment()
    const repository = base.slice(base.indexOf('/') + 1, base.lastIndexOf(':'))
    /** The base image once more, by a tag and a digest of its own. */
    const tagged = async (tag: string): Promise<{ byTag: string; byDigest: string }> => {
      const address = `http://${registry}/v2/${repository}/manifests`
      const type =
        'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'
      const manifest = await fetch(`${address}/${base.slice(base.lastIndexOf(':') + 1)}`, { headers: { accept: type } })
      const headers = { 'content-type': manifest.headers.get('content-type') ?? '' }
      const body = JSON.stringify({ ...((await manifest.json()) as object), annotations: { tag } })
      const put = await fetch(`${address}/${tag}`, { method: 'PUT', headers, body })
      expect(put.status).toBe(201)
      const digest = put.headers.get('docker-content-digest')
      return { byTag: `${registry}/${repository}:${tag}`, byDigest: `${registry}/${repository}@${digest}` }
    }
    const release = async (version: string, by: 'byTag' | 'byDigest' = 'byTag'): Promise<string> => {
      const image = (await tagged(`1.4.${version}-rollback`))[by]
      space.write({ 'tag/web.yaml': webApp({ name: 'tag', version, replicas: 1, image }) })
      const run = await space.deploy({ app: 'tag', manifests: 'tag' })
      expect(run.outputs).toMatchObject({ result: 'deployed' })
      return run.outputs['revision'] ?? ''
    }
    const live = (): string | undefined =>
      space.get<Versioned>('deployment', 'tag')?.spec.template.metadata.annotations['version']
    const revision = await release('1')
    await release('2', 'byDigest')
    await release('3')
    const github = await startGitHub({ repositories: { 'acme/web': space.workspace } })
    const incident = {
      app: 'tag',
      'incident-issue': 'true',
      'github-token': 'sandbox-token',
      'incident-title': 'The shop is down',
    }
    const over = { github: { api_url: github.url } }
    try {
      const missing = await space.rollback({ app: 'tag', to: '9.9.9' })
      expect(missing.outputs['message']).toMatch(
        /has the tag 9\.9\.9: there are 1\.4\.3-rollback \(release 3\), 1\.4\.1-rollback/,
      )
      const first = await space.rollback({ ...incident, to: '1.4.2-rollback' }, over)
      expect(first.outputs).toMatchObject({ result: 'rolled-back', 'issue-number': '1' })
      expect(live()).toBe('2')
      const second = await space.rollback({ ...incident, to: `revision=${revision}` }, over)
      expect(second.outputs).toMatchObject({ result: 'rolled-back', 'issue-number': '1' })
      expect(live()).toBe('1')
      const refused = await space.rollback({ ...incident, to: '2', 'github-token': 'sandbox-token-read' }, over)
      expect(refused.outputs).toMatchObject({ result: 'rolled-back', 'issue-number': '' })
      expect(refused.annotations).toContainEqual(
        expect.objectContaining({ level: 'warning', message: expect.stringMatching(/was not written.*issues: write/) }),
      )
      const asked = { headers: { authorization: 'token sandbox-token' } }
      const issues = await (await fetch(`${github.url}/repos/acme/web/issues`, asked)).json()
      expect(issues).toMatchObject([{ title: 'The shop is down', comments: 1, body: expect.stringContaining('✅ Rolled back') }])
    } finally {
      await github.close()
    }
  })
})
