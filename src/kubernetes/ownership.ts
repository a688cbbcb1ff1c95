// Whose an object is: which of the release's workloads it is itself, belongs to, or tells of.
import type { Event } from 'kubernetes-types/core/v1.js'
import { OWNED_COLLECTIONS, type OwnedKind, runsPods } from './judge/kinds.ts'
import { groupOf, type KubernetesObject } from './objects.ts'
import type { Workload } from './release-watch.ts'

/** What is known of a workload, by uid: itself, and what it owns. */
export type Slot = 'own' | OwnedKind

export interface Owner {
  readonly workload: Workload
  readonly slot: Slot
}

/** The same for every version of the API. */
export function keyOf({ apiVersion, kind, namespace, name }: Workload): string {
  return `${groupOf(apiVersion)}/${kind}/${namespace}/${name}`
}

export class Ownership {
  readonly #byKey = new Map<string, Workload>()
  readonly #byName = new Map<string, Workload[]>()

  constructor(workloads: readonly Workload[]) {
    for (const workload of workloads) {
      this.#byKey.set(keyOf(workload), workload)
      const named = `${workload.namespace}/${workload.name}`
      this.#byName.set(named, [...(this.#byName.get(named) ?? []), workload])
    }
  }

  /** Which workload an object is, or belongs to: by name, since an owner may come to be known after what it owns. */
  of(holds: string, namespace: string, object: KubernetesObject): Owner | undefined {
    const { name, ownerReferences = [] } = object.metadata
    const find = (kind: string, owner: string): Workload | undefined => this.#byKey.get(`${kind}/${namespace}/${owner}`)
    const itself = find(holds, name)
    if (itself !== undefined) return { workload: itself, slot: 'own' }
    const slot = ownedKindOf(holds)
    if (slot === undefined) return undefined
    const workload = this.#labelOwner(slot, namespace, object) ?? controllerOf(ownerReferences, slot, find)
    return workload === undefined ? undefined : { workload, slot }
  }

  #labelOwner(slot: OwnedKind, namespace: string, { metadata }: KubernetesObject): Workload | undefined {
    const { label } = OWNED_COLLECTIONS[slot]
    const name = label === undefined ? undefined : metadata.labels?.[label.name]
    return name === undefined ? undefined : this.#byKey.get(`${label?.owner}/${namespace}/${name}`)
  }

  /** An event may come before the pod that it is about: then its name says whose it may be, `web-<hash>-<id>`, `web-0`, `web-<id>`. */
  ofEvent(namespace: string, { involvedObject }: Event, podOwner: Workload | undefined): readonly Workload[] {
    const { kind = '', name = '' } = involvedObject ?? {}
    const named = (owner: string): readonly Workload[] => this.#byName.get(`${namespace}/${owner}`) ?? []
    if (kind === 'Pod') {
      if (podOwner !== undefined) return [podOwner]
      const stems = [name]
      // `hello-00001-deployment-<hash>-<id>` is of Knative's service hello.
      for (let dashes = 0; dashes < 4; dashes++) stems.push(withoutSuffix(stems.at(-1) ?? ''))
      return stems.flatMap(stem => named(stem)).filter(runsPods)
    }
    if (kind === 'ReplicaSet')
      return [
        ...named(name).filter(workload => workload.kind === kind),
        ...named(withoutSuffix(name)).filter(workload => workload.kind === 'Deployment' || workload.kind === 'Rollout'),
      ]
    return named(name).filter(workload => workload.kind === kind)
  }
}

/** What a collection may hold of a workload. */
export function slotsOf(holds: string, workload: Workload, namespace: string): readonly Slot[] {
  if (workload.namespace !== namespace) return []
  if (holds === `${groupOf(workload.apiVersion)}/${workload.kind}`) return ['own']
  const owned = ownedKindOf(holds)
  return owned === undefined ? [] : [owned]
}

const ownedKinds = new Map(
  (Object.keys(OWNED_COLLECTIONS) as OwnedKind[]).map(kind => [`${OWNED_COLLECTIONS[kind].group}/${kind}`, kind]),
)

const ownedKindOf = (holds: string): OwnedKind | undefined => ownedKinds.get(holds)

/** The workload that an object's controller is, or whose ReplicaSet that is. */
function controllerOf(
  references: NonNullable<KubernetesObject['metadata']['ownerReferences']>,
  slot: OwnedKind,
  find: (kind: string, name: string) => Workload | undefined,
): Workload | undefined {
  const owner = references.find(({ controller }) => controller === true) ?? references[0]
  if (owner === undefined) return undefined
  const direct = find(`${groupOf(owner.apiVersion)}/${owner.kind}`, owner.name)
  if (direct !== undefined || slot !== 'Pod' || owner.kind !== 'ReplicaSet') return direct
  const name = withoutSuffix(owner.name)
  return find('apps/Deployment', name) ?? find('argoproj.io/Rollout', name)
}

/** `web-7d9f` of `web-7d9f-x2x`; empty where there is no dash. */
function withoutSuffix(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('-')))
}
