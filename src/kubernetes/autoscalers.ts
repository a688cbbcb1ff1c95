// Which workloads an autoscaler scales: their number of replicas is its own, never a manifest's.
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js'
import { ApiFailure, type KubernetesApi } from './api.ts'
import type { KubernetesObject } from './objects.ts'

/** A test for objects that are scaled by a HorizontalPodAutoscaler, live or among `declared`. Without the right to list them, only `declared` counts. */
export async function autoscaled(
  api: KubernetesApi,
  namespace: string,
  declared: readonly KubernetesObject[],
): Promise<(object: KubernetesObject) => boolean> {
  let live: readonly KubernetesObject[] = []
  try {
    live = (await api.list(`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`)).items
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error
  }
  const scaled = new Set(
    [...live, ...declared.filter(object => object.kind === 'HorizontalPodAutoscaler')].map(object => {
      const target = (object as unknown as HorizontalPodAutoscaler).spec?.scaleTargetRef
      return `${target?.kind ?? ''}/${target?.name ?? ''}`
    }),
  )
  return object => scaled.has(`${object.kind}/${object.metadata.name}`)
}
