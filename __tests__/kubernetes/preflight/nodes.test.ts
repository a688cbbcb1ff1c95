// Nodes: which pods fit on which, and when it is better to say nothing.
import { describe, expect, test } from '@jest/globals'
import type { Node, Toleration } from 'kubernetes-types/core/v1.js'
import { checkNodes, misfit, tolerates } from '../../../src/kubernetes/preflight/nodes.ts'
import { podResources } from '../../../src/kubernetes/preflight/pod-resources.ts'
import { type Answers, cluster, context, deployment, template } from './scene.ts'

const node = (
  more: { labels?: Record<string, string>; taints?: object[]; allocatable?: object; name?: string; providerID?: string } = {},
): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: more.name ?? 'n1', labels: { 'kubernetes.io/os': 'linux', cores: '4', ...more.labels } },
    spec: { taints: more.taints, providerID: more.providerID },
    status: { allocatable: more.allocatable ?? { cpu: '2', memory: '4Gi', pods: '110' } },
  }) as Node

const affinity = (requirement: string): string =>
  `affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [${requirement}] }] } } }`
const GPU = [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }]

const page = (items: readonly object[], more = ''): object => ({ items, metadata: { continue: more } })

test.each<[string, { pod?: string; container?: string }, Node, string]>([
  ['anything', {}, node(), 'fits'],
  ['just enough', { container: 'resources: { requests: { cpu: 2, memory: 4Gi } }' }, node(), 'fits'],
  [
    'too much memory',
    { container: 'resources: { requests: { memory: 5Gi } }' },
    node(),
    'Insufficient memory (5Gi asked for, 4Gi at most)',
  ],
  [
    'a device that is not there',
    { container: 'resources: { limits: { nvidia.com/gpu: 1 } }' },
    node(),
    'Insufficient nvidia.com/gpu (1 asked for, 0 at most)',
  ],
  [
    'a device that is there',
    { container: 'resources: { limits: { nvidia.com/gpu: 1 } }' },
    node({ allocatable: { cpu: '2', 'nvidia.com/gpu': '2' } }),
    'fits',
  ],
  [
    'a node that does not say what it has',
    { container: 'resources: { requests: { cpu: 1 } }' },
    node({ allocatable: {} }),
    'fits',
  ],
  ['its selector', { pod: 'nodeSelector: { disk: ssd }' }, node({ labels: { disk: 'ssd' } }), 'fits'],
  [
    'another selector',
    { pod: 'nodeSelector: { disk: ssd }' },
    node({ labels: { disk: 'hdd' } }),
    "didn't match Pod's node affinity/selector",
  ],
  ['In', { pod: affinity('{ key: disk, operator: In, values: [ssd, nvme] }') }, node({ labels: { disk: 'nvme' } }), 'fits'],
  [
    'not In',
    { pod: affinity('{ key: disk, operator: In, values: [ssd] }') },
    node(),
    "didn't match Pod's node affinity/selector",
  ],
  ['NotIn without the label', { pod: affinity('{ key: disk, operator: NotIn, values: [hdd] }') }, node(), 'fits'],
  ['Exists', { pod: affinity('{ key: disk, operator: Exists }') }, node(), "didn't match Pod's node affinity/selector"],
  ['DoesNotExist', { pod: affinity('{ key: disk, operator: DoesNotExist }') }, node(), 'fits'],
  ['Gt', { pod: affinity('{ key: cores, operator: Gt, values: ["3"] }') }, node(), 'fits'],
  ['Lt', { pod: affinity('{ key: cores, operator: Lt, values: ["3"] }') }, node(), "didn't match Pod's node affinity/selector"],
  [
    'only preferred',
    {
      pod: 'affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: { matchExpressions: [{ key: disk, operator: Exists }] } }] } }',
    },
    node(),
    'fits',
  ],
  ['a taint', {}, node({ taints: GPU }), 'had untolerated taint {gpu: yes}'],
  [
    'a tolerated one',
    { pod: 'tolerations: [{ key: gpu, operator: Equal, value: "yes", effect: NoSchedule }]' },
    node({ taints: GPU }),
    'fits',
  ],
  ['a taint that only discourages', {}, node({ taints: [{ key: 'gpu', effect: 'PreferNoSchedule' }] }), 'fits'],
  [
    'a node that starts',
    {},
    node({ taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] }),
    'had untolerated taint {node.kubernetes.io/not-ready: } (passing)',
  ],
  [
    'a cordoned node',
    {},
    node({ taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] }),
    'had untolerated taint {node.kubernetes.io/unschedulable: } (passing)',
  ],
])('%s', async (_, yaml, one, expected) => {
  const { spec } = await template(deployment(yaml))
  const found = misfit(one, spec, podResources(spec).requests)
  expect(found === undefined ? 'fits' : `${found.why}${found.passing ? ' (passing)' : ''}`).toBe(expected)
})

test.each<[Toleration, boolean]>([
  [{ operator: 'Exists' }, true],
  [{ key: 'gpu', operator: 'Exists' }, true],
  [{ key: 'gpu', value: 'yes' }, true],
  [{ key: 'gpu', value: 'no' }, false],
  [{ key: 'gpu' }, false],
  [{ key: 'cpu', operator: 'Exists' }, false],
  [{ operator: 'Exists', effect: 'NoExecute' }, false],
  [{ operator: 'Exists', effect: 'NoSchedule' }, true],
])('%j tolerates gpu=yes:NoSchedule: %s', (toleration, expected) =>
  expect(tolerates(toleration, { key: 'gpu', value: 'yes', effect: 'NoSchedule' })).toBe(expected),
)

describe('the check', () => {
  const STATUS = '/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status'
  const NODES = '/api/v1/nodes?limit=100'
  const PICKY = deployment({ pod: 'nodeSelector: { disk: ssd }' })

  test.each<[string, string, Answers, 'fine' | 'finding' | 'said']>([
    ['one node of two fits', PICKY, { [NODES]: page([node(), node({ labels: { disk: 'ssd' } })]) }, 'fine'],
    ['no right to see nodes', PICKY, { [NODES]: 403 }, 'fine'],
    ['no node fits', PICKY, { [NODES]: page([node()]) }, 'finding'],
    ['there are no nodes', PICKY, { [NODES]: page([]) }, 'finding'],
    [
      'no node fits, Karpenter is here',
      PICKY,
      { [NODES]: page([node()]), '/apis': { groups: [{ name: 'karpenter.sh' }] } },
      'said',
    ],
    ['no node fits, the cluster autoscaler is here', PICKY, { [NODES]: page([node()]), [STATUS]: {} }, 'said'],
    [
      "no node fits, a node is the autoscaler's",
      PICKY,
      { [NODES]: page([node({ labels: { 'karpenter.sh/nodepool': 'a' } })]) },
      'said',
    ],
    [
      'no node fits, in a cloud, no right to look for an autoscaler',
      PICKY,
      { [NODES]: page([node({ providerID: 'aws:///eu-west-1a/i-1' })]), [STATUS]: 403 },
      'said',
    ],
    [
      'no node fits, on a laptop, no right to look',
      PICKY,
      { [NODES]: page([node({ providerID: 'kind://docker/kind/n1' })]), [STATUS]: 403 },
      'finding',
    ],
    ['a DaemonSet', PICKY.replace('kind: Deployment', 'kind: DaemonSet'), { [NODES]: page([node()]) }, 'fine'],
    [
      "another scheduler's pod",
      deployment({ pod: 'nodeSelector: { disk: ssd }\nschedulerName: mine' }),
      { [NODES]: page([node()]) },
      'fine',
    ],
    [
      'a pod with a gate',
      deployment({ pod: 'nodeSelector: { disk: ssd }\nschedulingGates: [{ name: g }]' }),
      { [NODES]: page([node()]) },
      'fine',
    ],
    [
      'what a LimitRange asks for',
      deployment(),
      {
        [NODES]: page([node()]),
        'LIST /api/v1/namespaces/shop/limitranges': [
          {
            apiVersion: 'v1',
            kind: 'LimitRange',
            metadata: { name: 'l' },
            spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '8' } }] },
          },
        ],
      },
      'finding',
    ],
    [
      "a RuntimeClass's own selector",
      deployment({ pod: 'runtimeClassName: gvisor' }),
      {
        [NODES]: page([node()]),
        '/apis/node.k8s.io/v1/runtimeclasses/gvisor': { scheduling: { nodeSelector: { gvisor: 'yes' } } },
      },
      'finding',
    ],
  ])('%s', async (_, yaml, answers, expected) => {
    const { findings, passedOver } = await checkNodes(await context(yaml, cluster(answers)))
    expect(findings.length > 0 ? 'finding' : passedOver.length > 0 ? 'said' : 'fine').toBe(expected)
  })

  test('in a large cluster the first page is enough where a node of it fits; else all are looked at', async () => {
    const fits = cluster({ [NODES]: page([node({ labels: { disk: 'ssd' } })], 'more') })
    expect((await checkNodes(await context(PICKY, fits))).findings).toEqual([])
    expect(fits.asked).not.toContain('LIST /api/v1/nodes')
    const later = cluster({ [NODES]: page([node()], 'more'), 'LIST /api/v1/nodes': [node(), node({ labels: { disk: 'ssd' } })] })
    expect((await checkNodes(await context(PICKY, later))).findings).toEqual([])
    expect(later.asked).toContain('LIST /api/v1/nodes')
  })

  test('the sentence counts the nodes by what is wrong with them; what passes is waited for', async () => {
    const nodes = [
      node({ labels: { disk: 'ssd' }, taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] }),
      node(),
      node(),
    ]
    const { findings } = await checkNodes(await context(PICKY, cluster({ [NODES]: page(nodes) })))
    expect(findings).toMatchObject([
      {
        reason: 'Unschedulable',
        mayYetArrive: true,
        message:
          "No node can take a pod of deployment/web: 0/3 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }. Correct what the pod asks for, or add such a node.",
      },
    ])
  })
})
