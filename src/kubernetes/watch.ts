// List and watch: the objects of a collection as they are, and every change of them from then on, whatever happens to the connection.
import { type Clock, sleep } from '../deploy/clock.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { KubernetesApi, Query } from './api.ts'
import { ApiFailure, failedOnTheWay, failureOfStatus, isExpired } from './api-failure.ts'
import type { KubernetesObject } from './objects.ts'

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED'

export interface WatchOptions {
  readonly api: Pick<KubernetesApi, 'list' | 'stream'>
  /** Path of the collection: `/api/v1/namespaces/shop/pods`. */
  readonly path: string
  /** labelSelector, fieldSelector. */
  readonly query?: Query | undefined
  /** The full set, after the first list and whenever changes may have been missed: what is not in it is gone. */
  readonly onObjects: (objects: KubernetesObject[]) => void
  /** A change. Of a DELETED object its last state. After a reconnect nothing is told twice. */
  readonly onEvent: (type: EventType, object: KubernetesObject) => void
  /** Told once when the watch has been failing repeatedly, and once when it works again. */
  readonly onTrouble?: ((sentence: string) => void) | undefined
  readonly signal: AbortSignal
  readonly clock: Clock
}

export interface Watch {
  /**
   * Resolves when the signal was raised; rejects with what can't be lived through (Forbidden, the collection gone, a fault thrown by
   * `onObjects` or `onEvent`). A rejection nobody waits for is no unhandled one.
   */
  readonly done: Promise<void>
}

/** The server is asked to end each watch after about 5 minutes, so that none of them goes stale; spread, so that not all end together. */
const WATCH_SECONDS = 290
const WATCH_SPREAD_SECONDS = 40
/**
 * Bookmarks come about once a minute (kube-apiserver spreads them up to 75 s). A stream silent for longer than that is dead at the other end,
 * or its server sends no bookmarks; to resume costs next to nothing either way.
 */
const SILENCE_MS = 90_000
/** A stream that lived so long, or brought something, was a good one: what comes after it starts afresh. */
const GOOD_STREAM_MS = 5_000
const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 2_000
const LONGEST_RETRY_AFTER_MS = 30_000
/** After so many answers in a row that are refusals, the resourceVersion may be what is refused: list again. */
const REFUSALS_BEFORE_RELIST = 4
/** A dropped connection is everyday business; failing for so long is worth a word to the user. */
const TROUBLE_MS = 3_000
/** A starting API server may refuse for a moment what it is going to allow: it serves before it has read all its access rules. */
const REFUSED_FOR_GOOD_MS = 5_000

/**
 * Lists the collection, hands it to `onObjects`, and watches it until the signal is raised. Resolves once the first list was handed over.
 * @throws ApiFailure when the first list can't be had
 */
export async function watchList(options: WatchOptions): Promise<Watch> {
  const follower = new Follower(options)
  await follower.list()
  const done = follower.follow()
  done.catch(() => undefined)
  return { done }
}

class Follower {
  readonly #options: WatchOptions
  #resourceVersion = ''
  /** Attempts in a row that brought nothing. */
  #failures = 0
  #refusals = 0
  #failingSince: number | undefined
  /** Refusals alone, one after the other, since then. */
  #refusedSince: number | undefined
  #troubleTold = false
  /** The server has served this watch before, or was away: if it refuses now, it may only be starting. */
  #mayBeStarting = false

  constructor(options: WatchOptions) {
    this.#options = options
  }

  async list(): Promise<void> {
    const { api, path, query, signal } = this.#options
    const { items, resourceVersion } = await api.list(path, query, signal)
    this.#resourceVersion = resourceVersion
    this.#options.onObjects(items)
  }

  async follow(): Promise<void> {
    const { signal, clock } = this.#options
    let relist = false
    while (!signal.aborted) {
      const from = this.#resourceVersion
      const startedAt = clock.now()
      const wasGood = (): boolean => this.#resourceVersion !== from || clock.now() - startedAt >= GOOD_STREAM_MS
      let retryAfterMs = 0
      try {
        if (relist) {
          await this.list()
          relist = false
          this.#refusals = 0
        }
        await this.#stream()
        if (wasGood()) this.#startAfresh()
        this.#failures++
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof CallerFault) throw error.cause
        if (!(error instanceof ApiFailure)) throw error
        if (wasGood()) this.#startAfresh()
        this.#fails(error)
        if (this.#isHopeless(error)) throw error
        if (!failedOnTheWay(error)) this.#refusals++
        relist ||= isExpired(error) || this.#refusals >= REFUSALS_BEFORE_RELIST
        retryAfterMs = Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS)
      }
      const delay = Math.max(retryAfterMs, this.#delay())
      if (delay > 0) await sleep(clock, delay, signal)
    }
  }

  #stream(): Promise<void> {
    const { api, path, query, signal, clock } = this.#options
    let works: (() => void) | undefined
    const timeoutSeconds = Math.round(WATCH_SECONDS + (Math.random() - 0.5) * WATCH_SPREAD_SECONDS)
    return api
      .stream(path, {
        query: {
          ...query,
          watch: 'true',
          allowWatchBookmarks: 'true',
          resourceVersion: this.#resourceVersion,
          timeoutSeconds: String(timeoutSeconds),
        },
        signal,
        idleTimeoutMs: SILENCE_MS,
        // A server that takes the request and drops it at once has not come back: wait a moment before saying so.
        onOpen: () => {
          this.#mayBeStarting = true
          // A server that takes the request and drops it at once has not come back: wait a moment before saying so.
          works = clock.after(1_000, () => this.#works())
        },
        onLine: line => this.#take(line),
      })
      .finally(() => works?.())
  }

  #take(line: string): void {
    if (line === '' || this.#options.signal.aborted) return
    const { type, object } = parseEvent(line)
    if (type === 'ERROR') throw failureOfStatus(object) ?? new ApiFailure(500, 'InternalError', 'the watch ended with an error')
    this.#works()
    const resourceVersion = object.metadata?.resourceVersion
    if (type !== 'BOOKMARK')
      try {
        this.#options.onEvent(type, object)
      } catch (error) {
        throw new CallerFault(error)
      }
    if (resourceVersion !== undefined && resourceVersion !== '') this.#resourceVersion = resourceVersion
  }

  /** None after a good stream or a first failure: most drops are over at once. */
  #delay(): number {
    if (this.#failures <= 1) return 0
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#failures - 2, 10))
    return delay * (0.75 + Math.random() / 4)
  }

  #startAfresh(): void {
    this.#failures = 0
    this.#refusals = 0
  }

  #fails(error: ApiFailure): void {
    const { clock, path, onTrouble } = this.#options
    this.#failures++
    this.#failingSince ??= clock.now()
    if (this.#troubleTold || clock.now() - this.#failingSince < TROUBLE_MS) return
    this.#troubleTold = true
    onTrouble?.(`The watch of ${path} fails (${foreignLine(error.message, 200)}); it is tried again until it works.`)
  }

  #works(): void {
    const { clock, path, onTrouble } = this.#options
    if (this.#troubleTold && this.#failingSince !== undefined)
      onTrouble?.(`The watch of ${path} works again after ${Math.round((clock.now() - this.#failingSince) / 1_000)} s.`)
    this.#failingSince = undefined
    this.#refusedSince = undefined
    this.#troubleTold = false
  }

  /** What no patience mends: the right to watch is missing, or there is no such collection (any more). */
  #isHopeless(failure: ApiFailure): boolean {
    if (![400, 401, 403, 404, 405].includes(failure.status)) {
      this.#refusedSince = undefined
      this.#mayBeStarting = true
      return false
    }
    const now = this.#options.clock.now()
    this.#refusedSince ??= now
    return !this.#mayBeStarting || now - this.#refusedSince >= REFUSED_FOR_GOOD_MS
  }
}

/** Wraps what a callback threw: a bug of ours is no trouble with the connection. */
class CallerFault extends Error {
  constructor(cause: unknown) {
    super('a watch callback failed', { cause })
  }
}

function parseEvent(line: string): { type: EventType | 'BOOKMARK' | 'ERROR'; object: KubernetesObject } {
  let event: { type?: unknown; object?: unknown }
  try {
    event = JSON.parse(line)
  } catch {
    throw new ApiFailure(200, 'NotJson', `a line of the watch is not JSON: ${foreignLine(line, 80)}`)
  }
  const { type, object } = event ?? {}
  const known = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK' || type === 'ERROR'
  if (!known || typeof object !== 'object' || object === null)
    throw new ApiFailure(200, 'NotJson', `a line of the watch is no event: ${foreignLine(line, 80)}`)
  return { type, object: object as KubernetesObject }
}
