import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServiceVolumeConfiguration, Task } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Scenario } from '../../sandbox/aws/scenario.ts'
import { repositoryRoot } from '../../scripts/action-file.ts'
import type { OneOffTasks } from '../../src/ecs/one-off-task.ts'
import { type Ended, type Play, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
const used = new Set<string>()
afterEach(async () => {
  for (const { action } of stage.aws.calls.list) used.add(action)
  await stage.close()
})

const MIGRATE = { container: 'web', words: ['npm', 'run', 'migrate'] }
const WARM = { container: 'web', words: ['npm', 'run', 'warm'] }
const tasks = (more: Partial<OneOffTasks> = {}): OneOffTasks => ({ before: [MIGRATE], after: [], timeoutMs: 300_000, ...more })

/** What the first task of version 2 does; those of the service that follow are well. */
const first = (script: object, ...then: object[]): Scenario => ({ images: { 'web:2': [script, ...then, {}] } })
const OK = { exit: { code: 0, after: 3 }, log: ['migrated'] }

async function play(scenario: Scenario, more: Play = {}, given = tasks()): Promise<Ended> {
  stage = await setStage()
  stage.push('2')
  return stage.deploy({ tag: '2', scenario, ...more, platform: { tasks: given, ...more.platform } })
}
const live = (): string => stage.service().deployments?.[0]?.taskDefinition?.split('/').at(-1) ?? ''
const asked = (action: string): number => stage.aws.calls.count(`ecs:${action}`)

describe('run-before', () => {
  test('runs with the new revision where the service runs, and is done before the service is updated', async () => {
    const ended = await play(first(OK))
    expect(ended).toMatchObject({ result: 'deployed' })
    expect(ended.log).toMatch(/run-before: web npm run migrate: task [0-9a-f]+[\s\S]*migrated[\s\S]*done after [\d.]+ s/)
    const { list } = stage.aws.calls
    const at = (action: string): number => list.find(call => call.action === action)?.at ?? 0
    expect(at('ecs:UpdateService')).toBeGreaterThan(at('ecs:RunTask') + 3_000)
    expect([live(), asked('RunTask'), asked('StopTask')]).toEqual(['web:2', 1, 0])
  })

  test.each<[string, Scenario, string, RegExp, number]>([
    [
      'ends with 3',
      first({ exit: { code: 3, after: 3 }, log: ['connecting', 'no DATABASE_URL'] }),
      'EssentialContainerExited',
      /^run-before: web npm run migrate: task [0-9a-f]{12}, container web ended with exit code 3\. Its log ends with "no DATABASE_URL"\. No service was updated, web:2 was only registered\.$/,
      1,
    ],
    [
      'has an image that may not be pulled',
      first({ pull: 'no access' }),
      'CannotPullContainerError',
      /CannotPullContainerError.*No service was updated/,
      1,
    ],
    [
      'twice gets no image in time',
      first({ pull: 'timeout' }, { pull: 'timeout' }),
      'CannotPullContainerError',
      /CannotPullContainerError/,
      2,
    ],
    ['runs out of memory', first({ oom: 2 }), 'OutOfMemoryError', /ran out of memory/, 1],
    ['lacks a secret', first({ init: 'unable to pull secrets' }), 'ResourceInitializationError', /unable to pull secrets/, 1],
  ])('that %s ends the release, and nothing is changed', async (_, scenario, reason, message, started) => {
    const ended = await play(scenario)
    expect(ended).toMatchObject({ result: 'refused', reason, message: expect.stringMatching(message) })
    expect([live(), asked('UpdateService'), asked('RunTask')]).toEqual(['web:1', 0, started])
    expect(ended.seconds).toBeLessThan(30)
    const { tags } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web:2', include: ['TAGS'] })
    expect(JSON.stringify(tags)).toContain('failed 2026')
    expect(JSON.stringify(stage.service().tags)).not.toMatch(/deploy-actions:(lock|release)/)
  })

  test.each<[string, Scenario]>([
    ['a pull that times out once', first({ pull: 'timeout' }, OK)],
    ['no room, but not for long', { ...first(OK), capacity: { tasks: 2, until: 40 } }],
    ['describes that are 4 s behind', { ...first(OK), stale: 4 }],
    ['30 % of all calls throttled', { ...first(OK), faults: [{ action: '*', error: 'ThrottlingException', rate: 0.3 }] }],
  ])('is done for all that there is %s', async (_, scenario) => {
    expect(await play(scenario)).toMatchObject({ result: 'deployed' })
    expect(live()).toBe('web:2')
  })

  test('has no room for good', async () => {
    const ended = await play({ ...first(OK), capacity: { tasks: 2 } })
    expect(ended).toMatchObject({ result: 'refused', reason: 'UnableToPlaceTask' })
    expect(ended.message).toMatch(/there is no room for it: Capacity is unavailable/)
    expect([live(), ended.seconds > 90, ended.seconds < 120]).toEqual(['web:1', true, true])
  })

  test.each<[string, Play, Partial<OneOffTasks>, string, RegExp]>([
    ['timeout', {}, { timeoutMs: 20_000 }, 'Timeout', /not done after 20 s, its task was stopped/],
    ['a cancel', { cancelAt: 12 }, {}, 'Cancelled', /cancelled, and its task stopped\. No service was updated/],
  ])('is stopped by %s', async (_, more, given, reason, message) => {
    const ended = await play(first({}), more, tasks(given))
    expect(ended).toMatchObject({ result: 'refused', reason, message: expect.stringMatching(message) })
    expect([live(), asked('StopTask')]).toEqual(['web:1', 1])
    expect(ended.seconds).toBeLessThan(22)
  })

  test.each(['ecs:RunTask', 'iam:PassRole'])('names the missing right %s', async right => {
    const message = `User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: ${right} on resource: *`
    const ended = await play({ faults: [{ action: 'ecs:RunTask', error: 'AccessDeniedException', message }] })
    expect(ended).toMatchObject({ result: 'refused', reason: 'Forbidden' })
    expect(ended.message).toContain(`The role may not call ecs:RunTask: it needs the permission ${right}.`)
    expect(live()).toBe('web:1')
  })

  test('of a container that is not there is refused before anything is registered', async () => {
    const ended = await play({}, {}, tasks({ before: [{ container: 'wep', words: ['x'] }] }))
    expect(ended.message).toBe(
      'run-before: there is no container wep, did you mean web? The task definition web has web. Nothing was changed.',
    )
    expect(asked('RegisterTaskDefinition')).toBe(0)
  })

  test('that a killed run has left running is waited for, not started again', async () => {
    const dead = await play(
      { ...first({ exit: { code: 0, after: 60 } }), faults: [{ action: 'ecs:StopTask', error: 'AccessDeniedException' }] },
      { cancelAt: 12 },
    )
    expect(dead.log).toContain('could not be stopped')
    const next = await stage.deploy({ tag: '2', platform: { tasks: tasks() } })
    expect(next).toMatchObject({ result: 'deployed' })
    expect([next.log.includes('of this run still runs'), asked('RunTask')]).toEqual([true, 1])
  })

  test('that fails, where a killed run has updated the service already, puts back what was before', async () => {
    stage = await setStage({ scenario: { images: { 'web:3': [{ exit: { code: 3, after: 1 } }, {}] } } })
    for (const tag of ['2', '3']) stage.push(tag)
    await stage.deploy({ tag: '2' })
    const resourceArn = stage.service().serviceArn
    stage.aws.call('ecs:TagResource', {
      resourceArn,
      tags: [{ key: 'deploy-actions:release', value: 'pending web:2 before web:1' }],
    })
    const ended = await stage.deploy({ tag: '3', platform: { tasks: tasks() } })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(live()).toBe('web:1')
  })

  test.each<[string, object, object]>([
    ['launch type', {}, { launchType: 'FARGATE' }],
    [
      'capacity providers',
      { launchType: undefined, capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] },
      { capacityProviderName: 'FARGATE_SPOT' },
    ],
  ])("has the service's %s, its network, and the run's name", async (_, more, place) => {
    stage = await setStage({ seed: { with: more } })
    stage.push('2')
    await stage.deploy({ tag: '2', scenario: first(OK), platform: { tasks: tasks() } })
    const { taskArns } = stage.aws.call('ecs:ListTasks', { cluster: 'app', desiredStatus: 'STOPPED' }) as { taskArns: string[] }
    const { tasks: found } = stage.aws.call('ecs:DescribeTasks', { cluster: 'app', tasks: taskArns }) as { tasks: Task[] }
    const own = found.find(({ startedBy }) => startedBy?.startsWith('deploy-actions/web/1/') === true)
    const command = ['npm', 'run', 'migrate']
    expect(own).toMatchObject({ ...place, overrides: { containerOverrides: [{ name: 'web', command }] } })
    expect(own?.taskDefinitionArn).toMatch(/web:2$/)
    expect(JSON.stringify(own?.attachments)).toContain('subnet-0a')
  })

  describe('with a volume that is configured at launch', () => {
    const tags = [{ key: 'team', value: 'shop' }]
    const disk = { sizeInGiB: 20, roleArn: 'arn:aws:iam::123456789012:role/ecs-volumes' }
    const deployVolume = async (volumeConfigurations: ServiceVolumeConfiguration[]): Promise<Ended> => {
      stage = await setStage({ seed: { with: { volumeConfigurations } } })
      const { taskDefinition } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web' })
      const { family, containerDefinitions, networkMode, cpu, memory, executionRoleArn, requiresCompatibilities } =
        taskDefinition as Record<string, unknown>
      const same = { family, containerDefinitions, networkMode, cpu, memory, executionRoleArn, requiresCompatibilities }
      const volumes = [{ name: 'scratch', configuredAtLaunch: true }, { name: 'none' }]
      stage.aws.call('ecs:RegisterTaskDefinition', { ...same, volumes })
      const scenario = { images: { 'web:1': [OK, {}] } }
      return stage.deploy({ scenario, target: { taskDefinition: 'web' }, platform: { tasks: tasks() } })
    }

    test("has one of its own, as the service's tasks have, and it ends with the task", async () => {
      const ended = await deployVolume([
        {
          name: 'scratch',
          managedEBSVolume: { ...disk, tagSpecifications: [{ resourceType: 'volume', tags, propagateTags: 'SERVICE' }] },
        },
      ])
      expect([ended.result, ended.message]).toEqual(['deployed', expect.any(String)])
      const { input } = stage.aws.calls.list.find(({ action }) => action === 'ecs:RunTask') ?? {}
      const managedEBSVolume = {
        ...{ ...disk, terminationPolicy: { deleteOnTermination: true } },
        tagSpecifications: [{ resourceType: 'volume', tags }],
      }
      expect(input?.['volumeConfigurations']).toEqual([{ name: 'scratch', managedEBSVolume }])
    })

    test('is refused where the service says nothing of the volume', async () => {
      const ended = await deployVolume([])
      expect(ended).toMatchObject({ result: 'refused', reason: 'InvalidInput' })
      expect(ended.message).toMatch(/the volume scratch is configured at launch, and service web has no volume configuration/)
      expect([live(), asked('RunTask'), asked('UpdateService')]).toEqual(['web:1', 0, 0])
    })
  })

  test('does not run when nothing changes', async () => {
    stage = await setStage()
    expect(await stage.deploy({ tag: '1', platform: { tasks: tasks() } })).toMatchObject({ result: 'unchanged' })
    expect(asked('RunTask')).toBe(0)
  })
})

describe('run-after', () => {
  const after = tasks({ before: [], after: [WARM] })

  test('runs when the release is healthy', async () => {
    const ended = await play({ images: { 'web:2': [{}, {}, OK] } }, {}, after)
    expect(ended).toMatchObject({ result: 'deployed' })
    expect(ended.log).toMatch(/2\/2 ready[\s\S]*run-after: web npm run warm: done/)
  })

  test('that ends with 3 puts the last revision back', async () => {
    const ended = await play({ images: { 'web:2': [{}, {}, { exit: { code: 3, after: 2 }, log: ['cold'] }] } }, {}, after)
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(ended.message).toMatch(
      /^run-after: web npm run warm: task .* exit code 3\. Its log ends with "cold"\. ecs:\/\/app\/web\/web:1 was put back and is healthy\.$/,
    )
    expect(live()).toBe('web:1')
  })
})

test("the policy in the action's README grants all that was asked", () => {
  const readme = readFileSync(join(repositoryRoot, 'actions', 'deploy-ecs', 'README.md'), 'utf8')
  expect([...used]).toEqual(expect.arrayContaining(['ecs:RunTask', 'ecs:StopTask']))
  expect([...used].filter(action => !readme.includes(`"${action}"`))).toEqual([])
})
