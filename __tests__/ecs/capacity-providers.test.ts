// Capacity providers that a release sets: they are live with it, unchanged ones change nothing, and they go back with it.
import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs'
import { afterEach, expect, jest, test } from '@jest/globals'
import type { Checked } from '../../src/deploy/check.ts'
import { type Ended, type Play, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

const SPOT: readonly CapacityProviderStrategyItem[] = [
  { capacityProvider: 'FARGATE', weight: 1, base: 1 },
  { capacityProvider: 'FARGATE_SPOT', weight: 3, base: 0 },
]

const deploy = (capacityProviders: readonly CapacityProviderStrategyItem[], play: Play = {}): Promise<Ended> =>
  stage.deploy({
    ...play,
    target: { settings: { forceNewDeployment: false, circuitBreaker: 'keep', alarms: [], capacityProviders } },
  })

/** What the service's tasks are placed by. */
const placedBy = (): unknown => {
  const { launchType, capacityProviderStrategy } = stage.service()
  return capacityProviderStrategy ?? launchType
}

test('they come with a release, or alone; the same ones again, in any order, and none at all change nothing', async () => {
  stage = await setStage()
  stage.push('2')
  expect(await deploy(SPOT, { tag: '2' })).toMatchObject({ result: 'deployed' })
  expect(placedBy()).toEqual(SPOT)
  expect((await deploy(SPOT.toReversed())).result).toBe('unchanged')
  expect((await deploy([])).result).toBe('unchanged')
  const spot = { capacityProvider: 'FARGATE_SPOT', weight: 3, base: 0 }
  const alone = await deploy([spot])
  expect(alone.result).toBe('deployed')
  expect(alone.log).toContain(
    'change service/web: capacity providers: FARGATE weight 1 base 1, FARGATE_SPOT weight 3 -> FARGATE_SPOT weight 3',
  )
  expect(placedBy()).toEqual([spot])
})

test.each<[name: string, code: number, check: Checked['result']]>([
  ["by ECS's rollback", 3, 'passed'],
  ['by a new deployment', 0, 'failed'],
])('they go back with the release, %s', async (_, code, result) => {
  stage = await setStage({ scenario: code === 0 ? {} : { images: { 'web:2': { exit: { code, after: 2 } } } } })
  stage.push('2')
  const check = async (live: 'new' | 'restored'): Promise<Checked> => ({
    result: live === 'new' ? result : 'passed',
    ...{ reason: '', message: 'It answered.', summary: '' },
  })
  const ended = await deploy(SPOT, { tag: '2', options: { check } })
  expect(ended.result).toBe('rolled-back')
  await stage.aws.advance(120)
  expect(placedBy()).toBe('FARGATE')
  expect(stage.service().deployments).toHaveLength(1)
})
