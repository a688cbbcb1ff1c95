// What the server would say of a release, asked of it before anything is changed.
import { ExpectedFailure } from '../runner/failure.ts'
import type { KubernetesApi } from './api.ts'
import { atOnce } from './at-once.ts'
import { groupOf, type KubernetesObject, objectKey } from './objects.ts'
import { type Step, tryStep } from './steps.ts'

/** A server-side dry run of every step: what the server would refuse is refused here, before anything is changed. All refusals are told at once. */
export async function tryAll(api: KubernetesApi, steps: readonly Step[]): Promise<readonly Step[]> {
  const created = steps.filter(step => step.body.kind === 'Namespace' && step.live === undefined)
  const namespaces = new Set(created.map(step => step.body.metadata.name))
  const added = new Set(
    steps.filter(({ live, action }) => live === undefined && action !== 'delete').map(({ body }) => objectKey(body)),
  )
  const kinds = new Set(steps.flatMap(step => definedKind(step.body) ?? []))
  const refused: ExpectedFailure[] = []
  const tried: Step[] = []
  await atOnce(steps, async step => {
    const newKind = kinds.has(`${groupOf(step.body.apiVersion)}/${step.body.kind}`)
    const comesFirst =
      newKind || namespaces.has(step.body.metadata.namespace ?? '') || needs(step.body).some(key => added.has(key))
    if (step.live === undefined && (step.action === 'delete' || comesFirst)) return void tried.push(step)
    // In a version that only this release's definition brings.
    if (newKind && step.live !== undefined && step.live.apiVersion !== step.body.apiVersion)
      return void tried.push({ ...step, desired: step.body })
    try {
      tried.push({ ...step, desired: await tryStep(api, step) })
    } catch (error) {
      if (!(error instanceof ExpectedFailure)) throw error
      refused.push(error)
    }
  })
  const [first, ...others] = refused
  if (first !== undefined) {
    const also = [
      ...first.also,
      ...others.flatMap(other => [
        { message: other.message, ...(other.at === undefined ? {} : { at: other.at }) },
        ...other.also,
      ]),
    ]
    const more = others.length === 0 ? '' : ` (and ${others.length} more objects were refused)`
    throw new ExpectedFailure(first.reason, `${first.message.replace(/\.$/, '')}${more}. Nothing was changed.`, {
      also,
      ...(first.at === undefined ? {} : { at: first.at }),
    })
  }
  return steps.map(step => tried.find(candidate => candidate.body === step.body) ?? step)
}

/** What has to be there before the server takes the object in: the role of a binding, for whoever may bind only what he may do, and a pod's account. */
function needs(object: KubernetesObject): readonly string[] {
  const { apiVersion, metadata } = object
  switch (`${groupOf(apiVersion)}/${object.kind}`) {
    case 'rbac.authorization.k8s.io/RoleBinding':
    case 'rbac.authorization.k8s.io/ClusterRoleBinding': {
      const { kind = '', name = '' } = (object['roleRef'] ?? {}) as { kind?: string; name?: string }
      return [objectKey({ apiVersion, kind, metadata: kind === 'Role' ? { ...metadata, name } : { name } })]
    }
    case '/Pod': {
      const { serviceAccountName: name = '' } = (object['spec'] ?? {}) as { serviceAccountName?: string }
      return [objectKey({ apiVersion, kind: 'ServiceAccount', metadata: { ...metadata, name } })]
    }
    default:
      return []
  }
}

/** `group/Kind`, of a CustomResourceDefinition. */
function definedKind(object: KubernetesObject): string | undefined {
  const { spec } = object as { spec?: { group?: string; names?: { kind?: string } } }
  return object.kind === 'CustomResourceDefinition' ? `${spec?.group ?? ''}/${spec?.names?.kind ?? ''}` : undefined
}
