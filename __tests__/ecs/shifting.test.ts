import type { DeploymentConfiguration } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Scenario } from '../../sandbox/aws/scenario.ts'
import type { Checked } from '../../src/deploy/check.ts'
import type { DeployOptions } from '../../src/deploy/engine.ts'
import { AwsApi } from '../../src/ecs/api.ts'
import { rollbackTarget } from '../../src/ecs/rollback-target.ts'
import type { ServiceSettings } from '../../src/ecs/service-change.ts'
import { shiftWaitsMs } from '../../src/ecs/shift-waits.ts'
import { type Ended, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

const live = (): string =>
  stage
    .service()
    .deployments?.find(({ status }) => status === 'PRIMARY')
    ?.taskDefinition?.split('/')
    .at(-1) ?? ''

/** A service whose load balancer has a second target group to shift to. */
async function shifting(scenario: Scenario = {}, configuration: DeploymentConfiguration = {}): Promise<void> {
  stage = await setStage({ seed: { loadBalancer: true }, scenario })
  const { cluster, service, targetGroups, productionRule, testRule } = stage.seeded
  const [targetGroupArn, alternateTargetGroupArn] = targetGroups
  const advancedConfiguration = {
    alternateTargetGroupArn,
    productionListenerRule: productionRule,
    testListenerRule: testRule,
    roleArn: 'arn:aws:iam::123456789012:role/ecs',
  }
  stage.aws.call('ecs:UpdateService', {
    cluster,
    service,
    loadBalancers: [{ targetGroupArn, containerName: 'web', containerPort: 8080, advancedConfiguration }],
    deploymentConfiguration: configuration,
  })
  await stage.aws.advance(240)
  stage.push('2')
}

const deploy = (settings: Partial<ServiceSettings>): Promise<Ended> =>
  stage.deploy({ tag: '2', target: { settings: { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [], ...settings } } })

describe("ECS's own strategies that shift traffic", () => {
  test.each<[string, Partial<ServiceSettings>, DeploymentConfiguration]>([
    ['blue-green', { strategy: 'blue-green', bakeTimeMinutes: 1 }, { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 1 }],
    [
      'linear',
      { strategy: 'linear', steps: [50], bakeTimeMinutes: 0 },
      { strategy: 'LINEAR', linearConfiguration: { stepPercent: 50 } },
    ],
    [
      'canary',
      { strategy: 'canary', steps: [10], bakeTimeMinutes: 0 },
      { strategy: 'CANARY', canaryConfiguration: { canaryPercent: 10 } },
    ],
  ])('%s comes up, and is followed through its stages', async (_, settings, configuration) => {
    await shifting()
    const ended = await deploy(settings)
    expect({ result: ended.result, message: ended.message }).toEqual({
      result: 'deployed',
      message: expect.stringMatching(/2\/2 ready/),
    })
    expect(ended.log).toMatch(/the deployment is in progress \([A-Z_]+\)/)
    expect(stage.service().deploymentConfiguration).toMatchObject(configuration)
    expect(live()).toBe('web:2')
  })

  test.each<[string, DeploymentConfiguration | undefined, minutes: number]>([
    ['nothing said', undefined, 0],
    ['rolling', { strategy: 'ROLLING', bakeTimeInMinutes: 5, linearConfiguration: {} }, 0],
    ['blue-green', { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 5, canaryConfiguration: {} }, 5],
    ['blue-green that shows no time', { strategy: 'BLUE_GREEN' }, 15],
    ["linear at ECS's own pace", { strategy: 'LINEAR', bakeTimeInMinutes: 1 }, 9 * 6 + 1],
    [
      'linear',
      { strategy: 'LINEAR', bakeTimeInMinutes: 0, linearConfiguration: { stepPercent: 11, stepBakeTimeInMinutes: 2 } },
      9 * 2,
    ],
    ['linear at once', { strategy: 'LINEAR', bakeTimeInMinutes: 0, linearConfiguration: { stepPercent: 100 } }, 0],
    ["canary at ECS's own pace", { strategy: 'CANARY', bakeTimeInMinutes: 1 }, 10 + 1],
    ['canary', { strategy: 'CANARY', bakeTimeInMinutes: 0, canaryConfiguration: { canaryBakeTimeInMinutes: 0 } }, 0],
  ])('what ECS is told to wait: %s', (_, configuration, minutes) => {
    expect(shiftWaitsMs(configuration)).toBe(minutes * 60_000)
  })

  test('linear comes up within a timeout that is shorter than what ECS waits between two shifts', async () => {
    await shifting()
    const settings = { forceNewDeployment: false, circuitBreaker: 'keep' as const, alarms: [] }
    const ended = await stage.deploy({
      tag: '2',
      target: { settings: { ...settings, strategy: 'linear', steps: [50] } },
      options: { timeoutMs: 2 * 60_000 },
    })
    expect([ended.result, live()]).toEqual(['deployed', 'web:2'])
    expect(ended.seconds).toBeGreaterThan(6 * 60)
    expect(ended.log).toContain('The platform was told to wait for 6 m on the way')
  })

  test("a rollback of a canary service at ECS's own pace comes up too", async () => {
    await shifting()
    await stage.deploy({ tag: '2' })
    const { cluster, service } = stage.seeded
    stage.aws.call('ecs:UpdateService', {
      cluster,
      service,
      deploymentConfiguration: { strategy: 'CANARY', bakeTimeInMinutes: 1 },
    })
    const api = new AwsApi({ region: '', clock: stage.clock, signal: new AbortController().signal, settings: stage.aws.client })
    const target = rollbackTarget({ api, cluster, to: 'previous', bad: 0, onChosen: () => undefined })
    const ended = await stage.deploy({ platform: { target }, options: { timeoutMs: 10 * 60_000 } })
    expect([ended.result, live()]).toEqual(['deployed', 'web:1'])
    expect(ended.seconds).toBeGreaterThan(11 * 60)
  })

  test('what never comes up still ends at the timeout and those waits', async () => {
    await shifting({ images: { 'web:2': { starts: 100_000, target: 503 } } })
    const { cluster, service } = stage.seeded
    stage.aws.call('ecs:UpdateService', { cluster, service, healthCheckGracePeriodSeconds: 100_000 })
    const ended = await stage.deploy({
      tag: '2',
      target: {
        settings: { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [], strategy: 'blue-green', bakeTimeMinutes: 2 },
      },
      options: { timeoutMs: 60_000 },
    })
    expect([ended.result, live()]).toEqual(['rolled-back', 'web:1'])
    expect(ended.message).toContain('The timeout of 1 m besides the 2 m that were to be waited for is over')
  })

  test('blue-green that crashes never gets the traffic, and the old configuration is back', async () => {
    await shifting({ images: { 'web:2': { exit: { code: 3, after: 2 } } } })
    const ended = await deploy({ strategy: 'blue-green', bakeTimeMinutes: 1 })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(live()).toBe('web:1')
    expect(stage.service().deploymentConfiguration?.strategy ?? 'ROLLING').toBe('ROLLING')
  })

  // Each deployment goes to the target group that the one before did not.
  test.each([1, 2])('blue-green tells of targets that are unhealthy before ECS stops a task, deployment %i', async count => {
    await shifting({ images: { 'web:9': { target: 503 } } }, { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0 })
    const { cluster, service } = stage.seeded
    stage.aws.call('ecs:UpdateService', { cluster, service, healthCheckGracePeriodSeconds: 60 })
    stage.push('9')
    if (count === 2) expect(await stage.deploy({ tag: '2' })).toMatchObject({ result: 'deployed' })
    const ended = await stage.deploy({ tag: '9' })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'UnhealthyTarget' })
    expect(ended.log).toMatch(/the target [0-9.]+ is unhealthy: Health checks failed with these codes: \[503\]/)
  })

  test('is refused where the load balancer has nothing to shift to', async () => {
    stage = await setStage({ seed: { loadBalancer: true } })
    stage.push('2')
    const ended = await deploy({ strategy: 'canary' })
    expect(ended).toMatchObject({ result: 'refused', reason: 'InvalidInput' })
    expect(ended.message).toMatch(/canary shifts traffic between two target groups, and service web has no advancedConfiguration/)
  })
})

describe('hooks of the kind PAUSE', () => {
  const STAGE = 'POST_TEST_TRAFFIC_SHIFT'

  /** A blue-green service that stops at a stage, for 10 minutes, and is then put back by ECS. */
  async function pausing(scenario: Scenario = {}): Promise<void> {
    await shifting(scenario)
    const { cluster, service } = stage.seeded
    const hook = {
      targetType: 'PAUSE' as const,
      lifecycleStages: [STAGE],
      timeoutConfiguration: { timeoutInMinutes: 10, action: 'ROLLBACK' as const },
    }
    stage.aws.call('ecs:UpdateService', {
      cluster,
      service,
      deploymentConfiguration: { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0, lifecycleHooks: [hook] },
    })
    await stage.aws.advance(10)
  }

  const answers = (): readonly unknown[] =>
    stage.aws.calls.list.flatMap(({ action, input }) =>
      action === 'ecs:ContinueServiceDeployment' ? [(input as { action?: string }).action] : [],
    )

  type Result = Checked['result']
  const checking = (results: readonly Result[], asked: string[] = []): DeployOptions['check'] => {
    return async (live, at) => {
      asked.push(at === undefined ? live : at.stage)
      const result = live === 'restored' ? 'passed' : (results[asked.length - 1] ?? 'passed')
      return { result, reason: result === 'passed' ? '' : 'WrongStatus', message: 'It answered.', summary: '' }
    }
  }

  test.each<
    [name: string, results: readonly Result[], Partial<DeployOptions>, result: string, serving: string, answers: string[]]
  >([
    ['passed', ['passed'], {}, 'deployed', 'web:2', ['CONTINUE']],
    ['failed', ['failed'], {}, 'rolled-back', 'web:1', ['ROLLBACK']],
    ['inconclusive, and warn', ['inconclusive'], { onInconclusive: 'warn' }, 'deployed', 'web:2', ['CONTINUE']],
    // Left to a person, who does not come: ECS's own time for it runs out.
    ['inconclusive', ['inconclusive'], {}, 'rolled-back', 'web:1', []],
    ['passed there, failed when it is up', ['passed', 'failed'], {}, 'rolled-back', 'web:1', ['CONTINUE', 'CONTINUE']],
  ])('%s', async (_, results, options, result, serving, answered) => {
    await pausing()
    const asked: string[] = []
    const ended = await stage.deploy({ tag: '2', options: { ...options, check: checking(results, asked) } })
    expect([ended.result, live(), answers()]).toEqual([result, serving, answered])
    expect(asked[0]).toBe(STAGE)
    // When it is up it is checked once more.
    if (result === 'deployed') expect(asked).toEqual([STAGE, 'new'])
  })

  test('a refusal is told with its stage and what was seen, and how it was put back', async () => {
    await pausing()
    const ended = await stage.deploy({ tag: '2', options: { check: checking(['failed']) } })
    expect(ended).toMatchObject({
      reason: 'WrongStatus',
      message: `service/web at ${STAGE}: It answered. ecs://app/web/web:1 was put back and is healthy. Its checks pass.`,
    })
    expect(ended.report?.restored).toEqual([`service/web to web:1, by the answer ROLLBACK to its hook at ${STAGE}`])
    expect(stage.aws.calls.count('ecs:StopServiceDeployment')).toBe(0)
    expect(ended.seconds).toBeLessThan(120)
  })

  test('a refused release that is to be kept gets no answer', async () => {
    await pausing()
    const ended = await stage.deploy({ tag: '2', options: { onFailure: 'keep', check: checking(['failed']) } })
    expect(ended).toMatchObject({ result: 'failed', reason: 'WrongStatus' })
    expect([answers(), live()]).toEqual([[], 'web:2'])
  })

  test('without checks it is waited for, and whoever answers lets it go on', async () => {
    await pausing()
    const ended = await stage.deploy({
      tag: '2',
      during: at =>
        at(120, () => {
          const { currentServiceDeployment: serviceDeploymentArn = '' } = stage.service()
          const found = stage.aws.call('ecs:DescribeServiceDeployments', { serviceDeploymentArns: [serviceDeploymentArn] })
          const [deployment] = (found as { serviceDeployments: { lifecycleHookDetails: { hookId: string }[] }[] })
            .serviceDeployments
          const hookId = deployment?.lifecycleHookDetails[0]?.hookId
          stage.aws.call('ecs:ContinueServiceDeployment', { serviceDeploymentArn, hookId, action: 'CONTINUE' })
        }),
    })
    expect([ended.result, live(), answers()]).toEqual(['deployed', 'web:2', []])
    expect(ended.log).toMatch(/the deployment is paused \(POST_TEST_TRAFFIC_SHIFT\).*waits for ContinueServiceDeployment until/)
  })

  test.each(['ROLLBACK', 'CONTINUE'])('an answer that the role may not give, %s', async answer => {
    await pausing()
    const ended = await stage.deploy({
      tag: '2',
      options: { check: checking([answer === 'ROLLBACK' ? 'failed' : 'passed']) },
      scenario: { faults: [{ action: 'ecs:ContinueServiceDeployment', error: 'AccessDeniedException' }] },
    })
    expect([ended.result, live()]).toEqual(['rolled-back', 'web:1'])
    expect(ended.log).toContain('it needs the permission ecs:ContinueServiceDeployment')
    // What may not be refused is stopped.
    expect(ended.report?.restored[0]).toMatch(answer === 'ROLLBACK' ? /by stopping the deployment/ : /by ECS's own rollback/)
  })

  test('a cancel at a stage stops the deployment', async () => {
    await pausing()
    const ended = await stage.deploy({ tag: '2', cancelAt: 120 })
    expect([ended.result, live(), answers()]).toEqual(['cancelled', 'web:1', []])
    expect(stage.aws.calls.count('ecs:StopServiceDeployment')).toBe(1)
  })
})
