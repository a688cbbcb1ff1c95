import { beforeEach, describe, expect, test } from '@jest/globals'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { isStatefulSet, replaceStuckPods } from '../../src/kubernetes/stuck-pods.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster } from './memory-cluster.ts'

let clock: ManualClock
let cluster: MemoryCluster
let printed: string[]
let stop: AbortController

beforeEach(() => {
  clock = new ManualClock()
  cluster = new MemoryCluster(clock)
  printed = []
  stop = new AbortController()
})

/** A StatefulSet that goes back to revision `good`. */
function statefulSet(more: { spec?: object; status?: object } = {}): KubernetesObject {
  return cluster.put({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'shop' },
    spec: { replicas: 2, ...more.spec },
    status: { observedGeneration: 1, updateRevision: 'good', ...more.status },
  })
}

function pod(name: string, revision: string, ready: boolean, owner: string): void {
  cluster.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      labels: { 'controller-revision-hash': revision },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: owner, controller: true }],
    },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  })
}

const watchOver = (set: KubernetesObject): void =>
  replaceStuckPods({ api: cluster, clock, log: createLog(line => printed.push(line)), signal: stop.signal }, set)

describe('a StatefulSet that was put back', () => {
  test.each<[what: string, pods: readonly (readonly [string, string, boolean])[], spec: object, deleted: readonly string[]]>([
    [
      'a pod of the bad revision that is not Ready is deleted',
      [
        ['db-0', 'good', true],
        ['db-1', 'bad', false],
      ],
      {},
      ['db-1'],
    ],
    [
      'one that is Ready is left to the controller',
      [
        ['db-0', 'good', true],
        ['db-1', 'bad', true],
      ],
      {},
      [],
    ],
    [
      'one of the good revision is left alone',
      [
        ['db-0', 'good', false],
        ['db-1', 'good', true],
      ],
      {},
      [],
    ],
    [
      'one below the partition stays as it was',
      [
        ['db-0', 'older', false],
        ['db-1', 'bad', false],
      ],
      { updateStrategy: { rollingUpdate: { partition: 1 } } },
      ['db-1'],
    ],
    ['with OnDelete nobody asked for it', [['db-0', 'bad', false]], { updateStrategy: { type: 'OnDelete' } }, []],
  ])('%s', async (_, pods, spec, deleted) => {
    const set = statefulSet({ spec })
    for (const [name, revision, ready] of pods) pod(name, revision, ready, set.metadata.uid ?? '')
    watchOver(set)
    await clock.advance(2_000)
    stop.abort()
    await clock.advance(1_000)
    expect(cluster.writes).toEqual(deleted.map(name => `DELETE pods/${name}`))
    for (const name of deleted) expect(printed.join('')).toContain(`Deleted pod ${name} of statefulset/db`)
    expect(clock.pending).toBe(0)
  })

  test('a pod of somebody else is none of its business', async () => {
    const set = statefulSet()
    pod('db-0', 'bad', false, 'another')
    watchOver(set)
    await clock.advance(5_000)
    expect(cluster.writes).toEqual([])
  })

  test('nothing is deleted before the controller has said which revision it goes back to', async () => {
    const set = statefulSet({ status: { observedGeneration: 0, updateRevision: 'bad' } })
    pod('db-1', 'bad', false, set.metadata.uid ?? '')
    watchOver(set)
    await clock.advance(5_000)
    expect(cluster.writes).toEqual([])
    cluster.objects.set('/apis/apps/v1/namespaces/shop/statefulsets/db', {
      ...set,
      status: { observedGeneration: 1, updateRevision: 'good' },
    })
    await clock.advance(2_000)
    expect(cluster.writes).toEqual(['DELETE pods/db-1'])
  })

  test('a refusal is said, and ends it', async () => {
    const set = statefulSet()
    cluster.before(({ method }) => {
      if (method === 'LIST') throw new Error('pods is forbidden')
    })
    watchOver(set)
    await clock.advance(5_000)
    expect(printed.join('')).toContain('statefulset/db that may be stuck were not looked for: pods is forbidden')
    expect(clock.pending).toBe(0)
  })
})

test.each([
  ['apps/v1', 'StatefulSet', true],
  ['apps.example.com/v1', 'StatefulSet', false],
  ['apps/v1', 'Deployment', false],
])('%s %s: %s', (apiVersion, kind, is) => {
  expect(isStatefulSet({ apiVersion, kind, metadata: { name: 'db' } })).toBe(is)
})
