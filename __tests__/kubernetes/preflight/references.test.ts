// References: what a pod needs, what is there, who may yet make it.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { PodSpec } from 'kubernetes-types/core/v1.js'
import { parse } from 'yaml'
import { checkClaims } from '../../../src/kubernetes/preflight/claims.ts'
import { makerOf } from '../../../src/kubernetes/preflight/makers.ts'
import { podReferences } from '../../../src/kubernetes/preflight/pod-references.ts'
import { checkReferences } from '../../../src/kubernetes/preflight/references.ts'
import { type Answers, cluster, context, deployment, SHOP, steps } from './scene.ts'

const named = (name: string, more: object = {}): object => ({ metadata: { name, namespace: 'shop' }, ...more })

describe('what a pod needs', () => {
  test.each<[string, string, readonly string[]]>([
    ['nothing', 'containers: [{ name: app }]', []],
    [
      'a key in the environment',
      'containers: [{ name: app, env: [{ name: A, valueFrom: { secretKeyRef: { name: s, key: k } } }] }]',
      ['CreateContainerConfigError Secret s.k'],
    ],
    [
      'an optional key',
      'containers: [{ name: app, env: [{ name: A, valueFrom: { secretKeyRef: { name: s, key: k, optional: true } } }] }]',
      [],
    ],
    [
      'plain values and fields',
      'containers: [{ name: app, env: [{ name: A, value: b }, { name: B, valueFrom: { fieldRef: { fieldPath: metadata.name } } }] }]',
      [],
    ],
    [
      'a whole ConfigMap',
      'containers: [{ name: app, envFrom: [{ configMapRef: { name: c } }] }]',
      ['CreateContainerConfigError ConfigMap c'],
    ],
    [
      'an optional one',
      'containers: [{ name: app, envFrom: [{ configMapRef: { name: c, optional: true } }, { secretRef: { name: s, optional: true } }] }]',
      [],
    ],
    [
      'an init container',
      'initContainers: [{ name: i, envFrom: [{ secretRef: { name: s } }] }]',
      ['CreateContainerConfigError Secret s'],
    ],
    ['a Secret as files', 'volumes: [{ name: v, secret: { secretName: s } }]', ['FailedMount Secret s']],
    [
      'some keys of it',
      'volumes: [{ name: v, secret: { secretName: s, items: [{ key: k, path: p }, { key: l, path: q }] } }]',
      ['FailedMount Secret s.k', 'FailedMount Secret s.l'],
    ],
    ['an optional volume', 'volumes: [{ name: v, secret: { secretName: s, optional: true, items: [{ key: k, path: p }] } }]', []],
    [
      'projected sources',
      'volumes: [{ name: v, projected: { sources: [{ secret: { name: s } }, { configMap: { name: c, optional: true } }, { serviceAccountToken: { path: t } }, { downwardAPI: {} }] } }]',
      ['FailedMount Secret s'],
    ],
    ['a claim', 'volumes: [{ name: v, persistentVolumeClaim: { claimName: d } }]', ['Unschedulable PersistentVolumeClaim d']],
    [
      'volumes that need nothing',
      'volumes: [{ name: v, emptyDir: {} }, { name: h, hostPath: { path: / } }, { name: e, ephemeral: { volumeClaimTemplate: {} } }]',
      [],
    ],
    ['an account', 'serviceAccountName: runner', ['FailedCreate ServiceAccount runner']],
    ['the account that every namespace has', 'serviceAccountName: default', []],
    [
      'classes',
      'priorityClassName: high\nruntimeClassName: gvisor',
      ['FailedCreate PriorityClass high', 'FailedCreate RuntimeClass gvisor'],
    ],
    ['the ConfigMap that every namespace has', 'volumes: [{ name: v, configMap: { name: kube-root-ca.crt } }]', []],
  ])('%s', (_, spec, expected) => {
    const found = podReferences(parse(spec) as PodSpec)
    expect(found.map(({ reason, kind, name, key }) => `${reason} ${kind} ${name}${key === undefined ? '' : `.${key}`}`)).toEqual(
      expected,
    )
  })

  test('whatever stands in a manifest, nothing is thrown', () => {
    const anything = fc.jsonValue({ maxDepth: 4 })
    fc.assert(
      fc.property(
        fc.record({ containers: fc.array(fc.record({ env: anything, envFrom: anything })), volumes: fc.array(anything) }),
        spec => {
          podReferences(spec as unknown as PodSpec)
        },
      ),
    )
  })
})

describe('what is there', () => {
  const USES_SECRET = 'envFrom: [{ secretRef: { name: db } }]'
  const USES_KEY = 'env: [{ name: P, valueFrom: { secretKeyRef: { name: db, key: password } } }]'
  const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: { name: db }\nstringData: { password: x }\n'

  test.each<[string, string, Answers]>([
    ['live', deployment({ container: USES_SECRET }), { [`${SHOP}/secrets/db`]: named('db') }],
    [
      'live, with the key',
      deployment({ container: USES_KEY }),
      { [`${SHOP}/secrets/db`]: named('db', { data: { password: 'eA==' } }) },
    ],
    ['in the release', `${deployment({ container: USES_KEY })}---\n${SECRET}`, {}],
    ['not to be read', deployment({ container: USES_SECRET }), { [`${SHOP}/secrets/db`]: 403 }],
    [
      'a binary key',
      deployment({ container: 'env: [{ name: P, valueFrom: { configMapKeyRef: { name: db, key: b } } }]' }),
      { [`${SHOP}/configmaps/db`]: named('db', { binaryData: { b: 'eA==' } }) },
    ],
    ['a workload that sleeps', deployment({ container: USES_SECRET, spec: 'replicas: 0' }), {}],
    [
      'a suspended CronJob',
      `apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: c }\nspec: { suspend: true, jobTemplate: { spec: { template: { spec: { containers: [{ name: a, image: b, ${USES_SECRET} }] } } } } }`,
      {},
    ],
    [
      'made by an operator of the release',
      `${deployment({ container: USES_SECRET })}---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: { name: anything }\nspec: { target: { name: db } }`,
      {},
    ],
    [
      'a sealed one',
      `${deployment({ container: USES_SECRET })}---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: { name: db }`,
      {},
    ],
    [
      'a certificate',
      `${deployment({ container: USES_SECRET })}---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: { name: web }\nspec: { secretName: db }`,
      {},
    ],
    [
      "a StatefulSet's own claim",
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: s }\nspec: { volumeClaimTemplates: [{ metadata: { name: data } }], template: { spec: { containers: [{ name: a, image: b }], volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }] } } }',
      {},
    ],
    [
      'an empty ConfigMap that a controller fills',
      `${deployment({ pod: 'volumes: [{ name: v, configMap: { name: ca, items: [{ key: ca-bundle.crt, path: p }] } }]' })}---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, labels: { config.openshift.io/inject-trusted-cabundle: "true" } }`,
      {},
    ],
  ])('%s: no finding', async (_, yaml, answers) => {
    const { findings } = await checkReferences(await context(yaml, cluster(answers)))
    expect(findings).toEqual([])
  })

  test.each<[string, string, Answers, string]>([
    [
      'a Secret',
      deployment({ container: USES_SECRET }),
      {},
      'CreateContainerConfigError deployment/web 13 may arrive: Secret db is neither in the release nor in namespace shop',
    ],
    [
      'a key',
      deployment({ container: USES_KEY }),
      { [`${SHOP}/secrets/db`]: named('db', { data: { passwd: 'eA==' } }) },
      'CreateContainerConfigError deployment/web 13 may arrive: Secret db in namespace shop has no key "password" (it has passwd)',
    ],
    [
      "a key of the release's own",
      `${deployment({ container: USES_KEY.replace('key: password', 'key: pw') })}---\n${SECRET}`,
      {},
      'CreateContainerConfigError deployment/web 13 may arrive: Secret db in namespace shop has no key "pw" (it has password)',
    ],
    [
      'a class',
      deployment({ pod: 'priorityClassName: high' }),
      {},
      'FailedCreate deployment/web 10: PriorityClass high is neither in the release nor in the cluster',
    ],
    [
      'a claim that goes',
      deployment({ pod: 'volumes: [{ name: d, persistentVolumeClaim: { claimName: d } }]' }),
      { [`${SHOP}/persistentvolumeclaims/d`]: { metadata: { name: 'd', deletionTimestamp: 'now' } } },
      'Unschedulable deployment/web 10 may arrive: PersistentVolumeClaim d in namespace shop is being deleted',
    ],
  ])('%s that is missing', async (_, yaml, answers, expected) => {
    const { findings } = await checkReferences(await context(yaml, cluster(answers)))
    const [finding] = findings
    expect(findings).toHaveLength(1)
    const what = /what is not there: (.*?)\. /.exec(finding?.message ?? '')?.[1]
    expect(
      `${finding?.reason} ${finding?.object} ${finding?.at?.line}${finding?.mayYetArrive === true ? ' may arrive' : ''}: ${what}`,
    ).toBe(expected)
  })

  test('a Secret that this release takes away is missing, live or not', async () => {
    const yaml = deployment({ container: USES_SECRET })
    const scene = await context(yaml, cluster({ [`${SHOP}/secrets/db`]: named('db') }))
    const [own] = scene.steps
    if (own === undefined) throw new Error('no step')
    const gone = {
      ...own,
      action: 'delete' as const,
      body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace: 'shop' } },
    }
    expect((await checkReferences({ ...scene, steps: [own, gone] })).findings).toHaveLength(1)
  })

  test('an operator that is to make it is named, and its Secret waited for', async () => {
    const api = cluster({
      '/apis': {
        groups: [{ name: 'external-secrets.io', preferredVersion: { groupVersion: 'external-secrets.io/v1' } }, { name: 'apps' }],
      },
      '/apis/external-secrets.io/v1/namespaces/shop/externalsecrets?limit=500': {
        items: [{ kind: 'ExternalSecret', metadata: { name: 'db' } }],
      },
    })
    const { findings } = await checkReferences(await context(deployment({ container: USES_SECRET }), api))
    expect(findings).toMatchObject([
      { mayYetArrive: true, message: expect.stringContaining('externalsecret/db is to make it and has not yet.') },
    ])
  })

  test('values are not asked for where the name is enough, and each object is read once', async () => {
    const api = cluster({ [`${SHOP}/secrets/db`]: named('db') })
    const twice = `${deployment({ container: USES_SECRET })}---\n${deployment({ name: 'api', container: USES_SECRET })}`
    await checkReferences(await context(twice, api))
    expect(api.asked).toEqual([`GET ${SHOP}/secrets/db (metadata)`])
  })

  test('what may not be read is said once for its kind', async () => {
    const container = 'envFrom: [{ secretRef: { name: a } }, { secretRef: { name: b } }]'
    const scene = await context(deployment({ container }), cluster({ [`${SHOP}/secrets/a`]: 403, [`${SHOP}/secrets/b`]: 403 }))
    expect((await checkReferences(scene)).findings).toEqual([])
    expect(scene.reads.unreadable()).toEqual([
      'Not looked at before the change, for lack of the right to read it: secrets in namespace shop (a, b).',
    ])
  })

  test('a template that stays as it is says nothing of this release', async () => {
    const yaml = deployment({ container: USES_SECRET })
    const { findings } = await checkReferences(await context(yaml, cluster(), yaml))
    expect(findings).toEqual([])
  })
})

describe('who may make it', () => {
  test.each<[string, string, string | undefined]>([
    [
      'a database by the beginning of the name',
      'apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: { name: db }',
      'cluster/db',
    ],
    [
      'a SecretProviderClass',
      'apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: { name: v }\nspec: { secretObjects: [{ secretName: db-app }] }',
      'secretproviderclass/v',
    ],
    [
      'a Job by its arguments',
      'apiVersion: batch/v1\nkind: Job\nmetadata: { name: certgen }\nspec: { template: { spec: { containers: [{ name: c, args: [create, "--secret-name=db-app"] }] } } }',
      'job/certgen',
    ],
    [
      'an Ingress with cert-manager',
      'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: i, annotations: { cert-manager.io/cluster-issuer: le } }\nspec: { tls: [{ secretName: db-app }] }',
      'ingress/i',
    ],
    [
      "OpenShift's serving certificate",
      'apiVersion: v1\nkind: Service\nmetadata: { name: s, annotations: { service.beta.openshift.io/serving-cert-secret-name: db-app } }',
      'service/s',
    ],
    [
      'not an Ingress without',
      'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: i }\nspec: { tls: [{ secretName: db-app }] }',
      undefined,
    ],
    [
      'not a Job with a longer name in it',
      'apiVersion: batch/v1\nkind: Job\nmetadata: { name: j }\nspec: { template: { spec: { containers: [{ name: c, args: ["db-app-2"] }] } } }',
      undefined,
    ],
    [
      'not a ServiceMonitor of the name',
      'apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: db-app }',
      undefined,
    ],
    [
      'not a Rollout that uses it',
      'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: { name: r }\nspec: { template: { spec: { containers: [{ envFrom: [{ secretRef: { name: db-app } }] }] } } }',
      undefined,
    ],
    ['not a Deployment that uses it', deployment({ container: 'envFrom: [{ secretRef: { name: db-app } }]' }), undefined],
  ])('%s', async (_, yaml, expected) => {
    expect(
      makerOf(
        'db-app',
        (await steps(yaml)).map(step => step.body),
      ),
    ).toBe(expected)
  })
})

describe('storage classes', () => {
  const claim = (spec: string): string => `apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: d }\nspec: { ${spec} }`
  const CLASS = '/apis/storage.k8s.io/v1/storageclasses/fast'
  test.each<[string, string, Answers, number]>([
    ['a class that is there', claim('storageClassName: fast'), { [CLASS]: named('fast') }, 0],
    [
      'the default class',
      claim('resources: {}'),
      {
        'LIST /apis/storage.k8s.io/v1/storageclasses': [
          {
            kind: 'StorageClass',
            metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
          },
        ],
      },
      0,
    ],
    ['the default class, where there is none, and no volume either', claim('resources: {}'), {}, 1],
    ['no right to look for the default class', claim('resources: {}'), { 'LIST /apis/storage.k8s.io/v1/storageclasses': 403 }, 0],
    [
      'no class on purpose, and a volume that is free',
      claim('storageClassName: ""'),
      { 'LIST /api/v1/persistentvolumes': [{ kind: 'PersistentVolume', metadata: { name: 'v' }, spec: {}, status: {} }] },
      0,
    ],
    [
      'no class on purpose, and a volume that comes with the release',
      `${claim('storageClassName: ""')}\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: { name: v }\nspec: {}`,
      {},
      0,
    ],
    [
      'no class on purpose, and no volume but one that is taken',
      claim('storageClassName: ""'),
      {
        'LIST /api/v1/persistentvolumes': [
          { kind: 'PersistentVolume', metadata: { name: 'v' }, spec: {}, status: { phase: 'Bound' } },
        ],
      },
      1,
    ],
    ['a volume by name', claim('storageClassName: fast, volumeName: v'), {}, 0],
    [
      'a class that comes with the release',
      `${claim('storageClassName: fast')}\n---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: fast }`,
      {},
      0,
    ],
    [
      'volumes made by hand',
      claim('storageClassName: fast'),
      {
        'LIST /api/v1/persistentvolumes': [
          { kind: 'PersistentVolume', metadata: { name: 'v' }, spec: { storageClassName: 'fast' } },
        ],
      },
      0,
    ],
    ['no right to look', claim('storageClassName: fast'), { [CLASS]: 403 }, 0],
    ['no right to look at volumes', claim('storageClassName: fast'), { 'LIST /api/v1/persistentvolumes': 403 }, 0],
    ['nothing of that class', claim('storageClassName: fast'), {}, 1],
    [
      "a StatefulSet's",
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: s }\nspec: { volumeClaimTemplates: [{ metadata: { name: d }, spec: { storageClassName: fast } }] }',
      {},
      1,
    ],
  ])('%s', async (_, yaml, answers, count) => {
    expect((await checkClaims(await context(yaml, cluster(answers)))).findings).toHaveLength(count)
  })
})
