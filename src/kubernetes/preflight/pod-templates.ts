// The pod templates of a release: where they stand, and whether the release makes new pods of them. A template that stays as it is says nothing of
// this release: its pods run, or not, as before.
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js'
import type { FilePosition } from '../../runner/failure.ts'
import { differences } from '../change.ts'
import { containerImages } from '../images.ts'
import { groupOf, type KubernetesObject, objectName } from '../objects.ts'
import type { Step } from '../steps.ts'

export type Path = readonly (string | number)[]

export interface PodTemplate {
  readonly step: Step
  /** As it will be. */
  readonly object: KubernetesObject
  /** `deployment/web`, or `deployment/web in shop` outside of the release's own namespace. */
  readonly name: string
  readonly namespace: string
  /** Path of the pod spec in the object. */
  readonly path: Path
  readonly spec: PodSpec
  readonly labels: Readonly<Record<string, string>>
  /** The spec of the pods that are there now; undefined where there is none. */
  readonly before: PodSpec | undefined
  /** True for the kinds of Kubernetes itself (and Rollout and Knative's Service), whose pods are made just as the template says. */
  readonly plain: boolean
  /** True where the release makes pods of it: it is new, it differs from what is live, or it gets more replicas. */
  readonly makesPods: boolean
  /** True where the template itself is new or another one. */
  readonly changed: boolean
}

/** What will be live after the release, step by step. What the release deletes is not there any more. */
export function objectsToBe(steps: readonly Step[]): readonly KubernetesObject[] {
  return steps.filter(step => step.action !== 'delete').map(toBe)
}

export function toBe(step: Step): KubernetesObject {
  return step.desired ?? step.body
}

const PLAIN_GROUPS = new Set(['', 'apps', 'batch'])
const PLAIN_CUSTOM = /^(argoproj\.io\/v1alpha1\/Rollout|serving\.knative\.dev\/v1\/Service)$/

/** The pod templates of all steps, in their order. */
export function podTemplates(steps: readonly Step[], ownNamespace: string): readonly PodTemplate[] {
  return steps.filter(step => step.action !== 'delete').flatMap(step => templatesOf(step, ownNamespace))
}

function templatesOf(step: Step, ownNamespace: string): readonly PodTemplate[] {
  const object = toBe(step)
  const paths = new Map(
    containerImages(object).map(image => [image.path.slice(0, -3).join('/'), image.path.slice(0, -3)] as const),
  )
  const namespace = object.metadata.namespace ?? ownNamespace
  const name = namespace === ownNamespace ? objectName(object) : `${objectName(object)} in ${namespace}`
  const plain = PLAIN_GROUPS.has(groupOf(object.apiVersion)) || PLAIN_CUSTOM.test(`${object.apiVersion}/${object.kind}`)
  return [...paths.values()].flatMap(path => {
    const spec = recordAt(object, path)
    if (spec === undefined) return []
    const live = recordAt(step.live, path)
    const holder = path.slice(0, -1)
    const changed = live === undefined || differences(at(step.live, holder), at(object, holder)).length > 0
    const grows = podCount(object) > (step.live === undefined ? 0 : podCount(step.live))
    const metadata = recordAt(object, [...holder, 'metadata'])
    return [
      {
        step,
        object,
        name,
        namespace,
        path,
        spec: sound(spec),
        labels: (recordAt(metadata, ['labels']) ?? {}) as Record<string, string>,
        before: live === undefined ? undefined : sound(live),
        plain,
        makesPods: (changed || grows) && !isAsleep(object),
        changed,
      },
    ]
  })
}

/** No pods are made of these now: a workload scaled to nothing, a CronJob or Job that is suspended. */
function isAsleep(object: KubernetesObject): boolean {
  const spec = recordAt(object, ['spec'])
  return spec?.['replicas'] === 0 || spec?.['suspend'] === true || object.kind === 'PodTemplate'
}

function podCount(object: KubernetesObject): number {
  const replicas = recordAt(object, ['spec'])?.['replicas']
  return typeof replicas === 'number' ? replicas : 1
}

/** All containers of a pod, the init ones first, each with its path below the pod spec. */
export function containersOf(
  spec: PodSpec,
): readonly { readonly container: Container; readonly path: Path; readonly init: boolean }[] {
  return (['initContainers', 'containers'] as const).flatMap(list =>
    (spec[list] ?? []).map((container, index) => ({ container, path: [list, index], init: list === 'initContainers' })),
  )
}

/**
 * Where a field stands in the user's file. The object as it will be may hold entries of others in between (an injected sidecar), so that entries of
 * lists are found again by their name.
 */
export function positionOf(template: PodTemplate, below: Path): FilePosition | undefined {
  const { step, object, path } = template
  let mine: unknown = step.body
  let theirs: unknown = object
  const found: (string | number)[] = []
  for (const part of [...path, ...below]) {
    let own = part
    if (typeof part === 'number' && Array.isArray(mine) && Array.isArray(theirs)) {
      const name = nameOf(theirs[part])
      const index = name === undefined ? part : mine.findIndex(entry => nameOf(entry) === name)
      if (index < 0) break
      own = index
    }
    mine = (mine as Record<string | number, unknown> | undefined)?.[own]
    theirs = (theirs as Record<string | number, unknown> | undefined)?.[part]
    if (mine === undefined || mine === null) break
    found.push(own)
  }
  return step.position(found)
}

function nameOf(entry: unknown): string | undefined {
  const name = isRecord(entry) ? entry['name'] : undefined
  return typeof name === 'string' ? name : undefined
}

/** The name of the ServiceAccount that the pods run as. */
export function accountOf({ serviceAccountName = '' }: PodSpec): string {
  return serviceAccountName === '' ? 'default' : serviceAccountName
}

/**
 * A pod spec whose lists are lists of objects and whose names are texts. What the server has tried is sound already; an object of a kind or a namespace that comes only with
 * this release has not been tried.
 */
function sound(spec: Record<string, unknown>): PodSpec {
  const lists = ['containers', 'initContainers', 'volumes', 'tolerations', 'imagePullSecrets']
  const clean: Record<string, unknown> = { ...spec }
  for (const list of lists) {
    const value = spec[list]
    if (value !== undefined) clean[list] = Array.isArray(value) ? value.filter(isRecord) : []
  }
  for (const name of ['serviceAccountName', 'priorityClassName', 'runtimeClassName', 'schedulerName'])
    if (typeof spec[name] !== 'string') delete clean[name]
  return clean as unknown as PodSpec
}

/** The objects in a list that may be anything, each with its index. */
export function records(list: unknown): readonly (readonly [Record<string, unknown>, number])[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((entry, index) => (isRecord(entry) ? [[entry, index] as const] : []))
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (parent, key) =>
      typeof parent === 'object' && parent !== null ? (parent as Record<string | number, unknown>)[key] : undefined,
    value,
  )
}

export function recordAt(value: unknown, path: Path): Record<string, unknown> | undefined {
  const found = at(value, path)
  return isRecord(found) ? found : undefined
}
