// Many requests by several clients at once, as one try: what share went wrong, and how long they took.
import type { HttpStep } from '../check-file/smoke-schema.ts'
import { describeDifference, type Finding } from '../expectation.ts'
import { percentile } from '../percentile.ts'
import { type Ask, describeAttempt } from '../run-check.ts'
import { type Attempt, isRight } from '../verdict.ts'

type Repeat = NonNullable<HttpStep['repeat']>

/** Time for one of the requests, where the file says nothing. */
const ONE_REQUEST_MS = 10_000
/** With so many requests the times kept are all that are needed to tell a percentile. */
const MOST_REQUESTS = 1_000_000

export function repeated(ask: Ask, repeat: Repeat, requestLimitMs = ONE_REQUEST_MS): Ask {
  return async (timeoutMs, signal) => {
    const started = performance.now()
    const ends = started + Math.min(timeoutMs, repeat.for ?? timeoutMs)
    const latest = started + timeoutMs
    const times: number[] = []
    let asked = 0
    let answered = 0
    let wrong = 0
    let unconnected = 0
    let firstWrong: Attempt | undefined
    const most = repeat.requests ?? MOST_REQUESTS
    const client = async (): Promise<void> => {
      while (asked < most && performance.now() < ends && !signal.aborted) {
        asked++
        const attempt = await ask(Math.max(1, Math.min(requestLimitMs, latest - performance.now())), signal)
        // Who got no answer has waited for it as well.
        if (attempt.kind === 'answer') times.push(attempt.answer.ms)
        else if (attempt.fault.stage !== 'impossible') times.push(attempt.fault.ms)
        if (attempt.kind === 'answer') answered++
        else if (attempt.fault.stage === 'connecting') unconnected++
        if (isRight(attempt)) continue
        wrong++
        firstWrong ??= attempt
        if (attempt.kind === 'no-answer' && (attempt.fault.stage === 'impossible' || attempt.fault.stage === 'unhealable')) return
      }
    }
    await Promise.all(Array.from({ length: repeat.parallel ?? 1 }, client))
    if (firstWrong?.kind === 'no-answer' && (unconnected === asked || answered === 0)) return firstWrong
    const borne = repeat['error-rate-below'] ?? 0
    const rate = asked === 0 ? 1 : wrong / asked
    const missing = repeat.requests !== undefined && asked < most && !signal.aborted
    const errors: Finding = {
      kind: 'errors',
      what: 'error rate',
      expected: borne === 0 ? 'none' : `below ${percent(borne)}`,
      came: wrong === 0 ? 'none' : `${percent(rate)} (${wrong} of ${asked}), first ${wrongOf(firstWrong)}`,
      holds: wrong === 0 || rate < borne,
    }
    const p95 = percentile(times, 95) ?? 0
    const limit = repeat['p95-below']
    const slow: Finding[] =
      limit === undefined
        ? []
        : [{ kind: 'time', what: 'p95', expected: `below ${limit} ms`, came: `${Math.round(p95)} ms`, holds: p95 < limit }]
    const late: Finding[] = missing
      ? [{ kind: 'time', what: 'requests', expected: `${most}`, came: `${asked} before the time was over`, holds: false }]
      : []
    const ms = performance.now() - started
    return { kind: 'answer', answer: { ms, label: `${asked} requests`, times }, findings: [errors, ...slow, ...late] }
  }
}

function wrongOf(attempt: Attempt | undefined): string {
  if (attempt === undefined) return ''
  return attempt.kind === 'answer' ? describeDifference(attempt.findings) : describeAttempt(attempt)
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10}%`
}
