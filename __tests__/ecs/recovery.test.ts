import type { Tag } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { AwsApi } from '../../src/ecs/api.ts'
import { finishRelease } from '../../src/ecs/finish-release.ts'
import { type EcsRollbackTo, rollbackTarget } from '../../src/ecs/rollback-target.ts'
import type { ServiceSettings } from '../../src/ecs/service-change.ts'
import { registrable } from '../../src/ecs/task-definition.ts'
import { markVerifiedOnEcs } from '../../src/ecs/verification.ts'
import { createLog } from '../../src/runner/log.ts'
import { type Ended, RUN, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

const NEXT = { ...RUN, GITHUB_RUN_ID: '2' }
const never = new AbortController().signal
const log = createLog(() => undefined)
const live = (name = 'web'): string =>
  stage
    .service(name)
    .deployments?.find(({ status }) => status === 'PRIMARY')
    ?.taskDefinition?.split('/')
    .at(-1) ?? ''
const tag = (key: string): string => stage.service().tags?.find(candidate => candidate.key === key)?.value ?? ''
function statusOf(revision: string, name = 'web'): string {
  const { tags = [] } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: revision, include: ['TAGS'] }) as {
    tags?: Tag[]
  }
  return tags.find(({ key }) => key === `deploy-actions:app/${name}`)?.value?.split(' ')[0] ?? ''
}

/** A run that was killed after its UpdateService: nothing of it goes on. */
async function killedRun(scene = {}): Promise<void> {
  stage = await setStage({ scenario: scene })
  stage.push('2')
  stage.push('3')
  const api = new AwsApi({ region: '', clock: stage.clock, signal: never, settings: stage.aws.client })
  const definition = await stage.drive(api.call('ecs', 'DescribeTaskDefinition', { taskDefinition: 'web:1' }))
  const { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions } =
    definition.taskDefinition ?? {}
  const containers = (containerDefinitions ?? []).map(container => ({ ...container, image: `${stage.seeded.repository}:2` }))
  stage.aws.call('ecs:RegisterTaskDefinition', {
    family,
    networkMode,
    requiresCompatibilities,
    cpu,
    memory,
    executionRoleArn,
    containerDefinitions: containers,
  })
  const until = new Date(stage.clock.now() + 90_000).toISOString()
  const holder = 'https://github.com/acme/web/actions/runs/1 _1_ deploy_ deploy_'
  const tags = [
    { key: 'deploy-actions:lock', value: `${until} ${holder}` },
    { key: 'deploy-actions:release', value: 'pending web:2 before web:1' },
  ]
  stage.aws.call('ecs:TagResource', { resourceArn: stage.service().serviceArn, tags })
  stage.aws.call('ecs:UpdateService', { cluster: 'app', service: 'web', taskDefinition: 'web:2' })
  await stage.aws.advance(5)
}

/** The post step of the run that has made web:2 of it. */
function postStep(): ReturnType<typeof finishRelease> {
  const runner = {
    env: { ...RUN, STATE_release: 'ecs://app/web/web:2' },
    workspace: '',
    temporary: '',
    log,
    cancelled: never,
    ending: never,
    saveState: () => undefined,
  }
  return stage.drive(finishRelease(runner, { clock: stage.clock, settings: stage.aws.client }))
}

describe('a killed run', () => {
  test('keeps its lock until it runs out, and names itself', async () => {
    await killedRun()
    const ended = await stage.deploy({ tag: '3', platform: { env: NEXT } })
    expect(ended).toMatchObject({ result: 'refused', reason: 'Locked' })
    expect(ended.message).toMatch(
      /Another deployment of service web is under way: https:\/\/github\.com\/acme\/web\/actions\/runs\/1 .*a dead one loses its lock after 90 s\.$/,
    )
    expect(live()).toBe('web:2')
  })

  test('is taken up by the next one, which goes on', async () => {
    await killedRun()
    const ended = await stage.deploy({ tag: '3', platform: { env: NEXT, lockWaitMs: 120_000 } })
    expect(ended).toMatchObject({ result: 'deployed' })
    expect(ended.log).toContain('Release web:2 of service web was never finished')
    expect([live(), tag('deploy-actions:release')]).toEqual(['web:3', 'deployed web:3 before web:1'])
  })

  test('is taken up by the next one, and what was before it is put back when that fails', async () => {
    await killedRun({ images: { 'web:3': { exit: { code: 1, after: 1 } } } })
    const ended = await stage.deploy({ tag: '3', platform: { env: NEXT, lockWaitMs: 120_000 } })
    expect(ended.message).toMatch(/ecs:\/\/app\/web\/web:1 was put back and is healthy\.$/)
    expect(live()).toBe('web:1')
  })

  test('is finished by its post step', async () => {
    await killedRun()
    const summary = await postStep()
    expect(summary).toContain('web:1 was put back and is healthy')
    expect([live(), tag('deploy-actions:release'), tag('deploy-actions:lock')]).toEqual([
      'web:1',
      'rolled-back web:2 before web:1',
      '',
    ])
  })

  test('that had ended leaves its post step nothing to do', async () => {
    stage = await setStage()
    stage.push('2')
    await stage.deploy({ tag: '2' })
    expect(await postStep()).toBeUndefined()
    expect(live()).toBe('web:2')
  })
})

describe('a cancel', () => {
  test('asks ECS to stop within a second, and leaves the waiting to the post step', async () => {
    stage = await setStage()
    stage.push('2')
    const before = stage.clock.now()
    const ended = await stage.deploy({ tag: '2', cancelAt: 6, endAt: 9 })
    const stop = stage.aws.calls.list.find(({ action }) => action === 'ecs:StopServiceDeployment')
    expect(((stop?.at ?? 0) - before) / 1_000).toBeLessThan(7)
    expect(ended.report).toMatchObject({ result: 'cancelled', unfinished: true })
    expect(tag('deploy-actions:release')).toBe('pending web:2 before web:1')
    const summary = await postStep()
    expect(summary).toContain('was put back and is healthy')
    expect([live(), statusOf('web:2')]).toEqual(['web:1', 'rolled-back'])
  })
})

describe('a cancel at any moment leaves the old revision', () => {
  test.each([0.1, 1.4, 1.6, 3, 5, 7, 10])('%s s', async seconds => {
    stage = await setStage()
    stage.push('2')
    const ended = await stage.deploy({ tag: '2', cancelAt: seconds })
    expect([ended.result, live()]).toEqual(['cancelled', 'web:1'])
    expect(ended.message).toMatch(/web:1 was put back and is healthy/)
    expect(tag('deploy-actions:lock')).toBe('')
  })
})

test('what was changed besides the revision is put back too', async () => {
  stage = await setStage({ scenario: { images: { 'web:2': { exit: { code: 1, after: 1 } } } } })
  stage.push('2')
  const ended = await stage.deploy({
    tag: '2',
    target: { settings: { forceNewDeployment: false, circuitBreaker: 'on', alarms: [], desiredCount: 3 } },
  })
  expect(ended.result).toBe('rolled-back')
  const service = stage.service()
  expect([service.desiredCount, service.deploymentConfiguration?.deploymentCircuitBreaker?.enable]).toEqual([2, false])
  expect(service.tags?.filter(({ key }) => key?.includes('undo'))).toEqual([])
})

test.each<[string, Partial<ServiceSettings>]>([
  ['alarms', { alarms: ['errors'] }],
  ['alarms and a strategy', { alarms: ['errors'], strategy: 'blue-green' }],
])('what the service had none of is taken away again: %s', async (_, settings) => {
  stage = await setStage({ scenario: { images: { 'web:2': { exit: { code: 1, after: 1 } } } } })
  stage.push('2')
  const before = stage.service().deploymentConfiguration
  const ended = await stage.deploy({
    tag: '2',
    target: { settings: { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [], ...settings } },
    platform: { lookAhead: async () => new Map() },
  })
  expect(ended.result).toBe('rolled-back')
  expect(stage.service().deploymentConfiguration).toEqual({
    ...before,
    alarms: { alarmNames: [], enable: false, rollback: false },
  })
})

test('of several services all are put back when one fails', async () => {
  stage = await setStage({ scenario: { images: { 'web:2': [{}, {}, { exit: { code: 1, after: 1 } }] } } })
  stage.push('2')
  const { cluster, taskDefinition } = stage.seeded
  const { networkConfiguration } = stage.service()
  stage.aws.call('ecs:CreateService', {
    cluster,
    serviceName: 'worker',
    taskDefinition,
    desiredCount: 2,
    launchType: 'FARGATE',
    networkConfiguration,
  })
  await stage.aws.advance(30)
  const ended = await stage.deploy({ tag: '2', platform: { services: ['web', 'worker'] } })
  expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
  expect([live('web'), live('worker')]).toEqual(['web:1', 'web:1'])
  expect(stage.aws.calls.count('ecs:RegisterTaskDefinition')).toBeLessThanOrEqual(2)
  expect(ended.report?.release).toBe('ecs://app/web/web:2\necs://app/worker/web:2')
})

describe('what could not be put back', () => {
  const settings = { forceNewDeployment: false, circuitBreaker: 'keep' as const, alarms: [], desiredCount: 3 }
  const undo = (): number => stage.service().tags?.filter(({ key }) => key?.startsWith('deploy-actions:undo')).length ?? 0
  const crashes = { images: { 'web:2': { exit: { code: 1, after: 1 } } } }

  test('is named beside what was, each with its command', async () => {
    const denied = (action: string, more = {}) => ({ action, error: 'AccessDeniedException', ...more })
    // Of four updates the last: two services are deployed, then put back.
    const faults = [denied('ecs:StopServiceDeployment'), denied('ecs:UpdateService', { skip: 3 })]
    stage = await setStage({ scenario: crashes })
    stage.push('2')
    const { cluster, taskDefinition } = stage.seeded
    const { networkConfiguration } = stage.service()
    const worker = { serviceName: 'worker', desiredCount: 2, launchType: 'FARGATE' }
    stage.aws.call('ecs:CreateService', { cluster, taskDefinition, networkConfiguration, ...worker })
    await stage.aws.advance(30)
    const ended = await stage.deploy({ tag: '2', platform: { services: ['web', 'worker'] }, scenario: { ...crashes, faults } })
    const [back, bad] = live('web') === 'web:1' ? ['web', 'worker'] : ['worker', 'web']
    expect([live(back), live(bad)]).toEqual(['web:1', 'web:2'])
    expect(ended.message).toMatch(
      new RegExp(
        `PUTTING BACK FAILED, .*: service/${bad}: The role may not call ecs:UpdateService.* Put back was service/${back} to web:1, by a new deployment\\. Remove the cause, then run the rollback action with to: previous, or the commands`,
      ),
    )
    expect(ended.report?.remedies).toEqual([`aws ecs update-service --cluster app --service ${bad} --task-definition web:1`])
  })

  test.each<['rollback' | 'keep', string, number, number, string]>([
    ['rollback', 'pending web:2 before web:1', 1, 2, 'web:1'],
    ['keep', 'failed web:2 before web:1', 0, 3, 'web:2'],
  ])('is still to be done by the post step, with on-failure: %s', async (onFailure, note, kept, count, revision) => {
    stage = await setStage()
    stage.push('2')
    const away = (action: string, skip = 0) => ({ action, error: 'connection', skip, until: 180 })
    const ended = await stage.deploy({
      tag: '2',
      target: { settings },
      options: { onFailure, timeoutMs: 60_000 },
      scenario: { ...crashes, faults: [away('ecs:UpdateService', 1), away('ecs:StopServiceDeployment')] },
    })
    expect([ended.report?.unfinished, tag('deploy-actions:release'), undo()]).toEqual([onFailure === 'rollback', note, kept])
    if (onFailure === 'rollback') {
      expect(ended.message).toMatch(/the commands in the job summary; the rollback action would not put back desiredCount\./)
      expect(ended.report?.remedies).toEqual([expect.stringMatching(/--task-definition web:1 --desired-count 2$/)])
    }
    await stage.aws.advance(180)
    await postStep()
    expect([stage.service().desiredCount, live(), undo()]).toEqual([count, revision, 0])
  })
})

describe('rollback', () => {
  const back = async (to: EcsRollbackTo, bad: number | ReadonlyMap<string, string> = 0, more: object = {}): Promise<Ended> =>
    stage.deploy({
      platform: {
        ...more,
        target: rollbackTarget({
          api: new AwsApi({ region: '', clock: stage.clock, signal: never, settings: stage.aws.client }),
          cluster: 'app',
          to,
          bad,
          onChosen: () => undefined,
        }),
      },
    })
  const verify = (address: string): Promise<void> =>
    stage.drive(markVerifiedOnEcs(address, { log, signal: never, clock: stage.clock, settings: stage.aws.client }))
  const releases = async (): Promise<void> => {
    stage = await setStage()
    for (const number of ['2', '3', '4']) stage.push(number)
    await stage.deploy({ tag: '2' })
    await verify('ecs://app/web/web:2')
    await stage.deploy({ tag: '3' })
    await stage.deploy({ tag: '4' })
  }

  test.each<[string, EcsRollbackTo, string]>([
    ['the last verified', 'last-verified', 'web:2'],
    ['the previous', 'previous', 'web:3'],
    ['a number', 1, 'web:1'],
    ['a tag', { tag: '3' }, 'web:3'],
  ])('goes back to %s', async (_, to, revision) => {
    await releases()
    expect(await back(to)).toMatchObject({ result: 'deployed' })
    expect([live(), statusOf('web:4')]).toEqual([revision, 'rolled-back'])
    expect(statusOf('web:2')).toBe('verified')
  })

  test('goes back to a tag, though every image is named by its digest', async () => {
    stage = await setStage()
    for (const tag of ['2', '3', '4']) {
      const images = [{ container: 'web', reference: `${stage.seeded.repository}@${stage.push(tag)}` }]
      const none = { environment: [], secrets: [], logOptions: [], commands: [], cpu: '', memory: '' }
      expect(await stage.deploy({ target: { overrides: { images, ...none } } })).toMatchObject({ result: 'deployed' })
    }
    expect(await back({ tag: '3' })).toMatchObject({ result: 'deployed' })
    expect(live()).toBe('web:3')
    expect(await back({ tag: '9' })).toMatchObject({ result: 'refused', reason: 'NotFound' })
  })

  test('goes back with several services, each of a revision of its own', async () => {
    stage = await setStage()
    stage.push('2')
    const { cluster } = stage.seeded
    const { networkConfiguration, taskDefinition } = stage.service()
    const { taskDefinition: web } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition }) as { taskDefinition: object }
    const family = { ...registrable(web), family: 'worker' }
    for (const _ of ['1', '2']) stage.aws.call('ecs:RegisterTaskDefinition', family)
    const worker = { serviceName: 'worker', taskDefinition: 'worker', desiredCount: 1, launchType: 'FARGATE' }
    stage.aws.call('ecs:CreateService', { cluster, networkConfiguration, ...worker })
    await stage.aws.advance(30)
    const both = { services: ['web', 'worker'] }
    const { report } = await stage.deploy({ tag: '2', platform: both })
    expect(report?.release).toBe('ecs://app/web/web:2\necs://app/worker/worker:3')
    const wrong = new Map([
      ['web', 'web:2'],
      ['worker', 'web:2'],
    ])
    expect((await back('previous', wrong, both)).message).toMatch(/worker\/web:2 is not live, ecs:\/\/app\/worker\/worker:3 is/)
    const bad = new Map([
      ['web', 'web:2'],
      ['worker', 'worker:3'],
    ])
    expect(await back('previous', bad, both)).toMatchObject({ result: 'deployed' })
    expect([live('web'), live('worker')]).toEqual(['web:1', 'worker:2'])
  })

  test('twice goes further back, never forward to the bad one', async () => {
    await releases()
    await back('previous')
    await back('previous')
    expect(live()).toBe('web:2')
  })

  test('before the first recorded release there is what was there by other means', async () => {
    stage = await setStage()
    stage.push('2')
    await stage.deploy({ tag: '2' })
    await back('previous')
    expect(live()).toBe('web:1')
    expect(await back('previous')).toMatchObject({ result: 'refused', reason: 'NotFound' })
  })

  test.each<[string, EcsRollbackTo, number, RegExp]>([
    ['a bad release that is not live', 'previous', 3, /web:3 is not live, ecs:\/\/app\/web\/web:4 is; nothing was changed/],
    ['a number that never was', 9, 0, /There is no task definition web:9/],
    ['a tag that never was', { tag: 'x' }, 0, /No revision of web before web:4 has an image with the tag x/],
  ])('is refused for %s', async (_, to, bad, message) => {
    await releases()
    const ended = await back(to, bad)
    expect(ended.result).toBe('refused')
    expect(ended.message).toMatch(message)
    expect(live()).toBe('web:4')
  })

  test('none was ever verified', async () => {
    stage = await setStage()
    expect((await back('last-verified')).message).toMatch(
      /No release before ecs:\/\/app\/web\/web:1 was ever verified; nothing was changed/,
    )
  })

  test('only what is live can be marked verified', async () => {
    await releases()
    await expect(verify('ecs://app/web/web:3')).rejects.toThrow(/no longer what is live, ecs:\/\/app\/web\/web:4 is/)
    await expect(verify('ecs://app/none/web:3')).rejects.toThrow(/There is no service none/)
  })
})
