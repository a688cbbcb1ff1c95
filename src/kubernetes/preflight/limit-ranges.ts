// Check: the release's new pods and claims keep within the LimitRanges of their namespace. The server's dry run sees a pod, not a template's pods.
import type { KubernetesObject } from '../objects.ts'
import { objectName } from '../objects.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import type { Resources } from './pod-resources.ts'
import { containerResources, type LimitRule, limitRules, podResources } from './pod-resources.ts'
import { containersOf, objectsToBe, type Path, type PodTemplate, podTemplates, positionOf } from './pod-templates.ts'
import { exceeds, formatAmount } from './quantity.ts'

/** What is outside of one rule, as the API server would say it. `what` is `Container` or `Pod`. */
export function outsideOf(rule: LimitRule, { requests, limits }: Resources): readonly string[] {
  const faults: string[] = []
  const amount = (resource: string, value: number | undefined): string =>
    value === undefined ? 'none is given' : `it is ${formatAmount(resource, value)}`
  for (const [resource, min] of Object.entries(rule.min)) {
    const bound = `minimum ${resource} usage per ${rule.type} is ${formatAmount(resource, min)}`
    const [request, limit] = [requests[resource], limits[resource]]
    if (request === undefined || exceeds(min, request)) faults.push(`${bound}, of requests ${amount(resource, request)}`)
    else if (limit !== undefined && exceeds(min, limit)) faults.push(`${bound}, of limits ${amount(resource, limit)}`)
  }
  for (const [resource, max] of Object.entries(rule.max)) {
    const bound = `maximum ${resource} usage per ${rule.type} is ${formatAmount(resource, max)}`
    const [request, limit] = [requests[resource], limits[resource]]
    if (limit === undefined || exceeds(limit, max)) faults.push(`${bound}, of limits ${amount(resource, limit)}`)
    else if (request !== undefined && exceeds(request, max)) faults.push(`${bound}, of requests ${amount(resource, request)}`)
  }
  for (const [resource, ratio] of Object.entries(rule.ratio)) {
    const [request, limit] = [requests[resource], limits[resource]]
    if (request === undefined || limit === undefined || request === 0) continue
    if (exceeds(limit / request, ratio))
      faults.push(
        `${resource} limit to request ratio per ${rule.type} is ${ratio} at most, it is ${Math.round((limit / request) * 100) / 100}`,
      )
  }
  return faults
}

/** All that is outside of the rules in one template. */
export function templateFindings(template: PodTemplate, rules: readonly LimitRule[]): readonly PreflightFinding[] {
  const finding = (rule: LimitRule, who: string, fault: string, path: Path): PreflightFinding => ({
    reason: 'FailedCreate',
    message: `No pod of ${template.name} can be created: ${fault} (${who}LimitRange ${rule.of} in namespace ${template.namespace}). Change the resources in the manifest, or the LimitRange.`,
    object: template.name,
    at: positionOf(template, path),
    mayYetArrive: false,
  })
  return rules.flatMap(rule => {
    if (rule.type === 'Container')
      return containersOf(template.spec).flatMap(({ container, path }) =>
        outsideOf(rule, containerResources(container, rules)).map(fault =>
          finding(rule, `container ${container.name}, `, fault, [...path, 'resources']),
        ),
      )
    if (rule.type !== 'Pod') return []
    return outsideOf(rule, podResources(template.spec, rules)).map(fault => finding(rule, '', fault, []))
  })
}

export async function checkLimitRanges(context: CheckContext): Promise<PreflightResult> {
  const templates = podTemplates(context.steps, context.namespace).filter(template => template.makesPods && template.plain)
  const findings = await Promise.all(
    templates.map(async template => templateFindings(template, await rulesIn(context, template.namespace))),
  )
  return { findings: findings.flat(), passedOver: [] }
}

/** The rules that will hold in a namespace: those of the release itself instead of the live ones of the same name. */
export async function rulesIn({ reads, steps, namespace: own }: CheckContext, namespace: string): Promise<readonly LimitRule[]> {
  const declared = objectsToBe(steps).filter(
    object => object.kind === 'LimitRange' && (object.metadata.namespace ?? own) === namespace,
  )
  const reading = await reads.list('LimitRange', namespace)
  const live = 'unreadable' in reading ? [] : (reading.found ?? [])
  const changed = new Set(declared.map(objectName))
  const goes = new Set(steps.filter(({ action }) => action === 'delete').map(({ body }) => objectName(body)))
  const stay = (object: KubernetesObject): boolean => !changed.has(objectName(object)) && !goes.has(objectName(object))
  return limitRules([...declared, ...live.filter(stay)])
}
