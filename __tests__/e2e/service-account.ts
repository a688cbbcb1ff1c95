// Service accounts with just the rights that a test gives them, as kubeconfigs for the input of that name.
import type { TestNamespace } from './test-namespace.ts'

export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** Creates accounts, each with a Role of its own, or gives those that are there other Roles. */
export function grant(space: TestNamespace, accounts: Readonly<Record<string, readonly Rule[]>>): void {
  const objects = Object.entries(accounts).flatMap(([account, rules]) => {
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: account, namespace: space.name } }
    return [
      { ...rbac, kind: 'Role', rules },
      {
        ...rbac,
        kind: 'RoleBinding',
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
        subjects: [{ kind: 'ServiceAccount', name: account, namespace: space.name }],
      },
    ]
  })
  space.kubectl(['apply', '-f', '-'], true, objects.map(object => JSON.stringify(object)).join('\n---\n'))
}

/** The sandbox's kubeconfig, acting as the account: the API server asks for its rights as if it had logged in itself. */
export function kubeconfigOf(space: TestNamespace): (account: string) => string {
  const config = JSON.parse(space.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json'], false)) as {
    users: { user: object }[]
  }
  return account => {
    const as = `system:serviceaccount:${space.name}:${account}`
    return JSON.stringify({ ...config, users: config.users.map(user => ({ ...user, user: { ...user.user, as } })) })
  }
}

const all = (apiGroups: readonly string[], resources: readonly string[], verbs: readonly string[]): Rule => ({
  apiGroups,
  resources,
  verbs,
})

/** What the README of deploy-k8s asks for, of a release of a Deployment, a Service and a ConfigMap. */
export const RIGHTS: readonly Rule[] = [
  all([''], ['services', 'configmaps'], ['get', 'create', 'patch', 'update', 'delete']),
  all(['apps'], ['deployments'], ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete']),
  all(['apps'], ['replicasets'], ['list', 'watch']),
  all([''], ['pods', 'events'], ['list', 'watch']),
  all([''], ['pods/log'], ['get']),
  all([''], ['secrets'], ['get', 'list', 'create', 'patch', 'delete']),
  all(['coordination.k8s.io'], ['leases'], ['get', 'create', 'update', 'patch', 'delete']),
]

/** Rights without one verb on one resource. */
export function without(verb: string, resource: string, rights = RIGHTS): readonly Rule[] {
  return rights.flatMap(rule =>
    rule.resources.includes(resource)
      ? [
          { ...rule, resources: rule.resources.filter(other => other !== resource) },
          { ...rule, resources: [resource], verbs: rule.verbs.filter(other => other !== verb) },
        ].filter(({ resources, verbs }) => resources.length > 0 && verbs.length > 0)
      : [rule],
  )
}
