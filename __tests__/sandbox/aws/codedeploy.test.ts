import type { DeploymentInfo, ECSTarget } from '@aws-sdk/client-codedeploy'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { pushImage } from '../../../sandbox/aws/seed.ts'
import { Simulated } from './simulated.ts'

let it: Simulated
beforeEach(async () => {
  it = await Simulated.start({ loadBalancer: true, with: { deploymentController: { type: 'CODE_DEPLOY' } } })
  const pair = {
    targetGroups: [{ name: 'web-blue' }, { name: 'web-green' }],
    prodTrafficRoute: { listenerArns: [it.seeded.productionListener] },
    testTrafficRoute: { listenerArns: [it.seeded.testListener] },
  }
  it.aws.call('codedeploy:CreateApplication', { applicationName: 'web', computePlatform: 'ECS' })
  it.aws.call('codedeploy:CreateDeploymentGroup', {
    ...{ applicationName: 'web', deploymentGroupName: 'web', serviceRoleArn: 'arn:aws:iam::123456789012:role/codedeploy' },
    ecsServices: [{ clusterName: 'app', serviceName: 'web' }],
    autoRollbackConfiguration: { enabled: true, events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM'] },
    alarmConfiguration: { enabled: true, alarms: [{ name: 'errors' }] },
    loadBalancerInfo: { targetGroupPairInfoList: [pair] },
    blueGreenDeploymentConfiguration: {
      terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 1 },
    },
  })
})
afterEach(() => it.close())

function create(tag: string, more: object = {}, hooks: object[] = []): string {
  pushImage(it.aws, 'web', tag)
  const Properties = { TaskDefinition: it.register(tag), LoadBalancerInfo: { ContainerName: 'web', ContainerPort: 8080 } }
  const content = JSON.stringify({
    version: 0.0,
    Resources: [{ TargetService: { Type: 'AWS::ECS::Service', Properties } }],
    Hooks: hooks,
  })
  const revision = { revisionType: 'AppSpecContent', appSpecContent: { content } }
  return it.aws.call('codedeploy:CreateDeployment', { applicationName: 'web', deploymentGroupName: 'web', revision, ...more })[
    'deploymentId'
  ] as string
}

const info = (deploymentId: string) =>
  it.aws.call('codedeploy:GetDeployment', { deploymentId })['deploymentInfo'] as DeploymentInfo
const target = (deploymentId: string) => {
  const { deploymentTarget } = it.aws.call('codedeploy:GetDeploymentTarget', { deploymentId, targetId: 'app:web' })
  return (deploymentTarget as { ecsTarget: ECSTarget }).ecsTarget
}
const events = (id: string) =>
  Object.fromEntries((target(id).lifecycleEvents ?? []).map(event => [event.lifecycleEventName, event.status]))
const shares = (id: string) =>
  Object.fromEntries((target(id).taskSetsInfo ?? []).map(set => [set.taskSetLabel, set.trafficWeight]))

test('a good deployment shifts traffic and ends the old task set after its wait', async () => {
  const id = create('2')
  expect(info(id).status).toBe('Created')
  await it.aws.advance(45)
  expect(info(id)).toMatchObject({ status: 'InProgress', instanceTerminationWaitTimeStarted: true })
  expect(Object.values(events(id))).toEqual(Array(8).fill('Succeeded'))
  expect(shares(id)).toEqual({ Blue: 0, Green: 100 })
  expect(it.running()).toEqual({ 1: 2, 2: 2 })
  await it.aws.advance(60)
  expect(info(id).status).toBe('Succeeded')
  await it.aws.advance(20)
  expect(it.running()).toEqual({ 2: 2 })
  expect(it.service().taskSets).toMatchObject([{ status: 'PRIMARY', stabilityStatus: 'STEADY_STATE' }])
})

test('a canary sends a tenth first', async () => {
  const id = create('2', { deploymentConfigName: 'CodeDeployDefault.ECSCanary10Percent5Minutes' })
  await it.aws.advance(60)
  expect(shares(id)).toEqual({ Blue: 90, Green: 10 })
  await it.aws.advance(300)
  expect(shares(id)).toEqual({ Blue: 0, Green: 100 })
})

test('a hook that fails is named, and traffic goes back', async () => {
  it.aws.scenario({ hooks: { smoke: 'FAILED' } })
  const id = create('2', {}, [{ AfterAllowTestTraffic: 'smoke' }])
  await it.aws.advance(60)
  expect(info(id)).toMatchObject({
    status: 'Failed',
    errorInformation: { code: 'HOOK_EXECUTION_FAILURE' },
    rollbackInfo: { rollbackDeploymentId: expect.stringMatching(/^d-/) },
  })
  expect(events(id)).toMatchObject({ AfterAllowTestTraffic: 'Failed', AllowTraffic: 'Skipped' })
  const back = info(info(id).rollbackInfo?.rollbackDeploymentId ?? '')
  expect(back).toMatchObject({
    status: 'Succeeded',
    creator: 'codeDeployRollback',
    rollbackInfo: { rollbackTriggeringDeploymentId: id },
  })
  expect(it.running()).toEqual({ 1: 2 })
})

test('a hook may answer by itself, and only once', async () => {
  it.aws.scenario({ hooks: { smoke: 'IN_PROGRESS' } })
  const id = create('2', {}, [{ BeforeInstall: 'smoke' }])
  await it.aws.advance(30)
  expect(events(id)).toMatchObject({ BeforeInstall: 'InProgress', Install: 'Pending' })
})

test('tasks that never start fail it after an hour, not before', async () => {
  it.aws.scenario({ images: { 'web:2': { exit: { code: 1, after: 0.1 } } } })
  const id = create('2')
  await it.aws.advance(3000)
  expect(info(id).status).toBe('InProgress')
  await it.aws.advance(900)
  expect(info(id)).toMatchObject({ status: 'Failed', errorInformation: { code: 'TIMEOUT' } })
})

test('an alarm stops it', async () => {
  it.aws.call('cloudwatch:PutMetricAlarm', { AlarmName: 'errors' })
  const id = create('2', { deploymentConfigName: 'CodeDeployDefault.ECSLinear10PercentEvery1Minutes' })
  await it.aws.advance(90)
  it.aws.call('cloudwatch:SetAlarmState', { AlarmName: 'errors', StateValue: 'ALARM', StateReason: 'x' })
  await it.aws.advance(20)
  expect(info(id)).toMatchObject({
    status: 'Failed',
    errorInformation: { code: 'ALARM_ACTIVE', message: expect.stringContaining('<errors>') },
  })
  expect(it.running()).toEqual({ 1: 2 })
})

test('stopped with a rollback, what was there has all traffic again', async () => {
  const id = create('2', { deploymentConfigName: 'CodeDeployDefault.ECSCanary10Percent5Minutes' })
  await it.aws.advance(60)
  it.aws.call('codedeploy:StopDeployment', { deploymentId: id, autoRollbackEnabled: true })
  await it.aws.advance(20)
  expect(info(id)).toMatchObject({ status: 'Stopped', errorInformation: { code: 'MANUAL_STOP' } })
  expect(it.running()).toEqual({ 1: 2 })
  expect(() => it.aws.call('codedeploy:StopDeployment', { deploymentId: id })).toThrow(/already in Stopped state/)
})

test('only one deployment of a group at a time; UpdateService is refused', () => {
  const id = create('2')
  expect(() => create('3')).toThrow(`already has an active Deployment '${id}'`)
  expect(() => it.update({ taskDefinition: it.seeded.taskDefinition })).toThrow(/CODE_DEPLOY deployment controller/)
})
