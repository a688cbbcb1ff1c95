// What a release no longer holds: objects of the live release's own inventory that the manifests have dropped. Nothing is ever guessed from labels.
import type { KubernetesApi } from './api.ts'
import { type KubernetesObject, objectKey } from './objects.ts'
import { inventoryOf, type ReleaseRecord } from './release-record.ts'
import { FIELD_MANAGER, readLive, type Step } from './steps.ts'
import { holdsWhatOthersPut } from './targets.ts'

/** An object with this annotation set to "false", live or as it was deployed, is never pruned. */
export const PRUNE_ANNOTATION = 'deploy-actions/prune'

/**
 * Steps that delete what the live release holds and `objects` do not. Kinds that hold what others have put there (namespaces, definitions, claims) are kept,
 * and so is what says so by its annotation.
 */
export async function stepsToPrune(
  api: KubernetesApi,
  live: ReleaseRecord | undefined,
  objects: readonly KubernetesObject[],
): Promise<Step[]> {
  if (live === undefined) return []
  const kept = new Set(objects.map(objectKey))
  const content = live.content()
  const guarded = new Set(content.objects.filter(({ after }) => isProtected(after)).map(({ reference }) => objectKey(reference)))
  const dropped = inventoryOf(content).filter(({ reference, after }) => after && !kept.has(objectKey(reference)))
  const steps = await Promise.all(
    dropped
      .filter(({ reference }) => !holdsWhatOthersPut(reference) && !guarded.has(objectKey(reference)))
      .map(async ({ reference }): Promise<Step[]> => {
        const object = await readLive(api, reference)
        if (object === undefined || isProtected(object)) return []
        return [
          {
            action: 'delete',
            body: reference,
            live: object,
            before: object,
            desired: undefined,
            fieldManager: FIELD_MANAGER,
            keepReplicas: false,
            position: () => undefined,
          },
        ]
      }),
  )
  return steps.flat()
}

function isProtected(object: KubernetesObject | undefined): boolean {
  return object?.metadata.annotations?.[PRUNE_ANNOTATION] === 'false'
}
