// Judges a Service: ready endpoints behind it where its selector meets pods of the release, and a load balancer's address.
import type { PodSpec, Service } from 'kubernetes-types/core/v1.js'
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { groupOf, type KubernetesObject } from '../objects.ts'
import { within } from './container.ts'
import { eventTime, firstEventTime, newest } from './events.ts'
import { count, latest, list, text } from './fields.ts'
import { GRACES } from './grace.ts'
import type { PodFinding } from './pod.ts'
import { blank, conclude, judgePresence, type Snapshot } from './workload.ts'

export function judgeService(snapshot: Snapshot<Service>, now: number): Judgement {
  const { object: service, name } = snapshot
  const presence = judgePresence(snapshot, now, false)
  if (service === undefined || presence !== undefined)
    return { ...blank(name, 1), phase: 'progressing', message: '', ...presence }
  const endpoints = endpointsOf(list(snapshot.endpointSlices))
  const ready = endpoints.filter(endpoint => endpoint.ready).length
  const expected = needsEndpoints(service) && list(snapshot.selected?.()).length > 0
  const behind = expected ? judgeEndpoints(snapshot, service, endpoints, now) : { findings: [], waiting: '' }
  const address = judgeAddress(snapshot, service, now)
  const known = { ...blank(name, expected ? Math.max(1, ready) : 1), ready: expected ? ready : 1 }
  const message = address.message
  return conclude(
    known,
    [...behind.findings, ...address.findings],
    behind.waiting || address.waiting,
    { message, provenAt: 0 },
    now,
  )
}

/** Requests to it go to the pods that it selects. A headless one is a name in the DNS only, and who has no selector has endpoints made by others. */
function needsEndpoints({ spec }: Service): boolean {
  return spec?.type !== 'ExternalName' && spec?.clusterIP !== 'None' && Object.keys(selectorOf(spec?.selector)).length > 0
}

const selectorOf = (selector: unknown): Readonly<Record<string, unknown>> =>
  typeof selector === 'object' && selector !== null ? (selector as Record<string, unknown>) : {}

const TEMPLATED = new Set(['apps', 'argoproj.io', ''])

interface Templated {
  readonly metadata?: { readonly labels?: unknown }
  readonly spec?: { readonly replicas?: unknown; readonly template?: { readonly metadata?: { readonly labels?: unknown } } }
  readonly status?: { readonly desiredNumberScheduled?: unknown }
}

/** Whether an object of the release makes pods, one at least, that the Service selects. What ends by itself (a Job) serves nothing. */
export function selects(service: Service, other: KubernetesObject): boolean {
  if (!TEMPLATED.has(groupOf(other.apiVersion))) return false
  const { metadata, spec, status } = other as unknown as Templated
  if (spec?.replicas === 0 || status?.desiredNumberScheduled === 0) return false
  const labels = selectorOf(other.kind === 'Pod' ? metadata?.labels : spec?.template?.metadata?.labels)
  const wanted = Object.entries(selectorOf(service.spec?.selector))
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
}

interface Endpoint {
  readonly ready: boolean
  /** The names of the Service's ports that lead to it; a port without a name is ''. */
  readonly ports: readonly string[]
}

function endpointsOf(slices: readonly EndpointSlice[]): readonly Endpoint[] {
  return slices.flatMap(slice => {
    const ports = list(slice.ports).map(port => text(port.name))
    // An endpoint that does not say is ready.
    return list(slice.endpoints).map(({ conditions }) => ({ ready: conditions?.ready !== false, ports }))
  })
}

interface Part {
  readonly findings: readonly PodFinding[]
  readonly waiting: string
}

function judgeEndpoints(snapshot: Snapshot<Service>, service: Service, endpoints: readonly Endpoint[], now: number): Part {
  const makers = list(snapshot.selected?.())
  const ready = endpoints.filter(endpoint => endpoint.ready)
  const ports = list(service.spec?.ports)
  const dead = ports.filter(
    ({ name, targetPort }) =>
      typeof targetPort === 'string' &&
      !makers.some(maker => namedPorts(maker).includes(targetPort)) &&
      !ready.some(endpoint => endpoint.ports.includes(text(name))),
  )
  if (ports.length > 0 && dead.length === ports.length) {
    const targets = dead.map(({ targetPort }) => foreignLine(String(targetPort), 60)).join(', ')
    const message = `no container of its pods has a port of the name that it sends to (targetPort ${targets})`
    return { findings: [{ ...within(GRACES.NoPort, snapshot.since, now, 'NoEndpoints', message), pod: '' }], waiting: '' }
  }
  if (ready.length > 0) return { findings: [], waiting: '' }
  // That its pods are not ready is for their workload to tell of.
  const waiting = makers.some(isServing)
    ? 'its pods are ready, but none is among its endpoints yet'
    : endpoints.length === 0
      ? 'no pod is behind it yet'
      : 'no pod behind it is ready yet'
  return { findings: [], waiting }
}

/** Names of the ports that the containers of a workload's pods have. */
function namedPorts(maker: KubernetesObject): readonly string[] {
  const { spec } = maker as unknown as { spec?: PodSpec & { template?: { spec?: PodSpec } } }
  const pod = maker.kind === 'Pod' ? spec : spec?.template?.spec
  return [...list(pod?.containers), ...list(pod?.initContainers)].flatMap(container =>
    list(container.ports).map(port => text(port.name)),
  )
}

/** Says of itself that a pod of it is available. */
function isServing(maker: KubernetesObject): boolean {
  const { availableReplicas, numberAvailable } = (maker['status'] ?? {}) as Readonly<Record<string, unknown>>
  return count(availableReplicas) > 0 || count(numberAvailable) > 0
}

/**
 * Krane, Helm and Argo CD wait for the address too, and so does this: who asks for a load balancer is not served without one. One that had no
 * address before the release either is not waited for: its cluster may have nobody who gives one.
 */
function judgeAddress(snapshot: Snapshot<Service>, service: Service, now: number): Part & { readonly message: string } {
  const nothing = { findings: [], waiting: '', message: '' }
  if (service.spec?.type !== 'LoadBalancer' || hasAddress(service) || hasOuterAddresses(service)) return nothing
  const { before, since } = snapshot
  const events = snapshot.events(text(service.metadata?.uid))
  const failed = events.findLast(event => event.type === 'Warning' && FAILED.test(text(event.reason)))
  const better = newest(events, 'EnsuredLoadBalancer', 'SuccessfullyReconciled', 'IPAllocated', 'UpdatedLoadBalancer')
  const trouble = failed !== undefined && (better === undefined || eventTime(better) < eventTime(failed)) ? failed : undefined
  const why = trouble === undefined ? '' : `: ${foreignLine(text(trouble.message))}`
  if (before?.spec?.type === 'LoadBalancer' && !hasAddress(before))
    return { ...nothing, message: `has no address, as before this release${why}` }
  if (trouble !== undefined) {
    const from = latest([firstEventTime(trouble), since], now)
    const reason = foreignLine(text(trouble.reason), 60)
    const finding = within(GRACES.LoadBalancerFailed, from, now, reason, `has no address${why}`)
    return { ...nothing, findings: [{ ...finding, pod: '' }] }
  }
  return {
    ...nothing,
    waiting: isTakenUp(service, events)
      ? 'waiting for the address of its load balancer'
      : 'waiting for the address of its load balancer: nobody in the cluster has taken it up yet',
  }
}

/** The words of cloud providers' service controller, MetalLB and AWS' and other clouds' own controllers. */
const FAILED =
  /^(SyncLoadBalancerFailed|CreatingLoadBalancerFailed|AllocationFailed|FailedBuildModel|FailedDeployModel|.*LoadBalancer.*Failed)$/

/** Its controller has set a finalizer, or has said something. */
function isTakenUp({ metadata }: Service, events: readonly unknown[]): boolean {
  return events.length > 0 || (Array.isArray(metadata?.finalizers) && metadata.finalizers.length > 0)
}

/** Addresses that somebody else leads to the nodes. */
function hasOuterAddresses({ spec }: Service): boolean {
  return Array.isArray(spec?.externalIPs) && spec.externalIPs.length > 0
}

function hasAddress({ status }: Service): boolean {
  return list(status?.loadBalancer?.ingress).some(({ ip, hostname }) => text(ip) !== '' || text(hostname) !== '')
}
