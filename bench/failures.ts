// From the instant at which a failure was decided in the API to the verdict: releases that must fail, side by side, each in a namespace
// of its own. What decides is read by the bench itself from raw objects; only the graces' lengths are the judge's.
import type { ReplicaSet } from 'kubernetes-types/apps/v1.js'
import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.js'
import { GRACES, readinessGraceMs } from '../src/kubernetes/judge/grace.ts'
import { BenchNamespace, type Sleeper, sleeper } from './bench-namespace.ts'
import type { Measurement } from './measurement.ts'
import { type Change, Observer } from './observer.ts'

interface Seen {
  readonly pods: readonly Change<Pod>[]
  readonly replicaSets: readonly Change<ReplicaSet>[]
}

interface Failure {
  readonly name: string
  readonly reason: string
  readonly release: Omit<Sleeper, 'name' | 'version' | 'replicas'>
  /** Objects that are there before. */
  readonly before?: unknown
  /** The instant from which on the rule may fail the release: the fact seen, and its grace over. */
  readonly decided: (seen: Seen) => number
}

const NEVER = Number.POSITIVE_INFINITY
/** Starting them all in the same second would measure the machine. */
const APART_MS = 1_500

const NEVER_READY = { exec: { command: ['false'] }, periodSeconds: 2 }

const FAILURES: readonly Failure[] = [
  {
    name: 'image name that does not parse',
    reason: 'InvalidImageName',
    release: { image: 'Not A Name' },
    decided: ({ pods }) => waiting(pods, /^InvalidImageName$/) + GRACES.InvalidImageName.ms,
  },
  {
    name: 'program that is not in the image (second end)',
    reason: 'RunContainerError',
    release: { command: ['/no/such/program'] },
    decided: ({ pods }) => ends(pods, 2),
  },
  {
    name: 'memory limit too small (second end)',
    reason: 'OOMKilled',
    release: {
      command: ['sh', '-c', 'sleep 1; tail /dev/zero'],
      container: { resources: { limits: { memory: '16Mi' } } },
    },
    decided: ({ pods }) => ends(pods, 2),
  },
  {
    name: 'crash (third end)',
    reason: 'CrashLoopBackOff',
    release: { command: ['sh', '-c', 'exit 3'] },
    decided: ({ pods }) => ends(pods, 3),
  },
  {
    name: 'quota used up',
    reason: 'FailedCreate',
    release: {},
    before: { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard: { pods: '0' } } },
    decided: ({ replicaSets }) =>
      first(replicaSets, ({ status }) => status?.conditions?.some(({ type }) => type === 'ReplicaFailure') === true) +
      GRACES.FailedCreate.ms,
  },
  {
    name: 'Secret that is not there',
    reason: 'CreateContainerConfigError',
    release: { container: { envFrom: [{ secretRef: { name: 'nowhere' } }] } },
    decided: ({ pods }) =>
      Math.max(waiting(pods, /^CreateContainerConfigError$/), startable(pods) + GRACES.CreateContainerConfigError.ms),
  },
  {
    name: 'no node for the pod',
    reason: 'Unschedulable',
    release: { pod: { nodeSelector: { nowhere: 'true' } } },
    decided: ({ pods }) => first(pods, pod => hasCondition(pod, 'PodScheduled', 'False')) + GRACES.Unschedulable.ms,
  },
  {
    name: 'image that is not in the registry',
    reason: 'ErrImagePull',
    release: { image: '127.0.0.1:5000/bench/nowhere:1' },
    decided: ({ pods }) => waiting(pods, /^(ErrImagePull|ImagePullBackOff)$/) + GRACES.ErrImagePull.ms,
  },
  {
    name: 'never ready',
    reason: 'Unhealthy',
    release: { container: { readinessProbe: NEVER_READY } },
    decided: ({ pods }) => running(pods) + readinessGraceMs(NEVER_READY, undefined, false),
  },
]

export async function measureFailures(): Promise<Measurement[]> {
  const runs = FAILURES.map(async (failure, index) => {
    await new Promise(resolve => setTimeout(resolve, index * APART_MS))
    return measure(failure)
  })
  return Promise.all(runs)
}

async function measure({ name, reason, release, before, decided }: Failure): Promise<Measurement> {
  const namespace = await BenchNamespace.create()
  const observer = await Observer.start(namespace.env)
  try {
    if (before !== undefined) await namespace.kubectl(['apply', '-f', namespace.write('before.yml', JSON.stringify(before))])
    const [pods, replicaSets] = await Promise.all([
      observer.watch<Pod>(`/api/v1/namespaces/${namespace.name}/pods`),
      observer.watch<ReplicaSet>(`/apis/apps/v1/namespaces/${namespace.name}/replicasets`),
    ])
    const manifests = sleeper({ name: 'bad', version: 1, replicas: 1, ...release })
    const deploy = await namespace.deploy('bad', manifests, { 'on-failure': 'keep', 'stable-for': '10s', preflight: 'off' })
    const verdict = deploy.instantOf(/^Failed after /m)
    const said = deploy.result.outputs
    if (verdict === undefined || said['reason'] !== reason)
      return {
        name: `verdict: ${name}`,
        value: Number.NaN,
        unit: 's',
        atMost: 2,
        note: `not ${reason} but ${said['result']} ${said['reason']}`,
      }
    const at = decided({ pods: pods.changes(), replicaSets: replicaSets.changes() })
    return {
      name: `verdict: ${name}`,
      value: (verdict - at) / 1_000,
      unit: 's',
      atMost: 2,
      note: `${reason}, ${((verdict - deploy.begun) / 1_000).toFixed(1)} s after the start of the step`,
    }
  } finally {
    observer.stop()
    await namespace.remove()
  }
}

function first<T>(changes: readonly Change<T>[], is: (object: T) => boolean): number {
  return changes.find(({ object }) => is(object))?.at ?? NEVER
}

function hasCondition(pod: Pod, type: string, status: string): boolean {
  return pod.status?.conditions?.some(condition => condition.type === type && condition.status === status) === true
}

/** From here on the kubelet tries to start the containers. */
const startable = (pods: readonly Change<Pod>[]): number =>
  first(pods, pod => hasCondition(pod, 'PodReadyToStartContainers', 'True'))

const waiting = (pods: readonly Change<Pod>[], reason: RegExp): number =>
  first(pods, pod => pod.status?.containerStatuses?.some(({ state }) => reason.test(state?.waiting?.reason ?? '')) === true)

const running = (pods: readonly Change<Pod>[]): number =>
  first(pods, pod => pod.status?.containerStatuses?.some(({ state }) => state?.running !== undefined) === true)

/** When a container had ended so many times: its restarts, and one more while it is down. */
function ends(pods: readonly Change<Pod>[], times: number): number {
  const endsOf = ({ restartCount, state, lastState }: ContainerStatus): number =>
    (state?.terminated ?? lastState?.terminated) === undefined ? 0 : (restartCount ?? 0) + (state?.running === undefined ? 1 : 0)
  return first(pods, pod => pod.status?.containerStatuses?.some(status => endsOf(status) >= times) === true)
}
