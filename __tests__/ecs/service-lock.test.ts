import type { Service } from '@aws-sdk/client-ecs'
import { expect, test } from '@jest/globals'
import type { AwsApi } from '../../src/ecs/api.ts'
import { ServiceLock } from '../../src/ecs/service-lock.ts'
import { LOCK_TAG, lockNote, lockValue } from '../../src/ecs/tags.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { ManualClock } from '../deploy/manual-clock.ts'

const ARN = 'arn:aws:ecs:eu-west-1:123456789012:service/app/web'

/** A service with its tag, and AWS out of reach between two seconds of the clock. */
function stage(from: number, to: number) {
  const clock = new ManualClock()
  const beganAt = clock.now()
  const seconds = (): number => (clock.now() - beganAt) / 1_000
  const reach = (): void => {
    if (seconds() >= from && seconds() < to) throw new ExpectedFailure('Unreachable', 'Amazon ECS did not answer.')
  }
  let tags: Service['tags'] = []
  const service = (): Service => ({ serviceName: 'web', serviceArn: ARN, tags: tags ?? [] })
  const api = {
    call: async (_: string, operation: string, input: { tags?: Service['tags'] }) => {
      reach()
      tags = operation === 'TagResource' ? input.tags : []
    },
  }
  const describe = async (): Promise<readonly Service[]> => {
    reach()
    return [service()]
  }
  const lock = new ServiceLock({ api: api as unknown as AwsApi, clock, holder: 'ours', describe })
  const take = (holder: string): void => {
    tags = [{ key: LOCK_TAG, value: lockValue({ until: clock.now() + 90_000, holder }) }]
  }
  const heldFor = (): number => ((lockNote(service())?.until ?? clock.now()) - clock.now()) / 1_000
  return { clock, lock, take, heldFor, holder: () => lockNote(service())?.holder }
}

test.each<[string, number, number]>([
  ['at no time', 0, 0],
  ['at one renewal', 29, 31],
  ['for longer than the lock lasts', 29, 200],
])('is renewed until it is given back, though AWS is away %s', async (_, from, to) => {
  const { clock, lock, heldFor, holder } = stage(from, to)
  await lock.acquire(0, new AbortController().signal)
  await clock.advance(300_000)
  expect([holder(), lock.lost.aborted]).toEqual(['ours', false])
  expect(heldFor()).toBeGreaterThan(55)
  await lock.release()
  await clock.advance(300_000)
  expect(holder()).toBeUndefined()
})

test('that ran out while AWS was away is left to who has taken it meanwhile', async () => {
  const { clock, lock, take, holder } = stage(29, 130)
  await lock.acquire(0, new AbortController().signal)
  await clock.advance(120_000)
  take('theirs')
  await clock.advance(60_000)
  expect([holder(), lock.lost.reason]).toEqual(['theirs', expect.objectContaining({ reason: 'Locked' })])
  await lock.release()
  expect(holder()).toBe('theirs')
})
