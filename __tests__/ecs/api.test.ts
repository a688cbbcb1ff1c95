import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Aws, startAws } from '../../sandbox/aws/aws.ts'
import { drive } from '../../sandbox/aws/drive.ts'
import type { Fault } from '../../sandbox/aws/scenario.ts'
import { AwsApi } from '../../src/ecs/api.ts'
import { ManualClock } from '../deploy/manual-clock.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let aws: Aws
let clock: ManualClock
const told: string[] = []
beforeEach(async () => {
  clock = new ManualClock()
  aws = await startAws({ clock })
  told.length = 0
})
afterEach(() => aws.close())

async function ask(
  fault: Partial<Fault> & { error: string },
  signal = new AbortController().signal,
): Promise<{ answer?: unknown; error?: { reason: string; message: string }; seconds: number; calls: number }> {
  aws.scenario({ faults: [{ action: '*', ...fault }] })
  const api = new AwsApi({ region: '', clock, signal, settings: aws.client, onTrouble: sentence => told.push(sentence) })
  const before = clock.now()
  const result = await drive(
    clock,
    api.call('ecs', 'ListClusters', {}).then(
      answer => ({ answer }),
      (error: { reason: string; message: string }) => ({ error }),
    ),
  )
  api.close()
  return { ...result, seconds: (clock.now() - before) / 1_000, calls: api.calls }
}

describe('is asked again', () => {
  test.each<[string, Partial<Fault> & { error: string }]>([
    ['while throttled', { error: 'ThrottlingException', times: 4 }],
    [
      'while others register revisions of the same family',
      {
        error: 'ClientException',
        message: 'Too many concurrent attempts to create a new revision of the specified family.',
        times: 3,
      },
    ],
    ['while the service is out of order', { error: 'ServerException', status: 500, times: 3 }],
    ['while the connection is cut', { error: 'connection', until: 20 }],
    ['when nothing is heard of it', { error: 'hang', times: 2 }],
  ])('%s', async (_, fault) => {
    const { answer, calls } = await ask(fault)
    expect(answer).toMatchObject({ clusterArns: [] })
    expect(calls).toBeGreaterThan(2)
    expect(told.length).toBe(/Throttling|Client/.test(fault.error) ? 0 : 2)
  })
})

describe('is given up', () => {
  test.each<[string, Partial<Fault> & { error: string }, string, RegExp, number]>([
    [
      'throttled for too long',
      { error: 'ThrottlingException' },
      'Unreachable',
      /^Amazon ECS in eu-west-1 throttled ecs:ListClusters for 45 s/,
      45,
    ],
    [
      'out of reach for too long',
      { error: 'connection' },
      'Unreachable',
      /^Amazon ECS in eu-west-1 did not answer ecs:ListClusters/,
      45,
    ],
    [
      'silent for too long',
      { error: 'hang' },
      'Unreachable',
      /^Amazon ECS in eu-west-1 did not answer ecs:ListClusters \(no answer within 15 s\)\.$/,
      50,
    ],
    [
      'without the right',
      { error: 'AccessDeniedException' },
      'Forbidden',
      /^The role may not call ecs:ListClusters: it needs the permission ecs:ListClusters\./,
      0,
    ],
    [
      'with credentials that have expired',
      { error: 'ExpiredTokenException' },
      'Unauthorized',
      /the AWS credentials have expired; give the session more time/,
      0,
    ],
    [
      'with credentials that are wrong',
      { error: 'UnrecognizedClientException' },
      'Unauthorized',
      /the AWS credentials are not valid here/,
      0,
    ],
    [
      'for a quota that is used up',
      { error: 'LimitExceededException', message: 'The limit for the resource was exceeded.' },
      'LimitExceededException',
      /^Amazon ECS in eu-west-1 refused ecs:ListClusters \(LimitExceededException: The limit for the resource was exceeded\)\.$/,
      0,
    ],
    [
      'for what the service calls wrong',
      { error: 'InvalidParameterException', message: 'No.' },
      'InvalidParameterException',
      /^Amazon ECS in eu-west-1 refused ecs:ListClusters \(InvalidParameterException: No\)\.$/,
      0,
    ],
  ])('%s', async (_, fault, reason, message, seconds) => {
    const asked = await ask(fault)
    expect(asked.error).toMatchObject({ reason, message: expect.stringMatching(message) })
    expect(asked.seconds).toBeLessThanOrEqual(seconds)
  })
  test('when it is closed', async () => {
    aws.scenario({ faults: [{ action: '*', error: 'hang' }] })
    const api = new AwsApi({ region: '', clock, signal: new AbortController().signal, settings: aws.client })
    clock.after(2_000, () => api.close())
    const before = clock.now()
    await expect(drive(clock, api.call('ecs', 'ListClusters', {}))).rejects.toMatchObject({ reason: 'Unreachable' })
    expect(clock.now() - before).toBe(2_000)
  })
  test('at once when the end is near', async () => {
    const end = new AbortController()
    end.abort()
    expect(await ask({ error: 'ThrottlingException' }, end.signal)).toMatchObject({ error: { reason: 'Unreachable' }, calls: 1 })
  })
})
