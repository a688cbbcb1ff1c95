// Since when what a release has created is up, and what that means for a container that crashes until then.
import { describe, expect, test } from '@jest/globals'
import type { KubernetesApi, StreamOptions } from '../../../src/kubernetes/api.ts'
import { upSince } from '../../../src/kubernetes/judge/coming-up.ts'
import type { Snapshot } from '../../../src/kubernetes/judge/workload.ts'
import { ReleaseWatch, type Workload } from '../../../src/kubernetes/release-watch.ts'
import { ManualClock, settle } from '../../deploy/manual-clock.ts'
import { at, BEGAN, condition, pod, replicaSet, running, stamp, terminated, waiting } from './objects.ts'
import { type Fields, object, shown } from './tables.ts'

const REVISION = { annotations: { 'deployment.kubernetes.io/revision': '2' } }
const web = (spec: Fields = {}): ReturnType<typeof object> => object('apps/v1', 'Deployment', spec, {}, REVISION)
const sets = { replicaSets: [replicaSet(2)] }
const readyAt = (seconds: number, name = 'web-2-a'): ReturnType<typeof pod> =>
  pod({ name, conditions: [condition('Ready', 'True', seconds)] })
const starting = pod({ conditions: [condition('Ready', 'False')] })
const crashing = pod({ conditions: [], status: { restartCount: 1 } })
const job = (status: Fields, spec: Fields = {}): Snapshot => shown(object('batch/v1', 'Job', spec, status))

test.each<[what: string, given: Snapshot, seconds: number]>([
  ['no pod yet', shown(web(), [], sets), Number.POSITIVE_INFINITY],
  ['a pod that starts', shown(web(), [starting], sets), Number.POSITIVE_INFINITY],
  ['one of its pods is Ready', shown(web(), [starting, readyAt(7, 'b'), readyAt(9, 'c')], sets), 7],
  ['not seen yet', { ...shown(web()), object: undefined }, Number.POSITIVE_INFINITY],
  ['a Job that runs', job({}), Number.POSITIVE_INFINITY],
  ['a Job that has succeeded', job({ completionTime: stamp(9) }), 9],
  ['a Pod of nobody', shown(object('v1', 'Pod', {}, { conditions: [condition('Ready', 'True', 4)] })), 4],
])('%s', (_, given, seconds) => expect(upSince(given)).toBe(at(seconds)))

test.each<[what: string, given: Snapshot]>([
  ['it was there before the release', shown(web(), [starting], { ...sets, before: web() })],
  ['it is not applied yet', shown(web(), [], { ...sets, generation: 0 })],
  ['it wants no pods', shown(web({ replicas: 0 }))],
  ['it crashes itself', shown(web(), [crashing], sets)],
  ['no node is to have one of its pods', shown(object('apps/v1', 'DaemonSet', {}, { desiredNumberScheduled: 0 }))],
  ['a Job that is suspended', job({}, { suspend: true })],
  ["Knative's, which may have no pods", shown(object('serving.knative.dev/v1', 'Service', {}, {}))],
])('nobody waits for it: %s', (_, given) => expect(upSince(given)).toBe(0))

test('made anew by the release, it is new', () => {
  const before = object('apps/v1', 'Deployment', {}, {}, { ...REVISION, uid: 'old' })
  expect(upSince(shown(web(), [readyAt(5)], { ...sets, before }))).toBe(at(5))
})

describe('an application and its database in one release', () => {
  const deploymentOf = (name: string): Workload => ({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name })
  const [api, db] = [deploymentOf('api'), deploymentOf('db')]

  /** A watch of both, which nothing is there of yet, and what the API server tells it. */
  async function released(): Promise<{
    judge: () => string[]
    tells: (name: string, ...pods: ReturnType<typeof pod>[]) => Promise<void>
    clock: ManualClock
    watch: ReleaseWatch
  }> {
    const clock = new ManualClock(BEGAN)
    const streams = new Map<string, (line: string) => void>()
    const server = {
      now: () => clock.now(),
      list: async () => ({ items: [], resourceVersion: '1' }),
      stream: (path: string, { onLine, signal }: StreamOptions) => {
        streams.set(path.split('/').at(-1) ?? '', onLine)
        return new Promise<void>(resolve => signal?.addEventListener('abort', () => resolve()))
      },
    } as unknown as KubernetesApi
    const watch = new ReleaseWatch({
      api: server,
      clock,
      namespace: 'shop',
      workloads: [api, db],
      signal: new AbortController().signal,
      onTrouble: () => undefined,
    })
    await watch.start()
    await settle(2)
    for (const workload of [api, db]) watch.expectGeneration(workload, 1)
    const tells = async (name: string, ...pods: ReturnType<typeof pod>[]): Promise<void> => {
      const send = (plural: string, told: object): void =>
        streams.get(plural)?.(JSON.stringify({ type: 'MODIFIED', object: told }))
      const owner = (kind: string, uid: string): object => ({
        ownerReferences: [{ apiVersion: 'apps/v1', kind, name: kind === 'Deployment' ? name : `${name}-2`, uid }],
      })
      const metadata = { name, uid: name, namespace: 'shop', generation: 1, ...REVISION }
      send('deployments', {
        ...web(),
        metadata,
        status: { observedGeneration: 1, updatedReplicas: 1, replicas: 1, availableReplicas: 1 },
      })
      const set = { name: `${name}-2`, uid: `${name}-2`, namespace: 'shop', ...REVISION, ...owner('Deployment', name) }
      send('replicasets', { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: set })
      for (const own of pods) {
        const { metadata: given } = own
        send('pods', { ...own, metadata: { ...given, uid: given?.name, namespace: 'shop', ...owner('ReplicaSet', `${name}-2`) } })
      }
      await settle(2)
    }
    const observation = watch.observe()
    return { clock, watch, tells, judge: () => observation.judge().workloads.map(({ phase }) => phase) }
  }

  const ended = (times: number, from: number, state = waiting('CrashLoopBackOff')): ReturnType<typeof pod> =>
    pod({
      name: 'api-2-a',
      conditions: [],
      status: { ready: false, restartCount: times - 1, state, lastState: terminated(1, from, from + 1) },
    })
  const dbPod = (ready: number | undefined, restartCount = 0): ReturnType<typeof pod> =>
    pod({
      name: 'db-2-a',
      conditions: ready === undefined ? [] : [condition('Ready', 'True', ready)],
      status: { ready: ready !== undefined, restartCount },
    })

  test('crashes until the database is up, and is well then', async () => {
    const { judge, tells, watch } = await released()
    await tells('db', dbPod(undefined))
    await tells('api', ended(3, 12))
    expect(judge()).toEqual(['progressing', 'progressing'])
    await tells('db', dbPod(30))
    expect(judge()).toEqual(['progressing', 'healthy'])
    await tells(
      'api',
      pod({ name: 'api-2-a', status: { restartCount: 3, state: running(35), lastState: terminated(1, 12, 13) } }),
    )
    expect(judge()).toEqual(['healthy', 'healthy'])
    watch.close()
  })

  test.each<[what: string, then: (tells: Awaited<ReturnType<typeof released>>['tells']) => Promise<void>]>([
    ['the database was up before its last start', tells => tells('db', dbPod(9))],
    ['the database crashes too', tells => tells('db', dbPod(undefined, 1))],
    [
      'it crashes beside the database',
      async tells => {
        await tells('db', dbPod(30))
        await tells('api', ended(4, 35))
      },
    ],
    ['the database never comes up', tells => tells('api', ended(5, 75))],
  ])('is bad where %s', async (_, then) => {
    const { judge, tells, watch } = await released()
    await tells('api', ended(3, 12))
    expect(judge()).toEqual(['progressing', 'progressing'])
    await then(tells)
    expect(judge()[0]).toBe('failed')
    watch.close()
  })

  test('is bad at once where the database is taken out of the release', async () => {
    const { judge, tells, watch } = await released()
    await tells('api', ended(3, 12))
    expect(judge()).toEqual(['progressing', 'progressing'])
    watch.expectAbsence(db)
    expect(judge()).toEqual(['failed'])
    watch.close()
  })
})
