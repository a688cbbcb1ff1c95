// Plays a recording back: what a judge would have been shown, instant by instant, and the loop that follows a release run over it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ControllerRevision, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Event, Pod, Service } from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import type { Clock } from '../../../src/deploy/clock.ts'
import type { Observation } from '../../../src/deploy/follow.ts'
import { combine, type Judgement } from '../../../src/deploy/verdict.ts'
import { eventTime } from '../../../src/kubernetes/judge/events.ts'
import { type FollowedKind, followedKind, runsPods } from '../../../src/kubernetes/judge/kinds.ts'
import { selects } from '../../../src/kubernetes/judge/service.ts'
import type { Snapshot } from '../../../src/kubernetes/judge/workload.ts'
import type { KubernetesObject } from '../../../src/kubernetes/objects.ts'
import { type Frame, type Json, judgedKind, type Kind, merge, type Recording } from './recording.ts'

const FOLDER = join(import.meta.dirname, 'recorded')
/** The minor version of Kubernetes that every scenario is recorded from. */
const MINOR = '1.34'

const folderOf = (minor: string): string => (minor === MINOR ? FOLDER : join(FOLDER, minor))

/** The minor versions that there are recordings from, the one that has all first. */
export const minors: readonly string[] = [
  MINOR,
  ...readdirSync(FOLDER, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name)
    .sort(),
]

/** Scenarios that are recorded from a minor version. */
export function recordedFrom(minor: string): readonly string[] {
  return readdirSync(folderOf(minor))
    .filter(file => file.endsWith('.json'))
    .map(file => file.replace(/\.json$/, ''))
    .sort()
}

export function readRecording(scenario: string, minor: string = MINOR): Recording {
  return JSON.parse(readFileSync(join(folderOf(minor), `${scenario}.json`), 'utf8')) as Recording
}

/** The cluster as it was known at one instant of a recording. Instants only go forward. */
export class Replay {
  readonly recording: Recording
  readonly #objects = new Map<string, { readonly kind: Kind; readonly object: Json }>()
  readonly #restartsBefore = new Map<string, number>()
  readonly #before: KubernetesObject | undefined
  #unsorted: readonly Event[] = []
  #sorted: readonly Event[] = []
  #next = 0
  #lastPodGoneAt: number | undefined

  constructor(recording: Recording) {
    this.recording = recording
    // What was there before the release is in the frames before its apply.
    this.#playUntil(recording.appliedAt)
    this.#before = this.#liveBefore()
    for (const pod of this.#all<Pod>('Pod'))
      for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
        const down =
          status.state?.running === undefined && (status.state?.terminated ?? status.lastState?.terminated) !== undefined
        this.#restartsBefore.set(`${pod.metadata?.uid}/${status.name}`, status.restartCount + (down ? 1 : 0))
      }
  }

  /** The judgement at `at` ms after the recording began, with all that was told by then. */
  judge(at: number): Judgement {
    this.#playUntil(at)
    return this.#followed().judge(this.snapshot(), this.recording.beganAt + at)
  }

  #followed(): FollowedKind {
    const judged = judgedKind(this.recording)
    const followed = followedKind(judged)
    if (followed === undefined) throw new Error(`${judged.kind} is not followed`)
    return followed
  }

  snapshot(): Snapshot {
    const { beganAt, appliedAt, generation } = this.recording
    const { kind } = judgedKind(this.recording)
    const events = this.#events()
    return {
      name: `${kind.toLowerCase()}/web`,
      object: this.#all<KubernetesObject>(kind)[0],
      generation,
      since: beganAt + appliedAt,
      lastPodGoneAt: this.#lastPodGoneAt,
      replicaSets: this.#all<ReplicaSet>('ReplicaSet'),
      controllerRevisions: this.#all<ControllerRevision>('ControllerRevision'),
      pods: this.#all<Pod>('Pod'),
      endpointSlices: this.#all<EndpointSlice>('EndpointSlice'),
      before: this.#before,
      selected: () => this.#selected(),
      events: uid => events.filter(event => event.involvedObject.uid === uid),
      restartsBefore: (uid, container) => this.#restartsBefore.get(`${uid}/${container}`) ?? 0,
    }
  }

  /** Oldest first; sorted anew when one has come or changed. */
  #events(): readonly Event[] {
    const events = this.#all<Event>('Event')
    if (events.length !== this.#sorted.length || events.some((event, index) => event !== this.#unsorted[index])) {
      this.#unsorted = events
      this.#sorted = events.toSorted((a, b) => eventTime(a) - eventTime(b))
    }
    return this.#sorted
  }

  /** What was told of the object before the apply was sent, so that it is not of the release's making. */
  #liveBefore(): KubernetesObject | undefined {
    const { frames, createdAt = 0 } = this.recording
    const first = frames.find(frame => frame.kind === judgedKind(this.recording).kind && frame.type === 'ADDED')
    return first?.type === 'ADDED' && first.at < createdAt ? (first.object as unknown as KubernetesObject) : undefined
  }

  #selected(): readonly KubernetesObject[] {
    const [service] = this.#all<Service>('Service')
    const all = [...this.#objects.values()].map(({ object }) => object as unknown as KubernetesObject)
    const own = all.filter(object => runsPods(object) && (object.metadata.ownerReferences ?? []).length === 0)
    return service === undefined ? [] : own.filter(object => selects(service, object))
  }

  #all<T>(kind: Kind): T[] {
    return [...this.#objects.values()].filter(entry => entry.kind === kind).map(entry => entry.object as unknown as T)
  }

  #playUntil(at: number): void {
    const { frames } = this.recording
    for (let frame = frames[this.#next]; frame !== undefined && frame.at <= at; frame = frames[++this.#next]) this.#play(frame)
  }

  #play(frame: Frame): void {
    const { kind, uid } = frame
    if (frame.type === 'ADDED') this.#objects.set(uid, { kind, object: frame.object })
    else if (frame.type === 'MODIFIED')
      this.#objects.set(uid, { kind, object: merge(this.#objects.get(uid)?.object ?? null, frame.patch) })
    else {
      const last = this.#objects.get(uid)?.object as unknown as KubernetesObject
      if (kind !== this.recording.kind || this.#followed().isDone?.(last) !== true) this.#objects.delete(uid)
      if (kind === 'Pod') this.#lastPodGoneAt = this.recording.beganAt + frame.at
    }
  }
}

/** Every instant at which something was told, and 250 ms steps between them: graces run out there. From the apply to the end. */
export function instantsOf({ frames, appliedAt }: Recording): readonly number[] {
  const end = Math.max(appliedAt, frames.at(-1)?.at ?? 0)
  const steps = Array.from({ length: Math.ceil((end - appliedAt) / 250) }, (_, step) => appliedAt + step * 250)
  return [...new Set([...steps, ...frames.map(frame => frame.at).filter(at => at >= appliedAt), end])].sort((a, b) => a - b)
}

/** The recorded release under observation: `clock` starts at its apply. */
export function observe(recording: Recording, clock: Clock): Observation {
  const replay = new Replay(recording)
  const startedAt = clock.now()
  const at = (): number => recording.appliedAt + clock.now() - startedAt
  return {
    now: () => recording.beganAt + at(),
    judge: () => combine([replay.judge(at())]),
    subscribe: changed => {
      const times = [...new Set(recording.frames.map(frame => frame.at))].filter(time => time > recording.appliedAt)
      const cancels = times.map(time => clock.after(time - recording.appliedAt, changed))
      return () => {
        for (const cancel of cancels) cancel()
      }
    },
    close: () => undefined,
  }
}
