// What the server would say of a release, asked of it before anything is changed.
import { ExpectedFailure } from '../runner/failure.ts'
import type { KubernetesApi } from './api.ts'
import { atOnce } from './at-once.ts'
import { groupOf, type KubernetesObject } from './objects.ts'
import { type Step, tryStep } from './steps.ts'

/** A server-side dry run of every step: what the server would refuse is refused here, before anything is changed. All refusals are told at once. */
export async function tryAll(api: KubernetesApi, steps: readonly Step[]): Promise<readonly Step[]> {
  const created = steps.filter(step => step.body.kind === 'Namespace' && step.live === undefined)
  const namespaces = new Set(created.map(step => step.body.metadata.name))
  const kinds = new Set(steps.flatMap(step => definedKind(step.body) ?? []))
  const refused: ExpectedFailure[] = []
  const tried: Step[] = []
  await atOnce(steps, async step => {
    const comesFirst =
      namespaces.has(step.body.metadata.namespace ?? '') || kinds.has(`${groupOf(step.body.apiVersion)}/${step.body.kind}`)
    if (step.live === undefined && (step.action === 'delete' || comesFirst)) return void tried.push(step)
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

/** `group/Kind`, of a CustomResourceDefinition. */
function definedKind(object: KubernetesObject): string | undefined {
  const { spec } = object as { spec?: { group?: string; names?: { kind?: string } } }
  return object.kind === 'CustomResourceDefinition' ? `${spec?.group ?? ''}/${spec?.names?.kind ?? ''}` : undefined
}
