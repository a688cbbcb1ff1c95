import { beforeEach, describe, expect, test } from '@jest/globals'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { isMadeAnew, isNoChange, type Step, takeStep, tryStep, undoStep } from '../../src/kubernetes/steps.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'
import { step } from './step.ts'

let cluster: MemoryCluster
beforeEach(() => {
  cluster = new MemoryCluster(new ManualClock())
})

const OWNERS = [{ manager: 'deploy-actions', operation: 'Apply' }]
const web = (replicas: number, metadata: object = {}): KubernetesObject =>
  object('Deployment', 'web', { spec: { replicas } }, { managedFields: OWNERS, ...metadata })

const live = (): KubernetesObject | undefined => cluster.get('Deployment', 'web')
const replicas = (): unknown => (live()?.['spec'] as { replicas?: unknown } | undefined)?.replicas
const conflict = (): ApiFailure =>
  new ApiFailure(409, 'Conflict', 'the object has been modified; please apply your changes to the latest version')
const ownedBy = (manager: string): ApiFailure =>
  new ApiFailure(409, 'Conflict', 'Apply failed with 1 conflict', {
    causes: [{ reason: 'FieldManagerConflict', field: '.spec.replicas', message: `conflict with "${manager}"` }],
  })

describe('undoing a step', () => {
  const undo = step({ body: web(3), before: web(1) })

  test('puts the old object back whole, on top of what is live now, and gives its fields back', async () => {
    cluster.put({
      ...web(3),
      metadata: {
        ...web(3).metadata,
        labels: { new: 'yes' },
        annotations: { 'deployment.kubernetes.io/revision': '7' },
        managedFields: [],
      },
    })
    await undoStep(cluster, undo)
    expect(live()).toMatchObject({
      spec: { replicas: 1 },
      metadata: { managedFields: OWNERS, annotations: { 'deployment.kubernetes.io/revision': '7' } },
    })
    expect(live()?.metadata.labels).toBeUndefined()
    expect(cluster.writes).toEqual(['PUT deployments/web', 'PATCH deployments/web'])
  })

  const claim = (storage: string, more: object = {}): KubernetesObject =>
    object('PersistentVolumeClaim', 'data', { spec: { resources: { requests: { storage } }, ...more } }, { managedFields: [] })
  const bound = { volumeName: 'pv-1' }
  const there = (storage: string): object => ({ status: { capacity: { storage } } })
  test.each<[what: string, live: KubernetesObject, back: object]>([
    ['that has grown stays as large', { ...claim('2Gi', bound), ...there('2Gi') }, { requests: { storage: '2Gi' } }],
    ['that could not grow asks for its old size', { ...claim('2Gi', bound), ...there('1Gi') }, { requests: { storage: '1Gi' } }],
  ])('a claim %s, and keeps its volume', async (_, live, resources) => {
    const body = claim('2Gi')
    cluster.put(live)
    await undoStep(
      cluster,
      step({ body, before: { ...claim('1Gi'), metadata: { ...claim('1Gi').metadata, labels: { is: 'old' } } } }),
    )
    const put = cluster.get('PersistentVolumeClaim', 'data')
    expect(put?.['spec']).toEqual({ resources, volumeName: 'pv-1' })
    expect(put?.metadata.labels).toEqual({ is: 'old' })
  })

  test.each(['ConfigMap', 'Secret'])('a %s that the release made immutable makes room for the old one', async kind => {
    const before = object(kind, 'config', { data: { a: 'old' } }, { managedFields: [] })
    cluster.put({ ...before, data: { a: 'new' }, immutable: true })
    await undoStep(cluster, step({ body: before, before }))
    expect(cluster.get(kind, 'config')).toMatchObject({ data: { a: 'old' } })
    expect(cluster.get(kind, 'config')).not.toHaveProperty('immutable')
    const plural = `${kind.toLowerCase()}s`
    expect(cluster.writes).toEqual([`DELETE ${plural}/config`, `POST ${plural}`, `PATCH ${plural}/config`])
  })

  test.each<[what: string, finalizers: string[], undone: string[] | undefined, left: string[]]>([
    ['of a controller stays', ['cloud/load-balancer'], undefined, ['cloud/load-balancer']],
    ['that the release has brought goes', ['acme/keep', 'cloud/load-balancer'], ['acme/keep'], ['cloud/load-balancer']],
  ])('a finalizer %s', async (_, finalizers, undone, left) => {
    const before = object('Service', 'web', { spec: { port: 1 } }, { managedFields: [] })
    const desired = undone === undefined ? undefined : object('Service', 'web', {}, { finalizers: undone })
    cluster.put({ ...before, spec: { port: 2 }, metadata: { ...before.metadata, finalizers } })
    await undoStep(cluster, step({ body: before, before, desired }))
    expect(cluster.get('Service', 'web')).toMatchObject({ spec: { port: 1 }, metadata: { finalizers: left } })
  })

  test('what is as it was is not touched', async () => {
    cluster.put(web(1, { managedFields: [] }))
    await undoStep(cluster, undo)
    expect(cluster.writes).toEqual([])
  })

  test('a controller that writes in between is no reason to leave the bad release', async () => {
    cluster.put(web(3))
    let writes = 0
    cluster.before(({ method }) => {
      const now = live()
      if (method === 'PUT' && now !== undefined && writes++ < 3) cluster.put({ ...now, status: { observed: writes } })
    })
    await undoStep(cluster, undo)
    expect(replicas()).toBe(1)
    expect(writes).toBe(4)
  })

  test('one that never stops is given up', async () => {
    cluster.put(web(3))
    cluster.before(({ method }) => {
      if (method === 'PUT') throw conflict()
    })
    await expect(undoStep(cluster, undo)).rejects.toMatchObject({
      reason: 'Conflict',
      message: expect.stringMatching(/^Putting back deployment\/web failed/),
    })
    expect(cluster.writes).toHaveLength(10)
  })

  test('a lost answer and the conflict after it: the fields are given back all the same', async () => {
    cluster.put(web(3))
    let lost = false
    cluster.after(({ method }) => {
      if (method !== 'PUT' || lost) return
      lost = true
      throw conflict()
    })
    await undoStep(cluster, undo)
    expect(cluster.writes).toEqual(['PUT deployments/web', 'PATCH deployments/web'])
  })

  test("what was deleted meanwhile is created again, with its fields' owners", async () => {
    await undoStep(cluster, undo)
    expect(live()?.metadata.managedFields).toEqual(OWNERS)
    expect(cluster.writes).toEqual(['POST deployments', 'PATCH deployments/web'])
  })

  test('somebody who creates it in the same moment is no trouble', async () => {
    let raced = false
    cluster.before(({ method }) => {
      if (method === 'POST' && !raced) {
        raced = true
        cluster.put(web(5))
      }
    })
    await undoStep(cluster, undo)
    expect(replicas()).toBe(1)
  })

  test("an autoscaler's number of replicas stays", async () => {
    cluster.put(object('Deployment', 'web', { spec: { replicas: 8, paused: true } }))
    await undoStep(cluster, { ...undo, keepReplicas: true })
    expect(live()?.['spec']).toEqual({ replicas: 8 })
  })

  test('what somebody else has changed since, and the release had not, stays', async () => {
    const notes = { owner: 'acme', team: 'web' }
    const before = web(1, { annotations: notes, labels: { tier: 'front' } })
    const desired = { ...web(1, { annotations: { ...notes, team: 'api' } }), spec: { replicas: 1, paused: true } }
    cluster.put({
      ...web(4, { annotations: { owner: 'else', team: 'api', note: 'look here' }, labels: { seen: 'yes' } }),
      spec: { replicas: 4, paused: true },
    })
    await undoStep(cluster, step({ body: desired, before, desired }))
    expect(live()).toMatchObject({
      metadata: { annotations: { owner: 'else', team: 'web', note: 'look here' }, labels: { tier: 'front', seen: 'yes' } },
      spec: { replicas: 4 },
    })
    expect(live()?.['spec']).not.toHaveProperty('paused')
  })

  test('a Job that somebody has made anew is left alone', async () => {
    const job = object('Job', 'migrate', { spec: { parallelism: 2 } })
    cluster.put(object('Job', 'migrate', { spec: { parallelism: 1 } }))
    await undoStep(cluster, step({ body: job, before: { ...job, metadata: { ...job.metadata, uid: 'another' } } }))
    expect(cluster.writes).toEqual([])
  })

  test('a pod keeps the node that it was given after it had been recorded', async () => {
    const { metadata } = cluster.put(object('Pod', 'seed', { spec: { nodeName: 'node-1', containers: [] } }))
    const before = object('Pod', 'seed', { spec: { containers: [] } }, { uid: metadata.uid })
    await undoStep(cluster, step({ body: before, before }))
    expect(cluster.writes).toEqual([])
  })

  test('a Job that is gone is not run again', async () => {
    const job = object('Job', 'migrate', { spec: {} })
    expect(await undoStep(cluster, step({ body: job, before: job }))).toBeUndefined()
    expect(cluster.writes).toEqual([])
  })

  test('what is on its way out takes no change: that is said, with what holds it', async () => {
    cluster.put(web(3, { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['acme.org/hold'] }))
    await expect(undoStep(cluster, undo)).rejects.toThrow(/deployment\/web is being deleted .*acme\.org\/hold/)
  })

  test('what was created is removed; that it is gone already is fine', async () => {
    cluster.put(web(3))
    const created = step({ body: web(3) })
    await undoStep(cluster, created)
    await undoStep(cluster, created)
    expect(live()).toBeUndefined()
  })
})

describe('applying', () => {
  test.each<[owner: string, forced: boolean]>([
    ['kubectl-client-side-apply', true],
    ['kubectl', true],
    ['helm', true],
    ['deploy-actions-set-image', true],
    ['kube-controller-manager', false],
    ['argocd-controller', false],
  ])('a field of %s is taken over: %s', async (owner, forced) => {
    cluster.before(({ method, options }) => {
      if (method === 'PATCH' && options.query?.['force'] === 'false') throw ownedBy(owner)
    })
    const taken = takeStep(cluster, step({ body: web(2) }))
    if (forced) expect(await taken).toMatchObject({ spec: { replicas: 2 } })
    else await expect(taken).rejects.toThrow(`deployment/web cannot be applied: .spec.replicas belongs to "${owner}"`)
  })

  test("an autoscaler's number of replicas is sent as it is live", async () => {
    const there = cluster.put(web(8))
    await takeStep(cluster, step({ body: web(2), live: there, keepReplicas: true }))
    expect(replicas()).toBe(8)
  })

  test.each([1, 3])('an autoscaler that scales %d times while the release goes its way is no conflict', async times => {
    const there = cluster.put(web(8))
    let scalings = 0
    cluster.before(({ method, options }) => {
      if (method !== 'PATCH' || (options.body as { spec: { replicas: number } }).spec.replicas !== 8 + scalings) return
      if (scalings < times) {
        cluster.put(web(8 + ++scalings))
        throw ownedBy('kube-controller-manager')
      }
    })
    await takeStep(cluster, step({ body: web(2), live: there, keepReplicas: true }))
    expect(replicas()).toBe(8 + times)
  })

  test('an autoscaler that never rests is told as the conflict that it is', async () => {
    const there = cluster.put(web(8))
    cluster.before(({ method }) => {
      if (method === 'PATCH') throw ownedBy('kube-controller-manager')
    })
    await expect(takeStep(cluster, step({ body: web(2), live: there, keepReplicas: true }))).rejects.toMatchObject({
      reason: 'Conflict',
    })
  })

  test('trying changes nothing', async () => {
    expect(await tryStep(cluster, step({ body: web(2) }))).toMatchObject({ spec: { replicas: 2 } })
    expect(live()).toBeUndefined()
  })

  test.each<[action: Step['action'], says: string]>([
    ['apply', 'Applying deployment/web failed: ci may not '],
    ['put', 'Putting back deployment/web failed: ci may not '],
    ['delete', 'Removing deployment/web failed: ci may not '],
  ])('%s without the right to it names the right', async (action, says) => {
    cluster.put(web(1))
    cluster.before(({ method }) => {
      if (method === 'GET') return
      const verb = { PATCH: 'patch', PUT: 'update', DELETE: 'delete' }[method]
      throw new ApiFailure(
        403,
        'Forbidden',
        `deployments.apps "web" is forbidden: User "ci" cannot ${verb} resource "deployments" in API group "apps" in the namespace "shop"`,
      )
    })
    await expect(takeStep(cluster, step({ action, body: web(2) }))).rejects.toMatchObject({
      reason: 'Forbidden',
      message: expect.stringContaining(says),
    })
  })
})

describe('what is wrong in the manifest is told as its author would say it', () => {
  const position = (path: readonly (string | number)[]): { file: string; line: number } => ({
    file: 'web.yaml',
    line: path.length,
  })
  const told = (error: ApiFailure): Promise<unknown> => {
    cluster.before(({ method }) => {
      if (method === 'PATCH') throw error
    })
    return takeStep(cluster, step({ body: web(2), position })).catch((thrown: unknown) => thrown)
  }

  test('a number where a text is wanted', async () => {
    const error = new ApiFailure(
      500,
      'InternalError',
      'failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.template.spec.containers[name="app"].env[name="A"].value: expected string, got &value.valueUnstructured{Value:1}',
    )
    expect(await told(error)).toMatchObject({
      reason: 'InvalidInput',
      message: expect.stringMatching(/env\[name="A"\]\.value: expected string, got 1: put it in quotes$/),
    })
  })

  test('a namespace that is not there', async () => {
    const error = new ApiFailure(404, 'NotFound', 'namespaces "nowhere" not found')
    expect(await told(error)).toMatchObject({
      reason: 'NotFound',
      message: expect.stringContaining('there is no namespace nowhere. Create it first, or correct it in the manifest'),
      at: { file: 'web.yaml', line: 2 },
    })
  })
})

describe('what the server does not change in place', () => {
  const job = (image: string, metadata: object = {}): KubernetesObject =>
    object('Job', 'migrate', { spec: { template: { spec: { containers: [{ name: 'app', image }] } } } }, metadata)
  const immutable = new ApiFailure(422, 'Invalid', 'Job.batch "migrate" is invalid: spec.template: field is immutable', {
    causes: [{ field: 'spec.template', message: 'Invalid value: {}: field is immutable' }],
  })
  const image = (): unknown => JSON.stringify(cluster.get('Job', 'migrate')?.['spec'])
  /** As the API server does: a template stays. */
  const refuseTemplates = (): void =>
    cluster.before(({ method, path, options }) => {
      const there = path.endsWith('/migrate') && cluster.get('Job', 'migrate') !== undefined
      const spec = (options.body as KubernetesObject | undefined)?.['spec']
      if (method === 'PATCH' && there && spec !== undefined && JSON.stringify(spec) !== image()) throw immutable
    })
  const changed = (): Step => {
    const live = cluster.put(job('a:1', { managedFields: OWNERS }))
    refuseTemplates()
    return step({ body: job('a:2', { managedFields: OWNERS }), live, before: live })
  }

  test('a Job is tried under another name', async () => {
    const given = changed()
    const desired = await tryStep(cluster, given)
    expect(desired?.metadata.name).toBe('migrate')
    expect(isMadeAnew({ ...given, desired })).toBe(true)
    expect(cluster.writes).toEqual([])
  })

  test('a Job is deleted, its pods first, and made anew', async () => {
    const given = changed()
    const taken = await takeStep(cluster, given, new ManualClock())
    expect(cluster.writes).toEqual(['PATCH jobs/migrate', 'DELETE jobs/migrate', 'PATCH jobs/migrate'])
    const deletion = cluster.calls.find(({ method }) => method === 'DELETE')?.options.body
    expect(deletion).toMatchObject({ propagationPolicy: 'Foreground' })
    expect(image()).toContain('a:2')
    expect(taken?.metadata.uid).not.toBe(given.live?.metadata.uid)
  })

  test('put back, the new run ends, and the old one is not run again', async () => {
    const given = changed()
    await takeStep(cluster, given, new ManualClock())
    expect(await undoStep(cluster, given)).toBeUndefined()
    expect(cluster.get('Job', 'migrate')).toBeUndefined()
  })

  test('a hook is run anew though nothing of it has changed', async () => {
    const live = cluster.put(job('a:1'))
    await takeStep(cluster, step({ body: job('a:1'), live, hook: { when: 'before', weight: 0 } }), new ManualClock())
    expect(cluster.writes).toEqual(['DELETE jobs/migrate', 'PATCH jobs/migrate'])
  })

  const refuse = (field: string, message: string): void =>
    cluster.before(({ method }) => {
      if (method === 'PATCH') throw new ApiFailure(422, 'Invalid', message, { causes: [{ field, message }] })
    })
  test.each<[kind: string, field: string, message: string, says: string]>([
    ['Deployment', 'spec.selector', 'field is immutable', 'spec.selector: field is immutable. A selector stays for good.'],
    [
      'Service',
      'spec.clusterIPs[0]',
      'may not change once set',
      'remove the Service first by "kubectl delete service/x -n shop"',
    ],
    [
      'PersistentVolumeClaim',
      'spec',
      'spec is immutable after creation except resources.requests',
      'Of a claim only its size can be changed',
    ],
    ['Pod', 'spec', 'pod updates may not change fields other than ...', "A pod can't be changed"],
    ['ConfigMap', 'data', 'field is immutable when `immutable` is set', 'give the new content a new name'],
    ['NetworkPolicy', 'spec', 'field is immutable', 'give it another name'],
  ])('%s: what to do is said', async (kind, field, message, says) => {
    const live = cluster.put(object(kind, 'x', { immutable: true }))
    refuse(field, message)
    await expect(tryStep(cluster, step({ body: object(kind, 'x'), live }))).rejects.toMatchObject({
      reason: 'InvalidInput',
      message: expect.stringContaining(says),
    })
  })

  test('what is simply wrong gets no such advice', async () => {
    const live = cluster.put(object('Deployment', 'x'))
    refuse('spec.replicas', 'must be greater than or equal to 0')
    await expect(tryStep(cluster, step({ body: object('Deployment', 'x'), live }))).rejects.toThrow(/equal to 0$/)
  })
})

describe('the books', () => {
  const theirs = [{ manager: 'helm', operation: 'Update', apiVersion: 'apps/v1', fieldsV1: { 'f:spec': { 'f:paused': {} } } }]
  const mine = { manager: 'deploy-actions', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:paused': {} } } }

  test('are put right before the apply, and again where a controller writes in between', async () => {
    const there = cluster.put(web(1, { managedFields: theirs }))
    let interfered = false
    cluster.before(({ options }) => {
      if (options.contentType !== 'application/merge-patch+json' || interfered) return
      interfered = true
      cluster.put({ ...there, metadata: { ...there.metadata, labels: { of: 'a controller' } } })
    })
    await takeStep(cluster, step({ body: object('Deployment', 'web', { spec: { replicas: 1 } }), live: there }))
    expect(cluster.writes).toEqual(['PATCH deployments/web', 'PATCH deployments/web', 'PATCH deployments/web'])
    expect(live()?.metadata).toMatchObject({ labels: { of: 'a controller' }, managedFields: [mine] })
  })

  test('trying shows what vanishes, and changes nothing', async () => {
    const there = cluster.put(object('Deployment', 'web', { spec: { replicas: 1, paused: true } }, { managedFields: theirs }))
    const body = object('Deployment', 'web', { spec: { replicas: 1 } })
    expect((await tryStep(cluster, step({ body, live: there })))?.['spec']).toEqual({ replicas: 1 })
    expect(cluster.writes).toEqual([])
  })

  test('of a set-image are none of ours', async () => {
    const there = cluster.put(web(1, { managedFields: theirs }))
    await takeStep(cluster, step({ body: web(1), live: there, fieldManager: 'deploy-actions-set-image' }))
    expect(cluster.writes).toEqual(['PATCH deployments/web'])
  })
})

describe('a refusal that quotes a Secret', () => {
  const secret = object('Secret', 'db', {
    stringData: { pin: 424242, password: 'hunter2hunter2' },
    data: { token: 'c2VjcmV0LXRva2Vu' },
  })
  test.each<[what: string, error: ApiFailure]>([
    [
      'a value that is no text',
      new ApiFailure(
        500,
        'InternalError',
        'failed to create typed patch object (shop/db; /v1, Kind=Secret): .stringData.pin: expected string, got &value.valueUnstructured{Value:424242}',
      ),
    ],
    [
      'an invalid value',
      new ApiFailure(422, 'Invalid', 'Secret "db" is invalid', {
        causes: [{ field: 'data', message: 'Invalid value: "hunter2hunter2": too long' }],
      }),
    ],
    [
      'a webhook',
      new ApiFailure(
        403,
        'Forbidden',
        'admission webhook "policy" denied the request: password hunter2hunter2 is too weak, token secret-token',
      ),
    ],
    [
      'a conflict',
      new ApiFailure(409, 'Conflict', 'Apply failed', {
        causes: [
          { reason: 'FieldManagerConflict', field: '.data.token', message: 'conflict with "argocd" with value c2VjcmV0LXRva2Vu' },
        ],
      }),
    ],
  ])('%s', async (_, error) => {
    cluster.before(({ method }) => {
      if (method === 'PATCH') throw error
    })
    const told: unknown = await takeStep(cluster, step({ body: secret })).catch((thrown: unknown) => thrown)
    expect(String(told)).toContain('secret/db')
    expect(JSON.stringify([String(told), told])).not.toMatch(/424242|hunter2|secret-token|c2VjcmV0/)
  })
})

describe('a step that would change nothing', () => {
  test.each<[what: string, given: Partial<Step>, nothing: boolean]>([
    ['the same', { live: web(1), desired: web(1) }, true],
    ['not there yet', { desired: web(1) }, false],
    ['another value', { live: web(1), desired: web(2) }, false],
    ['not known', { live: web(1) }, false],
    ['removing what is not there', { action: 'delete' }, true],
    ['removing what is there', { action: 'delete', live: web(1) }, false],
  ])('%s', (_, given, nothing) => {
    expect(isNoChange(step({ body: web(1), ...given }))).toBe(nothing)
  })
})
