// What is not a Deployment, instant by instant: each row is an object as the API server would send it, and what is said of it.
import { describe, expect, test } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { followedKind, runsPods } from '../../../src/kubernetes/judge/kinds.ts'
import { selects } from '../../../src/kubernetes/judge/service.ts'
import type { Snapshot } from '../../../src/kubernetes/judge/workload.ts'
import type { KubernetesObject } from '../../../src/kubernetes/objects.ts'
import { at, condition, event, type PodGiven, pod, running, stamp, terminated, waiting } from './objects.ts'
import { check, type Fields, failed, healthy, object, progressing, type Row, shown } from './tables.ts'

/** A pod of the given revision, owned by the workload. */
const podOf = (name: string, revision: string, more: PodGiven = {}): Pod =>
  pod({
    name,
    ...more,
    metadata: {
      labels: { 'controller-revision-hash': revision },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'X', name: 'web', uid: 'w', controller: true }],
      ...more.metadata,
    },
  })

const starting: PodGiven = {
  conditions: [condition('PodScheduled', 'True')],
  status: { ready: false, started: false, state: waiting('ContainerCreating') },
}
const crashed: PodGiven = {
  conditions: [condition('PodScheduled', 'True')],
  status: { ready: false, restartCount: 2, state: waiting('CrashLoopBackOff'), lastState: terminated(3, 8, 9) },
}
const unpullable: PodGiven = {
  conditions: [condition('PodScheduled', 'True')],
  status: { ready: false, state: waiting('ImagePullBackOff', 'Back-off pulling image "web:2": ErrImagePull: not found') },
}

describe('a StatefulSet', () => {
  const set = (spec: Fields = {}, status: Fields = {}, metadata: Fields = {}): KubernetesObject =>
    object(
      'apps/v1',
      'StatefulSet',
      { replicas: 2, ...spec },
      { observedGeneration: 2, replicas: 2, availableReplicas: 2, currentRevision: 'a', updateRevision: 'b', ...status },
      { generation: 2, ...metadata },
    )
  const both = [podOf('web-0', 'b'), podOf('web-1', 'b')]
  const half = [podOf('web-0', 'a'), podOf('web-1', 'b')]
  const partition = (from: number): Fields => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: from } } })
  const onDelete = { updateStrategy: { type: 'OnDelete' } }
  const crashing = [podOf('web-0', 'a'), podOf('web-1', 'b', crashed)]
  test.each<Row>([
    ['all is as it should be', shown(set(), both), 5, { ...healthy, ready: 2, total: 2, message: '' }],
    ['just made, nothing is said yet', shown(set({}, { observedGeneration: undefined }), []), 1, { ...progressing, total: 2 }],
    [
      'the change is not seen',
      shown(set({}, { observedGeneration: 1 }), both),
      1,
      { ...progressing, message: 'to see the change' },
    ],
    ['being deleted', shown(set({}, {}, { deletionTimestamp: stamp(1) }), both), 2, { ...failed, reason: 'NotFound' }],
    ['the first pod is on its way', shown(set(), [podOf('web-0', 'b', starting)]), 2, { ...progressing, message: 'pod web-0' }],
    ['one pod is replaced', shown(set(), half), 5, { ...progressing, message: '1 of 2 pods are of the new revision' }],
    [
      'the old pod is ending',
      shown(set(), [podOf('web-0', 'a', { metadata: { deletionTimestamp: stamp(3) } }), podOf('web-1', 'b')]),
      2,
      { ...progressing, message: '1 of 2 pods' },
    ],
    [
      'the new pod crashes',
      shown(set(), crashing),
      10,
      { ...failed, reason: 'CrashLoopBackOff', culprit: 'pod/web-1 container app', ready: 1 },
    ],
    [
      'the new pod has no image, and may yet have one',
      shown(set(), [podOf('web-0', 'b', unpullable)]),
      20,
      { ...progressing, reason: 'ErrImagePull', recheckAt: 45 },
    ],
    ['the new pod has no image', shown(set(), [podOf('web-0', 'b', unpullable)]), 45, { ...failed, reason: 'ErrImagePull' }],
    [
      'an old pod is sick, and holds up the update',
      shown(set(), [podOf('web-0', 'a'), podOf('web-1', 'a', crashed)]),
      20,
      { ...progressing, reason: 'CrashLoopBackOff', message: 'holds up the update', recheckAt: 30 },
    ],
    [
      'an old pod holds up the update for good',
      shown(set(), [podOf('web-0', 'a'), podOf('web-1', 'a', crashed)]),
      30,
      { ...failed, reason: 'CrashLoopBackOff', message: 'Delete it', culprit: 'pod/web-1 container app' },
    ],
    [
      'an old pod is sick, but pods are replaced side by side',
      shown(set({ podManagementPolicy: 'Parallel' }), [podOf('web-0', 'b'), podOf('web-1', 'a', crashed)]),
      60,
      { ...progressing, reason: '' },
    ],
    [
      'partition 1, done',
      shown(set(partition(1)), half),
      5,
      { ...healthy, message: '1 of 2 pods stay at the old revision (partition 1)' },
    ],
    [
      'partition 1, not done',
      shown(set(partition(1)), [podOf('web-0', 'a'), podOf('web-1', 'a')]),
      5,
      { ...progressing, message: '0 of 1' },
    ],
    ['partition 2, nothing to do', shown(set(partition(2)), [podOf('web-0', 'a'), podOf('web-1', 'a')]), 5, healthy],
    [
      'a sick pod below the partition is none of this release',
      shown(set(partition(1)), [podOf('web-0', 'a', crashed), podOf('web-1', 'b')]),
      60,
      healthy,
    ],
    [
      'ordinals that begin at 5',
      shown(set({ ...partition(1), ordinals: { start: 5 } }), [podOf('web-5', 'a'), podOf('web-6', 'b')]),
      5,
      healthy,
    ],
    [
      'OnDelete is not waited for',
      shown(set(onDelete), [podOf('web-0', 'a'), podOf('web-1', 'a')]),
      1,
      { ...healthy, message: 'OnDelete' },
    ],
    ['OnDelete, made anew', shown(set(onDelete), [podOf('web-0', 'b')]), 1, { ...progressing, message: '1 of 2 pods are there' }],
    ['OnDelete, and the new one crashes', shown(set(onDelete), crashing), 10, { ...failed, reason: 'CrashLoopBackOff' }],
    [
      'minReadySeconds are not over',
      shown(set({}, { availableReplicas: 1 }), both),
      5,
      { ...progressing, message: '1 of 2 pods are available' },
    ],
    ['one too many', shown(set({ replicas: 1 }), both), 5, { ...progressing, message: 'too many' }],
    ['none wanted', shown(set({ replicas: 0 }, { replicas: 0, availableReplicas: 0 }), []), 5, { ...healthy, total: 0 }],
    [
      'pods are refused',
      shown(set(), [], { events: [event('w', 'FailedCreate', 'create Pod web-0 failed: exceeded quota', 1, 15)] }),
      10,
      { ...progressing, reason: 'FailedCreate', message: 'exceeded quota', recheckAt: 21 },
    ],
    [
      'pods are refused for too long',
      shown(set(), [], { events: [event('w', 'FailedCreate', 'create Pod web-0 failed: exceeded quota', 1, 15)] }),
      21,
      { ...failed, reason: 'FailedCreate', culprit: '' },
    ],
    [
      'pods were refused, and are made now',
      shown(set(), both, {
        events: [event('w', 'FailedCreate', 'exceeded quota', 1, 15), event('w', 'SuccessfulCreate', 'create Pod web-0', 16)],
      }),
      25,
      healthy,
    ],
    [
      'pods were refused before this release',
      shown(set(), both, { events: [event('w', 'FailedCreate', 'exceeded quota', -60, -50)] }),
      25,
      healthy,
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a DaemonSet', () => {
  const set = (spec: Fields = {}, status: Fields = {}): KubernetesObject =>
    object(
      'apps/v1',
      'DaemonSet',
      spec,
      { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2, ...status },
      { generation: 2 },
    )
  const revision = (number: number, hash: string, owner = 'w'): Fields => ({
    revision: number,
    metadata: { labels: { 'controller-revision-hash': hash }, ownerReferences: [{ uid: owner }] },
  })
  const controllerRevisions = [revision(2, 'b'), revision(1, 'a'), revision(9, 'x', 'other')] as unknown as NonNullable<
    Snapshot['controllerRevisions']
  >
  const daemon = (given: KubernetesObject, pods: readonly Pod[], more: Parameters<typeof shown>[2] = {}): Snapshot =>
    shown(given, pods, { controllerRevisions, ...more })
  const both = [podOf('web-x', 'b'), podOf('web-y', 'b')]
  const onDelete = { updateStrategy: { type: 'OnDelete' } }
  test.each<Row>([
    ['all is as it should be', daemon(set(), both), 5, { ...healthy, ready: 2, total: 2, message: '' }],
    [
      'just made',
      shown(object('apps/v1', 'DaemonSet', {}, { desiredNumberScheduled: 0 })),
      1,
      { ...progressing, message: 'to see the change' },
    ],
    ['its revision is not known yet', shown(set(), both), 1, { ...progressing, message: '0 of 2' }],
    [
      'one is replaced',
      daemon(set({}, { updatedNumberScheduled: 1 }), [podOf('web-x', 'a'), podOf('web-y', 'b')]),
      5,
      { ...progressing, message: '1 of 2 pods are of the new revision', ready: 1 },
    ],
    [
      'one is starting',
      daemon(set(), [podOf('web-x', 'b'), podOf('web-y', 'b', starting)]),
      5,
      { ...progressing, message: 'pod web-y: containers are being created' },
    ],
    [
      'the new pod crashes',
      daemon(set({}, { updatedNumberScheduled: 1 }), [podOf('web-x', 'a'), podOf('web-y', 'b', crashed)]),
      10,
      { ...failed, reason: 'CrashLoopBackOff', culprit: 'pod/web-y container app' },
    ],
    [
      'the old pod crashes, and is not replaced yet',
      daemon(set({}, { updatedNumberScheduled: 1 }), [podOf('web-x', 'a', crashed), podOf('web-y', 'b')]),
      60,
      progressing,
    ],
    [
      'no node is wanted',
      daemon(set({}, { desiredNumberScheduled: 0, updatedNumberScheduled: 0, numberAvailable: 0 }), []),
      5,
      healthy,
    ],
    [
      'not available for long enough',
      daemon(set({}, { numberAvailable: 1 }), both),
      5,
      { ...progressing, message: '1 of 2 pods are available' },
    ],
    [
      'OnDelete is not waited for',
      daemon(set(onDelete, { updatedNumberScheduled: 0 }), [podOf('web-x', 'a'), podOf('web-y', 'a')]),
      1,
      { ...healthy, message: '2 of 2 pods stay at the old revision' },
    ],
    [
      'pods are refused for too long',
      daemon(set({}, { updatedNumberScheduled: 0 }), [], { events: [event('w', 'FailedCreate', 'is forbidden: quota', 1, 19)] }),
      21,
      { ...failed, reason: 'FailedCreate' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a Job', () => {
  const job = (status: Fields = {}, spec: Fields = {}, metadata: Fields = {}): KubernetesObject =>
    object('batch/v1', 'Job', { backoffLimit: 1, ...spec }, status, { generation: 1, ...metadata })
  const is = (type: string, reason = '', message = '', since = 5): Fields => ({
    conditions: [{ type, status: 'True', reason, message, lastTransitionTime: stamp(since) }],
  })
  const ended = (exitCode: number, more: Fields = {}): Pod =>
    podOf('web-x', '', {
      status: { ready: false, state: terminated(exitCode, 1, 2) },
      podStatus: { phase: exitCode === 0 ? 'Succeeded' : 'Failed', ...more },
    })
  const never = { restartPolicy: 'Never' }
  test.each<Row>([
    ['it has succeeded', shown(job({ ...is('Complete'), succeeded: 1 })), 6, { ...healthy, ready: 1, total: 1 }],
    ['it will have succeeded', shown(job({ ...is('SuccessCriteriaMet'), succeeded: 1 })), 6, healthy],
    [
      'it has succeeded, and is being removed',
      shown(job({ ...is('Complete'), succeeded: 1 }, {}, { deletionTimestamp: stamp(7) })),
      8,
      healthy,
    ],
    [
      'it is being removed by somebody',
      shown(job({}, {}, { deletionTimestamp: stamp(7) })),
      8,
      { ...failed, reason: 'NotFound' },
    ],
    ['it has no pod yet', shown(job()), 1, { ...progressing, message: 'waiting for a pod' }],
    [
      'it runs',
      shown(job({ active: 1 }), [podOf('web-x', '', { spec: never })]),
      500,
      { ...progressing, reason: '', message: 'pod web-x: is running' },
    ],
    [
      'one try failed, another runs',
      shown(job({ failed: 1 }), [ended(3), podOf('web-y', '', { spec: never })]),
      9,
      { ...progressing, message: '1 of 2 tries failed, the last: container app ended with exit code 3' },
    ],
    [
      'all tries failed',
      shown(job({ ...is('Failed', 'BackoffLimitExceeded', 'Job has reached the limit'), failed: 2 }), [ended(3)]),
      9,
      {
        ...failed,
        reason: 'BackoffLimitExceeded',
        message: 'container app ended with exit code 3',
        culprit: 'pod/web-x container app',
      },
    ],
    [
      'it is about to be called failed',
      shown(job({ ...is('FailureTarget', 'PodFailurePolicy', 'exit code 42 matched'), failed: 1 }), [ended(42)]),
      9,
      { ...failed, reason: 'PodFailurePolicy', message: 'exit code 42' },
    ],
    [
      'its time is over, and its pod is gone',
      shown(job(is('Failed', 'DeadlineExceeded', 'Job was active longer than specified deadline'))),
      9,
      { ...failed, reason: 'DeadlineExceeded', message: 'active longer', culprit: '' },
    ],
    [
      'its program is not in the image',
      shown(job(is('Failed', 'BackoffLimitExceeded')), [
        podOf('web-x', '', {
          status: {
            ready: false,
            state: { terminated: { exitCode: 128, reason: 'StartError', message: 'exec: "x": not found' } },
          },
          podStatus: { phase: 'Failed' },
        }),
      ]),
      9,
      { ...failed, message: 'cannot be started: exec: "x": not found' },
    ],
    [
      'it was evicted',
      shown(job(is('Failed', 'BackoffLimitExceeded')), [
        ended(137, { reason: 'Evicted', message: 'The node was low on memory' }),
      ]),
      9,
      { ...failed, message: 'low on memory', culprit: 'pod/web-x' },
    ],
    [
      'it failed before this release',
      shown(job(is('Failed', 'BackoffLimitExceeded', '', -500)), [ended(3)]),
      2,
      { ...failed, message: 'It failed before this release' },
    ],
    [
      'its container is tried again in place: the Job counts, not we',
      shown(job({ active: 1 }), [podOf('web-x', '', { ...crashed, spec: { restartPolicy: 'OnFailure' } })]),
      60,
      { ...progressing, reason: 'CrashLoopBackOff' },
    ],
    [
      'a container beside has done its work',
      shown(job({ active: 1 }), [
        podOf('web-x', '', { spec: never, conditions: [], status: { ready: false, state: terminated(0, 1, 2, 'Completed') } }),
      ]),
      60,
      { ...progressing, reason: '' },
    ],
    [
      'its image is missing',
      shown(job({ active: 1 }), [podOf('web-x', '', unpullable)]),
      45,
      { ...failed, reason: 'ErrImagePull' },
    ],
    ['it is suspended', shown(job({}, { suspend: true })), 1, { ...healthy, message: 'is suspended' }],
    [
      'it is suspended by its queue',
      shown(job({}, { suspend: true }, { labels: { 'kueue.x-k8s.io/queue-name': 'q' } })),
      1,
      { ...progressing, message: 'its queue' },
    ],
    ['it was resumed', shown(job({ conditions: [{ type: 'Suspended', status: 'False' }] })), 1, progressing],
    ['two of three', shown(job({ succeeded: 2 }, { completions: 3 })), 1, { ...progressing, ready: 2, total: 3 }],
    [
      'its pods are refused',
      shown(job(), [], { events: [event('w', 'FailedCreate', 'maximum memory usage per Container is 64Mi, but', 1)] }),
      2,
      { ...failed, reason: 'FailedCreate' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a pod of nobody', () => {
  const bare = (given: PodGiven = {}): Snapshot => {
    const own = pod({ name: 'web', ...given })
    return shown({ ...(own as unknown as KubernetesObject), apiVersion: 'v1', kind: 'Pod' })
  }
  const once = { restartPolicy: 'Never' }
  const done = (exitCode: number): PodGiven => ({
    spec: once,
    conditions: [],
    status: { ready: false, state: terminated(exitCode, 1, 2) },
    podStatus: { phase: exitCode === 0 ? 'Succeeded' : 'Failed' },
  })
  test.each<Row>([
    ['it is Ready', bare(), 5, { ...healthy, ready: 1, total: 1 }],
    ['it starts', bare(starting), 5, progressing],
    ['it crashes', bare(crashed), 10, { ...failed, reason: 'CrashLoopBackOff' }],
    ['it is not always restarted, and runs', bare({ spec: once }), 500, { ...progressing, message: 'is yet to end' }],
    ['it is not always restarted, and has succeeded', bare(done(0)), 5, { ...healthy, ready: 1 }],
    [
      'it is not always restarted, and has failed',
      bare(done(3)),
      5,
      { ...failed, message: 'ended with exit code 3', culprit: 'pod/web container app' },
    ],
    [
      'it was evicted, and nobody makes it anew',
      bare({ podStatus: { phase: 'Failed', reason: 'Evicted', message: 'low on memory' } }),
      5,
      { ...failed, reason: 'Evicted' },
    ],
    ['it is being deleted', bare({ metadata: { deletionTimestamp: stamp(9) } }), 5, { ...failed, reason: 'NotFound' }],
    [
      'it is restarted on failure, and was once',
      bare({
        spec: { restartPolicy: 'OnFailure' },
        status: { restartCount: 1, state: running(4), lastState: terminated(1, 1, 2) },
      }),
      5,
      progressing,
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a PersistentVolumeClaim', () => {
  const claim = (phase: string, ...events: readonly ReturnType<typeof event>[]): Snapshot =>
    shown(object('v1', 'PersistentVolumeClaim', {}, { phase }), [], { events })
  const provisioning = event('w', 'ProvisioningFailed', 'storageclass "fast" not found', 2, 50)
  test.each<Row>([
    ['it is bound', claim('Bound'), 5, { ...healthy, ready: 1, total: 1 }],
    ['it is bound after all', claim('Bound', provisioning), 500, healthy],
    ['nothing is said yet', claim('Pending'), 5, { ...progressing, message: 'not bound' }],
    [
      'it waits for a pod',
      claim('Pending', event('w', 'WaitForFirstConsumer', 'waiting', 1)),
      5,
      { ...healthy, message: 'first pod' },
    ],
    [
      'no volume can be made, yet',
      claim('Pending', provisioning),
      59,
      { ...progressing, reason: 'ProvisioningFailed', recheckAt: 60 },
    ],
    ['no volume can be made', claim('Pending', provisioning), 60, { ...failed, message: 'storageclass "fast" not found' }],
    [
      'there is no volume for it, yet',
      claim('Pending', event('w', 'FailedBinding', 'no persistent volumes available', 1, 29)),
      29,
      { ...progressing, reason: 'FailedBinding', recheckAt: 30 },
    ],
    [
      'there is no volume for it',
      claim('Pending', event('w', 'FailedBinding', 'no persistent volumes available', 1, 29)),
      30,
      { ...failed, reason: 'FailedBinding' },
    ],
    [
      'it failed, and is tried again',
      claim('Pending', provisioning, event('w', 'Provisioning', 'is provisioning', 55)),
      70,
      progressing,
    ],
    ['its volume is lost', claim('Lost'), 5, { ...failed, reason: 'ClaimLost' }],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('by conditions', () => {
  const saying =
    (apiVersion: string, kind: string) =>
    (...conditions: readonly (readonly [string, string, string?])[]): Snapshot =>
      shown(
        object(
          apiVersion,
          kind,
          {},
          {
            conditions: conditions.map(([type, status, message = '']) => ({ type, status, message, reason: 'Because' })),
          },
        ),
      )
  const definition = saying('apiextensions.k8s.io/v1', 'CustomResourceDefinition')
  const custom = saying('example.com/v1', 'Database')
  const seen = (observedGeneration: number): Snapshot =>
    shown(object('example.com/v1', 'Database', {}, { observedGeneration }, { generation: 2 }))
  test.each<Row>([
    ['a definition is established', definition(['NamesAccepted', 'True'], ['Established', 'True']), 1, healthy],
    ['a definition is not yet established', definition(['NamesAccepted', 'True'], ['Established', 'False']), 1, progressing],
    [
      "a definition's names are taken",
      definition(['NamesAccepted', 'False', 'is already in use']),
      1,
      { ...failed, reason: 'Because', message: 'already in use' },
    ],
    ['an object without a status', shown(object('example.com/v1', 'Database', {}, undefined)), 1, healthy],
    ['an object whose status has no conditions', shown(object('example.com/v1', 'Database', {}, { size: 3 })), 1, healthy],
    ['an object that is Ready', custom(['Ready', 'True']), 1, { ...healthy, ready: 1 }],
    [
      'an object that is not Ready',
      custom(['Ready', 'False', 'no primary']),
      500,
      { ...progressing, reason: 'Because', message: 'no primary' },
    ],
    ['an object that does not know whether it is Ready', custom(['Ready', 'Unknown']), 1, progressing],
    ['an object that is not Available', custom(['Available', 'False']), 1, progressing],
    [
      'an object that is stalled',
      custom(['Ready', 'False'], ['Stalled', 'True', 'wrong key']),
      1,
      { ...failed, message: 'wrong key' },
    ],
    [
      'an object that is being reconciled',
      custom(['Ready', 'True'], ['Reconciling', 'True', 'step 2']),
      1,
      { ...progressing, message: 'step 2' },
    ],
    ['an object with conditions of its own', custom(['Excellent', 'False']), 1, healthy],
    ['an object whose controller is behind', seen(1), 1, { ...progressing, message: 'to see the change' }],
    ['an object whose controller is not behind', seen(2), 1, healthy],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

test.each<[apiVersion: string, kind: string, followed: boolean, workload: boolean]>([
  ['apps/v1', 'Deployment', true, true],
  ['apps/v1', 'StatefulSet', true, true],
  ['batch/v1', 'Job', true, true],
  ['v1', 'Pod', true, true],
  ['apps/v1', 'ReplicaSet', true, true],
  ['v1', 'ReplicationController', true, true],
  ['argoproj.io/v1alpha1', 'Rollout', true, true],
  ['argoproj.io/v1alpha1', 'AnalysisTemplate', true, false],
  ['batch/v1', 'CronJob', true, false],
  ['v1', 'Service', true, false],
  ['autoscaling/v2', 'HorizontalPodAutoscaler', true, false],
  ['apiregistration.k8s.io/v1', 'APIService', true, false],
  ['policy/v1', 'PodDisruptionBudget', false, false],
  ['v1', 'ConfigMap', false, false],
  ['networking.k8s.io/v1', 'Ingress', true, false],
  ['v1', 'PersistentVolumeClaim', true, false],
  ['gateway.networking.k8s.io/v1', 'HTTPRoute', true, false],
  ['serving.knative.dev/v1', 'Service', true, true],
  ['eventing.knative.dev/v1', 'Broker', true, false],
])('%s %s: followed %s, a workload %s', (apiVersion, kind, followed, workload) => {
  expect(followedKind({ apiVersion, kind }) !== undefined).toBe(followed)
  expect(runsPods({ apiVersion, kind })).toBe(workload)
})

describe('whatever the API answers, a judge has a word for it', () => {
  /** The value with each of its parts in turn replaced by something odd. */
  function* odd(value: unknown): Generator<unknown> {
    for (const other of [null, undefined, 7, 'x', [], {}, [null]]) yield other
    if (typeof value !== 'object' || value === null) return
    for (const [key, part] of Object.entries(value))
      for (const other of odd(part))
        yield Array.isArray(value)
          ? value.map((element, index) => (String(index) === key ? other : element))
          : { ...value, [key]: other }
  }
  const rich: Fields = {
    replicas: 2,
    updateRevision: 'b',
    desiredNumberScheduled: 1,
    updatedNumberScheduled: 1,
    phase: 'Pending',
    conditions: ['Failed', 'Ready', 'AbleToScale', 'Issuing'].map(type => ({
      type,
      status: 'False',
      reason: 'R',
      message: 'M',
      observedGeneration: 1,
      lastTransitionTime: stamp(1),
    })),
    currentPodHash: 'h',
    latestCreatedRevisionName: 'r',
    pauseConditions: [{ reason: 'CanaryPauseStep' }],
    parents: [{ parentRef: { name: 'p' }, conditions: [{ type: 'Accepted', status: 'False' }] }],
    listeners: [{ name: 'l', conditions: [{ type: 'Programmed', status: 'False' }] }],
    loadBalancer: { ingress: [{ ip: '' }] },
    lastFailureTime: stamp(1),
    containerStatuses: [{ name: 'app', restartCount: 1, state: terminated(1, 1, 2), lastState: terminated(1, 1, 2) }],
  }
  const spec: Fields = {
    replicas: 2,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
    ordinals: { start: 1 },
    backoffLimit: 1,
    restartPolicy: 'Never',
    containers: [{ name: 'app', ports: [{ name: 'http' }] }],
    type: 'LoadBalancer',
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    strategy: { canary: { steps: [{ pause: { duration: 3 } }] }, blueGreen: { autoPromotionSeconds: 3 } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', ports: [{ name: 'http' }] }] } },
  }
  const SLICES = [{ metadata: { name: 's' }, ports: [{ name: 'http' }], endpoints: [{ conditions: { ready: true } }] }]
  test.each([
    ['apps/v1', 'StatefulSet'],
    ['apps/v1', 'DaemonSet'],
    ['batch/v1', 'Job'],
    ['v1', 'Pod'],
    ['v1', 'PersistentVolumeClaim'],
    ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
    ['example.com/v1', 'Database'],
    ['apps/v1', 'ReplicaSet'],
    ['v1', 'ReplicationController'],
    ['v1', 'PersistentVolume'],
    ['v1', 'Service'],
    ['batch/v1', 'CronJob'],
    ['networking.k8s.io/v1', 'Ingress'],
    ['autoscaling/v2', 'HorizontalPodAutoscaler'],
    ['apiregistration.k8s.io/v1', 'APIService'],
    ['argoproj.io/v1alpha1', 'Rollout'],
    ['serving.knative.dev/v1', 'Service'],
    ['gateway.networking.k8s.io/v1', 'Gateway'],
    ['gateway.networking.k8s.io/v1', 'HTTPRoute'],
    ['cert-manager.io/v1', 'Certificate'],
  ])('%s %s', (apiVersion, kind) => {
    // Told once: some thousand objects are judged.
    const wrong: unknown[] = []
    const judge = (
      given: unknown,
      pods: readonly unknown[],
      before?: unknown,
      other: unknown = given,
      slices: unknown = SLICES,
    ): void => {
      const snapshot = {
        ...shown(object(apiVersion, kind, {}, {}), pods as readonly Pod[], { events: [event('w', 'R', 'M', 1)] }),
        object: given as KubernetesObject,
        before: before as KubernetesObject,
        selected: () => {
          const workload = { ...(other as KubernetesObject), apiVersion: 'apps/v1', kind: 'Deployment' }
          return selects(given as never, workload) ? [workload] : []
        },
        endpointSlices: slices as never,
      }
      const judgement = followedKind({ apiVersion, kind })?.judge(snapshot, at(100))
      const { phase = '', message, reason } = judgement ?? {}
      if (!['progressing', 'healthy', 'failed'].includes(phase) || typeof message !== 'string' || typeof reason !== 'string')
        wrong.push({ given, judgement })
    }
    const whole = object(apiVersion, kind, spec, { observedGeneration: 1, ...rich }, { generation: 1, labels: {} })
    const pods = [podOf('web-1', 'b', crashed), podOf('web-0', 'a', { podStatus: { phase: 'Failed' } })]
    for (const given of odd(whole))
      if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
        judge(given, pods)
        judge(whole, [], given, given)
      }
    if (kind === 'Service')
      for (const slices of odd(SLICES)) judge({ ...whole, spec: { ...spec, type: 'ClusterIP' } }, [], undefined, whole, slices)
    if (runsPods({ apiVersion, kind })) {
      for (const other of odd(pods[0])) if (typeof other === 'object' && other !== null) judge(whole, [other, pods[1]])
      for (const other of odd(pods[1])) if (typeof other === 'object' && other !== null) judge(whole, [pods[0], other])
    }
    expect(wrong).toEqual([])
  })
})
