import { afterEach, describe, expect, test } from '@jest/globals'
import type { Scenario } from '../../../sandbox/aws/scenario.ts'
import type { Seed } from '../../../sandbox/aws/seed.ts'
import { Simulated } from './simulated.ts'

let it: Simulated
afterEach(() => it.close())

const percents = (minimumHealthyPercent: number, maximumPercent: number) => ({ minimumHealthyPercent, maximumPercent })
const breaker = { deploymentCircuitBreaker: { enable: true, rollback: true } }

/** How many tasks live and how many run, at the most and the least, until the deployment ends. */
async function bounds(): Promise<{ most: number; fewest: number }> {
  const seen = { most: 0, fewest: Number.POSITIVE_INFINITY }
  for (let second = 0; second < 300; second++) {
    await it.aws.advance(1)
    const { runningCount = 0, pendingCount = 0 } = it.service()
    seen.most = Math.max(seen.most, runningCount + pendingCount)
    seen.fewest = Math.min(seen.fewest, runningCount)
    if (second > 3 && it.deployment().status === 'SUCCESSFUL') return seen
  }
  throw new Error('the deployment does not end')
}

describe('between minimum and maximum percent', () => {
  test.each([
    ['twice as many for a while', 4, percents(100, 200), { most: 8, fewest: 4 }],
    ['one after the other, in place', 4, percents(75, 100), { most: 4, fewest: 3 }],
    ['half of them at a time', 4, percents(50, 100), { most: 4, fewest: 2 }],
    ['half more', 4, percents(100, 150), { most: 6, fewest: 4 }],
    ['a single one, stopped first', 1, percents(0, 100), { most: 1, fewest: 0 }],
  ])('%s', async (_, desiredCount, configuration, expected) => {
    it = await Simulated.start({ desiredCount, with: { deploymentConfiguration: configuration } })
    it.release('2')
    expect(await bounds()).toEqual(expected)
    expect(it.running()).toEqual({ 2: desiredCount })
  })
})

describe('health', () => {
  test.each<[string, Seed, Scenario, object, string]>([
    [
      'slower than its target group’s patience, without a grace period',
      { loadBalancer: true },
      { images: { 'web:2': { starts: 40 } } },
      {},
      'ROLLBACK_SUCCESSFUL',
    ],
    ['as slow, with a start period', {}, { images: { 'web:2': { starts: 40 } } }, { startPeriod: 60 }, 'SUCCESSFUL'],
    ['as slow, without one', {}, { images: { 'web:2': { starts: 40 } } }, {}, 'ROLLBACK_SUCCESSFUL'],
  ])('a task that is %s', async (_, plan, scenario, check, status) => {
    it = await Simulated.start({ ...plan, with: { deploymentConfiguration: breaker } }, scenario)
    const healthCheck = { command: ['CMD', 'true'], interval: 5, retries: 2, ...check }
    it.release('2', undefined, plan.loadBalancer === true ? {} : { healthCheck })
    expect((await it.end()).status).toBe(status)
  })

  test('a task that is healthy for a while only is replaced, and the breaker has forgotten its count', async () => {
    it = await Simulated.start(
      { with: { deploymentConfiguration: breaker } },
      { images: { 'web:2': { health: { healthyFor: 30 } } } },
    )
    it.release('2', undefined, { healthCheck: { command: ['CMD', 'true'], interval: 5, retries: 2 } })
    expect((await it.end()).status).toBe('SUCCESSFUL')
    await it.aws.advance(60)
    expect(it.tasks('STOPPED')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ stoppedReason: 'Task failed container health checks', healthStatus: 'UNHEALTHY' }),
      ]),
    )
    expect(it.deployment().status).toBe('SUCCESSFUL')
  })

  test('a target that answers differently later is said to be unhealthy, with its code', async () => {
    it = await Simulated.start(
      { loadBalancer: true },
      {
        images: {
          'web:1': {
            target: [
              [0, 200],
              [60, 500],
            ],
          },
        },
      },
    )
    const said = new Set<string>()
    for (let second = 0; second < 90; second++) {
      await it.aws.advance(1)
      const input = { TargetGroupArn: it.seeded.targetGroups[0] }
      const { TargetHealthDescriptions } = it.aws.call('elasticloadbalancing:DescribeTargetHealth', input)
      for (const { TargetHealth } of TargetHealthDescriptions as {
        TargetHealth: { State: string; Reason?: string; Description?: string }
      }[])
        said.add([TargetHealth.State, TargetHealth.Reason, TargetHealth.Description].join(' '))
    }
    expect([...said]).toContain('unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [500]')
  })
})

describe('several containers', () => {
  const definition = (more: object[]) => {
    const { taskDefinition } = it.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web' }) as {
      taskDefinition: { containerDefinitions: object[] } & Record<string, unknown>
    }
    const { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions } = taskDefinition
    const containers = [
      {
        ...containerDefinitions[0],
        dependsOn: more.map(one => ({ containerName: (one as { name: string }).name, condition: 'SUCCESS' })),
      },
      ...more,
    ]
    const input = {
      family,
      networkMode,
      requiresCompatibilities,
      cpu,
      memory,
      executionRoleArn,
      containerDefinitions: containers,
    }
    return (it.aws.call('ecs:RegisterTaskDefinition', input)['taskDefinition'] as { taskDefinitionArn: string }).taskDefinitionArn
  }

  test('one that is not essential may end; what depends on its success starts then', async () => {
    it = await Simulated.start({}, { containers: { setup: { exit: { code: 0, after: 3 } } } })
    it.update({ taskDefinition: definition([{ name: 'setup', image: 'setup', essential: false }]) })
    await it.aws.advance(6)
    expect(it.tasks('RUNNING').find(task => task.taskDefinitionArn?.endsWith(':2'))?.containers).toMatchObject([
      { lastStatus: 'PENDING' },
      { lastStatus: 'RUNNING' },
    ])
    expect(it.service().deployments?.[0]?.runningCount).toBe(0)
    expect((await it.end()).status).toBe('SUCCESSFUL')
    expect(it.tasks('RUNNING')[0]?.containers).toMatchObject([{ lastStatus: 'RUNNING' }, { lastStatus: 'STOPPED', exitCode: 0 }])
  })

  test('an essential sidecar takes the task with it', async () => {
    it = await Simulated.start(
      { with: { deploymentConfiguration: breaker } },
      { containers: { proxy: { exit: { code: 9, after: 0.2 } } } },
    )
    const arn = definition([{ name: 'proxy', image: 'proxy' }]).replace(/:\d+$/, ':2')
    it.update({ taskDefinition: arn })
    expect((await it.end()).status).toBe('ROLLBACK_SUCCESSFUL')
    const stopped = it.tasks('STOPPED').find(task => task.taskDefinitionArn === arn)
    expect(stopped).toMatchObject({
      stoppedReason: 'Essential container in task exited',
      containers: [{ name: 'web' }, { name: 'proxy', exitCode: 9 }],
    })
  })
})

test('what ends after SIGTERM, and what does not', async () => {
  it = await Simulated.start({ desiredCount: 1 }, { images: { 'web:1': { stops: 200 }, 'web:2': { stopCode: 0 } } })
  it.release('2')
  await it.end()
  it.release('3')
  await it.aws.advance(3)
  await it.end()
  const codes = it.tasks('STOPPED').map(task => [task.taskDefinitionArn?.split(':').at(-1), task.containers?.[0]?.exitCode])
  expect(Object.fromEntries(codes)).toEqual({ 1: 137, 2: 0 })
})

test('the life of a task, seen every half second', async () => {
  it = await Simulated.start({ desiredCount: 0, loadBalancer: true })
  it.update({ desiredCount: 1 })
  const seen: string[] = []
  const look = async (seconds: number): Promise<void> => {
    for (let half = 0; half < seconds * 2; half++) {
      await it.aws.advance(0.5)
      for (const task of [...it.tasks('RUNNING'), ...it.tasks('STOPPED')])
        if (seen.at(-1) !== task.lastStatus) seen.push(task.lastStatus ?? '')
    }
  }
  await look(15)
  it.update({ desiredCount: 0 })
  await look(15)
  expect(seen).toEqual([
    'PROVISIONING',
    'PENDING',
    'ACTIVATING',
    'RUNNING',
    'DEACTIVATING',
    'STOPPING',
    'DEPROVISIONING',
    'STOPPED',
  ])
})
