import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Aws, startAws } from '../../../sandbox/aws/aws.ts'
import type { Fault } from '../../../sandbox/aws/scenario.ts'
import { ManualClock } from '../../deploy/manual-clock.ts'
import { Simulated } from './simulated.ts'

let aws: Aws
beforeEach(async () => {
  aws = await startAws({ clock: new ManualClock() })
})
afterEach(() => aws.close())

/** One call over the wire, as bare as can be: the error's code, `ok`, or `cut`. */
async function ask(operation = 'ListClusters'): Promise<string> {
  const headers = { 'x-amz-target': `AmazonEC2ContainerServiceV20141113.${operation}` }
  try {
    const response = await fetch(aws.endpoint, { method: 'POST', headers, body: '{}' })
    const { __type = 'ok' } = (await response.json()) as { __type?: string }
    return __type
  } catch {
    return 'cut'
  }
}

const many = async (count: number): Promise<string[]> => {
  const said: string[] = []
  for (let call = 0; call < count; call++) said.push(await ask())
  return said
}

describe('faults', () => {
  test.each<[string, Fault, string[]]>([
    [
      'each call',
      { action: 'ecs:*', error: 'ThrottlingException' },
      ['ThrottlingException', 'ThrottlingException', 'ThrottlingException'],
    ],
    ['another action', { action: 'ecs:UpdateService', error: 'AccessDeniedException' }, ['ok', 'ok', 'ok']],
    ['so many times', { action: '*', error: 'ServerException', times: 2 }, ['ServerException', 'ServerException', 'ok']],
    [
      'after some that go well',
      { action: '*', error: 'ExpiredTokenException', skip: 1 },
      ['ok', 'ExpiredTokenException', 'ExpiredTokenException'],
    ],
    ['a connection that is cut', { action: '*', error: 'connection', times: 1 }, ['cut', 'ok', 'ok']],
  ])('%s', async (_, fault, said) => {
    aws.scenario({ faults: [fault] })
    expect(await many(3)).toEqual(said)
  })

  test('within a time', async () => {
    aws.scenario({ faults: [{ action: '*', error: 'connection', from: 10, until: 30 }] })
    const said: string[] = []
    for (let second = 0; second <= 40; second += 10) {
      said.push(await ask())
      await aws.advance(10)
    }
    expect(said).toEqual(['ok', 'cut', 'cut', 'ok', 'ok'])
  })

  test('a share of the calls, the same ones in every run', async () => {
    aws.scenario({ faults: [{ action: '*', error: 'ThrottlingException', rate: 0.3 }] })
    const said = await many(60)
    const share = said.filter(one => one === 'ThrottlingException').length / said.length
    expect(share).toBeGreaterThan(0.15)
    expect(share).toBeLessThan(0.45)
    expect(aws.calls.count('ecs:ListClusters')).toBe(60)
    expect(aws.calls.list.filter(call => call.error === 'ThrottlingException')).toHaveLength(Math.round(share * 60))
  })

  test('who is denied what is said in AWS’s words, and IAM’s simulation knows it', async () => {
    aws.scenario({ faults: [{ action: 'ecs:ListClusters', error: 'AccessDeniedException' }] })
    const headers = { 'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListClusters' }
    const said = await (await fetch(aws.endpoint, { method: 'POST', headers, body: '{}' })).json()
    expect(said).toMatchObject({
      message: expect.stringMatching(
        /^User: arn:aws:sts::123456789012:assumed-role\/deploy\/session is not authorized to perform: ecs:ListClusters on resource: /,
      ),
    })
    const input = {
      PolicySourceArn: 'arn:aws:iam::123456789012:role/deploy',
      ActionNames: ['ecs:ListClusters', 'ecs:UpdateService'],
    }
    expect(aws.call('iam:SimulatePrincipalPolicy', input)).toMatchObject({
      EvaluationResults: [{ EvalDecision: 'implicitDeny' }, { EvalDecision: 'allowed' }],
    })
  })
})

test('a denied iam:PassRole refuses the update, and nothing has changed', async () => {
  const it = await Simulated.start()
  it.aws.scenario({ faults: [{ action: 'iam:PassRole', error: 'AccessDeniedException' }] })
  expect(() => it.release('2')).toThrow(/not authorized to perform: iam:PassRole/)
  await it.aws.advance(20)
  expect(it.running()).toEqual({ 1: 2 })
  await it.close()
})

test('a describe right after an update may be behind', async () => {
  const it = await Simulated.start({}, { stale: 2 })
  it.release('2')
  expect(it.service()).toMatchObject({ taskDefinition: it.seeded.taskDefinition, deployments: [{ rolloutState: 'COMPLETED' }] })
  await it.aws.advance(2)
  expect(it.service().deployments).toHaveLength(2)
  await it.close()
})

test('regions know nothing of one another', () => {
  aws.call('ecs:CreateCluster', { clusterName: 'app' })
  expect(aws.call('ecs:ListClusters', {})).toEqual({ clusterArns: ['arn:aws:ecs:eu-west-1:123456789012:cluster/app'] })
  expect(aws.call('ecs:ListClusters', {}, 'us-east-1')).toEqual({ clusterArns: [] })
})

test('lists come in pages', () => {
  for (const clusterName of ['a', 'b', 'c']) aws.call('ecs:CreateCluster', { clusterName })
  const first = aws.call('ecs:ListClusters', { maxResults: 2 })
  expect(first['clusterArns']).toHaveLength(2)
  const second = aws.call('ecs:ListClusters', { maxResults: 2, nextToken: first['nextToken'] })
  expect(second).toMatchObject({ clusterArns: [expect.stringMatching(/\/c$/)] })
  expect(second['nextToken']).toBeUndefined()
  expect(() => aws.call('ecs:ListClusters', { nextToken: '!' })).toThrow(/Invalid token/)
})

describe('what ECS refuses', () => {
  beforeEach(() => {
    aws.call('ecs:CreateCluster', { clusterName: 'app' })
    aws.call('ecs:RegisterTaskDefinition', { family: 'web', containerDefinitions: [{ name: 'web', image: 'web:1', memory: 64 }] })
  })

  test.each<[string, object, RegExp]>([
    ['ecs:DescribeServices', { cluster: 'nope', services: ['web'] }, /Cluster not found\./],
    ['ecs:UpdateService', { cluster: 'app', service: 'nope' }, /Service not found\./],
    ['ecs:DescribeTaskDefinition', { taskDefinition: 'nope' }, /Unable to describe task definition\./],
    ['ecs:CreateService', { cluster: 'app', serviceName: 'web', taskDefinition: 'web:9' }, /TaskDefinition not found\./],
    ['ecs:RegisterTaskDefinition', { family: 'web', containerDefinitions: [] }, /Container list cannot be empty/],
    [
      'ecs:RegisterTaskDefinition',
      { family: 'w', containerDefinitions: [{ name: 'a', image: 'a' }] },
      /At least one of 'memory' or 'memoryReservation'/,
    ],
    [
      'ecs:RegisterTaskDefinition',
      { family: 'w', requiresCompatibilities: ['FARGATE'], containerDefinitions: [{ name: 'a', image: 'a' }] },
      /network mode ‘awsvpc’/,
    ],
    [
      'ecs:CreateService',
      {
        cluster: 'app',
        serviceName: 'web',
        taskDefinition: 'web',
        loadBalancers: [{ targetGroupArn: 'arn', containerName: 'app', containerPort: 80 }],
      },
      /container app does not exist/,
    ],
    [
      'ecs:RunTask',
      { cluster: 'app', taskDefinition: 'web', overrides: { containerOverrides: [{ name: 'nope' }] } },
      /not a container in the TaskDefinition/,
    ],
    [
      'ecs:TagResource',
      { resourceArn: 'arn:aws:ecs:eu-west-1:123456789012:cluster/app', tags: [{ key: 'aws:x', value: '1' }] },
      /reserved/,
    ],
  ])('%s %j', (action, input, said) => {
    expect(() => aws.call(action, input)).toThrow(said)
  })

  test('other capacity providers without a new deployment; none is the way back to the launch type', () => {
    const named = { cluster: 'app', service: 'web' }
    aws.call('ecs:CreateService', { cluster: 'app', serviceName: 'web', taskDefinition: 'web', launchType: 'EC2' })
    const update = (capacityProviders: readonly string[], more: object = {}): unknown => {
      const capacityProviderStrategy = capacityProviders.map(capacityProvider => ({ capacityProvider, weight: 1 }))
      return aws.call('ecs:UpdateService', { ...named, capacityProviderStrategy, ...more })['service']
    }
    expect(() => update(['spot'])).toThrow(/you must force a new deployment/)
    expect(update(['spot'], { forceNewDeployment: true })).toMatchObject({
      capacityProviderStrategy: [{ capacityProvider: 'spot', weight: 1 }],
    })
    expect(update([], { forceNewDeployment: true })).toMatchObject({ launchType: 'EC2' })
  })
})

describe('a task on its own', () => {
  test.each<[string, object, object]>([
    [
      'ends with its exit code and log lines',
      { exit: { code: 4, after: 2 }, log: ['migrating', 'failed'] },
      { stopCode: 'EssentialContainerExited', containers: [{ exitCode: 4 }] },
    ],
    [
      'cannot be set up without its log group',
      {},
      {
        stopCode: 'TaskFailedToStart',
        stoppedReason: expect.stringMatching(/^ResourceInitializationError: failed to validate logger args/),
      },
    ],
  ])('%s', async (_, behaviour, expected) => {
    aws.scenario({ images: { migrate: behaviour } })
    aws.call('ecs:CreateCluster', { clusterName: 'app' })
    if ('exit' in behaviour) aws.call('logs:CreateLogGroup', { logGroupName: '/ecs/migrate' })
    const options = { 'awslogs-group': '/ecs/migrate', 'awslogs-region': 'eu-west-1', 'awslogs-stream-prefix': 'ecs' }
    const container = { name: 'migrate', image: 'migrate', memory: 64, logConfiguration: { logDriver: 'awslogs', options } }
    aws.call('ecs:RegisterTaskDefinition', { family: 'migrate', containerDefinitions: [container] })
    const { tasks } = aws.call('ecs:RunTask', { cluster: 'app', taskDefinition: 'migrate', startedBy: 'deploy' })
    const [{ taskArn = '' } = {}] = tasks as { taskArn?: string }[]
    await aws.advance(30)
    expect(aws.call('ecs:DescribeTasks', { cluster: 'app', tasks: [taskArn] })).toMatchObject({
      tasks: [{ lastStatus: 'STOPPED', ...expected }],
    })
    if (!('exit' in behaviour)) return
    const logStreamName = `ecs/migrate/${taskArn.split('/').at(-1)}`
    const { events } = aws.call('logs:GetLogEvents', { logGroupName: '/ecs/migrate', logStreamName, startFromHead: true })
    expect((events as { message: string }[]).map(event => event.message)).toEqual(['migrating', 'failed'])
  })
})
