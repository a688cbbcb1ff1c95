// A node without a machine: every pod bound to it is Ready a moment later and gone when it is deleted. With it a step can be given more
// pods than one real node takes, and the controllers and the API server around them are the real ones.
import type { Pod } from 'kubernetes-types/core/v1.js'
import { type Change, Observer } from './observer.ts'

/** How long a pod of it takes to be Ready: about what a small image that is there already takes. */
const STARTS_WITHIN_MS = 1_000
/** The node controller gives a node up that was not heard of for 40 s. */
const LEASE_SECONDS = 40
const RENEW_MS = 8_000

export class FakeNode {
  readonly name: string
  readonly #observer: Observer
  readonly #started = new Set<string>()
  readonly #timers = new Set<NodeJS.Timeout>()

  private constructor(name: string, observer: Observer) {
    this.name = name
    this.#observer = observer
  }

  /** Resolves once pods can be bound to it. */
  static async start(name: string, env: Readonly<Record<string, string>>): Promise<FakeNode> {
    const observer = await Observer.start(env)
    const node = new FakeNode(name, observer)
    const taints = [{ key: 'bench', value: name, effect: 'NoSchedule' }]
    await observer.request('POST', '/api/v1/nodes', {
      metadata: { name, labels: { bench: name, type: 'virtual' } },
      spec: { taints },
    })
    try {
      await node.#takeLease()
      const size = { cpu: '1000', memory: '1000Gi', pods: '1000' }
      const now = new Date().toISOString()
      const ready = { type: 'Ready', status: 'True', reason: 'Bench', lastHeartbeatTime: now, lastTransitionTime: now }
      const status = { capacity: size, allocatable: size, conditions: [ready] }
      await observer.request('PATCH', `/api/v1/nodes/${name}/status`, { status }, MERGE)
      await observer.watch<Pod>('/api/v1/pods', `&fieldSelector=spec.nodeName=${name}`, change => node.#take(change))
      await node.#untainted()
      return node
    } catch (error) {
      await node.stop()
      throw error
    }
  }

  /** What a pod spec needs to be bound to it. */
  get pod(): Readonly<Record<string, unknown>> {
    return { nodeSelector: { bench: this.name }, tolerations: [{ key: 'bench', operator: 'Exists' }] }
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    await this.#observer.request('DELETE', `/api/v1/nodes/${this.name}`)
    this.#observer.stop()
  }

  async #untainted(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const { spec } = await this.#observer.request<{ spec?: { taints?: { key: string }[] } }>(
        'GET',
        `/api/v1/nodes/${this.name}`,
      )
      if (spec?.taints?.every(({ key }) => key === 'bench') === true) return
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    throw new Error('the fake node did not become ready')
  }

  async #takeLease(): Promise<void> {
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    const spec = () => ({
      holderIdentity: this.name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    })
    await this.#observer.request('POST', path, { metadata: { name: this.name }, spec: spec() })
    const renew = setInterval(() => void this.#try('PATCH', `${path}/${this.name}`, { spec: spec() }), RENEW_MS)
    this.#timers.add(renew)
  }

  #take({ type, object }: Change<Pod>): void {
    const { uid = '', namespace, name, deletionTimestamp } = object.metadata ?? {}
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (type === 'DELETED') return
    if (deletionTimestamp !== undefined) return void this.#try('DELETE', path, { gracePeriodSeconds: 0 })
    if (this.#started.has(uid)) return
    this.#started.add(uid)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#try('PATCH', `${path}/status`, { status: runningStatus(object) })
    }, STARTS_WITHIN_MS)
    this.#timers.add(timer)
  }

  /** A pod may be gone meanwhile, and the node too. */
  #try(method: string, path: string, body: unknown): Promise<void> {
    return this.#observer.request(method, path, body, method === 'PATCH' ? MERGE : undefined).then(
      () => undefined,
      () => undefined,
    )
  }
}

const MERGE = 'application/merge-patch+json'

function runningStatus({ spec, status }: Pod): unknown {
  const now = new Date().toISOString()
  const scheduled = status?.conditions?.filter(({ type }) => type === 'PodScheduled') ?? []
  const up = ['Initialized', 'ContainersReady', 'Ready'].map(type => ({ type, status: 'True', lastTransitionTime: now }))
  return {
    phase: 'Running',
    conditions: [...scheduled, ...up],
    startTime: now,
    podIP: '10.255.255.255',
    podIPs: [{ ip: '10.255.255.255' }],
    containerStatuses: spec?.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: `${image?.replace(/:[^:/]*$/, '')}@sha256:${'0'.repeat(64)}`,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } },
    })),
  }
}
