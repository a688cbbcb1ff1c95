// What a pod template needs beside itself: Secrets, ConfigMaps and their keys, a ServiceAccount, claims, classes. Optional ones are not needed.
import type { PodSpec } from 'kubernetes-types/core/v1.js'
import { containersOf, type Path, recordAt, records } from './pod-templates.ts'

/** A pod needs an object, and of it a key perhaps. */
export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap' | 'ServiceAccount' | 'PersistentVolumeClaim' | 'PriorityClass' | 'RuntimeClass'
  readonly name: string
  readonly key?: string | undefined
  /** Where it is named, below the pod spec. */
  readonly path: Path
  /** `environment variable PASSWORD of container app`, for people. */
  readonly where: string
  /** The word for it in the running cluster. */
  readonly reason: string
}

/** What the kubelet says of a container whose environment can't be put together. */
const ENVIRONMENT = 'CreateContainerConfigError'
const VOLUME = 'FailedMount'

/** Made in every namespace by Kubernetes (or OpenShift) itself, a moment after the namespace. */
const MADE_BY_THE_CLUSTER = new Set([
  'ConfigMap/kube-root-ca.crt',
  'ConfigMap/openshift-service-ca.crt',
  'ServiceAccount/default',
  'ServiceAccount/',
])

export function podReferences(spec: PodSpec): readonly Reference[] {
  const all = [...environment(spec), ...volumes(spec), ...classes(spec)]
  return all.filter(({ kind, name }) => name !== '' && !MADE_BY_THE_CLUSTER.has(`${kind}/${name}`))
}

function environment(spec: PodSpec): readonly Reference[] {
  return containersOf(spec).flatMap(({ container, path }) => {
    const of = `container ${text(container.name)}`
    const variables = records(container.env).flatMap(([variable, index]): Reference[] => {
      const from = recordAt(variable, ['valueFrom'])
      const at = [...path, 'env', index]
      const where = `environment variable ${text(variable['name'])} of ${of}`
      return [
        ...keyOf('Secret', recordAt(from, ['secretKeyRef']), [...at, 'valueFrom', 'secretKeyRef'], where),
        ...keyOf('ConfigMap', recordAt(from, ['configMapKeyRef']), [...at, 'valueFrom', 'configMapKeyRef'], where),
      ]
    })
    const whole = records(container.envFrom).flatMap(([source, index]): Reference[] => {
      const at = [...path, 'envFrom', index]
      const where = `envFrom of ${of}`
      return [
        ...objectOf('Secret', recordAt(source, ['secretRef']), [...at, 'secretRef'], where, ENVIRONMENT),
        ...objectOf('ConfigMap', recordAt(source, ['configMapRef']), [...at, 'configMapRef'], where, ENVIRONMENT),
      ]
    })
    return [...variables, ...whole]
  })
}

function keyOf(
  kind: 'Secret' | 'ConfigMap',
  selector: Record<string, unknown> | undefined,
  path: Path,
  where: string,
): readonly Reference[] {
  if (selector === undefined || selector['optional'] === true) return []
  return [{ kind, name: text(selector['name']), key: text(selector['key']), path, where, reason: ENVIRONMENT }]
}

function objectOf(
  kind: 'Secret' | 'ConfigMap',
  source: Record<string, unknown> | undefined,
  path: Path,
  where: string,
  reason: string,
): readonly Reference[] {
  if (source === undefined || source['optional'] === true) return []
  return [{ kind, name: text(source['name'] ?? source['secretName']), path, where, reason }]
}

function volumes(spec: PodSpec): readonly Reference[] {
  return records(spec.volumes).flatMap(([volume, index]) => {
    const at: Path = ['volumes', index]
    const where = `volume ${text(volume['name'])}`
    const projected = records(recordAt(volume, ['projected'])?.['sources']).flatMap(([source, position]) => {
      const below = [...at, 'projected', 'sources', position]
      return [
        ...filesOf('Secret', recordAt(source, ['secret']), [...below, 'secret'], where),
        ...filesOf('ConfigMap', recordAt(source, ['configMap']), [...below, 'configMap'], where),
      ]
    })
    const claim = recordAt(volume, ['persistentVolumeClaim'])
    return [
      ...filesOf('Secret', recordAt(volume, ['secret']), [...at, 'secret'], where),
      ...filesOf('ConfigMap', recordAt(volume, ['configMap']), [...at, 'configMap'], where),
      ...projected,
      ...(claim === undefined
        ? []
        : [
            {
              kind: 'PersistentVolumeClaim' as const,
              name: text(claim['claimName']),
              path: [...at, 'persistentVolumeClaim'],
              where,
              reason: 'Unschedulable',
            },
          ]),
    ]
  })
}

/** A Secret or ConfigMap as files: the object, and the keys that `items` names. */
function filesOf(
  kind: 'Secret' | 'ConfigMap',
  source: Record<string, unknown> | undefined,
  path: Path,
  where: string,
): readonly Reference[] {
  const [object] = objectOf(kind, source, path, where, VOLUME)
  if (object === undefined) return []
  const keys = records(source?.['items']).map(([item, index]) => ({
    ...object,
    key: text(item['key']),
    path: [...path, 'items', index],
  }))
  return keys.length > 0 ? keys : [object]
}

function classes(spec: PodSpec): readonly Reference[] {
  const reference = (kind: Reference['kind'], field: keyof PodSpec): readonly Reference[] => {
    const name = spec[field]
    if (typeof name !== 'string' || name === '') return []
    return [{ kind, name, path: [field], where: field, reason: 'FailedCreate' }]
  }
  return [
    ...reference('ServiceAccount', 'serviceAccountName'),
    ...reference('PriorityClass', 'priorityClassName'),
    ...reference('RuntimeClass', 'runtimeClassName'),
  ]
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
