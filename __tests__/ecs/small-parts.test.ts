import type { DeploymentConfiguration } from '@aws-sdk/client-ecs'
import { describe, expect, test } from '@jest/globals'
import {
  faultsOfStrategy,
  parseCapacityProvider,
  parseCluster,
  parseCommandOfContainer,
  parseImageOfContainer,
  parseRegion,
  parseService,
  parseSettingOfContainer,
  parseSize,
  parseTagEntry,
} from '../../src/ecs/entries.ts'
import { PollPace } from '../../src/ecs/poll-pace.ts'
import { changeOfService, type ServiceSettings } from '../../src/ecs/service-change.ts'
import {
  lockNote,
  lockValue,
  releaseNote,
  releaseValue,
  statusOf,
  statusTag,
  tagValue,
  undoKeys,
  undoOf,
  undoTags,
} from '../../src/ecs/tags.ts'

describe('entries', () => {
  test.each<[string, () => unknown, unknown]>([
    ['a cluster', () => parseCluster('prod'), 'prod'],
    ['a cluster by its ARN', () => parseCluster('arn:aws:ecs:eu-west-1:123456789012:cluster/prod'), 'prod'],
    ['a service by its ARN', () => parseService('arn:aws:ecs:eu-west-1:123456789012:service/prod/web'), 'web'],
    ['a region', () => parseRegion('ap-northeast-2'), 'ap-northeast-2'],
    ['no region', () => parseRegion(''), ''],
    ['an image', () => parseImageOfContainer('app=ghcr.io/acme/web:1'), { container: 'app', reference: 'ghcr.io/acme/web:1' }],
    ['a variable', () => parseSettingOfContainer('app A=b = c'), { container: 'app', name: 'A', value: 'b = c' }],
    ['an empty variable', () => parseSettingOfContainer('app A='), { container: 'app', name: 'A', value: '' }],
    [
      'a command as JSON',
      () => parseCommandOfContainer('app ["sh", "-c", "a b"]'),
      { container: 'app', words: ['sh', '-c', 'a b'] },
    ],
    [
      'a command as words',
      () => parseCommandOfContainer('app node  server.js'),
      { container: 'app', words: ['node', 'server.js'] },
    ],
    [
      'a capacity provider',
      () => parseCapacityProvider('FARGATE_SPOT=weight:3, base:1'),
      { capacityProvider: 'FARGATE_SPOT', weight: 3, base: 1 },
    ],
    ['one by its name alone', () => parseCapacityProvider('spot'), { capacityProvider: 'spot', weight: 1, base: 0 }],
    ['one with a base alone', () => parseCapacityProvider('spot=base:2'), { capacityProvider: 'spot', weight: 0, base: 2 }],
    [
      'a strategy that ECS takes',
      () => faultsOfStrategy(['FARGATE=weight:0,base:1', 'FARGATE_SPOT'].map(parseCapacityProvider)),
      [],
    ],
    [
      'one that it does not take',
      () => faultsOfStrategy(['a=weight:0,base:1', 'a=weight:0,base:1'].map(parseCapacityProvider)),
      ['names a provider twice', 'gives more than one provider a base', 'gives no provider a weight'],
    ],
    ['a tag', () => parseTagEntry('team=a=b'), { key: 'team', value: 'a=b' }],
    ['a size', () => parseSize('0.5 vCPU'), '0.5 vCPU'],
  ])('%s', (_, parse, value) => {
    expect(parse()).toEqual(value)
  })

  test.each<[string, () => unknown, RegExp]>([
    ['a cluster', () => parseCluster('a b'), /"a b" is no cluster's name/],
    ['a service', () => parseService('web/x'), /no service's name/],
    ['a region', () => parseRegion('Ireland'), /no AWS region, such as eu-west-1/],
    ['an image without a container', () => parseImageOfContainer('ghcr.io/acme/web:1'), /is not written container=reference/],
    [
      'a repository in place of a container',
      () => parseImageOfContainer('ghcr.io/acme/web=ghcr.io/acme/web:1'),
      /"ghcr\.io\/acme\/web" is no container's name/,
    ],
    ['a wrong image', () => parseImageOfContainer('app=Web:1'), /must be in lower case/],
    [
      'a variable without a container',
      () => parseSettingOfContainer('PASSWORD=secret'),
      /"PASSWORD=…" is not written container NAME=value/,
    ],
    ['a capacity provider by number', () => parseCapacityProvider('spot=3'), /"3" is neither weight:<number> nor base:<number>/],
    ['a weight twice', () => parseCapacityProvider('spot=weight:1,weight:2'), /has its weight twice/],
    ['too much weight', () => parseCapacityProvider('spot=weight:1001'), /the weight is more than 1000/],
    ['no capacity provider', () => parseCapacityProvider('=weight:1'), /is not written provider=weight:3,base:1/],
    ['a broken command', () => parseCommandOfContainer('app ["a"'), /is no JSON array$/],
    ['a command of numbers', () => parseCommandOfContainer('app [1]'), /no JSON array of texts/],
    ['quotes outside of JSON', () => parseCommandOfContainer('app sh -c "a b"'), /quotes are for a JSON array/],
    ['a tag of AWS', () => parseTagEntry('aws:x=1'), /AWS keeps for itself/],
    ['a tag of ours', () => parseTagEntry('deploy-actions:x=1'), /releases are recorded in/],
    ['a size', () => parseSize('big'), /is no size/],
  ])('%s that is wrong', (_, parse, message) => {
    expect(parse).toThrow(message)
  })
  test('no value of a variable is repeated', () => {
    expect(() => parseSettingOfContainer('PASSWORD=hunter2')).not.toThrow(/hunter2/)
  })
})

describe('the pace of polling', () => {
  const pace = (): PollPace => new PollPace(() => 0)
  test('is 3 s while things move, and goes to 15 s while nothing does', () => {
    const still = pace()
    const waits = Array.from({ length: 30 }, () => still.next({ moved: false, throttled: false }))
    expect(waits.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 3_000))
    expect(waits.at(-1)).toBe(15_000)
    expect(still.next({ moved: true, throttled: false })).toBe(3_000)
  })
  test('is slower while AWS throttles, and recovers', () => {
    const throttled = pace()
    expect(throttled.next({ moved: true, throttled: true })).toBe(4_500)
    expect(throttled.next({ moved: true, throttled: true })).toBe(6_750)
    expect(throttled.next({ moved: true, throttled: false })).toBe(4_500)
    expect(throttled.next({ moved: true, throttled: false })).toBe(3_000)
  })
  test('is never the same for all', () => {
    expect(new PollPace(() => 1).next({ moved: true, throttled: false })).toBe(2_790)
  })
})

describe('tags', () => {
  test('hold only what tags may', () => {
    expect(tagValue('a (b), "c" é/@')).toBe('a _b__ _c_ é/@')
    expect(tagValue('x'.repeat(300))).toHaveLength(256)
    expect(statusTag('c'.repeat(100), 's'.repeat(100))).toHaveLength(128)
    expect(statusTag('c'.repeat(100), 's'.repeat(100))).not.toBe(statusTag('c'.repeat(100), 's'.repeat(101)))
  })
  test('tell how a release stands', () => {
    const note = { status: 'pending' as const, revision: 'web:8', before: 'web:7' }
    expect(releaseNote({ tags: [{ key: 'deploy-actions:release', value: releaseValue(note) }] })).toEqual(note)
    expect(releaseNote({ tags: [{ key: 'deploy-actions:release', value: 'nonsense' }] })).toBeUndefined()
    expect(statusOf([{ key: 'deploy-actions:a/b', value: 'verified 2026-01-01' }], 'a', 'b')).toBe('verified')
    expect(statusOf([{ key: 'deploy-actions:a/b', value: 'good' }], 'a', 'b')).toBeUndefined()
  })
  test('tell who holds the lock', () => {
    const value = lockValue({ until: Date.UTC(2026, 0, 1), holder: 'https://github.com/a/b/actions/runs/1 (1)' })
    expect(lockNote({ tags: [{ key: 'deploy-actions:lock', value }] })).toEqual({
      until: Date.UTC(2026, 0, 1),
      holder: 'https://github.com/a/b/actions/runs/1 _1_',
    })
    expect(lockNote({ tags: [] })).toBeUndefined()
  })
  test('keep what else is to be put back, in parts', () => {
    const undo = {
      desiredCount: 2,
      deploymentConfiguration: {
        alarms: { alarmNames: Array.from({ length: 20 }, (_, index) => `alarm {${index}}`), enable: true, rollback: true },
      },
    }
    const tags = undoTags(undo) ?? []
    expect(tags.length).toBeGreaterThan(1)
    expect(tags.every(({ value = '' }) => value.length <= 256 && tagValue(value) === value)).toBe(true)
    expect(undoOf([...tags].reverse())).toEqual(undo)
    expect(undoKeys([...tags, { key: 'other' }])).toHaveLength(tags.length)
    expect(undoTags({})).toEqual([])
    expect(undoOf([])).toEqual({})
    expect(
      undoTags({ deploymentConfiguration: { alarms: { alarmNames: ['x'.repeat(5_000)], enable: true, rollback: true } } }),
    ).toBeUndefined()
  })
})

describe('what is changed of a service', () => {
  const KEEP: ServiceSettings = { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [] }
  const service = {
    serviceName: 'web',
    launchType: 'FARGATE' as const,
    desiredCount: 2,
    deploymentConfiguration: {
      maximumPercent: 200,
      minimumHealthyPercent: 100,
      deploymentCircuitBreaker: { enable: true, rollback: true },
    },
  }
  test.each<[string, Partial<ServiceSettings>, object, readonly string[], DeploymentConfiguration?]>([
    ['nothing', {}, {}, []],
    ['what is so already', { circuitBreaker: 'on', desiredCount: 2, maximumPercent: 200, strategy: 'rolling' }, {}, []],
    ['the count', { desiredCount: 0 }, { desiredCount: 0 }, ['desired count: 2 -> 0']],
    [
      'the breaker',
      { circuitBreaker: 'off' },
      {
        deploymentConfiguration: {
          ...service.deploymentConfiguration,
          deploymentCircuitBreaker: { enable: false, rollback: false },
        },
      },
      ['deploymentCircuitBreaker: {"enable":true,"rollback":true} -> {"enable":false,"rollback":false}'],
    ],
    [
      'percents',
      { minimumHealthyPercent: 0, maximumPercent: 100 },
      { deploymentConfiguration: { ...service.deploymentConfiguration, minimumHealthyPercent: 0, maximumPercent: 100 } },
      ['maximumPercent: 200 -> 100', 'minimumHealthyPercent: 100 -> 0'],
    ],
    [
      'alarms',
      { alarms: ['a'] },
      {
        deploymentConfiguration: {
          ...service.deploymentConfiguration,
          alarms: { alarmNames: ['a'], enable: true, rollback: true },
        },
      },
      ['alarms: none -> {"alarmNames":["a"],"enable":true,"rollback":true}'],
    ],
    [
      'a configuration of another strategy, which is left out',
      { strategy: 'canary' },
      { deploymentConfiguration: { ...service.deploymentConfiguration, strategy: 'CANARY' } },
      ['strategy: none -> CANARY'],
      { linearConfiguration: { stepPercent: 20 } },
    ],
    [
      'capacity providers',
      { capacityProviders: [{ capacityProvider: 'FARGATE_SPOT', weight: 3, base: 1 }] },
      { capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 3, base: 1 }] },
      ['capacity providers: launch type FARGATE -> FARGATE_SPOT weight 3 base 1'],
    ],
    ['nothing but force', { forceNewDeployment: true }, {}, ['forced new deployment']],
  ])('%s', (...row) => {
    const [, settings, input, details, configuration] = row
    const deploymentConfiguration = { ...service.deploymentConfiguration, ...configuration }
    const change = changeOfService({ ...service, deploymentConfiguration }, { ...KEEP, ...settings })
    expect(change.input).toEqual(input)
    expect(change.details).toEqual(details)
    expect(Object.keys(change.undo)).toEqual(Object.keys(change.input))
  })
  const LINEAR = { strategy: 'LINEAR', linearConfiguration: { stepPercent: 20 } } as const
  test.each<[string, Partial<ServiceSettings>, DeploymentConfiguration, DeploymentConfiguration]>([
    ['alarms', { alarms: ['a'] }, {}, { alarms: { alarmNames: [], enable: false, rollback: false } }],
    ['a breaker', { circuitBreaker: 'on' }, {}, { deploymentCircuitBreaker: { enable: false, rollback: false } }],
    ['a strategy', { strategy: 'canary', steps: [20] }, {}, { strategy: 'ROLLING' }],
    [
      'steps',
      { strategy: 'canary', steps: [20] },
      { strategy: 'CANARY' },
      { strategy: 'CANARY', canaryConfiguration: { canaryPercent: 5, canaryBakeTimeInMinutes: 10 } },
    ],
    ['another strategy than the one before', { strategy: 'canary', steps: [20] }, LINEAR, LINEAR],
    [
      'a strategy, with what the one before has left',
      { alarms: ['a'], strategy: 'linear' },
      { canaryConfiguration: {} },
      {
        alarms: { alarmNames: [], enable: false, rollback: false },
        strategy: 'ROLLING',
      },
    ],
  ])('the way back from %s says what was not there before, and nothing of another strategy', (...row) => {
    const [, settings, deploymentConfiguration, back] = row
    expect(changeOfService({ ...service, deploymentConfiguration }, { ...KEEP, ...settings }).undo).toEqual({
      deploymentConfiguration: back,
    })
  })
  test('the same capacity providers in another order are no change, another weight is one', () => {
    const spot = { capacityProvider: 'FARGATE_SPOT', weight: 3 }
    const usual = { capacityProvider: 'FARGATE', weight: 1, base: 1 }
    const live = { ...service, capacityProviderStrategy: [usual, { ...spot, base: 0 }] }
    expect(changeOfService(live, { ...KEEP, capacityProviders: [spot, usual] }).details).toEqual([])
    const change = changeOfService(live, { ...KEEP, capacityProviders: [{ ...spot, weight: 2 }, usual] })
    expect(change.details).toEqual([
      'capacity providers: FARGATE weight 1 base 1, FARGATE_SPOT weight 3 -> FARGATE weight 1 base 1, FARGATE_SPOT weight 2',
    ])
    expect(change.undo).toEqual({ capacityProviderStrategy: live.capacityProviderStrategy })
  })
  test('CodeDeploy is no strategy of a service that ECS deploys', () => {
    expect(() => changeOfService(service, { ...KEEP, strategy: 'codedeploy' })).toThrow(/deployed by ECS itself/)
  })
})
