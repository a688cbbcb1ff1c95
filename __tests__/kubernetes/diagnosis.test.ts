// The evidence beside a verdict: what a person reads, and the commands that lead further.
import { expect, test } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { KubernetesApi } from '../../src/kubernetes/api.ts'
import { diagnose } from '../../src/kubernetes/diagnosis.ts'
import type { Snapshot } from '../../src/kubernetes/judge/workload.ts'
import { at, deployment, pod, running, snapshot, terminated, waiting } from './judge/objects.ts'

const workload = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' }
const api = { now: () => at(30), text: async () => 'no database' } as unknown as KubernetesApi
const live = { ...deployment(), apiVersion: 'apps/v1', kind: 'Deployment' } as const
const DESCRIBE = 'kubectl -n shop describe pod web-2-a'

test.each<[string, Pod, readonly string[]]>([
  [
    'one that was started again has a log of the run before',
    pod({ conditions: [], status: { ready: false, restartCount: 2, state: terminated(3, 20, 21) } }),
    [DESCRIBE, 'kubectl -n shop logs web-2-a -c app --previous'],
  ],
  [
    'one that ended for the first time has only its own',
    pod({ conditions: [], status: { ready: false, state: terminated(3, 20, 21) } }),
    [DESCRIBE, 'kubectl -n shop logs web-2-a -c app'],
  ],
  [
    'one that is not Ready, too',
    pod({ conditions: [], container: { readinessProbe: {} }, status: { ready: false, state: running(-900) } }),
    [DESCRIBE, 'kubectl -n shop logs web-2-a -c app'],
  ],
  [
    'one that was never started has none',
    pod({ conditions: [], status: { ready: false, state: waiting('ErrImagePull', 'not found') } }),
    [DESCRIBE],
  ],
])('%s', async (_, given, commands) => {
  const culprits = await diagnose(api, [{ workload, snapshot: snapshot([given], { object: live }) as unknown as Snapshot }])
  expect(culprits.map(culprit => culprit.commands)).toEqual([commands])
})

test('the image is the one of the manifest: the runtime may know the same bytes by another name', async () => {
  const given = pod({
    conditions: [],
    container: { image: 'web:2' },
    status: { ready: false, restartCount: 2, image: 'mirror/other:7', state: terminated(3, 20, 21) },
  })
  const [culprit] = await diagnose(api, [{ workload, snapshot: snapshot([given], { object: live }) as unknown as Snapshot }])
  expect(culprit?.facts).toContainEqual(['image', 'web:2'])
})
