// Which workloads an autoscaler scales: their number of replicas is its own, never a manifest's.
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import type { KubernetesObject } from './objects.ts'

/**
 * A test for objects that are scaled by a HorizontalPodAutoscaler, live in one of `namespaces` or among `declared`. Without the right to list them,
 * only `declared` counts.
 */
export async function autoscaled(
  api: KubernetesApi,
  namespaces: readonly string[],
  declared: readonly KubernetesObject[],
): Promise<(object: KubernetesObject) => boolean> {
  const live = (await Promise.all([...new Set(namespaces)].map(namespace => autoscalersIn(api, namespace)))).flat()
  const scaled = new Set(
    [...live, ...declared.filter(object => object.kind === 'HorizontalPodAutoscaler')].map(object => {
      const target = (object as unknown as HorizontalPodAutoscaler).spec?.scaleTargetRef
      return `${object.metadata.namespace ?? ''}/${target?.kind ?? ''}/${target?.name ?? ''}`
    }),
  )
  return object => scaled.has(`${object.metadata.namespace ?? ''}/${object.kind}/${object.metadata.name}`)
}

async function autoscalersIn(api: KubernetesApi, namespace: string): Promise<readonly KubernetesObject[]> {
  try {
    return (await api.list(`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`)).items
  } catch (error) {
    if (error instanceof ApiFailure && error.status !== 0) return []
    throw asExpectedFailure(error, `Listing the autoscalers in namespace ${namespace}`)
  }
}

/** The namespaces of the objects, and the release's own. */
export function namespacesOf(objects: readonly KubernetesObject[], own: string): readonly string[] {
  return [...new Set([own, ...objects.flatMap(({ metadata }) => metadata.namespace ?? [])])]
}
