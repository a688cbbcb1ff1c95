// The watch keeps in memory what the judges read: fed with a recording as the API server sent it, it must come to the same judgements.
import { describe, expect, test } from '@jest/globals'
import type { KubernetesApi, StreamOptions } from '../../src/kubernetes/api.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { ReleaseWatch, type Workload } from '../../src/kubernetes/release-watch.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'
import { at, condition, pod, running } from './judge/objects.ts'
import { type Json, judgedKind, type Kind, merge, type Recording } from './judge/recording.ts'
import { Replay, readRecording } from './judge/replay.ts'
import { MemoryCluster, object } from './memory-cluster.ts'

const KINDS: Readonly<Record<string, Kind>> = {
  deployments: 'Deployment',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
  jobs: 'Job',
  replicasets: 'ReplicaSet',
  controllerrevisions: 'ControllerRevision',
  replicationcontrollers: 'ReplicationController',
  pods: 'Pod',
  events: 'Event',
  services: 'Service',
  endpointslices: 'EndpointSlice',
  rollouts: 'Rollout',
  horizontalpodautoscalers: 'HorizontalPodAutoscaler',
}

/** The API server of a recording. The clock shows its time. */
class RecordedApi {
  readonly clock: ManualClock
  readonly #recording: Recording
  readonly #states = new Map<string, Json>()
  readonly #streams = new Map<Kind, (line: string) => void>()
  /** What came before is listed, what comes after is watched. */
  readonly #listedAt: number
  #next = 0

  constructor(recording: Recording) {
    this.#recording = recording
    this.#listedAt = recording.createdAt ?? recording.appliedAt
    this.clock = new ManualClock(recording.beganAt)
  }

  readonly api = {
    now: () => this.clock.now(),
    resource: async (_: string, kind: string) => ({
      path: (namespace: string) => `/apis/recorded/namespaces/${namespace}/${kind.toLowerCase()}s`,
    }),
    list: async (path: string) => {
      const kind = kindOf(path)
      const listed = this.#recording.frames.filter(frame => frame.kind === kind && frame.at <= this.#listedAt)
      const objects = new Map<string, Json>()
      for (const frame of listed) {
        if (frame.type === 'DELETED') objects.delete(frame.uid)
        else objects.set(frame.uid, frame.type === 'ADDED' ? frame.object : merge(objects.get(frame.uid) ?? null, frame.patch))
      }
      for (const [uid, object] of objects) this.#states.set(uid, object)
      return { items: [...objects.values()] as unknown as KubernetesObject[], resourceVersion: '1' }
    },
    stream: (path: string, { onLine, onOpen, signal }: StreamOptions) => {
      this.#streams.set(kindOf(path), onLine)
      onOpen?.()
      return new Promise<void>(resolve => signal?.addEventListener('abort', () => resolve()))
    },
  } as unknown as KubernetesApi

  /** Sends what was told until `at` ms. */
  async playUntil(at: number): Promise<void> {
    const { frames, beganAt } = this.#recording
    for (; (frames[this.#next]?.at ?? Number.POSITIVE_INFINITY) <= at; this.#next++) {
      const frame = frames[this.#next]
      if (frame === undefined || frame.at <= this.#listedAt) continue
      await this.clock.advance(beganAt + frame.at - this.clock.now())
      const before = this.#states.get(frame.uid) ?? null
      const object = frame.type === 'ADDED' ? frame.object : frame.type === 'MODIFIED' ? merge(before, frame.patch) : before
      this.#states.set(frame.uid, object)
      this.#streams.get(frame.kind)?.(JSON.stringify({ type: frame.type, object }))
    }
    await this.clock.advance(beganAt + at - this.clock.now())
  }
}

function kindOf(path: string): Kind {
  const kind = KINDS[path.split('/').at(-1) ?? '']
  if (kind === undefined) throw new Error(`nothing is recorded of ${path}`)
  return kind
}

async function watching(recording: Recording): Promise<{ server: RecordedApi; watch: ReleaseWatch; workload: Workload }> {
  const { frames } = recording
  const { apiVersion, kind } = judgedKind(recording)
  const first = frames.find(frame => frame.kind === kind && frame.type === 'ADDED')
  const namespace = (first?.type === 'ADDED' ? (first.object as unknown as KubernetesObject).metadata.namespace : undefined) ?? ''
  const workload: Workload = { apiVersion, kind, namespace, name: 'web' }
  const deployment: Workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'web' }
  const server = new RecordedApi(recording)
  const watch = new ReleaseWatch({
    api: server.api,
    workloads: kind === 'Service' ? [deployment, workload] : [workload],
    clock: server.clock,
    signal: new AbortController().signal,
    namespace,
    onTrouble: () => undefined,
  })
  await watch.start()
  await settle(2)
  await server.playUntil(recording.appliedAt)
  watch.expectGeneration(workload, recording.generation)
  return { server, watch, workload }
}

describe('a watched release is judged as the recording is', () => {
  test.each([
    'update-crashes',
    'crash-after-ready',
    'quota-exceeded',
    'crashed-before',
    'pod-ended-by-node',
    'old-pods-slow-to-end',
    'statefulset-crashes',
    'statefulset-partition',
    'statefulset-quota',
    'daemonset-updated',
    'daemonset-crashes',
    'job-fails',
    'job-removed',
    'job-restarts',
    'replicaset-crashes',
    'replication-controller-good',
    'service-good',
    'service-recreated',
    'service-wrong-port',
    'load-balancer-without-a-cloud',
    'autoscaler-broken-before',
    'rollout-crashes',
    'knative-crashes',
  ])('%s', async scenario => {
    const recording = readRecording(scenario)
    const replay = new Replay(recording)
    const { server, watch } = await watching(recording)
    const observation = watch.observe()
    const end = recording.frames.at(-1)?.at ?? 0
    for (let at = recording.appliedAt + 50; at <= end + 30_000; at += 1_000) {
      await server.playUntil(at)
      const seen = observation.judge().workloads.at(-1)
      expect({ at, ...seen }).toEqual({ at, ...replay.judge(at) })
    }
    observation.close()
    watch.close()
  })
})

test('whoever listens is told of each change of the workload, until he leaves', async () => {
  const { server, watch } = await watching(readRecording('good'))
  let told = 0
  const leave = watch.observe().subscribe(() => told++)
  await server.playUntil(2_000)
  expect(told).toBeGreaterThan(10)
  leave()
  const before = told
  await server.playUntil(20_000)
  expect(told).toBe(before)
  watch.close()
})

async function watchOver(
  api: MemoryCluster,
  clock: ManualClock,
  workload: Workload,
  more: { madeByFailures?: readonly Workload[] } = {},
): Promise<ReleaseWatch> {
  const { signal } = new AbortController()
  const watch = new ReleaseWatch({
    api,
    clock,
    namespace: 'shop',
    workloads: [workload],
    signal,
    onTrouble: () => undefined,
    ...more,
  })
  await watch.start()
  return watch
}

test('what was there at the start says how long its containers take to be ready: the shortest, since some may have had trouble', async () => {
  const clock = new ManualClock(at(0))
  const cluster = new MemoryCluster(clock)
  const ownedBy = (kind: string, name: string): object => ({
    namespace: 'shop',
    ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: name, controller: true }],
  })
  cluster.put(object('Deployment', 'web'))
  cluster.put({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'web-1', ...ownedBy('Deployment', 'web') } })
  for (const seconds of [90, 70, 80, 900]) {
    const ready = pod({ conditions: [condition('ContainersReady', 'True', seconds)], status: { state: running(0) } })
    const metadata = { name: `web-1-${seconds}`, ...ownedBy('ReplicaSet', 'web-1') }
    cluster.put({ ...ready, apiVersion: 'v1', kind: 'Pod', metadata } as unknown as KubernetesObject)
  }
  const workload: Workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' }
  const watch = await watchOver(cluster, clock, workload)
  const { tookBefore } = watch.snapshot(workload)
  expect([tookBefore?.('app'), tookBefore?.('other')]).toEqual([70_000, undefined])
  watch.close()
})

test.each<[what: string, failed: boolean, phase: string]>([
  ['is nobody to blame for', false, 'healthy'],
  ['is its own, where a release that failed has made the object', true, 'progressing'],
])('what an object says of itself as before this release %s', async (_, failed, phase) => {
  const clock = new ManualClock()
  const cluster = new MemoryCluster(clock)
  const status = { conditions: [{ type: 'Ready', status: 'False', reason: 'NoDisk', message: 'no disk' }] }
  cluster.put({ ...object('Database', 'main', { spec: {}, status }), apiVersion: 'example.com/v1' })
  const workload: Workload = { apiVersion: 'example.com/v1', kind: 'Database', namespace: 'shop', name: 'main' }
  const watch = await watchOver(cluster, clock, workload, failed ? { madeByFailures: [workload] } : {})
  const observation = watch.observe()
  expect(observation.judge()).toMatchObject({ phase })
  observation.close()
})
