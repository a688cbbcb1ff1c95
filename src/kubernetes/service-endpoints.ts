// Whether requests reach the new pods: the ready endpoints of each Service that selects them are these pods, all of them.
import type { Pod, Service } from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import type { Clock } from '../deploy/clock.ts'
import { sleep } from '../deploy/clock.ts'
import type { Proof } from '../deploy/platform.ts'
import { ApiFailure, type KubernetesApi } from './api.ts'
import { isGone, isReady } from './judge/pod.ts'

export interface ServedPods {
  readonly namespace: string
  /** Of the newest revision. */
  readonly pods: readonly Pod[]
}

type Evidence = Required<Pick<Proof, 'proven' | 'doubts'>>

/** Endpoints follow their pods within a second; longer than that a good release is not held up. */
const PATIENCE_MS = 3_000
const LOOK_AGAIN_MS = 250

const NOTHING: Evidence = { proven: [], doubts: [] }

/** Asks until the endpoints are right, for `PATIENCE_MS` at most. Where the rights to read are missing nothing is said of them. */
export async function proveEndpoints(
  api: KubernetesApi,
  released: readonly ServedPods[],
  nameOf: (service: string, namespace: string) => string,
  clock: Clock,
): Promise<Evidence> {
  const namespaces = Map.groupBy(
    released.filter(({ pods }) => pods.length > 0),
    ({ namespace }) => namespace,
  )
  const found = await Promise.all(
    [...namespaces].map(([namespace, all]) =>
      proveIn(
        api,
        namespace,
        all.flatMap(({ pods }) => pods),
        service => nameOf(service, namespace),
        clock,
      ),
    ),
  )
  return { proven: found.flatMap(({ proven }) => proven), doubts: found.flatMap(({ doubts }) => doubts) }
}

async function proveIn(
  api: KubernetesApi,
  namespace: string,
  pods: readonly Pod[],
  nameOf: (service: string) => string,
  clock: Clock,
): Promise<Evidence> {
  const deadline = clock.now() + PATIENCE_MS
  for (;;) {
    let evidence: Evidence
    try {
      const [services, slices] = await Promise.all([
        api.list(`/api/v1/namespaces/${namespace}/services`),
        api.list(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`),
      ])
      evidence = judgeEndpoints(services.items as unknown as Service[], slices.items as unknown as EndpointSlice[], pods, nameOf)
    } catch (error) {
      if (error instanceof ApiFailure) return NOTHING
      throw error
    }
    if (evidence.doubts.length === 0 || clock.now() >= deadline) return evidence
    await sleep(clock, LOOK_AGAIN_MS)
  }
}

/** Of each Service whose selector takes the pods: whether all of them that are ready are among its endpoints, and whether others are too. */
export function judgeEndpoints(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  pods: readonly Pod[],
  nameOf: (service: string) => string,
): Evidence {
  const proven: string[] = []
  const doubts: string[] = []
  const ready = pods.filter(pod => isReady(pod) && !isGone(pod))
  for (const service of services) {
    const selector = Object.entries(service.spec?.selector ?? {})
    if (selector.length === 0 || service.spec?.type === 'ExternalName') continue
    const selected = ready.filter(pod => selector.every(([key, value]) => pod.metadata?.labels?.[key] === value))
    if (selected.length === 0) continue
    const name = service.metadata?.name ?? ''
    const own = slices.filter(slice => slice.metadata?.labels?.['kubernetes.io/service-name'] === name)
    const serving = new Set(
      own.flatMap(slice =>
        (slice.endpoints ?? [])
          .filter(endpoint => endpoint.conditions?.ready !== false)
          .flatMap(({ targetRef }) => (targetRef?.uid === undefined ? [] : [targetRef.uid])),
      ),
    )
    const missing = selected.filter(pod => !serving.has(pod.metadata?.uid ?? ''))
    const others = serving.size - (selected.length - missing.length)
    const also = others === 0 ? '' : `, and of ${others} other ${others === 1 ? 'pod' : 'pods'}`
    if (missing.length > 0)
      doubts.push(
        `${nameOf(name)} does not lead to ${missing.length} of the ${selected.length} new pods that it selects (${missing
          .slice(0, 3)
          .map(pod => pod.metadata?.name ?? '')
          .join(', ')}): their endpoints are not there yet.`,
      )
    else if (own.every(slice => (slice.ports ?? []).length === 0) && (service.spec?.ports ?? []).length > 0)
      doubts.push(`${nameOf(name)} leads to no port of the new pods: its targetPort is none of theirs.`)
    else proven.push(`${nameOf(name)} leads to all ${selected.length} new pods${also}`)
  }
  return { proven, doubts }
}
