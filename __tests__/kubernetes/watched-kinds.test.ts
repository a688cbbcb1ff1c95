// Which collections a release's kinds make the watch read, and what becomes of those that cannot be read.
import { beforeEach, describe, expect, test } from '@jest/globals'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { ReleaseWatch, type Workload } from '../../src/kubernetes/release-watch.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'
import { MemoryCluster } from './memory-cluster.ts'

let clock: ManualClock
let cluster: MemoryCluster
let listed: string[]
let told: string[]

beforeEach(() => {
  clock = new ManualClock()
  cluster = new MemoryCluster(clock)
  listed = []
  told = []
  cluster.before(({ method, path }) => void (method === 'LIST' && listed.push(path)))
})

const workload = (apiVersion: string, kind: string, name = 'web', namespace = 'shop'): Workload => ({
  apiVersion,
  kind,
  namespace,
  name,
})
const database = workload('example.com/v1', 'Database')

async function watching(...workloads: readonly Workload[]): Promise<ReleaseWatch> {
  const signal = new AbortController().signal
  const watch = new ReleaseWatch({
    api: cluster,
    clock,
    namespace: 'shop',
    workloads,
    signal,
    onTrouble: line => told.push(line),
  })
  await watch.start()
  return watch
}

const shop = '/api/v1/namespaces/shop'
const apps = '/apis/apps/v1/namespaces/shop'

test.each<[what: string, workloads: readonly Workload[], paths: readonly string[]]>([
  ['nothing', [], []],
  [
    'a Deployment',
    [workload('apps/v1', 'Deployment')],
    [`${apps}/deployments`, `${apps}/replicasets`, `${shop}/pods`, `${shop}/events`],
  ],
  ['a StatefulSet', [workload('apps/v1', 'StatefulSet')], [`${apps}/statefulsets`, `${shop}/pods`, `${shop}/events`]],
  [
    'a DaemonSet',
    [workload('apps/v1', 'DaemonSet')],
    [`${apps}/daemonsets`, `${apps}/controllerrevisions`, `${shop}/pods`, `${shop}/events`],
  ],
  [
    'Jobs and a pod',
    [workload('batch/v1', 'Job', 'a'), workload('batch/v1', 'Job', 'b'), workload('v1', 'Pod')],
    ['/apis/batch/v1/namespaces/shop/jobs', `${shop}/pods`, `${shop}/events`],
  ],
  ['a claim', [workload('v1', 'PersistentVolumeClaim')], [`${shop}/persistentvolumeclaims`, `${shop}/events`]],
  [
    'a definition',
    [workload('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'databases.example.com', '')],
    ['/apis/apiextensions.k8s.io/v1/customresourcedefinitions'],
  ],
  [
    'a Service',
    [workload('v1', 'Service')],
    [`${shop}/services`, '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices', `${shop}/events`],
  ],
  [
    'a Service and its Deployment',
    [workload('v1', 'Service'), workload('apps/v1', 'Deployment')],
    [
      `${shop}/services`,
      '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices',
      `${shop}/events`,
      `${shop}/pods`,
      `${apps}/deployments`,
      `${apps}/replicasets`,
    ],
  ],
  [
    'what is only looked at itself',
    [workload('batch/v1', 'CronJob'), workload('autoscaling/v1', 'HorizontalPodAutoscaler')],
    ['/apis/batch/v1/namespaces/shop/cronjobs', '/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers'],
  ],
  ['a ReplicaSet of nobody', [workload('apps/v1', 'ReplicaSet')], [`${apps}/replicasets`, `${shop}/pods`, `${shop}/events`]],
  [
    'a Rollout',
    [workload('argoproj.io/v1alpha1', 'Rollout')],
    ['/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts', `${apps}/replicasets`, `${shop}/pods`, `${shop}/events`],
  ],
  ['a kind of its own', [database], ['/apis/example.com/v1/namespaces/shop/databases']],
  [
    'two namespaces',
    [workload('batch/v1', 'Job'), workload('batch/v1', 'Job', 'web', 'other')],
    ['shop', 'other'].flatMap(name => [
      `/apis/batch/v1/namespaces/${name}/jobs`,
      `/api/v1/namespaces/${name}/pods`,
      `/api/v1/namespaces/${name}/events`,
    ]),
  ],
])('%s', async (_, workloads, paths) => {
  const watch = await watching(...workloads)
  expect(listed.sort()).toEqual([...paths].sort())
  watch.close()
})

describe.each(['LIST', 'WATCH'])('what cannot be read, for want of the right to %s it', refused => {
  const refuse = (part: string, status = 403): void =>
    cluster.before(({ method, path }) => {
      if (method === refused && path.includes(part)) throw new ApiFailure(status, 'Forbidden', `${part} is forbidden`)
    })
  const watchingInVain = async (...workloads: readonly Workload[]): Promise<ReleaseWatch> => {
    const watch = await watching(...workloads)
    await settle()
    return watch
  }
  const followed = async (...workloads: readonly Workload[]): Promise<unknown> =>
    (await watchingInVain(...workloads)).observe().judge()

  test.each([403, 404, 405])('of a kind of its own is said, and not waited for (%s)', async status => {
    refuse('databases', status)
    const watch = await watchingInVain(database)
    expect(told.join()).toContain('database/web cannot be followed: databases is forbidden')
    expect(watch.observe().judge()).toMatchObject({
      phase: 'healthy',
      workloads: [{ message: 'not followed, it cannot be read or watched' }],
    })
    watch.close()
  })

  test.each<[what: string, part: string, workload: Workload]>([
    ["a Service's endpoints", 'endpointslices', workload('v1', 'Service')],
    ['a Service', '/services', workload('v1', 'Service')],
    ['an autoscaler', 'horizontalpodautoscalers', workload('autoscaling/v2', 'HorizontalPodAutoscaler')],
    ['an Ingress', 'ingresses', workload('networking.k8s.io/v1', 'Ingress')],
    ["a ReplicaSet's pods", 'pods', workload('apps/v1', 'ReplicaSet')],
  ])('%s: that is said, and not waited for', async (_, part, given) => {
    refuse(part)
    const watch = await watchingInVain(given)
    expect(told).toEqual([expect.stringContaining(`${given.kind.toLowerCase()}/web cannot be followed: ${part} is forbidden`)])
    expect(watch.observe().judge()).toMatchObject({ phase: 'healthy' })
    watch.close()
  })

  test("a Rollout's pods: that is said, and it is judged by its own word", async () => {
    refuse('pods')
    const ownedBy = ({ apiVersion, kind, metadata: { name, uid = '' } }: KubernetesObject): object => ({
      namespace: 'shop',
      labels: { 'rollouts-pod-template-hash': '1' },
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true }],
    })
    const rollout = cluster.put({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'web', namespace: 'shop', generation: 1 },
      spec: {},
      status: { observedGeneration: '1', phase: 'Degraded', message: 'aborted', currentPodHash: '1' },
    })
    const set = cluster.put({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'web-1', ...ownedBy(rollout) } })
    cluster.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1-a', ...ownedBy(set) },
      spec: { nodeName: 'n', containers: [{ name: 'app', image: ':' }] },
      status: { containerStatuses: [{ name: 'app', state: { waiting: { reason: 'InvalidImageName' } } }] },
    })
    const watch = await watchingInVain(workload('argoproj.io/v1alpha1', 'Rollout'))
    expect(told).toEqual([expect.stringContaining('Some details cannot be seen: pods is forbidden')])
    expect(watch.observe().judge()).toMatchObject({ phase: 'failed', reason: 'Degraded' })
    watch.close()
  })

  test('of a Service ends the release where a Deployment needs it too', async () => {
    refuse('events')
    await expect(followed(workload('v1', 'Service'), workload('apps/v1', 'Deployment'))).rejects.toMatchObject({
      reason: 'Forbidden',
    })
  })

  test.each(['statefulsets', 'pods', 'events'])('%s of a workload end the release', async part => {
    refuse(part)
    await expect(followed(workload('apps/v1', 'StatefulSet'), workload('v1', 'PersistentVolumeClaim'))).rejects.toMatchObject({
      reason: 'Forbidden',
    })
  })
})

describe('a kind that comes with the release', () => {
  test('is followed once an object of it was applied', async () => {
    const resource = cluster.resource.bind(cluster)
    let known = false
    cluster.resource = (apiVersion, kind) =>
      known ? resource(apiVersion, kind) : Promise.reject(new ExpectedFailure('NotFound', 'no such kind'))
    const watch = await watching(database)
    const observation = watch.observe()
    expect(listed).toEqual([])
    expect(observation.judge()).toMatchObject({ phase: 'progressing', message: 'not seen yet' })
    known = true
    cluster.put({
      apiVersion: 'example.com/v1',
      kind: 'Database',
      metadata: { name: 'web', namespace: 'shop' },
      status: { conditions: [{ type: 'Ready', status: 'False', reason: 'Creating', message: 'no primary yet' }] },
    })
    watch.expectGeneration(database, 1)
    await settle()
    expect(observation.judge()).toMatchObject({ phase: 'progressing', reason: 'Creating' })
    watch.close()
  })

  test('that never comes to be known is not waited for', async () => {
    cluster.resource = () => Promise.reject(new ExpectedFailure('NotFound', 'no such kind'))
    const watch = await watching(database)
    watch.expectGeneration(database, 1)
    await settle()
    expect(watch.observe().judge()).toMatchObject({
      phase: 'healthy',
      workloads: [{ message: 'not followed, the server does not know its kind' }],
    })
    watch.close()
  })
})
