import { describe, expect, test } from '@jest/globals'
import type { Pod, Service } from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import { judgeEndpoints, proveEndpoints } from '../../src/kubernetes/service-endpoints.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'
import { MemoryCluster } from './memory-cluster.ts'

const pod = (name: string, app = 'web', ready = true): Pod => ({
  metadata: { name, uid: name, labels: { app } },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
})
const service = (selector: Record<string, string> | undefined, spec: object = {}): Service => ({
  metadata: { name: 'web' },
  spec: { ...(selector === undefined ? {} : { selector }), ports: [{ port: 80 }], ...spec },
})
const slice = (pods: readonly string[], more: Partial<EndpointSlice> = {}, ready = true): EndpointSlice => ({
  addressType: 'IPv4',
  metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
  endpoints: pods.map(uid => ({ addresses: ['10.0.0.1'], conditions: { ready }, targetRef: { kind: 'Pod', uid } })),
  ports: [{ port: 8080 }],
  ...more,
})
const WEB = { app: 'web' }

describe('whether requests reach the new pods', () => {
  test.each<[what: string, services: Service[], slices: EndpointSlice[], pods: Pod[], proven: RegExp[], doubts: RegExp[]]>([
    ['all of them', [service(WEB)], [slice(['a', 'b'])], [pod('a'), pod('b')], [/^service\/web leads to all 2 new pods$/], []],
    ['over several slices', [service(WEB)], [slice(['a']), slice(['b'])], [pod('a'), pod('b')], [/all 2/], []],
    ['beside others', [service(WEB)], [slice(['a', 'old'])], [pod('a')], [/all 1 new pods, and of 1 other pod/], []],
    [
      'one is not there yet',
      [service(WEB)],
      [slice(['a'])],
      [pod('a'), pod('b')],
      [],
      [/does not lead to 1 of the 2 new pods.*\(b\)/],
    ],
    ['it leads to old ones only', [service(WEB)], [slice(['old'])], [pod('a')], [], [/does not lead to 1 of the 1/]],
    ['an endpoint that is not ready', [service(WEB)], [slice(['a'], {}, false)], [pod('a')], [], [/does not lead/]],
    ['no port of theirs', [service(WEB)], [slice(['a'], { ports: [] })], [pod('a')], [], [/targetPort is none of theirs/]],
    ['a Service for other pods says nothing', [service({ app: 'api' })], [], [pod('a')], [], []],
    ['one without a selector neither', [service(undefined)], [], [pod('a')], [], []],
    ['nor a name for another one', [service(WEB, { type: 'ExternalName' })], [], [pod('a')], [], []],
    [
      'pods that are not ready are not expected',
      [service(WEB)],
      [slice(['a'])],
      [pod('a'), pod('b', 'web', false)],
      [/all 1/],
      [],
    ],
  ])('%s', (_, services, slices, pods, proven, doubts) => {
    const found = judgeEndpoints(services, slices, pods, name => `service/${name}`)
    expect(found.proven).toEqual(proven.map(text => expect.stringMatching(text)))
    expect(found.doubts).toEqual(doubts.map(text => expect.stringMatching(text)))
  })
})

describe('asking for it', () => {
  const ask = async (cluster: MemoryCluster, clock: ManualClock): Promise<unknown> => {
    let found: unknown
    const asked = proveEndpoints(cluster, [{ namespace: 'shop', pods: [pod('a')] }], name => `service/${name}`, clock).then(
      value => {
        found = value
      },
    )
    await settle()
    while (found === undefined && (await clock.next()));
    await asked
    return found
  }

  test('endpoints that are late are waited for, for 3 s', async () => {
    const clock = new ManualClock()
    const cluster = new MemoryCluster(clock)
    const begun = clock.now()
    cluster.list = async path =>
      ({
        items: path.endsWith('services') ? [service(WEB)] : clock.now() - begun < 700 ? [] : [slice(['a'])],
        resourceVersion: '1',
      }) as never
    expect(await ask(cluster, clock)).toMatchObject({ doubts: [] })
    expect(clock.now() - begun).toBe(750)
    cluster.list = async path => ({ items: path.endsWith('services') ? [service(WEB)] : [], resourceVersion: '1' }) as never
    expect(await ask(cluster, clock)).toMatchObject({ doubts: [expect.stringContaining('does not lead')] })
    expect(clock.now() - begun).toBe(3_750)
  })

  test('without the rights nothing is said', async () => {
    const clock = new ManualClock()
    const cluster = new MemoryCluster(clock)
    cluster.list = () => Promise.reject(new ApiFailure(403, 'Forbidden', 'no'))
    expect(await ask(cluster, clock)).toEqual({ proven: [], doubts: [] })
  })
})
