// Whose a field is: the books that the API server keeps (metadata.managedFields), and what of an object vanishes when a manifest no longer has it.
//
// Server-side apply removes a field that a manifest has dropped only where the field is the applier's. So the books are put right before the first
// apply over somebody else's: what `kubectl apply` and Helm have applied is ours from now on, and what the server has filled in beside a choice that the
// manifest changes is ours to drop. Nothing of the object itself is touched by that.
import { groupOf, type KubernetesObject, type ManagedFields } from './objects.ts'

/** The field manager of an image that was set without a manifest. */
export const SET_IMAGE_MANAGER = 'deploy-actions-set-image'

/** A set of fields as `fieldsV1` writes it: `f:name`, `k:{"name":"app"}`, `v:"value"`, `i:0`; `.` is the thing itself. */
type FieldSet = Readonly<Record<string, unknown>>

/**
 * Appliers that a release takes over from: they keep a manifest and drop what it drops, as we do. What was set by hand (kubectl edit, scale, set,
 * rollout restart) has no manifest, and stays where ours says nothing of it.
 */
function isApplier({ manager = '', operation, subresource }: ManagedFields): boolean {
  if ((subresource ?? '') !== '') return false
  if (manager === 'kubectl-client-side-apply' || manager === 'helm' || manager === SET_IMAGE_MANAGER) return true
  return manager === 'kubectl' && operation === 'Apply'
}

/** Choices beside which the server fills in a field that another choice does not allow. */
const CHOICES = [
  { kind: 'apps/Deployment', choice: ['spec', 'strategy', 'type'], filledIn: ['spec', 'strategy', 'rollingUpdate'] },
  { kind: 'apps/StatefulSet', choice: ['spec', 'updateStrategy', 'type'], filledIn: ['spec', 'updateStrategy', 'rollingUpdate'] },
] as const

const SCALED = new Set(['apps/Deployment', 'apps/StatefulSet', 'apps/ReplicaSet'])

export interface Books {
  /** As they have to be before the manifest is applied. */
  readonly managedFields: readonly ManagedFields[]
  /** The manifest's choice that the server refuses until the field beside it is gone; undefined where there is none. */
  readonly choice: readonly string[] | undefined
}

/**
 * The books as they have to be before `body` is applied over `live`, or undefined where they are right.
 *
 * - What other appliers own becomes ours.
 * - Of a workload whose manifest says nothing of `replicas`, the number is nobody's: dropped, it would become 1.
 * - `rollingUpdate` is ours where the manifest wants another strategy and does not have it.
 */
export function booksBefore(live: KubernetesObject, body: KubernetesObject, manager: string): Books | undefined {
  const all = live.metadata.managedFields ?? []
  const own = all.find(entry => isOwn(entry, manager))
  const appliers = all.filter(entry => isApplier(entry) && entry.fieldsV1 !== undefined)
  const apiVersion = own?.apiVersion ?? body.apiVersion
  // Sets of another version of the API may name other fields; the server alone could convert them.
  const taken = appliers.filter(entry => entry.apiVersion === apiVersion)
  const kind = `${groupOf(body.apiVersion)}/${body.kind}`
  const choice = CHOICES.find(
    each =>
      each.kind === kind &&
      at(body, each.choice) !== undefined &&
      at(body, each.choice) !== 'RollingUpdate' &&
      isNothing(at(body, each.filledIn)) &&
      !isNothing(at(live, each.filledIn)),
  )
  const keepsReplicas = SCALED.has(kind) && isNothing(at(body, ['spec', 'replicas']))
  const before = (own?.fieldsV1 ?? {}) as FieldSet
  let fields = taken.reduce((set, entry) => union(set, entry.fieldsV1 as FieldSet), before)
  if (choice !== undefined) fields = union(fields, setOf(choice.filledIn, at(live, choice.filledIn)))
  if (keepsReplicas) fields = without(fields, ['f:spec', 'f:replicas'])
  // Only the number's field is no reason for an entry of ours in an object that was never applied by us.
  if (taken.length === 0 && choice === undefined && JSON.stringify(fields) === JSON.stringify(before)) return undefined
  const path = choice?.filledIn.map(name => `f:${name}`) ?? []
  const others = all
    .filter(entry => entry !== own && !taken.includes(entry))
    .map(entry =>
      choice === undefined || entry.fieldsV1 === undefined
        ? entry
        : { ...entry, fieldsV1: without(entry.fieldsV1 as FieldSet, path) as Record<string, unknown> },
    )
  const entry: ManagedFields = {
    manager,
    operation: 'Apply',
    apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: fields as Record<string, unknown>,
    ...(own?.time === undefined ? {} : { time: own.time }),
  }
  return { managedFields: [...others.filter(isNotEmpty), entry], choice: choice?.choice }
}

/**
 * The object without the fields that go when `body` is applied under these books: ours, not in the manifest, and nobody else's.
 */
export function withoutDropped(
  object: KubernetesObject,
  body: KubernetesObject,
  books: Books,
  manager: string,
): KubernetesObject {
  const own = books.managedFields.find(entry => isOwn(entry, manager))?.fieldsV1 ?? {}
  const others = books.managedFields.filter(entry => !isOwn(entry, manager)).map(entry => (entry.fieldsV1 ?? {}) as FieldSet)
  return drop(object, own as FieldSet, body, others) as KubernetesObject
}

function isOwn({ manager, operation, subresource }: ManagedFields, ours: string): boolean {
  return manager === ours && operation === 'Apply' && (subresource ?? '') === ''
}

function isNotEmpty({ fieldsV1 }: ManagedFields): boolean {
  return fieldsV1 === undefined || Object.keys(fieldsV1).length > 0
}

function drop(value: unknown, own: FieldSet, wanted: unknown, others: readonly FieldSet[]): unknown {
  let result = value
  for (const [key, below] of Object.entries(own)) {
    if (key === '.') continue
    const found = find(result, key)
    if (found === undefined) continue
    const theirs = others.flatMap(set => (key in set ? [set[key] as FieldSet] : []))
    const mine = find(wanted, key)
    if (mine === undefined && theirs.length === 0) result = remove(result, found.at)
    else if (isRecord(below) && Object.keys(below).length > 0)
      result = replace(result, found.at, drop(found.value, below, mine?.value, theirs))
  }
  return result
}

interface Found {
  readonly at: string | number
  readonly value: unknown
}

/** What a key of a set of fields means within a value. */
function find(value: unknown, key: string): Found | undefined {
  const name = key.slice(2)
  if (key.startsWith('f:'))
    return isRecord(value) && value[name] !== undefined && value[name] !== null ? { at: name, value: value[name] } : undefined
  if (!Array.isArray(value)) return undefined
  if (key.startsWith('i:')) return Number(name) < value.length ? { at: Number(name), value: value[Number(name)] } : undefined
  const wanted = parsed(name)
  const index = value.findIndex(item => {
    if (key.startsWith('v:')) return JSON.stringify(item) === JSON.stringify(wanted)
    // A manifest may leave out what the server fills in, such as a port's protocol.
    return isRecord(item) && isRecord(wanted) && Object.entries(wanted).every(([field, of]) => (item[field] ?? of) === of)
  })
  return index < 0 ? undefined : { at: index, value: value[index] }
}

function remove(value: unknown, at: string | number): unknown {
  if (Array.isArray(value)) return value.filter((_, index) => index !== at)
  return Object.fromEntries(Object.entries(value as Record<string, unknown>).filter(([name]) => name !== at))
}

function replace(value: unknown, at: string | number, by: unknown): unknown {
  if (Array.isArray(value)) return value.map((item, index) => (index === at ? by : item))
  return { ...(value as Record<string, unknown>), [at]: by }
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries(
    [...keys].map(key => [key, isRecord(a[key]) && isRecord(b[key]) ? union(a[key], b[key]) : (a[key] ?? b[key])]),
  )
}

/** The set without a path; what holds nothing else than the path goes with it. */
function without(set: FieldSet, [first, ...rest]: readonly string[]): FieldSet {
  if (first === undefined || !(first in set)) return set
  const { [first]: below, ...others } = set
  if (rest.length === 0 || !isRecord(below)) return others
  const left = without(below, rest)
  return Object.keys(left).some(key => key !== '.') ? { ...others, [first]: left } : others
}

/** The set of a field at a path and of all that is in it. */
function setOf(path: readonly string[], value: unknown): FieldSet {
  const [first, ...rest] = path
  if (first !== undefined) return { [`f:${first}`]: setOf(rest, value) }
  if (!isRecord(value)) return {}
  return { '.': {}, ...Object.fromEntries(Object.keys(value).map(name => [`f:${name}`, {}])) }
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((parent, key) => (isRecord(parent) ? parent[key] : undefined), value)
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
