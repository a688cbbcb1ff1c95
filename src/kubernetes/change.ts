// What a release changes in one object: live against what is to be, as a short list for people. Secrets' values are never shown.
import type { Change } from '../deploy/platform.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { type KubernetesObject, objectName } from './objects.ts'

/** Set by the server or by controllers: no release changes these. */
const SERVER_METADATA = [
  'managedFields',
  'resourceVersion',
  'generation',
  'uid',
  'creationTimestamp',
  'selfLink',
  'deletionGracePeriodSeconds',
]
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
const CONTROLLER_ANNOTATIONS = ['deployment.kubernetes.io/revision', LAST_APPLIED]

/** The object as far as a user can mean it: without status and without what the server keeps for itself. */
export function intent(object: KubernetesObject): KubernetesObject {
  const { status: _, ...rest } = object
  const annotations = Object.fromEntries(
    Object.entries(object.metadata.annotations ?? {}).filter(([key]) => !CONTROLLER_ANNOTATIONS.includes(key)),
  )
  const metadata = Object.fromEntries(
    Object.entries(object.metadata).filter(([key]) => !SERVER_METADATA.includes(key) && key !== 'annotations'),
  )
  return {
    ...rest,
    metadata: { ...metadata, name: object.metadata.name, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
  }
}

/** The books that `kubectl apply` keeps in the object itself: they mean nothing, and are put back all the same. */
export function lastApplied(object: KubernetesObject | undefined): string | undefined {
  return object?.metadata.annotations?.[LAST_APPLIED]
}

/** True where both mean the same. */
export function sameIntent(a: KubernetesObject, b: KubernetesObject): boolean {
  return differences(intent(a), intent(b)).length === 0
}

export interface Difference {
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/** What a change would do to an object, for the plan. `live` or `desired` is undefined where the object is not there, before or after (or neither). */
export function changeOf(live: KubernetesObject | undefined, desired: KubernetesObject | undefined): Change {
  const subject = desired ?? live
  if (subject === undefined) return { object: '', action: 'none', details: [] }
  const object = objectName(subject)
  if (live === undefined) return { object, action: 'create', details: [] }
  if (desired === undefined) return { object, action: 'delete', details: [] }
  const found = differences(intent(live), intent(desired))
  const details = found
    .slice(0, 8)
    .map(difference => `${shortPath(difference.path)} ${shown(live, difference.before)} -> ${shown(live, difference.after)}`)
  if (found.length > details.length) details.push(`and ${found.length - details.length} more fields`)
  return { object, action: found.length === 0 ? 'none' : 'change', details }
}

/**
 * What others have changed in an object since `applied` was answered and `target` does not keep, for people: the fields, and who. Undefined where that
 * is nothing.
 */
export function lostChanges(applied: KubernetesObject, live: KubernetesObject, target: KubernetesObject): string | undefined {
  const lost = new Set(differences(intent(live), intent(target)).map(({ path }) => path))
  const found = differences(intent(applied), intent(live)).filter(({ path }) => lost.has(path))
  if (found.length === 0) return undefined
  const known = new Set((applied.metadata.managedFields ?? []).map(({ manager, time }) => `${manager} ${time}`))
  const managers = (live.metadata.managedFields ?? [])
    .filter(({ manager, time, subresource }) => subresource !== 'status' && !known.has(`${manager} ${time}`))
    .map(({ manager = 'somebody' }) => foreignLine(manager, 60))
  const fields = found
    .slice(0, 3)
    .map(({ path, before, after }) => `${shortPath(path)} ${shown(live, before)} -> ${shown(live, after)}`)
  const more = found.length > fields.length ? ` and ${found.length - fields.length} more fields` : ''
  return `${fields.join('; ')}${more}${managers.length === 0 ? '' : `, by ${[...new Set(managers)].join(', ')}`}`
}

/** The change as lines of a diff: `- path: old`, `+ path: new`. */
export function diffOf(live: KubernetesObject | undefined, desired: KubernetesObject | undefined): string {
  const subject = desired ?? live
  if (subject === undefined) return ''
  const found = differences(live === undefined ? undefined : intent(live), desired === undefined ? undefined : intent(desired))
  if (found.length === 0) return ''
  const lines = found.flatMap(({ path, before, after }) => [
    ...(before === undefined ? [] : [`- ${path}: ${shown(subject, before)}`]),
    ...(after === undefined ? [] : [`+ ${path}: ${shown(subject, after)}`]),
  ])
  return `${objectName(subject)}\n${lines.join('\n')}\n`
}

/**
 * Leaf by leaf. Lists whose entries all have a `name` are compared by it, so that an added container does not shift the others; another order is a
 * difference all the same (init containers run in theirs). Empty and absent are not the same: in a NetworkPolicy they are all and nothing.
 */
export function differences(before: unknown, after: unknown, path = ''): Difference[] {
  if (isAbsent(before) && isAbsent(after)) return []
  if (Object.is(before, after)) return []
  if ((isAbsent(before) && isEmpty(after)) || (isEmpty(before) && isAbsent(after))) return [{ path, before, after }]
  const left = entriesOf(before)
  const right = entriesOf(after)
  if (left === undefined && right === undefined) return [{ path, before, after }]
  if ((left === undefined && before !== undefined) || (right === undefined && after !== undefined))
    return [{ path, before, after }]
  const keys = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])]
  const found = keys.flatMap(key =>
    differences(left?.get(key), right?.get(key), key.startsWith('[') ? `${path}${key}` : path === '' ? key : `${path}.${key}`),
  )
  return Array.isArray(before) && Array.isArray(after) ? [...found, ...reordered(left, right, path)] : found
}

/** The entries that both lists have, where they stand in another order. Without names an entry's place is its key: then there are none. */
function reordered(left: Map<string, unknown> | undefined, right: Map<string, unknown> | undefined, path: string): Difference[] {
  const before = [...(left?.keys() ?? [])].filter(key => right?.has(key))
  const after = [...(right?.keys() ?? [])].filter(key => left?.has(key))
  if (before.join() === after.join()) return []
  return [{ path: `${path} in the order`, before: before.join(''), after: after.join('') }]
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) {
    const names = value.map(entry =>
      typeof entry === 'object' && entry !== null ? (entry as { name?: unknown }).name : undefined,
    )
    const named = names.every(name => typeof name === 'string') && new Set(names).size === names.length
    return new Map(value.map((entry, index) => [`[${named ? String(names[index]) : index}]`, entry]))
  }
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined
}

function shown(object: KubernetesObject, value: unknown): string {
  if (value === undefined) return 'none'
  if (object.kind === 'Secret') return '***'
  return foreignLine(typeof value === 'string' ? value : JSON.stringify(value), 160)
}

/** `spec.template.spec.containers[app].image` is long to read: `image of app`. */
function shortPath(path: string): string {
  const container = /^spec(?:\.jobTemplate\.spec)?(?:\.template\.spec)?\.(?:initC|c)ontainers\[([^\]]+)\]\.(.+)$/.exec(path)
  return container === null ? path : `${container[2]} of ${container[1]}`
}
