// The container images of manifests: where they stand in every kind that has a pod template, and how those of one repository are replaced.
import { fullRepository, readReference, sameRepository } from '../image/reference.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { groupOfSettable, type ImageEntry, type SetImageEntry } from './image-entries.ts'
import type { Manifest } from './manifests.ts'
import { groupOf, type KubernetesObject } from './objects.ts'

export { type ImageEntry, parseImageEntry, parseSetImageEntry, type SetImageEntry } from './image-entries.ts'

/** One container of a pod template. */
export interface ContainerImage {
  /** The path of the `image` field. */
  readonly path: readonly (string | number)[]
  /** Empty where the container has no name, as Knative allows. */
  readonly container: string
  readonly image: string
  /** True for initContainers, sidecars (those with restartPolicy Always) included. */
  readonly init: boolean
}

/** One image that was replaced. `object` is the object after all changes. */
export interface ImageChange extends ContainerImage {
  readonly object: KubernetesObject
  readonly from: string
  readonly to: string
}

const POD_SPEC: Readonly<Record<string, readonly string[]>> = {
  '/Pod': ['spec'],
  '/PodTemplate': ['template', 'spec'],
  '/ReplicationController': ['spec', 'template', 'spec'],
  'apps/Deployment': ['spec', 'template', 'spec'],
  'apps/ReplicaSet': ['spec', 'template', 'spec'],
  'apps/StatefulSet': ['spec', 'template', 'spec'],
  'apps/DaemonSet': ['spec', 'template', 'spec'],
  'batch/Job': ['spec', 'template', 'spec'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
}

/** Groups whose kinds are known, so that what is not in POD_SPEC has no pod template. */
const BUILT_IN_GROUPS = /^(|apps|batch|autoscaling|policy|extensions|apiextensions\.k8s\.io|([a-z]+\.)*k8s\.io)$/
/** No custom resource nests a pod template deeper. */
const DEEPEST = 40

/**
 * The images of all pod templates in an object: at the place its kind has them; in a custom resource wherever below `spec` a list named `containers`
 * or `initContainers` holds objects with an image.
 */
export function containerImages(object: KubernetesObject): ContainerImage[] {
  const group = groupOf(object.apiVersion)
  const path = POD_SPEC[`${group}/${object.kind}`]
  if (path !== undefined) return imagesOfPodSpec(at(object, path), path)
  if (BUILT_IN_GROUPS.test(group)) return []
  const found: ContainerImage[] = []
  search(object['spec'], ['spec'], found)
  return found
}

function search(value: unknown, path: readonly (string | number)[], found: ContainerImage[]): void {
  if (path.length > DEEPEST) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) search(item, [...path, index], found)
  } else if (isRecord(value)) {
    found.push(...imagesOfPodSpec(value, path))
    for (const [key, child] of Object.entries(value))
      if (key !== 'containers' && key !== 'initContainers') search(child, [...path, key], found)
  }
}

function imagesOfPodSpec(spec: unknown, path: readonly (string | number)[]): ContainerImage[] {
  if (!isRecord(spec)) return []
  return (['initContainers', 'containers'] as const).flatMap(list => {
    const containers = spec[list]
    if (!Array.isArray(containers)) return []
    return containers.flatMap((container: unknown, index): ContainerImage[] => {
      if (!isRecord(container) || typeof container['image'] !== 'string') return []
      const name = typeof container['name'] === 'string' ? container['name'] : ''
      return [
        { path: [...path, list, index, 'image'], container: name, image: container['image'], init: list === 'initContainers' },
      ]
    })
  })
}

export interface Rewritten {
  readonly manifests: Manifest[]
  readonly changes: ImageChange[]
}

/**
 * Replaces every image whose repository is exactly an entry's. Nothing else in the objects is touched, and the given ones stay as they are.
 * An image that already is an entry's reference counts as found.
 * @throws ExpectedFailure InvalidInput when an entry finds no image, naming the images there are
 */
export function rewriteImages(manifests: readonly Manifest[], entries: readonly ImageEntry[]): Rewritten {
  refuseTwoForOne(entries)
  const used = new Set<ImageEntry>()
  const rewritten = replaceImages(manifests, (_, { image }) => {
    const parsed = readReference(image)
    for (const entry of entries) if (image === entry.reference) used.add(entry)
    const entry = parsed === undefined ? undefined : entries.find(({ repository }) => sameRepository(repository, parsed))
    if (entry !== undefined) used.add(entry)
    return entry?.reference
  })
  const unused = entries.filter(entry => !used.has(entry))
  if (unused.length > 0) throw nothingFound(manifests, unused)
  return rewritten
}

/** Replaces the images for which `choose` gives another; both the manifests without a change and their objects stay the very same. */
export function replaceImages(
  manifests: readonly Manifest[],
  choose: (object: KubernetesObject, image: ContainerImage) => string | undefined,
): Rewritten {
  const changes: ImageChange[] = []
  const rewritten = manifests.map(manifest => {
    const replaced = containerImages(manifest.object)
      .map(image => ({ image, to: choose(manifest.object, image) }))
      .filter((each): each is { image: ContainerImage; to: string } => each.to !== undefined && each.to !== each.image.image)
    if (replaced.length === 0) return manifest
    const object = replaced.reduce(
      (value, { image, to }) => withValue(value, image.path, to) as KubernetesObject,
      manifest.object,
    )
    changes.push(...replaced.map(({ image, to }) => ({ ...image, object, from: image.image, to })))
    return { ...manifest, object }
  })
  return { manifests: rewritten, changes }
}

/** A copy with one value replaced; all that is not on the path is shared. */
function withValue(target: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const [first, ...rest] = path
  if (first === undefined) return value
  if (Array.isArray(target)) return target.map((item, index) => (index === first ? withValue(item, rest, value) : item))
  const record = target as Record<string, unknown>
  return { ...record, [first]: withValue(record[first], rest, value) }
}

function refuseTwoForOne(entries: readonly ImageEntry[]): void {
  const seen = new Map<string, string>()
  for (const { repository, reference: to } of entries) {
    const name = fullRepository(repository)
    const other = seen.get(name)
    if (other !== undefined && other !== to) {
      throw new ExpectedFailure(
        'InvalidInput',
        `images: ${name} is to become ${other} and ${to} too; nothing was changed. Keep one entry of them.`,
      )
    }
    seen.set(name, to)
  }
}

const IMAGES_SHOWN = 20

function nothingFound(manifests: readonly Manifest[], unused: readonly ImageEntry[]): ExpectedFailure {
  const seen = new Map<string, { message: string; at: ReturnType<Manifest['position']> }>()
  for (const { object, position } of manifests) {
    for (const { image, path } of containerImages(object)) {
      if (!seen.has(image)) seen.set(image, { message: `An image that is here: ${foreignLine(image, 200)}`, at: position(path) })
    }
  }
  const names = [...seen.keys()].map(image => foreignLine(image, 200))
  const more = names.length > IMAGES_SHOWN ? ` and ${names.length - IMAGES_SHOWN} more` : ''
  const wanted = unused.map(({ repository }) => fullRepository(repository)).join(', ')
  const there =
    names.length === 0
      ? 'there are no images in them'
      : `the images in them are ${names.slice(0, IMAGES_SHOWN).join(', ')}${more}`
  return new ExpectedFailure(
    'InvalidInput',
    `images: no container in the manifests has an image of ${wanted}; nothing was changed. A repository must be the same in full, and ${there}.`,
    { also: [...seen.values()].slice(0, IMAGES_SHOWN) },
  )
}

/**
 * Sets the containers' images in the manifests. Entries whose workload is not among them come back as `live`, to be set on the cluster's object.
 * @param namespace when given, only objects of this namespace, or of none, are meant
 * @throws ExpectedFailure InvalidInput when a workload has no such container, or two entries say different things of one
 */
export function applySetImage(
  manifests: readonly Manifest[],
  entries: readonly SetImageEntry[],
  namespace?: string,
): Rewritten & { readonly live: SetImageEntry[] } {
  const faults: string[] = []
  const also: { message: string; at: Manifest['source'] }[] = []
  const live: SetImageEntry[] = []
  for (const [index, entry] of entries.entries()) {
    const other = entries.slice(0, index).find(earlier => addressOf(earlier) === addressOf(entry))
    if (other !== undefined && other.reference !== entry.reference) {
      faults.push(`${addressOf(entry)} is to become ${other.reference} and ${entry.reference} too`)
      continue
    }
    const workloads = manifests.filter(({ object }) => isMeant(object, entry, namespace))
    if (workloads.length === 0) live.push(entry)
    for (const { object, source } of workloads) {
      const containers = containerImages(object).map(({ container }) => container)
      if (containers.length > 0 && (entry.container === '*' || containers.includes(entry.container))) continue
      const there = containers.length === 0 ? 'it has none' : `its containers are ${foreignLine(containers.join(', '), 300)}`
      faults.push(`${entry.kind.toLowerCase()}/${entry.name} has no container "${entry.container}", ${there}`)
      also.push({ message: `${entry.kind} ${entry.name}: ${there}.`, at: source })
    }
  }
  if (faults.length > 0)
    throw new ExpectedFailure('InvalidInput', `set-image: ${faults.join('; ')}; nothing was changed.`, { also })
  const rewritten = replaceImages(manifests, (object, { container }) => {
    const meant = entries.filter(entry => isMeant(object, entry, namespace))
    return (meant.find(entry => entry.container === container) ?? meant.find(entry => entry.container === '*'))?.reference
  })
  return { ...rewritten, live }
}

function addressOf({ kind, name, container }: SetImageEntry): string {
  return `${kind.toLowerCase()}/${name} ${container}`
}

function isMeant({ apiVersion, kind, metadata }: KubernetesObject, entry: SetImageEntry, namespace: string | undefined): boolean {
  if (kind !== entry.kind || metadata.name !== entry.name) return false
  if (groupOfSettable(kind) !== groupOf(apiVersion)) return false
  return namespace === undefined || (metadata.namespace ?? namespace) === namespace
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((parent, key) => (isRecord(parent) ? parent[key] : undefined), value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
