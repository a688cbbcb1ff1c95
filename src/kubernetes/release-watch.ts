// What a release's workloads look like from second to second: they, what they own and events, watched and kept in memory, only those that belong
// to the release. It is what the judges read.
import type { ControllerRevision, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Event, Pod } from 'kubernetes-types/core/v1.js'
import type { Clock } from '../deploy/clock.ts'
import type { Observation } from '../deploy/follow.ts'
import { combine, type Judgement, type Verdict } from '../deploy/verdict.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import { eventTime } from './judge/events.ts'
import { type FollowedKind, followedKind, OWNED_COLLECTIONS, type OwnedKind, runsPods } from './judge/kinds.ts'
import { blank, type Snapshot } from './judge/workload.ts'
import { groupOf, type KubernetesObject } from './objects.ts'
import { watchList } from './watch.ts'

/** An object to be followed, of any kind that is. */
export interface Workload {
  readonly apiVersion: string
  readonly kind: string
  /** Empty for an object of the whole cluster. */
  readonly namespace: string
  readonly name: string
}

/** How many events of one object are kept: the newest decide. */
const EVENTS_KEPT = 40

/** What is known of a workload, by uid: itself, and what it owns. */
type Slot = 'own' | OwnedKind

/** One list that is watched. */
interface Collection {
  readonly path: string
  readonly namespace: string
  /** `Event`, a kind that is owned, or the `group/Kind` of workloads. */
  readonly holds: string
  /** Where only one object is wanted. */
  readonly name?: string | undefined
  /** Workloads that can go unfollowed where the rights to read them are missing. */
  readonly dispensable: readonly Workload[]
}

export interface ReleaseWatchOptions {
  readonly api: KubernetesApi
  readonly workloads: readonly Workload[]
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The release's own namespace: workloads elsewhere are named with theirs. */
  readonly namespace: string
  readonly onTrouble: (sentence: string) => void
}

export class ReleaseWatch {
  readonly #options: ReleaseWatchOptions
  readonly #byKey = new Map<string, Workload>()
  readonly #byName = new Map<string, Workload[]>()
  readonly #objects = new Map<string, Map<Slot, Map<string, KubernetesObject>>>()
  readonly #podOwners = new Map<string, Workload>()
  /** Of kinds that the server did not know yet at the start. */
  readonly #late = new Set<string>()
  /** Workloads that cannot be read, and why. */
  readonly #unreadable = new Map<string, string>()
  readonly #events = new Map<string, Event[]>()
  readonly #restartsBefore = new Map<string, number>()
  readonly #generations = new Map<string, { readonly generation: number; readonly at: number }>()
  readonly #lastPodGoneAt = new Map<string, number>()
  /** Workloads that are not to be there: removed again, or by a rollback. */
  readonly #absent = new Set<string>()
  /** Watches that have been failing for a while: what is known from them may be past. */
  readonly #troubled = new Set<string>()
  /** Objects, by uid, that were deleted to be made anew: what the watch still says of them is past. */
  readonly #forgotten = new Set<string>()
  /** What ended a watch for good: from then on what is known may be anything but true. */
  #fault: Error | undefined
  #startedAt = 0
  readonly #judged = new Map<string, Judgement>()
  readonly #listeners = new Set<() => void>()
  readonly #stop = new AbortController()

  constructor(options: ReleaseWatchOptions) {
    this.#options = options
    for (const workload of options.workloads) {
      this.#byKey.set(keyOf(workload), workload)
      const named = `${workload.namespace}/${workload.name}`
      this.#byName.set(named, [...(this.#byName.get(named) ?? []), workload])
    }
    options.signal.addEventListener('abort', () => this.#stop.abort(), { once: true })
  }

  /** Resolves once everything was listed: from here on nothing is missed. @throws what the first lists throw */
  async start(): Promise<void> {
    this.#startedAt = this.#options.api.now()
    const collections = await this.#collections(this.#options.workloads)
    await Promise.all(collections.map(collection => this.#watch(collection)))
  }

  /** The lists that these workloads' kinds need, each once. Of a kind that the server does not know (yet) there is none. */
  async #collections(workloads: readonly Workload[]): Promise<readonly Collection[]> {
    const found = new Map<string, Collection>()
    const groups = Map.groupBy(workloads, ({ apiVersion, kind, namespace }) => `${groupOf(apiVersion)}/${kind} ${namespace}`)
    await Promise.all(
      [...groups.values()].map(async group => {
        const [first] = group
        const followed = first === undefined ? undefined : followedKind(first)
        if (first === undefined || followed === undefined) return
        const { namespace } = first
        const add = (path: string, holds: string, more: Partial<Collection> = {}): void => {
          const known = found.get(path)
          // What one workload cannot do without is watched for all.
          const all = { path, namespace, holds, dispensable: [], ...more }
          if (known === undefined || known.dispensable.length > 0) found.set(path, all)
        }
        const path = await this.#pathOf(first, followed)
        if (path === undefined) {
          for (const workload of group) this.#late.add(keyOf(workload))
          return
        }
        for (const owned of followed.owns) add(pathIn(OWNED_COLLECTIONS[owned], namespace), owned)
        const dispensable = runsPods(first) ? [] : group
        if (followed.events) add(`/api/v1/namespaces/${namespace}/events`, 'Event', { dispensable })
        if (first.kind === 'Pod') return add(path, 'Pod')
        const name = dispensable.length === 1 ? first.name : undefined
        add(path, `${groupOf(first.apiVersion)}/${first.kind}`, { dispensable, name })
      }),
    )
    return [...found.values()]
  }

  async #pathOf({ apiVersion, kind, namespace }: Workload, { collection }: FollowedKind): Promise<string | undefined> {
    if (collection !== undefined) return pathIn(collection, namespace)
    try {
      return (await this.#options.api.resource(apiVersion, kind)).path(namespace === '' ? undefined : namespace)
    } catch (error) {
      if (error instanceof ExpectedFailure) return undefined
      throw error
    }
  }

  /** Follows a workload whose kind has come with the release itself. */
  #followLate(workload: Workload): void {
    if (!this.#late.delete(keyOf(workload))) return
    const start = async (): Promise<void> => {
      const collections = await this.#collections([workload])
      if (collections.length === 0) this.#unreadable.set(keyOf(workload), 'the server does not know its kind')
      await Promise.all(collections.map(collection => this.#watch(collection)))
      this.#changed(workload)
    }
    start().catch((error: unknown) => {
      this.#fault = asExpectedFailure(error, `Watching ${this.nameOf(workload)}`)
      for (const listener of this.#listeners) listener()
    })
  }

  /** The generation that a write was answered with: what is older says nothing of it. */
  expectGeneration(workload: Workload, generation: number): void {
    this.#generations.set(keyOf(workload), { generation, at: this.#options.api.now() })
    this.#absent.delete(keyOf(workload))
    this.#judged.clear()
    this.#followLate(workload)
  }

  /** The workload was removed, or is about to be: it is waited for no more. */
  expectAbsence(workload: Workload): void {
    this.#absent.add(keyOf(workload))
  }

  /** The object of that uid was deleted, and the workload is another one now. */
  forget(workload: Workload, uid: string): void {
    this.#forgotten.add(uid)
    this.#judged.delete(keyOf(workload))
  }

  close(): void {
    this.#stop.abort()
  }

  /** @param workloads all of them by default */
  observe(workloads: readonly Workload[] = this.#options.workloads): Observation {
    const listeners = new Set<() => void>()
    const { api } = this.#options
    return {
      now: () => api.now(),
      judge: () => {
        if (this.#fault !== undefined) throw this.#fault
        const expected = workloads.filter(workload => !this.#absent.has(keyOf(workload)))
        return this.#unlessBlind(combine(expected.map(workload => this.#judge(workload, api.now()))))
      },
      subscribe: changed => {
        this.#listeners.add(changed)
        listeners.add(changed)
        return () => this.#listeners.delete(changed)
      },
      close: () => {
        for (const listener of listeners) this.#listeners.delete(listener)
      },
    }
  }

  /** All that is known of one workload, for the judge, the diagnosis and the proof. */
  snapshot(workload: Workload): Snapshot {
    const key = keyOf(workload)
    const object = this.#all<KubernetesObject>(key, 'own').at(-1)
    const uid = object?.metadata.uid
    const owned = <T extends Owned>(slot: Slot, owners: ReadonlySet<unknown>): readonly T[] =>
      this.#all<T>(key, slot).filter(candidate => candidate.metadata?.ownerReferences?.some(owner => owners.has(owner.uid)))
    const replicaSets = owned<ReplicaSet>('ReplicaSet', new Set([uid]))
    return {
      name: this.nameOf(workload),
      object,
      generation: this.#generations.get(key)?.generation ?? 0,
      since: this.#generations.get(key)?.at ?? this.#startedAt,
      lastPodGoneAt: this.#lastPodGoneAt.get(key),
      replicaSets,
      controllerRevisions: owned<ControllerRevision>('ControllerRevision', new Set([uid])),
      pods: owned<Pod>('Pod', new Set([uid, ...replicaSets.map(set => set.metadata?.uid)])),
      events: of => this.#events.get(of) ?? [],
      restartsBefore: (podUid, container) => this.#restartsBefore.get(`${podUid}/${container}`) ?? 0,
    }
  }

  /** Nothing is called healthy on the word of an API server that is not heard any more. */
  #unlessBlind(verdict: Verdict): Verdict {
    if (verdict.phase !== 'healthy' || this.#troubled.size === 0) return verdict
    const message = 'all was ready when the API server was last heard; waiting to see whether it still is'
    return { ...verdict, phase: 'progressing', message }
  }

  nameOf(workload: Workload): string {
    const name = `${workload.kind.toLowerCase()}/${workload.name}`
    return workload.namespace === this.#options.namespace ? name : `${name} in ${workload.namespace}`
  }

  #all<T>(key: string, slot: Slot): readonly T[] {
    const stored = this.#objects.get(key)?.get(slot) ?? new Map<string, KubernetesObject>()
    return [...stored].filter(([uid]) => !this.#forgotten.has(uid)).map(([, object]) => object) as unknown as readonly T[]
  }

  #stored(workload: Workload, slot: Slot): Map<string, KubernetesObject> {
    const key = keyOf(workload)
    const slots = this.#objects.get(key) ?? new Map<Slot, Map<string, KubernetesObject>>()
    this.#objects.set(key, slots)
    const store = slots.get(slot) ?? new Map<string, KubernetesObject>()
    slots.set(slot, store)
    return store
  }

  #judge(workload: Workload, now: number): Judgement {
    const key = keyOf(workload)
    const known = this.#judged.get(key)
    if (known !== undefined && (known.recheckAt === undefined || known.recheckAt > now)) return known
    const judgement = this.#judgeAnew(workload, now)
    this.#judged.set(key, judgement)
    return judgement
  }

  #judgeAnew(workload: Workload, now: number): Judgement {
    const unreadable = this.#unreadable.get(keyOf(workload))
    const followed = followedKind(workload)
    if (unreadable === undefined && followed !== undefined) return followed.judge(this.snapshot(workload), now)
    return { ...blank(this.nameOf(workload), 0), phase: 'healthy', message: `not followed, ${unreadable}` }
  }

  async #watch(collection: Collection): Promise<void> {
    try {
      await this.#watchAll(collection)
    } catch (error) {
      const refused = error instanceof ApiFailure && [403, 404, 405].includes(error.status)
      if (!refused || collection.dispensable.length === 0) throw error
      for (const workload of collection.dispensable) this.#unreadable.set(keyOf(workload), 'it cannot be read or watched')
      const names = collection.dispensable.map(workload => this.nameOf(workload)).join(', ')
      this.#options.onTrouble(`${names} cannot be followed: ${foreignLine(error.message)}`)
    }
  }

  async #watchAll({ path, namespace, holds, name }: Collection): Promise<void> {
    const seen = new Set<string>()
    const put = (object: KubernetesObject): void => {
      if (holds === 'Event') {
        const owners = this.#ownersOfEvent(namespace, object as unknown as Event)
        if (owners.length > 0) this.#addEvent(object as unknown as Event)
        for (const owner of owners) this.#changed(owner)
        return
      }
      const owner = this.#ownerOf(holds, namespace, object)
      if (owner === undefined) return
      const uid = object.metadata.uid ?? ''
      seen.add(uid)
      this.#stored(owner.workload, owner.slot).set(uid, slim(object))
      if (holds === 'Pod') this.#podOwners.set(uid, owner.workload)
      this.#changed(owner.workload)
    }
    /** What has succeeded is kept: that it is gone does not undo it. */
    const drop = (owner: Owner, uid: string): void => {
      const store = this.#stored(owner.workload, owner.slot)
      const last = store.get(uid)
      if (last === undefined || (owner.slot === 'own' && followedKind(owner.workload)?.isDone?.(last) === true)) return
      store.delete(uid)
    }
    let first = true
    const watching = await watchList({
      api: this.#options.api,
      path,
      query: name === undefined ? undefined : { fieldSelector: `metadata.name=${name}` },
      onObjects: objects => {
        const there = new Set(objects.map(object => object.metadata.uid))
        if (holds !== 'Event')
          for (const workload of this.#options.workloads)
            for (const slot of slotsOf(holds, workload, namespace))
              for (const uid of [...this.#stored(workload, slot).keys()])
                if (!there.has(uid) && seen.has(uid)) drop({ workload, slot }, uid)
        for (const object of objects) put(object)
        if (first && holds === 'Pod') for (const object of objects) this.#rememberRestarts(object)
        first = false
        for (const workload of this.#options.workloads) if (workload.namespace === namespace) this.#changed(workload)
      },
      onEvent: (type, object) => {
        if (type !== 'DELETED') return put(object)
        const owner = holds === 'Event' ? undefined : this.#ownerOf(holds, namespace, object)
        if (owner === undefined) return
        // Its last state may say that it had succeeded.
        put(object)
        drop(owner, object.metadata.uid ?? '')
        if (holds === 'Pod') this.#lastPodGoneAt.set(keyOf(owner.workload), this.#options.api.now())
        this.#changed(owner.workload)
      },
      onTrouble: sentence => {
        // It is told once that it fails, and once that it works again.
        if (!this.#troubled.delete(path)) this.#troubled.add(path)
        this.#options.onTrouble(sentence)
        for (const listener of this.#listeners) listener()
      },
      signal: this.#stop.signal,
      clock: this.#options.clock,
    })
    watching.done.catch((error: unknown) => {
      this.#fault = asExpectedFailure(error, `Watching ${path}`)
      for (const listener of this.#listeners) listener()
    })
  }

  #changed(workload: Workload): void {
    this.#judged.delete(keyOf(workload))
    for (const listener of this.#listeners) listener()
  }

  /** Which workload an object is, or belongs to: by name, since an owner may come to be known after what it owns. */
  #ownerOf(holds: string, namespace: string, object: KubernetesObject): Owner | undefined {
    const { name, ownerReferences = [] } = object.metadata
    const find = (kind: string, owner: string): Workload | undefined => this.#byKey.get(`${kind}/${namespace}/${owner}`)
    if (holds !== 'Pod' && holds !== 'ReplicaSet' && holds !== 'ControllerRevision') {
      const workload = find(holds, name)
      return workload === undefined ? undefined : { workload, slot: 'own' }
    }
    const bare = holds === 'Pod' ? find('/Pod', name) : undefined
    if (bare !== undefined) return { workload: bare, slot: 'own' }
    const owner = ownerReferences.find(({ controller }) => controller === true) ?? ownerReferences[0]
    if (owner === undefined) return undefined
    const workload =
      holds === 'Pod' && owner.kind === 'ReplicaSet'
        ? find('apps/Deployment', withoutSuffix(owner.name))
        : find(`${groupOf(owner.apiVersion)}/${owner.kind}`, owner.name)
    return workload === undefined ? undefined : { workload, slot: holds }
  }

  /** An event may come before the pod that it is about: then its name says whose it may be, `web-<hash>-<id>`, `web-0`, `web-<id>`. */
  #ownersOfEvent(namespace: string, { involvedObject }: Event): readonly Workload[] {
    const { kind = '', name = '', uid = '' } = involvedObject ?? {}
    const named = (owner: string): readonly Workload[] => this.#byName.get(`${namespace}/${owner}`) ?? []
    if (kind === 'Pod') {
      const owner = this.#podOwners.get(uid)
      if (owner !== undefined) return [owner]
      const stems = [name]
      for (let dashes = 0; dashes < 3; dashes++) stems.push(withoutSuffix(stems.at(-1) ?? ''))
      return stems.flatMap(stem => named(stem)).filter(runsPods)
    }
    if (kind === 'ReplicaSet') return named(withoutSuffix(name)).filter(workload => workload.kind === 'Deployment')
    return named(name).filter(workload => workload.kind === kind)
  }

  #addEvent(event: Event): void {
    const uid = event.involvedObject?.uid ?? ''
    const events = (this.#events.get(uid) ?? []).filter(known => known.metadata?.uid !== event.metadata?.uid)
    events.push(event)
    events.sort((a, b) => eventTime(a) - eventTime(b))
    this.#events.set(uid, events.slice(-EVENTS_KEPT))
  }

  #rememberRestarts({ metadata, status: raw }: KubernetesObject): void {
    const status = raw as Pod['status']
    for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
      const down =
        container.state?.running === undefined && (container.state?.terminated ?? container.lastState?.terminated) !== undefined
      this.#restartsBefore.set(`${metadata.uid}/${container.name}`, (container.restartCount ?? 0) + (down ? 1 : 0))
    }
  }
}

interface Owner {
  readonly workload: Workload
  readonly slot: Slot
}

interface Owned {
  readonly metadata?: { readonly ownerReferences?: readonly { readonly uid: string }[] }
}

/** The same for every version of the API. */
function keyOf({ apiVersion, kind, namespace, name }: Workload): string {
  return `${groupOf(apiVersion)}/${kind}/${namespace}/${name}`
}

function pathIn([prefix, plural]: readonly [string, string], namespace: string): string {
  return namespace === '' ? `${prefix}/${plural}` : `${prefix}/namespaces/${namespace}/${plural}`
}

/** What a collection may hold of a workload. */
function slotsOf(holds: string, workload: Workload, namespace: string): readonly Slot[] {
  if (workload.namespace !== namespace) return []
  if (holds === 'Pod') return workload.kind === 'Pod' ? ['own'] : ['Pod']
  if (holds === 'ReplicaSet' || holds === 'ControllerRevision') return [holds]
  return holds === `${groupOf(workload.apiVersion)}/${workload.kind}` ? ['own'] : []
}

/** `web-7d9f` of `web-7d9f-x2x`; empty where there is no dash. */
function withoutSuffix(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('-')))
}

/** Managed fields are the larger half of most objects and say nothing to a judge. */
function slim(object: KubernetesObject): KubernetesObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
