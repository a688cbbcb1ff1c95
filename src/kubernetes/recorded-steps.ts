// Steps as a release record holds them, and back.
import { containerImages } from './images.ts'
import { groupOf, type KubernetesObject, objectName } from './objects.ts'
import type { ObjectState } from './release-record.ts'
import { FIELD_MANAGER, recorded, type Step } from './steps.ts'

/** As it is to be once the step is taken. What is to be deleted is there until the release is up, and stays where it is left as it is before. */
export function stateOf(step: Step): ObjectState {
  const { apiVersion, kind, metadata } = step.body
  const reference = {
    apiVersion,
    kind,
    metadata: { name: metadata.name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) },
  }
  const after = step.action === 'delete' ? step.live : step.desired
  return {
    reference,
    before: step.before === undefined ? undefined : recorded(step.before),
    after: after === undefined ? undefined : recorded(after),
    keepReplicas: step.keepReplicas,
  }
}

/** As it is now that the step was taken. `applied` is what the server answered; where that is not known, it is what the dry run said. */
export function finalStateOf(step: Step, applied: KubernetesObject | undefined): ObjectState {
  const after = step.action === 'delete' ? undefined : (applied ?? step.desired)
  return { ...stateOf(step), after: after === undefined ? undefined : recorded(after) }
}

/** What controllers write into beside its status. Of the kinds that are named here nobody does, or it is theirs to write anew (a number of replicas). */
export function isCompleted({ apiVersion, kind }: KubernetesObject): boolean {
  const group = groupOf(apiVersion)
  if (group === 'apps' || group === 'batch' || group === 'autoscaling' || group === 'rbac.authorization.k8s.io') return false
  return group !== '' || ['Service', 'PersistentVolume', 'PersistentVolumeClaim'].includes(kind)
}

/** A step that was taken by a run that is no more. */
export function stepToUndo(state: ObjectState): Step {
  return {
    action: 'put',
    body: state.reference,
    live: undefined,
    before: state.before,
    desired: state.after,
    fieldManager: FIELD_MANAGER,
    keepReplicas: state.keepReplicas,
    position: () => undefined,
  }
}

/** The image of each container of the release, by `kind/name/container`. */
export function imagesOf(steps: readonly Step[]): Record<string, string> {
  const images = steps.flatMap(step =>
    containerImages(step.desired ?? step.body).map(
      image => [`${objectName(step.body)}/${image.container}`, image.image] as const,
    ),
  )
  return Object.fromEntries(images)
}
