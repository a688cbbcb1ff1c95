// A cluster in memory behind KubernetesApi: objects with resourceVersions, conflicts and ownership, and whatever a test lets happen in between.
import {
  ApiFailure,
  type KubernetesApi,
  type RequestOptions,
  type Resource,
  type StreamOptions,
} from '../../src/kubernetes/api.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import type { ManualClock } from '../deploy/manual-clock.ts'

const PLURALS: Readonly<Record<string, readonly [plural: string, namespaced: boolean]>> = {
  ConfigMap: ['configmaps', true],
  Secret: ['secrets', true],
  Service: ['services', true],
  Pod: ['pods', true],
  PersistentVolumeClaim: ['persistentvolumeclaims', true],
  Namespace: ['namespaces', false],
  Deployment: ['deployments', true],
  ReplicaSet: ['replicasets', true],
  Job: ['jobs', true],
  Lease: ['leases', true],
  NetworkPolicy: ['networkpolicies', true],
}

export interface Call {
  readonly method: string
  readonly path: string
  readonly options: RequestOptions
}

export class MemoryCluster implements KubernetesApi {
  readonly objects = new Map<string, KubernetesObject>()
  readonly calls: Call[] = []
  readonly #clock: ManualClock
  #version = 100
  #watchesFail: ApiFailure | undefined
  readonly #watches = new Set<(failure: unknown) => void>()
  #before: (call: Call) => void = () => undefined
  #after: (call: Call) => void = () => undefined

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  /** Called before a request is answered; what it throws is the answer. */
  before(run: (call: Call) => void): void {
    this.#before = run
  }

  /** Called when a request was carried out; what it throws is the answer, as when that is lost on the way. */
  after(run: (call: Call) => void): void {
    this.#after = run
  }

  /** The requests so far as `PUT configmaps/web`, those that read left out. */
  get writes(): string[] {
    return this.calls
      .filter(call => call.method !== 'GET' && !isDryRun(call))
      .map(({ method, path }) => `${method} ${path.replace(/^.*\/namespaces\/[^/]+\//, '')}`)
  }

  put(object: KubernetesObject): KubernetesObject {
    const path = this.#pathOf(object)
    const known = this.objects.get(path)
    const uid = known?.metadata.uid ?? `uid-${++this.#version}`
    const generation = (known?.metadata.generation ?? 0) + 1
    const stored = { ...object, metadata: { ...object.metadata, uid, generation, resourceVersion: String(++this.#version) } }
    this.objects.set(path, stored)
    return stored
  }

  get(kind: string, name: string, namespace = 'shop'): KubernetesObject | undefined {
    return [...this.objects.values()].find(
      ({ kind: of, metadata }) =>
        of === kind && metadata.name === name && (metadata.namespace === undefined || metadata.namespace === namespace),
    )
  }

  remove(object: KubernetesObject): void {
    this.objects.delete(this.#pathOf(object))
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const call = { method, path, options }
    this.calls.push(call)
    await Promise.resolve()
    this.#before(call)
    const answer = this.#answer(method, path, options)
    this.#after(call)
    return structuredClone(answer) as T
  }

  #answer(method: string, path: string, { body, query, contentType }: RequestOptions): unknown {
    const dryRun = isDryRun({ method, path, options: { body, query } })
    const live = this.objects.get(path)
    const given = body as KubernetesObject
    const store = (object: KubernetesObject): KubernetesObject => (dryRun ? object : this.put(object))
    if (method === 'POST') {
      const namespace = /\/namespaces\/([^/]+)\//.exec(path)?.[1]
      const object = { ...given, metadata: { ...(namespace === undefined ? {} : { namespace }), ...given.metadata } }
      if (this.objects.has(this.#pathOf(object))) throw new ApiFailure(409, 'AlreadyExists', `${given.kind} already exists`)
      return store(object)
    }
    const apply = method === 'PATCH' && (contentType === undefined || contentType === 'application/apply-patch+yaml')
    if (live === undefined && !apply) throw new ApiFailure(404, 'NotFound', `${path} not found`)
    if (method === 'GET') return live
    const wanted =
      method === 'DELETE'
        ? (body as { preconditions?: { resourceVersion?: string } } | undefined)?.preconditions?.resourceVersion
        : given.metadata?.resourceVersion
    if (wanted !== undefined && wanted !== live?.metadata.resourceVersion)
      throw new ApiFailure(409, 'Conflict', 'the object has been modified')
    if (method === 'DELETE') {
      if (!dryRun) this.objects.delete(path)
      return {}
    }
    if (method === 'PUT')
      return store(given.metadata.namespace === undefined && live !== undefined ? withMetadata(given, live) : given)
    return store(merged(live ?? {}, given) as KubernetesObject)
  }

  async list(
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
  ): Promise<{ items: KubernetesObject[]; resourceVersion: string }> {
    this.#before({ method: 'LIST', path, options: {} })
    const [label, value] = (query['labelSelector'] ?? '').split('=')
    const items = [...this.objects.entries()]
      .filter(([key]) => key.startsWith(`${path}/`))
      .map(([, object]) => object)
      .filter(({ metadata }) => label === undefined || label === '' || metadata.labels?.[label] === value)
    return { items: structuredClone(items), resourceVersion: String(this.#version) }
  }

  async text(): Promise<string> {
    return ''
  }

  /** Every watch ends with that failure, now and from now on; undefined: they work again. */
  breakWatches(failure: ApiFailure | undefined): void {
    this.#watchesFail = failure
    for (const end of this.#watches) end(failure)
    this.#watches.clear()
  }

  async stream(path: string, { signal, onOpen }: StreamOptions): Promise<void> {
    this.#before({ method: 'WATCH', path, options: {} })
    if (this.#watchesFail !== undefined) throw this.#watchesFail
    onOpen?.()
    return new Promise((_resolve, reject) => {
      this.#watches.add(reject)
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  async resource(apiVersion: string, kind: string): Promise<Resource> {
    const [plural, namespaced] = PLURALS[kind] ?? [`${kind.toLowerCase()}s`, true]
    const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/', 2) as [string, string]) : ['', apiVersion]
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    return {
      group,
      version,
      plural,
      namespaced,
      path: (namespace, name) =>
        `${root}${namespaced && namespace !== undefined ? `/namespaces/${namespace}` : ''}/${plural}${name === undefined ? '' : `/${name}`}`,
    }
  }

  now(): number {
    return this.#clock.now()
  }

  #pathOf({ apiVersion, kind, metadata }: KubernetesObject): string {
    const [plural, namespaced] = PLURALS[kind] ?? [`${kind.toLowerCase()}s`, true]
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    return `${root}${namespaced ? `/namespaces/${metadata.namespace ?? 'shop'}` : ''}/${plural}/${metadata.name}`
  }
}

/** As the API server sees it: of a deletion that has a body, the query is not read. */
export function isDryRun({ method, options: { body, query } }: Call): boolean {
  const said = method === 'DELETE' && body !== undefined ? (body as { dryRun?: unknown }).dryRun : query?.['dryRun']
  return said !== undefined
}

function withMetadata(given: KubernetesObject, live: KubernetesObject): KubernetesObject {
  return {
    ...given,
    metadata: { ...given.metadata, ...(live.metadata.namespace === undefined ? {} : { namespace: live.metadata.namespace }) },
  }
}

function merged(live: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const target: Record<string, unknown> = { ...(typeof live === 'object' && live !== null && !Array.isArray(live) ? live : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key]
    else target[key] = merged(target[key], value)
  }
  return target
}

export function object(kind: string, name: string, more: Record<string, unknown> = {}, metadata: object = {}): KubernetesObject {
  const apiVersion = { Deployment: 'apps/v1', Job: 'batch/v1', Lease: 'coordination.k8s.io/v1' }[kind] ?? 'v1'
  const namespace = kind === 'Namespace' ? {} : { namespace: 'shop' }
  return { apiVersion, kind, metadata: { name, ...namespace, ...metadata }, ...more }
}
