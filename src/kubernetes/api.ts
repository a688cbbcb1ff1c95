// The Kubernetes API over the unix socket of a `kubectl proxy`: requests, lists, streams, discovery. The proxy brings the credentials.
import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { type Clock, sleep, systemClock } from '../deploy/clock.ts'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { ApiFailure, asExpectedFailure, failureOfCode, failureOfProxy, failureOfStatus, isExpired } from './api-failure.ts'
import type { KubernetesObject } from './objects.ts'

export { ApiFailure, asExpectedFailure }

export type Query = Readonly<Record<string, string | undefined>>

export interface RequestOptions {
  readonly query?: Query | undefined
  /** An object is sent as JSON, a string as it stands. */
  readonly body?: unknown
  /** Default: server-side apply for PATCH, JSON for everything else. */
  readonly contentType?: string | undefined
  /** What form of answer is asked for. Default: the object as JSON. See METADATA_ONLY. */
  readonly accept?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** How long one attempt may go without hearing anything, in ms. Default 20 s for reading, 65 s for writing (a webhook may take 30). */
  readonly timeoutMs?: number | undefined
}

/** As `accept`: of an object only its metadata is sent, so that a Secret's values never leave the cluster. The right to get it is needed all the same. */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

/** A kind of object as the cluster's discovery describes it. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespaced: boolean
  /** Path of one object, or of the collection without `name`; of the collection in all namespaces without `namespace`. */
  path(namespace: string | undefined, name?: string): string
}

export interface StreamOptions {
  readonly query?: Query | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each line, without its newline. */
  readonly onLine: (line: string) => void
  /** Called when the server has accepted the request. */
  readonly onOpen?: (() => void) | undefined
  /** Ends the stream as failed (NoAnswer) when nothing was heard for so long, in ms. */
  readonly idleTimeoutMs?: number | undefined
}

/** Failures are ApiFailure; a raised signal rejects with the signal's own reason. */
export interface KubernetesApi {
  /** Retries what may safely be tried again, for up to `patienceMs`: an API server that is away for 20 s is lived through. */
  request<T>(method: string, path: string, options?: RequestOptions): Promise<T>
  /** At most `limitBytes` (default 1 MiB) of a text, such as a container's log; what is longer is cut. */
  text(path: string, options?: { query?: Query; limitBytes?: number; signal?: AbortSignal | undefined }): Promise<string>
  /** Resolves at the stream's regular end, rejects when it broke. Never retries. */
  stream(path: string, options: StreamOptions): Promise<void>
  /** All objects of a collection, page by page, each with its apiVersion and kind. */
  list(path: string, query?: Query, signal?: AbortSignal): Promise<{ items: KubernetesObject[]; resourceVersion: string }>
  /** @throws ExpectedFailure NotFound when the cluster knows no such kind */
  resource(apiVersion: string, kind: string): Promise<Resource>
  /** The server's idea of now, in ms since 1970: ours, unless they differ by more than 2 s. */
  now(): number
}

export interface ApiOptions {
  readonly socketPath: string
  readonly clock?: Clock | undefined
  readonly log?: Pick<Log, 'debug' | 'info'> | undefined
  /** How long a request goes on trying after its first failure, in ms. Default 30 s. */
  readonly patienceMs?: number | undefined
  /** The same as long as nothing has ever been answered. Default 10 s. */
  readonly firstPatienceMs?: number | undefined
}

const MEBIBYTE = 1024 * 1024
const SINGLE_LIMIT_BYTES = 16 * MEBIBYTE
const LIST_LIMIT_BYTES = 256 * MEBIBYTE
const TEXT_LIMIT_BYTES = MEBIBYTE
const PAGE_SIZE = '500'
const SOCKETS = 20
/** A refused connection is a clear word: a first request does not wait the whole patience for it. */
const REFUSED_PATIENCE_MS = 3_000
const FIRST_DELAY_MS = 50
const LONGEST_DELAY_MS = 2_000
/** However long the server asks us to wait: waiting longer is not ours to decide, the step has a timeout of its own. */
const LONGEST_RETRY_AFTER_MS = 15_000
const SKEW_BORDER_MS = 2_000
/** The API server answers a watch at once, long before there is anything to tell. */
const OPEN_TIMEOUT_MS = 20_000

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly cut: boolean
}

interface Exchange {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs: number
  readonly limitBytes: number
  /** Cut a longer body instead of failing. */
  readonly cut?: boolean
}

export function createApi(options: ApiOptions): KubernetesApi & { close(): void } {
  const { socketPath, log } = options
  const clock = options.clock ?? systemClock
  const patienceMs = options.patienceMs ?? 30_000
  const firstPatienceMs = options.firstPatienceMs ?? 10_000
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS })
  const discovered = new Map<string, Promise<readonly DiscoveredResource[]>>()
  let skewMs = 0
  /** Whether the API server has ever answered: until then a wrong certificate is a mistake, afterwards a hiccup. */
  let answered = false

  function heardFromServer(headers: IncomingHttpHeaders): void {
    answered = true
    const date = Date.parse(headers.date ?? '')
    if (Number.isNaN(date)) return
    // The header counts whole seconds, so the middle of that second is the best guess.
    const seen = date + 500 - clock.now()
    const next = Math.abs(seen) <= SKEW_BORDER_MS ? 0 : seen
    if (next === 0 || Math.abs(next - skewMs) > 1_000) skewMs = next
  }

  /** One attempt. Resolves with whatever status the API server answered; rejects with ApiFailure when it never came to that. */
  function exchange(what: Exchange): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (what.signal?.aborted === true) return reject(what.signal.reason)
      let stopTimer = (): void => undefined
      const finish = (settle: () => void): void => {
        stopTimer()
        what.signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const fail = (error: unknown): void => finish(() => reject(error))
      const outgoing = httpRequest({ socketPath, agent, method: what.method, path: what.path, headers: what.headers })
      outgoing.on('error', error => fail(brokenTransport(error)))
      const stillAlive = (): void => {
        stopTimer()
        stopTimer = clock.after(what.timeoutMs, () => {
          fail(noAnswer(what.timeoutMs))
          outgoing.destroy()
        })
      }
      const onAbort = (): void => {
        fail(what.signal?.reason)
        outgoing.destroy()
      }
      what.signal?.addEventListener('abort', onAbort, { once: true })
      outgoing.on('response', response => {
        const pieces: Buffer[] = []
        let size = 0
        const done = (cut: boolean): void =>
          finish(() =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(pieces, Math.min(size, what.limitBytes)),
              cut,
            }),
          )
        response.on('data', (piece: Buffer) => {
          stillAlive()
          pieces.push(piece)
          size += piece.length
          if (size <= what.limitBytes) return
          if (what.cut === true) done(true)
          else
            fail(
              new ApiFailure(response.statusCode ?? 0, 'TooLarge', `the answer is larger than ${what.limitBytes / MEBIBYTE} MiB`),
            )
          outgoing.destroy()
        })
        response.on('end', () => done(false))
        response.on('error', error => fail(brokenTransport(error)))
        response.on('close', () => fail(brokenTransport(new Error('the connection was closed in the middle of the answer'))))
      })
      stillAlive()
      outgoing.end(what.body)
    })
  }

  /** As `exchange`, but anything other than success is thrown. */
  async function succeed(what: Exchange): Promise<Answer> {
    const answer = await exchange(what)
    if (answer.status >= 200 && answer.status < 300) {
      heardFromServer(answer.headers)
      return answer
    }
    const failure = failureOfAnswer(answer.status, answer.headers, answer.body.toString(), clock.now())
    if (failure.status !== 0) heardFromServer(answer.headers)
    throw failure
  }

  async function patiently<T>(what: Exchange, idempotent: boolean, read: (answer: Answer) => T): Promise<T> {
    let failingSince: number | undefined
    let refusedCredentials = 0
    const firstStartedAt = clock.now()
    for (let attempt = 1; ; attempt++) {
      const wasAnswered = answered
      try {
        const timeoutMs = wasAnswered
          ? what.timeoutMs
          : Math.max(1, Math.min(what.timeoutMs, firstStartedAt + firstPatienceMs - clock.now()))
        return read(await succeed({ ...what, timeoutMs }))
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error
        // An exec plugin's token may run out in the middle of a step; the proxy then fetches a new one for the next request.
        const stale = error.status === 401 && wasAnswered && ++refusedCredentials <= 2
        // Others that were asked at the same time may have been answered since.
        const mistake =
          !answered && (error.reason === 'Certificate' || error.reason === 'Credentials' || /no such host/.test(error.message))
        if (!(stale || (error.transient && !mistake && (idempotent || !error.mayHaveHappened)))) throw error
        failingSince ??= wasAnswered ? clock.now() : firstStartedAt
        const limit = answered
          ? patienceMs
          : /refused/.test(error.message)
            ? Math.min(REFUSED_PATIENCE_MS, firstPatienceMs)
            : firstPatienceMs
        const delay = Math.max(Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS), backOff(attempt))
        if (clock.now() + delay - failingSince > limit) throw error
        const line = `${what.method} ${what.path.split('?', 1)[0]}: ${foreignLine(error.message, 200)}; trying again`
        if (attempt === 5) log?.info(line)
        else log?.debug(line)
        await sleep(clock, delay, what.signal)
        if (what.signal?.aborted === true) throw what.signal.reason
      }
    }
  }

  function get(path: string, query: Query | undefined, signal: AbortSignal | undefined, more: Partial<Exchange> = {}): Exchange {
    return {
      method: 'GET',
      path: withQuery(path, query),
      headers: { host: 'localhost', accept: 'application/json' },
      signal,
      timeoutMs: 20_000,
      limitBytes: SINGLE_LIMIT_BYTES,
      ...more,
    }
  }

  async function request<T>(method: string, path: string, given: RequestOptions = {}): Promise<T> {
    const contentType = given.contentType ?? (method === 'PATCH' ? APPLY : 'application/json')
    const reading = method === 'GET' || method === 'HEAD'
    const body = given.body === undefined ? undefined : typeof given.body === 'string' ? given.body : JSON.stringify(given.body)
    const headers: Record<string, string> = { host: 'localhost', accept: given.accept ?? 'application/json' }
    if (body !== undefined) {
      headers['content-type'] = contentType
      headers['content-length'] = String(Buffer.byteLength(body))
    }
    const timeoutMs = given.timeoutMs ?? (reading ? 20_000 : 65_000)
    return patiently(
      get(path, given.query, given.signal, { method, headers, body, timeoutMs }),
      reading || isIdempotent(method, contentType, given.body),
      answer => parseJson(answer) as T,
    )
  }

  async function listPages(
    path: string,
    query: Query | undefined,
    signal: AbortSignal | undefined,
    limit: string | undefined,
  ): Promise<ListPage> {
    const items: KubernetesObject[] = []
    let left = LIST_LIMIT_BYTES
    let page: ListPage | undefined
    do {
      const paged = { ...query, limit, continue: page?.continue }
      page = await patiently(get(path, paged, signal, { timeoutMs: 30_000, limitBytes: left }), true, answer => {
        left -= answer.body.length
        return readPage(parseJson(answer), path)
      })
      items.push(...page.items)
    } while (page.continue !== undefined && page.continue !== '')
    return { ...page, items }
  }

  async function discover(apiVersion: string): Promise<readonly DiscoveredResource[]> {
    const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    try {
      const found = await request<{ resources?: DiscoveredResource[] }>('GET', path)
      return (found.resources ?? []).filter(resource => !resource.name.includes('/'))
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 404) throw error
      return []
    }
  }

  return {
    request,
    async text(path, given = {}) {
      const limitBytes = given.limitBytes ?? TEXT_LIMIT_BYTES
      const headers = { host: 'localhost', accept: '*/*' }
      return patiently(get(path, given.query, given.signal, { headers, limitBytes, cut: true }), true, answer =>
        // A decoder keeps back a character whose bytes were cut through, instead of writing nonsense for it.
        answer.cut ? new StringDecoder('utf8').write(answer.body) : answer.body.toString(),
      )
    },
    stream(path, given) {
      return new Promise((resolve, reject) => {
        if (given.signal?.aborted === true) return reject(given.signal.reason)
        let stopTimer = (): void => undefined
        let settled = false
        const finish = (settle: () => void): void => {
          if (settled) return
          settled = true
          stopTimer()
          given.signal?.removeEventListener('abort', onAbort)
          settle()
          outgoing.destroy()
        }
        const fail = (error: unknown): void => finish(() => reject(error))
        // No agent: a stream has a connection of its own, so that no number of them starves the requests.
        const outgoing = httpRequest({
          socketPath,
          agent: false,
          path: withQuery(path, given.query),
          headers: { host: 'localhost', accept: '*/*' },
        })
        const onAbort = (): void => fail(given.signal?.reason)
        const within = (ms: number | undefined): void => {
          stopTimer()
          if (ms !== undefined) stopTimer = clock.after(ms, () => fail(noAnswer(ms)))
        }
        given.signal?.addEventListener('abort', onAbort, { once: true })
        outgoing.on('error', error => fail(brokenTransport(error)))
        outgoing.on('response', (response: IncomingMessage) => {
          within(given.idleTimeoutMs)
          response.on('error', error => fail(brokenTransport(error)))
          response.on('close', () => fail(brokenTransport(new Error('the stream was cut off'))))
          const status = response.statusCode ?? 0
          const good = status >= 200 && status < 300
          const lines = new Lines(good ? line => !settled && given.onLine(line) : () => undefined)
          const refusal: Buffer[] = []
          if (good) {
            heardFromServer(response.headers)
            given.onOpen?.()
          }
          response.on('data', (piece: Buffer) => {
            if (settled) return
            within(given.idleTimeoutMs)
            try {
              if (good) lines.write(piece)
              else if (refusal.length < 64) refusal.push(piece)
            } catch (error) {
              fail(error)
            }
          })
          response.on('end', () => {
            if (!good) return fail(failureOfAnswer(status, response.headers, Buffer.concat(refusal).toString(), clock.now()))
            try {
              lines.end()
              finish(resolve)
            } catch (error) {
              fail(error)
            }
          })
        })
        within(given.idleTimeoutMs === undefined ? undefined : Math.min(given.idleTimeoutMs, OPEN_TIMEOUT_MS))
        outgoing.end()
      })
    },
    async list(path, query, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          // The server keeps the state that the pages are cut from for about 5 minutes; when that ran out twice, all comes in one piece.
          const { items, resourceVersion } = await listPages(path, query, signal, attempt <= 2 ? PAGE_SIZE : undefined)
          return { items, resourceVersion }
        } catch (error) {
          if (!isExpired(error) || attempt > 2) throw error
        }
      }
    },
    async resource(apiVersion, kind) {
      const known = discovered.get(apiVersion)
      let resources = await (known ?? remember(discovered, apiVersion, discover(apiVersion)))
      let found = resources.find(resource => resource.kind === kind)
      // A kind may have come to be since we looked: a CustomResourceDefinition and its first object often are in the same manifests.
      if (found === undefined && known !== undefined) {
        resources = await remember(discovered, apiVersion, discover(apiVersion))
        found = resources.find(resource => resource.kind === kind)
      }
      if (found === undefined) throw unknownKind(apiVersion, kind, resources)
      return describeResource(apiVersion, found)
    },
    now: () => clock.now() + skewMs,
    close: () => agent.destroy(),
  }
}

const APPLY = 'application/apply-patch+yaml'

/** True when sending it twice does the same as sending it once. A PUT that carries a resourceVersion is refused the second time. */
function isIdempotent(method: string, contentType: string, body: unknown): boolean {
  if (method === 'DELETE') return true
  if (method === 'PATCH') return contentType === APPLY || contentType === 'application/merge-patch+json'
  if (method !== 'PUT' || typeof body !== 'object' || body === null) return false
  return (body as Partial<KubernetesObject>).metadata?.resourceVersion !== undefined
}

function backOff(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (0.75 + Math.random() / 4)
}

function withQuery(path: string, query: Query | undefined): string {
  const entries = Object.entries(query ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries).toString()}`
}

function noAnswer(ms: number): ApiFailure {
  return new ApiFailure(0, 'NoAnswer', `nothing was heard for ${Math.round(ms / 100) / 10} s`, {
    transient: true,
    mayHaveHappened: true,
  })
}

function brokenTransport(error: Error & { code?: string }): ApiFailure {
  const unsent = error.code === 'ECONNREFUSED' || error.code === 'ENOENT'
  const message = unsent ? 'kubectl proxy does not answer' : error.message
  return new ApiFailure(0, 'Unreachable', message, { transient: true, mayHaveHappened: !unsent })
}

function failureOfAnswer(status: number, headers: IncomingHttpHeaders, text: string, now: number): ApiFailure {
  const retryAfterMs = readRetryAfter(headers['retry-after'], now)
  const json = (headers['content-type'] ?? '').includes('json')
  if (json) {
    try {
      const failure = failureOfStatus(JSON.parse(text), status, retryAfterMs)
      if (failure !== undefined) return failure
    } catch {
      // Told by its HTTP status below.
    }
  }
  // The API server puts its mark on every answer of its own; without that, a plain 500 is the proxy's.
  if (status === 500 && !json && headers['audit-id'] === undefined) return failureOfProxy(text)
  return failureOfCode(status, '', foreignLine(text, 1_000), { retryAfterMs })
}

/** Milliseconds of a Retry-After header: seconds or a date. */
function readRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isNaN(ms) || ms < 0 ? undefined : ms
}

function parseJson(answer: Answer): unknown {
  const text = answer.body.toString()
  try {
    return JSON.parse(text)
  } catch {
    const type = foreignLine(answer.headers['content-type'] ?? 'no content type', 80)
    throw new ApiFailure(
      answer.status,
      'NotJson',
      `the answer is not JSON (${type}, ${answer.body.length} bytes: ${foreignLine(text, 80)})`,
    )
  }
}

interface ListPage {
  readonly items: KubernetesObject[]
  readonly resourceVersion: string
  readonly continue?: string | undefined
}

/** The objects in a list leave out their apiVersion and kind: the list's own says them. */
function readPage(body: unknown, path: string): ListPage {
  const list = body as {
    apiVersion?: string
    kind?: string
    metadata?: { resourceVersion?: string; continue?: string }
    items?: KubernetesObject[] | null
  }
  if (typeof list !== 'object' || list === null || typeof list.kind !== 'string' || !list.kind.endsWith('List'))
    throw new ApiFailure(200, 'NotJson', `the answer to ${path} is no list of objects`)
  const { apiVersion = '', kind } = list
  const ofItems = kind.slice(0, -'List'.length)
  // `List` alone says nothing of its items; they then carry their own.
  const items = (list.items ?? []).map(item =>
    ofItems === '' ? item : { ...item, apiVersion: item.apiVersion ?? apiVersion, kind: item.kind ?? ofItems },
  )
  return { items, resourceVersion: list.metadata?.resourceVersion ?? '', continue: list.metadata?.continue }
}

interface DiscoveredResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
}

/** Keeps a promise under its key, unless it fails. */
function remember<T>(promises: Map<string, Promise<T>>, key: string, promise: Promise<T>): Promise<T> {
  promises.set(key, promise)
  promise.catch(() => promises.get(key) === promise && promises.delete(key))
  return promise
}

function describeResource(apiVersion: string, found: DiscoveredResource): Resource {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/', 2) as [string, string]) : ['', apiVersion]
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return {
    group,
    version,
    plural: found.name,
    namespaced: found.namespaced,
    path(namespace, name) {
      if (found.namespaced && namespace === undefined && name !== undefined)
        throw new Error(`the path of ${found.kind} ${name} needs a namespace`)
      const within = found.namespaced && namespace !== undefined ? `/namespaces/${segment(namespace)}` : ''
      return `${root}${within}/${found.name}${name === undefined ? '' : `/${segment(name)}`}`
    },
  }
}

/** One part of a path. A dot alone would lead out of where it stands. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..')
    throw new ExpectedFailure('InvalidInput', `"${name}" is no name of a Kubernetes object or namespace.`)
  return encodeURIComponent(name)
}

function unknownKind(apiVersion: string, kind: string, resources: readonly DiscoveredResource[]): ExpectedFailure {
  const [ofKind, ofVersion] = [foreignLine(kind, 100), foreignLine(apiVersion, 100)]
  if (resources.length === 0)
    return new ExpectedFailure(
      'NotFound',
      `The cluster does not know apiVersion ${ofVersion} (kind ${ofKind}). Correct it, or install the CustomResourceDefinition it comes from.`,
    )
  const near = closest(kind, [...new Set(resources.map(resource => resource.kind))])
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  return new ExpectedFailure('NotFound', `The cluster knows no kind ${ofKind} in apiVersion ${ofVersion}.${hint}`)
}

/** Cuts a stream of bytes into lines. */
class Lines {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onLine: (line: string) => void
  #begun: string[] = []
  #size = 0

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  write(piece: Buffer): void {
    const parts = this.#decoder.write(piece).split('\n')
    for (const [index, part] of parts.entries()) {
      this.#begun.push(part)
      this.#size += part.length
      if (this.#size > SINGLE_LIMIT_BYTES)
        throw new ApiFailure(200, 'TooLarge', `a line of the stream is longer than ${SINGLE_LIMIT_BYTES / MEBIBYTE} MiB`)
      if (index < parts.length - 1) this.#flush()
    }
  }

  /** A last line without its newline counts, for a log may end so. */
  end(): void {
    this.#begun.push(this.#decoder.end())
    if (this.#begun.join('') !== '') this.#flush()
  }

  #flush(): void {
    const line = this.#begun.join('')
    this.#begun = []
    this.#size = 0
    this.#onLine(line)
  }
}
