// Which kinds are followed, what must be watched for each of them, and who judges them.
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js'
import type { CronJob, Job } from 'kubernetes-types/batch/v1.js'
import type { PersistentVolume, PersistentVolumeClaim, Pod, Service } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { groupOf, type KubernetesObject } from '../objects.ts'
import { judgeAutoscaler } from './autoscaler.ts'
import { judgeBarePod } from './bare-pod.ts'
import { judgeCertificate } from './certificate.ts'
import { judgeClaim } from './claim.ts'
import { judgeByConditions, judgeDefinition } from './conditions.ts'
import { judgeCronJob } from './cronjob.ts'
import { judgeDaemonSet, newestDaemonPods } from './daemonset.ts'
import { judgeDeployment, newestReplicaSet, podsOf } from './deployment.ts'
import { list, text } from './fields.ts'
import { judgeGateway, judgeRoute } from './gateway.ts'
import { judgeIngress } from './ingress.ts'
import { judgeJob } from './job.ts'
import { judgeKnative, KNATIVE_SERVICE, newestKnativePods } from './knative.ts'
import { judgeReplicaSet } from './replicaset.ts'
import { judgeRollout, newestRolloutPods } from './rollout.ts'
import { judgeService } from './service.ts'
import { judgeStatefulSet, updatedPods } from './statefulset.ts'
import { judgeVolume } from './volume.ts'
import type { Snapshot } from './workload.ts'

/** Kinds whose objects belong to a followed one. */
export type OwnedKind = 'ReplicaSet' | 'ControllerRevision' | 'Pod' | 'EndpointSlice'

export interface FollowedKind {
  /** Where its objects are listed, between the server and the namespace: `/apis/apps/v1`, and the plural. Undefined: the server is asked. */
  readonly collection?: readonly [prefix: string, plural: string]
  readonly owns: readonly OwnedKind[]
  /** Whether events are read. */
  readonly events: boolean
  /**
   * What becomes of it where the rights to watch it are missing. `none`: the release cannot be followed. `itself`: it goes unfollowed, which is said.
   * `rest`: that too, and what it owns and its events only add to what is said of it.
   */
  readonly dispensable: 'none' | 'itself' | 'rest'
  judge(snapshot: Snapshot, now: number): Judgement
  /** The pods of the newest revision. */
  pods(snapshot: Snapshot): readonly Pod[]
  /** The platform's own number or name of the newest revision. */
  revision?(snapshot: Snapshot): string | undefined
  /** What is true of it stays true when it is gone: a Job that has succeeded is removed after its time. */
  isDone?(object: KubernetesObject): boolean
}

interface OwnedCollection {
  readonly group: string
  readonly collection: readonly [prefix: string, plural: string]
  /** The label by which an object names its owner where nothing between the two is watched, and the owner's kind. */
  readonly label?: { readonly name: string; readonly owner: string }
}

export const OWNED_COLLECTIONS: Readonly<Record<OwnedKind, OwnedCollection>> = {
  ReplicaSet: { group: 'apps', collection: ['/apis/apps/v1', 'replicasets'] },
  ControllerRevision: { group: 'apps', collection: ['/apis/apps/v1', 'controllerrevisions'] },
  Pod: {
    group: '',
    collection: ['/api/v1', 'pods'],
    label: { name: KNATIVE_SERVICE, owner: 'serving.knative.dev/Service' },
  },
  EndpointSlice: { group: 'discovery.k8s.io', collection: ['/apis/discovery.k8s.io/v1', 'endpointslices'] },
}

const as = <T>(snapshot: Snapshot): Snapshot<T> => snapshot as unknown as Snapshot<T>

/** Of what owns nothing and runs nothing. */
const alone = { owns: [], events: false, dispensable: 'itself', pods: () => [] } as const

/** Released before it was followed, so it can go unfollowed as it did. */
const replicaSet = (collection: readonly [prefix: string, plural: string]): FollowedKind => ({
  collection,
  owns: ['Pod'],
  events: true,
  dispensable: 'itself',
  judge: (snapshot, now) => judgeReplicaSet(as<ReplicaSet>(snapshot), now),
  pods: ({ pods }) => pods,
})

const kinds: Readonly<Record<string, FollowedKind>> = {
  'apps/Deployment': {
    collection: ['/apis/apps/v1', 'deployments'],
    owns: ['ReplicaSet', 'Pod'],
    events: true,
    dispensable: 'none',
    judge: (snapshot, now) => judgeDeployment(as(snapshot), now),
    pods: snapshot => {
      const { object, replicaSets, pods } = as<Deployment>(snapshot)
      return object === undefined ? [] : podsOf(newestReplicaSet(object, replicaSets), pods)
    },
    revision: ({ object }) => object?.metadata.annotations?.['deployment.kubernetes.io/revision'],
  },
  'apps/StatefulSet': {
    collection: ['/apis/apps/v1', 'statefulsets'],
    owns: ['Pod'],
    events: true,
    dispensable: 'none',
    judge: (snapshot, now) => judgeStatefulSet(as(snapshot), now),
    pods: snapshot => updatedPods(as(snapshot)),
    revision: snapshot => text(as<StatefulSet>(snapshot).object?.status?.updateRevision) || undefined,
  },
  'apps/DaemonSet': {
    collection: ['/apis/apps/v1', 'daemonsets'],
    owns: ['ControllerRevision', 'Pod'],
    events: true,
    dispensable: 'none',
    judge: (snapshot, now) => judgeDaemonSet(as(snapshot), now),
    pods: snapshot => newestDaemonPods(as<DaemonSet>(snapshot)),
  },
  'batch/Job': {
    collection: ['/apis/batch/v1', 'jobs'],
    owns: ['Pod'],
    events: true,
    dispensable: 'none',
    judge: (snapshot, now) => judgeJob(as(snapshot), now),
    pods: ({ pods }) => pods,
    isDone: object =>
      list((object as unknown as Job).status?.conditions).some(({ type, status }) => type === 'Complete' && status === 'True'),
  },
  '/Pod': {
    collection: ['/api/v1', 'pods'],
    owns: [],
    events: true,
    dispensable: 'none',
    judge: (snapshot, now) => judgeBarePod(as(snapshot), now),
    pods: snapshot => list([as<Pod>(snapshot).object].flatMap(pod => pod ?? [])),
    isDone: object => (object as unknown as Pod).status?.phase === 'Succeeded',
  },
  '/PersistentVolumeClaim': {
    collection: ['/api/v1', 'persistentvolumeclaims'],
    owns: [],
    events: true,
    dispensable: 'itself',
    judge: (snapshot, now) => judgeClaim(as<PersistentVolumeClaim>(snapshot), now),
    pods: () => [],
  },
  'apiextensions.k8s.io/CustomResourceDefinition': {
    collection: ['/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions'],
    owns: [],
    events: false,
    dispensable: 'itself',
    judge: judgeDefinition,
    pods: () => [],
  },
  'apps/ReplicaSet': replicaSet(['/apis/apps/v1', 'replicasets']),
  '/ReplicationController': replicaSet(['/api/v1', 'replicationcontrollers']),
  '/PersistentVolume': {
    collection: ['/api/v1', 'persistentvolumes'],
    ...alone,
    judge: (snapshot, now) => judgeVolume(as<PersistentVolume>(snapshot), now),
  },
  'batch/CronJob': {
    collection: ['/apis/batch/v1', 'cronjobs'],
    ...alone,
    judge: (snapshot, now) => judgeCronJob(as<CronJob>(snapshot), now),
  },
  '/Service': {
    collection: ['/api/v1', 'services'],
    ...alone,
    owns: ['EndpointSlice'],
    events: true,
    judge: (snapshot, now) => judgeService(as<Service>(snapshot), now),
  },
  'networking.k8s.io/Ingress': {
    collection: ['/apis/networking.k8s.io/v1', 'ingresses'],
    ...alone,
    dispensable: 'rest',
    events: true,
    judge: (snapshot, now) => judgeIngress(as(snapshot), now),
  },
  'autoscaling/HorizontalPodAutoscaler': {
    collection: ['/apis/autoscaling/v2', 'horizontalpodautoscalers'],
    ...alone,
    judge: (snapshot, now) => judgeAutoscaler(as(snapshot), now),
  },
  'apiregistration.k8s.io/APIService': {
    collection: ['/apis/apiregistration.k8s.io/v1', 'apiservices'],
    ...alone,
    judge: judgeByConditions,
  },
  'argoproj.io/Rollout': {
    owns: ['ReplicaSet', 'Pod'],
    events: true,
    dispensable: 'rest',
    judge: judgeRollout,
    pods: newestRolloutPods,
    revision: ({ object }) => object?.metadata.annotations?.['rollout.argoproj.io/revision'],
  },
  'serving.knative.dev/Service': {
    owns: ['Pod'],
    events: true,
    dispensable: 'rest',
    judge: judgeKnative,
    pods: newestKnativePods,
  },
  'gateway.networking.k8s.io/Gateway': { ...alone, judge: judgeGateway },
  ...Object.fromEntries(
    ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute'].map(kind => [
      `gateway.networking.k8s.io/${kind}`,
      { ...alone, judge: judgeRoute },
    ]),
  ),
  'route.openshift.io/Route': { ...alone, judge: judgeRoute },
  'cert-manager.io/Certificate': { ...alone, judge: judgeCertificate },
}

const custom: FollowedKind = { ...alone, judge: judgeByConditions }
const knative: FollowedKind = { ...alone, judge: judgeKnative }

/** Kubernetes' own groups. What of them is not among the kinds above is as it should be as soon as it is there: a ConfigMap, a Role. */
const OWN_GROUPS = new Set([
  '',
  'apps',
  'batch',
  'autoscaling',
  'policy',
  'extensions',
  ...[
    'admissionregistration',
    'apiextensions',
    'apiregistration',
    'authentication',
    'authorization',
    'certificates',
    'coordination',
    'discovery',
    'events',
    'flowcontrol.apiserver',
    'internal.apiserver',
    'networking',
    'node',
    'rbac.authorization',
    'resource',
    'scheduling',
    'storage',
    'storagemigration',
  ].map(group => `${group}.k8s.io`),
])

/** How objects of a kind are followed; undefined of a kind that is not. */
export function followedKind(object: Pick<KubernetesObject, 'apiVersion' | 'kind'>): FollowedKind | undefined {
  const group = groupOf(object.apiVersion)
  if (OWN_GROUPS.has(group)) return kinds[`${group}/${object.kind}`]
  return kinds[`${group}/${object.kind}`] ?? (/(^|\.)knative\.dev$/.test(group) ? knative : custom)
}

/** Whether an object is a workload: something whose point is to run pods. */
export function runsPods(object: Pick<KubernetesObject, 'apiVersion' | 'kind'>): boolean {
  return POD_KINDS.has(`${groupOf(object.apiVersion)}/${object.kind}`)
}

const POD_KINDS = new Set([
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/DaemonSet',
  'apps/ReplicaSet',
  'batch/Job',
  '/Pod',
  '/ReplicationController',
  'argoproj.io/Rollout',
  'serving.knative.dev/Service',
])
