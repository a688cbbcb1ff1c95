// What a release's watch says while the API server is not heard: nothing good.
import { describe, expect, test } from '@jest/globals'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import { ReleaseWatch, type Workload } from '../../src/kubernetes/release-watch.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'

async function watched(
  ...more: readonly Workload[]
): Promise<{ clock: ManualClock; cluster: MemoryCluster; watch: ReleaseWatch; told: string[] }> {
  const clock = new ManualClock()
  const cluster = new MemoryCluster(clock)
  cluster.put(object('Deployment', 'web', { spec: { replicas: 0 }, status: { observedGeneration: 1 } }))
  const told: string[] = []
  const watch = new ReleaseWatch({
    api: cluster,
    clock,
    namespace: 'shop',
    workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' }, ...more],
    signal: new AbortController().signal,
    onTrouble: sentence => told.push(sentence),
  })
  await watch.start()
  return { clock, cluster, watch, told }
}

const unreachable = new ApiFailure(0, 'Unreachable', 'connection refused', { transient: true })
const forbidden = new ApiFailure(403, 'Forbidden', 'pods is forbidden')

describe('the API server is not heard', () => {
  test('what was ready is not called healthy until it is heard again', async () => {
    const { clock, cluster, watch, told } = await watched()
    const observation = watch.observe()
    let changes = 0
    observation.subscribe(() => changes++)
    expect(observation.judge().phase).toBe('healthy')
    cluster.breakWatches(unreachable)
    await clock.advance(10_000)
    expect(observation.judge()).toMatchObject({ phase: 'progressing', message: expect.stringContaining('last heard') })
    expect(told.filter(sentence => sentence.includes('fails'))).toHaveLength(4)
    const before = changes
    cluster.breakWatches(undefined)
    await clock.advance(10_000)
    expect(observation.judge().phase).toBe('healthy')
    expect(changes).toBeGreaterThan(before)
    watch.close()
  })

  test('a drop of a moment is everyday business', async () => {
    const { clock, cluster, watch, told } = await watched()
    cluster.breakWatches(unreachable)
    await clock.advance(500)
    cluster.breakWatches(undefined)
    await clock.advance(5_000)
    expect(told).toEqual([])
    expect(watch.observe().judge().phase).toBe('healthy')
    watch.close()
  })

  test('a right that is taken away for good ends the following, with the reason', async () => {
    const { clock, cluster, watch } = await watched()
    cluster.breakWatches(forbidden)
    await clock.advance(20_000)
    expect(() => watch.observe().judge()).toThrow(
      expect.objectContaining({ reason: 'Forbidden', message: expect.stringMatching(/^Watching /) }),
    )
    watch.close()
  })

  test('a right to watch what can be done without, taken away for good, is said, and the rest is followed', async () => {
    const { clock, cluster, watch, told } = await watched({ apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web' })
    cluster.before(({ method, path }) => {
      if (method === 'WATCH' && path.endsWith('/services')) throw forbidden
    })
    cluster.breakWatches(unreachable)
    cluster.breakWatches(undefined)
    await clock.advance(20_000)
    expect(told.at(-1)).toBe('service/web cannot be followed: pods is forbidden')
    expect(watch.observe().judge()).toMatchObject({
      phase: 'healthy',
      workloads: [{ workload: 'deployment/web' }, { message: 'not followed, it cannot be read or watched' }],
    })
    watch.close()
  })
})
