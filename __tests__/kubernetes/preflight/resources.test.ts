// Quantities, what a pod asks for, quotas and LimitRanges.
import { describe, expect, test } from '@jest/globals'
import type { PodSpec } from 'kubernetes-types/core/v1.js'
import { parse } from 'yaml'
import type { KubernetesObject } from '../../../src/kubernetes/objects.ts'
import { templateFindings } from '../../../src/kubernetes/preflight/limit-ranges.ts'
import { growthOf } from '../../../src/kubernetes/preflight/pod-growth.ts'
import { limitRules, podResources } from '../../../src/kubernetes/preflight/pod-resources.ts'
import { podTemplates } from '../../../src/kubernetes/preflight/pod-templates.ts'
import { formatAmount, parseQuantity } from '../../../src/kubernetes/preflight/quantity.ts'
import { checkQuotas, quotaFindings, readQuota } from '../../../src/kubernetes/preflight/quotas.ts'
import { cluster, context, deployment, SHOP, steps, template } from './scene.ts'

test.each<[unknown, number | undefined]>([
  ['500m', 0.5],
  ['2', 2],
  [2, 2],
  ['1.5', 1.5],
  ['.5', 0.5],
  ['1Gi', 1_073_741_824],
  ['1G', 1e9],
  ['2e3', 2_000],
  ['1E', 1e18],
  ['1k', 1_000],
  ['-1', -1],
  ['100n', 1e-9 * 100],
  ['', undefined],
  ['1 Gi', undefined],
  ['Gi', undefined],
  ['1K', undefined],
  [null, undefined],
  [{}, undefined],
])('the quantity %j is %s', (quantity, expected) => expect(parseQuantity(quantity)).toBe(expected))

test.each([
  ['cpu', 0.25, '250m'],
  ['requests.cpu', 2, '2'],
  ['memory', 1_610_612_736, '1.5Gi'],
  ['limits.memory', 512, '512'],
  ['pods', 3, '3'],
])('%s %s is written %s', (resource, amount, expected) => expect(formatAmount(resource, amount)).toBe(expected))

test.each<[string, string, object]>([
  [
    'containers add up',
    'containers: [{ resources: { requests: { cpu: 250m } } }, { resources: { requests: { cpu: 500m, memory: 1Mi } } }]',
    { cpu: 0.75, memory: 1_048_576 },
  ],
  ['a limit stands for the request', 'containers: [{ resources: { limits: { cpu: 1 } } }]', { cpu: 1 }],
  [
    'the largest init container counts',
    'initContainers: [{ resources: { requests: { cpu: 2 } } }]\ncontainers: [{ resources: { requests: { cpu: 1 } } }]',
    { cpu: 2 },
  ],
  [
    'a sidecar counts all along',
    'initContainers: [{ restartPolicy: Always, resources: { requests: { cpu: 1 } } }, { resources: { requests: { cpu: 2 } } }]\ncontainers: [{ resources: { requests: { cpu: 1 } } }]',
    { cpu: 3 },
  ],
  ['overhead is added', 'overhead: { cpu: 250m }\ncontainers: [{ resources: { requests: { cpu: 1 } } }]', { cpu: 1.25 }],
  ['nothing', 'containers: [{}]', {}],
])('requests of a pod: %s', (_, spec, expected) => expect(podResources(parse(spec) as PodSpec).requests).toEqual(expected))

describe('how many pods', () => {
  test.each<[string, string, string, object | undefined]>([
    ['a new Deployment', 'replicas: 4', '', { before: 0, after: 4, mayGoFirst: 0, surge: 1 }],
    ['a rolling one', 'replicas: 4', 'replicas: 4', { before: 4, after: 4, mayGoFirst: 1, surge: 1 }],
    [
      'with numbers of its own',
      'replicas: 4\nstrategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } }',
      'replicas: 4',
      { before: 4, after: 4, mayGoFirst: 0, surge: 2 },
    ],
    [
      'percentages are rounded up and down',
      'replicas: 3\nstrategy: { rollingUpdate: { maxSurge: 50%, maxUnavailable: 50% } }',
      'replicas: 3',
      { before: 3, after: 3, mayGoFirst: 1, surge: 2 },
    ],
    [
      'neither surge nor unavailable',
      'replicas: 2\nstrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } }',
      'replicas: 2',
      { before: 2, after: 2, mayGoFirst: 1, surge: 0 },
    ],
    ['Recreate', 'replicas: 2\nstrategy: { type: Recreate }', 'replicas: 2', { before: 2, after: 2, mayGoFirst: 2, surge: 0 }],
    ['scaled down', 'replicas: 1', 'replicas: 4', { before: 4, after: 1, mayGoFirst: 3, surge: 1 }],
    ['no number is one', '', '', { before: 0, after: 1, mayGoFirst: 0, surge: 1 }],
  ])('%s', async (_, spec, live, expected) => {
    const old = live === '' ? '' : deployment({ spec: live, image: 'ghcr.io/acme/web:0' })
    expect(growthOf(await template(deployment({ spec }), old))).toEqual(expected)
  })
})

describe('quotas', () => {
  const quota = (hard: object, used: object = {}, spec: object = {}): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'q', namespace: 'shop' },
    spec: { hard, ...spec },
    status: { hard, used },
  })
  const CPU = 'resources: { requests: { cpu: 100m } }'
  const OLD = deployment({ container: CPU, spec: 'replicas: 2', image: 'ghcr.io/acme/web:0' })
  const NO_SURGE = 'strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } }'
  const SURGE = 'strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }'

  test.each<[string, string, string, KubernetesObject, RegExp | undefined]>([
    ['room enough', deployment({ container: CPU }), '', quota({ 'requests.cpu': '1' }), undefined],
    ['just enough', deployment({ container: CPU, spec: 'replicas: 10' }), '', quota({ 'requests.cpu': '1' }), undefined],
    [
      'one too many',
      deployment({ container: CPU, spec: 'replicas: 11' }),
      '',
      quota({ 'requests.cpu': '1' }),
      /Not all pods .*requests\.cpu: 1100m more asked for, 1 of 1 left/,
    ],
    [
      'no room for one',
      deployment({ container: CPU }),
      '',
      quota({ cpu: '1' }, { cpu: '950m' }),
      /no room for one \(cpu: 100m more asked for, 50m of 1 left\)/,
    ],
    [
      'full of the old ones, one of which goes first',
      deployment({ container: CPU, spec: `replicas: 2\n${NO_SURGE}` }),
      OLD,
      quota({ cpu: '200m' }, { cpu: '200m' }),
      undefined,
    ],
    [
      'full of the old ones, none of which may go',
      deployment({ container: CPU, spec: `replicas: 2\n${SURGE}` }),
      OLD,
      quota({ cpu: '200m' }, { cpu: '200m' }),
      /no room for one/,
    ],
    [
      'full of the old ones, with Recreate',
      deployment({ container: CPU, spec: 'replicas: 2\nstrategy: { type: Recreate }' }),
      OLD,
      quota({ cpu: '200m' }, { cpu: '200m' }),
      undefined,
    ],
    [
      'scaled down',
      deployment({ container: CPU, spec: `replicas: 1\n${SURGE}` }),
      OLD,
      quota({ cpu: '200m' }, { cpu: '200m' }),
      undefined,
    ],
    ['overdrawn already, nothing is added', OLD, OLD, quota({ cpu: '100m' }, { cpu: '200m' }), undefined],
    [
      'a resource that is not limited',
      deployment({ container: 'resources: { requests: { memory: 1Gi } }' }),
      '',
      quota({ cpu: '1' }),
      /counts cpu, and container app states none/,
    ],
    ['pods', deployment({ spec: 'replicas: 3' }), '', quota({ pods: '2' }), /pods: 3 more asked for, 2 of 2 left/],
    [
      'of other pods: BestEffort',
      deployment({ container: CPU, spec: 'replicas: 3' }),
      '',
      quota({ pods: '2' }, {}, { scopes: ['BestEffort'] }),
      undefined,
    ],
    [
      'of these pods: NotBestEffort',
      deployment({ container: CPU, spec: 'replicas: 3' }),
      '',
      quota({ pods: '2' }, {}, { scopes: ['NotBestEffort'] }),
      /Not all pods/,
    ],
    [
      'of other pods: a priority class',
      deployment({ spec: 'replicas: 3' }),
      '',
      quota(
        { pods: '2' },
        {},
        { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
      ),
      undefined,
    ],
    [
      'of these pods: a priority class',
      deployment({ spec: 'replicas: 3', pod: 'priorityClassName: high' }),
      '',
      quota(
        { pods: '2' },
        {},
        { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
      ),
      /Not all pods/,
    ],
    [
      'of other pods: Terminating',
      deployment({ spec: 'replicas: 3' }),
      '',
      quota({ pods: '2' }, {}, { scopes: ['Terminating'] }),
      undefined,
    ],
    [
      'a scope that is not known',
      deployment({ spec: 'replicas: 3' }),
      '',
      quota({ pods: '2' }, {}, { scopes: ['Lunar'] }),
      undefined,
    ],
    [
      'a DaemonSet, whose number is not known',
      'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: { name: d }\nspec: { template: { spec: { containers: [{ name: a, image: b }] } } }',
      '',
      quota({ pods: '0' }),
      undefined,
    ],
    [
      'a StatefulSet that is replaced pod by pod',
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: s }\nspec: { replicas: 2, template: { spec: { containers: [{ name: a, image: b }] } } }',
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: s }\nspec: { replicas: 2, template: { spec: { containers: [{ name: a, image: a }] } } }',
      quota({ pods: '2' }, { pods: '2' }),
      undefined,
    ],
    [
      'a Job of too many at once',
      'apiVersion: batch/v1\nkind: Job\nmetadata: { name: j }\nspec: { parallelism: 4, completions: 3, template: { spec: { containers: [{ name: a, image: b }] } } }',
      '',
      quota({ pods: '2' }),
      /pods: 3 more asked for/,
    ],
    [
      'objects',
      'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { type: LoadBalancer }',
      '',
      quota({ 'services.loadbalancers': '1' }, { 'services.loadbalancers': '1' }),
      /service\/s cannot be created: .*services\.loadbalancers: 1 more asked for, 0 of 1 left/,
    ],
    [
      'objects that are there already',
      'apiVersion: v1\nkind: Service\nmetadata: { name: s }',
      'apiVersion: v1\nkind: Service\nmetadata: { name: s }',
      quota({ services: '1' }, { services: '1' }),
      undefined,
    ],
    [
      'storage',
      'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: d }\nspec: { resources: { requests: { storage: 5Gi } } }',
      '',
      quota({ 'requests.storage': '4Gi' }),
      /requests\.storage: 5Gi more asked for, 4Gi of 4Gi left/,
    ],
  ])('%s', async (_, yaml, live, object, expected) => {
    const api = cluster({ [`LIST ${SHOP}/resourcequotas`]: [object] })
    const { findings } = await checkQuotas(await context(yaml, api, live))
    if (expected === undefined) expect(findings).toEqual([])
    else expect(findings).toMatchObject([{ message: expect.stringMatching(expected), mayYetArrive: false }])
  })

  const ending = (app: string, inSeconds: number, cpu = '100m'): object => ({
    metadata: {
      name: `${app}-1`,
      labels: { app },
      deletionTimestamp: new Date(Date.now() + inSeconds * 1_000).toISOString(),
    },
    spec: { containers: [{ name: 'app', resources: { requests: { cpu } } }] },
  })
  const running = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } }
  test.each<[string, string, number | object[], { refused: 'at once' | 'later' | false; said: number }]>([
    ['nothing ends', OLD, [running], { refused: 'at once', said: 0 }],
    ['one of its own ends', OLD, [running, ending('web', 50)], { refused: false, said: 1 }],
    ["another workload's ends", OLD, [ending('api', 50)], { refused: 'later', said: 0 }],
    ['both, of which one is too small', OLD, [ending('web', 50, '50m'), ending('api', 50, '50m')], { refused: 'later', said: 0 }],
    ['what ends is too small', OLD, [ending('web', 50, '50m')], { refused: 'at once', said: 0 }],
    ['one of its own should have ended long ago', OLD, [ending('web', -60)], { refused: 'at once', said: 0 }],
    ['pods cannot be read', OLD, 403, { refused: 'at once', said: 0 }],
    ["more pods than before, and another workload's ends", '', [ending('api', 50, '200m')], { refused: 'later', said: 0 }],
  ])('no room while %s', async (_, live, pods, { refused, said }) => {
    const api = cluster({
      [`LIST ${SHOP}/resourcequotas`]: [quota({ cpu: '300m' }, { cpu: '300m' })],
      [`LIST ${SHOP}/pods`]: pods,
    })
    const yaml = deployment({ container: CPU, spec: `replicas: 2\n${SURGE}` })
    const { findings, passedOver } = await checkQuotas(await context(yaml, api, live))
    expect(findings.map(({ mayYetArrive }) => mayYetArrive)).toEqual(refused === false ? [] : [refused === 'later'])
    expect(passedOver).toHaveLength(said)
    if (said > 0) expect(passedOver[0]).toMatch(/the rollout waits for them\.$/)
  })

  test('with room enough no pods are asked for', async () => {
    const api = cluster({ [`LIST ${SHOP}/resourcequotas`]: [quota({ cpu: '1' })] })
    await checkQuotas(await context(deployment({ container: CPU }), api))
    expect(api.asked).not.toContain(`LIST ${SHOP}/pods`)
  })

  test('room for a part of the surge only is said, and is no failure', async () => {
    const yaml = deployment({
      container: CPU,
      spec: 'replicas: 4\nstrategy: { rollingUpdate: { maxSurge: 4, maxUnavailable: 0 } }',
    })
    const live = deployment({ container: CPU, spec: 'replicas: 4', image: 'ghcr.io/acme/web:0' })
    const result = quotaFindings({
      namespace: 'shop',
      quotas: [readQuota(quota({ cpu: '600m' }, { cpu: '400m' }))],
      templates: podTemplates(await steps(yaml, live), 'shop'),
      rules: [],
      objects: [],
    })
    expect(result).toEqual({ findings: [], passedOver: [expect.stringMatching(/it goes slower\.$/)] })
  })

  test('no right to see quotas: nothing is said of them', async () => {
    const scene = await context(deployment(), cluster({ [`LIST ${SHOP}/resourcequotas`]: 403 }))
    expect(await checkQuotas(scene)).toEqual({ findings: [], passedOver: [] })
    expect(scene.reads.unreadable()).toEqual([expect.stringContaining('resourcequotas in namespace shop')])
  })
})

describe('LimitRanges', () => {
  const range = (limit: object): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'l' },
    spec: { limits: [limit] },
  })
  test.each<[string, object, string, RegExp | undefined]>([
    [
      'within',
      { type: 'Container', min: { cpu: '50m' }, max: { cpu: '1' } },
      'resources: { requests: { cpu: 100m }, limits: { cpu: 500m } }',
      undefined,
    ],
    ['nothing stated: filled in', { type: 'Container', min: { cpu: '50m' }, max: { cpu: '1' } }, '', undefined],
    [
      'a limit too large',
      { type: 'Container', max: { cpu: '1' } },
      'resources: { limits: { cpu: 2 } }',
      /maximum cpu usage per Container is 1, of limits it is 2 \(container app, LimitRange l in namespace shop\)/,
    ],
    [
      'a request too small',
      { type: 'Container', min: { memory: '64Mi' } },
      'resources: { requests: { memory: 1Mi } }',
      /minimum memory usage per Container is 64Mi, of requests it is 1Mi/,
    ],
    [
      'a ratio too large',
      { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      'resources: { requests: { cpu: 100m }, limits: { cpu: 1 } }',
      /cpu limit to request ratio per Container is 2 at most, it is 10/,
    ],
    [
      'the pod together',
      { type: 'Pod', max: { cpu: '1' } },
      'resources: { limits: { cpu: 2 } }',
      /maximum cpu usage per Pod is 1/,
    ],
    [
      'the pod together, no limit',
      { type: 'Pod', max: { cpu: '1' } },
      '',
      /maximum cpu usage per Pod is 1, of limits none is given/,
    ],
    ['of claims', { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } }, '', undefined],
  ])('%s', async (_, limit, container, expected) => {
    const findings = templateFindings(await template(deployment({ container })), limitRules([range(limit)]))
    if (expected === undefined) expect(findings).toEqual([])
    else expect(findings).toMatchObject([{ reason: 'FailedCreate', message: expect.stringMatching(expected) }])
  })
})
