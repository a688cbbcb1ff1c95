// The unmodified SDK over real connections, in each protocol that it speaks, and the protocols that other clients speak.

import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  SetAlarmStateCommand,
} from '@aws-sdk/client-cloudwatch'
import {
  DescribeServiceDeploymentsCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs'
import {
  DescribeListenersCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { cbor, tag } from '@smithy/core/cbor'
import { drive } from '../../../sandbox/aws/drive.ts'
import { pushImage } from '../../../sandbox/aws/seed.ts'
import { Simulated } from './simulated.ts'

let it: Simulated
beforeAll(async () => {
  it = await Simulated.start({ loadBalancer: true })
})
afterAll(() => it.close())

const post = async (path: string, headers: Record<string, string>, body: string | Uint8Array) => {
  const response = await fetch(`${it.aws.endpoint}${path}`, { method: 'POST', headers, body: Buffer.from(body) })
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
}

test('the SDK takes a service through a whole deployment', async () => {
  const ecs = new ECSClient({ ...it.aws.client, maxAttempts: 1 })
  pushImage(it.aws, 'web', '2')
  const { family, containerDefinitions } = (
    it.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web' }) as {
      taskDefinition: { family: string; containerDefinitions: object[] }
    }
  ).taskDefinition
  const container = { ...containerDefinitions[0], image: `${it.seeded.repository}:2` }
  const registered = await drive(
    it.clock,
    ecs.send(
      new RegisterTaskDefinitionCommand({
        ...{
          family,
          networkMode: 'awsvpc',
          requiresCompatibilities: ['FARGATE'],
          cpu: '256',
          memory: '512',
          executionRoleArn: 'arn:aws:iam::123456789012:role/x',
        },
        containerDefinitions: [container],
        tags: [{ key: 'commit', value: '3f9c2ab' }],
      }),
    ),
  )
  expect(registered.taskDefinition).toMatchObject({ revision: 2, status: 'ACTIVE', registeredAt: expect.any(Date) })
  const update = { cluster: 'app', service: 'web', taskDefinition: registered.taskDefinition?.taskDefinitionArn }
  await drive(it.clock, ecs.send(new UpdateServiceCommand(update)))
  await it.aws.advance(5)
  const listed = await drive(it.clock, ecs.send(new ListServiceDeploymentsCommand({ cluster: 'app', service: 'web' })))
  const serviceDeploymentArns = [listed.serviceDeployments?.[0]?.serviceDeploymentArn ?? '']
  for (let poll = 0; poll < 30; poll++) {
    const { serviceDeployments } = await drive(
      it.clock,
      ecs.send(new DescribeServiceDeploymentsCommand({ serviceDeploymentArns })),
    )
    if (serviceDeployments?.[0]?.status === 'SUCCESSFUL') break
    await it.aws.advance(3)
  }
  const { services } = await drive(
    it.clock,
    ecs.send(new DescribeServicesCommand({ cluster: 'app', services: ['web'], include: ['TAGS'] })),
  )
  expect(services).toMatchObject([
    {
      status: 'ACTIVE',
      runningCount: 2,
      taskDefinition: update.taskDefinition,
      deployments: [{ rolloutState: 'COMPLETED', createdAt: expect.any(Date) }],
    },
  ])
  const { taskArns = [] } = await drive(it.clock, ecs.send(new ListTasksCommand({ cluster: 'app', serviceName: 'web' })))
  const { tasks } = await drive(it.clock, ecs.send(new DescribeTasksCommand({ cluster: 'app', tasks: taskArns })))
  const digest = it.aws.call('ecr:DescribeImages', { repositoryName: 'web', imageIds: [{ imageTag: '2' }] })['imageDetails'] as {
    imageDigest: string
  }[]
  expect(tasks?.map(task => task.containers?.[0]?.imageDigest)).toEqual([digest[0]?.imageDigest, digest[0]?.imageDigest])
  expect(it.aws.calls.count('ecs:UpdateService')).toBe(1)
  expect(it.aws.calls.list.every(call => call.status === 200)).toBe(true)
})

test('Query and XML: lists, enumerations, times, and errors by their own codes', async () => {
  const elb = new ElasticLoadBalancingV2Client({ ...it.aws.client, maxAttempts: 1 })
  const { TargetHealthDescriptions } = await elb.send(
    new DescribeTargetHealthCommand({ TargetGroupArn: it.seeded.targetGroups[0] }),
  )
  expect(TargetHealthDescriptions?.map(one => one.TargetHealth?.State)).toEqual(['healthy', 'healthy'])
  const { Listeners } = await elb.send(new DescribeListenersCommand({ ListenerArns: [it.seeded.productionListener] }))
  expect(Listeners?.[0]?.DefaultActions?.[0]?.ForwardConfig?.TargetGroups).toMatchObject([{ Weight: 100 }, { Weight: 0 }])
  await expect(elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: 'arn:nope' }))).rejects.toMatchObject({
    name: 'TargetGroupNotFoundException',
  })
  const sts = new STSClient({ ...it.aws.client, maxAttempts: 1 })
  expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: '123456789012' })
})

describe('CloudWatch', () => {
  const Dimensions = [{ Name: 'Service', Value: 'web' }]
  const named = { Namespace: 'app', MetricName: 'errors', Dimensions }

  test('by the SDK, in JSON 1.0: data becomes series, math and an alarm', async () => {
    const watch = new CloudWatchClient({ ...it.aws.client, maxAttempts: 1 })
    const alarm = {
      AlarmName: 'errors',
      ...named,
      Statistic: 'Sum',
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanThreshold',
    } as const
    await watch.send(new PutMetricAlarmCommand(alarm))
    const state = async () =>
      (await watch.send(new DescribeAlarmsCommand({ AlarmNames: ['errors'] }))).MetricAlarms?.[0]?.StateValue
    expect(await state()).toBe('INSUFFICIENT_DATA')
    const now = new Date(it.clock.now())
    const put = (Value: number) =>
      watch.send(
        new PutMetricDataCommand({ Namespace: 'app', MetricData: [{ MetricName: 'errors', Dimensions, Timestamp: now, Value }] }),
      )
    await put(1)
    expect(await state()).toBe('OK')
    await put(2)
    expect(await state()).toBe('ALARM')
    const { MetricDataResults } = await watch.send(
      new GetMetricDataCommand({
        StartTime: new Date(now.getTime() - 3_600_000),
        EndTime: new Date(now.getTime() + 60_000),
        MetricDataQueries: [
          { Id: 'm', MetricStat: { Metric: named, Period: 60, Stat: 'Sum' }, ReturnData: false },
          { Id: 'e', Expression: 'm * 100' },
        ],
      }),
    )
    expect(MetricDataResults).toMatchObject([{ Id: 'e', Values: [300], Timestamps: [expect.any(Date)] }])
    const set = new SetAlarmStateCommand({ AlarmName: 'nope', StateValue: 'OK', StateReason: 'x' })
    await expect(watch.send(set)).rejects.toMatchObject({ name: 'ResourceNotFound' })
  })

  test('in CBOR', async () => {
    const headers = { 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor' }
    const path = (operation: string) => `/service/GraniteServiceVersion20100801/operation/${operation}`
    const Timestamp = tag({ tag: 1, value: it.clock.now() / 1000 })
    const data = cbor.serialize({ Namespace: 'cbor', MetricData: [{ MetricName: 'm', Value: 1.5, Timestamp }] })
    expect(await post(path('PutMetricData'), headers, data)).toMatchObject({ status: 200 })
    const { body, headers: got } = await post(path('DescribeAlarms'), headers, cbor.serialize({ AlarmNames: ['errors'] }))
    expect(got.get('smithy-protocol')).toBe('rpc-v2-cbor')
    expect(cbor.deserialize(body)).toMatchObject({ MetricAlarms: [{ AlarmName: 'errors', StateUpdatedTimestamp: { tag: 1 } }] })
    const refused = await post(
      path('SetAlarmState'),
      headers,
      cbor.serialize({ AlarmName: 'nope', StateValue: 'OK', StateReason: 'x' }),
    )
    expect(refused.status).toBe(404)
    expect(cbor.deserialize(refused.body)).toMatchObject({ __type: 'ResourceNotFound' })
  })

  test('in Query', async () => {
    const form = new URLSearchParams({ Action: 'DescribeAlarms', Version: '2010-08-01', 'AlarmNames.member.1': 'errors' })
    const { status, body } = await post('/', { 'content-type': 'application/x-www-form-urlencoded' }, form.toString())
    expect(status).toBe(200)
    expect(body.toString()).toMatch(/<DescribeAlarmsResult>.*<AlarmName>errors<\/AlarmName>.*<StateUpdatedTimestamp>2026-01-01T/)
  })
})

test.each([
  [
    'an operation that it has not',
    { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ExecuteCommand' },
    '{}',
    /UnknownOperationException/,
  ],
  ['a service that it has not', { 'x-amz-target': 'AWSLambda.Invoke' }, '{}', /no service AWSLambda/],
  ['no JSON', { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListClusters' }, '{', /SerializationException/],
  [
    'what is required',
    { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.DescribeServices' },
    '{}',
    /services: must not be null/,
  ],
  [
    'a wrong type',
    { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.DescribeServices' },
    '{"services": "web"}',
    /is no list/,
  ],
  [
    'a field that is none',
    { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.DescribeServices' },
    '{"services": ["web"], "names": []}',
    /has no names/,
  ],
  ['neither protocol', {}, 'x', /no such request/],
])('%s is refused by 400', async (_, headers: Record<string, string>, body, said) => {
  const answer = await post('/', headers, body)
  expect(answer.status).toBe(400)
  expect(answer.body.toString()).toMatch(said)
})

test('the scenario is replaced, added to and refused over HTTP; calls can be read', async () => {
  const at = `${it.aws.endpoint}/sandbox`
  const send = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${at}/${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
    return { status: response.status, body: (await response.json()) as unknown }
  }
  expect(await send('PUT', 'scenario', { images: { a: { oom: 1 } } })).toMatchObject({ status: 200 })
  expect(await send('PATCH', 'scenario', { images: { b: { oom: 2 } } })).toMatchObject({ status: 200 })
  expect(await send('GET', 'scenario')).toMatchObject({ body: { images: { a: { oom: 1 }, b: { oom: 2 } } } })
  expect(await send('PATCH', 'scenario', { image: {} })).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining('no image') },
  })
  expect(await send('DELETE', 'calls')).toMatchObject({ status: 200 })
  await new STSClient(it.aws.client).send(new GetCallerIdentityCommand({}))
  expect(await send('GET', 'calls?action=sts:GetCallerIdentity')).toMatchObject({
    body: [{ action: 'sts:GetCallerIdentity', status: 200 }],
  })
  expect(await send('GET', 'nope')).toMatchObject({ status: 404 })
})
