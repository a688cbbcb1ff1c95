// A scenario's namespace of the sandbox's cluster: everything asked of the API itself, so that nothing holds the event loop while others run.
import { setTimeout as pause } from 'node:timers/promises'
import { ApiFailure, type KubernetesApi } from '../../../src/kubernetes/api.ts'
import { type KubernetesObject, objectName } from '../../../src/kubernetes/objects.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { Fields } from './workloads.ts'

/** Where a person's objects may be in a namespace; what controllers make has an owner and is not looked at. */
const COLLECTIONS = [
  ...[
    'configmaps',
    'secrets',
    'services',
    'serviceaccounts',
    'persistentvolumeclaims',
    'pods',
    'resourcequotas',
    'limitranges',
  ].map(plural => ['/api/v1', plural] as const),
  ...['deployments', 'statefulsets', 'daemonsets', 'replicasets'].map(plural => ['/apis/apps/v1', plural] as const),
  ...['jobs', 'cronjobs'].map(plural => ['/apis/batch/v1', plural] as const),
  ['/apis/autoscaling/v2', 'horizontalpodautoscalers'] as const,
  ['/apis/policy/v1', 'poddisruptionbudgets'] as const,
  ['/apis/networking.k8s.io/v1', 'ingresses'] as const,
  ['/apis/coordination.k8s.io/v1', 'leases'] as const,
]

const RECORD = 'deploy-actions/release.v1'
/** Counts the changes of a template: no two states of one object have the same. */
const COUNTERS = ['deployment.kubernetes.io/revision', 'deprecated.daemonset.template.generation']

/** All that people have put into a namespace, by `kind/name`. */
export interface Inventory {
  /** As people can mean it: everything but the status and the server's own books. */
  readonly meant: Readonly<Record<string, Fields>>
  /** Changes with every write to what is meant. */
  readonly touched: Readonly<Record<string, string>>
  /** Status of the release records by their number. */
  readonly records: Readonly<Record<string, string>>
}

export class ScenarioCluster {
  readonly namespace: string
  readonly #api: KubernetesApi
  readonly #ofCluster: KubernetesObject[] = []

  constructor(api: KubernetesApi, namespace: string) {
    this.#api = api
    this.namespace = namespace
  }

  async create(): Promise<void> {
    await this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } })
    // No pod can be made before the namespace has its service account.
    await eventually('the service account', 10_000, () =>
      this.#found(`/api/v1/namespaces/${this.namespace}/serviceaccounts/default`),
    )
  }

  async remove(): Promise<void> {
    for (const object of this.#ofCluster.reverse())
      await this.#api.request('DELETE', await this.#path(object)).catch(() => undefined)
    await this.#api.request('DELETE', `/api/v1/namespaces/${this.namespace}`).catch(() => undefined)
  }

  /** As `kubectl apply` would: by another manager than deploy-k8s, with the annotation that says what was applied. */
  async applyByHand(object: Fields): Promise<void> {
    const { metadata, ...rest } = object as { metadata: { annotations?: Fields } }
    const annotations = {
      ...metadata.annotations,
      'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(object)}\n`,
    }
    const body = { ...rest, metadata: { ...metadata, annotations } } as unknown as KubernetesObject
    const resource = await this.#api.resource(body.apiVersion, body.kind)
    await this.#api.request('POST', resource.path(this.namespace), { query: { fieldManager: 'kubectl-client-side-apply' }, body })
  }

  async apply(object: Fields): Promise<void> {
    const body = object as unknown as KubernetesObject
    const resource = await this.#api.resource(body.apiVersion, body.kind)
    if (!resource.namespaced && body.kind !== 'Namespace') this.#ofCluster.push(body)
    await this.#api.request('PATCH', resource.path(this.namespace, body.metadata.name), {
      query: { fieldManager: 'scenario', force: 'true' },
      body,
    })
  }

  /** Waits for the object: on a busy machine the release may come to it late. */
  async patch(of: readonly [string, string, string], patch: Fields, subresource?: string): Promise<void> {
    const [apiVersion, kind, name] = of
    await eventually(
      `${kind} ${name}`,
      30_000,
      async () => (await this.get({ apiVersion, kind, metadata: { name } })) !== undefined,
    )
    const path = await this.#pathOf(...of)
    await this.#api.request('PATCH', subresource === undefined ? path : `${path}/${subresource}`, {
      query: { fieldManager: 'kubectl-patch' },
      body: patch,
      contentType: 'application/merge-patch+json',
    })
  }

  async delete(of: readonly [string, string, string]): Promise<void> {
    await this.#api.request('DELETE', await this.#pathOf(...of))
  }

  /** The pod of the newest revision of `deployment/web` that was made last, as soon as there is one. */
  async disturb(how: 'delete' | 'evict' | 'end', oldPods: ReadonlySet<string>): Promise<void> {
    let name = ''
    await eventually('a pod of the new revision', 20_000, async () => {
      const pods = await this.pods('web')
      const pod = pods.findLast(({ metadata }) => !oldPods.has(metadata.name) && metadata.deletionTimestamp === undefined)
      name = pod?.metadata.name ?? ''
      return name !== ''
    })
    const path = `/api/v1/namespaces/${this.namespace}/pods/${name}`
    if (how === 'delete') await this.#api.request('DELETE', path)
    else if (how === 'evict') {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: this.namespace } }
      await this.#api.request('POST', `${path}/eviction`, { body })
    }
    // The kubelet itself then ends the pod as Failed, as it does with one that it evicts.
    else await this.patch(['v1', 'Pod', name], { spec: { activeDeadlineSeconds: 1 } })
  }

  async pods(app: string): Promise<readonly KubernetesObject[]> {
    const { items } = await this.#api.list(`/api/v1/namespaces/${this.namespace}/pods`, { labelSelector: `app=${app}` })
    return items.toSorted((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
  }

  async get(object: Fields): Promise<KubernetesObject | undefined> {
    try {
      return await this.#api.request<KubernetesObject>('GET', await this.#path(object as unknown as KubernetesObject))
    } catch (error) {
      // The kind goes with its definition, which a release that failed takes away again.
      if (error instanceof ExpectedFailure && error.reason === 'NotFound') return undefined
      return absent(error)
    }
  }

  async inventory(): Promise<Inventory> {
    const lists = await Promise.all(
      COLLECTIONS.map(([prefix, plural]) => this.#api.list(`${prefix}/namespaces/${this.namespace}/${plural}`)),
    )
    const definitions = await this.#api.list('/apis/apiextensions.k8s.io/v1/customresourcedefinitions')
    const all = [
      ...lists.flatMap(({ items }) => items),
      ...definitions.items.filter(({ metadata }) => metadata.name.includes(`.${this.namespace}.`)),
    ]
    const records = all.filter(object => object['type'] === RECORD)
    const people = all.filter(object => object['type'] !== RECORD && isOfPeople(object))
    return {
      meant: Object.fromEntries(people.map(object => [objectName(object), meantOf(object)])),
      touched: Object.fromEntries(people.map(touchOf)),
      records: Object.fromEntries(
        records.map(({ metadata: { labels = {} } }) => [
          labels['deploy-actions/release'] ?? '',
          labels['deploy-actions/status'] ?? '',
        ]),
      ),
    }
  }

  /** What keeps an object from being what it is meant to be, seen with other eyes than deploy-k8s's; empty when nothing does. */
  async faultOf(object: Fields, staysOld = 0, replicas?: number): Promise<string> {
    const live = await this.get(object)
    const meant = object as unknown as KubernetesObject
    const name = objectName(meant)
    if (live === undefined) return meant.kind === 'Job' ? '' : `${name} is not there`
    const status = (live['status'] ?? {}) as Readonly<Record<string, unknown>>
    if (meant.kind === 'Job')
      return status['succeeded'] === 1 || (live['spec'] as Fields)['suspend'] === true ? '' : `${name} has not succeeded`
    if (meant.kind === 'Pod')
      return status['phase'] === 'Succeeded' || isReady(live) ? '' : `${name} is ${String(status['phase'])}`
    if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(meant.kind)) return ''
    const spec = meant['spec'] as { replicas?: number; template: { metadata: { labels: Record<string, string> } } }
    const { app = '', version = '' } = spec.template.metadata.labels
    const wanted = replicas ?? (meant.kind === 'DaemonSet' ? status['desiredNumberScheduled'] : (spec.replicas ?? 1))
    const alive = (await this.pods(app)).filter(
      pod =>
        pod.metadata.deletionTimestamp === undefined &&
        !['Failed', 'Succeeded'].includes((pod['status'] as { phase?: string }).phase ?? ''),
    )
    const ready = alive.filter(isReady).length
    const old = alive.filter(({ metadata }) => metadata.labels?.['version'] !== version).length
    const seen = `${alive.length} pods, ${ready} ready, ${old} not of version ${version}`
    return alive.length === wanted && ready === wanted && old === staysOld
      ? ''
      : `${name} has ${seen} instead of ${String(wanted)}`
  }

  async #found(path: string): Promise<boolean> {
    return (await this.#api.request('GET', path).catch(absent)) !== undefined
  }

  async #path({ apiVersion, kind, metadata }: KubernetesObject): Promise<string> {
    return this.#pathOf(apiVersion, kind, metadata.name)
  }

  async #pathOf(apiVersion: string, kind: string, name: string): Promise<string> {
    return (await this.#api.resource(apiVersion, kind)).path(this.namespace, name)
  }
}

function absent(error: unknown): undefined {
  if (error instanceof ApiFailure && error.status === 404) return undefined
  throw error
}

function isReady(pod: KubernetesObject): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as { conditions?: readonly { type: string; status: string }[] }
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** Neither made by a controller for its owner nor by the server for every namespace. */
function isOfPeople({ kind, metadata }: KubernetesObject): boolean {
  if (metadata.ownerReferences !== undefined || metadata.deletionTimestamp !== undefined) return false
  return (
    !(kind === 'ConfigMap' && metadata.name === 'kube-root-ca.crt') && !(kind === 'ServiceAccount' && metadata.name === 'default')
  )
}

function meantOf({ status: _, metadata, ...rest }: KubernetesObject): Fields {
  const { name, labels, annotations = {}, finalizers } = metadata
  const kept = Object.entries(annotations).filter(([key]) => !COUNTERS.includes(key))
  return { ...rest, metadata: { name, labels, finalizers, annotations: Object.fromEntries(kept) } }
}

/** The generation where there is one; else the version of the whole object, unless controllers write a status into it. */
function touchOf(object: KubernetesObject): readonly [string, string] {
  const { uid = '', generation, resourceVersion = '' } = object.metadata
  if (generation === undefined && object['status'] !== undefined) return [objectName(object), uid]
  return [objectName(object), `${uid} ${generation ?? resourceVersion}`]
}

/** @throws when it does not come true in time */
export async function eventually(what: string, milliseconds: number, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + milliseconds
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what} was waited for ${milliseconds / 1_000} s in vain`)
    await pause(150)
  }
}
