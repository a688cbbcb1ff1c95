// Check: each Service of the release selects some pods: of the release itself or live ones.
//
// A selector that contradicts every pod is a finding only where the release brings workloads of its own into that namespace: then it is a slip of the
// pen, and requests would go nowhere though every pod is well. Otherwise the pods may come with another release or be made by an operator, and labels
// that no template has may be set while the pods run (a leader's, a colour's): that is said, and is no failure.
import { foreignLine } from '../../runner/foreign-text.ts'
import { groupOf, type KubernetesObject, objectName } from '../objects.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { at, isRecord, objectsToBe, podTemplates, recordAt, toBe } from './pod-templates.ts'

type Labels = Readonly<Record<string, string>>

export type ServiceDecision = 'fine' | 'contradicts' | 'unknown'

export interface ServiceFacts {
  readonly selector: Labels
  /** Labels of the pods that the release's workloads make. */
  readonly templates: readonly Labels[]
  /** Labels of the live pods that stay. */
  readonly pods: readonly Labels[]
  /** Custom resources come with the release: their operators may make pods of any labels. */
  readonly withOperators: boolean
}

export function decideService({ selector, templates, pods, withOperators }: ServiceFacts): ServiceDecision {
  const selects = (labels: Labels): boolean => Object.entries(selector).every(([key, value]) => labels[key] === value)
  if ([...templates, ...pods].some(selects)) return 'fine'
  const contradicts = (labels: Labels): boolean =>
    Object.entries(selector).some(([key, value]) => labels[key] !== undefined && labels[key] !== value) ||
    Object.keys(selector).every(key => labels[key] === undefined)
  return templates.length > 0 && !withOperators && templates.every(contradicts) ? 'contradicts' : 'unknown'
}

export async function checkServices(context: CheckContext): Promise<PreflightResult> {
  const { steps, namespace: own } = context
  const services = steps.filter(
    step =>
      step.action !== 'delete' &&
      step.body.apiVersion === 'v1' &&
      step.body.kind === 'Service' &&
      selectorOf(toBe(step)) !== undefined,
  )
  const templates = podTemplates(steps, own)
  const withOperators = objectsToBe(steps).some(object => !MAKES_NO_PODS.test(groupOf(object.apiVersion)))
  const findings: PreflightFinding[] = []
  const passedOver: string[] = []
  await Promise.all(
    services.map(async step => {
      const object = toBe(step)
      const namespace = object.metadata.namespace ?? own
      const selector = selectorOf(object) ?? {}
      const mine = templates.filter(template => template.namespace === namespace)
      const facts = { selector, templates: mine.map(({ labels }) => labels), withOperators }
      if (decideService({ ...facts, pods: [] }) === 'fine') return
      const reading = await context.reads.list('Pod', namespace)
      if ('unreadable' in reading) return
      const replaced = mine.map(template => matchLabels(template.object)).filter(labels => labels !== undefined)
      const pods = (reading.found ?? []).filter(pod => stays(pod, replaced)).map(pod => pod.metadata.labels ?? {})
      const decision = decideService({ ...facts, pods })
      if (decision === 'fine') return
      const name = namespace === own ? objectName(object) : `${objectName(object)} in ${namespace}`
      const labels = foreignLine(
        Object.entries(selector)
          .map(([key, value]) => `${key}=${value}`)
          .join(','),
        300,
      )
      if (decision === 'unknown') {
        passedOver.push(`${name} selects no pod yet (${labels}): neither of this release nor a live one.`)
        return
      }
      const there = [...new Set(mine.map(template => `${template.name} has ${labelsText(template.labels)}`))]
      findings.push({
        reason: 'NoEndpoints',
        message: `${name} would select no pod: its selector is ${labels}, and ${foreignLine(there.slice(0, 3).join('; '), 500)}. Correct the selector or the pods' labels.`,
        object: name,
        at: step.position(['spec', 'selector']),
        mayYetArrive: false,
      })
    }),
  )
  return { findings, passedOver }
}

/** Groups whose objects make no pods but those of their templates. */
const MAKES_NO_PODS =
  /^(|apps|batch|autoscaling|policy|([a-z0-9-]+\.)*k8s\.io|argoproj\.io|([a-z]+\.)*(istio|traefik|keda|kyverno|cilium)\.io|monitoring\.coreos\.com|external-secrets\.io|cert-manager\.io|bitnami\.com)$/

/** Undefined where the Service selects nothing by itself: its endpoints are made by others, or it is a name for another one. */
function selectorOf(service: KubernetesObject): Labels | undefined {
  const selector = recordAt(service, ['spec', 'selector'])
  if (selector === undefined || Object.keys(selector).length === 0 || at(service, ['spec', 'type']) === 'ExternalName')
    return undefined
  return selector as Labels
}

export function matchLabels(workload: KubernetesObject): Labels | undefined {
  const labels = recordAt(workload, ['spec', 'selector', 'matchLabels'])
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : (labels as Labels)
}

/** A live pod that is not replaced by one of the release, and has not ended. */
function stays(pod: KubernetesObject, replaced: readonly Labels[]): boolean {
  const labels = isRecord(pod.metadata.labels) ? pod.metadata.labels : {}
  const phase = at(pod, ['status', 'phase'])
  if (phase === 'Succeeded' || phase === 'Failed') return false
  return !replaced.some(selector => Object.entries(selector).every(([key, value]) => labels[key] === value))
}

function labelsText(labels: Labels): string {
  const text = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  return text === '' ? 'no labels' : text
}
