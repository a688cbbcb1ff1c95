// Objects of a small release as the API server would send them, for what cannot be recorded. Times are in seconds after the release began.
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { Container, ContainerStatus, Event, Pod, PodCondition, PodSpec, PodStatus } from 'kubernetes-types/core/v1.js'
import type { DeploymentSnapshot } from '../../../src/kubernetes/judge/deployment.ts'

export const BEGAN = Date.UTC(2026, 0, 1)
/** ms of a time given in seconds. */
export const at = (seconds: number): number => BEGAN + seconds * 1_000
export const stamp = (seconds: number): string => new Date(at(seconds)).toISOString().replace(/\.\d+Z$/, 'Z')

const REVISION = 'deployment.kubernetes.io/revision'

export function deployment(
  spec: Record<string, unknown> = {},
  status: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): Deployment {
  return {
    metadata: { name: 'web', uid: 'd', generation: 2, annotations: { [REVISION]: '2' }, ...metadata },
    spec: { replicas: 1, selector: {}, template: {}, ...spec },
    status: { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1, ...status },
  } as unknown as Deployment
}

export function replicaSet(
  revision: number,
  more: { spec?: Record<string, unknown>; conditions?: readonly Record<string, unknown>[] } = {},
): ReplicaSet {
  return {
    metadata: { name: `web-${revision}`, uid: `rs${revision}`, annotations: { [REVISION]: String(revision) } },
    spec: { replicas: 1, selector: {}, ...more.spec },
    status: { replicas: 1, conditions: more.conditions ?? [] },
  } as unknown as ReplicaSet
}

export interface PodGiven {
  readonly name?: string
  readonly revision?: number
  readonly created?: number
  readonly container?: Partial<Container>
  readonly status?: Partial<ContainerStatus>
  readonly conditions?: readonly PodCondition[]
  readonly spec?: Partial<PodSpec>
  readonly podStatus?: Partial<PodStatus>
  readonly metadata?: Record<string, unknown>
}

export const condition = (type: string, status: 'True' | 'False', since = 0, more: Partial<PodCondition> = {}): PodCondition => ({
  type,
  status,
  lastTransitionTime: stamp(since),
  ...more,
})

export const running = (since: number): ContainerStatus['state'] & {} => ({ running: { startedAt: stamp(since) } })
export const waiting = (reason: string, message = ''): ContainerStatus['state'] & {} => ({ waiting: { reason, message } })
export const terminated = (exitCode: number, from: number, to: number, reason = 'Error'): ContainerStatus['state'] & {} => ({
  terminated: { exitCode, reason, startedAt: stamp(from), finishedAt: stamp(to) },
})

/** A pod that runs and is Ready, but for what is given. */
export function pod(given: PodGiven = {}): Pod {
  const { name = 'web-2-a', revision = 2, created = 0 } = given
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: stamp(created),
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `web-${revision}`, uid: `rs${revision}` }],
      ...given.metadata,
    },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'web:2', ...given.container }], ...given.spec },
    status: {
      phase: 'Running',
      conditions: given.conditions ?? [condition('PodScheduled', 'True', created), condition('Ready', 'True', created + 1)],
      containerStatuses: [
        {
          name: 'app',
          image: 'web:2',
          imageID: '',
          ready: true,
          started: true,
          restartCount: 0,
          state: running(created + 1),
          ...given.status,
        },
      ],
      ...given.podStatus,
    },
  } as unknown as Pod
}

export function event(of: string, reason: string, message: string, first: number, last = first, count = 1): Event {
  return {
    metadata: { name: `${of}.${reason}.${first}`, uid: `${of}.${reason}.${first}` },
    involvedObject: { uid: of },
    reason,
    message,
    firstTimestamp: stamp(first),
    lastTimestamp: stamp(last),
    count,
  } as unknown as Event
}

export function snapshot(
  pods: readonly Pod[],
  more: Partial<Omit<DeploymentSnapshot, 'events'>> & { readonly events?: readonly Event[] } = {},
): DeploymentSnapshot {
  const { events = [], ...rest } = more
  return {
    name: 'deployment/web',
    object: deployment(),
    generation: 2,
    since: BEGAN,
    replicaSets: [replicaSet(1), replicaSet(2)],
    pods,
    restartsBefore: () => 0,
    ...rest,
    events: uid => events.filter(candidate => candidate.involvedObject.uid === uid),
  }
}
