import { describe, expect, test } from '@jest/globals'
import { type Followed, type FollowOptions, follow } from '../../src/deploy/follow.ts'
import { ManualClock, settle } from './manual-clock.ts'
import { failed, healthy, progressing, ScriptedRelease, type Turn } from './scripted-release.ts'

interface Run {
  readonly result: Followed
  readonly lines: readonly string[]
  readonly release: ScriptedRelease
  readonly clock: ManualClock
}

/** Runs the loop to its end, or until `cancelAt`. */
async function run(
  turns: readonly Turn[],
  given: Partial<FollowOptions> & { cancelAt?: number; skew?: number; waitsMs?: number } = {},
): Promise<Run> {
  const clock = new ManualClock()
  const cancel = new AbortController()
  const lines: string[] = []
  const release = new ScriptedRelease(clock, turns, given.skew, given.waitsMs)
  let result: Followed | undefined
  if (given.cancelAt !== undefined) clock.after(given.cancelAt, () => cancel.abort())
  const options = {
    timeoutMs: 60_000,
    stableForMs: 10_000,
    clock,
    signal: cancel.signal,
    print: (line: string) => lines.push(line),
    ...given,
  }
  void follow(release, options).then(end => {
    result = end
  })
  await settle()
  while (result === undefined && (await clock.next()));
  if (result === undefined) throw new Error('it never ended')
  return { result, lines, release, clock }
}

describe('how following ends', () => {
  const START = Date.UTC(2026, 0, 1)
  test.each<[what: string, turns: readonly Turn[], end: Followed['end'], seconds: number, given?: Parameters<typeof run>[1]]>([
    ['healthy all along: after stable-for', [{ at: 0, is: [healthy()] }], 'healthy', 10],
    [
      'healthy later',
      [
        { at: 0, is: [progressing()] },
        { at: 3_000, is: [healthy()] },
      ],
      'healthy',
      13,
    ],
    [
      'no stability wanted',
      [
        { at: 0, is: [progressing()] },
        { at: 3_000, is: [healthy()] },
      ],
      'healthy',
      3,
      { stableForMs: 0 },
    ],
    [
      'a restart: stable-for starts over',
      [
        { at: 0, is: [healthy()] },
        { at: 6_000, is: [healthy({ disturbances: 'a:1,b:0' })] },
      ],
      'healthy',
      16,
    ],
    [
      'a pod replaced: stable-for starts over',
      [
        { at: 0, is: [healthy()] },
        { at: 9_999, is: [healthy({ disturbances: 'a:0,c:0' })] },
      ],
      'healthy',
      19.999,
    ],
    [
      'a lost Ready: stable-for starts over',
      [
        { at: 0, is: [healthy()] },
        { at: 4_000, is: [progressing()] },
        { at: 5_000, is: [healthy()] },
      ],
      'healthy',
      15,
    ],
    [
      'a change that changes nothing: it does not',
      [
        { at: 0, is: [healthy()] },
        { at: 6_000, is: [healthy()] },
      ],
      'healthy',
      10,
    ],
    [
      'one of two workloads late',
      [
        { at: 0, is: [healthy(), progressing()] },
        { at: 7_000, is: [healthy(), healthy()] },
      ],
      'healthy',
      17,
    ],
    ['no workloads', [{ at: 0, is: [] }], 'healthy', 10],
    [
      'failed',
      [
        { at: 0, is: [progressing()] },
        { at: 2_000, is: [failed()] },
      ],
      'failed',
      2,
    ],
    [
      'failed while it was stable',
      [
        { at: 0, is: [healthy()] },
        { at: 9_000, is: [failed()] },
      ],
      'failed',
      9,
    ],
    ['failed at the first look', [{ at: 0, is: [failed()] }], 'failed', 0],
    [
      'one of two failed',
      [
        { at: 0, is: [healthy(), progressing()] },
        { at: 1_000, is: [healthy(), failed()] },
      ],
      'failed',
      1,
    ],
    [
      'a grace runs out, and nobody tells',
      [
        { at: 0, is: [progressing({ recheckAt: START + 4_321 })] },
        { at: 4_321, is: [failed()], silent: true },
      ],
      'failed',
      4.321,
    ],
    [
      'the same by a platform whose clock is 90 s ahead',
      [
        { at: 0, is: [progressing({ recheckAt: START + 94_321 })] },
        { at: 4_321, is: [failed()], silent: true },
      ],
      'failed',
      4.321,
      { skew: 90_000 },
    ],
    [
      'a grace runs out while it is stable otherwise',
      [
        { at: 0, is: [healthy({ recheckAt: START + 5_000 })] },
        { at: 5_000, is: [failed()], silent: true },
      ],
      'failed',
      5,
    ],
    ['the time is over', [{ at: 0, is: [progressing()] }], 'timeout', 60],
    [
      'healthy, but not stable in time',
      [
        { at: 0, is: [progressing()] },
        { at: 55_000, is: [healthy()] },
      ],
      'timeout',
      60,
    ],
    [
      'stable at the very deadline',
      [
        { at: 0, is: [progressing()] },
        { at: 50_000, is: [healthy()] },
      ],
      'healthy',
      60,
    ],
    [
      'failed at the very deadline',
      [
        { at: 0, is: [progressing()] },
        { at: 60_000, is: [failed()], silent: true },
      ],
      'failed',
      60,
    ],
    [
      'what the platform was told to wait counts besides',
      [
        { at: 0, is: [progressing()] },
        { at: 100_000, is: [healthy()] },
      ],
      'healthy',
      110,
      { waitsMs: 50_000 },
    ],
    ['but no more than that', [{ at: 0, is: [progressing()] }], 'timeout', 110, { waitsMs: 50_000 }],
    ['cancelled', [{ at: 0, is: [progressing()] }], 'cancelled', 2.5, { cancelAt: 2_500 }],
    ['cancelled while it was stable', [{ at: 0, is: [healthy()] }], 'cancelled', 2.5, { cancelAt: 2_500 }],
    ['cancelled before it began', [{ at: 0, is: [healthy()] }], 'cancelled', 0, { signal: AbortSignal.abort() }],
    ['proof is waited for beyond stability', [{ at: 0, is: [healthy({ provenAt: START + 12_500 })] }], 'healthy', 12.5],
    ['but no longer than half of it again', [{ at: 0, is: [healthy({ provenAt: START + 50_000 })] }], 'healthy', 15],
    [
      'nor where no stability is wanted',
      [{ at: 0, is: [healthy({ provenAt: START + 50_000 })] }],
      'healthy',
      0,
      { stableForMs: 0 },
    ],
    ['proof that comes meanwhile costs nothing', [{ at: 0, is: [healthy({ provenAt: START + 9_000 })] }], 'healthy', 10],
  ])('%s', async (...row) => {
    const [, turns, end, seconds, given] = row
    const { result, release, clock } = await run(turns, given)
    expect({ end: result.end, seconds: result.elapsedMs / 1_000 }).toEqual({ end, seconds })
    expect(clock.pending - (given?.cancelAt === undefined || end === 'cancelled' ? 0 : 1)).toBe(0)
    expect(release.listeners).toBe(0)
  })

  test('a verdict that names a time gone by is no busy loop', async () => {
    const { result, release } = await run([{ at: 0, is: [progressing({ recheckAt: START - 1 })] }], { timeoutMs: 50 })
    expect(result.end).toBe('timeout')
    expect(release.judged).toBeLessThan(60)
  })

  test.each([
    ['at the first look', 0],
    ['later, from a timer', 2_000],
  ])('an observation that throws %s ends it with that error', async (_, at) => {
    const clock = new ManualClock()
    const release = new ScriptedRelease(clock, [
      { at: 0, is: [progressing()] },
      { at: 2_000, is: [progressing()] },
    ])
    const judge = release.judge.bind(release)
    const begun = clock.now()
    release.judge = () => {
      if (clock.now() - begun >= at) throw new TypeError('no such field')
      return judge()
    }
    const following = follow(release, {
      timeoutMs: 60_000,
      stableForMs: 0,
      clock,
      signal: new AbortController().signal,
      print: () => undefined,
    })
    const ended = expect(following).rejects.toThrow('no such field')
    await clock.advance(3_000)
    await ended
    expect(clock.pending).toBe(0)
  })
})

describe('what following prints', () => {
  test('each workload when it changes, and nothing twice', async () => {
    const { lines } = await run([
      { at: 0, is: [progressing({ message: 'deployment/web: 0 of 2 pods are of the new revision' })] },
      { at: 500, is: [progressing({ message: 'deployment/web: 0 of 2 pods are of the new revision' })] },
      { at: 1_000, is: [progressing({ ready: 1, message: 'pod web-1: containers are being created' })] },
      { at: 2_000, is: [healthy()] },
    ])
    expect(lines).toEqual([
      '+0.0 s   deployment/web: 0/2 ready, 0 of 2 pods are of the new revision',
      '+1.0 s   deployment/web: 1/2 ready, pod web-1: containers are being created',
      '+2.0 s   deployment/web: 2/2 ready',
    ])
  })

  test('a sign of life each 30 s in which there was nothing else to say', async () => {
    const { lines } = await run(
      [
        { at: 0, is: [progressing()] },
        { at: 20_000, is: [progressing({ ready: 1 })] },
      ],
      { timeoutMs: 120_000 },
    )
    expect(lines.slice(1)).toEqual([
      '+20 s    deployment/web: 1/2 ready, pods are starting',
      '+50 s    still waiting for deployment/web; 1 m 10 s left',
      '+1 m 20 s still waiting for deployment/web; 40 s left',
      '+1 m 50 s still waiting for deployment/web; 10 s left',
    ])
  })

  test('who is waited for: three by name, the others by number, or stability', async () => {
    const five = ['a', 'b', 'c', 'd', 'e'].map(name => progressing({ workload: `deployment/${name}` }))
    const { lines } = await run(
      [
        { at: 0, is: five },
        { at: 31_000, is: five.map(one => ({ ...one, phase: 'healthy' as const })) },
      ],
      {
        timeoutMs: 100_000,
        stableForMs: 40_000,
      },
    )
    const waiting = lines.filter(line => line.includes('waiting'))
    expect(waiting[0]).toContain('for deployment/a, deployment/b, deployment/c and 2 more;')
    expect(waiting[1]).toContain('for stability;')
  })

  test('why the wait starts over', async () => {
    const { lines } = await run([
      { at: 0, is: [healthy()] },
      { at: 1_000, is: [healthy({ disturbances: 'a:1' })] },
      { at: 2_000, is: [progressing()] },
      { at: 3_000, is: [healthy()] },
    ])
    expect(lines.filter(line => line.includes('starts over'))).toEqual([
      'A restart or a new pod: the wait for stability starts over',
      'No longer healthy: the wait for stability starts over',
    ])
  })
})

test('the timeline has one entry for each stretch of one state', async () => {
  const { result } = await run([
    { at: 0, is: [progressing()] },
    { at: 1_000, is: [progressing({ reason: 'ErrImagePull' })] },
    { at: 2_000, is: [progressing({ reason: 'ErrImagePull', ready: 1 })] },
    { at: 4_000, is: [healthy()] },
  ])
  expect(result.timeline).toEqual([
    { workload: 'deployment/web', state: 'progressing', from: 0, to: 1_000 },
    { workload: 'deployment/web', state: 'ErrImagePull', from: 1_000, to: 4_000 },
    { workload: 'deployment/web', state: 'healthy', from: 4_000, to: 14_000 },
  ])
})
