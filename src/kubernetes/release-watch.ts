// What a release's workloads look like from second to second: Deployments, ReplicaSets, pods and events, watched and kept in memory, only those
// that belong to the release. It is what the judges read.
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Event, Pod } from 'kubernetes-types/core/v1.js'
import type { Clock } from '../deploy/clock.ts'
import type { Observation } from '../deploy/follow.ts'
import { combine, type Judgement, type Verdict } from '../deploy/verdict.ts'
import { asExpectedFailure, type KubernetesApi } from './api.ts'
import { type DeploymentSnapshot, judgeDeployment } from './judge/deployment.ts'
import { eventTime } from './judge/events.ts'
import type { KubernetesObject } from './objects.ts'
import { watchList } from './watch.ts'

/** A workload to be followed. */
export interface Workload {
  readonly kind: 'Deployment'
  readonly namespace: string
  readonly name: string
}

/** How many events of one object are kept: the newest decide. */
const EVENTS_KEPT = 40

type Stored = { readonly uid: string; readonly object: KubernetesObject }

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
  readonly #objects = new Map<string, Map<string, Stored>>()
  readonly #events = new Map<string, Event[]>()
  readonly #restartsBefore = new Map<string, number>()
  readonly #generations = new Map<string, { readonly generation: number; readonly at: number }>()
  readonly #lastPodGoneAt = new Map<string, number>()
  /** Workloads that are not to be there: removed again, or by a rollback. */
  readonly #absent = new Set<string>()
  /** Watches that have been failing for a while: what is known from them may be past. */
  readonly #troubled = new Set<string>()
  /** What ended a watch for good: from then on what is known may be anything but true. */
  #fault: Error | undefined
  #startedAt = 0
  readonly #judged = new Map<string, Judgement>()
  readonly #listeners = new Set<() => void>()
  readonly #stop = new AbortController()

  constructor(options: ReleaseWatchOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.#stop.abort(), { once: true })
  }

  /** Resolves once everything was listed: from here on nothing is missed. @throws what the first lists throw */
  async start(): Promise<void> {
    this.#startedAt = this.#options.api.now()
    const namespaces = [...new Set(this.#options.workloads.map(workload => workload.namespace))]
    await Promise.all(
      namespaces.flatMap(namespace => [
        this.#watch(`/apis/apps/v1/namespaces/${namespace}/deployments`, namespace, 'Deployment'),
        this.#watch(`/apis/apps/v1/namespaces/${namespace}/replicasets`, namespace, 'ReplicaSet'),
        this.#watch(`/api/v1/namespaces/${namespace}/pods`, namespace, 'Pod'),
        this.#watch(`/api/v1/namespaces/${namespace}/events`, namespace, 'Event'),
      ]),
    )
  }

  /** The generation that a write was answered with: what is older says nothing of it. */
  expectGeneration(workload: Workload, generation: number): void {
    this.#generations.set(keyOf(workload), { generation, at: this.#options.api.now() })
    this.#absent.delete(keyOf(workload))
    this.#judged.clear()
  }

  /** The workload was removed, or is about to be: it is waited for no more. */
  expectAbsence(workload: Workload): void {
    this.#absent.add(keyOf(workload))
  }

  close(): void {
    this.#stop.abort()
  }

  observe(): Observation {
    const listeners = new Set<() => void>()
    const { api } = this.#options
    return {
      now: () => api.now(),
      judge: () => {
        if (this.#fault !== undefined) throw this.#fault
        const expected = this.#options.workloads.filter(workload => !this.#absent.has(keyOf(workload)))
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
  snapshot(workload: Workload): DeploymentSnapshot {
    const { namespace, name } = workload
    const deployment = this.#all<Deployment>(namespace, 'Deployment').find(candidate => candidate.metadata?.name === name)
    const uid = deployment?.metadata?.uid
    const replicaSets = this.#all<ReplicaSet>(namespace, 'ReplicaSet').filter(set =>
      set.metadata?.ownerReferences?.some(owner => owner.uid === uid),
    )
    const setUids = new Set(replicaSets.map(set => set.metadata?.uid))
    return {
      name: this.nameOf(workload),
      deployment,
      generation: this.#generations.get(keyOf(workload))?.generation ?? 0,
      since: this.#generations.get(keyOf(workload))?.at ?? this.#startedAt,
      lastPodGoneAt: this.#lastPodGoneAt.get(keyOf(workload)),
      replicaSets,
      pods: this.#all<Pod>(namespace, 'Pod').filter(pod => pod.metadata?.ownerReferences?.some(owner => setUids.has(owner.uid))),
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

  #all<T>(namespace: string, kind: string): readonly T[] {
    return [...(this.#objects.get(`${kind}/${namespace}`)?.values() ?? [])].map(stored => stored.object as unknown as T)
  }

  #judge(workload: Workload, now: number): Judgement {
    const key = keyOf(workload)
    const known = this.#judged.get(key)
    if (known !== undefined && (known.recheckAt === undefined || known.recheckAt > now)) return known
    const judgement = judgeDeployment(this.snapshot(workload), now)
    this.#judged.set(key, judgement)
    return judgement
  }

  async #watch(path: string, namespace: string, kind: string): Promise<void> {
    const store = new Map<string, Stored>()
    this.#objects.set(`${kind}/${namespace}`, store)
    let first = true
    const put = (object: KubernetesObject): void => {
      const owner = this.#ownerOf(kind, namespace, object)
      if (owner === undefined) return
      if (kind === 'Event') this.#addEvent(object as unknown as Event)
      else store.set(object.metadata.uid ?? '', { uid: object.metadata.uid ?? '', object: slim(object) })
      this.#changed(owner)
    }
    const watching = await watchList({
      api: this.#options.api,
      path,
      onObjects: objects => {
        store.clear()
        for (const object of objects) put(object)
        if (first && kind === 'Pod') this.#rememberRestarts(store)
        first = false
        for (const workload of this.#options.workloads) if (workload.namespace === namespace) this.#changed(workload)
      },
      onEvent: (type, object) => {
        if (type !== 'DELETED') return put(object)
        const owner = this.#ownerOf(kind, namespace, object)
        if (owner === undefined || kind === 'Event') return
        store.delete(object.metadata.uid ?? '')
        if (kind === 'Pod') this.#lastPodGoneAt.set(keyOf(owner), this.#options.api.now())
        this.#changed(owner)
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

  /** Which workload an object may belong to, by the names that the Deployment controller gives: `web`, `web-<hash>`, `web-<hash>-<id>`. */
  #ownerOf(kind: string, namespace: string, object: KubernetesObject): Workload | undefined {
    const involved = (object as unknown as Event).involvedObject
    const name = kind === 'Event' ? (involved?.name ?? '') : object.metadata.name
    const shape = kind === 'Event' ? (involved?.kind ?? '') : kind
    const dashes = { Deployment: 0, ReplicaSet: 1, Pod: 2 }[shape]
    if (dashes === undefined) return undefined
    const parts = name.split('-')
    const owner = dashes === 0 ? name : parts.slice(0, -dashes).join('-')
    return this.#options.workloads.find(workload => workload.namespace === namespace && workload.name === owner)
  }

  #addEvent(event: Event): void {
    const uid = event.involvedObject?.uid ?? ''
    const events = (this.#events.get(uid) ?? []).filter(known => known.metadata?.uid !== event.metadata?.uid)
    events.push(event)
    events.sort((a, b) => eventTime(a) - eventTime(b))
    this.#events.set(uid, events.slice(-EVENTS_KEPT))
  }

  #rememberRestarts(pods: ReadonlyMap<string, Stored>): void {
    for (const { uid, object } of pods.values()) {
      const { status } = object as unknown as Pod
      for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
        const down =
          container.state?.running === undefined && (container.state?.terminated ?? container.lastState?.terminated) !== undefined
        this.#restartsBefore.set(`${uid}/${container.name}`, (container.restartCount ?? 0) + (down ? 1 : 0))
      }
    }
  }
}

function keyOf(workload: Workload): string {
  return `${workload.kind}/${workload.namespace}/${workload.name}`
}

/** Managed fields are the larger half of most objects and say nothing to a judge. */
function slim(object: KubernetesObject): KubernetesObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
