// Check: there is a node on which a pod of each template could ever run: its allocatable, selector, required affinity and taints. How full the nodes
// are is not looked at: that changes from minute to minute, and the scheduler preempts and waits.
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { KubernetesObject } from '../objects.ts'
import type { ClusterReads } from './cluster-reads.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { rulesIn } from './limit-ranges.ts'
import { podResources } from './pod-resources.ts'
import { at, isRecord, type PodTemplate, podTemplates, positionOf, records } from './pod-templates.ts'
import { type Amounts, exceeds, formatAmount, parseQuantity, readAmounts } from './quantity.ts'

/** Set by Kubernetes itself for what passes: a node that starts, is cordoned, or is short of something just now. */
const PASSING_TAINT =
  /^node\.(cloudprovider\.)?kubernetes\.io\/|^ToBeDeletedByClusterAutoscaler$|^karpenter\.sh\/(disrupted|disruption|unregistered)$/

/** Why a pod can't run on a node, in the scheduler's words; undefined where it can. `passing`: only what the node is going through stands against it. */
export function misfit(
  node: Node,
  spec: PodSpec,
  requests: Amounts,
): { readonly why: string; readonly passing: boolean } | undefined {
  const labels = node.metadata?.labels ?? {}
  const final = (why: string): { why: string; passing: boolean } => ({ why, passing: false })
  const selects = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
  if (!selects || !affinityAllows(spec, node)) return final("didn't match Pod's node affinity/selector")
  const taints = (node.spec?.taints ?? []).filter(taint => taint.effect !== 'PreferNoSchedule')
  const untolerated = taints.filter(taint => !(spec.tolerations ?? []).some(toleration => tolerates(toleration, taint)))
  const lasting = untolerated.find(taint => !PASSING_TAINT.test(taint.key))
  if (lasting !== undefined) return final(`had untolerated taint {${lasting.key}: ${lasting.value ?? ''}}`)
  const allocatable = readAmounts(node.status?.allocatable)
  const short = Object.entries(requests).find(
    ([resource, amount]) =>
      amount > 0 && exceeds(amount, allocatable[resource] ?? (COUNTED.has(resource) ? Number.POSITIVE_INFINITY : 0)),
  )
  if (short !== undefined) {
    const [resource, amount] = short
    return final(
      `Insufficient ${resource} (${formatAmount(resource, amount)} asked for, ${formatAmount(resource, allocatable[resource] ?? 0)} at most)`,
    )
  }
  const [taint] = untolerated
  return taint === undefined ? undefined : { why: `had untolerated taint {${taint.key}: ${taint.value ?? ''}}`, passing: true }
}

/** Every node has these; one that does not say how much is not known to have none. */
const COUNTED = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods'])

function affinityAllows(spec: PodSpec, node: Node): boolean {
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return !Array.isArray(terms) || records(terms).some(([term]) => termAllows(term, node))
}

/** An empty term selects nothing (Kubernetes API, NodeSelectorTerm). */
function termAllows(term: NodeSelectorTerm, node: Node): boolean {
  const requirements = (list: unknown): readonly NodeSelectorRequirement[] =>
    records(list).map(([requirement]) => requirement as unknown as NodeSelectorRequirement)
  const expressions = requirements(term.matchExpressions)
  const fields = requirements(term.matchFields)
  if (expressions.length + fields.length === 0) return false
  const labels = node.metadata?.labels ?? {}
  return (
    expressions.every(requirement => allows(requirement, labels[requirement.key])) &&
    fields.every(requirement => allows(requirement, requirement.key === 'metadata.name' ? node.metadata?.name : undefined))
  )
}

function allows({ operator, values: given }: NodeSelectorRequirement, value: string | undefined): boolean {
  const values = Array.isArray(given) ? given : []
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
    case 'Lt': {
      const [own, bound] = [parseQuantity(value), parseQuantity(values[0])]
      return own !== undefined && bound !== undefined && (operator === 'Gt' ? own > bound : own < bound)
    }
    default:
      // A word of a newer Kubernetes: nothing is known against the node.
      return true
  }
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false
  const key = toleration.key ?? ''
  if (key === '') return toleration.operator === 'Exists'
  if (key !== taint.key) return false
  if (toleration.operator === 'Exists') return true
  // Operators of a newer Kubernetes (Gt, Lt) are taken to tolerate.
  if ((toleration.operator ?? 'Equal') !== 'Equal') return true
  return (toleration.value ?? '') === (taint.value ?? '')
}

/** Pods that the ordinary scheduler places now. A DaemonSet may well have no node; a pod of another scheduler, or with gates, is not ours to judge. */
export function isScheduled({ object, spec, namespace: _ }: PodTemplate): boolean {
  const gated = ((spec as { schedulingGates?: readonly unknown[] }).schedulingGates ?? []).length > 0
  const own = (spec.schedulerName ?? 'default-scheduler') === 'default-scheduler'
  return object.kind !== 'DaemonSet' && own && !gated && (spec.nodeName ?? '') === ''
}

/** What stands against a template on all nodes, or undefined where one of them fits. */
export function nodesFinding(nodes: readonly Node[], template: PodTemplate, requests: Amounts): PreflightFinding | undefined {
  const misfits = nodes.map(node => misfit(node, template.spec, requests))
  if (misfits.some(one => one === undefined)) return undefined
  const whys = Map.groupBy(
    misfits.map(one => one?.why ?? ''),
    why => why,
  )
  const list = [...whys]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([why, same]) => `${same.length} ${why.startsWith('Insufficient') ? '' : 'node(s) '}${why}`)
  return {
    reason: 'Unschedulable',
    message: `No node can take a pod of ${template.name}: 0/${nodes.length} nodes are available${list.length === 0 ? '' : `: ${foreignLine(list.slice(0, 5).join(', '), 600)}`}. Correct what the pod asks for, or add such a node.`,
    object: template.name,
    at: positionOf(template, []),
    mayYetArrive: misfits.some(one => one?.passing === true),
  }
}

export async function checkNodes(context: CheckContext): Promise<PreflightResult> {
  const templates = podTemplates(context.steps, context.namespace).filter(
    template => template.makesPods && template.plain && isScheduled(template),
  )
  if (templates.length === 0) return { findings: [], passedOver: [] }
  const overheads = Promise.all(templates.map(template => overheadOf(context, template)))
  const first = await misfitsAmong(context, templates, await overheads, 'first')
  if (first.found.length === 0) return { findings: [], passedOver: [] }
  const { found, nodes } = await misfitsAmong(context, templates, await overheads, 'all')
  if (found.length === 0) return { findings: [], passedOver: [] }
  const autoscaler = await autoscalerIn(context.reads, nodes)
  if (autoscaler === undefined) return { findings: found, passedOver: [] }
  return { findings: [], passedOver: found.map(({ message }) => `${message} ${autoscaler}`) }
}

/** The nodes of the first page that can take a pod of the template; undefined where nodes can't be read. */
export async function nodesFor(context: CheckContext, template: PodTemplate): Promise<readonly Node[] | undefined> {
  const reading = await context.reads.nodes('first')
  if ('unreadable' in reading) return undefined
  const spec = { ...template.spec, ...(await overheadOf(context, template)) }
  const { requests } = podResources(spec, await rulesIn(context, template.namespace))
  return ((reading.found ?? []) as unknown as readonly Node[]).filter(node => misfit(node, spec, requests) === undefined)
}

async function misfitsAmong(
  context: CheckContext,
  templates: readonly PodTemplate[],
  overheads: readonly Partial<PodSpec>[],
  which: 'first' | 'all',
): Promise<{ readonly found: readonly PreflightFinding[]; readonly nodes: readonly Node[] }> {
  const reading = await context.reads.nodes(which)
  if ('unreadable' in reading) return { found: [], nodes: [] }
  const nodes = (reading.found ?? []) as unknown as readonly Node[]
  const findings = await Promise.all(
    templates.map(async (template, index) => {
      const spec = { ...template.spec, ...overheads[index] }
      const { requests } = podResources(spec, await rulesIn(context, template.namespace))
      return nodesFinding(nodes, { ...template, spec }, requests)
    }),
  )
  return { found: findings.filter(finding => finding !== undefined), nodes }
}

/** What a RuntimeClass adds to its pods: its own resources, selector and tolerations. */
async function overheadOf({ reads }: CheckContext, { spec }: PodTemplate): Promise<Partial<PodSpec>> {
  const name = spec.runtimeClassName ?? ''
  if (name === '') return {}
  const reading = await reads.object('RuntimeClass', '', name)
  if ('unreadable' in reading || reading.found === undefined) return {}
  const overhead = at(reading.found, ['overhead', 'podFixed'])
  const scheduling = at(reading.found, ['scheduling'])
  const selector = at(scheduling, ['nodeSelector'])
  const tolerations = at(scheduling, ['tolerations'])
  return {
    ...(isRecord(overhead) ? { overhead: overhead as Record<string, string> } : {}),
    ...(isRecord(selector) ? { nodeSelector: { ...spec.nodeSelector, ...(selector as Record<string, string>) } } : {}),
    ...(Array.isArray(tolerations) ? { tolerations: [...(spec.tolerations ?? []), ...tolerations] } : {}),
  }
}

/** Marks that autoscalers and clouds which add nodes by themselves leave on nodes. */
const AUTOSCALED_NODE =
  /^(karpenter\.sh\/|cluster-autoscaler\.kubernetes\.io\/|cluster\.x-k8s\.io\/cluster-api-autoscaler|eks\.amazonaws\.com\/compute-type|cloud\.google\.com\/gke-provisioning|node\.gke\.io\/autopilot)/
const AUTOSCALER_GROUP =
  /^(karpenter\.(sh|k8s\.aws|azure\.com)|eks\.amazonaws\.com|autoscaling\.gke\.io|autoscaling\.openshift\.io)$/

/** A sentence on who may add nodes, or on why that is not known; undefined where nobody does. Read only when no node fits. */
export async function autoscalerIn(reads: ClusterReads, nodes: readonly Node[]): Promise<string | undefined> {
  const marked = nodes.some(({ metadata }) =>
    [...Object.keys(metadata?.labels ?? {}), ...Object.keys(metadata?.annotations ?? {})].some(key => AUTOSCALED_NODE.test(key)),
  )
  if (marked) return 'A node autoscaler is at work here and may add one.'
  const [groups, status] = await Promise.all([
    reads.path<{ groups?: readonly { readonly name: string }[] }>('/apis'),
    reads.path<KubernetesObject>('/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status'),
  ])
  if ('found' in groups && (groups.found?.groups ?? []).some(({ name }) => AUTOSCALER_GROUP.test(name)))
    return 'A node autoscaler is installed and may add one.'
  if ('found' in status) return status.found === undefined ? undefined : 'The cluster autoscaler may add one.'
  // Nodes of a laptop's cluster, or made by hand, come from no cloud: nobody adds any.
  const fromCloud = nodes.length === 0 || nodes.some(({ spec }) => /^(?!kind:|k3s:|minikube:)./.test(spec?.providerID ?? ''))
  return fromCloud ? 'Whether an autoscaler may add one could not be found out.' : undefined
}
