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

type Form = 'metadata' | 'whole' | 'keys' | 'list' | 'first'

/** Why a question was not answered. */
interface Denied {
  readonly key: string
  /** `secrets in namespace shop` */
  readonly what: string
  readonly name: string
  readonly why: string
}

/** One rule of what the cluster lets us do. */
export interface Rule {
  readonly verbs?: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

const RULES_REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'

export class ClusterReads {
  readonly #api: KubernetesApi
  readonly #signal: AbortSignal
  readonly #answers = new Map<string, Promise<Reading<unknown>>>()
  /** What a check has asked for. */
  readonly #asked = new Set<string>()
  readonly #denied: Denied[] = []

  constructor(api: KubernetesApi, signal: AbortSignal) {
    this.#api = api
    this.#signal = signal
  }

  /** Asks already for what the checks of nearly every release look at: what is there in a namespace for pods that run as these accounts. */
  foresee(namespace: string, accounts: Iterable<string>): void {
    const answers = [
      this.#answer('LimitRange', namespace, '', 'list'),
      this.#answer('ResourceQuota', namespace, '', 'list'),
      this.#answer('Node', '', '', 'first'),
      ...[...accounts].map(account => this.#answer('ServiceAccount', namespace, account, 'whole')),
      this.rules(namespace),
    ]
    // What goes wrong is told to the check that asks.
    for (const answer of answers) answer.catch(() => undefined)
  }

  /** Whether the object is there; its content is not asked for. */
  async metadata(kind: ReadKind, namespace: string, name: string): Promise<Reading<KubernetesObject>> {
    return this.#once(kind, namespace, name, 'metadata')
  }

  async object(kind: ReadKind, namespace: string, name: string): Promise<Reading<KubernetesObject>> {
    return this.#once(kind, namespace, name, 'whole')
  }

  /** The names of a Secret's or ConfigMap's keys. Only they are kept: the values are dropped at once. */
  async keys(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): Promise<Reading<ReadonlySet<string>>> {
    return this.#once(kind, namespace, name, 'keys')
  }

  /** All objects of a kind, in a namespace where it belongs to one. */
  async list(kind: ReadKind, namespace: string): Promise<Reading<readonly KubernetesObject[]>> {
    return this.#once(kind, namespace, '', 'list')
  }

  /**
   * The nodes: the first hundred, which are enough to find one that fits, or all of them. In a cluster of thousands they are tens of megabytes.
   */
  async nodes(which: 'first' | 'all'): Promise<Reading<readonly KubernetesObject[]>> {
    const page = await this.#once<{ nodes: readonly KubernetesObject[]; more: boolean }>('Node', '', '', 'first')
    if ('unreadable' in page || page.found === undefined) return { unreadable: 'unreadable' in page ? page.unreadable : '' }
    return which === 'first' || !page.found.more ? { found: page.found.nodes } : this.list('Node', '')
  }

  /**
   * All that we may do in a namespace, in one answer instead of one for each right. It may leave things out (a webhook that authorizes can't list its
   * rules), so that it is to be taken for a yes only. Empty where the cluster does not say.
   */
  async rules(namespace: string): Promise<readonly Rule[]> {
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } }
    const review = async (): Promise<readonly Rule[]> => {
      const options = { body, signal: this.#signal }
      const answer = await this.#api.request<{ status?: { resourceRules?: readonly Rule[] } }>('POST', RULES_REVIEWS, options)
      return answer.status?.resourceRules ?? []
    }
    const key = `rules ${namespace}`
    const known = this.#answers.get(key) ?? this.#read(review).then(({ reading }) => reading)
    this.#answers.set(key, known)
    const reading = (await known) as Reading<readonly Rule[]>
    return 'found' in reading ? (reading.found ?? []) : []
  }

  /** What the API answers to any GET; undefined where there is nothing. */
  async path<T>(path: string, accept?: string): Promise<Reading<T>> {
    const known = this.#answers.get(path) ?? this.#read(() => this.#get<T>(path, accept)).then(({ reading }) => reading)
    this.#answers.set(path, known)
    return known as Promise<Reading<T>>
  }

  /** What the checks could not read, in one sentence for each reason why. */
  unreadable(): readonly string[] {
    const byWhy = Map.groupBy(
      this.#denied.filter(({ key }) => this.#asked.has(key)),
      ({ why }) => why,
    )
    return [...byWhy].map(([why, denied]) => {
      const subjects = [...Map.groupBy(denied, ({ what }) => what)].map(([what, those]) => {
        const names = [...new Set(those.map(({ name }) => name))].filter(name => name !== '')
        if (names.length === 0) return what
        return `${what} (${foreignLine(names.slice(0, 8).join(', '))}${names.length > 8 ? ' ...' : ''})`
      })
      return `Not looked at before the change, for ${why}: ${subjects.join('; ')}.`
    })
  }

  #once<T>(kind: ReadKind, namespace: string, name: string, form: Form): Promise<Reading<T>> {
    this.#asked.add(keyOf(kind, namespace, name, form))
    return this.#answer(kind, namespace, name, form) as Promise<Reading<T>>
  }

  #answer(kind: ReadKind, namespace: string, name: string, form: Form): Promise<Reading<unknown>> {
    const key = keyOf(kind, namespace, name, form)
    const known = this.#answers.get(key)
    if (known !== undefined) return known
    const place = PLACES[kind]
    const within = place.namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : ''
    const path = `${place.root}${within}/${place.plural}${name === '' ? '' : `/${encodeURIComponent(name)}`}`
    const answer = this.#read(() => this.#ask(path, form)).then(({ reading, why }) => {
      if (why !== undefined) {
        const what = place.namespaced ? `${place.plural} in namespace ${namespace}` : place.plural
        this.#denied.push({ key, what, name, why })
      }
      return reading
    })
    this.#answers.set(key, answer)
    return answer
  }

  async #ask(path: string, form: Form): Promise<unknown> {
    switch (form) {
      case 'metadata':
        return this.#get(path, METADATA_ONLY)
      case 'whole':
        return this.#get(path)
      case 'keys':
        return keysOf(await this.#get<KubernetesObject>(path))
      case 'list':
        return (await this.#api.list(path, {}, this.#signal)).items
      case 'first': {
        const { items, metadata } = await this.#get<NodePage>(`${path}?limit=${FIRST_NODES}`)
        return { nodes: items ?? [], more: (metadata?.continue ?? '') !== '' }
      }
    }
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

function keyOf(kind: string, namespace: string, name: string, form: Form): string {
  return `${form} ${kind}/${namespace}/${name}`
}

/** The names of the keys of a Secret or ConfigMap. */
export function keysOf(object: KubernetesObject): ReadonlySet<string> {
  return new Set(['data', 'binaryData', 'stringData'].flatMap(field => Object.keys((object[field] as object | null) ?? {})))
}
