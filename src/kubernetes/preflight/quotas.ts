// Check: what the release adds fits into the ResourceQuotas of its namespaces. Only what cannot work is a finding: one new pod that has no room beside
// the old ones which must stay, a sum that is too large in the end, an object too many. Room that is only too small for the whole surge makes a
// rollout slower, and is said. A quota counts pods until they are gone, so that room which ending pods still take comes by itself: the rollout waits
// for those of its own workload, the others may yet be gone in time.
import type { Pod } from 'kubernetes-types/core/v1.js'
import { overdue } from '../judge/workload.ts'
import type { KubernetesObject } from '../objects.ts'
import { groupOf, objectName } from '../objects.ts'
import type { Step } from '../steps.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { rulesIn } from './limit-ranges.ts'
import { growthOf } from './pod-growth.ts'
import { containerResources, type LimitRule, podResources } from './pod-resources.ts'
import { at, containersOf, type PodTemplate, podTemplates, positionOf, recordAt, toBe } from './pod-templates.ts'
import { type Amounts, exceeds, formatAmount, plus, readAmounts, times } from './quantity.ts'
import { matchLabels } from './services.ts'

export interface Quota {
  readonly name: string
  readonly hard: Amounts
  readonly used: Amounts
  readonly scopes: readonly Scope[]
}

interface Scope {
  readonly name: string
  readonly operator: string
  readonly values: readonly string[]
}

export function readQuota(object: KubernetesObject): Quota {
  const spec = recordAt(object, ['spec'])
  const plain = Array.isArray(spec?.['scopes']) ? spec['scopes'] : []
  const selected = at(spec, ['scopeSelector', 'matchExpressions'])
  return {
    name: object.metadata.name,
    hard: readAmounts(at(object, ['status', 'hard']) ?? spec?.['hard']),
    used: readAmounts(at(object, ['status', 'used'])),
    scopes: [
      ...plain.map(name => ({ name: String(name), operator: 'Exists', values: [] })),
      ...(Array.isArray(selected) ? selected : []).map(one => ({
        name: String(at(one, ['scopeName'])),
        operator: String(at(one, ['operator'])),
        values: (at(one, ['values']) as string[] | undefined) ?? [],
      })),
    ],
  }
}

/** Whether the quota counts the pods of this template. Source: Kubernetes documentation, Resource Quotas, "Quota scopes". */
export function countsPod(quota: Quota, { spec }: Pick<PodTemplate, 'spec'>, rules: readonly LimitRule[]): boolean {
  return quota.scopes.every(scope => {
    switch (scope.name) {
      case 'Terminating':
      case 'NotTerminating':
        return (spec.activeDeadlineSeconds !== undefined) === (scope.name === 'Terminating')
      case 'BestEffort':
      case 'NotBestEffort': {
        const { requests, limits } = podResources(spec, rules)
        const asks = ['cpu', 'memory'].some(resource => (requests[resource] ?? 0) > 0 || (limits[resource] ?? 0) > 0)
        return asks === (scope.name === 'NotBestEffort')
      }
      case 'PriorityClass': {
        const own = spec.priorityClassName ?? ''
        if (scope.operator === 'Exists') return own !== ''
        if (scope.operator === 'DoesNotExist') return own === ''
        return scope.values.includes(own) === (scope.operator === 'In')
      }
      default:
        // A scope that isn't understood counts nothing here: nothing is guessed.
        return false
    }
  })
}

/** What one pod counts against a quota: `pods`, `requests.cpu` and `cpu`, `limits.memory`, ... */
export function podUsage(spec: PodTemplate['spec'], rules: readonly LimitRule[]): Amounts {
  const { requests, limits } = podResources(spec, rules)
  const usage: Record<string, number> = { pods: 1, 'count/pods': 1 }
  for (const [resource, amount] of Object.entries(requests)) usage[`requests.${resource}`] = amount
  for (const [resource, amount] of Object.entries(limits)) usage[`limits.${resource}`] = amount
  for (const resource of ['cpu', 'memory', 'ephemeral-storage'])
    if (requests[resource] !== undefined) usage[resource] = requests[resource]
  return usage
}

/** Resources that a container must state where a quota counts them: the server refuses its pod otherwise. */
const MUST_BE_STATED = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']

function unstated(quota: Quota, template: PodTemplate, rules: readonly LimitRule[]): string | undefined {
  if (recordAt(template.spec, ['resources']) !== undefined) return undefined
  for (const resource of MUST_BE_STATED.filter(name => quota.hard[name] !== undefined)) {
    const [kind, name] = resource.includes('.') ? resource.split('.') : ['requests', resource]
    for (const { container } of containersOf(template.spec)) {
      const { requests, limits } = containerResources(container, rules)
      if ((kind === 'limits' ? limits : requests)[name ?? ''] === undefined)
        return `ResourceQuota ${quota.name} in namespace ${template.namespace} counts ${resource}, and container ${container.name} states none`
    }
  }
  return undefined
}

export interface QuotaInput {
  readonly namespace: string
  readonly quotas: readonly Quota[]
  readonly templates: readonly PodTemplate[]
  readonly rules: readonly LimitRule[]
  /** Objects that the release adds (or takes away: -1), as a quota names them: `count/deployments.apps`, `services`. */
  readonly objects: readonly { readonly counts: Amounts; readonly step: Step; readonly name: string }[]
  /** Pods that are ending, and are counted until they are gone. */
  readonly ending?: readonly Pod[]
}

export function quotaFindings(input: QuotaInput): PreflightResult {
  const { namespace, quotas, templates, rules, ending = [] } = input
  const findings: PreflightFinding[] = []
  const passedOver: string[] = []
  for (const quota of quotas) {
    const counted = templates.filter(template => countsPod(quota, template, rules))
    const left = (resource: string, freed: Amounts = {}): number =>
      (quota.hard[resource] ?? 0) - (quota.used[resource] ?? 0) + (freed[resource] ?? 0)
    const short = (asked: Amounts, freed: Amounts = {}): string | undefined =>
      Object.keys(quota.hard).find(resource => exceeds(asked[resource] ?? 0, Math.max(0, left(resource, freed))))
    const freedBy = (pods: readonly Pod[]): Amounts =>
      pods
        .flatMap(({ spec }) => (spec !== undefined && countsPod(quota, { spec }, []) ? [podUsage(spec, [])] : []))
        .reduce<Amounts>(plus, {})
    const says = (resource: string, asked: number): string =>
      `${resource}: ${formatAmount(resource, asked)} more asked for, ${formatAmount(resource, Math.max(0, left(resource)))} of ${formatAmount(resource, quota.hard[resource] ?? 0)} left`
    const inQuota = `ResourceQuota ${quota.name} in namespace ${namespace}`
    const found = new Set<PodTemplate>()
    const add = (template: PodTemplate, message: string, mayYetArrive = false): void => {
      if (found.has(template)) return
      found.add(template)
      findings.push({
        reason: 'FailedCreate',
        message: `No pod of ${template.name} can be created: ${message}. Ask for less, or raise the quota.`,
        object: template.name,
        at: positionOf(template, []),
        mayYetArrive,
      })
    }
    let sum: Amounts = {}
    let biggest: PodTemplate | undefined
    for (const template of counted) {
      const silent = unstated(quota, template, rules)
      if (silent !== undefined) {
        add(template, silent)
        continue
      }
      const growth = growthOf(template)
      const each = podUsage(template.spec, rules)
      const old = template.before === undefined ? {} : podUsage(template.before, rules)
      const { before, after, mayGoFirst, surge } = growth ?? { before: 0, after: 0, mayGoFirst: 0, surge: 0 }
      const net = plus(times(each, after), times(old, -before))
      sum = plus(sum, net)
      biggest ??= template
      if (growth === undefined || after === 0) continue
      const first = plus(each, times(old, -mayGoFirst))
      const tooBig = short(first)
      // Pods that stay as they are take no more than they do: a quota that is overdrawn already stops only new ones.
      if (tooBig !== undefined && (template.changed || after > before)) {
        if (short(first, freedBy(ending.filter(pod => isOf(template, pod)))) === undefined)
          passedOver.push(
            `${inQuota} has room for a pod of ${template.name} only when those that are ending are gone: the rollout waits for them.`,
          )
        else {
          const mayYetArrive = short(first, freedBy(ending)) === undefined
          add(template, `${inQuota} has no room for one (${says(tooBig, first[tooBig] ?? 0)})`, mayYetArrive)
        }
      } else {
        const peak = plus(times(each, Math.min(surge, after)), {})
        const tight = short(peak)
        if (tight !== undefined && before > 0 && surge > 0)
          passedOver.push(
            `${inQuota} has no room for all the pods that ${template.name} may have beside its old ones while it rolls out (${says(tight, peak[tight] ?? 0)}): it goes slower.`,
          )
      }
    }
    const over = short(sum)
    if (over !== undefined && biggest !== undefined && found.size === 0) {
      const names = counted.map(({ name }) => name)
      const who = names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ')
      findings.push({
        reason: 'FailedCreate',
        message: `Not all pods of ${who} can be created: ${inQuota} is too small for them (${says(over, sum[over] ?? 0)}). Ask for less, or raise the quota.`,
        object: biggest.name,
        at: positionOf(biggest, []),
        mayYetArrive: short(sum, freedBy(ending)) === undefined,
      })
    }
    if (quota.scopes.length > 0) continue
    const total = input.objects.reduce<Amounts>((amounts, { counts }) => plus(amounts, counts), {})
    for (const [resource, asked] of Object.entries(total)) {
      if (quota.hard[resource] === undefined || asked <= 0 || !exceeds(asked, Math.max(0, left(resource)))) continue
      const last = input.objects.findLast(({ counts }) => (counts[resource] ?? 0) > 0)
      findings.push({
        // So the apply itself would be answered.
        reason: 'Forbidden',
        message: `${last?.name ?? 'The release'} cannot be created: ${inQuota} is full (${says(resource, asked)}). Remove what is not needed, or raise the quota.`,
        object: last?.name ?? '',
        at: last?.step.position([]),
        mayYetArrive: false,
      })
    }
  }
  return { findings, passedOver }
}

/** Whether the template's workload has made the pod. */
function isOf({ object }: PodTemplate, { metadata }: Pod): boolean {
  const labels = matchLabels(object)
  return labels !== undefined && Object.entries(labels).every(([label, value]) => metadata?.labels?.[label] === value)
}

/** Kinds that have a name of their own in quotas, beside `count/...`. */
const NAMED = new Set(['services', 'secrets', 'configmaps', 'persistentvolumeclaims', 'replicationcontrollers', 'resourcequotas'])

/** What an object that the release makes or removes counts against a quota. Pods are counted by their templates. */
export function objectUsage(step: Step, plural: string): Amounts {
  const object = toBe(step)
  const sign = step.action === 'delete' ? -1 : step.live === undefined ? 1 : 0
  const group = groupOf(object.apiVersion)
  if (sign === 0 || plural === 'pods') return {}
  const usage: Record<string, number> = { [`count/${plural}${group === '' ? '' : `.${group}`}`]: sign }
  if (group === '' && NAMED.has(plural)) usage[plural] = sign
  if (plural === 'services' && group === '') {
    const type = at(object, ['spec', 'type'])
    if (type === 'LoadBalancer') usage['services.loadbalancers'] = sign
    if (type === 'NodePort' || type === 'LoadBalancer') usage['services.nodeports'] = sign
  }
  if (plural === 'persistentvolumeclaims') {
    const storage = readAmounts(at(object, ['spec', 'resources', 'requests']))['storage']
    if (storage !== undefined) usage['requests.storage'] = sign * storage
  }
  return usage
}

export async function checkQuotas(context: CheckContext): Promise<PreflightResult> {
  const { steps, namespace: own, reads, api } = context
  const templates = podTemplates(steps, own).filter(template => template.makesPods && template.plain)
  const namespaces = new Set([
    ...templates.map(({ namespace }) => namespace),
    ...steps.flatMap(({ body }) => (body.metadata.namespace === undefined ? [] : [body.metadata.namespace])),
  ])
  const results = await Promise.all(
    [...namespaces].map(async namespace => {
      const [reading, rules] = await Promise.all([reads.list('ResourceQuota', namespace), rulesIn(context, namespace)])
      const live = 'unreadable' in reading ? [] : (reading.found ?? [])
      if (live.length === 0) return { findings: [], passedOver: [] }
      const inside = steps.filter(({ body }) => body.metadata.namespace === namespace)
      const objects = await Promise.all(
        inside.map(async step => {
          const plural = await pluralOf(api, step)
          return { counts: plural === undefined ? {} : objectUsage(step, plural), step, name: objectName(step.body) }
        }),
      )
      const input: QuotaInput = {
        namespace,
        quotas: live.map(readQuota),
        templates: templates.filter(template => template.namespace === namespace),
        rules,
        objects,
      }
      const result = quotaFindings(input)
      const pods = result.findings.some(({ reason }) => reason === 'FailedCreate')
        ? await reads.list('Pod', namespace)
        : undefined
      if (pods === undefined || 'unreadable' in pods) return result
      return quotaFindings({ ...input, ending: (pods.found as readonly Pod[]).filter(pod => isEnding(pod, api.now())) })
    }),
  )
  return { findings: results.flatMap(({ findings }) => findings), passedOver: results.flatMap(({ passedOver }) => passedOver) }
}

/** One that should be gone already may have a node that is gone: it frees nothing. */
function isEnding(pod: Pod, now: number): boolean {
  return pod.metadata?.deletionTimestamp != null && overdue([pod], now) === ''
}

/** A kind that comes with the release is not known yet; no quota can count it so far. */
async function pluralOf(api: CheckContext['api'], { body }: Step): Promise<string | undefined> {
  return api.resource(body.apiVersion, body.kind).then(
    ({ plural }) => plural,
    () => undefined,
  )
}
