// Which kinds are followed, what must be watched for each of them, and who judges them.
import type { DaemonSet, Deployment, StatefulSet } from 'kubernetes-types/apps/v1.js'
import type { Job } from 'kubernetes-types/batch/v1.js'
import type { PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { groupOf, type KubernetesObject } from '../objects.ts'
import { judgeBarePod } from './bare-pod.ts'
import { judgeClaim } from './claim.ts'
import { judgeByConditions, judgeDefinition } from './conditions.ts'
import { judgeDaemonSet, newestDaemonPods } from './daemonset.ts'
import { judgeDeployment, newestReplicaSet, podsOf } from './deployment.ts'
import { list, text } from './fields.ts'
import { judgeJob } from './job.ts'
import { judgeStatefulSet, updatedPods } from './statefulset.ts'
import type { Snapshot } from './workload.ts'

/** Kinds whose objects belong to a followed one. */
export type OwnedKind = 'ReplicaSet' | 'ControllerRevision' | 'Pod'

export interface FollowedKind {
  /** Where its objects are listed, between the server and the namespace: `/apis/apps/v1`, and the plural. Undefined: the server is asked. */
  readonly collection?: readonly [prefix: string, plural: string]
  readonly owns: readonly OwnedKind[]
  /** Whether events are read. */
  readonly events: boolean
  judge(snapshot: Snapshot, now: number): Judgement
  /** The pods of the newest revision. */
  pods(snapshot: Snapshot): readonly Pod[]
  /** The platform's own number or name of the newest revision. */
  revision?(snapshot: Snapshot): string | undefined
  /** What is true of it stays true when it is gone: a Job that has succeeded is removed after its time. */
  isDone?(object: KubernetesObject): boolean
}

export const OWNED_COLLECTIONS: Readonly<Record<OwnedKind, readonly [prefix: string, plural: string]>> = {
  ReplicaSet: ['/apis/apps/v1', 'replicasets'],
  ControllerRevision: ['/apis/apps/v1', 'controllerrevisions'],
  Pod: ['/api/v1', 'pods'],
}

const as = <T>(snapshot: Snapshot): Snapshot<T> => snapshot as unknown as Snapshot<T>

const kinds: Readonly<Record<string, FollowedKind>> = {
  'apps/Deployment': {
    collection: ['/apis/apps/v1', 'deployments'],
    owns: ['ReplicaSet', 'Pod'],
    events: true,
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
    judge: (snapshot, now) => judgeStatefulSet(as(snapshot), now),
    pods: snapshot => updatedPods(as(snapshot)),
    revision: snapshot => text(as<StatefulSet>(snapshot).object?.status?.updateRevision) || undefined,
  },
  'apps/DaemonSet': {
    collection: ['/apis/apps/v1', 'daemonsets'],
    owns: ['ControllerRevision', 'Pod'],
    events: true,
    judge: (snapshot, now) => judgeDaemonSet(as(snapshot), now),
    pods: snapshot => newestDaemonPods(as<DaemonSet>(snapshot)),
  },
  'batch/Job': {
    collection: ['/apis/batch/v1', 'jobs'],
    owns: ['Pod'],
    events: true,
    judge: (snapshot, now) => judgeJob(as(snapshot), now),
    pods: ({ pods }) => pods,
    isDone: object =>
      list((object as unknown as Job).status?.conditions).some(({ type, status }) => type === 'Complete' && status === 'True'),
  },
  '/Pod': {
    collection: ['/api/v1', 'pods'],
    owns: [],
    events: true,
    judge: (snapshot, now) => judgeBarePod(as(snapshot), now),
    pods: snapshot => list([as<Pod>(snapshot).object].flatMap(pod => pod ?? [])),
    isDone: object => (object as unknown as Pod).status?.phase === 'Succeeded',
  },
  '/PersistentVolumeClaim': {
    collection: ['/api/v1', 'persistentvolumeclaims'],
    owns: [],
    events: true,
    judge: (snapshot, now) => judgeClaim(as<PersistentVolumeClaim>(snapshot), now),
    pods: () => [],
  },
  'apiextensions.k8s.io/CustomResourceDefinition': {
    collection: ['/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions'],
    owns: [],
    events: false,
    judge: judgeDefinition,
    pods: () => [],
  },
}

const custom: FollowedKind = { owns: [], events: false, judge: judgeByConditions, pods: () => [] }

/** Kubernetes' own groups. What of them is not among the kinds above is as it should be as soon as it is there: a ConfigMap, a Service, a CronJob. */
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
  return kinds[`${group}/${object.kind}`] ?? (OWN_GROUPS.has(group) ? undefined : custom)
}

/** Whether an object is a workload: something whose point is to run pods. */
export function runsPods(object: Pick<KubernetesObject, 'apiVersion' | 'kind'>): boolean {
  return POD_KINDS.has(`${groupOf(object.apiVersion)}/${object.kind}`)
}

const POD_KINDS = new Set(['apps/Deployment', 'apps/StatefulSet', 'apps/DaemonSet', 'batch/Job', '/Pod'])
