// What a release's workloads look like from second to second: they, what they own and events, watched and kept in memory, only those that belong
// to the release. It is what the judges read.
import type { ControllerRevision, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Event, Pod } from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import type { Clock } from '../deploy/clock.ts'
import type { Observation } from '../deploy/follow.ts'
import { combine, type Judgement, type Verdict } from '../deploy/verdict.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import { upSince } from './judge/coming-up.ts'
import { eventTime } from './judge/events.ts'
import { type FollowedKind, followedKind, OWNED_COLLECTIONS, runsPods } from './judge/kinds.ts'
import { startTimes } from './judge/pod.ts'
import { blank, type Snapshot } from './judge/workload.ts'
import { groupOf, type KubernetesObject } from './objects.ts'
import { keyOf, type Owner, Ownership, type Slot, slotsOf } from './ownership.ts'
import { Selections } from './selections.ts'
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

/** One list that is watched. */
interface Collection {
  readonly path: string
  readonly namespace: string
  /** `Event`, or the `group/Kind` of workloads or of what they own. */
  readonly holds: string
  /** Where only one object is wanted. */
  readonly name?: string | undefined
  /** Workloads that go unfollowed where the rights to read it are missing. */
  readonly without: readonly Workload[]
  /** Whether the release can be followed at all without it. */
  readonly needed: boolean
}

export interface ReleaseWatchOptions {
  readonly api: KubernetesApi
  readonly workloads: readonly Workload[]
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The release's own namespace: workloads elsewhere are named with theirs. */
  readonly namespace: string
  readonly onTrouble: (sentence: string) => void
  /** Those that a release which failed has created or changed: what they said of themselves before this one excuses nothing. */
  readonly madeByFailures?: readonly Workload[]
}

export class ReleaseWatch {
  readonly #options: ReleaseWatchOptions
  readonly #ownership: Ownership
  readonly #objects = new Map<string, Map<Slot, Map<string, KubernetesObject>>>()
  readonly #podOwners = new Map<string, Workload>()
  /** Of kinds that the server did not know yet at the start. */
  readonly #late = new Set<string>()
  /** Workloads that cannot be read, and why. */
  readonly #unreadable = new Map<string, string>()
  readonly #events = new Map<string, Event[]>()
  readonly #restartsBefore = new Map<string, number>()
  /** How long a workload's container took to be ready in the pods that were there at the start: the shortest, for others may have had trouble. */
  readonly #tookBefore = new Map<string, number>()
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
  /** Everything was listed once: what comes from here on, the release may have made. */
  #started = false
  /** Objects as they were when the release began. */
  readonly #before = new Map<string, KubernetesObject>()
  readonly #selections = new Selections()
  readonly #judged = new Map<string, Judgement>()
  /** Since when each workload that runs pods is up, as far as that was asked. */
  readonly #up = new Map<string, number>()
  /** Workloads whose judgement hinges on whether the others are up. */
  readonly #hinging = new Set<string>()
  readonly #listeners = new Set<() => void>()
  readonly #stop = new AbortController()

  constructor(options: ReleaseWatchOptions) {
    this.#options = options
    this.#ownership = new Ownership(options.workloads)
    options.signal.addEventListener('abort', () => this.#stop.abort(), { once: true })
  }

  /** Resolves once everything was listed: from here on nothing is missed. @throws what the first lists throw */
  async start(): Promise<void> {
    this.#startedAt = this.#options.api.now()
    const collections = await this.#collections(this.#options.workloads)
    await Promise.all(collections.map(collection => this.#watch(collection)))
    this.#started = true
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
        /** `without`: who then goes unfollowed. */
        const add = (path: string, holds: string, needed: boolean, without: readonly Workload[], name?: string): void => {
          const known = found.get(path)
          found.set(path, {
            path,
            namespace,
            holds,
            // What one workload cannot do without is watched for all.
            needed: needed || known?.needed === true,
            without: [...(known?.without ?? []), ...without],
            name: known === undefined ? name : undefined,
          })
        }
        const path = await this.#pathOf(first, followed)
        if (path === undefined) {
          for (const workload of group) this.#late.add(keyOf(workload))
          return
        }
        const needed = followed.dispensable === 'none'
        const rest = followed.dispensable === 'rest' ? [] : group
        for (const owned of followed.owns) {
          const { group: ownedGroup, collection } = OWNED_COLLECTIONS[owned]
          add(pathIn(collection, namespace), `${ownedGroup}/${owned}`, needed, rest)
        }
        if (followed.events) add(`/api/v1/namespaces/${namespace}/events`, 'Event', needed, rest)
        const name = !needed && group.length === 1 ? first.name : undefined
        add(path, `${groupOf(first.apiVersion)}/${first.kind}`, needed, group, name)
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
    this.#up.delete(keyOf(workload))
    this.#followLate(workload)
  }

  /** The workload was removed, or is about to be: it is waited for no more. */
  expectAbsence(workload: Workload): void {
    this.#absent.add(keyOf(workload))
    this.#outdate(workload)
    for (const service of this.#selections.forget(keyOf(workload))) this.#judged.delete(service)
  }

  /** The object of that uid was deleted, and the workload is another one now. */
  forget(workload: Workload, uid: string): void {
    this.#forgotten.add(uid)
    this.#outdate(workload)
  }

  close(): void {
    this.#stop.abort()
  }

  /** @param workloads all of them by default */
  observe(workloads: readonly Workload[] = this.#options.workloads): Observation {
    const listeners = new Set<() => void>()
    const { api } = this.#options
    const ordered = inOrder(workloads)
    return {
      now: () => api.now(),
      judge: () => {
        if (this.#fault !== undefined) throw this.#fault
        const expected = ordered.filter(workload => !this.#absent.has(keyOf(workload)))
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
    const label = OWNED_COLLECTIONS.Pod.label
    const labelled = label?.owner === `${groupOf(workload.apiVersion)}/${workload.kind}`
    return {
      name: this.nameOf(workload),
      object,
      generation: this.#generations.get(key)?.generation ?? 0,
      since: this.#generations.get(key)?.at ?? this.#startedAt,
      lastPodGoneAt: this.#lastPodGoneAt.get(key),
      replicaSets,
      controllerRevisions: owned<ControllerRevision>('ControllerRevision', new Set([uid])),
      pods: labelled
        ? this.#all<Pod>(key, 'Pod')
        : owned<Pod>('Pod', new Set([uid, ...replicaSets.map(set => set.metadata?.uid)])),
      endpointSlices: owned<EndpointSlice>('EndpointSlice', new Set([uid])),
      before: this.#before.get(key),
      selected: () => this.#selections.of(key),
      events: of => this.#events.get(of) ?? [],
      restartsBefore: (podUid, container) => this.#restartsBefore.get(`${podUid}/${container}`) ?? 0,
      othersUpSince: () => {
        this.#hinging.add(key)
        return this.#othersUpSince(key)
      },
      tookBefore: container => this.#tookBefore.get(`${key}/${container}`),
    }
  }

  #othersUpSince(key: string): number {
    const others = this.#options.workloads.filter(other => runsPods(other) && keyOf(other) !== key)
    return Math.max(0, ...others.map(other => this.#upSince(other)))
  }

  #upSince(workload: Workload): number {
    const key = keyOf(workload)
    if (this.#absent.has(key) || this.#unreadable.has(key)) return 0
    const known = this.#up.get(key) ?? upSince(this.snapshot(workload))
    this.#up.set(key, known)
    return known
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
      this.#doWithout(collection, error)
    }
  }

  /** @throws the error where it is no refusal, or the release cannot be followed without the collection */
  #doWithout({ path, namespace, holds, needed, without }: Collection, error: unknown): void {
    const refused = error instanceof ApiFailure && [403, 404, 405].includes(error.status)
    if (!refused || needed) throw error
    this.#troubled.delete(path)
    // What was listed before the watch was refused is past from now on.
    if (holds === 'Event')
      for (const [uid, events] of this.#events) if (events[0]?.metadata?.namespace === namespace) this.#events.delete(uid)
    for (const workload of this.#options.workloads)
      for (const slot of slotsOf(holds, workload, namespace)) {
        this.#stored(workload, slot).clear()
        this.#changed(workload)
      }
    const names = without.map(workload => this.nameOf(workload)).join(', ')
    const consequence = names === '' ? 'Some details cannot be seen' : `${names} cannot be followed`
    this.#options.onTrouble(`${consequence}: ${foreignLine(error.message)}`)
    for (const workload of without) {
      this.#unreadable.set(keyOf(workload), 'it cannot be read or watched')
      this.#changed(workload)
    }
  }

  async #watchAll(collection: Collection): Promise<void> {
    const { path, namespace, holds, name } = collection
    const seen = new Set<string>()
    const put = (object: KubernetesObject): void => {
      if (holds === 'Event') {
        const event = object as unknown as Event
        const owners = this.#ownership.ofEvent(namespace, event, this.#podOwners.get(event.involvedObject?.uid ?? ''))
        if (owners.length > 0) this.#addEvent(event)
        for (const owner of owners) this.#changed(owner)
        return
      }
      const owner = this.#ownership.of(holds, namespace, object)
      if (owner === undefined) return
      const uid = object.metadata.uid ?? ''
      seen.add(uid)
      const kept = slim(object)
      this.#stored(owner.workload, owner.slot).set(uid, kept)
      if (holds === '/Pod') this.#podOwners.set(uid, owner.workload)
      if (owner.slot === 'own')
        for (const service of this.#selections.take(keyOf(owner.workload), kept)) this.#judged.delete(service)
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
        if (first && holds === '/Pod')
          for (const object of objects) {
            this.#rememberRestarts(object)
            this.#rememberStarts(namespace, object)
          }
        if (!this.#started && holds !== 'Event') for (const object of objects) this.#rememberBefore(holds, namespace, object)
        first = false
        for (const workload of this.#options.workloads) if (workload.namespace === namespace) this.#changed(workload)
      },
      onEvent: (type, object) => {
        if (type !== 'DELETED') return put(object)
        const owner = holds === 'Event' ? undefined : this.#ownership.of(holds, namespace, object)
        if (owner === undefined) return
        // Its last state may say that it had succeeded.
        put(object)
        drop(owner, object.metadata.uid ?? '')
        if (holds === '/Pod') this.#lastPodGoneAt.set(keyOf(owner.workload), this.#options.api.now())
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
    watching.done
      // The right to list may be there without the right to watch.
      .catch((error: unknown) => this.#doWithout(collection, error))
      .catch((error: unknown) => {
        this.#fault = asExpectedFailure(error, `Watching ${path}`)
        for (const listener of this.#listeners) listener()
      })
  }

  /** What was said of it is past, and what hinged on it. */
  #outdate(workload: Workload): void {
    for (const key of [keyOf(workload), ...this.#hinging]) this.#judged.delete(key)
    this.#hinging.clear()
    this.#up.delete(keyOf(workload))
  }

  #changed(workload: Workload): void {
    this.#outdate(workload)
    for (const listener of this.#listeners) listener()
  }

  #addEvent(event: Event): void {
    const uid = event.involvedObject?.uid ?? ''
    const events = (this.#events.get(uid) ?? []).filter(known => known.metadata?.uid !== event.metadata?.uid)
    events.push(event)
    events.sort((a, b) => eventTime(a) - eventTime(b))
    this.#events.set(uid, events.slice(-EVENTS_KEPT))
  }

  #rememberBefore(holds: string, namespace: string, object: KubernetesObject): void {
    const owner = this.#ownership.of(holds, namespace, object)
    if (owner?.slot !== 'own') return
    const { workload } = owner
    const failed = this.#options.madeByFailures?.some(other => keyOf(other) === keyOf(workload)) === true
    this.#before.set(keyOf(workload), failed ? withoutStatus(slim(object)) : slim(object))
  }

  #rememberStarts(namespace: string, pod: KubernetesObject): void {
    const owner = this.#ownership.of('/Pod', namespace, pod)
    if (owner === undefined) return
    for (const [container, ms] of startTimes(pod as unknown as Pod)) {
      const key = `${keyOf(owner.workload)}/${container}`
      this.#tookBefore.set(key, Math.min(ms, this.#tookBefore.get(key) ?? ms))
    }
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

interface Owned {
  readonly metadata?: { readonly ownerReferences?: readonly { readonly uid: string }[] }
}

function pathIn([prefix, plural]: readonly [string, string], namespace: string): string {
  return namespace === '' ? `${prefix}/${plural}` : `${prefix}/namespaces/${namespace}/${plural}`
}

/** Managed fields are the larger half of most objects and say nothing to a judge. */
function withoutStatus({ status: _, ...object }: KubernetesObject): KubernetesObject {
  return object
}

function slim(object: KubernetesObject): KubernetesObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** What runs pods first: what else is missing, such as endpoints, mostly follows from it. */
function inOrder(workloads: readonly Workload[]): readonly Workload[] {
  return workloads.toSorted((a, b) => Number(runsPods(b)) - Number(runsPods(a)))
}
