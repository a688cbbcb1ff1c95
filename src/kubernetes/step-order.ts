// In what order a release's steps are taken, and what has to be there before what comes next.
import { type Clock, sleep } from '../deploy/clock.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { asExpectedFailure, type KubernetesApi } from './api.ts'
import { runsPods } from './judge/kinds.ts'
import { groupOf, type KubernetesObject, objectName } from './objects.ts'
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

/**
 * True of what is deleted before the new version is up. It serves nobody, and may keep the new pods from coming up: an autoscaler (two that select the
 * same pods both stop scaling, AmbiguousSelector), a quota, a limit, a policy, a webhook of admission. Or its own strategy says that its pods are not
 * to run beside the new ones: a Deployment that is recreated, a DaemonSet without surge.
 */
export function goesFirst(object: KubernetesObject): boolean {
  const { strategy, updateStrategy } = (object['spec'] ?? {}) as { strategy?: Strategy; updateStrategy?: Strategy }
  switch (`${groupOf(object.apiVersion)}/${object.kind}`) {
    case 'autoscaling/HorizontalPodAutoscaler':
    case '/ResourceQuota':
    case '/LimitRange':
    case 'networking.k8s.io/NetworkPolicy':
    case 'policy/PodDisruptionBudget':
      return true
    case 'apps/Deployment':
      return strategy?.type === 'Recreate'
    case 'apps/DaemonSet':
      return [undefined, 0, '0', '0%'].includes(updateStrategy?.rollingUpdate?.maxSurge)
    default:
      return groupOf(object.apiVersion) === 'admissionregistration.k8s.io'
  }
}

interface Strategy {
  readonly type?: string
  readonly rollingUpdate?: { readonly maxSurge?: number | string }
}

/** Tiers: what others use goes before them. */
export function inOrder(steps: readonly Step[]): readonly (readonly Step[])[] {
  const byObject = new Map(steps.map(step => [step.body, step]))
  return applyOrder(steps.map(step => step.body)).map(tier => tier.flatMap(object => byObject.get(object) ?? []))
}

const ESTABLISHED_WITHIN_MS = 10_000
const ASK_AGAIN_MS = 100

interface Definition {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly { readonly name: string; readonly served: boolean }[]
  }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/**
 * Waits until the API server has taken the definitions among `tier` in, and lists their kinds: its discovery follows the condition Established
 * in its own time (pkg/apiserver/customresource_discovery_controller.go of apiextensions-apiserver), and an object of a kind that is not listed
 * cannot be sent. @throws ExpectedFailure `NotFound` when that is not so within 10 s
 */
export async function established(api: KubernetesApi, clock: Clock, tier: readonly Step[]): Promise<void> {
  const definitions = tier.filter(step => step.body.kind === 'CustomResourceDefinition')
  await Promise.all(
    definitions.map(async step => {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${step.body.metadata.name}`
      for (const end = clock.now() + ESTABLISHED_WITHIN_MS; clock.now() < end; await sleep(clock, ASK_AGAIN_MS)) {
        const definition = await read<Definition>(api, path, objectName(step.body))
        const conditions = definition.status?.conditions ?? []
        if (!conditions.some(({ type, status }) => type === 'Established' && status === 'True')) continue
        if (await isListed(api, definition.spec)) return
      }
      throw new ExpectedFailure('NotFound', `${objectName(step.body)} was not established within 10 s.`)
    }),
  )
}

async function read<T>(api: KubernetesApi, path: string, name: string): Promise<T> {
  try {
    return await api.request<T>('GET', path)
  } catch (error) {
    throw asExpectedFailure(error, `Reading ${name}`)
  }
}

async function isListed(api: KubernetesApi, { group, names, versions }: Definition['spec']): Promise<boolean> {
  const served = versions.filter(version => version.served)
  const found = await Promise.allSettled(served.map(({ name }) => api.resource(`${group}/${name}`, names.kind)))
  for (const each of found)
    if (each.status === 'rejected' && !(each.reason instanceof ExpectedFailure))
      throw asExpectedFailure(each.reason, `Looking for the kind ${names.kind}`)
  return found.every(({ status }) => status === 'fulfilled')
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
