import { describe, expect, test } from '@jest/globals'
import type { Checked } from '../../src/deploy/check.ts'
import { type DeployOptions, type DeployReport, deploy, putBack } from '../../src/deploy/engine.ts'
import type { Observation } from '../../src/deploy/follow.ts'
import type { Culprit, Plan, Platform } from '../../src/deploy/platform.ts'
import type { Pause } from '../../src/deploy/verdict.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock, settle } from './manual-clock.ts'
import { failed, healthy, progressing, ScriptedRelease, type Turn } from './scripted-release.ts'

const PLAN: Plan = {
  changes: [{ object: 'deployment/web', action: 'change', details: ['image app: web:1 -> web:2'] }],
  previousRelease: 'k8s://shop/web/7',
  somethingToGoBackTo: true,
  takesUpUnfinished: false,
  diff: '',
}
const CULPRIT: Culprit = {
  workload: 'deployment/web',
  where: 'pod/web-1 container app',
  reason: 'CrashLoopBackOff',
  message: 'exit code 1',
  facts: [['state', 'CrashLoopBackOff']],
  events: ['BackOff'],
  logs: [{ title: 'log', lines: ['starting', 'no database'] }],
  commands: ['kubectl logs web-1'],
}

interface World {
  readonly plan?: Partial<Plan>
  /** What each method throws. */
  readonly throws?: Partial<Record<keyof Platform, Error>>
  /** How the new release goes, and the restored one. */
  readonly goes?: readonly Turn[]
  readonly thenGoes?: readonly Turn[]
  /** What the platform is told to wait with the new release, and with the restored one, in ms. */
  readonly waits?: readonly [number, number]
  readonly options?: Partial<DeployOptions>
  /** What `finish` says, where the platform has one: whether it changed what is live. */
  readonly finishes?: boolean
  /** The call at whose beginning the user cancels, or ms after the first look. */
  readonly cancelAt?: keyof Platform | number
  /** The same for the end that is near. */
  readonly endingAt?: keyof Platform
}

const GOOD: readonly Turn[] = [
  { at: 0, is: [progressing()] },
  { at: 2_000, is: [healthy()] },
]
const BAD: readonly Turn[] = [
  { at: 0, is: [progressing()] },
  { at: 3_000, is: [failed()] },
]
const LATE: readonly Turn[] = [
  { at: 0, is: [progressing()] },
  { at: 90_000, is: [healthy()] },
]
const NEVER: readonly Turn[] = [{ at: 0, is: [progressing()] }]

class FakePlatform implements Platform {
  readonly calls: string[] = []
  readonly observations: ScriptedRelease[] = []
  readonly #world: World
  readonly #clock: ManualClock
  readonly cancel = new AbortController()
  readonly end = new AbortController()

  finish?: () => Promise<boolean>

  constructor(world: World, clock: ManualClock) {
    this.#world = world
    this.#clock = clock
    const { finishes } = world
    if (finishes !== undefined)
      this.finish = async () => {
        await this.#call('finish')
        return finishes
      }
  }

  async #call(name: keyof Platform, told: string = name): Promise<void> {
    this.calls.push(told)
    if (this.#world.cancelAt === name) this.cancel.abort()
    if (this.#world.endingAt === name) this.end.abort()
    const error = this.#world.throws?.[name]
    if (error !== undefined) throw error
  }

  lock = (): Promise<void> => this.#call('lock')
  apply = (): Promise<void> => this.#call('apply')
  unlock = (): Promise<void> => this.#call('unlock')
  record = (status: string, message: string): Promise<void> => {
    expect(message).not.toBe('')
    return this.#call('record', `record ${status}`)
  }

  async plan(): Promise<Plan> {
    await this.#call('plan')
    return { ...PLAN, ...this.#world.plan }
  }

  async remember(): Promise<string> {
    await this.#call('remember')
    return 'k8s://shop/web/8'
  }

  async observe(): Promise<Observation> {
    await this.#call('observe')
    const { goes = GOOD, thenGoes = GOOD, waits = [0, 0], cancelAt } = this.#world
    const first = this.observations.length === 0
    if (first && typeof cancelAt === 'number') this.#clock.after(cancelAt, () => this.cancel.abort())
    const forward = first && !this.calls.includes('restore')
    const observation = new ScriptedRelease(this.#clock, forward ? goes : thenGoes, 0, forward ? waits[0] : waits[1])
    this.observations.push(observation)
    return observation
  }

  async diagnose(): Promise<readonly Culprit[]> {
    await this.#call('diagnose')
    return [CULPRIT]
  }

  goOn = ({ id }: Pause): Promise<void> => this.#call('goOn', `goOn ${id}`)

  async prove(): Promise<{ digests: Record<string, Record<string, string>>; revision: string }> {
    await this.#call('prove')
    return { digests: { 'deployment/web': { app: 'sha256:1' } }, revision: '2' }
  }

  async restore(): Promise<readonly string[]> {
    await this.#call('restore')
    return ['deployment/web']
  }
}

interface Outcome {
  readonly report: DeployReport | undefined
  readonly error: unknown
  readonly platform: FakePlatform
  readonly log: string
  readonly remembered: readonly string[]
}

async function run(world: World, act: typeof deploy = deploy): Promise<Outcome> {
  const clock = new ManualClock()
  const platform = new FakePlatform(world, clock)
  const printed: string[] = []
  const remembered: string[] = []
  let report: DeployReport | undefined
  let error: unknown
  let ended = false
  act(platform, {
    timeoutMs: 60_000,
    stableForMs: 10_000,
    onFailure: 'rollback',
    firstDeploy: 'allow',
    dryRun: false,
    clock,
    log: createLog(text => printed.push(text)),
    cancelled: platform.cancel.signal,
    ending: platform.end.signal,
    onRemembered: release => remembered.push(release),
    ...world.options,
  })
    .then(
      value => {
        report = value
      },
      (thrown: unknown) => {
        error = thrown
      },
    )
    .finally(() => {
      ended = true
    })
  await settle()
  while (!ended && (await clock.next()));
  if (!ended) throw new Error(`it never ended; calls: ${platform.calls.join(' ')}`)
  for (const observation of platform.observations) expect(observation).toMatchObject({ closed: true, listeners: 0 })
  return { report, error, platform, log: printed.join(''), remembered }
}

const unreachable = new ExpectedFailure('Unreachable', 'The API server does not answer.')
const CHANGE = 'lock plan remember apply observe'
const FIRST = { previousRelease: '', somethingToGoBackTo: false }
const SAME = { changes: [{ object: 'deployment/web', action: 'none', details: [] }] } as const

describe('how a deployment ends', () => {
  test.each<[what: string, world: World, calls: string, result: DeployReport['result'], reason: string, says: readonly string[]]>(
    [
      [
        'it becomes healthy',
        {},
        `${CHANGE} prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s', 'deployment/web 2/2 ready'],
      ],
      [
        'it becomes healthy after the timeout, for the platform was told to wait',
        { goes: LATE, waits: [50_000, 0] },
        `${CHANGE} prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s', 'deployment/web 2/2 ready'],
      ],
      [
        'it does not within the timeout and what was to be waited for; nor at once what was put back, for the same reason',
        { goes: NEVER, thenGoes: LATE, waits: [50_000, 50_000] },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'Timeout',
        ['The timeout of 1 m besides the 50 s that were to be waited for is over', 'was put back and is healthy'],
      ],
      [
        'the platform itself has waited',
        { options: { stableForMs: 0 } },
        `${CHANGE} prove record deployed unlock`,
        'deployed',
        '',
        ['Deployed: deployment/web 2/2 ready'],
      ],
      ['a first deploy', { plan: FIRST }, `${CHANGE} prove record deployed unlock`, 'deployed', '', ['stable for 10 s']],
      [
        'it crashes',
        { goes: BAD },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'CrashLoopBackOff',
        ['exit code 1 (3 times).', 'Its log ends with "no database".', 'k8s://shop/web/7 was put back and is healthy.'],
      ],
      [
        'what was live before has no record',
        { goes: BAD, plan: { previousRelease: '' } },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'CrashLoopBackOff',
        ['what was live before was put back and is healthy.'],
      ],
      [
        'it never becomes healthy',
        { goes: NEVER },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'Timeout',
        ['The timeout of 1 m is over: pods are starting.'],
      ],
      [
        'it is healthy too late to be stable',
        {
          goes: [
            { at: 0, is: [progressing()] },
            { at: 55_000, is: [healthy()] },
          ],
        },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'Timeout',
        ['ready, but not yet stable for long enough.'],
      ],
      [
        'a cause that the time runs out on is named',
        { goes: [{ at: 0, is: [progressing({ reason: 'Unschedulable', message: 'no node can take the pod.' })] }] },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'Unschedulable',
        ['is over: no node can take the pod. '],
      ],
      [
        'the apply breaks off in the middle',
        { throws: { apply: new ExpectedFailure('Forbidden', 'You may not change services') } },
        'lock plan remember apply restore observe record rolled-back unlock',
        'rolled-back',
        'Forbidden',
        ['You may not change services. k8s://shop/web/7 was put back'],
      ],
      [
        'a bug in the middle',
        { throws: { apply: new TypeError('x is undefined') } },
        'lock plan remember apply restore observe record rolled-back unlock',
        'rolled-back',
        'InternalError',
        ['a bug in deploy-actions', 'x is undefined.', 'was put back and is healthy'],
      ],
      [
        'what runs is not what was deployed',
        { throws: { prove: new ExpectedFailure('Unhealthy', 'Another digest runs.') } },
        `${CHANGE} prove restore observe record rolled-back unlock`,
        'rolled-back',
        'Unhealthy',
        ['Another digest runs. '],
      ],
      [
        'putting back fails',
        { goes: BAD, throws: { restore: new ExpectedFailure('Conflict', 'Finish it with: kubectl apply -f x') } },
        `${CHANGE} diagnose restore record failed unlock`,
        'failed',
        'CrashLoopBackOff',
        ['PUTTING BACK FAILED', 'kubectl apply -f x It began with: deployment/web'],
      ],
      [
        'somebody else has deployed over it',
        { goes: BAD, throws: { restore: new ExpectedFailure('Superseded', 'Nothing was put back.') } },
        `${CHANGE} diagnose restore record failed unlock`,
        'failed',
        'CrashLoopBackOff',
        ['(3 times). Its log ends with "no database". Nothing was put back.'],
      ],
      [
        'a bug while putting back',
        { goes: BAD, throws: { restore: new TypeError('y is undefined') } },
        `${CHANGE} diagnose restore record failed unlock`,
        'failed',
        'CrashLoopBackOff',
        ['PUTTING BACK FAILED', 'a bug in deploy-actions', 'It began with: deployment/web'],
      ],
      [
        'put back, and not healthy either',
        { goes: BAD, thenGoes: [{ at: 0, is: [failed({ reason: 'OOMKilled', message: 'killed for want of memory' })] }] },
        `${CHANGE} diagnose restore observe record failed unlock`,
        'failed',
        'CrashLoopBackOff',
        ['exit code 1', 'was put back, BUT IT IS NOT HEALTHY: killed for want of memory.'],
      ],
      [
        'a first deploy crashes',
        { goes: BAD, plan: FIRST },
        `${CHANGE} diagnose restore record failed unlock`,
        'failed',
        'CrashLoopBackOff',
        ['nothing to go back to: what it had created was removed.'],
      ],
      [
        'on-failure keep',
        { goes: BAD, options: { onFailure: 'keep' } },
        `${CHANGE} diagnose record failed unlock`,
        'failed',
        'CrashLoopBackOff',
        ['left as it is, for on-failure is "keep"'],
      ],
      [
        'cancelled while the record is written',
        { cancelAt: 'remember' },
        `${CHANGE} restore observe record rolled-back unlock`,
        'cancelled',
        'Cancelled',
        ['Cancelled after 0.0 s.', 'was put back and is healthy'],
      ],
      [
        'cancelled while it is followed',
        { goes: NEVER, cancelAt: 4_000 },
        `${CHANGE} restore observe record rolled-back unlock`,
        'cancelled',
        'Cancelled',
        ['Cancelled after 4.0 s.', 'was put back and is healthy'],
      ],
      [
        'cancelled in the middle of the apply',
        { cancelAt: 'apply', throws: { apply: new ExpectedFailure('Cancelled', 'Cancelled after 1 of 3 objects.') } },
        'lock plan remember apply restore observe record rolled-back unlock',
        'cancelled',
        'Cancelled',
        ['Cancelled after 1 of 3 objects. k8s://shop/web/7 was put back'],
      ],
      [
        'cancelled, and the end is near',
        { goes: NEVER, thenGoes: NEVER, cancelAt: 4_000, endingAt: 'restore' },
        `${CHANGE} restore observe unlock`,
        'cancelled',
        'Cancelled',
        ['whether it is healthy is waited for in the post step'],
      ],
      [
        'cancelled, and it may stay',
        { goes: NEVER, cancelAt: 4_000, options: { onFailure: 'keep' } },
        `${CHANGE} record failed unlock`,
        'cancelled',
        'Cancelled',
        ['left as it is'],
      ],
      [
        'a first deploy cancelled',
        { goes: NEVER, cancelAt: 4_000, plan: FIRST },
        `${CHANGE} restore record failed unlock`,
        'cancelled',
        'Cancelled',
        ['was removed'],
      ],
      [
        'the record of a good end cannot be written: it is as good',
        { throws: { record: unreachable } },
        `${CHANGE} prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s', 'could not be written into the release record: The API server does not answer.'],
      ],
      [
        'the record of a bad end cannot be written: it was put back all the same',
        { goes: BAD, throws: { record: unreachable } },
        `${CHANGE} diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'CrashLoopBackOff',
        ['was put back and is healthy.', 'could not be written'],
      ],
      [
        'the lock cannot be given back: what was done is as true',
        { throws: { unlock: unreachable } },
        `${CHANGE} prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s'],
      ],
      ['dry-run', { options: { dryRun: true } }, 'plan', 'unchanged', '', ['nothing was changed', 'change 1 object']],
      ['dry-run of nothing', { plan: SAME, options: { dryRun: true } }, 'plan', 'unchanged', '', ['it would change nothing']],
      [
        'unchanged and healthy',
        { plan: SAME, goes: [{ at: 0, is: [healthy()] }] },
        'lock plan observe prove unlock',
        'unchanged',
        '',
        ['live already and healthy (deployment/web 2/2 ready)'],
      ],
      [
        'unchanged and sick',
        { plan: SAME, goes: BAD },
        'lock plan observe diagnose unlock',
        'failed',
        'CrashLoopBackOff',
        ['Nothing was changed, but what is live is not healthy: deployment/web: pod web-1'],
      ],
      [
        'unchanged, and cancelled meanwhile',
        { plan: SAME, goes: NEVER, cancelAt: 1_000 },
        'lock plan observe unlock',
        'cancelled',
        'Cancelled',
        ['Cancelled after 1.0 s. Nothing was changed.'],
      ],
      [
        'up, and finished by what changes nothing that is live',
        { finishes: false },
        `${CHANGE} finish prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s'],
      ],
      [
        'up, and well without what was pruned then',
        { finishes: true },
        `${CHANGE} finish prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s'],
      ],
      [
        'up, and not well without what was pruned then',
        { finishes: true, goes: [...GOOD, { at: 15_000, is: [failed()] }] },
        `${CHANGE} finish diagnose restore observe record rolled-back unlock`,
        'rolled-back',
        'CrashLoopBackOff',
        ['deployment/web', 'was put back and is healthy'],
      ],
      [
        'up, and failed by how it is finished',
        { finishes: true, throws: { finish: new ExpectedFailure('Forbidden', 'ci may not delete services.') } },
        `${CHANGE} finish restore observe record rolled-back unlock`,
        'rolled-back',
        'Forbidden',
        ['ci may not delete services. k8s://shop/web/7 was put back'],
      ],
      [
        'nothing to change, but what a dead run left is to be finished',
        { plan: { ...SAME, takesUpUnfinished: true } },
        `${CHANGE} prove record deployed unlock`,
        'deployed',
        '',
        ['stable for 10 s'],
      ],
    ],
  )('%s', async (_, world, calls, result, reason, says) => {
    const { report, error, platform, remembered } = await run(world)
    expect(error).toBeUndefined()
    expect(platform.calls.join(' ')).toBe(calls)
    expect(report).toMatchObject({ result, reason })
    for (const part of says) expect(report?.message).toContain(part)
    expect(report?.message).not.toMatch(/\.\.|undefined is|\[object/)
    expect(remembered).toEqual(calls.includes('remember') ? ['k8s://shop/web/8'] : [])
    expect(report?.unfinished).toBe(report?.message.includes('post step'))
    expect(report?.release).toBe(calls.includes('remember') ? 'k8s://shop/web/8' : 'k8s://shop/web/7')
    expect(report?.restored).toEqual(
      /restore (observe|record)/.test(calls) && !/PUTTING|Nothing was put back/.test(report?.message ?? '')
        ? ['deployment/web']
        : [],
    )
  })
})

const PASSED: Checked = { result: 'passed', reason: '', message: '3 checks passed in 1.2 s.', summary: '' }
const REFUSED: Checked = { result: 'failed', reason: 'WrongVersion', message: 'It answers 1.4.1.', summary: '' }
const UNTOLD: Checked = { result: 'inconclusive', reason: 'Unreachable', message: 'No connection was made.', summary: '' }
const checks = (onNew: Checked | Error, onRestored: Checked | Error = PASSED): Partial<DeployOptions> => ({
  check: async live => {
    const word = live === 'new' ? onNew : onRestored
    if (word instanceof Error) throw word
    return word
  },
})
const STABLE = `${CHANGE} prove`

describe('checks of a release that is stable', () => {
  test.each<
    [
      what: string,
      world: World,
      calls: string,
      result: DeployReport['result'],
      reason: string,
      says: readonly string[],
      count: number,
    ]
  >([
    [
      'they pass: it is verified',
      { options: checks(PASSED) },
      `${STABLE} record deployed record verified unlock`,
      'deployed',
      '',
      ['stable for 10 s', '3 checks passed'],
      1,
    ],
    [
      'they fail: it is put back, and checked again',
      { options: checks(REFUSED) },
      `${STABLE} restore observe record rolled-back unlock`,
      'rolled-back',
      'WrongVersion',
      ['It answers 1.4.1. k8s://shop/web/7 was put back and is healthy. Its checks pass.'],
      2,
    ],
    [
      'they fail on the old version too',
      { options: checks(REFUSED, REFUSED) },
      `${STABLE} restore observe record rolled-back unlock`,
      'rolled-back',
      'WrongVersion',
      ['was put back and is healthy. BUT THE CHECKS FAIL ON IT TOO'],
      2,
    ],
    [
      'they fail, and the old version could not be asked',
      { options: checks(REFUSED, UNTOLD) },
      `${STABLE} restore observe record rolled-back unlock`,
      'rolled-back',
      'WrongVersion',
      ['Whether its checks pass could not be told: No connection'],
      2,
    ],
    [
      'they fail on a first deploy',
      { options: checks(REFUSED), plan: FIRST },
      `${STABLE} restore record failed unlock`,
      'failed',
      'WrongVersion',
      ['nothing to go back to: what it had created was removed'],
      1,
    ],
    [
      'they fail, and on-failure is keep',
      { options: { ...checks(REFUSED), onFailure: 'keep' } },
      `${STABLE} record failed unlock`,
      'failed',
      'WrongVersion',
      ['left as it is, for on-failure is "keep"'],
      1,
    ],
    [
      'they fail, and only what is not healthy goes back',
      { options: { ...checks(REFUSED), onCheckFailure: 'keep' } },
      `${STABLE} record failed unlock`,
      'failed',
      'WrongVersion',
      ['It answers 1.4.1. It was left as it is.'],
      1,
    ],
    [
      'they could not be told: it stays, unverified, and ends red',
      { options: checks(UNTOLD) },
      `${STABLE} record deployed unlock`,
      'failed',
      'Unreachable',
      ['stable for 10 s', 'it stays and is not marked verified: No connection'],
      1,
    ],
    [
      'they could not be told, and a warning is enough',
      { options: { ...checks(UNTOLD), onInconclusive: 'warn' } },
      `${STABLE} record deployed unlock`,
      'deployed',
      'Unreachable',
      ['it stays and is not marked verified'],
      1,
    ],
    [
      'they break: nothing is put back for it',
      { options: checks(new TypeError('z is undefined')) },
      `${STABLE} record deployed unlock`,
      'failed',
      'InternalError',
      ['it stays', 'a bug in deploy-actions, please report it: z is undefined.'],
      1,
    ],
    [
      'they cannot be made',
      { options: checks(new ExpectedFailure('Unauthorized', 'The plugin gave no credentials.')) },
      `${STABLE} record deployed unlock`,
      'failed',
      'Unauthorized',
      ['it stays', 'no credentials'],
      1,
    ],
    [
      'cancelled while they run: it is put back, and not checked again',
      { options: checks({ result: 'cancelled', reason: 'Cancelled', message: 'Cancelled.', summary: '' }) },
      `${STABLE} restore observe record rolled-back unlock`,
      'cancelled',
      'Cancelled',
      ['Cancelled while it was being checked. k8s://shop/web/7 was put back and is healthy.'],
      1,
    ],
    [
      'it never became healthy: only what was put back is checked',
      { goes: BAD, options: checks(REFUSED) },
      `${CHANGE} diagnose restore observe record rolled-back unlock`,
      'rolled-back',
      'CrashLoopBackOff',
      ['was put back and is healthy. Its checks pass.'],
      1,
    ],
    [
      'unchanged, and they pass',
      { plan: SAME, goes: [{ at: 0, is: [healthy()] }], options: checks(PASSED) },
      'lock plan observe prove unlock',
      'unchanged',
      '',
      ['live already', '3 checks passed'],
      1,
    ],
    [
      'unchanged, and they fail: nothing is put back',
      { plan: SAME, goes: [{ at: 0, is: [healthy()] }], options: checks(REFUSED) },
      'lock plan observe prove unlock',
      'failed',
      'WrongVersion',
      ['live already', 'But its checks did not pass: It answers 1.4.1.'],
      1,
    ],
    ['a dry run checks nothing', { options: { ...checks(REFUSED), dryRun: true } }, 'plan', 'unchanged', '', ['Dry run'], 0],
  ])('%s', async (_, world, calls, result, reason, says, count) => {
    const { report, error, platform } = await run(world)
    expect(error).toBeUndefined()
    expect(platform.calls.join(' ')).toBe(calls)
    expect(report).toMatchObject({ result, reason })
    for (const part of says) expect(report?.message).toContain(part)
    expect(report?.message).not.toMatch(/\.\.|undefined is|\[object/)
    expect(report?.checks.length).toBe(count)
  })
})

describe('a release that is held at a stage', () => {
  const PAUSE: Pause = { id: '1', workload: 'service/web', stage: 'TEST' }
  const HELD: readonly Turn[] = [
    { at: 0, is: [progressing()] },
    { at: 2_000, is: [progressing({ pauses: [PAUSE] })] },
    { at: 5_000, is: [healthy()] },
  ]
  /** What the checks say at the stage, and of what is up. */
  const staged = (atStage: Checked, onNew: Checked = PASSED): Partial<DeployOptions> => ({
    check: async (live, at) => (at !== undefined ? atStage : live === 'new' ? onNew : PASSED),
  })

  test.each<
    [
      what: string,
      world: World,
      calls: string,
      result: DeployReport['result'],
      reason: string,
      said: readonly Checked['result'][],
    ]
  >([
    [
      'its checks pass there and when it is up',
      { options: staged(PASSED) },
      `${CHANGE} goOn 1 prove record deployed record verified unlock`,
      'deployed',
      '',
      ['passed', 'passed'],
    ],
    [
      'they fail there: it is put back, without a diagnosis, and the old version is checked',
      { options: staged(REFUSED) },
      `${CHANGE} restore observe record rolled-back unlock`,
      'rolled-back',
      'WrongVersion',
      ['failed', 'passed'],
    ],
    [
      'they fail there, and it is to be kept',
      { options: { ...staged(REFUSED), onCheckFailure: 'keep' } },
      `${CHANGE} record failed unlock`,
      'failed',
      'WrongVersion',
      ['failed'],
    ],
    [
      'they fail when it is up',
      { options: staged(PASSED, REFUSED) },
      `${CHANGE} goOn 1 prove restore observe record rolled-back unlock`,
      'rolled-back',
      'WrongVersion',
      ['passed', 'failed', 'passed'],
    ],
    [
      'it could not be told, and a person lets it go on',
      { options: staged(UNTOLD) },
      `${CHANGE} prove record deployed record verified unlock`,
      'deployed',
      '',
      ['inconclusive', 'passed'],
    ],
    [
      'it could not be told, and nobody comes',
      { options: staged(UNTOLD), goes: HELD.slice(0, 2) },
      `${CHANGE} diagnose restore observe record rolled-back unlock`,
      'rolled-back',
      'Unreachable',
      ['inconclusive', 'passed'],
    ],
    [
      'it is cancelled there',
      { options: staged(UNTOLD), goes: HELD.slice(0, 2), cancelAt: 10_000 },
      `${CHANGE} restore observe record rolled-back unlock`,
      'cancelled',
      'Cancelled',
      ['inconclusive'],
    ],
    ['there are no checks: it is waited for', {}, `${CHANGE} prove record deployed unlock`, 'deployed', '', []],
    [
      'what is put back is let through',
      { goes: BAD, thenGoes: HELD },
      `${CHANGE} diagnose restore observe goOn 1 record rolled-back unlock`,
      'rolled-back',
      'CrashLoopBackOff',
      [],
    ],
  ])('%s', async (_, world, calls, result, reason, said) => {
    const { report, error, platform } = await run({ goes: HELD, ...world })
    expect(error).toBeUndefined()
    expect(platform.calls.join(' ')).toBe(calls)
    expect(report).toMatchObject({ result, reason })
    expect(report?.checks.map(checked => checked.result)).toEqual(said)
  })
})

describe('a deployment that changes nothing throws', () => {
  test.each<[what: string, world: World, calls: string, reason: string]>([
    ['locked', { throws: { lock: new ExpectedFailure('Locked', 'Run 5 deploys it.') } }, 'lock', 'Locked'],
    [
      'manifests that are wrong',
      { throws: { plan: new ExpectedFailure('InvalidInput', 'Line 3.') } },
      'lock plan unlock',
      'InvalidInput',
    ],
    ['the first deploy, where it must not be', { plan: FIRST, options: { firstDeploy: 'fail' } }, 'lock plan unlock', 'NotFound'],
    ['cancelled while it planned', { cancelAt: 'plan' }, 'lock plan unlock', 'Cancelled'],
    [
      'no right to write the record',
      { throws: { remember: new ExpectedFailure('Forbidden', 'No.') } },
      'lock plan remember unlock',
      'Forbidden',
    ],
    [
      'unchanged, but it cannot be watched',
      { plan: SAME, throws: { observe: unreachable } },
      'lock plan observe unlock',
      'Unreachable',
    ],
    [
      'manifests that are wrong, and the lock cannot be given back',
      { throws: { plan: new ExpectedFailure('InvalidInput', 'Line 3.'), unlock: unreachable } },
      'lock plan unlock',
      'InvalidInput',
    ],
  ])('%s', async (_, world, calls, reason) => {
    const { error, platform, remembered } = await run(world)
    expect(error).toBeInstanceOf(ExpectedFailure)
    expect(error).toMatchObject({ reason })
    expect(platform.calls.join(' ')).toBe(calls)
    expect(remembered).toEqual([])
  })
})

test('a platform that cannot be watched while it deploys is put back; that it cannot be watched then either is said', async () => {
  const { report, platform } = await run({ throws: { observe: unreachable } })
  expect(platform.calls.join(' ')).toBe(`${CHANGE} restore observe record failed unlock`)
  expect(report).toMatchObject({ result: 'failed', reason: 'Unreachable', restored: ['deployment/web'] })
  expect(report?.message).toContain('was put back, BUT WHETHER IT IS HEALTHY IS NOT KNOWN: The API server does not answer.')
})

test('what was put back is looked at for 2 s, not for the whole of stable-for', async () => {
  const { report, platform } = await run({ goes: BAD, thenGoes: [{ at: 0, is: [healthy()] }] })
  expect(report?.result).toBe('rolled-back')
  expect(platform.observations.map(observation => observation.now() - Date.UTC(2026, 0, 1))).toEqual([5_000, 5_000])
})

test('the evidence of a culprit is in the log, folded', async () => {
  const { log } = await run({ goes: BAD })
  expect(log).toContain('::group::pod/web-1 container app: CrashLoopBackOff')
  expect(log).toContain('  no database')
  expect(log).toContain('Look further: kubectl logs web-1')
})

test('putting back alone, as the post step does', async () => {
  const failure = { reason: 'Cancelled', message: 'k8s://shop/web/8 was cancelled or killed before it had ended.' }
  const act = (async (platform: Platform, options: DeployOptions) =>
    putBack(platform, options, failure, PLAN)) as unknown as typeof deploy
  const { report, platform } = await run({ options: { stableForMs: 0 } }, act)
  expect(platform.calls.join(' ')).toBe('restore observe record rolled-back')
  expect(report).toMatchObject({ result: 'cancelled', unfinished: false })
  expect(report?.message).toBe(`${failure.message} k8s://shop/web/7 was put back and is healthy.`)
})
