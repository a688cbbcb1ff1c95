// What is tried before anything is changed, and what cannot be: its trial would be refused for what the same release brings.
import { expect, test } from '@jest/globals'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import { tryAll } from '../../src/kubernetes/dry-run.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import type { Step } from '../../src/kubernetes/steps.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'
import { step } from './step.ts'

const RBAC = 'rbac.authorization.k8s.io/v1'
const role: KubernetesObject = { ...object('Role', 'reader'), apiVersion: RBAC }
const binding: KubernetesObject = {
  ...object('RoleBinding', 'reader', { roleRef: { kind: 'Role', name: 'reader' } }),
  apiVersion: RBAC,
}
const account = object('ServiceAccount', 'runner')
const pod = object('Pod', 'job', { spec: { serviceAccountName: 'runner' } })
const definition: KubernetesObject = {
  ...object('CustomResourceDefinition', 'databases.example.com', { spec: { group: 'example.com', names: { kind: 'Database' } } }),
  apiVersion: 'apiextensions.k8s.io/v1',
}
const database = (version: string): KubernetesObject => ({ ...object('Database', 'main'), apiVersion: `example.com/${version}` })

const stepOf = (body: KubernetesObject, live?: KubernetesObject): Step => step({ body, live, before: live })

test.each<[what: string, steps: Step[], tried: string[]]>([
  ['a binding and its new role', [stepOf(role), stepOf(binding)], ['reader']],
  ['a binding of a role that is there', [stepOf(role, role), stepOf(binding)], ['reader', 'reader']],
  ['a binding of a role that is not there', [stepOf(binding)], ['reader']],
  ['a pod and its new account', [stepOf(account), stepOf(pod)], ['runner']],
  ['a pod whose account is there', [stepOf(pod)], ['job']],
  [
    'an object in the version that its definition brings',
    [stepOf(definition, definition), stepOf(database('v2'), database('v1'))],
    ['databases.example.com'],
  ],
  [
    'an object in a version that is there',
    [stepOf(definition, definition), stepOf(database('v1'), database('v1'))],
    ['databases.example.com', 'main'],
  ],
])('%s', async (_, steps, tried) => {
  const cluster = new MemoryCluster(new ManualClock())
  for (const { live } of steps) if (live !== undefined) cluster.put(live)
  const found = await tryAll(cluster, steps)
  expect(found).toHaveLength(steps.length)
  const sent = cluster.calls.filter(({ method }) => method === 'PATCH').map(({ path }) => path.split('/').at(-1))
  expect(sent.toSorted()).toEqual(tried.toSorted())
})

test('what the server refuses is told all at once', async () => {
  const cluster = new MemoryCluster(new ManualClock())
  cluster.before(({ method, path }) => {
    if (method === 'PATCH') throw new ApiFailure(422, 'Invalid', `${path.split('/').at(-1)} is wrong`)
  })
  await expect(tryAll(cluster, [stepOf(account), stepOf(role)])).rejects.toMatchObject({
    reason: 'InvalidInput',
    also: [expect.objectContaining({ message: expect.stringMatching(/is wrong/) })],
  })
})
