// The order in which objects are applied: tiers, each of which may need what the ones before it made. Removing goes the other way round.
import { groupOf, type KubernetesObject } from './objects.ts'

/**
 * Each tier's kinds in their order within it, `group/Kind`; the core API has no group. A whole group is written `group/*`.
 *
 * 1. Namespaces: all else lives in them.
 * 2. CustomResourceDefinitions: an object of a kind the server does not know yet is refused, so they must be Established before what follows.
 * 3. What must hold from the first second of what follows: quotas and policies before there is something to bound; a disruption budget and a
 *    NetworkPolicy have no gap then. Roles and accounts stand here because the next tier needs them to be there already: who may not do everything can
 *    bind a role only once it exists, and a token's Secret is removed where its account is missing.
 * 4. What pods read when they start; a Service before its pods, since its address becomes their environment and a StatefulSet's names need it. Custom
 *    resources that controllers turn into Secrets stand here too.
 * 5. Workloads, and every kind that is not known: most custom resources are workloads or belong to one.
 * 6. What leads traffic to workloads, scales or watches them: an autoscaler without its target reports errors, a route before its pods answers with
 *    errors; a webhook that answers from this very release would refuse the pods that are to serve it.
 */
const TIERS: readonly (readonly string[])[] = [
  ['/Namespace'],
  ['apiextensions.k8s.io/CustomResourceDefinition'],
  [
    'scheduling.k8s.io/PriorityClass',
    'node.k8s.io/RuntimeClass',
    'networking.k8s.io/IngressClass',
    'storage.k8s.io/*',
    'flowcontrol.apiserver.k8s.io/*',
    'networking.k8s.io/ServiceCIDR',
    '/ResourceQuota',
    '/LimitRange',
    'networking.k8s.io/NetworkPolicy',
    'cilium.io/*',
    'crd.projectcalico.org/*',
    'projectcalico.org/*',
    'policy/PodDisruptionBudget',
    '/ServiceAccount',
    'rbac.authorization.k8s.io/ClusterRole',
    'rbac.authorization.k8s.io/Role',
  ],
  [
    'rbac.authorization.k8s.io/ClusterRoleBinding',
    'rbac.authorization.k8s.io/RoleBinding',
    '/Secret',
    'external-secrets.io/*',
    'bitnami.com/SealedSecret',
    'secrets-store.csi.x-k8s.io/*',
    'cert-manager.io/ClusterIssuer',
    'cert-manager.io/Issuer',
    'cert-manager.io/Certificate',
    'argoproj.io/ClusterAnalysisTemplate',
    'argoproj.io/AnalysisTemplate',
    '/ConfigMap',
    '/PersistentVolume',
    '/PersistentVolumeClaim',
    'resource.k8s.io/*',
    '/Service',
    '/Endpoints',
    'discovery.k8s.io/EndpointSlice',
  ],
  [
    '/PodTemplate',
    'apps/DaemonSet',
    'apps/StatefulSet',
    'apps/Deployment',
    '/ReplicationController',
    'apps/ReplicaSet',
    '/Pod',
    'batch/Job',
    'batch/CronJob',
    '*',
  ],
  [
    'autoscaling/HorizontalPodAutoscaler',
    'autoscaling.k8s.io/*',
    'keda.sh/*',
    'gateway.networking.k8s.io/GatewayClass',
    'gateway.networking.k8s.io/Gateway',
    'gateway.networking.k8s.io/*',
    'networking.istio.io/*',
    'traefik.io/*',
    'networking.k8s.io/Ingress',
    'monitoring.coreos.com/*',
    'apiregistration.k8s.io/APIService',
    'admissionregistration.k8s.io/*',
  ],
]

interface Place {
  readonly tier: number
  readonly rank: number
}

const PLACES: ReadonlyMap<string, Place> = new Map(
  TIERS.flatMap((kinds, tier) => kinds.map((kind, rank) => [kind, { tier, rank }] as const)),
)
const UNKNOWN: Place = PLACES.get('*') ?? { tier: 0, rank: 0 }

function placeOf({ apiVersion, kind }: KubernetesObject): Place {
  const group = groupOf(apiVersion)
  return PLACES.get(`${group}/${kind}`) ?? PLACES.get(`${group}/*`) ?? UNKNOWN
}

/** Whether the object is applied before there are workloads: all that these need to start. */
export function isBeforeWorkloads(object: KubernetesObject): boolean {
  return placeOf(object).tier < UNKNOWN.tier
}

/** The objects in tiers, none of them empty; within a tier by kind, and within a kind in the order given. */
export function applyOrder(objects: readonly KubernetesObject[]): KubernetesObject[][] {
  const placed = objects.map(object => ({ object, ...placeOf(object) }))
  return TIERS.map((_, tier) =>
    placed
      .filter(each => each.tier === tier)
      .sort((a, b) => a.rank - b.rank)
      .map(({ object }) => object),
  ).filter(tier => tier.length > 0)
}
