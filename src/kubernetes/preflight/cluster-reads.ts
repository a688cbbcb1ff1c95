// The reads of the checks: each object once, all at the same time. What we may not read is remembered, and said once; it is never guessed.
import { foreignLine } from '../../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi, METADATA_ONLY } from '../api.ts'
import { failedOnTheWay } from '../api-failure.ts'
import type { KubernetesObject } from '../objects.ts'

/** `found` is undefined where the object is known not to be there. */
export type Reading<T> = { readonly found: T | undefined } | { readonly unreadable: string }

/** Kinds that the checks read by themselves, by their place in the API: no discovery is needed for them. */
const PLACES = {
  Secret: { root: '/api/v1', plural: 'secrets', namespaced: true },
  ConfigMap: { root: '/api/v1', plural: 'configmaps', namespaced: true },
  ServiceAccount: { root: '/api/v1', plural: 'serviceaccounts', namespaced: true },
  PersistentVolumeClaim: { root: '/api/v1', plural: 'persistentvolumeclaims', namespaced: true },
  PersistentVolume: { root: '/api/v1', plural: 'persistentvolumes', namespaced: false },
  ResourceQuota: { root: '/api/v1', plural: 'resourcequotas', namespaced: true },
  LimitRange: { root: '/api/v1', plural: 'limitranges', namespaced: true },
  Pod: { root: '/api/v1', plural: 'pods', namespaced: true },
  Node: { root: '/api/v1', plural: 'nodes', namespaced: false },
  StorageClass: { root: '/apis/storage.k8s.io/v1', plural: 'storageclasses', namespaced: false },
  PriorityClass: { root: '/apis/scheduling.k8s.io/v1', plural: 'priorityclasses', namespaced: false },
  RuntimeClass: { root: '/apis/node.k8s.io/v1', plural: 'runtimeclasses', namespaced: false },
} as const

const FIRST_NODES = 100

interface NodePage {
  readonly items?: readonly KubernetesObject[]
  readonly metadata?: { readonly continue?: string }
}

export type ReadKind = keyof typeof PLACES

export class ClusterReads {
  readonly #api: KubernetesApi
  readonly #signal: AbortSignal
  readonly #answers = new Map<string, Promise<Reading<unknown>>>()
  /** `secrets in namespace shop` -> why not, and the names that were asked for. */
  readonly #denied = new Map<string, { readonly why: string; readonly names: Set<string> }>()

  constructor(api: KubernetesApi, signal: AbortSignal) {
    this.#api = api
    this.#signal = signal
  }

  /** Whether the object is there; its content is not asked for. */
  async metadata(kind: ReadKind, namespace: string, name: string): Promise<Reading<KubernetesObject>> {
    return this.#once(kind, namespace, name, 'metadata', path => this.#get(path, METADATA_ONLY))
  }

  async object(kind: ReadKind, namespace: string, name: string): Promise<Reading<KubernetesObject>> {
    return this.#once(kind, namespace, name, 'whole', path => this.#get(path))
  }

  /** The names of a Secret's or ConfigMap's keys. Only they are kept: the values are dropped at once. */
  async keys(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): Promise<Reading<ReadonlySet<string>>> {
    return this.#once(kind, namespace, name, 'keys', async path => keysOf(await this.#get<KubernetesObject>(path)))
  }

  /** All objects of a kind, in a namespace where it belongs to one. */
  async list(kind: ReadKind, namespace: string): Promise<Reading<readonly KubernetesObject[]>> {
    return this.#once(kind, namespace, '', 'list', async path => (await this.#api.list(path, {}, this.#signal)).items)
  }

  /**
   * The nodes: the first hundred, which are enough to find one that fits, or all of them. In a cluster of thousands they are tens of megabytes.
   */
  async nodes(which: 'first' | 'all'): Promise<Reading<readonly KubernetesObject[]>> {
    const page = await this.#once('Node', '', '', 'first', async path => {
      const { items, metadata } = await this.#get<NodePage>(`${path}?limit=${FIRST_NODES}`)
      return { nodes: items ?? [], more: (metadata?.continue ?? '') !== '' }
    })
    if ('unreadable' in page || page.found === undefined) return { unreadable: 'unreadable' in page ? page.unreadable : '' }
    return which === 'first' || !page.found.more ? { found: page.found.nodes } : this.list('Node', '')
  }

  /** What the API answers to any GET; undefined where there is nothing. */
  async path<T>(path: string, accept?: string): Promise<Reading<T>> {
    const known = this.#answers.get(path) ?? this.#read(() => this.#get<T>(path, accept)).then(({ reading }) => reading)
    this.#answers.set(path, known)
    return known as Promise<Reading<T>>
  }

  /** What could not be read, in one sentence for each reason why. */
  unreadable(): readonly string[] {
    const byWhy = Map.groupBy(this.#denied, ([, { why }]) => why)
    return [...byWhy].map(([why, denied]) => {
      const subjects = denied.map(([what, { names }]) => {
        const asked = [...names].filter(name => name !== '')
        if (asked.length === 0) return what
        return `${what} (${foreignLine(asked.slice(0, 8).join(', '))}${asked.length > 8 ? ' ...' : ''})`
      })
      return `Not looked at before the change, for ${why}: ${subjects.join('; ')}.`
    })
  }

  #once<T>(
    kind: ReadKind,
    namespace: string,
    name: string,
    form: string,
    read: (path: string) => Promise<T>,
  ): Promise<Reading<T>> {
    const key = keyOf(kind, namespace, name, form)
    const known = this.#answers.get(key)
    if (known !== undefined) return known as Promise<Reading<T>>
    const place = PLACES[kind]
    const within = place.namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : ''
    const path = `${place.root}${within}/${place.plural}${name === '' ? '' : `/${encodeURIComponent(name)}`}`
    const answer = this.#read(() => read(path)).then(({ reading, why }) => {
      if (why !== undefined) {
        const what = place.namespaced ? `${place.plural} in namespace ${namespace}` : place.plural
        const denied = this.#denied.get(what) ?? { why, names: new Set() }
        denied.names.add(name)
        this.#denied.set(what, denied)
      }
      return reading
    })
    this.#answers.set(key, answer)
    return answer
  }

  async #get<T>(path: string, accept?: string): Promise<T> {
    return this.#api.request<T>('GET', path, { signal: this.#signal, ...(accept === undefined ? {} : { accept }) })
  }

  async #read<T>(read: () => Promise<T>): Promise<{ reading: Reading<T>; why?: string }> {
    try {
      return { reading: { found: await read() } }
    } catch (error) {
      if (!(error instanceof ApiFailure) || failedOnTheWay(error))
        throw asExpectedFailure(error, 'Looking at the cluster before the change')
      if (error.status === 404) return { reading: { found: undefined } }
      const why = error.status === 403 ? 'lack of the right to read it' : `it can't be read (${foreignLine(error.message, 200)})`
      return { reading: { unreadable: why }, why }
    }
  }
}

function keyOf(kind: string, namespace: string, name: string, form: string): string {
  return `${form} ${kind}/${namespace}/${name}`
}

/** The names of the keys of a Secret or ConfigMap. */
export function keysOf(object: KubernetesObject): ReadonlySet<string> {
  return new Set(['data', 'binaryData', 'stringData'].flatMap(field => Object.keys((object[field] as object | null) ?? {})))
}
