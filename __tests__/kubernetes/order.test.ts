// Tiers of objects: what must be there first comes first.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { applyOrder } from '../../src/kubernetes/order.ts'

const object = (kind: string, apiVersion = 'v1', name = 'x'): KubernetesObject => ({ apiVersion, kind, metadata: { name } })
const kinds = (tiers: readonly (readonly KubernetesObject[])[]): string[][] => tiers.map(tier => tier.map(({ kind }) => kind))

test('a whole release', () => {
  const given = [
    object('Ingress', 'networking.k8s.io/v1'),
    object('HorizontalPodAutoscaler', 'autoscaling/v2'),
    object('ValidatingWebhookConfiguration', 'admissionregistration.k8s.io/v1'),
    object('ServiceMonitor', 'monitoring.coreos.com/v1'),
    object('Deployment', 'apps/v1'),
    object('Thing', 'acme.io/v1'),
    object('Rollout', 'argoproj.io/v1alpha1'),
    object('CronJob', 'batch/v1'),
    object('Service'),
    object('PodDisruptionBudget', 'policy/v1'),
    object('RoleBinding', 'rbac.authorization.k8s.io/v1'),
    object('Role', 'rbac.authorization.k8s.io/v1'),
    object('ServiceAccount'),
    object('PersistentVolumeClaim'),
    object('StorageClass', 'storage.k8s.io/v1'),
    object('ExternalSecret', 'external-secrets.io/v1'),
    object('ConfigMap'),
    object('HTTPRoute', 'gateway.networking.k8s.io/v1'),
    object('Gateway', 'gateway.networking.k8s.io/v1'),
    object('CustomResourceDefinition', 'apiextensions.k8s.io/v1'),
    object('Namespace'),
  ]
  expect(kinds(applyOrder(given))).toEqual([
    ['Namespace'],
    ['CustomResourceDefinition'],
    ['StorageClass', 'PodDisruptionBudget', 'ServiceAccount', 'Role'],
    ['RoleBinding', 'ExternalSecret', 'ConfigMap', 'PersistentVolumeClaim', 'Service'],
    ['Deployment', 'CronJob', 'Thing', 'Rollout'],
    ['HorizontalPodAutoscaler', 'Gateway', 'HTTPRoute', 'Ingress', 'ServiceMonitor', 'ValidatingWebhookConfiguration'],
  ])
})

test.each([
  ['no objects, no tiers', [], []],
  ['no empty tiers', [object('Deployment', 'apps/v1')], [['Deployment']]],
  [
    'a kind of the same name in another group is not it',
    [object('Deployment', 'apps/v1'), object('Namespace', 'acme.io/v1')],
    [['Deployment', 'Namespace']],
  ],
  [
    'Knative Services are workloads, not Services',
    [object('Service', 'serving.knative.dev/v1'), object('Service')],
    [['Service'], ['Service']],
  ],
  [
    'unknown kinds come after the definitions',
    [object('Thing', 'acme.io/v1'), object('CustomResourceDefinition', 'apiextensions.k8s.io/v1')],
    [['CustomResourceDefinition'], ['Thing']],
  ],
])('%s', (_, given, expected) => {
  expect(kinds(applyOrder(given))).toEqual(expected)
})

test('stable within a kind, complete, and the objects themselves', () => {
  const any = fc.constantFrom(
    object('Secret'),
    object('Deployment', 'apps/v1'),
    object('Thing', 'acme.io/v1'),
    object('Ingress', 'networking.k8s.io/v1'),
  )
  fc.assert(
    fc.property(fc.array(any), templates => {
      const given = templates.map((template, index) => ({ ...template, metadata: { name: String(index) } }))
      const ordered = applyOrder(given).flat()
      expect(new Set(ordered)).toEqual(new Set(given))
      expect(ordered).toHaveLength(given.length)
      for (const kind of new Set(given.map(each => each.kind))) {
        const names = ordered.filter(each => each.kind === kind).map(({ metadata }) => Number(metadata.name))
        expect(names).toEqual([...names].sort((a, b) => a - b))
      }
    }),
  )
})
