import type { DeploymentConfiguration } from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { pushImage } from '../../../sandbox/aws/seed.ts'
import { Simulated } from './simulated.ts'

let it: Simulated
beforeEach(async () => {
  it = await Simulated.start({ loadBalancer: true })
})
afterEach(() => it.close())

/** Updates to `web:<tag>` with a strategy of ECS's own. */
function shift(tag: string, deploymentConfiguration: DeploymentConfiguration): void {
  const { targetGroups, productionRule, testRule } = it.seeded
  const [targetGroupArn, alternateTargetGroupArn] = targetGroups
  const roleArn = 'arn:aws:iam::123456789012:role/ecs'
  const advancedConfiguration = {
    alternateTargetGroupArn,
    productionListenerRule: productionRule,
    testListenerRule: testRule,
    roleArn,
  }
  pushImage(it.aws, 'web', tag)
  it.update({
    taskDefinition: it.register(tag),
    loadBalancers: [{ targetGroupArn, containerName: 'web', containerPort: 8080, advancedConfiguration }],
    deploymentConfiguration,
  })
}

/** What each rule sends to the green target group, in percent. */
function weights(): { production: number; test: number } {
  const green = it.seeded.targetGroups[1]
  const of = (rule: string): number => {
    const { Rules } = it.aws.call('elasticloadbalancing:DescribeRules', { RuleArns: [rule] })
    const [found] = Rules as { Actions: { ForwardConfig: { TargetGroups: { TargetGroupArn: string; Weight: number }[] } }[] }[]
    return found?.Actions[0]?.ForwardConfig.TargetGroups.find(group => group.TargetGroupArn === green)?.Weight ?? 0
  }
  return { production: of(it.seeded.productionRule), test: of(it.seeded.testRule) }
}

/** The stages gone through until its end, each once. */
async function stages(most = 900): Promise<string[]> {
  const seen: string[] = []
  for (let second = 0; second < most; second += 1) {
    const { status, lifecycleStage } = it.deployment()
    if (lifecycleStage !== undefined && seen.at(-1) !== lifecycleStage) seen.push(lifecycleStage)
    if (lifecycleStage !== undefined && status !== 'IN_PROGRESS' && status !== 'ROLLBACK_IN_PROGRESS') break
    await it.aws.advance(1)
  }
  return seen
}

test('all stages in their order; old tasks serve until the bake time is over', async () => {
  shift('2', { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 1 })
  expect(await stages()).toEqual([
    ...['PRE_SCALE_UP', 'SCALE_UP', 'POST_SCALE_UP', 'TEST_TRAFFIC_SHIFT', 'POST_TEST_TRAFFIC_SHIFT'],
    ...['PRODUCTION_TRAFFIC_SHIFT', 'POST_PRODUCTION_TRAFFIC_SHIFT', 'BAKE_TIME', 'CLEAN_UP'],
  ])
  expect(it.deployment()).toMatchObject({
    status: 'SUCCESSFUL',
    targetServiceRevision: { requestedProductionTrafficWeight: 100 },
  })
  expect(it.running()).toEqual({ 2: 2 })
  expect(weights()).toEqual({ production: 100, test: 100 })
})

test('the next one goes back to the first target group', async () => {
  shift('2', { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0 })
  await stages()
  shift('3', { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0 })
  await it.aws.advance(3)
  await stages()
  expect(it.running()).toEqual({ 3: 2 })
  expect(weights()).toEqual({ production: 0, test: 0 })
})

test.each<[DeploymentConfiguration, number[]]>([
  [
    { strategy: 'CANARY', canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: 1 }, bakeTimeInMinutes: 0 },
    [10, 100],
  ],
  [
    { strategy: 'LINEAR', linearConfiguration: { stepPercent: 25, stepBakeTimeInMinutes: 1 }, bakeTimeInMinutes: 0 },
    [25, 50, 75, 100],
  ],
])('production traffic shifts by steps: %j', async (configuration, percents) => {
  shift('2', configuration)
  await it.aws.advance(3)
  const seen = new Set<number>()
  for (let second = 0; second < 400 && it.deployment().status !== 'SUCCESSFUL'; second += 5) {
    await it.aws.advance(5)
    if (weights().production > 0) seen.add(weights().production)
  }
  expect([...seen]).toEqual(percents)
  expect(it.running()).toEqual({ 2: 2 })
})

describe('a PAUSE hook', () => {
  const paused = (action?: 'CONTINUE' | 'ROLLBACK', minutes = 5): DeploymentConfiguration => ({
    strategy: 'BLUE_GREEN',
    bakeTimeInMinutes: 0,
    lifecycleHooks: [
      {
        targetType: 'PAUSE',
        lifecycleStages: ['POST_TEST_TRAFFIC_SHIFT'],
        ...(action !== undefined && { timeoutConfiguration: { timeoutInMinutes: minutes, action } }),
      },
    ],
  })
  const hook = async () => {
    for (let second = 0; second < 60; second++) {
      const found = it.deployment().lifecycleHookDetails?.find(one => one.status === 'AWAITING_ACTION')
      if (found !== undefined) return { serviceDeploymentArn: it.deployment().serviceDeploymentArn, hookId: found.hookId }
      await it.aws.advance(1)
    }
    throw new Error('no hook awaits an action')
  }

  test('is waited for, with all test traffic and none of production', async () => {
    shift('2', paused())
    const found = await hook()
    await it.aws.advance(600)
    expect(it.deployment()).toMatchObject({ status: 'IN_PROGRESS', lifecycleStage: 'POST_TEST_TRAFFIC_SHIFT' })
    expect(weights()).toEqual({ production: 0, test: 100 })
    it.aws.call('ecs:ContinueServiceDeployment', { ...found, action: 'CONTINUE' })
    await stages()
    expect(it.deployment()).toMatchObject({ status: 'SUCCESSFUL', lifecycleHookDetails: [{ status: 'SUCCEEDED' }] })
    expect(() => it.aws.call('ecs:ContinueServiceDeployment', found)).toThrow(/not awaiting an action/)
  })

  test('that is answered by ROLLBACK puts all back', async () => {
    shift('2', paused())
    it.aws.call('ecs:ContinueServiceDeployment', { ...(await hook()), action: 'ROLLBACK' })
    expect(await it.end()).toMatchObject({
      status: 'ROLLBACK_SUCCESSFUL',
      statusReason: 'Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed.',
    })
    expect(it.running()).toEqual({ 1: 2 })
    expect(weights()).toEqual({ production: 0, test: 0 })
  })

  test.each([
    ['CONTINUE', 'SUCCESSFUL', { 2: 2 }],
    ['ROLLBACK', 'ROLLBACK_SUCCESSFUL', { 1: 2 }],
  ] as const)('that nobody answers in time does %s', async (action, status, running) => {
    shift('2', paused(action))
    await hook()
    await it.aws.advance(290)
    expect(it.deployment().status).toBe('IN_PROGRESS')
    await it.aws.advance(60)
    expect(it.deployment().status).toBe(status)
    expect(it.running()).toEqual(running)
  })
})

test('a function that fails rolls back, and is named', async () => {
  it.aws.scenario({ hooks: { smoke: 'FAILED' } })
  const hookTargetArn = 'arn:aws:lambda:eu-west-1:123456789012:function:smoke'
  shift('2', {
    strategy: 'BLUE_GREEN',
    lifecycleHooks: [{ hookTargetArn, roleArn: 'arn:aws:iam::123456789012:role/x', lifecycleStages: ['PRE_SCALE_UP'] }],
  })
  expect(await it.end()).toMatchObject({
    status: 'ROLLBACK_SUCCESSFUL',
    statusReason: expect.stringContaining(`${hookTargetArn} returned FAILED status.`),
  })
})

test('tasks that do not start trip the breaker, and production never noticed', async () => {
  it.aws.scenario({ images: { 'web:2': { exit: { code: 1, after: 0.1 } } } })
  shift('2', { strategy: 'BLUE_GREEN', deploymentCircuitBreaker: { enable: true, rollback: true } })
  expect(await it.end()).toMatchObject({ status: 'ROLLBACK_SUCCESSFUL', lifecycleStage: 'SCALE_UP' })
  expect(it.running()).toEqual({ 1: 2 })
})

test('stopped in its bake time, traffic goes back at once', async () => {
  shift('2', { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 10 })
  await it.aws.advance(60)
  expect(it.deployment()).toMatchObject({ lifecycleStage: 'BAKE_TIME' })
  expect(weights().production).toBe(100)
  it.aws.call('ecs:StopServiceDeployment', { serviceDeploymentArn: it.deployment().serviceDeploymentArn, stopType: 'ROLLBACK' })
  await it.aws.advance(3)
  expect(weights().production).toBe(0)
  expect(await it.end()).toMatchObject({ status: 'ROLLBACK_SUCCESSFUL' })
  expect(it.running()).toEqual({ 1: 2 })
})
