import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Scenario } from '../../sandbox/aws/scenario.ts'
import { AwsApi } from '../../src/ecs/api.ts'
import { finishRelease } from '../../src/ecs/finish-release.ts'
import { type CodeDeployment, wordOfCodeDeploy } from '../../src/ecs/judge/code-deploy.ts'
import { rollbackTarget } from '../../src/ecs/rollback-target.ts'
import { createLog } from '../../src/runner/log.ts'
import { type Ended, type Play, RUN, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

async function codeDeploys(scenario: Scenario = {}, group: object = {}, service: object = {}): Promise<Stage> {
  const made = await setStage({
    seed: { loadBalancer: true, with: { deploymentController: { type: 'CODE_DEPLOY' }, ...service } },
    scenario,
  })
  stage = made
  const pair = {
    targetGroups: [{ name: 'web-blue' }, { name: 'web-green' }],
    prodTrafficRoute: { listenerArns: [made.seeded.productionListener] },
    testTrafficRoute: { listenerArns: [made.seeded.testListener] },
  }
  made.aws.call('codedeploy:CreateApplication', { applicationName: 'AppECS-app-web', computePlatform: 'ECS' })
  made.aws.call('codedeploy:CreateDeploymentGroup', {
    applicationName: 'AppECS-app-web',
    deploymentGroupName: 'DgpECS-app-web',
    serviceRoleArn: 'arn:aws:iam::123456789012:role/codedeploy',
    ecsServices: [{ clusterName: 'app', serviceName: 'web' }],
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM'] },
    loadBalancerInfo: { targetGroupPairInfoList: [pair] },
    blueGreenDeploymentConfiguration: {
      terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 60 },
    },
    ...group,
  })
  made.push('2')
  return made
}

const deploy = (on: Stage, play: Play = {}): Promise<Ended> => on.deploy({ tag: '2', ...play })
async function finish(on: Stage, release = ''): Promise<string | undefined> {
  const never = new AbortController().signal
  const log = createLog(() => undefined)
  const env = { ...RUN, STATE_release: release }
  const runner = { env, workspace: '', temporary: '', log, cancelled: never, ending: never, saveState: () => undefined }
  return on.drive(finishRelease(runner, { clock: on.clock, settings: on.aws.client }))
}

/** As another tool, or somebody by hand, would. @returns its name */
function byHand(on: Stage, revision: string, description = 'by hand'): string {
  const { taskDefinition } = on.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: revision }) as {
    taskDefinition: { taskDefinitionArn: string }
  }
  const Properties = {
    TaskDefinition: taskDefinition.taskDefinitionArn,
    LoadBalancerInfo: { ContainerName: 'web', ContainerPort: on.service().taskSets?.[0]?.loadBalancers?.[0]?.containerPort },
  }
  const content = JSON.stringify({
    version: 0.0,
    Resources: [{ TargetService: { Type: 'AWS::ECS::Service', Properties } }],
  })
  const { deploymentId } = on.aws.call('codedeploy:CreateDeployment', {
    applicationName: 'AppECS-app-web',
    deploymentGroupName: 'DgpECS-app-web',
    description,
    revision: { revisionType: 'AppSpecContent', appSpecContent: { content } },
  }) as { deploymentId: string }
  return deploymentId
}

const live = (on: Stage): string =>
  on
    .service()
    .taskSets?.find(({ status }) => status === 'PRIMARY')
    ?.taskDefinition?.split('/')
    .at(-1) ?? ''

describe('a service that CodeDeploy deploys', () => {
  test.each([
    ['Canary10Percent5Minutes', 5],
    ['Linear10PercentEvery1Minutes', 9],
  ])('comes up within a timeout that is shorter than what CodeDeploy waits between shifts, %s', async (name, minutes) => {
    const on = await codeDeploys({}, { deploymentConfigName: `CodeDeployDefault.ECS${name}` })
    const ended = await deploy(on, { options: { timeoutMs: 2 * 60_000 } })
    expect([ended.result, live(on)]).toEqual(['deployed', 'web:2'])
    expect(ended.log).toContain(`told to wait for ${minutes} m on the way`)
  })

  test('is deployed though how long it waits may not be read', async () => {
    const on = await codeDeploys()
    const faults = [{ action: 'codedeploy:GetDeploymentConfig', error: 'AccessDeniedException' }]
    const ended = await deploy(on, { scenario: { faults } })
    expect([ended.result, live(on)]).toEqual(['deployed', 'web:2'])
    expect(ended.log).toMatch(/waits between shifts of traffic could not be read: that counts into the timeout/)
  })

  test('comes up, and its stages are told', async () => {
    const on = await codeDeploys()
    const ended = await deploy(on)
    expect({ result: ended.result, message: ended.message }).toEqual({
      result: 'deployed',
      message: expect.stringMatching(/2\/2 ready/),
    })
    expect(ended.log).toMatch(/CodeDeploy's deployment d-\S+ is at (Install|AllowTestTraffic|BeforeAllowTraffic|AllowTraffic)/)
    expect([live(on), ended.platform.deploymentIds]).toEqual(['web:2', expect.stringMatching(/^d-/)])
    expect(on.aws.calls.count('ecs:UpdateService')).toBe(0)
    // The old tasks are still there for an hour: nobody waits for that.
    expect(ended.seconds).toBeLessThan(90)
  })

  test('that crashes is stopped, and keeps its old tasks', async () => {
    const on = await codeDeploys({ images: { 'web:2': { exit: { code: 3, after: 2 }, log: ['no DATABASE_URL'] } } })
    const ended = await deploy(on)
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(ended.message).toMatch(
      /exit code 3 .*Its log ends with "no DATABASE_URL"\. ecs:\/\/app\/web\/web:1 was put back and is healthy\.$/,
    )
    expect(live(on)).toBe('web:1')
    expect(on.aws.calls.count('codedeploy:StopDeployment')).toBe(1)
  })

  test('that is cancelled is stopped', async () => {
    const on = await codeDeploys()
    const ended = await deploy(on, { cancelAt: 8 })
    expect(ended).toMatchObject({ result: 'cancelled', reason: 'Cancelled' })
    expect(live(on)).toBe('web:1')
  })

  test.each<[string, Scenario]>([
    ['has not stopped', { faults: [{ action: 'codedeploy:StopDeployment', error: 'connection', times: 1 }] }],
    ['has stopped', {}],
  ])('that a killed run %s is stopped once, by the run or its post step', async (_, scenario) => {
    const on = await codeDeploys()
    const { report } = await deploy(on, { cancelAt: 8, endAt: 8, scenario })
    expect(report?.unfinished).toBe(true)
    await finish(on, report?.release)
    await on.aws.advance(120)
    expect(live(on)).toBe('web:1')
    expect(on.service().taskSets).toHaveLength(1)
    const { deployments } = on.aws.call('codedeploy:ListDeployments', {}) as { deployments: string[] }
    expect(deployments).toHaveLength(2)
    const stops = on.aws.calls.list.filter(({ action, error }) => action === 'codedeploy:StopDeployment' && error === undefined)
    expect(stops).toHaveLength(1)
  })

  const spot = [
    { capacityProvider: 'FARGATE', weight: 0, base: 1 },
    { capacityProvider: 'FARGATE_SPOT', weight: 3, base: 0 },
  ]
  test.each<[string, object, object]>([
    ['capacity providers', { launchType: undefined, capacityProviderStrategy: spot }, { capacityProviderStrategy: spot }],
    ['platform version', { platformVersion: '1.3.0' }, { platformVersion: '1.3.0', launchType: 'FARGATE' }],
    ['latest platform version', {}, { platformVersion: 'LATEST', launchType: 'FARGATE' }],
  ])('keeps its %s', async (_, service, kept) => {
    const on = await codeDeploys({}, {}, service)
    const ended = await deploy(on)
    expect([ended.result, live(on)]).toEqual(['deployed', 'web:2'])
    expect(on.service()).toMatchObject(kept)
    const { revision } = on.aws.calls.list.find(({ action }) => action === 'codedeploy:CreateDeployment')?.input ?? {}
    expect(JSON.stringify(revision).includes('PlatformVersion')).toBe('platformVersion' in service)
  })

  test('takes nothing but a revision', async () => {
    const on = await codeDeploys()
    const ended = await deploy(on, {
      target: { settings: { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [], desiredCount: 3 } },
    })
    expect(ended).toMatchObject({ result: 'refused', reason: 'InvalidInput' })
    expect(ended.message).toMatch(
      /deployed by CodeDeploy, which takes a new revision and nothing else: leave out desired count\. Nothing was changed/,
    )
  })

  test('without an application of that name is named', async () => {
    const on = await codeDeploys()
    const ended = await deploy(on, { platform: { codeDeploy: { application: 'none', group: '' } } })
    expect(ended.message).toMatch(/CodeDeploy has no application none with a deployment group DgpECS-app-web/)
    expect(live(on)).toBe('web:1')
  })
})

describe('a group that is at a deployment already', () => {
  const stops = (on: Stage): number =>
    on.aws.calls.list.filter(({ action, error }) => action === 'codedeploy:StopDeployment' && error === undefined).length
  const refused: Scenario = { faults: [{ action: 'codedeploy:ContinueDeployment', error: 'AccessDeniedException' }] }

  test('of ours that only has its old tasks to end is brought to its end', async () => {
    const on = await codeDeploys()
    await deploy(on)
    on.push('3')
    const ended = await deploy(on, { tag: '3' })
    expect(ended).toMatchObject({ result: 'deployed' })
    expect(ended.log).toMatch(/CodeDeploy keeps the old tasks of its deployment d-\S+ of web:2: they are ended/)
    expect([live(on), stops(on)]).toEqual(['web:3', 0])
  })

  test.each<[string, Play, object, string, number]>([
    ['is stopped', {}, { result: 'deployed' }, 'web:1', 1],
    [
      'is stopped, and the new one deployed again by a cancel',
      { cancelAt: 1.5, scenario: { timing: { lifecycleEvent: 4 } } },
      { result: 'cancelled' },
      'web:2',
      1,
    ],
    ['is stopped, and not again by a killed run', { cancelAt: 1.5, endAt: 1.5 }, { result: 'cancelled' }, 'web:2', 1],
  ])('of ours that has the old tasks of what is wanted %s', async (_, play, result, then, times) => {
    const on = await codeDeploys()
    await deploy(on)
    const api = new AwsApi({ region: '', clock: on.clock, signal: new AbortController().signal, settings: on.aws.client })
    const target = rollbackTarget({ api, cluster: 'app', to: 'previous', bad: 0, onChosen: () => undefined })
    const ended = await on.deploy({ ...play, platform: { target } })
    api.close()
    expect(ended).toMatchObject(result)
    expect(ended.log).toMatch(
      /CodeDeploy keeps the old tasks of its deployment d-\S+, which are of web:1: it is stopped with its rollback/,
    )
    if (ended.report?.unfinished === true) await finish(on, ended.report.release)
    await on.aws.advance(120)
    expect([live(on), stops(on)]).toEqual([then, times])
  })

  test('of ours that must not be brought to its end is told, and nothing is changed', async () => {
    const on = await codeDeploys()
    await deploy(on)
    on.push('3')
    const ended = await deploy(on, { tag: '3', scenario: refused })
    expect(ended).toMatchObject({ result: 'failed', reason: 'Locked' })
    expect(ended.message).toMatch(
      /^Service web was not changed: CodeDeploy is at the deployment d-\S+ of web:2 already, .* keeps the old tasks.*continue-deployment --deployment-id d-\S+ --deployment-wait-type TERMINATION_WAIT\. The role may not call codedeploy:ContinueDeployment/,
    )
    await on.aws.advance(120)
    expect([live(on), stops(on)]).toEqual(['web:2', 0])
  })

  test("of somebody else's is left to them", async () => {
    const on = await codeDeploys()
    await deploy(on, { cancelAt: 4 })
    await on.aws.advance(120)
    const id = byHand(on, 'web:2')
    const ended = await deploy(on, { tag: '2' })
    expect(ended).toMatchObject({ result: 'failed', reason: 'Locked' })
    expect(ended.message).toMatch(
      new RegExp(`^Service web was not changed: CodeDeploy is at the deployment ${id} of web:2 already. Deploy again`),
    )
    await on.aws.advance(120)
    expect([live(on), stops(on)]).toEqual(['web:2', 1])
  })

  test('by a call of which the answer was lost is our own', async () => {
    const on = await codeDeploys()
    const ended = await deploy(on, {
      scenario: { faults: [{ action: 'codedeploy:CreateDeployment', error: 'connection', times: 1 }] },
      during: at => at(0.1, () => byHand(on, 'web:2', 'deploy-actions web:2')),
    })
    expect(ended).toMatchObject({ result: 'deployed' })
    expect([live(on), stops(on)]).toEqual(['web:2', 0])
  })

  // Without a rollback of CodeDeploy's there is one of ours.
  const failing = {
    autoRollbackConfiguration: { enabled: false },
    alarmConfiguration: { enabled: true, alarms: [{ name: 'errors' }] },
  }
  test('by which a run puts back that is killed then is followed by the post step', async () => {
    const on = await codeDeploys({}, failing)
    on.aws.call('cloudwatch:PutMetricAlarm', { AlarmName: 'errors' })
    const { report } = await deploy(on, {
      options: { stableForMs: 40_000 },
      during: at =>
        at(22, () => on.aws.call('cloudwatch:SetAlarmState', { AlarmName: 'errors', StateValue: 'ALARM', StateReason: 'x' })),
      cancelAt: 40,
      endAt: 40,
    })
    expect(report).toMatchObject({ unfinished: true, restored: [expect.stringMatching(/by a new deployment of CodeDeploy's$/)] })
    expect(await finish(on, report?.release)).toMatch(/web:1 was put back and is healthy/)
    await on.aws.advance(120)
    expect([live(on), stops(on)]).toEqual(['web:1', 0])
    expect(on.aws.calls.count('codedeploy:CreateDeployment')).toBe(2)
  })

  test("of somebody else's by the time of the post step is left to them", async () => {
    const on = await codeDeploys()
    const { report } = await deploy(on, { cancelAt: 8, endAt: 8 })
    await on.aws.advance(120)
    on.aws.call('ecs:RegisterTaskDefinition', { family: 'web', containerDefinitions: [{ name: 'web', image: 'x', memory: 64 }] })
    byHand(on, 'web:3')
    expect(await finish(on, report?.release)).toMatch(/Nothing was put back: what is live now is the other deployment/)
    expect(stops(on)).toBe(1)
  })
})

describe('a deployment that CodeDeploy itself ends', () => {
  const ALARMS = { alarmConfiguration: { enabled: true, alarms: [{ name: 'errors' }] } }
  const NO_ROLLBACK = { ...ALARMS, autoRollbackConfiguration: { enabled: false } }
  const CANARY = { deploymentConfigName: 'ECSCanary10Percent1Minutes' }
  // Then the alarm has to be over.
  const refusal = { action: 'codedeploy:CreateDeployment', error: 'AccessDeniedException', skip: 1, times: 1 }
  const denied = { ...refusal, message: 'not authorized to perform: codedeploy:UpdateDeploymentGroup' }
  test.each<[string, object, Scenario, RegExp, number | undefined]>([
    ['and rolls back', ALARMS, {}, /by CodeDeploy's rollback$/, undefined],
    ['without a rollback, with all traffic', NO_ROLLBACK, {}, /by a new deployment of CodeDeploy's$/, undefined],
    ['without a rollback, with a tenth of the traffic', { ...NO_ROLLBACK, ...CANARY }, { faults: [denied] }, /a new deploy/, 28],
  ])('%s', async (_, group, scenario, how, calmAt) => {
    const on = await codeDeploys({}, group)
    on.aws.call('cloudwatch:PutMetricAlarm', { AlarmName: 'errors' })
    const alarm = (StateValue: string) => (): void => {
      on.aws.call('cloudwatch:SetAlarmState', { AlarmName: 'errors', StateValue, StateReason: 'x' })
    }
    const ended = await deploy(on, {
      scenario,
      options: { stableForMs: 40_000 },
      during: at => {
        at(22, alarm('ALARM'))
        if (calmAt !== undefined) at(calmAt, alarm('OK'))
      },
    })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'AlarmTriggered' })
    expect(ended.report?.restored.join()).toMatch(how)
    expect(live(on)).toBe('web:1')
  })

  test('before any traffic leaves the old tasks as they are', async () => {
    const on = await codeDeploys({ images: { 'web:2': { exit: { code: 1, after: 1 } } } }, NO_ROLLBACK)
    on.aws.call('cloudwatch:PutMetricAlarm', { AlarmName: 'errors' })
    const state = { AlarmName: 'errors', StateValue: 'ALARM', StateReason: 'x' }
    const ended = await deploy(on, { during: at => at(3, () => on.aws.call('cloudwatch:SetAlarmState', state)) })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'AlarmTriggered' })
    expect(ended.report?.restored).toEqual(['service/web runs web:1 already'])
    expect(on.aws.calls.count('codedeploy:CreateDeployment')).toBe(1)
  })
})

test('a service of another tool is refused', async () => {
  stage = await setStage()
  stage.aws.call('ecs:CreateService', {
    cluster: 'app',
    serviceName: 'other',
    deploymentController: { type: 'EXTERNAL' },
    desiredCount: 1,
  })
  const ended = await deploy(stage, { platform: { services: ['other'] } })
  expect(ended).toMatchObject({ result: 'refused', reason: 'InvalidInput' })
  expect(ended.message).toMatch(/Service other has the deployment controller EXTERNAL: its task sets belong to another tool/)
})

describe("CodeDeploy's word", () => {
  const word = (more: Partial<CodeDeployment>) =>
    wordOfCodeDeploy({
      id: 'd-1',
      status: 'InProgress',
      code: '',
      message: '',
      shifted: false,
      events: [],
      traffic: undefined,
      ...more,
    })
  test.each<[string, Partial<CodeDeployment>, object]>([
    ['at its start', { status: 'Created' }, { phase: 'progressing', message: "CodeDeploy's deployment d-1 is Created" }],
    [
      'at an event',
      { events: [{ name: 'Install', status: 'InProgress' }], traffic: 10 },
      { phase: 'progressing', message: "CodeDeploy's deployment d-1 is at Install, 10 % of the traffic" },
    ],
    ['when the traffic has shifted', { shifted: true }, { phase: 'complete' }],
    ['when it is over', { status: 'Succeeded' }, { phase: 'complete' }],
    [
      'when an alarm ended it',
      { status: 'Stopped', code: 'ALARM_ACTIVE', message: 'x' },
      { phase: 'failed', reason: 'AlarmTriggered' },
    ],
    ['when somebody stopped it', { status: 'Stopped' }, { phase: 'failed', reason: 'Stopped' }],
    [
      'when a hook failed',
      {
        status: 'Failed',
        code: 'HOOK_EXECUTION_FAILURE',
        message: 'No.',
        events: [{ name: 'AfterAllowTestTraffic', status: 'Failed' }],
      },
      {
        phase: 'failed',
        reason: 'HOOK_EXECUTION_FAILURE',
        message: "CodeDeploy's deployment d-1 failed in AfterAllowTestTraffic: No",
      },
    ],
  ])('%s', (_, of, expected) => {
    expect(word(of)).toMatchObject(expected)
  })
})
