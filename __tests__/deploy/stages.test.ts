import { expect, test } from '@jest/globals'
import type { Checked } from '../../src/deploy/check.ts'
import { type Followed, follow } from '../../src/deploy/follow.ts'
import { AnsweredStages, type StageOptions } from '../../src/deploy/stages.ts'
import type { Pause } from '../../src/deploy/verdict.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { createLog } from '../../src/runner/log.ts'
import { ManualClock, settle } from './manual-clock.ts'
import { failed, healthy, progressing, ScriptedRelease, type Turn } from './scripted-release.ts'

const pause = (stage: string, workload = 'service/web'): Pause => ({ id: `${workload} ${stage}`, workload, stage })
const held = (...pauses: Pause[]): Turn['is'] => [progressing({ pauses, message: 'service/web: paused' })]
/** Held at one stage after 1 s; up after 9 s, whoever let it go on. */
const ONE: readonly Turn[] = [
  { at: 1_000, is: held(pause('TEST')) },
  { at: 9_000, is: [healthy()] },
]

const said = (result: Checked['result']): Checked => ({
  result,
  reason: result === 'passed' ? '' : 'WrongStatus',
  message: 'It answered.',
  summary: '',
})

interface Play {
  readonly turns?: readonly Turn[]
  readonly check?: Checked['result'] | 'none' | Error
  readonly options?: Partial<StageOptions>
  readonly live?: 'new' | 'restored'
  /** What each attempt at letting it go on throws. */
  readonly throws?: readonly (Error | undefined)[]
  readonly checkTakesMs?: number
}

async function play({ turns = ONE, check = 'passed', options, live, throws = [], checkTakesMs = 0 }: Play) {
  const clock = new ManualClock()
  const printed: string[] = []
  const [checks, goneOn, attempts]: [string[], string[], number[]] = [[], [], []]
  const log = createLog(text => printed.push(text))
  const ran: StageOptions['check'] = async (_, at) => {
    checks.push(at?.stage ?? '')
    if (checkTakesMs > 0) await new Promise<void>(resolve => void clock.after(checkTakesMs, resolve))
    if (check instanceof Error) throw check
    return at?.signal.aborted === true ? said('cancelled') : said(check as Checked['result'])
  }
  const goOn = async ({ id }: Pause): Promise<void> => {
    const thrown = throws[attempts.push(clock.now()) - 1]
    if (thrown !== undefined) throw thrown
    goneOn.push(id)
  }
  const given = { clock, log, check: check === 'none' ? undefined : ran, ...options }
  const stages = new AnsweredStages(new ScriptedRelease(clock, [{ at: 0, is: [progressing()] }, ...turns]), { goOn }, given, live)
  let followed: Followed | undefined
  let thrown: unknown
  const { signal } = new AbortController()
  void follow(stages, { timeoutMs: 20_000, stableForMs: 0, clock, signal, print: () => undefined }).then(
    ended => {
      followed = ended
    },
    error => {
      thrown = error
    },
  )
  for (let second = 0; second < 40; second++) {
    await clock.advance(500)
    await settle()
  }
  return { end: followed?.end, verdict: followed?.verdict, thrown, stages, checks, goneOn, attempts, log: printed.join('') }
}

test.each<[name: string, Play, end: string, goneOn: number, checked: number]>([
  ['passed: it goes on', {}, 'healthy', 1, 1],
  ['failed: it is not let on, and has failed', { check: 'failed' }, 'failed', 0, 0],
  ['could not be told: it is left to a person', { check: 'inconclusive' }, 'healthy', 0, 1],
  ['could not be told, and warn: it goes on', { check: 'inconclusive', options: { onInconclusive: 'warn' } }, 'healthy', 1, 1],
  ['a check that breaks: it is left to a person', { check: new Error('broken') }, 'healthy', 0, 1],
  ['no check: it is waited for', { check: 'none' }, 'healthy', 0, 0],
  ['what is put back is let through, unchecked', { live: 'restored', check: 'failed' }, 'healthy', 1, 0],
  ['what is put back is let through, without a check', { live: 'restored', check: 'none' }, 'healthy', 1, 0],
])('%s', async (_, world, end, goneOn, checked) => {
  const ended = await play(world)
  expect([ended.end, ended.goneOn.length, ended.stages.checks.length]).toEqual([end, goneOn, checked])
})

test('a refusal says the stage, the reason and what was seen', async () => {
  const { verdict, stages } = await play({ check: 'failed' })
  expect(verdict).toMatchObject({ phase: 'failed', reason: 'WrongStatus', message: 'service/web at TEST: It answered.' })
  expect(stages.refusal).toMatchObject({ result: 'failed', message: 'service/web at TEST: It answered.' })
})

test('what is left to a person until the time is over says so', async () => {
  const { end, verdict, log } = await play({ check: 'inconclusive', turns: ONE.slice(0, 1) })
  expect(end).toBe('timeout')
  expect(verdict).toMatchObject({
    reason: 'WrongStatus',
    message: 'service/web: paused. Whether it is good could not be told: It answered.',
  })
  expect(log).toContain('a person has to say whether it goes on')
})

test('one check for all that wait together, one more for each later stage', async () => {
  const [first, second, third] = [pause('TEST'), pause('TEST', 'service/worker'), pause('AFTER')]
  const { checks, goneOn } = await play({
    turns: [
      { at: 1_000, is: held(first, second) },
      // A platform may be behind, and show what was answered once more.
      { at: 2_000, is: held(first, second) },
      { at: 3_000, is: held(third) },
      { at: 4_000, is: [healthy()] },
    ],
  })
  expect([checks, goneOn]).toEqual([
    ['TEST', 'AFTER'],
    [first.id, second.id, third.id],
  ])
})

test('a stage that is reached while another is checked has its turn after it', async () => {
  const [first, second] = [pause('TEST'), pause('AFTER')]
  const { checks, goneOn } = await play({
    checkTakesMs: 3_000,
    turns: [
      { at: 1_000, is: held(first) },
      { at: 2_000, is: held(first, second) },
      { at: 15_000, is: [healthy()] },
    ],
  })
  expect([checks, goneOn]).toEqual([
    ['TEST', 'AFTER'],
    [first.id, second.id],
  ])
})

test('a release that fails while it is checked fails by its own reason, and gets no answer', async () => {
  const turns: readonly Turn[] = [
    { at: 1_000, is: held(pause('TEST')) },
    { at: 3_000, is: [failed()] },
  ]
  const { end, verdict, goneOn, stages } = await play({ turns, checkTakesMs: 5_000 })
  expect([end, verdict?.reason, goneOn, stages.checks]).toEqual(['failed', 'CrashLoopBackOff', [], []])
})

test('an answer that does not get through is given again; one that may not be given is left to a person', async () => {
  const away = new ExpectedFailure('Unreachable', 'ECS does not answer.')
  const again = await play({ throws: [away, away] })
  expect([again.goneOn.length, again.attempts.length]).toEqual([1, 3])
  const forbidden = await play({ throws: [new ExpectedFailure('Forbidden', 'The role may not.')] })
  expect([forbidden.goneOn.length, forbidden.attempts.length, forbidden.end]).toEqual([0, 1, 'healthy'])
  expect(forbidden.log).toContain('service/web at TEST could not be let go on, a person has to do it: The role may not.')
})

test('a bug comes out', async () => {
  expect((await play({ throws: [new TypeError('x is undefined')] })).thrown).toBeInstanceOf(TypeError)
})
