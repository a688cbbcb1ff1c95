// Rights: which a release needs, how they are asked for, and the Role that grants those that are missing.
import { describe, expect, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import {
  checkPermissions,
  grants,
  missingRights,
  type Right,
  rightsNeeded,
  roleFor,
} from '../../../src/kubernetes/preflight/permissions.ts'
import { cluster, context, deployment, steps } from './scene.ts'

const ACCESS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
const RULES = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'
const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
const CONFIG = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }'

const right = (more: Partial<Right>): Right => ({
  group: 'apps',
  resource: 'deployments',
  namespace: 'shop',
  verb: 'patch',
  names: [],
  for: 'deployment/web',
  ...more,
})

interface Review {
  readonly spec: { readonly resourceAttributes: { readonly verb: string; readonly resource: string; readonly name?: string } }
}

describe('what is needed', () => {
  const verbsOf = (rights: readonly Right[], resource: string): string =>
    rights
      .filter(one => one.resource === resource)
      .map(({ verb }) => verb)
      .join(' ')
  const needed = async (yaml: string, live = ''): Promise<readonly Right[]> =>
    rightsNeeded(await steps(yaml, live), { namespace: 'shop', app: 'web' }, ({ body }) => ({
      group: '',
      resource: body.kind,
      namespaced: body.kind !== 'Namespace',
    }))

  test.each<[string, string, string, string]>([
    ['a new object', CONFIG, '', 'get patch create delete'],
    ['a changed one', CONFIG, CONFIG, 'get patch update'],
  ])('%s', async (_, yaml, live, expected) => expect(verbsOf(await needed(yaml, live), 'ConfigMap')).toBe(expected))

  test('an object that goes is to be made again when the release fails', async () => {
    const [step] = await steps(CONFIG, CONFIG)
    if (step === undefined) throw new Error('no step')
    const rights = rightsNeeded([{ ...step, action: 'delete' }], { namespace: 'shop' }, () => ({
      group: '',
      resource: 'configmaps',
      namespaced: true,
    }))
    expect(verbsOf(rights, 'configmaps')).toBe('get delete create')
  })

  test('workloads are followed, each kind once; the record and the lock are written', async () => {
    const rights = await needed(`${deployment()}---\n${deployment({ name: 'api' })}`)
    expect(
      ['deployments', 'replicasets', 'pods', 'events', 'secrets', 'leases'].map(resource => verbsOf(rights, resource)),
    ).toEqual(['list watch', 'list watch', 'list watch', 'list watch', 'list create patch', 'create get update patch delete'])
    expect(rights.find(one => one.resource === 'Deployment' && one.verb === 'patch')?.names).toEqual(['web', 'api'])
    expect(rights.find(one => one.resource === 'leases' && one.verb === 'get')?.names).toEqual(['web.deploy'])
  })

  const set = deployment().replace('Deployment', 'StatefulSet')
  test.each<[string, string, string, string]>([
    ['a StatefulSet that is replaced: its stuck pods are in the way back', set, set, 'list watch delete'],
    ['a new StatefulSet', set, '', 'list watch'],
    ['a Deployment that is replaced', deployment(), deployment(), 'list watch'],
  ])('of pods, for %s', async (_, yaml, live, expected) => expect(verbsOf(await needed(yaml, live), 'pods')).toBe(expected))

  test('an object of the whole cluster is none of a namespace', async () => {
    const rights = await needed('apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }')
    expect(rights.filter(one => one.resource === 'Namespace').map(({ namespace }) => namespace)).toEqual(['', '', '', ''])
  })
})

test.each<[string, object, boolean]>([
  ['the very right', { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments'] }, true],
  ['everything', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, true],
  ['another verb', { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'] }, false],
  ['another group', { verbs: ['patch'], apiGroups: ['extensions'], resources: ['deployments'] }, false],
  ['a part of it', { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments/scale'] }, false],
  ['some objects only', { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['web'] }, false],
  ['nothing', {}, false],
])('a rule with %s grants it: %s', (_, rule, expected) => expect(grants(rule, right({}))).toBe(expected))

describe('what is asked', () => {
  const all = { status: { resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] } }

  test('one question where everything is granted', async () => {
    const api = cluster({ [RULES]: all })
    expect(await checkPermissions(await context(deployment(), api))).toEqual({ findings: [], passedOver: [] })
    expect(api.asked).toEqual([`POST ${RULES}`])
  })

  test.each<[string, (review: Review) => unknown, number]>([
    ['granted by an authorizer that lists no rules', () => ({ status: { allowed: true } }), 0],
    [
      'granted for these objects by name',
      ({ spec }) => ({
        status: {
          allowed:
            spec.resourceAttributes.name !== undefined ||
            /create|list|watch/.test(spec.resourceAttributes.verb) ||
            spec.resourceAttributes.resource === 'secrets',
        },
      }),
      0,
    ],
    ['refused', ({ spec }) => ({ status: { allowed: spec.resourceAttributes.verb !== 'watch' } }), 4],
  ])('%s', async (_, answer, count) => {
    const api = cluster({
      [ACCESS]: answer,
      [RULES]: { status: { incomplete: true } },
      [WHO]: { status: { userInfo: { username: 'ci' } } },
    })
    const { findings, passedOver } = await checkPermissions(await context(deployment(), api))
    expect([findings.length, passedOver]).toEqual([count, []])
  })

  test('a cluster that says nothing of rights is passed over', async () => {
    const { findings, passedOver } = await checkPermissions(await context(deployment(), cluster({ [ACCESS]: 403, [RULES]: 403 })))
    expect([findings, passedOver]).toEqual([
      [],
      [expect.stringMatching(/would not say whether this run has the \d+ rights it needs/)],
    ])
  })
})

test('the finding names verbs, kind and place; the Role is YAML that grants just that', () => {
  const missing = [
    right({}),
    right({ verb: 'create' }),
    right({ resource: 'statefulsets' }),
    right({ resource: 'statefulsets', verb: 'create' }),
    right({ group: '', resource: 'nodes', verb: 'get', namespace: '', for: 'node/n' }),
  ]
  const who = 'system:serviceaccount:ci:deployer'
  expect(missingRights(missing, who)).toMatchObject([
    {
      reason: 'Forbidden',
      object: 'deployment/web',
      mayYetArrive: false,
      message: `${who} may not patch, create deployments.apps in namespace shop, which deployment/web needs. A Role that grants it is in the log.`,
    },
    { object: 'deployment/web' },
    { message: `${who} may not get nodes in the whole cluster, which node/n needs. A ClusterRole that grants it is in the log.` },
  ])
  const documents = parseAllDocuments(roleFor(missing, who).join('\n')).map(document => document.toJS())
  expect(documents.map(({ kind }) => kind)).toEqual(['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'])
  expect(documents[0]).toMatchObject({
    metadata: { namespace: 'shop' },
    rules: [{ apiGroups: ['apps'], resources: ['deployments', 'statefulsets'], verbs: ['patch', 'create'] }],
  })
  expect(documents[1]?.subjects).toEqual([{ kind: 'ServiceAccount', name: 'deployer', namespace: 'ci' }])
  expect(parseAllDocuments(roleFor(missing, 'jane@example.com').join('\n'))[1]?.toJS().subjects).toEqual([
    { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane@example.com' },
  ])
})
