import type { ServiceDeployment } from '@aws-sdk/client-ecs'
import { describe, expect, test } from '@jest/globals'
import type { Judgement } from '../../../src/deploy/verdict.ts'
import { judgeService } from '../../../src/ecs/judge/service.ts'
import type { ServiceSnapshot } from '../../../src/ecs/judge/snapshot.ts'
import {
  active,
  addressed,
  at,
  crashed,
  deployment,
  event,
  expectation,
  NEW,
  OLD,
  primary,
  START,
  service,
  snapshot,
  stopped,
  target,
  task,
} from './objects.ts'

type Row = readonly [what: string, snapshot: ServiceSnapshot, reason: string, message: RegExp, seconds?: number]

const judge = (of: ServiceSnapshot, seconds = 10) => judgeService(of, START + seconds * 1_000)
const running = (count: number, more = {}): ServiceSnapshot['service'] =>
  service({ deployments: [primary({ runningCount: count, pendingCount: 2 - count, ...more }), active()] })
const done = service({ deployments: [primary({ runningCount: 2, pendingCount: 0, rolloutState: 'COMPLETED' })] })
const failedToStart = (stoppedReason: string, reason?: string) =>
  stopped({ stopCode: 'TaskFailedToStart', stoppedReason }, reason === undefined ? {} : { reason })

const NOT_FOUND =
  'CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:9: not found'
const PULL_TIMEOUT =
  'CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: dial tcp 10.0.0.1:443: i/o timeout'
const NO_SECRET =
  "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret."
const NO_WAY =
  'ResourceInitializationError: unable to pull secrets or registry auth: There is a connection issue between the task and Amazon ECR. i/o timeout'
const UNHEALTHY =
  'Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/1)'
const unhealthy = (more = {}) => stopped({ stopCode: 'ServiceSchedulerInitiated', stoppedReason: UNHEALTHY, ...more })

describe('fails', () => {
  test.each<Row>([
    [
      'an image that is not there, at the first task',
      snapshot({ tasks: [failedToStart(NOT_FOUND)] }),
      'CannotPullContainerError',
      /task 0+\d+, CannotPullContainerError: .*web:9: not found$/,
    ],
    [
      'the same in the container',
      snapshot({ tasks: [failedToStart('Task failed to start', NOT_FOUND)] }),
      'CannotPullContainerError',
      /not found/,
    ],
    [
      'an image told of as a placement',
      snapshot({
        service: service({ events: [event(2, 'was unable to place a task. Reason: CannotPullContainerError: not found.')] }),
      }),
      'CannotPullContainerError',
      /was unable to place a task/,
    ],
    [
      'a registry out of reach for two tasks',
      snapshot({ tasks: [failedToStart(PULL_TIMEOUT), failedToStart(PULL_TIMEOUT)] }),
      'CannotPullContainerError',
      /\(2 tasks\)$/,
    ],
    [
      'a secret that is missing',
      snapshot({ tasks: [failedToStart(NO_SECRET)] }),
      'ResourceInitializationError',
      /can't find the specified secret/,
    ],
    [
      'no way to Secrets Manager, twice',
      snapshot({ tasks: [failedToStart(NO_WAY), failedToStart(NO_WAY)] }),
      'ResourceInitializationError',
      /connection issue/,
    ],
    [
      'a program that is not there',
      snapshot({
        tasks: [
          failedToStart('Task failed to start', 'CannotStartContainerError: exec: "/srv": executable file not found in $PATH'),
        ],
      }),
      'CannotStartContainerError',
      /executable file not found/,
    ],
    [
      'a container that cannot be made, twice',
      snapshot({ tasks: [1, 2].map(() => failedToStart('Task failed to start', 'CannotCreateContainerError: volume is busy')) }),
      'CannotCreateContainerError',
      /volume is busy/,
    ],
    [
      'two crashes with none running',
      snapshot({ tasks: [crashed(3), crashed(3)] }),
      'EssentialContainerExited',
      /^service\/web: task 0+\d+, container app ended with exit code 3 \(2 tasks\)$/,
    ],
    ['a program that ends well, twice', snapshot({ tasks: [crashed(0), crashed(0)] }), 'EssentialContainerExited', /exit code 0/],
    [
      'crashes beside tasks that run, as the breaker counts',
      snapshot({ service: running(1), tasks: [crashed(), crashed(), crashed(), task()] }),
      'EssentialContainerExited',
      /\(3 tasks\)/,
    ],
    [
      'too little memory, twice',
      snapshot({
        tasks: [1, 2].map(() =>
          stopped(
            { stopCode: 'EssentialContainerExited' },
            { exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' },
          ),
        ),
      }),
      'OutOfMemoryError',
      /container app ran out of memory \(exit code 137\)/,
    ],
    [
      'container health checks, twice',
      snapshot({
        tasks: [1, 2].map(() =>
          stopped(
            { stopCode: 'ServiceSchedulerInitiated', stoppedReason: 'Task failed container health checks' },
            { healthStatus: 'UNHEALTHY' },
          ),
        ),
      }),
      'Unhealthy',
      /failed container health checks/,
    ],
    [
      'two tasks stopped for their targets',
      snapshot({ tasks: [unhealthy(), unhealthy()] }),
      'UnhealthyTarget',
      /failed ELB health checks/,
    ],
    [
      'one stopped for its target, the next unhealthy',
      snapshot({
        service: running(1),
        tasks: [unhealthy(), addressed('10.0.0.5')],
        targets: [target('10.0.0.5', 'unhealthy', { description: 'Health checks failed with these codes: [503]' })],
      }),
      'UnhealthyTarget',
      /the target 10\.0\.0\.5 is unhealthy: Health checks failed with these codes: \[503\]$/,
    ],
    [
      'unhealthy for longer than the grace period',
      snapshot({
        service: { ...running(1), healthCheckGracePeriodSeconds: 10 },
        tasks: [addressed('10.0.0.5')],
        targets: [target('10.0.0.5', 'unhealthy')],
      }),
      'UnhealthyTarget',
      /is unhealthy/,
      32,
    ],
    [
      'one stopped for its target, the next unhealthy after its own grace period',
      snapshot({
        service: { ...running(1), healthCheckGracePeriodSeconds: 60 },
        tasks: [unhealthy(), addressed('10.0.0.5')],
        targets: [target('10.0.0.5', 'unhealthy')],
      }),
      'UnhealthyTarget',
      /is unhealthy/,
      61,
    ],
    [
      'no place for 90 s',
      snapshot({
        service: service({
          events: [
            event(
              2,
              'was unable to place a task because no container instance met all of its requirements. For more information, see the guide.',
            ),
            event(62, 'was unable to place a task because no container instance met all of its requirements.'),
          ],
        }),
      }),
      'UnableToPlaceTask',
      /no container instance met all of its requirements$/,
      95,
    ],
    [
      'a role that cannot be assumed',
      snapshot({
        service: service({
          events: [event(1, 'failed to launch a task with (error ECS was unable to assume the role arn:aws:iam::1:role/x).')],
        }),
      }),
      'RoleNotAssumable',
      /unable to assume the role/,
      40,
    ],
    [
      "the breaker, with the tasks' own reason",
      snapshot({
        service: running(1),
        serviceDeployment: deployment({
          status: 'ROLLBACK_IN_PROGRESS',
          deploymentCircuitBreaker: { status: 'TRIGGERED', failureCount: 3, threshold: 3 },
        }),
        tasks: [crashed(7)],
      }),
      'EssentialContainerExited',
      /exit code 7; ECS's circuit breaker ended the deployment after 3 failed tasks \(threshold 3\)/,
    ],
    [
      'the breaker, the reason unknown',
      snapshot({
        serviceDeployment: deployment({
          status: 'ROLLBACK_SUCCESSFUL',
          statusReason: 'Service deployment rolled back because the circuit breaker threshold was exceeded.',
          deploymentCircuitBreaker: { status: 'TRIGGERED', failureCount: 3, threshold: 3 },
        }),
      }),
      'DeploymentCircuitBreaker',
      /circuit breaker/,
    ],
    [
      'an alarm, though a task has crashed once',
      snapshot({
        service: running(2),
        serviceDeployment: deployment({
          status: 'ROLLBACK_IN_PROGRESS',
          alarms: { status: 'TRIGGERED', triggeredAlarmNames: ['errors'] },
        }),
        tasks: [crashed(), task(), task()],
      }),
      'AlarmTriggered',
      /the alarm errors went off/,
    ],
    [
      'a rollback that somebody asked for',
      snapshot({ serviceDeployment: deployment({ status: 'ROLLBACK_REQUESTED', statusReason: 'Deployment stopped by user.' }) }),
      'RolledBack',
      /rolled back by ECS: Deployment stopped by user$/,
    ],
    [
      'a rollback that failed',
      snapshot({ serviceDeployment: deployment({ status: 'ROLLBACK_FAILED' }) }),
      'RolledBack',
      /rolled back/,
    ],
    [
      'a stop by somebody',
      snapshot({ serviceDeployment: deployment({ status: 'STOPPED', statusReason: 'Stopped by a user' }) }),
      'Stopped',
      /was stopped: Stopped by a user/,
    ],
    [
      'the breaker without a rollback',
      snapshot({
        serviceDeployment: deployment({
          status: 'STOPPED',
          deploymentCircuitBreaker: { status: 'TRIGGERED', failureCount: 3, threshold: 3 },
        }),
      }),
      'DeploymentCircuitBreaker',
      /after 3 failed tasks/,
    ],
    [
      "somebody else's deployment",
      snapshot({
        serviceDeployment: deployment({ status: 'STOPPED', statusReason: 'Replaced by a new service deployment.' }),
        successor: 'web:9, by ada',
      }),
      'Superseded',
      /another deployment \(web:9, by ada\) took the place/,
    ],
    [
      'the same, without service deployments',
      snapshot({
        serviceDeployment: undefined,
        service: service({
          deployments: [primary({ id: 'ecs-svc/9', taskDefinition: OLD.replace(/7$/, '9') }), primary({ status: 'ACTIVE' })],
        }),
      }),
      'Superseded',
      /another deployment \(web:9\)/,
    ],
    [
      'the same, after ours was complete',
      snapshot({
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        service: service({ deployments: [primary({ id: 'ecs-svc/9' }), primary({ status: 'ACTIVE' })] }),
      }),
      'Superseded',
      /is taking its place/,
    ],
    [
      'a rollback, without service deployments',
      snapshot({ serviceDeployment: undefined, service: service({ deployments: [active({ status: 'PRIMARY' })] }) }),
      'RolledBack',
      /rolled back/,
    ],
    [
      'a failed rollout, without service deployments',
      snapshot({
        serviceDeployment: undefined,
        service: service({
          deployments: [
            primary({ rolloutState: 'FAILED', rolloutStateReason: 'ECS deployment circuit breaker: tasks failed to start.' }),
          ],
        }),
      }),
      'DeploymentCircuitBreaker',
      /tasks failed to start$/,
    ],
    [
      'a digest that is not the one pushed',
      snapshot({
        expected: expectation({ digests: { app: 'sha256:a' } }),
        service: done,
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        tasks: [task({ imageDigest: 'sha256:b' })],
      }),
      'DigestMismatch',
      /container app runs sha256:b, and not sha256:a/,
    ],
    [
      'a service that was deleted',
      snapshot({ service: service({ status: 'INACTIVE' }) }),
      'NotFound',
      /is INACTIVE: somebody else has deleted it/,
    ],
    ['a service that is not there', snapshot({ service: undefined }), 'NotFound', /is not there/],
  ])('%s', (...[, of, reason, message, seconds]) => {
    const judgement = judge(of, seconds)
    expect(judgement).toMatchObject({ phase: 'failed', reason })
    expect(judgement.message).toMatch(message)
  })
})

describe('with no deployment of ours', () => {
  const last = (status: ServiceDeployment['status'], more: Partial<ServiceDeployment> = {}): Partial<ServiceSnapshot> => ({
    expected: expectation({ deployment: '', deploymentBefore: 'ecs-svc/8' }),
    serviceDeployment: deployment({ status, ...more }),
    service: done,
  })
  const other = service({ deployments: [primary({ id: 'ecs-svc/9', taskDefinition: OLD }), primary({ status: 'ACTIVE' })] })
  const open = service({ deployments: [primary({ runningCount: 1 }), active()] })
  const failed = service({ deployments: [primary({ rolloutState: 'FAILED' })] })

  test.each<[string, Partial<ServiceSnapshot>, Judgement['phase'], string]>([
    ['the last one was complete', last('SUCCESSFUL'), 'healthy', ''],
    ['the last one was put back by ECS', last('ROLLBACK_SUCCESSFUL'), 'healthy', ''],
    ['the last one could not be put back, but is up', last('ROLLBACK_FAILED'), 'healthy', ''],
    ['the last one was stopped, but is up', last('STOPPED'), 'healthy', ''],
    ['the last one is being put back', { ...last('ROLLBACK_IN_PROGRESS'), service: open }, 'progressing', ''],
    ['the last one was stopped in the middle', { ...last('STOPPED'), service: open }, 'failed', 'Stopped'],
    ['the last one failed and stays', { ...last('STOPPED'), service: failed }, 'failed', 'Stopped'],
    [
      'the last one was put back, and that crashes',
      { ...last('ROLLBACK_SUCCESSFUL'), tasks: [crashed(), crashed(), crashed()] },
      'failed',
      'EssentialContainerExited',
    ],
    ['tasks are missing', { ...last('ROLLBACK_SUCCESSFUL'), service: { ...done, desiredCount: 4 } }, 'progressing', ''],
    ['another revision is still shown', { ...last('ROLLBACK_SUCCESSFUL'), service: other, seen: false }, 'progressing', ''],
    ['ECS has put another one back', { ...last('ROLLBACK_IN_PROGRESS'), service: other }, 'failed', 'RolledBack'],
    [
      'somebody has deployed over it',
      { ...last('SUCCESSFUL'), service: { ...other, currentServiceDeployment: 'arn:another' } },
      'failed',
      'Superseded',
    ],
    [
      'the same, without service deployments',
      { ...last(undefined), serviceDeployment: undefined, service: other },
      'failed',
      'Superseded',
    ],
  ])('%s', (_, more, phase, reason) => {
    expect(judge(snapshot(more))).toMatchObject({ phase, reason })
  })
})

describe('does not fail', () => {
  const waits: readonly (readonly [string, ServiceSnapshot, number?])[] = [
    ['one crash', snapshot({ tasks: [crashed()] })],
    ['two crashes beside tasks that run', snapshot({ service: running(1), tasks: [crashed(), crashed(), task()] })],
    ['two crashes beside tasks that only ECS has counted', snapshot({ service: running(1), tasks: [crashed(), crashed()] })],
    ['one pull that timed out', snapshot({ tasks: [failedToStart(PULL_TIMEOUT)] })],
    ['one time-out towards Secrets Manager', snapshot({ tasks: [failedToStart(NO_WAY)] })],
    [
      'one task that ran out of memory',
      snapshot({ tasks: [stopped({ stopCode: 'EssentialContainerExited' }, { exitCode: 137, reason: 'OutOfMemoryError' })] }),
    ],
    [
      'Spot interruptions',
      snapshot({
        tasks: [1, 2, 3].map(() =>
          stopped({ stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.' }, { exitCode: 143 }),
        ),
      }),
    ],
    [
      'scale-in',
      snapshot({
        tasks: [1, 2, 3].map(() =>
          stopped(
            { stopCode: 'ServiceSchedulerInitiated', stoppedReason: 'Scaling activity initiated by (deployment ecs-svc/8)' },
            { exitCode: 137 },
          ),
        ),
      }),
    ],
    [
      'tasks stopped by hand',
      snapshot({
        tasks: [1, 2, 3].map(() =>
          stopped({ stopCode: 'UserInitiated', stoppedReason: 'Task stopped by user' }, { exitCode: 143 }),
        ),
      }),
    ],
    [
      'an instance that went',
      snapshot({
        tasks: [1, 2].map(() =>
          stopped({ stopCode: 'InfrastructureHealth', stoppedReason: 'Host EC2 (instance i-1) terminated.' }),
        ),
      }),
    ],
    [
      'no Fargate capacity, twice',
      snapshot({ tasks: [1, 2].map(() => failedToStart('Capacity is unavailable at this time. Please try again later')) }),
    ],
    [
      'crashes of the old deployment',
      snapshot({ tasks: [1, 2, 3].map(() => crashed(1, { startedBy: 'ecs-svc/7', taskDefinitionArn: OLD })) }),
    ],
    [
      'crashes before a redeploy of the same revision',
      snapshot({ tasks: [1, 2, 3].map(() => crashed(1, { startedBy: 'ecs-svc/7' })) }),
    ],
    [
      'no place, but not for long',
      snapshot({
        service: service({
          events: [event(2, 'was unable to place a task because no container instance met all of its requirements.')],
        }),
      }),
      60,
    ],
    [
      'no place while instances are added',
      snapshot({
        service: service({
          capacityProviderStrategy: [{ capacityProvider: 'asg' }],
          events: [event(2, 'was unable to place a task because no container instance met all of its requirements.')],
        }),
      }),
      200,
    ],
    [
      'no place, long ago, and then there was',
      snapshot({
        service: service({ events: [event(2, 'was unable to place a task.'), event(50, 'has started 1 tasks: (task 1).')] }),
      }),
      200,
    ],
    [
      'an old event',
      snapshot({ service: service({ events: [event(-600, 'was unable to place a task. Reason: CannotPullContainerError.')] }) }),
    ],
    [
      'a target that is slow, within the grace period',
      snapshot({
        service: { ...running(1), healthCheckGracePeriodSeconds: 60 },
        tasks: [addressed('10.0.0.5')],
        targets: [target('10.0.0.5', 'unhealthy')],
      }),
      50,
    ],
    [
      'one stopped for its target, the next unhealthy within its own grace period',
      snapshot({
        service: { ...running(1), healthCheckGracePeriodSeconds: 60 },
        tasks: [unhealthy(), addressed('10.0.0.5')],
        targets: [target('10.0.0.5', 'unhealthy')],
      }),
      60,
    ],
    [
      'one sick target beside a healthy one',
      snapshot({
        service: running(2),
        tasks: [unhealthy(), addressed('10.0.0.5'), addressed('10.0.0.6')],
        targets: [target('10.0.0.5', 'unhealthy'), target('10.0.0.6', 'healthy')],
      }),
      90,
    ],
    ['one task stopped for its target', snapshot({ tasks: [unhealthy()] })],
    [
      'an old target that is unhealthy',
      snapshot({ tasks: [unhealthy(), addressed('10.0.0.5')], targets: [target('10.0.0.9', 'unhealthy')] }),
    ],
    [
      'a describe from before the change',
      snapshot({
        seen: false,
        serviceDeployment: undefined,
        service: service({ taskDefinition: OLD, deployments: [active({ status: 'PRIMARY' })] }),
      }),
    ],
    ['a deployment that waits for its turn', snapshot({ serviceDeployment: deployment({ status: 'PENDING' }) })],
    [
      'complete, but the describe of the service is behind',
      snapshot({
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        service: service({ deployments: [active({ status: 'PRIMARY' })] }),
      }),
    ],
    [
      'complete, and a task has gone since',
      snapshot({
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        service: service({ deployments: [primary({ runningCount: 1, rolloutState: 'COMPLETED' })] }),
      }),
    ],
    [
      'old tasks that still end, without service deployments',
      snapshot({
        serviceDeployment: undefined,
        service: service({ deployments: [primary({ runningCount: 2, rolloutState: 'COMPLETED' }), active({ runningCount: 1 })] }),
      }),
    ],
    ['a digest nobody knows yet', snapshot({ expected: expectation({ digests: { app: 'sha256:a' } }), tasks: [task()] })],
    [
      'a side container that ended, and was not essential',
      snapshot({ service: running(2), tasks: [task({ exitCode: 1, lastStatus: 'STOPPED' })] }),
    ],
  ]
  test.each(waits)('%s', (...[, of, seconds]) => {
    expect(judge(of, seconds)).toMatchObject({ phase: 'progressing' })
  })
})

describe('is healthy', () => {
  test.each<readonly [string, ServiceSnapshot]>([
    ['when ECS says so and all tasks run', snapshot({ service: done, serviceDeployment: deployment({ status: 'SUCCESSFUL' }) })],
    ['by the rollout, though the service deployment is behind', snapshot({ service: done })],
    ['without service deployments', snapshot({ service: done, serviceDeployment: undefined })],
    [
      'with the digest that was pushed',
      snapshot({
        expected: expectation({ digests: { app: 'sha256:a' } }),
        service: done,
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        tasks: [task({ imageDigest: 'sha256:a' })],
      }),
    ],
    [
      'after one crash that healed',
      snapshot({ service: done, serviceDeployment: deployment({ status: 'SUCCESSFUL' }), tasks: [crashed(), task(), task()] }),
    ],
    [
      'with no tasks wanted',
      snapshot({
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        service: service({
          desiredCount: 0,
          deployments: [primary({ desiredCount: 0, pendingCount: 0, rolloutState: 'COMPLETED' })],
        }),
      }),
    ],
    [
      'where nothing was changed',
      snapshot({
        expected: expectation({ deployment: '', deploymentBefore: 'ecs-svc/8' }),
        serviceDeployment: undefined,
        service: done,
      }),
    ],
  ])('%s', (_, of) => {
    expect(judge(of)).toMatchObject({ phase: 'healthy', reason: '' })
  })
})

describe('a rollback by ECS', () => {
  const back = (more: Partial<ServiceSnapshot> = {}): ServiceSnapshot =>
    snapshot({
      expected: expectation({ rollsBack: true, taskDefinition: OLD, deployment: '' }),
      service: service({
        taskDefinition: OLD,
        deployments: [
          primary({ id: 'ecs-svc/9', taskDefinition: OLD, runningCount: 2, pendingCount: 0, rolloutState: 'COMPLETED' }),
        ],
      }),
      serviceDeployment: deployment({ status: 'ROLLBACK_SUCCESSFUL' }),
      ...more,
    })
  test.each<readonly [string, ServiceSnapshot, string]>([
    [
      'is waited for while it is asked for',
      back({ serviceDeployment: deployment({ status: 'ROLLBACK_REQUESTED' }) }),
      'progressing',
    ],
    [
      'is waited for while the new revision is shown',
      back({ service: service(), serviceDeployment: deployment() }),
      'progressing',
    ],
    [
      'is waited for until its tasks run',
      back({ service: service({ deployments: [primary({ taskDefinition: OLD, runningCount: 1 })] }) }),
      'progressing',
    ],
    ['is healthy when it has ended and its tasks run', back(), 'healthy'],
    ['is healthy by the rollout alone', back({ serviceDeployment: undefined }), 'healthy'],
    ['has failed when ECS says so', back({ serviceDeployment: deployment({ status: 'ROLLBACK_FAILED' }) }), 'failed'],
    [
      'has failed when the old revision crashes too',
      back({
        service: service({ deployments: [primary({ taskDefinition: OLD })] }),
        serviceDeployment: deployment({ status: 'ROLLBACK_IN_PROGRESS' }),
        tasks: [1, 2].map(() => crashed(1, { taskDefinitionArn: OLD })),
      }),
      'failed',
    ],
    [
      'is not judged by what ended before it',
      back({ tasks: [1, 2].map(() => crashed(1, { taskDefinitionArn: OLD, startedBy: 'ecs-svc/9', stoppedAt: at(-50) })) }),
      'healthy',
    ],
  ])('%s', (_, of, phase) => {
    expect(judge(of).phase).toBe(phase)
  })
})

test('time alone decides at the moment that was named', () => {
  const placing = snapshot({ service: service({ events: [event(2, 'was unable to place a task because of X.')] }) })
  const { recheckAt = 0 } = judge(placing)
  expect(recheckAt).toBe(START + 92_000)
  expect(judgeService(placing, recheckAt - 1).phase).toBe('progressing')
  expect(judgeService(placing, recheckAt).phase).toBe('failed')
})

test('says what is waited for', () => {
  expect(judge(snapshot({ service: running(1), serviceDeployment: deployment({ lifecycleStage: 'SCALE_UP' }) })).message).toBe(
    'service/web: 1 of 2 tasks of web:8 run; the deployment is in progress (SCALE_UP)',
  )
})

test('says that somebody has to answer a pause', () => {
  const lifecycleHookDetails = [
    { hookId: 'h1', targetType: 'PAUSE' as const, status: 'AWAITING_ACTION' as const, expiresAt: at(600) },
  ]
  expect(
    judge(
      snapshot({
        service: running(2),
        serviceDeployment: deployment({ lifecycleStage: 'POST_TEST_TRAFFIC_SHIFT', lifecycleHookDetails }),
      }),
    ).message,
  ).toBe(
    'service/web: the deployment is paused (POST_TEST_TRAFFIC_SHIFT): its hook h1 waits for ContinueServiceDeployment until 2026-01-01T00:10:00.000Z, then it goes to ROLLBACK',
  )
})

test('each task that ends is a disturbance', () => {
  const good = { service: done, serviceDeployment: deployment({ status: 'SUCCESSFUL' }) }
  const [a, b] = [judge(snapshot(good)), judge(snapshot({ ...good, tasks: [crashed()] }))]
  expect(a.disturbances).not.toBe(b.disturbances)
})

test('what a task says is printed on one line and without commands', () => {
  const tasks = [failedToStart(`${NO_SECRET}\n::error::owned\u001b[31m`)]
  expect(judge(snapshot({ tasks })).message).not.toMatch(/\n|\u001b/)
})

test('the expected revision is the one that counts', () => {
  expect(NEW).not.toBe(OLD)
  expect(
    judge(
      snapshot({
        service: done,
        serviceDeployment: deployment({ status: 'SUCCESSFUL' }),
        expected: expectation({ taskDefinition: OLD }),
      }),
    ).phase,
  ).toBe('progressing')
})
