// What a node does to its pods, and what of it heals: each row is what the API server would tell, and what is said of it.
import { describe, expect, test } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { judgeDeployment } from '../../../src/kubernetes/judge/deployment.ts'
import { isOnLostNode, waitingFor } from '../../../src/kubernetes/judge/pod.ts'
import { at, condition, deployment, event, pod, running, snapshot, stamp, terminated, waiting } from './objects.ts'
import { check, healthy, object, progressing, type Row, shown } from './tables.ts'

const GONE_FROM = [condition('PodScheduled', 'True'), condition('Ready', 'False', 60), condition('ContainersReady', 'True', 1)]
const notReady = (of: string, seconds = 60) => event(of, 'NodeNotReady', 'Node is not ready', seconds)
const pending = (reason: string, message = '', more: Parameters<typeof pod>[0] = {}): Pod =>
  pod({
    name: 'web-2-b',
    conditions: [condition('PodScheduled', 'True'), condition('Ready', 'False')],
    status: { ready: false, started: false, state: waiting(reason, message) },
    ...more,
  })
const on = (nodeName: string, given: Pod): Pod => ({ ...given, spec: { ...given.spec, nodeName } as Pod['spec'] & {} })

const three = deployment({ replicas: 2 }, { replicas: 2, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 })
const judged = (pods: readonly Pod[], seconds: number, events: readonly ReturnType<typeof event>[] = []) =>
  judgeDeployment(snapshot(pods, { object: three, events }), at(seconds))

describe('a node that is not ready', () => {
  const lost = pod({ name: 'web-2-b', conditions: GONE_FROM })

  test('is named, and waited for: its pods are made anew after 5 min', () => {
    for (const seconds of [61, 200, 389])
      expect(judged([pod(), lost], seconds, [notReady('web-2-b')])).toMatchObject({
        phase: 'progressing',
        reason: 'NodeNotReady',
        message: 'deployment/web: pod web-2-b, its node node-1 is not ready',
      })
  })

  test.each([
    ['it was just lost', lost, [notReady('web-2-b')], 61, true],
    ['the pod is Ready again', pod({ name: 'web-2-b' }), [notReady('web-2-b')], 90, false],
    ['its kubelet has spoken since', lost, [notReady('web-2-b'), event('web-2-b', 'Pulling', 'Pulling image', 80)], 90, false],
    ['it had spoken before', lost, [event('web-2-b', 'Pulling', 'Pulling image', 1), notReady('web-2-b')], 90, true],
    ['it was long ago', lost, [notReady('web-2-b')], 500, false],
    ['nobody says so', lost, [], 90, false],
  ])('%s', (_, given, events, seconds, expected) => expect(isOnLostNode(given, events, at(seconds))).toBe(expected))

  test('hides what was known of its pods before', () => {
    const crashed = pod({
      name: 'web-2-b',
      conditions: GONE_FROM,
      status: { ready: false, restartCount: 3, state: waiting('CrashLoopBackOff'), lastState: terminated(1, 1, 2) },
    })
    expect(judged([pod(), crashed], 70, [notReady('web-2-b')])).toMatchObject({ phase: 'progressing', reason: 'NodeNotReady' })
    expect(judged([pod(), crashed], 70)).toMatchObject({ phase: 'failed' })
  })
})

describe('a DaemonSet', () => {
  const owner = { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web', uid: 'w' }] }
  const onNode = (name: string, hash: string, more: Parameters<typeof pod>[0] = {}): Pod =>
    on(name, pod({ ...more, name, metadata: { ...owner, labels: { 'controller-revision-hash': hash } } }))
  const revision = {
    metadata: { ...owner, labels: { 'controller-revision-hash': 'b' } },
    revision: 2,
  }
  const daemons = (pods: readonly Pod[], updated: number, events: readonly ReturnType<typeof event>[] = []) =>
    shown(
      object(
        'apps/v1',
        'DaemonSet',
        {},
        { observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: updated, numberAvailable: 1 },
        { generation: 1 },
      ),
      pods,
      { controllerRevisions: [revision] as never, events },
    )
  test.each<Row>([
    [
      'one node is lost with the old pod',
      daemons([onNode('n1', 'b'), onNode('n2', 'a', { conditions: GONE_FROM })], 1, [notReady('n2')]),
      90,
      { ...healthy, ready: 1, total: 1, message: 'not waited for where the node is not ready: n2' },
    ],
    [
      'one node is lost with the new pod',
      daemons([onNode('n1', 'b'), onNode('n2', 'b', { conditions: GONE_FROM })], 2, [notReady('n2')]),
      90,
      { ...healthy, ready: 1, total: 1 },
    ],
    [
      'the other node has the old pod still',
      daemons([onNode('n1', 'a'), onNode('n2', 'a', { conditions: GONE_FROM })], 0, [notReady('n2')]),
      90,
      { ...progressing, message: '0 of 1 pods are of the new revision' },
    ],
    ['no node is lost', daemons([onNode('n1', 'b'), onNode('n2', 'a')], 1), 90, { ...progressing, total: 2 }],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

describe('what fails on one node alone', () => {
  const mountFails = event('web-2-b', 'FailedMount', 'MountVolume.SetUp failed: transport is down', 1)
  const sandboxFails = event('web-2-b', 'FailedCreatePodSandBox', 'no free address', 1)
  test.each([
    ['an image', pending('ErrImagePull', 'dial tcp: timeout'), [], 'ErrImagePull', 45],
    ['a container', pending('CreateContainerError', 'no space left'), [], 'CreateContainerError', 25],
    ['a volume', pending('ContainerCreating'), [mountFails], 'FailedMount', 36],
    ['a sandbox', pending('ContainerCreating'), [sandboxFails], 'FailedCreatePodSandBox', 60],
  ])('%s: has longer where another pod of the revision is Ready on another node', (_, given, events, reason, grace) => {
    const elsewhere = [pod(), on('node-2', given)]
    const together = [pod(), given]
    expect(judged(together, grace, events)).toMatchObject({ phase: 'failed', reason })
    expect(judged(elsewhere, grace, events)).toMatchObject({ phase: 'progressing', reason, recheckAt: at(180) })
    const late = judged(elsewhere, 180, events)
    expect(late).toMatchObject({ phase: 'failed', reason })
    expect(late.message).toContain('on node node-2, and can elsewhere')
  })

  test("a StatefulSet's volume is its own: another pod's says nothing of it", () => {
    const given = pending('ContainerCreating', '', {
      metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'rs2' }] },
    })
    expect(judged([pod(), on('node-2', given)], 36, [mountFails])).toMatchObject({ phase: 'failed', reason: 'FailedMount' })
  })

  test('a crash is the program, whatever its node', () => {
    const crashed = { restartCount: 2, state: waiting('CrashLoopBackOff'), lastState: terminated(1, 1, 2), ready: false }
    const given = pod({ name: 'web-2-b', status: crashed, conditions: [condition('Ready', 'False')] })
    expect(judged([pod(), on('node-2', given)], 40)).toMatchObject({ phase: 'failed', reason: 'CrashLoopBackOff' })
  })

  test('an image for another kind of machine is decided at once', () => {
    const given = pending('ErrImagePull', 'no match for platform in manifest: not found')
    expect(judged([pod(), on('node-2', given)], 1)).toMatchObject({ phase: 'failed', reason: 'ErrImagePull' })
  })
})

describe('why no node takes a pod', () => {
  const unschedulable = (message: string): Pod =>
    pod({
      name: 'web-2-b',
      spec: { nodeName: undefined as never },
      conditions: [condition('PodScheduled', 'False', 0, { reason: 'Unschedulable', message })],
      podStatus: { phase: 'Pending', containerStatuses: [] },
    })
  test.each([
    ['too little of something', '0/2 nodes are available: 2 Insufficient cpu.', 30],
    ['pressure', '0/1 nodes are available: 1 node(s) had untolerated taint(s) {node.kubernetes.io/disk-pressure: }.', 330],
    ['a node that is away', '0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.', 120],
    [
      'a node that has just joined',
      '1 node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}',
      120,
    ],
    ['a taint of its own', '0/1 nodes are available: 1 node(s) had untolerated taint {team: data}.', 30],
  ])('%s', (_, message, grace) => {
    expect(judged([pod(), unschedulable(message)], grace - 1)).toMatchObject({ phase: 'progressing', recheckAt: at(grace) })
    expect(judged([pod(), unschedulable(message)], grace)).toMatchObject({ phase: 'failed', reason: 'Unschedulable' })
  })
})

describe('what may well go otherwise the next time', () => {
  test('a kubelet that reads Secrets late', () => {
    const given = pending('CreateContainerConfigError', 'failed to sync secret cache: timed out waiting for the condition')
    expect(judged([pod(), given], 119)).toMatchObject({ phase: 'progressing', recheckAt: at(120) })
    expect(judged([pod(), given], 120)).toMatchObject({ phase: 'failed', reason: 'CreateContainerConfigError' })
  })

  test('and mounts them late', () => {
    const said = event(
      'web-2-b',
      'FailedMount',
      'MountVolume.SetUp failed for volume "c": failed to sync configmap cache: timed out',
      1,
    )
    expect(judged([pod(), pending('ContainerCreating')], 119, [said])).toMatchObject({ phase: 'progressing', recheckAt: at(120) })
    expect(judged([pod(), pending('ContainerCreating')], 120, [said])).toMatchObject({ phase: 'failed', reason: 'FailedMount' })
  })

  test.each([
    ['the program is not there', 'exec: "serve": executable file not found in $PATH', 'failed'],
    ['the machine is short of something', 'fork/exec: resource temporarily unavailable', 'progressing'],
  ])('%s, twice', (_, message, phase) => {
    const end = { terminated: { ...terminated(128, 1, 2, 'StartError').terminated, message } } as never
    const given = pending('CrashLoopBackOff', '', {
      status: { ready: false, restartCount: 1, state: waiting('CrashLoopBackOff'), lastState: end },
    })
    expect(judged([pod(), given], 20)).toMatchObject({ phase, reason: 'RunContainerError' })
  })
})

describe('what a pod waits for', () => {
  const gated = pod({
    spec: { readinessGates: [{ conditionType: 'target-health.example.com/web' }] },
    conditions: [
      condition('PodScheduled', 'True'),
      condition('Ready', 'False'),
      condition('target-health.example.com/web' as 'Ready', 'False', 1, { message: 'target registration is in progress' }),
    ],
    status: { state: running(1) },
  })
  test.each([
    ['a readiness gate', gated, 'readiness gate target-health.example.com/web is not met: target registration is in progress'],
    ['its kubelet', pod({ podStatus: { containerStatuses: [] } }), 'node node-1 has not taken it up yet'],
  ])('%s', (_, given, expected) => expect(waitingFor(given)).toContain(expected))

  test('an old pod that does not end is named with its node', () => {
    const old = pod({ name: 'web-1-a', revision: 1, metadata: { deletionTimestamp: stamp(30) } })
    const none = deployment({}, { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0 })
    const message = (seconds: number): string => judgeDeployment(snapshot([old], { object: none }), at(seconds)).message
    expect(message(59)).toBe('0 of 1 pods are of the new revision')
    expect(message(61)).toContain('pod web-1-a should have ended long ago: its node node-1 may be gone')
  })
})
