// The evidence beside a verdict: what a person reads, and the commands that lead further.
import { expect, test } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Verdict } from '../../src/deploy/verdict.ts'
import type { KubernetesApi } from '../../src/kubernetes/api.ts'
import { diagnose, type Patient } from '../../src/kubernetes/diagnosis.ts'
import type { Snapshot } from '../../src/kubernetes/judge/workload.ts'
import { at, deployment, pod, running, snapshot, terminated, waiting } from './judge/objects.ts'

const workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' }
const api = { now: () => at(30), text: async () => 'no database' } as unknown as KubernetesApi
const live = { ...deployment(), apiVersion: 'apps/v1', kind: 'Deployment' } as const
const verdictOf = (phases: Readonly<Record<string, Verdict['phase']>>, culprit = ''): Verdict => ({
  phase: 'failed',
  reason: 'CrashLoopBackOff',
  message: '',
  culprit,
  workloads: Object.entries(phases).map(([name, phase]) => ({
    workload: name,
    phase,
    reason: '',
    message: '',
    culprit: '',
    ready: 0,
    total: 1,
    disturbances: '',
  })),
})
const ofPods = (pods: readonly Pod[], name = 'deployment/web'): Patient => ({
  workload,
  position: () => undefined,
  record: [],
  snapshot: snapshot(pods, { name, object: live }) as unknown as Snapshot,
})
const crashed = (name: string, restartCount: number): Pod =>
  pod({ name, conditions: [], status: { ready: false, restartCount, state: terminated(3, 20, 21) } })
const DESCRIBE = 'kubectl -n shop describe pod/web-2-a'
const GET = 'kubectl -n shop get deployment.apps/web -o yaml'

test.each<[string, Pod, readonly string[]]>([
  [
    'one that was started again has a log of the run before',
    pod({ conditions: [], status: { ready: false, restartCount: 2, state: terminated(3, 20, 21) } }),
    [DESCRIBE, 'kubectl -n shop logs web-2-a -c app', 'kubectl -n shop logs web-2-a -c app --previous', GET],
  ],
  [
    'one that ended for the first time has only its own',
    pod({ conditions: [], status: { ready: false, state: terminated(3, 20, 21) } }),
    [DESCRIBE, 'kubectl -n shop logs web-2-a -c app', GET],
  ],
  [
    'one that is not Ready, too',
    pod({ conditions: [], container: { readinessProbe: {} }, status: { ready: false, state: running(-900) } }),
    [DESCRIBE, 'kubectl -n shop logs web-2-a -c app', GET],
  ],
  [
    'one that was never started has none',
    pod({ conditions: [], status: { ready: false, state: waiting('ErrImagePull', 'not found') } }),
    [DESCRIBE, GET],
  ],
])('%s', async (_, given, commands) => {
  const culprits = await diagnose(api, '', verdictOf({ 'deployment/web': 'failed' }), [ofPods([given])])
  expect(culprits.map(culprit => culprit.commands)).toEqual([commands])
})

test('the image is the one of the manifest: the runtime may know the same bytes by another name', async () => {
  const given = pod({
    conditions: [],
    container: { image: 'web:2' },
    status: { ready: false, restartCount: 2, image: 'mirror/other:7', state: terminated(3, 20, 21) },
  })
  const [culprit] = await diagnose(api, '', verdictOf({ 'deployment/web': 'failed' }), [ofPods([given])])
  expect(culprit?.facts).toContainEqual(['image', 'web:2'])
})

test('who the verdict names comes first, of equal causes alone', async () => {
  const pods = [crashed('web-2-a', 1), crashed('web-2-b', 2), crashed('web-2-c', 1)]
  const verdict = verdictOf({ 'deployment/web': 'failed' }, 'pod/web-2-b container app')
  expect((await diagnose(api, '', verdict, [ofPods(pods)])).map(({ where }) => where)).toEqual(['pod/web-2-b container app'])
})

test.each<[string, Readonly<Record<string, Verdict['phase']>>, readonly string[]]>([
  ['what has failed is looked at, not what is only on its way', { a: 'progressing', b: 'failed', c: 'healthy' }, ['b']],
  ['where the time is over, all that is on its way', { a: 'progressing', b: 'progressing', c: 'healthy' }, ['a', 'b']],
])('%s', async (_, phases, expected) => {
  const all = Object.keys(phases).map(name => ofPods([crashed(`${name}-1`, 2)], name))
  const culprits = await diagnose(api, '', verdictOf(phases), all)
  expect(culprits.map(culprit => culprit.workload)).toEqual(expected)
})
