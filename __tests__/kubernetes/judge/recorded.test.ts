// The judge against releases recorded from a real cluster (scripts/record.ts). Bad ones: what it says, of whom, and how soon. Good ones: that it
// calls them bad at no instant, and good at the end.
import { describe, expect, test } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { type Followed, follow } from '../../../src/deploy/follow.ts'
import { ManualClock } from '../../deploy/manual-clock.ts'
import { type Json, merge } from './recording.ts'
import { instantsOf, minors, observe, Replay, readRecording, recordedFrom } from './replay.ts'
import { scenarios } from './scenarios.ts'

interface Bad {
  readonly scenario: string
  readonly reason: string
  readonly culprit: RegExp
  /** Parts of the message. */
  readonly says: readonly string[]
  /** The deciding fact: what the first frame that tells it has in it, or how often the culprit's container has ended. */
  readonly fact: RegExp | number
  /** How long the rule waits after the fact, in seconds. */
  readonly grace: number
  /** By when it must be decided, in seconds. Default: a minute. */
  readonly within?: number
}

const APP = /^pod\/web-[a-z0-9]+-[a-z0-9]+ container app$/
const POD = /^pod\/web-[a-z0-9]+-[a-z0-9]+$/
const NONE = /^$/

const rollouts: readonly Bad[] = [
  {
    scenario: 'image-not-found',
    reason: 'ErrImagePull',
    culprit: APP,
    says: ['busybox:missing', 'cannot be pulled', 'not found'],
    fact: /"reason":"ErrImagePull"/,
    grace: 45,
  },
  {
    scenario: 'image-name-invalid',
    reason: 'InvalidImageName',
    culprit: APP,
    says: ['Library/BusyBox:1', 'not valid'],
    fact: /"reason":"InvalidImageName"/,
    grace: 0,
  },
  {
    scenario: 'crash-at-start',
    reason: 'CrashLoopBackOff',
    culprit: APP,
    says: ['exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'update-crashes',
    reason: 'CrashLoopBackOff',
    culprit: APP,
    says: ['exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'ends-with-0',
    reason: 'CrashLoopBackOff',
    culprit: APP,
    says: ['exit code 0', 'meant to go on'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'command-not-found',
    reason: 'CrashLoopBackOff',
    culprit: APP,
    says: ['127', 'command not found'],
    fact: 2,
    grace: 0,
  },
  {
    scenario: 'missing-executable',
    reason: 'RunContainerError',
    culprit: APP,
    says: ['/no/such/program', 'no such file'],
    fact: 2,
    grace: 0,
  },
  { scenario: 'out-of-memory', reason: 'OOMKilled', culprit: APP, says: ['16Mi'], fact: 2, grace: 0 },
  {
    scenario: 'missing-secret',
    reason: 'CreateContainerConfigError',
    culprit: APP,
    says: ['secret "web" not found'],
    fact: /"reason":"CreateContainerConfigError"/,
    grace: 25,
  },
  {
    scenario: 'missing-config-key',
    reason: 'CreateContainerConfigError',
    culprit: APP,
    says: ['key level', 'ConfigMap'],
    fact: /"reason":"CreateContainerConfigError"/,
    grace: 25,
  },
  {
    scenario: 'run-as-non-root',
    reason: 'CreateContainerConfigError',
    culprit: APP,
    says: ['runAsNonRoot'],
    fact: /"reason":"CreateContainerConfigError"/,
    grace: 0,
  },
  {
    scenario: 'unschedulable',
    reason: 'Unschedulable',
    culprit: POD,
    says: ['no node', 'Insufficient cpu'],
    fact: /"reason":"Unschedulable"/,
    grace: 30,
  },
  {
    scenario: 'quota-exceeded',
    reason: 'FailedCreate',
    culprit: NONE,
    says: ['exceeded quota'],
    fact: /"ReplicaFailure"/,
    grace: 20,
  },
  {
    scenario: 'missing-service-account',
    reason: 'FailedCreate',
    culprit: NONE,
    says: ['serviceaccount "nobody" not found'],
    fact: /"ReplicaFailure"/,
    grace: 20,
  },
  {
    scenario: 'limit-range',
    reason: 'FailedCreate',
    culprit: NONE,
    says: ['maximum memory usage'],
    fact: /"ReplicaFailure"/,
    grace: 0,
  },
  {
    scenario: 'readiness-404',
    reason: 'Unhealthy',
    culprit: APP,
    says: ['not ready', '404'],
    fact: /Readiness probe failed/,
    grace: 30,
  },
  {
    scenario: 'readiness-refused',
    reason: 'Unhealthy',
    culprit: APP,
    says: ['not ready', 'connection refused'],
    fact: /Readiness probe failed/,
    grace: 55,
  },
  {
    scenario: 'liveness-kills',
    reason: 'Unhealthy',
    culprit: APP,
    says: ['killed by its liveness probe', 'connection refused'],
    fact: /Liveness probe failed/,
    grace: 45,
  },
  {
    scenario: 'liveness-kills-soon',
    reason: 'Unhealthy',
    culprit: APP,
    says: ['liveness probe', '404', 'times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'startup-never',
    reason: 'Unhealthy',
    culprit: APP,
    says: ['startup probe', '404', 'times'],
    fact: /Startup probe failed/,
    grace: 20,
  },
  {
    scenario: 'init-fails',
    reason: 'CrashLoopBackOff',
    culprit: / container migrate$/,
    says: ['container migrate', 'exit code 2'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'missing-volume-secret',
    reason: 'FailedMount',
    culprit: POD,
    says: ['secret "web-tls" not found'],
    fact: /FailedMount/,
    grace: 36,
  },
  {
    scenario: 'crash-after-ready',
    reason: 'CrashLoopBackOff',
    culprit: APP,
    says: ['exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'paused',
    reason: 'DeploymentPaused',
    culprit: NONE,
    says: ['is paused', 'kubectl rollout resume'],
    fact: /"paused":true/,
    grace: 0,
  },
  {
    scenario: 'progress-deadline',
    reason: 'ProgressDeadlineExceeded',
    culprit: / container app$/,
    says: ['Startup probe failed', 'statuscode: 404', 'no progress was made for 15 s'],
    fact: /"ProgressDeadlineExceeded"/,
    grace: 0,
  },
  {
    scenario: 'side-container-crashes',
    reason: 'CrashLoopBackOff',
    culprit: / container side$/,
    says: ['container side', 'exit code 4'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'sidecar-crashes',
    reason: 'CrashLoopBackOff',
    culprit: / container proxy$/,
    says: ['container proxy', 'exit code 5'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'statefulset-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-1 container app$/,
    says: ['statefulset/web: pod web-1', 'exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'statefulset-image-not-found',
    reason: 'ErrImagePull',
    culprit: /^pod\/web-0 container app$/,
    says: ['busybox:missing', 'cannot be pulled'],
    fact: /"reason":"ErrImagePull"/,
    grace: 45,
  },
  {
    scenario: 'statefulset-quota',
    reason: 'FailedCreate',
    culprit: NONE,
    says: ['exceeded quota'],
    fact: /"reason":"FailedCreate"/,
    grace: 20,
  },
  {
    scenario: 'daemonset-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-[a-z0-9]{5} container app$/,
    says: ['daemonset/web: pod web-', 'exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'job-fails',
    reason: 'BackoffLimitExceeded',
    culprit: /^pod\/web-[a-z0-9]{5} container app$/,
    says: ['job/web: BackoffLimitExceeded', 'exit code 7'],
    fact: /"BackoffLimitExceeded"/,
    grace: 0,
  },
  {
    scenario: 'job-out-of-time',
    reason: 'DeadlineExceeded',
    culprit: NONE,
    says: ['DeadlineExceeded', 'longer than specified deadline'],
    fact: /"DeadlineExceeded"/,
    grace: 0,
  },
  {
    scenario: 'job-policy',
    reason: 'PodFailurePolicy',
    culprit: /^pod\/web-[a-z0-9]{5} container app$/,
    says: ['exit code 42'],
    fact: /"PodFailurePolicy"/,
    grace: 0,
  },
]

const badKinds: readonly Bad[] = [
  {
    scenario: 'service-wrong-port',
    reason: 'NoEndpoints',
    culprit: NONE,
    says: ['service/web', 'no container of its pods has a port of the name', 'targetPort web'],
    fact: /"targetPort":"web"/,
    grace: 20,
  },
  {
    scenario: 'load-balancer-refused',
    reason: 'SyncLoadBalancerFailed',
    culprit: NONE,
    says: ['service/web: has no address', 'no subnets found'],
    fact: /SyncLoadBalancerFailed/,
    grace: 160,
    within: 170,
  },
  {
    scenario: 'autoscaler-without-target',
    reason: 'FailedGetScale',
    culprit: NONE,
    says: ['cannot scale', '"wbe" not found'],
    fact: /"FailedGetScale"/,
    grace: 35,
  },
  {
    scenario: 'replicaset-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-[a-z0-9]{5} container app$/,
    says: ['replicaset/web: pod web-', 'exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'replicaset-quota',
    reason: 'FailedCreate',
    culprit: NONE,
    says: ['exceeded quota'],
    fact: /"ReplicaFailure"/,
    grace: 20,
  },
  {
    scenario: 'replication-controller-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-[a-z0-9]{5} container app$/,
    says: ['replicationcontroller/web: pod web-', 'exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'statefulset-parallel-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-2 container app$/,
    says: ['exit code 1', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'job-failed-index',
    reason: 'FailedIndexes',
    culprit: /^pod\/web-1-[a-z0-9]{5} container app$/,
    says: ['exit code 3'],
    fact: /"failedIndexes":"1"/,
    grace: 0,
  },
  {
    scenario: 'claim-without-class',
    reason: 'FailedBinding',
    culprit: NONE,
    says: ['persistentvolumeclaim/web: no volume', 'no storage class is set'],
    fact: /FailedBinding/,
    grace: 30,
    within: 35,
  },
  {
    scenario: 'post-start-hook-fails',
    reason: 'PostStartHookError',
    culprit: APP,
    says: ['postStart hook failed', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'sidecar-startup-never',
    reason: 'Unhealthy',
    culprit: / container proxy$/,
    says: ['startup probe', 'connection refused', 'times'],
    fact: /Startup probe failed/,
    grace: 20,
  },
  {
    scenario: 'rollout-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-6f4b-[a-z0-9]{5} container app$/,
    says: ['rollout/web: pod web-6f4b-', 'exit code 3', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'rollout-aborted',
    reason: 'RolloutAborted',
    culprit: NONE,
    says: ['rollout/web: is degraded', 'Metric "errors" assessed Failed'],
    fact: /"phase":"Degraded"/,
    grace: 0,
  },
  {
    scenario: 'knative-crashes',
    reason: 'CrashLoopBackOff',
    culprit: /^pod\/web-00001-deployment-[a-z0-9]+-[a-z0-9]+ container app$/,
    says: ['service/web: pod web-00001-', 'exit code 3', '3 times'],
    fact: 3,
    grace: 0,
  },
  {
    scenario: 'knative-fails',
    reason: 'RevisionFailed',
    culprit: NONE,
    says: ['service/web: is not ready', 'Unable to fetch image'],
    fact: /"RevisionFailed"/,
    grace: 10,
  },
  {
    scenario: 'route-refused',
    reason: 'NoMatchingParent',
    culprit: NONE,
    says: ['httproute/web: public: no listener takes this host name'],
    fact: /"NoMatchingParent"/,
    grace: 30,
  },
  {
    scenario: 'certificate-refused',
    reason: 'Failed',
    culprit: NONE,
    says: ['certificate/web: is not issued', 'refused'],
    fact: /"lastFailureTime"/,
    grace: 0,
  },
]

const bad: readonly Bad[] = [...rollouts, ...badKinds]

/** Recordings of releases that must not fail, and by when they are healthy at the latest, in seconds after the apply. */
const good: readonly (readonly [scenario: string, healthyBy: number])[] = [
  ['good', 5],
  ['update-old-killed', 6],
  ['image-late', 40],
  ['secret-late', 25],
  ['volume-secret-late', 25],
  ['one-crash', 8],
  ['two-crashes', 25],
  ['crashed-before', 1],
  ['readiness-slow', 26],
  ['liveness-kills-once', 35],
  ['pod-deleted', 25],
  ['pod-evicted', 20],
  ['pod-ended-by-node', 25],
  ['scaled-up', 20],
  ['scaled-down', 30],
  ['startup-slow', 35],
  ['init-slow', 20],
  ['old-pods-slow-to-end', 6],
  ['no-replicas', 1],
  ['sidecar', 6],
  ['min-ready-seconds', 15],
  ['recreated', 15],
  ['undone', 6],
  ['mended-by-its-secret', 20],
  ['mended-by-its-config', 50],
  ['quota-freed-by-old-pods', 70],
  ['port-freed-by-old-pod', 60],
  ['statefulset-good', 8],
  ['statefulset-updated', 15],
  ['statefulset-partition', 8],
  ['statefulset-on-delete', 1],
  ['daemonset-good', 5],
  ['daemonset-updated', 10],
  ['daemonset-on-delete', 1],
  ['job-good', 8],
  ['job-removed', 8],
  ['job-one-retry', 30],
  ['job-restarts', 70],
  ['service-good', 6],
  ['service-updated', 10],
  ['service-recreated', 15],
  ['service-headless', 1],
  ['service-without-selector', 1],
  ['service-of-another-release', 1],
  ['service-of-no-replicas', 1],
  ['load-balancer', 11],
  ['load-balancer-without-a-cloud', 1],
  ['ingress-without-address', 1],
  ['autoscaler-without-metrics', 20],
  ['autoscaler-broken-before', 1],
  ['autoscaler-target-late', 50],
  ['replicaset-good', 8],
  ['replicaset-keeps-its-pods', 2],
  ['replication-controller-good', 8],
  ['statefulset-parallel', 30],
  ['daemonset-surge', 12],
  ['cronjob-good', 1],
  ['cronjob-suspended', 1],
  ['job-content-with-some', 15],
  ['sidecar-startup-slow', 25],
  ['node-away', 110],
  ['rollout-good', 8],
  ['rollout-waits-for-somebody', 6],
  ['knative-good', 6],
  ['route-good', 6],
  ['certificate-good', 8],
]

const STABLE_FOR_MS = 10_000
/** From the fact being told to the verdict, beyond the rule's grace. */
const PROMPT_MS = 2_000
/** Graces count from when the trouble began, which may be told a little later. */
const EARLY_MS = 3_000

async function followed(scenario: string, minor?: string): Promise<Followed> {
  const recording = readRecording(scenario, minor)
  const clock = new ManualClock()
  const options = {
    timeoutMs: 600_000,
    stableForMs: STABLE_FOR_MS,
    clock,
    signal: new AbortController().signal,
    print: () => undefined,
  }
  let result: Followed | undefined
  const following = follow(observe(recording, clock), options).then(end => {
    result = end
  })
  while (result === undefined && (await clock.next()));
  await following
  return result as unknown as Followed
}

/** When a fact was told, in ms after the apply. */
function toldAt(scenario: string, fact: RegExp | number, container: string, minor?: string): number {
  const { frames, appliedAt, createdAt = appliedAt } = readRecording(scenario, minor)
  const states = new Map<string, Json>()
  for (const frame of frames) {
    if (frame.type === 'DELETED') continue
    const state = frame.type === 'ADDED' ? frame.object : merge(states.get(frame.uid) ?? null, frame.patch)
    states.set(frame.uid, state)
    if (frame.at < createdAt) continue
    const told = typeof fact === 'number' ? endsOf(state, container) >= fact : fact.test(JSON.stringify(state))
    if (told) return frame.at - appliedAt
  }
  throw new Error(`${scenario}: ${fact} was not told`)
}

function endsOf(object: Json, container: string): number {
  const { status } = object as unknown as Pod
  const found = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
    candidate => candidate.name === container,
  )
  if (found === undefined) return 0
  const down = found.state?.running === undefined && (found.state?.terminated ?? found.lastState?.terminated) !== undefined
  return found.restartCount + (down ? 1 : 0)
}

describe('a bad release', () => {
  test.each(bad)('$scenario: $reason', async ({ scenario, reason, culprit, says, fact, grace, within = 60 }) => {
    const { end, verdict, elapsedMs } = await followed(scenario)
    expect({ end, reason: verdict.reason }).toEqual({ end: 'failed', reason })
    expect(verdict.culprit).toMatch(culprit)
    for (const part of says) expect(verdict.message).toContain(part)
    const due = toldAt(scenario, fact, verdict.culprit.split(' ').at(-1) ?? '') + grace * 1_000
    expect(elapsedMs).toBeGreaterThanOrEqual(due - EARLY_MS)
    expect(elapsedMs).toBeLessThanOrEqual(due + PROMPT_MS)
    expect(elapsedMs).toBeLessThanOrEqual(within * 1_000)
  })

  test.each(bad)('$scenario stays bad: no later instant is called healthy and proven', ({ scenario }) => {
    const recording = readRecording(scenario)
    const replay = new Replay(recording)
    const judgements = instantsOf(recording).map(at => replay.judge(at))
    const failed = judgements.findIndex(judgement => judgement.phase === 'failed')
    expect(
      judgements.slice(failed).filter(judgement => judgement.phase === 'healthy' && judgement.provenAt === undefined),
    ).toEqual([])
  })
})

describe('a good release', () => {
  test.each(good)('%s fails at no instant and is healthy within %i s', (scenario, healthyBy) => {
    const recording = readRecording(scenario)
    const replay = new Replay(recording)
    const judgements = instantsOf(recording).map(at => ({ at: (at - recording.appliedAt) / 1_000, ...replay.judge(at) }))
    expect(judgements.filter(judgement => judgement.phase === 'failed')).toEqual([])
    const last = judgements.at(-1)
    expect(last).toMatchObject({ phase: 'healthy', reason: '', culprit: '' })
    expect(last?.ready).toBe(last?.total)
    const unhealthy = judgements.findLastIndex(judgement => judgement.phase !== 'healthy')
    expect(judgements[unhealthy + 1]?.at).toBeLessThanOrEqual(healthyBy)
  })

  test.each(good)('%s is followed to its end', async scenario => {
    expect(await followed(scenario)).toMatchObject({ end: 'healthy' })
  })
})

/** The same scenarios from other minor versions: the same verdicts, of the same, as soon. */
const others = minors.slice(1).flatMap(minor => recordedFrom(minor).map(scenario => ({ minor, scenario })))

describe('another minor version', () => {
  test.each(others)('$minor $scenario', async ({ minor, scenario }) => {
    const recording = readRecording(scenario, minor)
    expect(recording.kubernetes).toMatch(`v${minor}.`)
    const { end, verdict, elapsedMs } = await followed(scenario, minor)
    const row = bad.find(candidate => candidate.scenario === scenario)
    if (row === undefined) {
      const replay = new Replay(recording)
      expect(instantsOf(recording).filter(at => replay.judge(at).phase === 'failed')).toEqual([])
      expect(end).toBe('healthy')
      return
    }
    expect({ end, reason: verdict.reason }).toEqual({ end: 'failed', reason: row.reason })
    expect(verdict.culprit).toMatch(row.culprit)
    for (const part of row.says) expect(verdict.message).toContain(part)
    const due = toldAt(scenario, row.fact, verdict.culprit.split(' ').at(-1) ?? '', minor) + row.grace * 1_000
    expect(elapsedMs).toBeGreaterThanOrEqual(due - EARLY_MS)
    expect(elapsedMs).toBeLessThanOrEqual(due + PROMPT_MS)
  })
})

test('every scenario is recorded and judged, and nothing else; from other minor versions no other ones', () => {
  for (const { scenario } of others) expect(scenarios.map(({ name }) => name)).toContain(scenario)
  const recorded = recordedFrom('1.34')
  const judged = [...bad.map(row => row.scenario), ...good.map(([scenario]) => scenario)]
  expect(recorded).toEqual(scenarios.map(scenario => scenario.name).sort())
  expect(judged.sort()).toEqual(recorded)
})
