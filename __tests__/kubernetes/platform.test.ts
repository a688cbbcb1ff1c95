import { beforeEach, describe, expect, test } from '@jest/globals'
import { type DeployOptions, type DeployReport, deploy } from '../../src/deploy/engine.ts'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { KubernetesPlatform, type Target } from '../../src/kubernetes/platform.ts'
import { stepsToPrune } from '../../src/kubernetes/prune.ts'
import { ReleaseRecords } from '../../src/kubernetes/release-record.ts'
import { readLive, type Step } from '../../src/kubernetes/steps.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'
import { isDryRun, MemoryCluster, object } from './memory-cluster.ts'
import { configMap, state } from './records.ts'

let clock: ManualClock
let cluster: MemoryCluster
let cancel: AbortController

beforeEach(() => {
  clock = new ManualClock()
  cluster = new MemoryCluster(clock)
  cancel = new AbortController()
})

const APPLY = { action: 'apply', fieldManager: 'deploy-actions', keepReplicas: false, position: () => undefined } as const
const text = (name: string): unknown => (cluster.get('ConfigMap', name)?.['data'] as { text?: string } | undefined)?.text
const records = (): ReleaseRecords => new ReleaseRecords(cluster, 'shop', 'web')
const statuses = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await records().list()).map(({ number, status, leftInPlace }) => [number, leftInPlace ? `${status}, left` : status]),
  )
const config = (name: string, value: string): KubernetesObject => object('ConfigMap', name, { data: { text: value } })

/** A release of these objects; `options` are the engine's. */
async function release(
  objects: readonly KubernetesObject[],
  options: Partial<DeployOptions> = {},
  deletes: readonly KubernetesObject[] = [],
  restores = 0,
): Promise<DeployReport & { log: string }> {
  const printed: string[] = []
  const log = createLog(line => printed.push(line))
  const target = async (): Promise<Target> => ({
    restores,
    steps: await Promise.all(
      [...objects, ...deletes].map(async (body): Promise<Step> => {
        const live = await readLive(cluster, body)
        const action = deletes.includes(body) ? 'delete' : 'apply'
        return { ...APPLY, action, body, live, before: live, desired: undefined }
      }),
    ),
  })
  const platform = new KubernetesPlatform({
    api: cluster,
    app: 'web',
    namespace: 'shop',
    target,
    lockWaitMs: 0,
    env: { GITHUB_RUN_ID: '1' },
    clock,
    log,
    cancelled: cancel.signal,
  })
  let ended = false
  const report = deploy(platform, {
    timeoutMs: 60_000,
    stableForMs: 1_000,
    onFailure: 'rollback',
    firstDeploy: 'allow',
    dryRun: false,
    clock,
    log,
    cancelled: cancel.signal,
    ending: new AbortController().signal,
    ...options,
  }).finally(() => {
    ended = true
  })
  report.catch(() => undefined)
  for (await settle(); !ended; await settle()) await clock.next()
  return { ...(await report), log: printed.join('') }
}

/** Refuses a write, from the given time it is tried on; dry runs pass. */
function refuse(method: string, name: string, from = 1): void {
  let times = 0
  cluster.before(call => {
    if (call.method !== method || !call.path.endsWith(`/${name}`) || isDryRun(call)) return
    if (++times >= from) throw new ApiFailure(422, 'Invalid', `${name} is refused`)
  })
}

describe('what is put back', () => {
  beforeEach(async () => {
    cluster.put(config('a', 'old'))
    cluster.put(config('b', 'old'))
    expect(await release([config('a', 'one'), config('b', 'one')])).toMatchObject({ result: 'deployed' })
  })

  test('everything, when a part of the change is refused; what was created is removed', async () => {
    refuse('PATCH', 'b')
    const report = await release([config('a', 'two'), config('b', 'two'), config('c', 'two')])
    expect(report).toMatchObject({ result: 'rolled-back', reason: 'InvalidInput' })
    expect([text('a'), text('b'), text('c')]).toEqual(['one', 'one', undefined])
    expect(await statuses()).toEqual({ '1': 'deployed', '2': 'rolled-back' })
  })

  test('a namespace that was created stays: it may hold what others have put there', async () => {
    refuse('PATCH', 'b')
    await release([config('b', 'two'), object('Namespace', 'other')])
    expect(cluster.get('Namespace', 'other')).toBeDefined()
  })

  test('what could not be put back is named, and is what is live from then on', async () => {
    cluster.before(({ method, path }) => {
      if ((method === 'PATCH' && path.endsWith('/b')) || (method === 'PUT' && path.endsWith('/a')))
        throw new ApiFailure(403, 'Forbidden', 'the policy forbids it')
    })
    const tried = release([config('a', 'two'), config('b', 'two')])
    await expect(tried).rejects.toMatchObject({ reason: 'Forbidden' })
    refuse('PUT', 'a')
    cancelAfter('PATCH', 'a')
    const report = await release([config('a', 'two'), config('b', 'two')])
    expect(report.message).toMatch(/PUTTING BACK FAILED.*1 of 2 objects.*configmap\/a.*Secret web\.r2/)
    expect(report.remedies).toEqual([expect.stringMatching(/get secret web\.r2 .*"ConfigMap\/shop\/a".* replace -f -$/)])
    expect(report.log).toContain('::group::Commands that would put it back')
    expect(await statuses()).toEqual({ '1': 'deployed', '2': 'failed, left' })
  })

  test('what was created and cannot be removed is told, and is no reason to call the old version not put back', async () => {
    const report = await release([config('a', 'two'), config('b', 'two'), config('c', 'two')], {
      onRemembered: () =>
        cluster.before(({ method, path, options }) => {
          if (options.query?.['dryRun'] !== undefined) return
          if ((method === 'PATCH' && path.endsWith('/b')) || (method === 'DELETE' && path.endsWith('/c')))
            throw new ApiFailure(403, 'Forbidden', 'the policy forbids it')
        }),
    })
    expect(report).toMatchObject({ result: 'rolled-back', reason: 'Forbidden' })
    expect(report.log).toMatch(/::warning::configmap\/c was created by the release that failed, and is still there/)
    expect(report.restored).toContain('configmap/c could not be removed')
    expect(await statuses()).toEqual({ '1': 'deployed', '2': 'rolled-back' })
  })

  const outage = (from: string, failures: number): { left: number } => {
    const state = { left: failures }
    let began = false
    cluster.before(({ method, path, options }) => {
      if (method === 'PATCH' && path.endsWith('/b') && options.query?.['dryRun'] === undefined)
        throw new ApiFailure(422, 'Invalid', 'b is refused')
      began ||= method === from && path.endsWith('/a')
      if (began && state.left-- > 0) throw new ApiFailure(0, 'Unreachable', 'connection refused', { transient: true })
    })
    return state
  }

  test('also when the API server was away for longer than a request is tried', async () => {
    outage('PUT', 6)
    expect(await release([config('a', 'two'), config('b', 'two')])).toMatchObject({
      result: 'rolled-back',
      reason: 'InvalidInput',
    })
    expect(text('a')).toBe('one')
  })

  const webhook = `Internal error occurred: failed calling webhook "check.shop": no endpoints available for service "check"`
  test.each<[what: string, failure: ApiFailure]>([
    [
      'the API server, behind a load balancer, was not up',
      new ApiFailure(503, 'ServiceUnavailable', 'no backend', { transient: true }),
    ],
    ['its store had no leader', new ApiFailure(500, 'InternalError', 'etcdserver: leader changed')],
    ['a webhook of the release itself was not up', new ApiFailure(500, 'InternalError', webhook)],
  ])('also when %s for a while', async (_, failure) => {
    const until = clock.now() + 50_000
    cluster.before(({ method, path, options }) => {
      if (options.query?.['dryRun'] !== undefined) return
      if (method === 'PATCH' && path.endsWith('/b')) throw new ApiFailure(422, 'Invalid', 'b is refused')
      if (method === 'PUT' && path.endsWith('/a') && clock.now() < until) throw failure
    })
    const report = await release([config('a', 'two'), config('b', 'two')])
    expect(report).toMatchObject({ result: 'rolled-back', reason: 'InvalidInput' })
    expect(text('a')).toBe('one')
    expect(report.log.match(/Not put back yet/g)).toHaveLength(1)
  })

  test('what could not be put back for something that may pass is unfinished, and is taken up by the next release', async () => {
    cluster.before(({ method, path, options }) => {
      if (options.query?.['dryRun'] !== undefined) return
      if (method === 'PATCH' && path.endsWith('/b')) throw new ApiFailure(422, 'Invalid', 'b is refused')
      if (method === 'PUT' && path.endsWith('/a')) throw new ApiFailure(500, 'InternalError', webhook)
    })
    const report = await release([config('a', 'two'), config('b', 'two')])
    expect(report).toMatchObject({ result: 'failed', unfinished: true, message: expect.stringMatching(/^PUTTING BACK FAILED/) })
    expect(await statuses()).toMatchObject({ '1': 'deployed', '2': 'pending' })
    refuse('PATCH', 'b')
    const next = await release([config('a', 'three'), config('b', 'three')])
    expect(next).toMatchObject({ result: 'rolled-back' })
    expect([text('a'), text('b')]).toEqual(['one', 'one'])
    expect(await statuses()).toEqual({ '1': 'deployed', '2': 'failed', '3': 'rolled-back' })
  })

  test('also when an object of the name is still on its way out', async () => {
    cancelAfter('PATCH', 'a')
    const going = cluster.put(object('ConfigMap', 'b', { data: { text: 'one' } }))
    let asked = 0
    cluster.before(({ method, path }) => {
      if (method !== 'GET' || !path.endsWith('/b')) return
      // Deleted by somebody once the release has begun, gone when it is looked at for the fifth time.
      if (++asked === 2) cluster.put({ ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })
      if (asked === 5) cluster.remove(going)
    })
    const report = await release([config('b', 'two'), config('a', 'two')])
    expect(report).toMatchObject({ result: 'cancelled', message: expect.stringMatching(/was put back and is healthy/) })
    expect([text('a'), text('b')]).toEqual(['one', 'one'])
    expect(report.log).toMatch(/Not put back yet.*configmap\/b is being deleted/)
  })

  test('a definition that the server takes no step back in is told, and is no reason to call the old version not put back', async () => {
    const conditions = ['NamesAccepted', 'Established'].map(type => ({ type, status: 'True' }))
    const definition = (served: string): KubernetesObject => ({
      ...object('CustomResourceDefinition', 'dbs.example.com', { spec: { served }, status: { conditions } }),
      apiVersion: 'apiextensions.k8s.io/v1',
    })
    cluster.put(definition('v1'))
    refuse('PUT', 'dbs.example.com')
    const report = await release([config('a', 'two'), definition('v2')])
    expect(report).toMatchObject({ result: 'rolled-back', reason: 'NotFound' })
    expect(text('a')).toBe('one')
    expect(report.log).toMatch(/::warning::customresourcedefinition\/dbs.example.com stays as the release that failed made it/)
    expect(report.restored).toContain('customresourcedefinition/dbs.example.com could not be put back')
  })

  test('where it stays away, the post step has to', async () => {
    outage('PUT', Number.POSITIVE_INFINITY)
    const report = await release([config('a', 'two'), config('b', 'two')])
    expect(report).toMatchObject({
      result: 'failed',
      unfinished: true,
      message: expect.stringMatching(/^PUTTING BACK FAILED.*could not be reached/),
    })
    cluster.before(() => undefined)
    expect(await statuses()).toMatchObject({ '2': 'pending' })
  })

  test('what somebody else changed meanwhile goes back with it, and is told', async () => {
    cluster.after(({ method, path, options }) => {
      if (method !== 'PATCH' || !path.endsWith('/a') || options.query?.['dryRun'] !== undefined) return
      const live = cluster.get('ConfigMap', 'a')
      if (live !== undefined) queueMicrotask(() => cluster.put({ ...live, data: { text: 'by hand' } }))
    })
    refuse('PATCH', 'b')
    const report = await release([config('a', 'two'), config('b', 'two')])
    expect(report).toMatchObject({ result: 'rolled-back' })
    expect(text('a')).toBe('one')
    expect(report.log).toMatch(
      /::warning::configmap\/a was changed by somebody else .*data\.text two -> by hand.*is put back with the rest/,
    )
  })

  test('what kubectl apply had noted in an object that the release leaves as it is goes back too', async () => {
    const NOTE = 'kubectl.kubernetes.io/last-applied-configuration'
    const fieldsV1 = { 'f:metadata': { 'f:annotations': { [`f:${NOTE}`]: {} } }, 'f:data': { 'f:text': {} } }
    const owners = [{ manager: 'kubectl-client-side-apply', operation: 'Update', apiVersion: 'v1', fieldsV1 }]
    const before = cluster.put(
      object('ConfigMap', 'a', { data: { text: 'one' } }, { annotations: { [NOTE]: '{}' }, managedFields: owners }),
    )
    cluster.put(config('b', 'one'))
    cluster.after(({ method, path, options }) => {
      const applied = method === 'PATCH' && path.endsWith('/a') && options.query?.['fieldValidation'] !== undefined
      const live = cluster.get('ConfigMap', 'a')
      if (!applied || options.query?.['dryRun'] !== undefined || live === undefined) return
      // As the API server does with a field that is ours and not in the manifest.
      const { annotations: _, ...metadata } = live.metadata
      cluster.put({ ...live, metadata })
    })
    refuse('PATCH', 'b')
    const report = await release([config('a', 'one'), config('b', 'two')])
    expect(report).toMatchObject({ result: 'rolled-back', restored: expect.arrayContaining(['put back configmap/a']) })
    const { annotations, managedFields } = cluster.get('ConfigMap', 'a')?.metadata ?? {}
    expect({ annotations, managedFields }).toEqual({
      annotations: before.metadata.annotations,
      managedFields: before.metadata.managedFields,
    })
  })

  test('on-failure: keep leaves it, and says so in the record', async () => {
    refuse('PATCH', 'b')
    expect(await release([config('a', 'two'), config('b', 'two')], { onFailure: 'keep' })).toMatchObject({ result: 'failed' })
    expect(text('a')).toBe('two')
    expect(await statuses()).toEqual({ '1': 'deployed', '2': 'failed, left' })
    cluster.before(() => undefined)
    expect(await release([config('a', 'three')])).toMatchObject({ result: 'deployed', previousRelease: 'k8s://shop/web/2' })
  })

  test('a new workload that was removed again is not waited for', async () => {
    const worker = object('Deployment', 'worker', { spec: { replicas: 1 } })
    cancelAfter('PATCH', 'worker')
    const report = await release([config('a', 'two'), worker])
    expect(report).toMatchObject({ result: 'cancelled', message: expect.stringMatching(/was put back and is healthy/) })
    expect(cluster.get('Deployment', 'worker')).toBeUndefined()
    expect(clock.now() - Date.UTC(2026, 0, 1)).toBeLessThan(60_000)
  })
})

test('a release is recorded as controllers have completed it by the time that it is up', async () => {
  const hook = { ...object('ValidatingWebhookConfiguration', 'check'), apiVersion: 'admissionregistration.k8s.io/v1' }
  cluster.after(({ method, path, options }) => {
    if (method !== 'PATCH' || !path.endsWith('/check') || options.query?.['dryRun'] !== undefined) return
    const live = cluster.get('ValidatingWebhookConfiguration', 'check')
    if (live !== undefined) queueMicrotask(() => cluster.put({ ...live, caBundle: 'by a job' }))
  })
  expect(await release([hook, config('a', 'one')])).toMatchObject({ result: 'deployed' })
  const [up] = await records().list()
  const after = up?.content().objects.find(({ reference }) => reference.metadata.name === 'check')?.after
  expect(after).toMatchObject({ caBundle: 'by a job' })
})

describe('a first release that fails', () => {
  test('all that it had created is removed', async () => {
    refuse('PATCH', 'b')
    expect(await release([config('a', 'one'), config('b', 'one')])).toMatchObject({
      result: 'failed',
      message: expect.stringMatching(/It was the first release.*was removed/),
    })
    expect(text('a')).toBeUndefined()
    expect(await statuses()).toEqual({ '1': 'failed' })
  })

  test('what cannot be removed is what is live', async () => {
    refuse('DELETE', 'a')
    cancelAfter('PATCH', 'a')
    expect(await release([config('a', 'one')])).toMatchObject({
      message: expect.stringMatching(/PUTTING BACK FAILED.*a is refused/),
    })
    expect(await statuses()).toEqual({ '1': 'failed, left' })
  })
})

/** The user cancels in the moment in which that object was written. */
function cancelAfter(method: string, name: string): void {
  cluster.after(call => {
    if (call.method === method && call.path.endsWith(`/${name}`) && call.options.query?.['dryRun'] === undefined) cancel.abort()
  })
}

describe('a lock that is lost', () => {
  test('nothing more is changed, nothing is put back, and the record is left to the other run', async () => {
    cluster.put(config('a', 'old'))
    cluster.after(({ method, path, options }) => {
      const lease = cluster.get('Lease', 'web.deploy')
      if (method === 'PATCH' && path.endsWith('/a') && options.query?.['dryRun'] === undefined && lease !== undefined)
        cluster.put({ ...lease, spec: { ...(lease['spec'] as object), holderIdentity: 'run 2' } })
    })
    const report = await release([config('a', 'new')], { stableForMs: 30_000 })
    expect(report).toMatchObject({
      result: 'failed',
      reason: 'Locked',
      message: expect.stringMatching(/^The lock was lost .*run 2 holds it now/),
    })
    expect(text('a')).toBe('new')
    expect(await statuses()).toEqual({ '1': 'pending' })
    expect(cluster.get('Lease', 'web.deploy')).toBeDefined()
  })
})

describe('taking up runs that died', () => {
  const content = { commit: '', run: '', actor: '', restores: 0, previous: 0, images: {} }
  const died = async (number: number, ...objects: ReturnType<typeof state>[]): Promise<void> => {
    await records().create(number, { ...content, objects })
  }

  test('a failure goes back to how it was before the first of them', async () => {
    cluster.put(config('a', 'third'))
    await died(1, state('a', 'good', 'first'))
    await died(2, state('a', 'first', 'second'))
    refuse('PATCH', 'b')
    cluster.put(config('b', 'old'))
    expect(await release([config('a', 'new'), config('b', 'new')])).toMatchObject({ reason: 'InvalidInput' })
    expect([text('a'), text('b')]).toEqual(['good', 'old'])
    expect(await statuses()).toMatchObject({ '1': 'failed', '2': 'failed' })
  })

  test('what the new release does not touch goes back with it', async () => {
    cluster.put(config('a', 'old'))
    cluster.put(config('left', 'half'))
    cluster.put(config('created', 'half'))
    await died(1, state('left', 'good', 'half'), state('created', undefined, 'half'))
    expect(await release([config('a', 'new')])).toMatchObject({ result: 'deployed' })
    expect([text('a'), text('left'), text('created')]).toEqual(['new', 'good', undefined])
  })

  test.each(['the new release has it no more', 'the new release has it, and fails'])(
    'what holds data stays though a run that died had made it: %s',
    async how => {
      const claim = cluster.put(object('PersistentVolumeClaim', 'data', { spec: {}, status: { phase: 'Bound' } }))
      cluster.put(config('a', 'old'))
      await died(1, { reference: claim, before: undefined, after: claim, keepReplicas: false })
      const fails = how.endsWith('fails')
      if (fails) refuse('PATCH', 'a')
      const report = await release(fails ? [claim, config('a', 'new')] : [config('a', 'new')])
      expect(report).toMatchObject({ result: fails ? 'rolled-back' : 'deployed' })
      expect(cluster.get('PersistentVolumeClaim', 'data')).toBeDefined()
    },
  )

  test('one that died before it had made anything is no trouble', async () => {
    cluster.put(config('a', 'old'))
    await died(1, state('created', undefined, 'half'))
    expect(await release([config('a', 'new')])).toMatchObject({ result: 'deployed' })
    expect(await statuses()).toEqual({ '1': 'failed', '2': 'deployed' })
  })

  test('one that a later release has overtaken is closed, and nothing goes back to before it', async () => {
    cluster.put(config('a', 'live'))
    cluster.put(config('left', 'fine'))
    await died(1, state('a', 'ancient', 'half'), state('left', 'ancient', 'half'))
    await died(2, state('a', 'half', 'live'))
    await records().update(2, 'deployed', 'Deployed.')
    refuse('PATCH', 'b')
    cluster.put(config('b', 'old'))
    expect(await release([config('a', 'new'), config('b', 'new')])).toMatchObject({ result: 'rolled-back' })
    expect([text('a'), text('left')]).toEqual(['live', 'fine'])
    expect(await statuses()).toEqual({ '1': 'failed', '2': 'deployed', '3': 'rolled-back' })
  })
})

describe('the post step', () => {
  const platformOf = (env: NodeJS.ProcessEnv): KubernetesPlatform =>
    new KubernetesPlatform({
      api: cluster,
      app: 'web',
      namespace: 'shop',
      target: () => Promise.reject(new Error('there is none')),
      lockWaitMs: 0,
      env,
      clock,
      log: createLog(() => undefined),
      cancelled: cancel.signal,
    })
  const run = (id: string): NodeJS.ProcessEnv => ({
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'acme/web',
    GITHUB_RUN_ID: id,
  })

  test('finds a record that its killed step never heard of, and none of another run', async () => {
    const platform = platformOf(run('7'))
    await platform.lock()
    const content = { commit: '', actor: '', restores: 0, previous: 0, images: {}, objects: [] }
    await records().create(1, { ...content, run: 'https://github.com/acme/web/actions/runs/7' })
    expect(await platformOf(run('7')).findLeftBehind()).toBe(1)
    expect(await platformOf(run('8')).findLeftBehind()).toBeUndefined()
    await platform.unlock()
    expect(await platformOf(run('7')).findLeftBehind()).toBeUndefined()
  })

  test('cannot put back what a record does not hold, and says what can be done', async () => {
    const inventory = [
      { reference: config('a', ''), before: true, after: true },
      { reference: config('new', ''), before: false, after: true },
    ]
    await records().create(1, { commit: 'abc', run: '', actor: '', restores: 0, previous: 0, images: {}, objects: [], inventory })
    const platform = platformOf({})
    await platform.resume(1)
    await expect(platform.restore()).rejects.toMatchObject({
      message: expect.stringMatching(/too large for its release record.*Deploy its commit abc again/),
      commands: ['kubectl -n shop delete configmap/new --ignore-not-found'],
    })
  })

  test('a release that another run took up meanwhile is not undone', async () => {
    const platform = new KubernetesPlatform({
      api: cluster,
      app: 'web',
      namespace: 'shop',
      target: () => Promise.reject(new Error('there is none')),
      lockWaitMs: 0,
      env: {},
      clock,
      log: createLog(() => undefined),
      cancelled: cancel.signal,
    })
    await records().create(1, { commit: '', run: '', actor: '', restores: 0, previous: 0, images: {}, objects: [] })
    expect(await platform.isUnfinished(1)).toBe(true)
    await records().update(1, 'failed', 'Taken up by release 2.')
    expect(await platform.resume(1)).toBeUndefined()
  })
})

describe('a plan', () => {
  test('what is wrong in a namespace that is there is found before anything is changed; in one that is still to come it cannot be', async () => {
    const inside = (namespace: string): KubernetesObject => object('ConfigMap', 'a', { data: {} }, { namespace })
    cluster.put(object('Namespace', 'there'))
    cluster.before(({ method, path }) => {
      if (method === 'PATCH' && path.endsWith('/a')) throw new ApiFailure(422, 'Invalid', 'a is refused')
    })
    await expect(release([object('Namespace', 'there'), inside('there')])).rejects.toThrow(/Nothing was changed/)
    expect(await release([object('Namespace', 'coming'), inside('coming')])).toMatchObject({
      result: 'failed',
      reason: 'InvalidInput',
    })
  })

  test('a right to watch that is missing is told as what it is', async () => {
    cluster.before(({ method, path }) => {
      if (method === 'LIST' && path.endsWith('/replicasets')) throw new ApiFailure(403, 'Forbidden', 'replicasets is forbidden')
    })
    await expect(release([object('Deployment', 'web', { spec: {} })])).rejects.toMatchObject({ reason: 'Forbidden' })
    expect(cluster.writes).toEqual(['POST leases', 'DELETE leases/web.deploy'])
  })

  test('what is being deleted is said, before anything is changed', async () => {
    cluster.put(
      object(
        'PersistentVolumeClaim',
        'data',
        {},
        { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['kubernetes.io/pvc-protection'] },
      ),
    )
    await expect(release([object('PersistentVolumeClaim', 'data', { spec: {} })])).rejects.toThrow(
      /persistentvolumeclaim\/data is being deleted.*pvc-protection/,
    )
    expect(cluster.writes).toEqual(['POST leases', 'DELETE leases/web.deploy'])
  })

  test('what is pruned goes after the change, and what uses others before them', async () => {
    const old = ['ConfigMap', 'Namespace', 'Deployment'].map(kind => cluster.put(object(kind, 'old')))
    await release([config('a', 'new')], {}, old)
    const writes = cluster.writes.filter(call => /\/(a|old)$/.test(call))
    expect(writes.map(call => call.replace('/api/v1/', ''))).toEqual([
      'PATCH configmaps/a',
      'DELETE deployments/old',
      'DELETE configmaps/old',
      'DELETE namespaces/old',
    ])
  })

  test.each<[what: string, refused: string, left: string[]]>([
    ['is left alone when the new version does not come up', 'PATCH a', ['ConfigMap', 'NetworkPolicy']],
    ['is put back when part of it cannot be pruned', 'DELETE old', ['ConfigMap', 'NetworkPolicy']],
  ])('what was to be pruned %s', async (_, refused, left) => {
    const old = ['ConfigMap', 'NetworkPolicy'].map(kind => cluster.put(object(kind, 'old')))
    cluster.put(config('a', 'live'))
    const [method = '', name = ''] = refused.split(' ')
    const report = await release(
      [config('a', 'new')],
      { onRemembered: () => refuse(method, name, method === 'DELETE' ? 2 : 1) },
      old,
    )
    expect(report).toMatchObject({ result: 'rolled-back' })
    expect(left.filter(kind => cluster.get(kind, 'old') === undefined)).toEqual([])
    expect(cluster.writes.filter(call => /(DELETE|POST) networkpolicies/.test(call))).toHaveLength(method === 'DELETE' ? 2 : 0)
    expect(report.restored.some(said => said.includes('old'))).toBe(method === 'DELETE')
  })

  test.each<[what: string, restores: number, deleted: string[]]>([
    ['a release waits with what may serve until it is up', 0, ['networkpolicies']],
    [
      'a rollback waits with nothing: what it takes away may be what keeps the old version down',
      1,
      ['networkpolicies', 'configmaps'],
    ],
  ])('%s', async (_, restores, deleted) => {
    const old = ['ConfigMap', 'NetworkPolicy'].map(kind =>
      cluster.put({ ...object(kind, 'old'), ...(kind === 'ConfigMap' ? {} : { apiVersion: 'networking.k8s.io/v1' }) }),
    )
    const neverUp = object('Deployment', 'web', { spec: { replicas: 1 } })
    const report = await release([neverUp], {}, old, restores)
    expect(report).toMatchObject({ result: 'failed' })
    expect(cluster.writes.filter(call => /^DELETE .*\/old$/.test(call)).toSorted()).toEqual(
      deleted.map(plural => `DELETE ${plural}/old`).toSorted(),
    )
    expect(old.map(({ kind }) => cluster.get(kind, 'old') === undefined)).toEqual([false, false])
  })

  test('what was not pruned any more, for the release was left as it failed, is pruned by the next', async () => {
    cluster.put(config('a', 'live'))
    const old = cluster.put(config('old', 'live'))
    const report = await release(
      [config('a', 'new'), object('Deployment', 'web', { spec: { replicas: 1 } })],
      { onFailure: 'keep' },
      [old],
    )
    expect(report).toMatchObject({ result: 'failed' })
    const [left] = await records().list()
    const known = await stepsToPrune(cluster, left, [config('a', 'newer')])
    expect(known.map(({ body }) => body.metadata.name).toSorted()).toEqual(['old', 'web'])
    cluster.remove(object('Deployment', 'web'))
    expect(await release([config('a', 'newer')], {}, [old])).toMatchObject({ result: 'deployed' })
    const [up] = await records().list()
    expect(up?.content().objects.map(({ reference, after }) => [reference.metadata.name, after !== undefined])).toEqual([
      ['a', true],
      ['old', false],
    ])
  })

  test('an autoscaler that is pruned goes before the new version is up: two of the same pods would both stop', async () => {
    const old = cluster.put({ ...object('HorizontalPodAutoscaler', 'old'), apiVersion: 'autoscaling/v2' })
    cluster.put(config('a', 'live'))
    cancelAfter('PATCH', 'a')
    await release([config('a', 'new')], {}, [old])
    expect(cluster.writes.filter(call => /scalers/.test(call))).toEqual([])
  })

  test('the diff is an output: it does not grow without end', async () => {
    const report = await release(
      [config('a', 'x'.repeat(100)), ...Array.from({ length: 3_000 }, (_, index) => config(`c${index}`, 'x'.repeat(150)))],
      {
        dryRun: true,
      },
    )
    expect(report.plan.changes).toHaveLength(3_001)
    expect(report.plan.diff.length).toBeLessThan(201_000)
    expect(report.plan.diff).toMatch(/\(\d+ more characters\)\n$/)
  })

  test('what is the same by a stranger: nothing is remembered', async () => {
    cluster.put(configMap('a', 'same') as KubernetesObject)
    expect(await release([config('a', 'same')])).toMatchObject({ result: 'unchanged' })
    expect(await statuses()).toEqual({})
  })
})
