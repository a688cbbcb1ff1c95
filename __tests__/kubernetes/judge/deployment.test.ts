// What cannot be recorded from one small cluster: autoscalers, preemption, clocks that differ, fields that are not there, and instants that last a
// millisecond. Each row is one instant of one release.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Judgement } from '../../../src/deploy/verdict.ts'
import { type DeploymentSnapshot, judgeDeployment, newestReplicaSet } from '../../../src/kubernetes/judge/deployment.ts'
import { startTimes } from '../../../src/kubernetes/judge/pod.ts'
import {
  at,
  BEGAN,
  condition,
  deployment,
  event,
  type PodGiven,
  pod,
  replicaSet,
  running,
  snapshot,
  stamp,
  terminated,
  waiting,
} from './objects.ts'

type Expected = { readonly [Field in keyof Judgement]?: Judgement[Field] | undefined }
type Row = readonly [what: string, given: DeploymentSnapshot, seconds: number, expected: Expected]

/** `recheckAt` and `provenAt` are given in seconds. */
function check(given: DeploymentSnapshot, seconds: number, expected: Expected): void {
  const { recheckAt, provenAt, message, culprit, ...rest } = expected
  const judgement = judgeDeployment(given, at(seconds))
  expect(judgement).toMatchObject(rest)
  if (message !== undefined) expect(judgement.message).toContain(message)
  if (culprit !== undefined) expect(judgement.culprit).toBe(culprit)
  if ('recheckAt' in expected) expect(judgement.recheckAt).toBe(recheckAt === undefined ? undefined : at(recheckAt))
  if ('provenAt' in expected) expect(judgement.provenAt).toBe(provenAt === undefined ? undefined : at(provenAt))
}

const progressing = { phase: 'progressing' } as const
const failed = { phase: 'failed' } as const
const healthy = { phase: 'healthy', reason: '', culprit: '' } as const

describe('a Deployment', () => {
  const one = [pod()]
  const old = pod({ name: 'web-1-a', revision: 1, created: -500 })
  test.each<Row>([
    ['all is as it should be', snapshot(one), 5, { ...healthy, ready: 1, total: 1, disturbances: 'web-2-a:0' }],
    [
      'not seen yet, and not applied by us',
      snapshot([], { object: undefined, generation: 0 }),
      500,
      { ...progressing, message: 'not seen yet' },
    ],
    ['applied, and not seen yet', snapshot([], { object: undefined }), 5, { ...progressing, recheckAt: 60 }],
    [
      'applied, and gone',
      snapshot([], { object: undefined }),
      60,
      { ...failed, reason: 'NotFound', message: 'somebody else has deleted it' },
    ],
    [
      'being deleted',
      snapshot(one, { object: deployment({}, {}, { deletionTimestamp: stamp(1) }) }),
      2,
      { ...failed, reason: 'NotFound' },
    ],
    [
      'the controller has not seen the change',
      snapshot(one, { object: deployment({}, { observedGeneration: 1 }) }),
      5,
      { ...progressing, message: 'to see the change' },
    ],
    [
      'the watch has not brought our change',
      snapshot(one, { generation: 3 }),
      5,
      { ...progressing, message: 'to see the change' },
    ],
    [
      'somebody changed it again',
      snapshot(one, { object: deployment({}, {}, { generation: 3 }) }),
      5,
      { ...progressing, message: 'to see the change' },
    ],
    [
      'the ReplicaSet itself is refused',
      snapshot([], {
        object: deployment(
          {},
          {
            observedGeneration: 1,
            conditions: [{ type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message: 'exceeded quota' }],
          },
        ),
      }),
      5,
      { ...progressing, reason: 'ReplicaSetCreateError', message: 'exceeded quota' },
    ],
    [
      'the newest ReplicaSet is not there yet',
      snapshot([old], { replicaSets: [replicaSet(1)], object: deployment({}, { updatedReplicas: 0 }) }),
      1,
      { ...progressing, message: '0 of 1 pods are of the new' },
    ],
    [
      'its status is ahead of the pods that were told',
      snapshot([], { replicaSets: [replicaSet(1)] }),
      1,
      { ...progressing, ready: 0, message: '0 of 1 pods are ready' },
    ],
    [
      'no revision is written yet',
      snapshot([old], { object: deployment({}, {}, { annotations: {} }) }),
      1,
      { ...progressing, ready: 0 },
    ],
    ['no annotations at all', snapshot(one, { object: deployment({}, {}, { annotations: undefined }) }), 1, progressing],
    [
      'an old pod is not ended yet',
      snapshot([...one, old], { object: deployment({}, { replicas: 2 }) }),
      1,
      { ...progressing, message: '1 old pod is still to end' },
    ],
    [
      'an old pod is ending',
      snapshot([...one, { ...old, metadata: { ...old.metadata, deletionTimestamp: stamp(30) } }]),
      1,
      healthy,
    ],
    [
      'an old pod was killed in a good rollout',
      snapshot([
        ...one,
        pod({ name: 'web-1-a', revision: 1, podStatus: { phase: 'Failed' }, status: { state: terminated(137, 0, 1) } }),
      ]),
      1,
      healthy,
    ],
    [
      'an old pod crashes on: it was bad before, and goes',
      snapshot([
        ...one,
        pod({ name: 'web-1-a', revision: 1, status: { restartCount: 40, state: waiting('CrashLoopBackOff'), ready: false } }),
      ]),
      1,
      healthy,
    ],
    [
      'minReadySeconds are not over',
      snapshot(one, { object: deployment({ minReadySeconds: 10 }, { availableReplicas: 0 }) }),
      5,
      { ...progressing, message: '0 of 1 pods are available' },
    ],
    [
      'no replicas',
      snapshot([], { object: deployment({ replicas: 0 }, { replicas: 0, updatedReplicas: 0, availableReplicas: 0 }) }),
      1,
      { ...healthy, total: 0 },
    ],
    ['no number of replicas: one', snapshot(one, { object: deployment({ replicas: undefined }) }), 1, { ...healthy, total: 1 }],
    [
      'an autoscaler wants more of them',
      snapshot(one, { object: deployment({ replicas: 3 }) }),
      1,
      { ...progressing, ready: 1, total: 3, message: '1 of 3 pods are of the new' },
    ],
    ['paused', snapshot(one, { object: deployment({ paused: true }) }), 1, { ...failed, reason: 'DeploymentPaused' }],
    [
      'no progress',
      snapshot([], {
        object: deployment(
          { progressDeadlineSeconds: 20 },
          {
            updatedReplicas: 0,
            conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', lastUpdateTime: stamp(21) }],
          },
        ),
      }),
      22,
      { ...failed, reason: 'ProgressDeadlineExceeded', message: 'no progress for 20 s' },
    ],
    [
      'no progress in a release long ago: this one may have mended it',
      snapshot([], {
        object: deployment(
          {},
          {
            updatedReplicas: 0,
            conditions: [
              { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', lastUpdateTime: stamp(-900) },
            ],
          },
        ),
      }),
      22,
      progressing,
    ],
    [
      'no progress, told in the very second in which the release began',
      snapshot([], {
        since: BEGAN + 400,
        object: deployment(
          {},
          {
            updatedReplicas: 0,
            conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', lastUpdateTime: stamp(0) }],
          },
        ),
      }),
      1,
      { ...failed, reason: 'ProgressDeadlineExceeded' },
    ],
    [
      'no progress of another revision, told in the very second in which this one was put back',
      snapshot([], {
        since: BEGAN + 400,
        object: deployment(
          {},
          {
            updatedReplicas: 0,
            conditions: [
              {
                type: 'Progressing',
                status: 'False',
                reason: 'ProgressDeadlineExceeded',
                message: 'ReplicaSet "web-1" has timed out progressing.',
                lastUpdateTime: stamp(0),
              },
            ],
          },
        ),
      }),
      1,
      progressing,
    ],
    [
      'no progress, for its startup probe is not content yet',
      snapshot([pod({ conditions: [], status: { ready: false, started: false }, container: { startupProbe: {} } })], {
        object: deployment(
          { progressDeadlineSeconds: 20 },
          {
            conditions: [
              {
                type: 'Progressing',
                status: 'False',
                reason: 'ProgressDeadlineExceeded',
                message: 'ReplicaSet "web-2" has timed out progressing.',
                lastUpdateTime: stamp(21),
              },
            ],
          },
        ),
        events: [event('web-2-a', 'Unhealthy', 'Startup probe failed: HTTP probe failed with statuscode: 404', 6, 16)],
      }),
      22,
      {
        ...failed,
        reason: 'ProgressDeadlineExceeded',
        culprit: 'pod/web-2-a container app',
        message:
          'has not started yet: Startup probe failed: HTTP probe failed with statuscode: 404; no progress was made for 20 s',
      },
    ],
    [
      'no progress, and it can be told why',
      snapshot([pod({ conditions: [], status: { ready: false, state: waiting('ErrImagePull', 'not found') } })], {
        object: deployment(
          {},
          {
            conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', lastUpdateTime: stamp(21) }],
          },
        ),
      }),
      22,
      { ...failed, reason: 'ErrImagePull', culprit: 'pod/web-2-a container app' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))

  test.each([
    ['the Deployment carries its revision', deployment(), [replicaSet(1), replicaSet(2)], 'rs2'],
    [
      'it was undone: an old one is the newest',
      deployment({}, {}, { annotations: { 'deployment.kubernetes.io/revision': '3' } }),
      [replicaSet(3), replicaSet(2)],
      'rs3',
    ],
    [
      'the ReplicaSet was not told of its new revision yet',
      deployment({}, {}, { annotations: { 'deployment.kubernetes.io/revision': '3' } }),
      [replicaSet(1)],
      undefined,
    ],
    [
      'Recreate: the old one ends, there is no new one',
      deployment({ strategy: { type: 'Recreate' } }),
      [replicaSet(2, { spec: { replicas: 0 } })],
      undefined,
    ],
    [
      'Recreate, scaled to none',
      deployment({ replicas: 0, strategy: { type: 'Recreate' } }),
      [replicaSet(2, { spec: { replicas: 0 } })],
      'rs2',
    ],
  ])('its newest ReplicaSet: %s', (_, given, sets, uid) => expect(newestReplicaSet(given, sets)?.metadata?.uid).toBe(uid))
})

describe('pods that cannot be created', () => {
  const refused = (since: number, message = 'exceeded quota'): readonly ReturnType<typeof replicaSet>[] => [
    replicaSet(2, {
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: stamp(since) }],
    }),
  ]
  const none = { object: deployment({}, { updatedReplicas: 0 }) }
  const ending = (until: number): ReturnType<typeof pod> =>
    pod({ name: 'web-1-a', revision: 1, metadata: { deletionTimestamp: stamp(until) } })
  test.each<Row>([
    [
      'for less than its grace',
      snapshot([], { ...none, replicaSets: refused(1) }),
      20,
      { ...progressing, reason: 'FailedCreate', recheckAt: 21 },
    ],
    [
      'for longer',
      snapshot([], { ...none, replicaSets: refused(1) }),
      21,
      { ...failed, reason: 'FailedCreate', message: 'exceeded quota', culprit: '' },
    ],
    [
      'since long before the release, which may have raised the quota',
      snapshot([], { ...none, replicaSets: refused(-900) }),
      19,
      { ...progressing, recheckAt: 20 },
    ],
    [
      'while old pods that hold the quota end',
      snapshot([ending(30)], { ...none, replicaSets: refused(0) }),
      60,
      { ...progressing, recheckAt: 65 },
    ],
    [
      'just after the last of them went',
      snapshot([], { ...none, replicaSets: refused(0), lastPodGoneAt: at(33) }),
      60,
      { ...progressing, recheckAt: 71 },
    ],
    [
      'long after that',
      snapshot([], { ...none, replicaSets: refused(0), lastPodGoneAt: at(33) }),
      71,
      { ...failed, reason: 'FailedCreate' },
    ],
    [
      'as long as nobody has tried since they went: the next try is due after twice the time of the one before',
      snapshot([], {
        ...none,
        replicaSets: refused(0),
        lastPodGoneAt: at(49),
        events: [event('rs2', 'FailedCreate', 'exceeded quota', 0), event('rs2', 'FailedCreate', 'exceeded quota', 20, 42, 10)],
      }),
      103,
      { ...progressing, recheckAt: 131 },
    ],
    [
      'after a try that found room as little as the ones before',
      snapshot([], {
        ...none,
        replicaSets: refused(0),
        lastPodGoneAt: at(30),
        events: [event('rs2', 'FailedCreate', 'exceeded quota', 0, 42, 10)],
      }),
      65,
      { ...failed, reason: 'FailedCreate' },
    ],
    [
      'for a LimitRange: no time will mend it',
      snapshot([], {
        ...none,
        replicaSets: refused(1, 'pods "web" is forbidden: maximum memory usage per Container is 64Mi, but limit is 128Mi'),
      }),
      1,
      failed,
    ],
    [
      'for Pod Security: no time will mend it',
      snapshot([], {
        ...none,
        replicaSets: refused(
          1,
          'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        ),
      }),
      1,
      failed,
    ],
    [
      'and one that is there is fine',
      snapshot([pod()], { object: deployment({ replicas: 2 }), replicaSets: refused(1) }),
      21,
      { ...failed, ready: 1 },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a pod without a node', () => {
  const unscheduled = (more: { message?: string; since?: number; nominated?: string } = {}): ReturnType<typeof pod> =>
    pod({
      conditions: [
        condition('PodScheduled', 'False', more.since ?? 0, {
          reason: 'Unschedulable',
          message: more.message ?? '0/3 nodes: Insufficient cpu',
        }),
      ],
      spec: { nodeName: undefined as unknown as string },
      podStatus: {
        phase: 'Pending',
        containerStatuses: [],
        ...(more.nominated === undefined ? {} : { nominatedNodeName: more.nominated }),
      },
    })
  test.each<Row>([
    ['for a moment', snapshot([unscheduled()]), 10, { ...progressing, reason: 'Unschedulable', recheckAt: 30 }],
    [
      'for too long',
      snapshot([unscheduled()]),
      30,
      { ...failed, reason: 'Unschedulable', message: 'Insufficient cpu', culprit: 'pod/web-2-a' },
    ],
    ['since before the release', snapshot([unscheduled({ since: -600 })]), 29, { ...progressing, recheckAt: 30 }],
    [
      'the cluster autoscaler adds one',
      snapshot([unscheduled()], { events: [event('web-2-a', 'TriggeredScaleUp', 'pod triggered scale-up', 3)] }),
      500,
      { ...progressing, reason: 'Unschedulable', message: 'adds a node', recheckAt: undefined },
    ],
    [
      'Karpenter adds one',
      snapshot([unscheduled()], { events: [event('web-2-a', 'Nominated', 'Pod should schedule on: nodeclaim/x', 3)] }),
      500,
      { ...progressing, message: 'adds a node' },
    ],
    [
      'the cluster autoscaler does not',
      snapshot([unscheduled()], { events: [event('web-2-a', 'NotTriggerScaleUp', 'max node group size reached', 3)] }),
      30,
      failed,
    ],
    [
      'the autoscaler tried, and has given up',
      snapshot([unscheduled()], {
        events: [event('web-2-a', 'TriggeredScaleUp', '', 3), event('web-2-a', 'NotTriggerScaleUp', '', 400)],
      }),
      401,
      failed,
    ],
    [
      "another pod's scale-up is not its own",
      snapshot([unscheduled()], { events: [event('web-2-b', 'TriggeredScaleUp', '', 3)] }),
      30,
      failed,
    ],
    ['others are preempted for it', snapshot([unscheduled({ nominated: 'node-1' })]), 45, { ...progressing, recheckAt: 60 }],
    [
      'its claim is not bound yet',
      snapshot([unscheduled({ message: 'pod has unbound immediate PersistentVolumeClaims' })]),
      45,
      { ...progressing, recheckAt: 60 },
    ],
    [
      'an old pod holds its port, and takes a minute to end',
      snapshot([unscheduled(), pod({ name: 'web-1-a', revision: 1, metadata: { deletionTimestamp: stamp(60) } })]),
      80,
      { ...progressing, recheckAt: 90 },
    ],
    ['the old pod has just gone', snapshot([unscheduled()], { lastPodGoneAt: at(61) }), 62, { ...progressing, recheckAt: 91 }],
    [
      'held back by a gate',
      snapshot([
        pod({
          conditions: [condition('PodScheduled', 'False', 0, { reason: 'SchedulingGated' })],
          spec: { nodeName: undefined as unknown as string },
          podStatus: { containerStatuses: [] },
        }),
      ]),
      500,
      { ...progressing, reason: '', message: 'scheduling gate' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('pods that their node ended', () => {
  const ended = (name: string, created: number, reason = 'Evicted'): ReturnType<typeof pod> =>
    pod({
      name,
      created,
      podStatus: { phase: 'Failed', reason, message: 'The node was low on resource: memory. ', containerStatuses: [] },
    })
  const three = [ended('web-2-a', 0), ended('web-2-b', 5), ended('web-2-c', 9)]
  test.each<Row>([
    ['one evicted, and replaced', snapshot([ended('web-2-x', 0), pod()]), 10, healthy],
    ['one preempted, and not yet replaced', snapshot([ended('web-2-x', 0, 'Preempting')]), 10, progressing],
    ['one refused by its node', snapshot([ended('web-2-x', 0, 'NodeAffinity'), pod()]), 10, healthy],
    [
      'one after the other',
      snapshot(three),
      10,
      { ...failed, reason: 'Evicted', culprit: 'pod/web-2-c', message: '3 pods were ended by their node' },
    ],
    ['one after the other, but the last one lives', snapshot([...three, pod({ name: 'web-2-d' })]), 10, healthy],
    [
      'days ago',
      snapshot(three.map(one => ({ ...one, metadata: { ...one.metadata, creationTimestamp: stamp(-86_400) } }))),
      10,
      progressing,
    ],
    ['as many as there are to be', snapshot(three, { object: deployment({ replicas: 3 }) }), 10, progressing],
    ['one of many', snapshot([...three, pod({ name: 'web-2-d' })], { object: deployment({ replicas: 5 }) }), 10, progressing],
    [
      'a pod that somebody deletes',
      snapshot([pod({ metadata: { deletionTimestamp: stamp(5) } }), pod({ name: 'web-2-b' })]),
      3,
      healthy,
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a container that ends', () => {
  const down = (restartCount: number, exitCode: number, reason = 'Error'): ReturnType<typeof pod> =>
    pod({
      conditions: [],
      status: { ready: false, restartCount, state: waiting('CrashLoopBackOff'), lastState: terminated(exitCode, 1, 2, reason) },
    })
  const up = (restartCount: number): ReturnType<typeof pod> =>
    pod({ status: { restartCount, state: running(9), lastState: terminated(1, 1, 2) } })
  test.each<Row>([
    ['once, and is down', snapshot([down(0, 1)]), 3, { ...progressing, reason: 'CrashLoopBackOff', message: 'exit code 1' }],
    ['once, and is up again', snapshot([up(1)]), 20, { ...healthy, disturbances: 'web-2-a:1' }],
    ['twice, and is up again', snapshot([up(2)]), 20, healthy],
    ['three times', snapshot([down(2, 1)]), 20, { ...failed, message: '(3 times)' }],
    ['three times, two of them before the release', snapshot([down(2, 1)], { restartsBefore: () => 2 }), 20, progressing],
    [
      'never since the release, which changes nothing: it was down already',
      snapshot([down(7, 1)], { restartsBefore: () => 8, generation: 0 }),
      14,
      { ...progressing, reason: 'CrashLoopBackOff', message: '(8 times, most of them before', recheckAt: 15 },
    ],
    ['the same, and it stays down', snapshot([down(7, 1)], { restartsBefore: () => 8, generation: 0 }), 15, failed],
    [
      'never since the release, whose new ConfigMap may mend it at the next start',
      snapshot([down(7, 1)], { restartsBefore: () => 8 }),
      300,
      { ...progressing, reason: 'CrashLoopBackOff', recheckAt: 310 },
    ],
    ['the same, and the next start never came', snapshot([down(7, 1)], { restartsBefore: () => 8 }), 310, failed],
    ['once more since the release', snapshot([down(8, 1)], { restartsBefore: () => 8 }), 2, failed],
    [
      'never since the release, and not often before it',
      snapshot([down(2, 1)], { restartsBefore: () => 3 }),
      60,
      { ...progressing, reason: '', message: 'waits to be started again' },
    ],
    [
      'often before the release: it runs again',
      snapshot([pod({ status: { restartCount: 9, lastState: terminated(1, 0, 1) } })], { restartsBefore: () => 8 }),
      60,
      healthy,
    ],
    ['twice for want of its program', snapshot([down(1, 127)]), 3, { ...failed, message: 'command not found' }],
    [
      'twice for want of memory',
      snapshot([down(1, 137, 'OOMKilled')]),
      3,
      { ...failed, reason: 'OOMKilled', message: 'no limit of its own' },
    ],
    ['twice by a signal', snapshot([down(1, 137)]), 3, { ...progressing, message: 'SIGKILL' }],
    ['three times by a real-time signal', snapshot([down(2, 162)]), 3, { ...failed, message: '(signal 34)' }],
    [
      'three times, once for its probe and then by itself',
      snapshot([down(2, 1)], {
        events: [event('web-2-a', 'Killing', 'Container app failed liveness probe, will be restarted', 0)],
      }),
      20,
      { ...failed, reason: 'CrashLoopBackOff' },
    ],
    [
      'again and again, and its last end is forgotten',
      snapshot([pod({ conditions: [], status: { ready: false, restartCount: 5, state: waiting('CrashLoopBackOff') } })]),
      3,
      { ...failed, message: 'ends soon after every start' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))

  const run = (ends: number, from: number, more: PodGiven['status'] = {}, exitCode = 1): ReturnType<typeof pod> =>
    pod({
      conditions: [],
      status: {
        ready: false,
        restartCount: ends - 1,
        state: waiting('CrashLoopBackOff'),
        lastState: terminated(exitCode, from, from + 2),
        ...more,
      },
    })
  const startedAgain = { restartCount: 3, state: running(40) }
  const never = Number.POSITIVE_INFINITY
  test.each<[what: string, pod: ReturnType<typeof pod>, othersUp: number, expected: Expected]>([
    ['three times, while they are not', run(3, 12), never, { ...progressing, message: '(3 times, before all else' }],
    ['a fourth time, while they are not', run(4, 35), never, progressing],
    ['a fifth time, while they are not', run(5, 78), never, { ...failed, reason: 'CrashLoopBackOff', message: '(5 times)' }],
    ['three times, the last of it begun before they were', run(3, 12), 13, progressing],
    ['three times, the last of it begun in that very moment', run(3, 12), 11, progressing],
    ['three times, the last of it begun after they were', run(3, 12), 9, failed],
    ['a fourth time, begun after they were', run(4, 35), 20, failed],
    [
      'three times, and runs again',
      run(3, 12, { ...startedAgain }),
      20,
      { ...progressing, reason: '', message: 'not ready yet' },
    ],
    [
      'three times, and is Ready',
      pod({ status: { ...startedAgain, lastState: terminated(1, 12, 14) } }),
      20,
      { ...healthy, disturbances: 'web-2-a:3' },
    ],
    ['twice for want of its program, while they are not', run(2, 1, {}, 127), never, failed],
  ])('%s (what else is new in the release is up)', (_, given, othersUp, expected) =>
    check(snapshot([given], { othersUpSince: () => at(othersUp) }), 90, expected),
  )

  const withInit = (init: Record<string, unknown>, status: Record<string, unknown>): ReturnType<typeof pod> =>
    pod({
      conditions: [condition('PodScheduled', 'True')],
      spec: { initContainers: [{ name: 'init', ...init }] },
      podStatus: { initContainerStatuses: [{ name: 'init', image: '', imageID: '', ready: false, restartCount: 0, ...status }] },
      status: { ready: false, started: false, state: waiting('PodInitializing') },
    })
  test.each<Row>([
    [
      'an init container has done its work',
      snapshot([withInit({}, { state: terminated(0, 0, 1, 'Completed') })]),
      3,
      { ...progressing, reason: '' },
    ],
    [
      'an init container did it the second time',
      snapshot([withInit({}, { restartCount: 1, state: terminated(0, 0, 1, 'Completed'), lastState: terminated(1, 0, 1) })]),
      3,
      { ...progressing, reason: '' },
    ],
    [
      'an init container takes long',
      snapshot([withInit({}, { state: running(1) })]),
      300,
      { ...progressing, reason: '', message: 'init container init is running' },
    ],
    [
      'an init container fails',
      snapshot([withInit({}, { restartCount: 2, state: terminated(1, 0, 1) })]),
      3,
      { ...failed, culprit: 'pod/web-2-a container init' },
    ],
    [
      'a sidecar that ends, though well',
      snapshot([withInit({ restartPolicy: 'Always' }, { restartCount: 2, state: terminated(0, 0, 1, 'Completed') })]),
      3,
      { ...failed, message: 'meant to go on' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a container that waits', () => {
  const stuck = (reason: string, message = '', more: Parameters<typeof pod>[0] = {}): ReturnType<typeof pod> =>
    pod({
      conditions: [condition('PodScheduled', 'True', 0)],
      status: { ready: false, started: false, state: waiting(reason, message) },
      ...more,
    })
  const pull = (first: number): ReturnType<typeof event> =>
    event('web-2-a', 'Failed', 'Failed to pull image "web:2": not found', first)
  const initUntil = (seconds: number) => ({
    spec: { initContainers: [{ name: 'init' }] },
    podStatus: {
      initContainerStatuses: [
        { name: 'init', image: '', imageID: '', ready: true, restartCount: 0, state: terminated(0, 0, seconds, 'Completed') },
      ],
    },
  })
  test.each<Row>([
    [
      'for an image, within the grace',
      snapshot([stuck('ErrImagePull')]),
      44,
      { ...progressing, reason: 'ErrImagePull', recheckAt: 45 },
    ],
    ['for an image, beyond it', snapshot([stuck('ImagePullBackOff')]), 45, { ...failed, reason: 'ErrImagePull' }],
    [
      'for an image since last week: what this release changed may have mended it',
      snapshot([stuck('ImagePullBackOff', '', { created: -600_000, conditions: [condition('PodScheduled', 'True', -600_000)] })]),
      44,
      { ...progressing, recheckAt: 45 },
    ],
    [
      'for an image after an init container of a minute',
      snapshot([stuck('ErrImagePull', '', initUntil(60))]),
      80,
      { ...progressing, recheckAt: 105 },
    ],
    [
      'for an image whose pull broke off after three minutes',
      snapshot([stuck('ErrImagePull')], { events: [pull(180)] }),
      200,
      { ...progressing, recheckAt: 225 },
    ],
    [
      'for an image whose first pull failed at once',
      snapshot([stuck('ErrImagePull')], { events: [pull(1), pull(15), pull(44)] }),
      46,
      failed,
    ],
    [
      'for a sandbox first, then for an image',
      snapshot([
        stuck('ErrImagePull', '', {
          conditions: [condition('PodScheduled', 'True'), condition('PodReadyToStartContainers', 'True', 40)],
        }),
      ]),
      60,
      { ...progressing, recheckAt: 85 },
    ],
    [
      'for an image of another platform',
      snapshot([stuck('ErrImagePull', 'no match for platform in manifest: not found')]),
      2,
      { ...failed, message: 'no match for platform' },
    ],
    [
      'for a Secret',
      snapshot([stuck('CreateContainerConfigError', 'secret "x" not found')]),
      24,
      { ...progressing, recheckAt: 25 },
    ],
    [
      'as root, though it must not',
      snapshot([stuck('CreateContainerConfigError', 'container has runAsNonRoot and image will run as root')]),
      1,
      failed,
    ],
    [
      'as somebody it cannot tell from root',
      snapshot([
        stuck(
          'CreateContainerConfigError',
          'container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root',
        ),
      ]),
      1,
      failed,
    ],
    ['for an image that may not be pulled', snapshot([stuck('ErrImageNeverPull')]), 10, failed],
    ['for a reason nobody knows', snapshot([stuck('SomethingNew')]), 900, progressing],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))

  const mount = (reason: string, first: number, last = first): ReturnType<typeof event> =>
    event('web-2-a', reason, `${reason} of it`, first, last)
  test.each<Row>([
    [
      'a volume, within the grace',
      snapshot([stuck('ContainerCreating')], { events: [mount('FailedMount', 1)] }),
      35,
      { ...progressing, reason: 'FailedMount', recheckAt: 36 },
    ],
    [
      'a volume, and its container has no state at all',
      snapshot([stuck('', '', { status: { ready: false, state: {} } })], { events: [mount('FailedMount', 1)] }),
      36,
      failed,
    ],
    ['a volume, beyond it', snapshot([stuck('ContainerCreating')], { events: [mount('FailedMount', 1, 33)] }), 36, failed],
    [
      'a volume once, and then a slow image',
      snapshot([stuck('ContainerCreating')], { events: [mount('FailedMount', 1), event('web-2-a', 'Pulling', '', 8)] }),
      200,
      { ...progressing, reason: '' },
    ],
    [
      'a volume once, and then a sandbox',
      snapshot(
        [
          stuck('ContainerCreating', '', {
            conditions: [condition('PodScheduled', 'True'), condition('PodReadyToStartContainers', 'True', 9)],
          }),
        ],
        { events: [mount('FailedMount', 1)] },
      ),
      200,
      { ...progressing, reason: '' },
    ],
    [
      'a volume once, and then a slow init container',
      snapshot(
        [
          stuck('PodInitializing', '', {
            spec: { initContainers: [{ name: 'init' }] },
            podStatus: {
              initContainerStatuses: [{ name: 'init', image: '', imageID: '', ready: false, restartCount: 0, state: running(9) }],
            },
          }),
        ],
        { events: [mount('FailedMount', 1)] },
      ),
      200,
      { ...progressing, reason: '' },
    ],
    [
      'a disk that another node still has',
      snapshot([stuck('ContainerCreating')], { events: [mount('FailedAttachVolume', 1)] }),
      80,
      { ...progressing, recheckAt: 90 },
    ],
    [
      'a sandbox',
      snapshot([stuck('ContainerCreating')], { events: [mount('FailedCreatePodSandBox', 1)] }),
      60,
      { ...failed, reason: 'FailedCreatePodSandBox' },
    ],
    [
      "an earlier pod's volume",
      snapshot([stuck('ContainerCreating')], { events: [event('another-uid', 'FailedMount', '', 1)] }),
      200,
      { ...progressing, reason: '' },
    ],
  ])('for %s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('a container that is not ready', () => {
  const unready = (
    probe: Record<string, unknown>,
    more: { since?: number; lost?: number; startup?: Record<string, unknown>; started?: boolean } = {},
  ): ReturnType<typeof pod> =>
    pod({
      created: -500,
      conditions: [condition('PodScheduled', 'True', -500), condition('ContainersReady', 'False', more.lost ?? 0)],
      container: { readinessProbe: probe, ...(more.startup === undefined ? {} : { startupProbe: more.startup }) },
      status: { ready: false, started: more.started ?? true, state: running(more.since ?? 0) },
    })
  const said = (message: string, first: number, last = first): ReturnType<typeof event> =>
    event('web-2-a', 'Unhealthy', `Readiness probe failed: ${message}`, first, last)
  test.each<Row>([
    [
      'and no probe has failed yet',
      snapshot([unready({})]),
      5,
      { ...progressing, reason: '', message: 'runs but is not ready', recheckAt: 55 },
    ],
    [
      'by the numbers of Kubernetes',
      snapshot([unready({})], { events: [said('connection refused', 10, 50)] }),
      54,
      { ...progressing, reason: 'Unhealthy', recheckAt: 55 },
    ],
    [
      'and the time is over',
      snapshot([unready({})], { events: [said('connection refused', 10, 50)] }),
      55,
      { ...failed, reason: 'Unhealthy', message: 'connection refused' },
    ],
    ...(
      [
        ['and the version before took less', 30, 55, {}],
        ['and the version before took longer', 70, 105, {}],
        [
          'and the version before took longer, of which its startup probe says a part',
          70,
          115,
          { startup: { failureThreshold: 6 } },
        ],
        ['and the version before took longer than one and a half times', 120, 180, { startup: { failureThreshold: 6 } }],
      ] as const
    ).map(
      ([what, took, until, more]): Row => [
        what,
        snapshot([unready({}, more)], { tookBefore: name => (name === 'app' ? took * 1_000 : undefined) }),
        until - 1,
        { ...progressing, recheckAt: until },
      ],
    ),
    ['with a delay of its own', snapshot([unready({ initialDelaySeconds: 60 })]), 114, { ...progressing, recheckAt: 115 }],
    [
      'with a patient probe',
      snapshot([unready({ periodSeconds: 30, failureThreshold: 4 })]),
      179,
      { ...progressing, recheckAt: 180 },
    ],
    [
      'after a startup probe',
      snapshot([unready({}, { startup: { periodSeconds: 5, failureThreshold: 12 } })]),
      114,
      { ...progressing, recheckAt: 115 },
    ],
    [
      'while its startup probe runs',
      snapshot([unready({}, { startup: {}, started: false })]),
      900,
      { ...progressing, reason: '' },
    ],
    [
      'since it lost Ready, long after its start',
      snapshot([unready({}, { since: -400, lost: 100 })]),
      120,
      { ...progressing, recheckAt: 155 },
    ],
    [
      'since long before the release',
      snapshot([unready({}, { since: -400, lost: -300 })]),
      50,
      { ...progressing, recheckAt: 55 },
    ],
    [
      'because there is no such page',
      snapshot([unready({})], { events: [said('HTTP probe failed with statuscode: 404', 1, 21)] }),
      31,
      { ...failed, message: '404' },
    ],
    [
      'because there is no such page yet',
      snapshot([unready({})], {
        events: [said('connection refused', 1, 20), said('HTTP probe failed with statuscode: 404', 30)],
      }),
      31,
      { ...progressing, recheckAt: 55 },
    ],
    [
      'because there is no such page, and its probe is patient',
      snapshot([unready({ periodSeconds: 30, failureThreshold: 4 })], {
        events: [said('HTTP probe failed with statuscode: 404', 0, 90)],
      }),
      119,
      { ...progressing, recheckAt: 120 },
    ],
    [
      'because it is throttled',
      snapshot([unready({})], { events: [said('HTTP probe failed with statuscode: 429', 1, 31)] }),
      40,
      progressing,
    ],
    [
      'because a readiness gate is not open',
      snapshot([pod({ conditions: [condition('PodScheduled', 'True'), condition('Ready', 'False')] })]),
      900,
      { ...progressing, message: 'waiting to be Ready' },
    ],
    ['by a node whose clock is five minutes ahead', snapshot([unready({}, { since: 300 })]), 100, progressing],
    ['by a node whose clock is five minutes behind', snapshot([unready({}, { since: -300, lost: -300 })]), 54, progressing],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

test.each<[what: string, status: 'True' | 'False', readyAt: number, expected: [string, number][]]>([
  ['when it was ready', 'True', 71, [['app', 70_000]]],
  ['at once, without a probe', 'True', 1, []],
  ['it is not ready', 'False', 71, []],
  ['it was ready before, and lost it for a while', 'True', 500, []],
])('how long a container took to start: %s', (_, status, readyAt, expected) =>
  expect(startTimes(pod({ conditions: [condition('ContainersReady', status, readyAt)] }))).toEqual(expected),
)

describe('a liveness probe', () => {
  const alive = (
    since: number,
    restartCount = 0,
    probe: Record<string, unknown> = {},
    more: Record<string, unknown> = {},
  ): ReturnType<typeof pod> =>
    pod({
      container: { livenessProbe: probe, ...more },
      status: { state: running(since), restartCount, ...(restartCount === 0 ? {} : { lastState: terminated(137, 0, since) }) },
    })
  const fails = (first: number, last: number, kind = 'Liveness'): ReturnType<typeof event> =>
    event('web-2-a', 'Unhealthy', `${kind} probe failed: connection refused`, first, last, 3)
  const kills = (first: number, last = first, count = 1, kind = 'liveness'): ReturnType<typeof event> =>
    event('web-2-a', 'Killing', `Container app failed ${kind} probe, will be restarted`, first, last, count)
  test.each<Row>([
    ['has not been asked yet', snapshot([alive(1)]), 3, { ...healthy, provenAt: 14 }],
    ['must have been asked by now', snapshot([alive(1)]), 14, { ...healthy, provenAt: undefined }],
    [
      'that is asked late is waited for 15 s at most',
      snapshot([alive(1, 0, { initialDelaySeconds: 90 })]),
      3,
      { ...healthy, provenAt: 16 },
    ],
    ['that is asked often is soon proven', snapshot([alive(1, 0, { periodSeconds: 2 })]), 3, { ...healthy, provenAt: 6 }],
    [
      'fails',
      snapshot([alive(1)], { events: [fails(11, 11)] }),
      12,
      {
        ...progressing,
        reason: 'Unhealthy',
        message: 'may soon be killed: Liveness probe failed: connection refused',
        recheckAt: 24,
      },
    ],
    [
      'could not be asked, which is no failure',
      snapshot([alive(1)], {
        events: [event('web-2-a', 'Unhealthy', 'Liveness probe errored and resulted in unknown state', 11)],
      }),
      14,
      healthy,
    ],
    ['failed once, and no more', snapshot([alive(1)], { events: [fails(11, 11)] }), 24, healthy],
    ['failed in an earlier life', snapshot([alive(30, 1)], { events: [fails(5, 29), kills(29)] }), 31, { ...healthy }],
    [
      'has it killed, and it does not end',
      snapshot([alive(1)], { events: [fails(11, 31), kills(31)] }),
      55,
      { ...progressing, message: 'killed by its liveness probe', recheckAt: 56 },
    ],
    [
      'has it killed, and it does not end for long',
      snapshot([alive(1)], { events: [fails(11, 31), kills(31)] }),
      56,
      { ...failed, reason: 'Unhealthy' },
    ],
    [
      'of much patience has it killed: it may end first',
      snapshot([alive(1)], { events: [fails(30, 90), kills(90)] }),
      100,
      { ...progressing, recheckAt: 110 },
    ],
    [
      'fails at once in the second life: it is starting',
      snapshot([alive(31, 1)], { events: [fails(11, 32), kills(31)] }),
      60,
      healthy,
    ],
    ['fails late in the second life, too', snapshot([alive(31, 1)], { events: [fails(11, 51), kills(30)] }), 56, failed],
    [
      'kills twice within seconds',
      snapshot([alive(10, 1, { periodSeconds: 2, failureThreshold: 2 })], { events: [fails(2, 14), kills(4, 14, 2)] }),
      15,
      { ...progressing, recheckAt: 22 },
    ],
    [
      'kills twice',
      snapshot([alive(10, 1, { periodSeconds: 2, failureThreshold: 2 })], { events: [fails(2, 22), kills(4, 22, 2)] }),
      22,
      { ...failed, message: '(2 times)' },
    ],
    [
      'killed before the release began',
      snapshot([alive(-30, 9)], { restartsBefore: () => 9, events: [fails(-300, -40), kills(-300, -40, 9)] }),
      5,
      healthy,
    ],
    [
      'of another container kills that',
      snapshot([alive(1)], {
        events: [fails(11, 12), { ...kills(12), message: 'Container side failed liveness probe, will be restarted' }],
      }),
      30,
      healthy,
    ],
    [
      'that is a startup probe kills twice',
      snapshot(
        [
          pod({
            conditions: [],
            container: { startupProbe: { periodSeconds: 2 } },
            status: { ready: false, started: false, restartCount: 1, state: running(16) },
          }),
        ],
        { events: [fails(2, 22, 'Startup'), kills(8, 22, 2, 'startup')] },
      ),
      22,
      { ...failed, message: 'startup probe' },
    ],
    [
      'that is a startup probe may fail for as long as it likes',
      snapshot(
        [pod({ conditions: [], container: { startupProbe: {} }, status: { ready: false, started: false, state: running(1) } })],
        { events: [fails(2, 300, 'Startup')] },
      ),
      300,
      { ...progressing, reason: '', message: 'has not started yet: Startup probe failed' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('whatever the API answers', () => {
  /** Takes every field away in turn, and puts nonsense in its place. */
  function* mutilated(value: unknown): Generator<unknown> {
    for (const nonsense of [undefined, null, 0, '', 'x', [], {}, [null], ['x']]) yield nonsense
    if (typeof value !== 'object' || value === null) return
    for (const [key, child] of Object.entries(value))
      for (const other of mutilated(child))
        yield Array.isArray(value)
          ? value.map((element, index) => (String(index) === key ? other : element))
          : { ...value, [key]: other }
  }

  const phases = ['progressing', 'healthy', 'failed']
  const judged = (given: DeploymentSnapshot): void => {
    const { phase, message, reason, ready, total } = judgeDeployment(given, at(100))
    expect(phases).toContain(phase)
    for (const told of [message, reason]) expect(typeof told).toBe('string')
    for (const number of [ready, total]) expect(Number.isFinite(number)).toBe(true)
  }
  const rich = pod({
    container: { livenessProbe: { periodSeconds: 2 }, readinessProbe: {}, startupProbe: {} },
    spec: { initContainers: [{ name: 'init', restartPolicy: 'Always' }] },
    status: { ready: false, lastState: terminated(1, 1, 2), restartCount: 1 },
    podStatus: {
      initContainerStatuses: [{ name: 'init', image: '', imageID: '', ready: true, restartCount: 0, state: running(1) }],
    },
  })
  const events = [
    event('web-2-a', 'Unhealthy', 'Liveness probe failed: x', 1),
    event('web-2-a', 'Killing', 'Container app failed liveness probe', 2),
    event('web-2-a', 'FailedMount', 'm', 1),
  ]

  test('a pod of which any one field is gone or nonsense', () => {
    for (const status of mutilated(rich.status)) judged(snapshot([{ ...rich, status } as never], { events }))
    for (const spec of mutilated(rich.spec)) judged(snapshot([{ ...rich, spec } as never], { events }))
    for (const metadata of mutilated(rich.metadata)) judged(snapshot([{ ...rich, metadata } as never], { events }))
  })

  test('a Deployment or ReplicaSet of which any one field is gone or nonsense', () => {
    const whole = deployment({}, { conditions: [{ type: 'Progressing', status: 'True', reason: 'x', lastUpdateTime: stamp(1) }] })
    for (const other of mutilated(whole))
      if (typeof other === 'object' && other !== null) judged(snapshot([rich], { object: other as never }))
    const set = replicaSet(2, { conditions: [{ type: 'ReplicaFailure', status: 'True', lastTransitionTime: stamp(1) }] })
    for (const other of mutilated(set))
      if (typeof other === 'object' && other !== null) judged(snapshot([rich], { replicaSets: [other as never] }))
  })

  test('events of which any one field is gone or nonsense', () => {
    for (const one of events)
      for (const other of mutilated(one)) {
        if (typeof other !== 'object' || other === null) continue
        judged({ ...snapshot([rich]), events: () => [other as never, ...events] })
      }
  })

  test('any JSON in status and conditions', () => {
    const json = fc.jsonValue({ maxDepth: 3 })
    fc.assert(
      fc.property(json, json, json, json, (status, conditions, container, set) => {
        judged(snapshot([{ ...rich, status } as never]))
        judged(snapshot([{ ...rich, status: { ...rich.status, conditions, containerStatuses: container } } as never]))
        judged(
          snapshot([
            {
              ...rich,
              status: { ...rich.status, containerStatuses: [{ name: 'app', state: container, lastState: set }] },
            } as never,
          ]),
        )
        judged(
          snapshot([rich], {
            object: { ...deployment(), status } as never,
            replicaSets: [{ ...replicaSet(2), status: set } as never],
          }),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('without any time stamp nothing is ever called doomed by time', () => {
    const timeless = pod({
      conditions: [],
      metadata: { creationTimestamp: undefined },
      status: { ready: false, state: waiting('ErrImagePull') },
    })
    const judgement = judgeDeployment({ ...snapshot([timeless]), since: 0 }, BEGAN)
    expect(judgement).toMatchObject({ phase: 'progressing', reason: 'ErrImagePull' })
    expect(judgement.recheckAt).toBeGreaterThan(BEGAN)
  })
})
