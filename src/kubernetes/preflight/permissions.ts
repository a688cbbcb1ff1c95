// Check: every right the release will need, the way back included, asked for all at once; with the Role that would grant what is missing.
import { ExpectedFailure, type FilePosition } from '../../runner/failure.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from '../api.ts'
import { failedOnTheWay } from '../api-failure.ts'
import { groupOf, objectName } from '../objects.ts'
import { isMadeAnew, type Step } from '../steps.ts'
import { isStatefulSet } from '../stuck-pods.ts'
import type { Rule } from './cluster-reads.ts'
import type { CheckContext, PreflightFinding, PreflightHelp, PreflightResult } from './finding.ts'

/** A right: some verbs on one kind of object, in one namespace or (empty) in the whole cluster. */
export interface Right {
  readonly group: string
  readonly resource: string
  readonly namespace: string
  readonly verb: string
  /** The objects it is needed for: a right may be given for these alone. Empty where it is needed for any. */
  readonly names: readonly string[]
  /** What needs it, for people. */
  readonly for: string
  readonly at?: FilePosition | undefined
}

/** An object's kind as the API names it. */
export interface ResourceName {
  readonly group: string
  readonly resource: string
  readonly namespaced: boolean
}

/** Workloads of the kinds that are followed, with what else is watched of them. */
const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  'apps/Deployment': ['apps/deployments', 'apps/replicasets'],
  'apps/StatefulSet': ['apps/statefulsets'],
  'apps/DaemonSet': ['apps/daemonsets', 'apps/controllerrevisions'],
  'batch/Job': ['batch/jobs'],
  '/Pod': [],
}

/**
 * Every right that the release's way needs: reading and applying each object, undoing that again, following the workloads, the record (a Secret) and
 * the lock (a Lease). Rights that are used only where they are there (logs, nodes, autoscalers) are not in it.
 */
export function rightsNeeded(
  steps: readonly Step[],
  { namespace, app }: Pick<CheckContext, 'namespace' | 'app'>,
  resourceOf: (step: Step) => ResourceName | undefined,
): readonly Right[] {
  const rights = new Map<string, Right & { names: string[] }>()
  const need = (of: Omit<Right, 'verb' | 'names'>, verbs: readonly string[], name = ''): void => {
    for (const verb of verbs) {
      const key = `${of.namespace}|${of.group}|${of.resource}|${verb}`
      const right = rights.get(key) ?? { ...of, verb, names: [] }
      // Creating and listing can't be granted by name.
      if (name !== '' && verb !== 'create') right.names.push(name)
      rights.set(key, right)
    }
  }
  for (const step of steps) {
    const found = resourceOf(step)
    if (found === undefined) continue
    const { group, resource } = found
    const object = step.body
    const within = found.namespaced ? (object.metadata.namespace ?? namespace) : ''
    need(
      { group, resource, namespace: within, for: objectName(object), at: step.position([]) },
      verbsFor(step),
      object.metadata.name,
    )
    const watched = step.action === 'delete' ? undefined : FOLLOWED[`${groupOf(object.apiVersion)}/${object.kind}`]
    if (watched === undefined) continue
    for (const path of [...watched, '/pods', '/events']) {
      const [watchedGroup = '', plural = ''] = path.split('/')
      const why = `following ${objectName(object)}`
      need({ group: watchedGroup, resource: plural, namespace: within, for: why }, ['list', 'watch'])
    }
    // Its pods that are stuck at the bad revision are in the way of the old one.
    if (isStatefulSet(object) && step.before !== undefined)
      need({ group: '', resource: 'pods', namespace: within, for: `putting back ${objectName(object)}` }, ['delete'])
  }
  need({ group: '', resource: 'secrets', namespace, for: 'the release record' }, ['list', 'create', 'patch'])
  const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace, for: 'the lock' }
  need(lease, ['create'])
  need(lease, ['get', 'update', 'patch', 'delete'], app === undefined ? '' : `${app}.deploy`)
  return [...rights.values()]
}

/** What taking the step and undoing it needs: a server-side apply is a patch, and a create too where the object is new. */
function verbsFor(step: Step): readonly string[] {
  const { action, live, before } = step
  const forward = {
    apply: ['patch', ...(live === undefined ? ['create'] : [])],
    put: live === undefined ? ['create'] : ['update', 'patch'],
    delete: ['delete'],
  }[action]
  const back = before === undefined ? ['delete'] : action === 'delete' ? ['create'] : ['update', 'patch']
  return [...new Set(['get', ...forward, ...back, ...(isMadeAnew(step) ? ['create', 'delete'] : [])])]
}

/** The findings for the rights that are missing: one for each kind and namespace. */
export function missingRights(missing: readonly Right[], who: string): readonly PreflightFinding[] {
  const groups = Map.groupBy(missing, ({ group, resource, namespace }) => `${namespace}|${group}|${resource}`)
  return [...groups.values()].map((rights): PreflightFinding => {
    const [{ group = '', resource = '', namespace = '', at } = {} as Partial<Right>] = rights
    const verbs = rights.map(({ verb }) => verb).join(', ')
    const what = group === '' ? resource : `${resource}.${group}`
    const where = namespace === '' ? 'in the whole cluster' : `in namespace ${namespace}`
    const reasons = [...new Set(rights.map(right => right.for))]
    const why = `${reasons.slice(0, 3).join(', ')}${reasons.length > 3 ? ` and ${reasons.length - 3} more` : ''}`
    const role = namespace === '' ? 'ClusterRole' : 'Role'
    return {
      reason: 'Forbidden',
      message: `${foreignLine(who, 200)} may not ${verbs} ${what} ${where}, which ${why} needs. A ${role} that grants it is in the log.`,
      object: reasons[0] ?? '',
      at,
      mayYetArrive: false,
    }
  })
}

/** The Roles that would grant the rights, with their bindings, as YAML. */
export function roleFor(missing: readonly Right[], who: string): readonly string[] {
  return [...Map.groupBy(missing, right => right.namespace)].flatMap(([namespace, rights], index) => [
    ...(index === 0 ? [] : ['---']),
    ...roleWithin(namespace, rights, who),
  ])
}

const ACCESS_REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
const ROLE_NAME = 'deploy-actions'

function roleWithin(namespace: string, rights: readonly Right[], who: string): readonly string[] {
  const kind = namespace === '' ? 'ClusterRole' : 'Role'
  const metadata = namespace === '' ? `{ name: ${ROLE_NAME} }` : `{ name: ${ROLE_NAME}, namespace: ${namespace} }`
  const byResource = Map.groupBy(rights, ({ group, resource }) => `${group}|${resource}`)
  const byVerbs = Map.groupBy(byResource.values(), own => `${own[0]?.group}|${own.map(({ verb }) => verb).join(', ')}`)
  const rules = [...byVerbs.values()].map(same => {
    const resources = same.map(own => own[0]?.resource ?? '').join(', ')
    const verbs = (same[0] ?? []).map(({ verb }) => verb).join(', ')
    return `  - { apiGroups: [${JSON.stringify(same[0]?.[0]?.group ?? '')}], resources: [${resources}], verbs: [${verbs}] }`
  })
  const [, , accountNamespace, account] = /^(system:serviceaccount):([^:]+):([^:]+)$/.exec(who) ?? []
  const subject =
    account === undefined
      ? `{ kind: User, apiGroup: rbac.authorization.k8s.io, name: ${JSON.stringify(foreignLine(who, 200))} }`
      : `{ kind: ServiceAccount, name: ${foreignLine(account, 200)}, namespace: ${foreignLine(accountNamespace ?? '', 200)} }`
  return [
    'apiVersion: rbac.authorization.k8s.io/v1',
    `kind: ${kind}`,
    `metadata: ${metadata}`,
    'rules:',
    ...rules,
    '---',
    'apiVersion: rbac.authorization.k8s.io/v1',
    `kind: ${kind}Binding`,
    `metadata: ${metadata}`,
    `roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ${kind}, name: ${ROLE_NAME} }`,
    `subjects: [${subject}]`,
  ]
}

export async function checkPermissions({ api, app, steps, namespace, signal, reads }: CheckContext): Promise<PreflightResult> {
  const names = new Map(await Promise.all(steps.map(async step => [step, await resourceName(api, step)] as const)))
  const rights = rightsNeeded(steps, { namespace, app }, step => names.get(step))
  const namespaces = [...new Set(rights.map(right => right.namespace))].filter(one => one !== '')
  const rules = new Map(await Promise.all(namespaces.map(async within => [within, await reads.rules(within)] as const)))
  const answers = await Promise.all(
    rights.map(async right => {
      const granted = (rules.get(right.namespace) ?? []).some(rule => grants(rule, right))
      return { right, allowed: granted || (await mayI(api, right, signal)) }
    }),
  )
  const missing = answers.filter(({ allowed }) => allowed === false).map(({ right }) => right)
  const unknown = answers.filter(({ allowed }) => allowed === undefined)
  const passedOver =
    unknown.length === 0
      ? []
      : [`The cluster would not say whether this run has the ${unknown.length} rights it needs; they were not checked.`]
  if (missing.length === 0) return { findings: [], passedOver }
  const who = await whoAmI(api, signal)
  const help: PreflightHelp = { title: 'Rights that are missing, as a Role that grants them', lines: roleFor(missing, who) }
  return { findings: missingRights(missing, who), passedOver, help }
}

/** A kind that comes with the release itself is not known to the cluster yet, and nothing can be said of rights to it. */
async function resourceName(api: KubernetesApi, { body }: Step): Promise<ResourceName | undefined> {
  try {
    const { group, plural, namespaced } = await api.resource(body.apiVersion, body.kind)
    return { group, resource: plural, namespaced }
  } catch (error) {
    if (error instanceof ExpectedFailure && error.reason === 'NotFound') return undefined
    if (error instanceof ApiFailure && !failedOnTheWay(error)) return undefined
    throw asExpectedFailure(error, 'Looking up the rights of this run')
  }
}

/** Whether a rule gives the right for every object of the kind. */
export function grants(rule: Rule, { verb, group, resource }: Right): boolean {
  const holds = (list: readonly string[] | undefined, word: string): boolean =>
    (list ?? []).some(one => one === '*' || one === word)
  if ((rule.resourceNames ?? []).length > 0) return false
  return holds(rule.verbs, verb) && holds(rule.apiGroups, group) && holds(rule.resources, resource)
}

/** Asked for the kind, and where that is refused for each of the objects. Undefined where the cluster does not say. */
async function mayI(api: KubernetesApi, right: Right, signal: AbortSignal): Promise<boolean | undefined> {
  const { group, resource, namespace, verb, names } = right
  const within = namespace === '' ? {} : { namespace }
  const ask = async (name: object): Promise<boolean> => {
    const spec = { resourceAttributes: { group, resource, verb, ...within, ...name } }
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec }
    const review = await api.request<{ status?: { allowed?: boolean } }>('POST', ACCESS_REVIEWS, { body, signal })
    return review.status?.allowed === true
  }
  try {
    if (await ask({})) return true
    if (names.length === 0) return false
    return (await Promise.all(names.map(name => ask({ name })))).every(allowed => allowed)
  } catch (error) {
    if (error instanceof ApiFailure && !failedOnTheWay(error)) return undefined
    throw asExpectedFailure(error, 'Looking up the rights of this run')
  }
}

/** The user's name as the cluster knows it. */
async function whoAmI(api: KubernetesApi, signal: AbortSignal): Promise<string> {
  try {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
    const review = await api.request<{ status?: { userInfo?: { username?: string } } }>(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { body, signal },
    )
    return review.status?.userInfo?.username ?? 'This run'
  } catch (error) {
    if (error instanceof ApiFailure) return 'This run'
    throw error
  }
}
