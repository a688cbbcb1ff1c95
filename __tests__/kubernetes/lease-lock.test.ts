import { beforeEach, describe, expect, test } from '@jest/globals'
import { lockHolder } from '../../src/deploy/lock-holder.ts'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import { LeaseLock } from '../../src/kubernetes/lease-lock.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'

let clock: ManualClock
let cluster: MemoryCluster
const never = new AbortController().signal

beforeEach(() => {
  clock = new ManualClock()
  cluster = new MemoryCluster(clock)
})

const lockOf = (holder: string): LeaseLock => new LeaseLock({ api: cluster, namespace: 'shop', app: 'web', holder, clock })
const holder = (): string | undefined => spec()?.['holderIdentity'] as string | undefined
const spec = (): Record<string, unknown> | undefined =>
  cluster.get('Lease', 'web.deploy')?.['spec'] as Record<string, unknown> | undefined
const renewedAt = (): number => Date.parse(String(spec()?.['renewTime']))
const lease = (holderIdentity: string, ageMs: number): KubernetesObject =>
  object('Lease', 'web.deploy', {
    spec: { holderIdentity, leaseDurationSeconds: 60, renewTime: new Date(clock.now() - ageMs).toISOString() },
  })

describe('taking the lock', () => {
  test.each<[what: string, there: (() => KubernetesObject) | undefined, says: RegExp | undefined]>([
    ['it is free', undefined, undefined],
    ['it is ours already, as in the post step', () => lease('run 1', 1_000), undefined],
    [
      'its holder is alive',
      () => lease('run 2', 59_000),
      /^Another deployment of this app is under way: run 2\. Nothing was changed\./,
    ],
    ['its holder has not been heard of for a minute', () => lease('run 2', 61_000), undefined],
    ['nobody holds it', () => lease('', 0), undefined],
    ['a holder without a sign of life', () => object('Lease', 'web.deploy', { spec: { holderIdentity: 'run 2' } }), undefined],
  ])('%s', async (_, there, says) => {
    if (there !== undefined) cluster.put(there())
    const taken = lockOf('run 1').acquire(0, never)
    if (says === undefined) {
      await taken
      expect(holder()).toBe('run 1')
    } else await expect(taken).rejects.toMatchObject({ reason: 'Locked', message: expect.stringMatching(says) })
  })

  test.each<[what: string, theirs: string, ours: string, taken: boolean]>([
    [
      'an earlier attempt of this run is over',
      'https://h/o/r/actions/runs/7 (1, deploy, x)',
      'https://h/o/r/actions/runs/7 (2, deploy, x)',
      true,
    ],
    [
      'the same attempt may be another job',
      'https://h/o/r/actions/runs/7 (2, other, x)',
      'https://h/o/r/actions/runs/7 (2, deploy, x)',
      false,
    ],
    [
      'a later attempt is alive',
      'https://h/o/r/actions/runs/7 (3, deploy, x)',
      'https://h/o/r/actions/runs/7 (2, deploy, x)',
      false,
    ],
    ['another run is alive', 'https://h/o/r/actions/runs/6 (1, deploy, x)', 'https://h/o/r/actions/runs/7 (2, deploy, x)', false],
    ['a person has no attempts', 'jo at home, process 1', 'https://h/o/r/actions/runs/7 (2, deploy, x)', false],
  ])('%s', async (_, theirs, ours, taken) => {
    cluster.put(lease(theirs, 1_000))
    await lockOf(ours)
      .acquire(0, never)
      .catch(() => undefined)
    expect(holder()).toBe(taken ? ours : theirs)
  })

  test('what a killed process of this step has left is known and given back; another’s is not', async () => {
    cluster.put(lease('run 1', 1_000))
    expect([await lockOf('run 1').isOurs(), await lockOf('run 2').isOurs()]).toEqual([true, false])
    await lockOf('run 2').releaseLeftBehind()
    expect(holder()).toBe('run 1')
    await lockOf('run 1').releaseLeftBehind()
    expect(holder()).toBeUndefined()
    expect(await lockOf('run 1').isOurs()).toBe(false)
  })

  test('of two at once one has it', async () => {
    const both = await Promise.allSettled([lockOf('run 1').acquire(0, never), lockOf('run 2').acquire(0, never)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('it is waited for as long as was asked', async () => {
    cluster.put(lease('run 2', 0))
    const first = lockOf('run 1')
    const taken = first.acquire(120_000, never)
    await clock.advance(59_000)
    expect(holder()).toBe('run 2')
    await clock.advance(3_000)
    await taken
    expect(holder()).toBe('run 1')
    await first.release()
  })

  test('a cancel ends the waiting at once', async () => {
    cluster.put(lease('run 2', 0))
    const cancel = new AbortController()
    const taken = lockOf('run 1').acquire(120_000, cancel.signal)
    await settle()
    cancel.abort()
    await expect(taken).rejects.toMatchObject({ reason: 'Cancelled' })
    expect(clock.pending).toBe(0)
  })

  test('an answer that was lost on the way leaves no lock that nobody has', async () => {
    let lost = false
    cluster.after(({ method }) => {
      if (method !== 'POST' || lost) return
      lost = true
      throw new ApiFailure(0, 'Unreachable', 'socket hang up', { transient: true, mayHaveHappened: true })
    })
    await lockOf('run 1').acquire(0, never)
    expect(holder()).toBe('run 1')
  })

  test('what is refused is said', async () => {
    cluster.before(({ method }) => {
      if (method === 'POST') throw new ApiFailure(403, 'Forbidden', 'leases is forbidden')
    })
    await expect(lockOf('run 1').acquire(0, never)).rejects.toMatchObject({
      reason: 'Forbidden',
      message: expect.stringMatching(/^Taking the lock \(lease web\.deploy\) failed/),
    })
  })
})

describe('holding the lock', () => {
  test('it is renewed every 15 s, and free when it is given back', async () => {
    const lock = lockOf('run 1')
    await lock.acquire(0, never)
    await clock.advance(100_000)
    expect(clock.now() - renewedAt()).toBeLessThanOrEqual(15_000)
    await lock.assertHeld()
    await lock.release()
    expect(cluster.get('Lease', 'web.deploy')).toBeUndefined()
    expect(clock.pending).toBe(0)
  })

  test.each<[what: string, happens: () => void, says: RegExp]>([
    [
      'somebody else took it over',
      () => void cluster.put(lease('run 2', 0)),
      /lock was lost.*run 2 holds it now.*nothing more was changed/,
    ],
    ['somebody removed it', () => void cluster.remove(lease('', 0)), /lock was lost.*somebody removed it/],
  ])('%s: from then on nothing is changed any more, and the other one keeps it', async (_, happens, says) => {
    const lock = lockOf('run 1')
    await lock.acquire(0, never)
    await lock.assertHeld()
    happens()
    const there = cluster.get('Lease', 'web.deploy')
    await clock.advance(15_000)
    expect(lock.lost.aborted).toBe(true)
    await expect(lock.assertHeld()).rejects.toMatchObject({ reason: 'Locked', message: expect.stringMatching(says) })
    await lock.release()
    expect(cluster.get('Lease', 'web.deploy')).toEqual(there)
    expect(clock.pending).toBe(0)
  })

  test('a write of somebody else to the same lease is no loss', async () => {
    const lock = lockOf('run 1')
    await lock.acquire(0, never)
    let touched = false
    cluster.before(({ method }) => {
      const live = cluster.get('Lease', 'web.deploy')
      if (method !== 'PUT' || touched || live === undefined) return
      touched = true
      cluster.put({ ...live, metadata: { ...live.metadata, labels: { seen: 'yes' } } })
    })
    await clock.advance(15_000)
    expect(lock.lost.aborted).toBe(false)
    expect(renewedAt()).toBe(clock.now())
  })

  test('after a time without contact it is renewed before the next change, or that is not made', async () => {
    const lock = lockOf('run 1')
    await lock.acquire(0, never)
    cluster.before(() => {
      throw new ApiFailure(0, 'Unreachable', 'connection refused', { transient: true })
    })
    await clock.advance(70_000)
    await expect(lock.assertHeld()).rejects.toMatchObject({ reason: 'Unreachable' })
    cluster.before(() => undefined)
    await lock.assertHeld()
    expect(renewedAt()).toBe(clock.now())
  })

  test('who may not renew it goes on as long as nobody else has it', async () => {
    const lock = lockOf('run 1')
    await lock.acquire(0, never)
    cluster.before(({ method }) => {
      if (method === 'PUT') throw new ApiFailure(403, 'Forbidden', 'leases is forbidden')
    })
    await clock.advance(70_000)
    await lock.assertHeld()
    cluster.put(lease('run 2', 0))
    await expect(lock.assertHeld()).rejects.toMatchObject({ reason: 'Locked' })
  })

  test('who never took it may go on: a dry run has none', async () => {
    const lock = lockOf('run 1')
    await lock.assertHeld()
    await lock.release()
    expect(cluster.calls).toEqual([])
  })
})

describe('who holds it', () => {
  const env = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'acme/shop', GITHUB_RUN_ID: '7' }
  test.each<[env: NodeJS.ProcessEnv, holder: RegExp]>([
    [
      { ...env, GITHUB_RUN_ATTEMPT: '2', GITHUB_JOB: 'deploy', GITHUB_ACTION: 'web' },
      /^https:\/\/github\.com\/acme\/shop\/actions\/runs\/7 \(2, deploy, web\)$/,
    ],
    [{ USER: 'ada' }, /^ada at \S+, process \d+$/],
  ])('%j', (given, expected) => {
    expect(lockHolder(given)).toMatch(expected)
  })
})
