import type { DeploymentConfiguration } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Scenario } from '../../sandbox/aws/scenario.ts'
import type { ServiceSettings } from '../../src/ecs/service-change.ts'
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

  test('blue-green that crashes never gets the traffic, and the old configuration is back', async () => {
    await shifting({ images: { 'web:2': { exit: { code: 3, after: 2 } } } })
    const ended = await deploy({ strategy: 'blue-green', bakeTimeMinutes: 1 })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(live()).toBe('web:1')
    expect(stage.service().deploymentConfiguration?.strategy ?? 'ROLLING').toBe('ROLLING')
  })

  test('is refused where the load balancer has nothing to shift to', async () => {
    stage = await setStage({ seed: { loadBalancer: true } })
    stage.push('2')
    const ended = await deploy({ strategy: 'canary' })
    expect(ended).toMatchObject({ result: 'refused', reason: 'InvalidInput' })
    expect(ended.message).toMatch(/canary shifts traffic between two target groups, and service web has no advancedConfiguration/)
  })
})
