// In what order a release's steps are taken, and what has to be there before what comes next.
import { type Clock, sleep } from '../deploy/clock.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { KubernetesApi } from './api.ts'
import { runsPods } from './judge/kinds.ts'
import { objectName } from './objects.ts'
import { applyOrder, isBeforeWorkloads } from './order.ts'
import { readLive, type Step } from './steps.ts'

/** Steps that are taken side by side; what is `awaited` has to succeed before the next. */
export interface Stage {
  readonly steps: readonly Step[]
  readonly awaited: boolean
}

/** The steps in tiers; what a chart's hooks run stands before the workloads or after everything, by weight, each waited for. */
export function stagesOf(steps: readonly Step[]): readonly Stage[] {
  const isRun = (step: Step): boolean => step.hook !== undefined && runsPods(step.body)
  const tiers = (some: readonly Step[]) => inOrder(some).map(tier => ({ steps: tier, awaited: false }))
  const runs = (when: 'before' | 'after') => {
    const byWeight = Map.groupBy(
      steps.filter(step => isRun(step) && step.hook?.when === when),
      step => step.hook?.weight ?? 0,
    )
    return [...byWeight].sort(([a], [b]) => a - b).map(([, group]) => ({ steps: group, awaited: true }))
  }
  const others = steps.filter(step => !isRun(step))
  return [
    ...tiers(others.filter(step => isBeforeWorkloads(step.body))),
    ...runs('before'),
    ...tiers(others.filter(step => !isBeforeWorkloads(step.body))),
    ...runs('after'),
  ]
}

/** Tiers: what others use goes before them. */
export function inOrder(steps: readonly Step[]): readonly (readonly Step[])[] {
  const byObject = new Map(steps.map(step => [step.body, step]))
  return applyOrder(steps.map(step => step.body)).map(tier => tier.flatMap(object => byObject.get(object) ?? []))
}

/** A new kind can be used once the API server has taken its definition in. */
export async function established(api: KubernetesApi, clock: Clock, tier: readonly Step[]): Promise<void> {
  const definitions = tier.filter(step => step.body.kind === 'CustomResourceDefinition')
  await Promise.all(
    definitions.map(async step => {
      for (let tries = 0; tries < 100; tries++) {
        const object = await api.request<{ status?: { conditions?: { type: string; status: string }[] } }>(
          'GET',
          `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${step.body.metadata.name}`,
        )
        if (object.status?.conditions?.some(condition => condition.type === 'Established' && condition.status === 'True')) return
        await sleep(clock, 100)
      }
      throw new ExpectedFailure('NotFound', `${objectName(step.body)} was not established within 10 s.`)
    }),
  )
}

/** A pod of nobody is refused in a namespace whose default account the cluster has not made yet; what controllers make is tried again. */
export async function withAccounts(
  api: KubernetesApi,
  clock: Clock,
  tier: readonly Step[],
  release: readonly Step[],
): Promise<void> {
  const created = tier.filter(({ body, live }) => body.kind === 'Namespace' && body.apiVersion === 'v1' && live === undefined)
  const awaited = created.filter(({ body }) =>
    release.some(step => step.body.kind === 'Pod' && step.body.metadata.namespace === body.metadata.name),
  )
  for (const { body } of awaited) {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: body.metadata.name } }
    for (let tries = 0; tries < 100 && (await readLive(api, account)) === undefined; tries++) await sleep(clock, 100)
  }
}
