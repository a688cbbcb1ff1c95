// Check: the cluster would take a pod of each template in. A dry run of a Deployment asks nobody about its pods; what refuses these (pod security, policies,
// webhooks) is found by a dry run of the pod itself.
import { foreignLine } from '../../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure } from '../api.ts'
import { failedOnTheWay } from '../api-failure.ts'
import { groupOf } from '../objects.ts'
import type { CheckContext, PreflightFinding, PreflightResult, PreflightWarning } from './finding.ts'
import { type PodTemplate, podTemplates, positionOf, recordAt } from './pod-templates.ts'

export type AdmissionDecision = 'fine' | 'finding' | 'warning'

/** What other checks look at, with more knowledge than one pod's: quota, limits, accounts, classes. */
const OF_OTHER_CHECKS =
  /exceeded quota|failed quota|usage per (Container|Pod)|limit to request ratio|looking up service account|no PriorityClass with name|RuntimeClass .*not found/
/** Not a word about the pod. */
const SAYS_NOTHING = /cannot create resource "pods"|does not support dry run|failed calling webhook|being terminated/

/**
 * Pod security goes by the namespace and the pod alone, and so its word is final. A policy or a webhook may treat the controller that makes the pod
 * otherwise than the one who asks here: a warning.
 */
export function decideAdmission(status: number, message: string): AdmissionDecision {
  if (![400, 403, 422].includes(status) || OF_OTHER_CHECKS.test(message) || SAYS_NOTHING.test(message)) return 'fine'
  return /violates PodSecurity/.test(message) ? 'finding' : 'warning'
}

export async function checkAdmission(context: CheckContext): Promise<PreflightResult> {
  const templates = podTemplates(context.steps, context.namespace).filter(
    template => template.makesPods && template.changed && template.plain && makesPodsItself(template),
  )
  const results = await Promise.all(templates.map(template => tryPod(context, template)))
  return {
    findings: results.flatMap(({ finding }) => finding ?? []),
    passedOver: [],
    warnings: results.flatMap(({ warning }) => warning ?? []),
  }
}

/** A pod of nobody was tried by itself already; what Knative makes of its template is not the template. */
function makesPodsItself({ object }: PodTemplate): boolean {
  const group = groupOf(object.apiVersion)
  return group === 'apps' || group === 'batch' || (group === '' && object.kind === 'ReplicationController')
}

async function tryPod(
  { api, signal }: CheckContext,
  template: PodTemplate,
): Promise<{ finding?: PreflightFinding; warning?: PreflightWarning }> {
  const { object, namespace, labels, path, spec, name } = template
  const annotations = recordAt(object, [...path.slice(0, -1), 'metadata', 'annotations'])
  // Policies that forbid pods of nobody look at the owner.
  const owner = { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name, uid: NOBODY, controller: true }
  const metadata = { generateName: 'preflight-', namespace, labels, annotations, ownerReferences: [owner] }
  try {
    const pods = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`
    await api.request('POST', pods, { query: { dryRun: 'All' }, body: { apiVersion: 'v1', kind: 'Pod', metadata, spec }, signal })
    return {}
  } catch (error) {
    if (!(error instanceof ApiFailure) || failedOnTheWay(error))
      throw asExpectedFailure(error, 'Looking at the cluster before the change')
    const decision = decideAdmission(error.status, error.message)
    const at = positionOf(template, [])
    const said = foreignLine(error.message.replace(/^pods "[^"]*" is forbidden: /, ''), 600).replace(/\.$/, '')
    if (decision === 'warning')
      return {
        warning: {
          message: `A pod of ${name} would be refused to this run: ${said}. Whether its controller may make it is not known.`,
          at,
        },
      }
    if (decision === 'fine') return {}
    const message = `No pod of ${name} can be created: ${said}. Correct the pod's securityContext, or the namespace's labels.`
    return { finding: { reason: 'FailedCreate', message, object: name, at, mayYetArrive: false } }
  }
}

const NOBODY = '00000000-0000-0000-0000-000000000000'
