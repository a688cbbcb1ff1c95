// What has to be there before the next steps: a definition that the server has taken in, and whose kind it lists.
import { expect, test } from '@jest/globals'
import type { KubernetesApi } from '../../src/kubernetes/api.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { established, goesFirst } from '../../src/kubernetes/step-order.ts'
import type { Step } from '../../src/kubernetes/steps.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { step } from './step.ts'

const spec = {
  group: 'example.com',
  names: { kind: 'Database' },
  versions: [
    { name: 'v1', served: true },
    { name: 'v1beta1', served: true },
    { name: 'v1alpha1', served: false },
  ],
}

const stepOf = (kind: string): Step =>
  step({ body: { apiVersion: 'apiextensions.k8s.io/v1', kind, metadata: { name: 'databases.example.com' } } })

/** A server on which each thing is so from a number of milliseconds on. */
function serverOf(clock: ManualClock, from: { established: number; listed: Readonly<Record<string, number>> }): KubernetesApi {
  const start = clock.now()
  const since = (ms = Number.POSITIVE_INFINITY): boolean => clock.now() - start >= ms
  return {
    request: async () => ({
      spec,
      status: { conditions: [{ type: 'Established', status: since(from.established) ? 'True' : 'False' }] },
    }),
    resource: async (apiVersion: string) => {
      if (!since(from.listed[apiVersion])) throw new ExpectedFailure('NotFound', `The cluster does not know ${apiVersion}.`)
      return {}
    },
  } as unknown as KubernetesApi
}

async function waitFor(from: Parameters<typeof serverOf>[1], kind = 'CustomResourceDefinition'): Promise<string> {
  const clock = new ManualClock()
  const start = clock.now()
  let said = 'waits on'
  established(serverOf(clock, from), clock, [stepOf(kind)]).then(
    () => {
      said = `there after ${clock.now() - start} ms`
    },
    (error: Error) => {
      said = error.message
    },
  )
  for (let ms = 0; ms < 20_000 && said === 'waits on'; ms += 100) await clock.advance(100)
  return said
}

test.each([
  ['at once', 0, { 'example.com/v1': 0, 'example.com/v1beta1': 0 }, 'there after 0 ms'],
  ['established late', 300, { 'example.com/v1': 0, 'example.com/v1beta1': 0 }, 'there after 300 ms'],
  ['listed later than it is established', 0, { 'example.com/v1': 500, 'example.com/v1beta1': 500 }, 'there after 500 ms'],
  [
    'one of its versions listed later than the other',
    0,
    { 'example.com/v1': 0, 'example.com/v1beta1': 700 },
    'there after 700 ms',
  ],
  ['listed, but never established', 60_000, { 'example.com/v1': 0, 'example.com/v1beta1': 0 }, /was not established within 10 s/],
  ['established, but never listed', 0, {}, /was not established within 10 s/],
])('a definition is %s', async (_, from, listed, expected) => {
  const said = await waitFor({ established: from, listed })
  if (typeof expected === 'string') expect(said).toBe(expected)
  else expect(said).toMatch(expected)
})

test('what is no definition is not waited for', async () => {
  expect(await waitFor({ established: 60_000, listed: {} }, 'ConfigMap')).toBe('there after 0 ms')
})

const kinds = (apiVersion: string, kind: string, spec?: object): KubernetesObject =>
  ({ apiVersion, kind, metadata: { name: 'web' }, ...(spec === undefined ? {} : { spec }) }) as KubernetesObject

test.each<[object: KubernetesObject, first: boolean]>([
  [kinds('autoscaling/v2', 'HorizontalPodAutoscaler'), true],
  [kinds('v1', 'ResourceQuota'), true],
  [kinds('v1', 'LimitRange'), true],
  [kinds('networking.k8s.io/v1', 'NetworkPolicy'), true],
  [kinds('networking.k8s.io/v1', 'Ingress'), false],
  [kinds('policy/v1', 'PodDisruptionBudget'), true],
  [kinds('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'), true],
  [kinds('apps/v1', 'Deployment', {}), false],
  [kinds('apps/v1', 'Deployment', { strategy: { type: 'RollingUpdate' } }), false],
  [kinds('apps/v1', 'Deployment', { strategy: { type: 'Recreate' } }), true],
  [kinds('apps/v1', 'StatefulSet', {}), false],
  [kinds('apps/v1', 'DaemonSet', { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }), true],
  [kinds('apps/v1', 'DaemonSet', { updateStrategy: { rollingUpdate: { maxSurge: '10%', maxUnavailable: 0 } } }), false],
  [kinds('v1', 'Service'), false],
  [kinds('v1', 'ConfigMap'), false],
  [kinds('example.com/v1', 'LimitRange'), false],
])('%j is deleted before the new version is up: %s', (object, first) => {
  expect(goesFirst(object)).toBe(first)
})
