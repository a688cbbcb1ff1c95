import type { DeploymentConfiguration } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Behaviour, Scenario } from '../../../sandbox/aws/scenario.ts'
import type { Seed } from '../../../sandbox/aws/seed.ts'
import { Simulated } from './simulated.ts'

let it: Simulated
afterEach(() => it.close())

const breaker: DeploymentConfiguration = { deploymentCircuitBreaker: { enable: true, rollback: true } }
const check = { healthCheck: { command: ['CMD', 'true'], interval: 5, retries: 2, startPeriod: 0 } }

describe('a bad release, with the circuit breaker, is rolled back', () => {
  test.each<[string, Behaviour, { stopCode: string; reason: RegExp; exitCode?: number }, Seed?, object?]>([
    [
      'exits before it runs',
      { exit: { code: 3, after: 0.5 } },
      { stopCode: 'EssentialContainerExited', reason: /^Essential container in task exited$/, exitCode: 3 },
    ],
    ['is killed for its memory', { oom: 0.5 }, { stopCode: 'EssentialContainerExited', reason: /^Essential/, exitCode: 137 }],
    [
      'cannot be pulled',
      { pull: 'not found' },
      { stopCode: 'TaskFailedToStart', reason: /^CannotPullContainerError: .*web:2: not found$/ },
    ],
    [
      'may not be pulled',
      { pull: 'no access' },
      { stopCode: 'TaskFailedToStart', reason: /^CannotPullContainerError: .*403 Forbidden$/ },
    ],
    [
      'cannot be set up',
      { init: 'unable to pull secrets' },
      { stopCode: 'TaskFailedToStart', reason: /^ResourceInitializationError: unable to pull secrets$/ },
    ],
    [
      'cannot be started',
      { start: 'exec: "/app": no such file' },
      { stopCode: 'TaskFailedToStart', reason: /^CannotStartContainerError: exec/ },
    ],
    [
      'is never healthy to its target group',
      { target: 503 },
      { stopCode: 'ServiceSchedulerInitiated', reason: /^Task failed ELB health checks in \(target-group arn:/ },
      { loadBalancer: true },
    ],
    [
      'is never healthy by its own check',
      { health: 'unhealthy' },
      { stopCode: 'ServiceSchedulerInitiated', reason: /^Task failed container health checks$/ },
      {},
      check,
    ],
  ])('%s', async (_, behaviour, { stopCode, reason, exitCode }, plan = {}, container = {}) => {
    it = await Simulated.start(plan, { images: { 'web:2': behaviour } })
    it.release('2', breaker, container)
    const ended = await it.end()
    expect(ended).toMatchObject({
      status: 'ROLLBACK_SUCCESSFUL',
      statusReason: 'Service deployment rolled back because the circuit breaker threshold was exceeded.',
      deploymentCircuitBreaker: { status: 'TRIGGERED', threshold: 3 },
    })
    expect(it.running()).toEqual({ 1: 2 })
    expect(it.service()).toMatchObject({ taskDefinition: it.seeded.taskDefinition, runningCount: 2 })
    const failed = it.tasks('STOPPED').filter(task => task.taskDefinitionArn?.endsWith(':2'))
    expect(failed.length).toBeGreaterThanOrEqual(3)
    expect(failed[0]).toMatchObject({ stopCode, stoppedReason: expect.stringMatching(reason) })
    if (exitCode !== undefined) expect(failed[0]?.containers?.[0]?.exitCode).toBe(exitCode)
    expect(it.events()).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/deployment failed: tasks failed to start\.$/),
        expect.stringMatching(/rolling back to deployment ecs-svc\/\d+\.$/),
      ]),
    )
  })
})

describe('what ends well', () => {
  test.each<[string, Scenario, Seed?]>([
    ['a good release', {}],
    ['one behind a load balancer', {}, { loadBalancer: true }],
    [
      'one that is slow to serve, within its grace period',
      { images: { 'web:2': { starts: 40 } } },
      { loadBalancer: true, with: { healthCheckGracePeriodSeconds: 60 } },
    ],
    ['one crash that heals', { images: { 'web:2': [{ exit: { code: 1, after: 0.5 } }, {}] } }],
    ['a pull that fails once', { images: { 'web:2': [{ pull: 'timeout' }, {}] } }],
    ['a shortage that passes', { capacity: { tasks: 2, until: 60 } }],
    ['a Spot interruption in the middle', { events: [{ at: 14, interrupt: 'web' }] }],
    ['a host that goes', { events: [{ at: 14, stop: 'web', reason: 'Host EC2 (instance i-1) terminated.' }] }],
  ])('%s', async (_, scenario, plan = {}) => {
    it = await Simulated.start({ ...plan, with: { ...plan.with, deploymentConfiguration: breaker } }, scenario)
    it.release('2')
    expect(await it.end()).toMatchObject({ status: 'SUCCESSFUL', deploymentCircuitBreaker: { failureCount: 0 } })
    await it.aws.advance(60)
    expect(it.running()).toEqual({ 2: 2 })
    expect(it.service().deployments).toMatchObject([
      { status: 'PRIMARY', rolloutState: 'COMPLETED', runningCount: 2, failedTasks: 0 },
    ])
  })

  test('both old tasks serve until both new ones are healthy', async () => {
    it = await Simulated.start({ loadBalancer: true })
    it.release('2')
    const seen: number[] = []
    for (let second = 0; second < 40; second++) {
      await it.aws.advance(1)
      const health = it.aws.call('elasticloadbalancing:DescribeTargetHealth', { TargetGroupArn: it.seeded.targetGroups[0] })
      const states = (health['TargetHealthDescriptions'] as { TargetHealth: { State: string } }[]).map(
        one => one.TargetHealth.State,
      )
      seen.push(states.filter(state => state === 'healthy').length)
    }
    expect(Math.min(...seen)).toBe(2)
    expect(Math.max(...seen)).toBe(4)
  })
})

describe('what ECS does not end by itself', () => {
  test('without a breaker it goes on for ever, waiting longer and longer', async () => {
    it = await Simulated.start({}, { images: { 'web:2': { exit: { code: 1, after: 0.5 } } } })
    it.release('2')
    expect(await it.end(900)).toMatchObject({ status: 'IN_PROGRESS', deploymentCircuitBreaker: { status: 'DISABLED' } })
    const { deployments } = it.service()
    expect(deployments).toMatchObject([
      { status: 'PRIMARY', rolloutState: 'IN_PROGRESS' },
      { status: 'ACTIVE', runningCount: 2 },
    ])
    expect(deployments?.[0]?.failedTasks).toBeGreaterThan(10)
    expect(it.events()).toEqual(
      expect.arrayContaining([expect.stringMatching(/is unable to consistently start tasks successfully\./)]),
    )
  })

  test('a task that was RUNNING does not count for the breaker', async () => {
    it = await Simulated.start(
      { with: { deploymentConfiguration: breaker } },
      { images: { 'web:2': { exit: { code: 1, after: 3 } } } },
    )
    it.release('2')
    await it.end(300)
    expect(it.deployment().deploymentCircuitBreaker).toMatchObject({ failureCount: 0 })
    expect(it.deployment().status).not.toMatch(/ROLLBACK/)
  })

  test('without a rollback the failed deployment stays, and the old tasks with it', async () => {
    it = await Simulated.start({}, { images: { 'web:2': { exit: { code: 1, after: 0.5 } } } })
    it.release('2', { deploymentCircuitBreaker: { enable: true, rollback: false } })
    expect(await it.end()).toMatchObject({ status: 'STOPPED', deploymentCircuitBreaker: { status: 'TRIGGERED' } })
    await it.aws.advance(120)
    expect(it.running()).toEqual({ 1: 2 })
    expect(it.service().deployments).toMatchObject([
      { status: 'PRIMARY', rolloutState: 'FAILED' },
      { status: 'ACTIVE', runningCount: 2 },
    ])
  })
})

describe('changes from outside', () => {
  test('an update answers with the new PRIMARY at count 0; its service deployment is seen later', async () => {
    it = await Simulated.start()
    const before = it.deployment().serviceDeploymentArn
    it.release('2')
    expect(it.service().deployments).toMatchObject([
      { status: 'PRIMARY', desiredCount: 0, rolloutState: 'IN_PROGRESS' },
      { status: 'ACTIVE', runningCount: 2 },
    ])
    expect(it.deployment().serviceDeploymentArn).toBe(before)
    await it.aws.advance(2)
    expect(it.deployment().serviceDeploymentArn).not.toBe(before)
  })

  test('a deployment that another replaces is STOPPED', async () => {
    it = await Simulated.start()
    it.release('2')
    await it.aws.advance(3)
    const { serviceDeploymentArn } = it.deployment()
    it.release('3')
    const described = it.aws.call('ecs:DescribeServiceDeployments', { serviceDeploymentArns: [serviceDeploymentArn ?? ''] })
    expect(described['serviceDeployments']).toMatchObject([
      { status: 'STOPPED', statusReason: 'Replaced by a new service deployment.' },
    ])
    await it.aws.advance(3)
    expect(await it.end()).toMatchObject({ status: 'SUCCESSFUL' })
    expect(it.running()).toEqual({ 3: 2 })
  })

  test('StopServiceDeployment goes back to what was there, breaker or not', async () => {
    it = await Simulated.start({}, { images: { 'web:2': { exit: { code: 1, after: 0.5 } } } })
    it.release('2')
    await it.aws.advance(10)
    const { serviceDeploymentArn } = it.deployment()
    it.aws.call('ecs:StopServiceDeployment', { serviceDeploymentArn, stopType: 'ROLLBACK' })
    expect(it.deployment().status).toBe('ROLLBACK_REQUESTED')
    expect(await it.end()).toMatchObject({ status: 'ROLLBACK_SUCCESSFUL', rollback: { serviceRevisionArn: expect.any(String) } })
    expect(it.running()).toEqual({ 1: 2 })
    expect(() => it.aws.call('ecs:StopServiceDeployment', { serviceDeploymentArn, stopType: 'ROLLBACK' })).toThrow(
      /ROLLBACK_SUCCESSFUL state/,
    )
  })

  test('a first deployment has nothing to go back to', async () => {
    it = await Simulated.start({ desiredCount: 0 })
    const input = {
      cluster: 'app',
      serviceName: 'other',
      taskDefinition: 'web',
      desiredCount: 1,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['s'] } },
    }
    it.aws.scenario({ images: { 'web:1': { exit: { code: 1, after: 0.1 } } } })
    it.aws.call('ecs:CreateService', { ...input, deploymentConfiguration: breaker })
    await it.aws.advance(60)
    const { serviceDeployments } = it.aws.call('ecs:ListServiceDeployments', { cluster: 'app', service: 'other' })
    expect(serviceDeployments).toMatchObject([{ status: 'STOPPED' }])
  })

  test('an alarm rolls back; one that was in ALARM before is not watched', async () => {
    it = await Simulated.start()
    for (const AlarmName of ['old', 'errors']) it.aws.call('cloudwatch:PutMetricAlarm', { AlarmName })
    it.aws.call('cloudwatch:SetAlarmState', { AlarmName: 'old', StateValue: 'ALARM', StateReason: 'x' })
    const alarms = { alarmNames: ['old', 'errors'], enable: true, rollback: true }
    it.release('2', { alarms, bakeTimeInMinutes: 2 })
    await it.aws.advance(60)
    expect(it.deployment()).toMatchObject({ status: 'IN_PROGRESS', alarms: { status: 'MONITORING' } })
    it.aws.scenario({ events: [{ at: 1, alarm: 'errors', state: 'ALARM' }] })
    await it.aws.advance(10)
    expect(await it.end()).toMatchObject({
      status: 'ROLLBACK_SUCCESSFUL',
      alarms: { status: 'TRIGGERED', triggeredAlarmNames: ['errors'] },
    })
    expect(it.running()).toEqual({ 1: 2 })
  })

  test('scaling is no deployment', async () => {
    it = await Simulated.start()
    const before = it.deployment().serviceDeploymentArn
    it.update({ desiredCount: 1 })
    await it.aws.advance(20)
    expect(it.running()).toEqual({ 1: 1 })
    expect(it.tasks('STOPPED')).toMatchObject([
      {
        stopCode: 'ServiceSchedulerInitiated',
        stoppedReason: expect.stringMatching(/^Scaling activity initiated by \(deployment ecs-svc\/\d+\)$/),
      },
    ])
    it.update({ desiredCount: 3, taskDefinition: it.seeded.taskDefinition })
    await it.aws.advance(20)
    expect(it.running()).toEqual({ 1: 3 })
    expect(it.deployment().serviceDeploymentArn).toBe(before)
    expect(it.service().deployments).toHaveLength(1)
  })

  test('a task that ends afterwards is replaced, and nothing is deployed', async () => {
    it = await Simulated.start({}, { events: [{ at: 60, interrupt: 'web' }] })
    await it.aws.advance(80)
    expect(it.running()).toEqual({ 1: 2 })
    expect(it.tasks('STOPPED')).toMatchObject([
      { stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.' },
    ])
    expect(it.deployment().status).toBe('SUCCESSFUL')
  })

  test('no room for a task is an event each time', async () => {
    it = await Simulated.start()
    it.aws.scenario({ capacity: { tasks: 2 } })
    it.release('2')
    expect((await it.end(120)).status).toBe('IN_PROGRESS')
    expect(it.events().at(-1)).toMatch(/was unable to place a task\. Reason: Capacity is unavailable at this time/)
  })

  test('a service is deleted: DRAINING, then INACTIVE, and still described', async () => {
    it = await Simulated.start()
    expect(() => it.aws.call('ecs:DeleteService', { cluster: 'app', service: 'web' })).toThrow(/scaled above 0/)
    it.aws.call('ecs:DeleteService', { cluster: 'app', service: 'web', force: true })
    expect(it.service().status).toBe('DRAINING')
    await it.aws.advance(20)
    expect(it.service().status).toBe('INACTIVE')
    expect(() => it.update({ desiredCount: 1 })).toThrow(/not ACTIVE/)
  })
})

test('a rollback whose own tasks do not start is ROLLBACK_FAILED', async () => {
  const images = { 'web:1': [{}, { exit: { code: 1, after: 0.1 } }], 'web:2': { exit: { code: 1, after: 0.1 } } }
  const configuration = { ...breaker, minimumHealthyPercent: 0, maximumPercent: 100 }
  it = await Simulated.start({ desiredCount: 1, with: { deploymentConfiguration: configuration } }, { images })
  it.release('2')
  expect(await it.end()).toMatchObject({ status: 'ROLLBACK_FAILED' })
  await it.aws.advance(60)
  expect(it.service()).toMatchObject({ runningCount: 0, deployments: [{ rolloutState: 'FAILED' }, { rolloutState: 'FAILED' }] })
})

test('what failed is replaced by the next good release', async () => {
  it = await Simulated.start({}, { images: { 'web:2': { exit: { code: 1, after: 0.1 } } } })
  it.release('2', { deploymentCircuitBreaker: { enable: true, rollback: false } })
  expect((await it.end()).status).toBe('STOPPED')
  it.release('3')
  await it.aws.advance(3)
  expect((await it.end()).status).toBe('SUCCESSFUL')
  expect(it.running()).toEqual({ 3: 2 })
  expect(it.service().deployments).toHaveLength(1)
})
