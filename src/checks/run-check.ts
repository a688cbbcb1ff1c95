// The one loop of a check: asks until the verdict table has one, prints only what changed, and never runs past its time.
import { type Clock, sleep } from '../deploy/clock.ts'
import { formatDuration } from '../runner/duration.ts'
import { describeDifference } from './expectation.ts'
import { percentile } from './percentile.ts'
import {
  type Attempt,
  type CheckVerdict,
  count,
  isRight,
  judgeCheck,
  type Moment,
  NOTHING_SEEN,
  type Policy,
  type Tally,
} from './verdict.ts'

/** Asks once. Must end within `timeoutMs`, and soon after `signal` is raised; never throws for what a server does. */
export type Ask = (timeoutMs: number, signal: AbortSignal) => Promise<Attempt>

export interface CheckOptions {
  readonly ask: Ask
  readonly policy: Policy
  readonly timeoutMs: number
  /** The wait after anything but a right answer: after a right one the next question goes out at once. */
  readonly intervalMs: number
  /** Each wait is `factor` times the one before, and never longer than `longestMs`. */
  readonly backOff?: { readonly factor: number; readonly longestMs: number } | undefined
  /** The time for one question; 10 s where nothing is said. */
  readonly requestLimitMs?: number | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  /** What the times that are printed count from; the check's own start where nothing is said. */
  readonly countFrom?: number | undefined
}

/** Equal attempts in a row, told once. `at` is in ms since the check began. */
export interface Stretch {
  readonly at: number
  readonly line: string
  readonly times: number
}

export interface CheckRun {
  readonly verdict: CheckVerdict
  readonly tally: Tally
  /** The last of them; see STRETCHES_KEPT. */
  readonly stretches: readonly Stretch[]
  readonly elapsedMs: number
  /** The 95th percentile of the times of all answers, right and wrong; undefined without any. */
  readonly p95Ms: number | undefined
  /** The times of all answers, right and wrong, in ms. */
  readonly times: readonly number[]
}

const REQUEST_LIMIT_MS = 10_000
/** In a long wait something is printed at least this often, so that nobody takes the step for dead. */
const SIGN_OF_LIFE_MS = 30_000
/** The room kept for a last question before the time is over, less where the interval or the whole time is short. */
const LAST_QUESTION_MS = 1_000
const STRETCHES_KEPT = 50
/** An answer that comes and goes is printed again only after this time. */
const FLAPPING_MS = 15_000

/** How long to wait for the next question; undefined when there is no time for another. */
export function waitForNext(intervalMs: number, timeoutMs: number, remainingMs: number): number | undefined {
  const room = Math.min(LAST_QUESTION_MS, intervalMs, timeoutMs / 4)
  return remainingMs <= room ? undefined : Math.min(intervalMs, remainingMs - room)
}

/** Runs a check to its verdict. */
export async function runCheck(options: CheckOptions): Promise<CheckRun> {
  const { clock, signal, policy } = options
  const startedAt = clock.now()
  const elapsed = (): number => clock.now() - startedAt
  const remaining = (): number => options.timeoutMs - elapsed()
  const times: number[] = []
  const stretches: Stretch[] = []
  const requestLimit = options.requestLimitMs ?? REQUEST_LIMIT_MS
  let interval = options.intervalMs
  let tally = NOTHING_SEEN
  const printed = new Map<string, number>()
  let seen = ''
  let printedAt = 0

  const print = (line: string): void => {
    printedAt = elapsed()
    const shown = clock.now() - (options.countFrom ?? startedAt)
    options.print(`${`+${formatDuration(shown)}`.padEnd(9)} ${line}`)
  }
  const note = (attempt: Attempt): void => {
    const line = describeAttempt(attempt)
    const last = stretches.at(-1)
    const sign = signOf(attempt)
    if (sign === seen && last !== undefined) {
      stretches[stretches.length - 1] = { ...last, times: last.times + 1 }
      return
    }
    seen = sign
    const quietSince = printed.get(sign)
    stretches.push({ at: elapsed(), line, times: 1 })
    if (stretches.length > STRETCHES_KEPT) stretches.shift()
    if (quietSince !== undefined && elapsed() - quietSince < FLAPPING_MS) return
    if (printed.size >= STRETCHES_KEPT) printed.clear()
    printed.set(sign, elapsed())
    print(policy.consecutive > 1 && isRight(attempt) ? `${line} (${tally.streak} of ${policy.consecutive} in a row)` : line)
  }
  const end = (verdict: CheckVerdict): CheckRun => {
    if (verdict.result === 'passed' && policy.consecutive > 1) print(`right ${policy.consecutive} times in a row`)
    const p95Ms = percentile(times, 95)
    return { verdict, tally, stretches, elapsedMs: elapsed(), p95Ms, times }
  }

  for (;;) {
    const limit = Math.min(requestLimit, remaining())
    const asked = await options.ask(limit, signal)
    const aborted = signal.aborted && asked.kind === 'no-answer'
    if (!aborted) {
      const attempt = remaining() <= 0 && limit < requestLimit ? cutShort(asked) : asked
      tally = count(tally, attempt)
      if (attempt.kind === 'answer') times.push(...(attempt.answer.times ?? [attempt.answer.ms]))
      note(attempt)
    }
    const right = tally.streak > 0
    const wait = right && remaining() > 0 ? 0 : waitForNext(interval, options.timeoutMs, remaining())
    const moment: Moment = signal.aborted ? 'cancelled' : wait === undefined ? 'time-over' : 'time-left'
    const verdict = judgeCheck(tally, policy, moment)
    if (verdict !== undefined) return end(verdict)
    if (!right && options.backOff !== undefined) interval = Math.min(interval * options.backOff.factor, options.backOff.longestMs)
    const until = clock.now() + (wait ?? 0)
    while (clock.now() < until && !signal.aborted) {
      const silence = elapsed() - printedAt
      if (silence >= SIGN_OF_LIFE_MS)
        print(
          `still asking, for ${formatDuration(remaining())} at most; ${tally.asked} times so far, ${tally.right} of them right`,
        )
      else await sleep(clock, Math.min(until - clock.now(), SIGN_OF_LIFE_MS - silence), signal)
    }
    if (signal.aborted) return end(judgeCheck(tally, policy, 'cancelled') ?? CANCELLED)
  }
}

const CANCELLED: CheckVerdict = { result: 'cancelled', reason: 'Cancelled', because: '' }

function cutShort(attempt: Attempt): Attempt {
  return attempt.kind === 'answer' ? attempt : { kind: 'no-answer', fault: { ...attempt.fault, cutShort: true } }
}

/** `200 in 12 ms: as expected`, `503 in 4 ms: expected status 200, came 503`, `refused the connection`. */
export function describeAttempt(attempt: Attempt): string {
  if (attempt.kind === 'no-answer') return `no answer: ${attempt.fault.problem} (${attempt.fault.code})`
  const { answer, findings, pending } = attempt
  return `${answer.label} in ${Math.round(answer.ms)} ms: ${pending === true ? 'not done yet, ' : ''}${describeDifference(findings)}`
}

/** Attempts of one sign are told once. An excerpt of a body is no part of it: it may bear a time or an id that never repeats. */
function signOf(attempt: Attempt): string {
  if (attempt.kind === 'no-answer') return attempt.fault.code
  if (isRight(attempt)) return 'right'
  const wrong = attempt.findings.filter(finding => !finding.holds)
  return JSON.stringify([attempt.answer.label, ...wrong.map(({ what, came }) => `${what} ${came}`)])
}
