// The books of who owns which field: what a first apply takes over, and what vanishes with it.
import { describe, expect, test } from '@jest/globals'
import { booksBefore, withoutDropped } from '../../src/kubernetes/field-ownership.ts'
import type { KubernetesObject, ManagedFields } from '../../src/kubernetes/objects.ts'

const ME = 'deploy-actions'

const entry = (
  manager: string,
  operation: string,
  fieldsV1: Record<string, unknown>,
  more: ManagedFields = {},
): ManagedFields => ({
  manager,
  operation,
  apiVersion: 'apps/v1',
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...more,
})

function deployment(spec: object, managedFields: ManagedFields[] = [], kind = 'Deployment'): KubernetesObject {
  return { apiVersion: 'apps/v1', kind, metadata: { name: 'web', namespace: 'shop', managedFields }, spec }
}

const own = (live: KubernetesObject, body: KubernetesObject): unknown =>
  booksBefore(live, body, ME)?.managedFields.find(({ manager }) => manager === ME)?.fieldsV1

const paused = { 'f:spec': { 'f:paused': {} } }
const minReady = { 'f:spec': { 'f:minReadySeconds': {} } }

describe('whose fields become ours', () => {
  test.each<[who: string, entry: ManagedFields, taken: boolean]>([
    ['kubectl apply', entry('kubectl-client-side-apply', 'Update', paused), true],
    ['kubectl apply --server-side', entry('kubectl', 'Apply', paused), true],
    ['Helm 3', entry('helm', 'Update', paused), true],
    ['Helm 4', entry('helm', 'Apply', paused), true],
    ['kubectl edit', entry('kubectl-edit', 'Update', paused), false],
    ['kubectl rollout restart', entry('kubectl-rollout', 'Update', paused), false],
    ['a controller', entry('kube-controller-manager', 'Update', paused), false],
    ['Argo CD', entry('argocd-controller', 'Apply', paused), false],
    ['kubectl scale', entry('kubectl', 'Update', paused, { subresource: 'scale' }), false],
    ['what was applied in another version', entry('helm', 'Update', paused, { apiVersion: 'apps/v1beta1' }), false],
  ])('%s', (_, theirs, taken) => {
    const live = deployment({ paused: true, replicas: 1 }, [theirs])
    const body = deployment({ replicas: 1 })
    expect(own(live, body)).toEqual(taken ? paused : undefined)
  })

  test('they are added to ours, and their entries go', () => {
    const live = deployment({ replicas: 1 }, [entry('helm', 'Update', paused), entry(ME, 'Apply', minReady)])
    const books = booksBefore(live, deployment({ replicas: 1 }), ME)
    expect(books?.managedFields).toEqual([entry(ME, 'Apply', { 'f:spec': { 'f:paused': {}, 'f:minReadySeconds': {} } })])
  })

  test('where the books are right nothing is written', () => {
    const live = deployment({ replicas: 1 }, [entry(ME, 'Apply', minReady), entry('kubectl-edit', 'Update', paused)])
    expect(booksBefore(live, deployment({ replicas: 1 }), ME)).toBeUndefined()
  })
})

describe('the number of replicas', () => {
  const counted = { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } }
  test.each<[what: string, kind: string, body: object, expected: unknown]>([
    ['is let go of where the manifest says nothing of it', 'Deployment', {}, paused],
    ['is ours where it does', 'Deployment', { replicas: 2 }, undefined],
    ['of a kind without such a number is a field like others', 'Widget', {}, undefined],
  ])('%s', (_, kind, body, expected) => {
    expect(own(deployment({ replicas: 5 }, [entry(ME, 'Apply', counted)], kind), deployment(body, [], kind))).toEqual(expected)
  })
})

describe('what the server fills in beside a choice', () => {
  const filled = { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' }, type: 'RollingUpdate' }
  const dropped = { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} } }
  test.each<[what: string, kind: string, live: object, body: object, expected: unknown]>([
    [
      'a Deployment that is recreated',
      'Deployment',
      { strategy: filled },
      { strategy: { type: 'Recreate' } },
      { 'f:spec': { 'f:strategy': dropped } },
    ],
    ['one that is already', 'Deployment', { strategy: { type: 'Recreate' } }, { strategy: { type: 'Recreate' } }, undefined],
    ['one that rolls on', 'Deployment', { strategy: filled }, { strategy: { type: 'RollingUpdate' } }, undefined],
    ['one that says nothing', 'Deployment', { strategy: filled }, {}, undefined],
    [
      'one that says both, for the server to refuse',
      'Deployment',
      { strategy: filled },
      { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
      undefined,
    ],
    [
      'a StatefulSet whose pods are deleted by hand',
      'StatefulSet',
      { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } },
      { updateStrategy: { type: 'OnDelete' } },
      { 'f:spec': { 'f:updateStrategy': { 'f:rollingUpdate': { '.': {}, 'f:partition': {} } } } },
    ],
    [
      'a DaemonSet, where the server lets it be',
      'DaemonSet',
      { updateStrategy: filled },
      { updateStrategy: { type: 'OnDelete' } },
      undefined,
    ],
  ])('%s', (_, kind, live, body, expected) => {
    const replicas = { replicas: 1 }
    expect(own(deployment({ ...replicas, ...live }, [], kind), deployment({ ...replicas, ...body }, [], kind))).toEqual(expected)
  })

  test("is nobody else's afterwards, or it would stay", () => {
    const theirs = entry('kubectl-edit', 'Update', { 'f:spec': { 'f:strategy': dropped, 'f:paused': {} } })
    const live = deployment({ replicas: 1, strategy: filled }, [theirs])
    const books = booksBefore(live, deployment({ replicas: 1, strategy: { type: 'Recreate' } }), ME)
    expect(books?.managedFields[0]?.fieldsV1).toEqual(paused)
    expect(books?.choice).toEqual(['spec', 'strategy', 'type'])
  })
})

describe('what vanishes', () => {
  const env = (...names: string[]) => names.map(name => ({ name, value: 'x' }))
  const item = (key: object, fields: object = {}): [string, unknown] => [`k:${JSON.stringify(key)}`, { '.': {}, ...fields }]
  const container = (fields: object): Record<string, unknown> => ({
    'f:spec': { 'f:template': { 'f:spec': { 'f:containers': Object.fromEntries([item({ name: 'app' }, fields)]) } } },
  })
  const envOf = (...names: string[]): object => ({
    'f:env': Object.fromEntries(names.map(name => item({ name }, { 'f:name': {}, 'f:value': {} }))),
  })
  const pod = (app: object, ...more: object[]): object => ({
    replicas: 1,
    template: { spec: { containers: [{ name: 'app', ...app }, ...more] } },
  })
  const ports = Object.fromEntries([item({ containerPort: 80, protocol: 'TCP' }, { 'f:containerPort': {}, 'f:name': {} })])

  test.each<[what: string, live: object, ours: object, others: object[], wanted: object, left: object]>([
    [
      'an item of a list',
      pod({ env: env('A', 'B') }),
      container(envOf('A', 'B')),
      [],
      pod({ env: env('A') }),
      pod({ env: env('A') }),
    ],
    [
      'not what somebody else has, too',
      pod({ env: env('A', 'B') }),
      container(envOf('A', 'B')),
      [container(envOf('B'))],
      pod({ env: env('A') }),
      pod({ env: env('A', 'B') }),
    ],
    [
      "not what is nobody's",
      pod({ env: env('A'), tty: false }),
      container(envOf('A')),
      [],
      pod({ env: env('A') }),
      pod({ env: env('A'), tty: false }),
    ],
    [
      'a whole part, with what the server has filled in there',
      pod({ lifecycle: { stop: 1, by: 2 } }),
      container({ 'f:lifecycle': { 'f:stop': {} } }),
      [],
      pod({}),
      pod({}),
    ],
    [
      'not a port whose protocol the manifest leaves out',
      pod({ ports: [{ containerPort: 80, protocol: 'TCP', name: 'web' }] }),
      container({ 'f:ports': ports }),
      [],
      pod({ ports: [{ containerPort: 80 }] }),
      pod({ ports: [{ containerPort: 80, protocol: 'TCP' }] }),
    ],
    [
      'of a set a value',
      { replicas: 1, finalizers: ['a', 'b'] },
      { 'f:spec': { 'f:finalizers': { 'v:"a"': {}, 'v:"b"': {} } } },
      [],
      { replicas: 1, finalizers: ['b'] },
      { replicas: 1, finalizers: ['b'] },
    ],
    ['nothing where the object has it no more', { replicas: 1 }, paused, [], { replicas: 1 }, { replicas: 1 }],
    ['what can not be read is left', pod({}), { 'f:spec': { 'f:template': { 'k:{oops': {} } } }, [], pod({}), pod({})],
  ])('%s', (_, live, ours, others, wanted, left) => {
    const managedFields = [
      entry(ME, 'Apply', ours as Record<string, unknown>),
      ...others.map(fields => entry('x', 'Update', fields as Record<string, unknown>)),
    ]
    const dropped = withoutDropped(deployment(live), deployment(wanted), { managedFields, choice: undefined }, ME)
    expect(dropped['spec']).toEqual(left)
  })
})
