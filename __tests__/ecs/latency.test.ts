import type { ServiceDeployment, Task } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Behaviour } from '../../sandbox/aws/scenario.ts'
import { type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

/** Seconds of the simulator's clock at which the deciding task had ended: the first of its deployment, or the second. */
function ended(which: number): number {
  const { taskArns } = stage.aws.call('ecs:ListTasks', { cluster: 'app', serviceName: 'web', desiredStatus: 'STOPPED' }) as {
    taskArns: string[]
  }
  const { tasks } = stage.aws.call('ecs:DescribeTasks', { cluster: 'app', tasks: taskArns }) as {
    tasks: (Omit<Task, 'stoppingAt'> & { stoppingAt: number })[]
  }
  const times = tasks.filter(({ taskDefinitionArn }) => taskDefinitionArn?.endsWith(':2')).map(({ stoppingAt }) => stoppingAt)
  return times.sort((a, b) => a - b)[which - 1] ?? Number.NaN
}

describe('from the deciding task to the order to put back no more than 6 s pass', () => {
  test.each<[string, Behaviour, number]>([
    ['an image that is not there', { pull: 'not found' }, 1],
    ['a secret that is missing', { init: "ResourceNotFoundException: Secrets Manager can't find the specified secret." }, 1],
    ['a second crash', { exit: { code: 3, after: 2 } }, 2],
    ['a second lack of memory', { oom: 3 }, 2],
  ])('%s', async (_, behaviour, which) => {
    stage = await setStage({ scenario: { images: { 'web:2': behaviour } } })
    stage.push('2')
    await stage.deploy({ tag: '2' })
    const stop = (stage.aws.calls.list.find(({ action }) => action === 'ecs:StopServiceDeployment')?.at ?? Number.NaN) / 1_000
    expect(stop - ended(which)).toBeGreaterThanOrEqual(0)
    expect(stop - ended(which)).toBeLessThanOrEqual(6)
  })
})

test('a good release is called so no more than 3 s after ECS does', async () => {
  stage = await setStage()
  stage.push('2')
  await stage.deploy({ tag: '2' })
  const called = stage.clock.now() / 1_000
  const { serviceDeployments } = stage.aws.call('ecs:DescribeServiceDeployments', {
    serviceDeploymentArns: [stage.service().currentServiceDeployment],
  }) as {
    serviceDeployments: (Omit<ServiceDeployment, 'finishedAt'> & { finishedAt: number })[]
  }
  const late = called - (serviceDeployments[0]?.finishedAt ?? Number.NaN)
  expect(late).toBeGreaterThanOrEqual(0)
  expect(late).toBeLessThanOrEqual(3)
})

test('at most one describe of the services in 2.7 s', async () => {
  stage = await setStage({ scenario: { images: { 'web:1': { stops: 25 } } } })
  stage.push('2')
  await stage.deploy({ tag: '2' })
  const updated = stage.aws.calls.list.find(({ action }) => action === 'ecs:UpdateService')?.at ?? 0
  const polls = stage.aws.calls.list
    .filter(({ action, at }) => action === 'ecs:DescribeServices' && at > updated)
    .map(({ at }) => at)
  const gaps = polls.slice(1).map((at, index) => at - (polls[index] ?? 0))
  expect(gaps.length).toBeGreaterThan(5)
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_700)
})
