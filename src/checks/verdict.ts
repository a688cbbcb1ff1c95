// The verdict table of a check: from what was seen so far to passed, failed, inconclusive, or to asking again. Pure.
//
//   | seen                                                            | verdict          | reason                          |
//   |-----------------------------------------------------------------|------------------|---------------------------------|
//   | `consecutive` right answers in a row                            | passed           |                                 |
//   | a fault that asking again cannot heal (certificate, no TLS)     | failed, at once  | Certificate, NotTls             |
//   | the check cannot be made from here (a program, a right missing) | inconclusive,    | the cause's own: NotFound,      |
//   |                                                                 | at once          | Forbidden, InvalidInput         |
//   | a wrong answer that is the last word (`fail-when`, certificate) | failed, at once  | that of the answer              |
//   | more wrong or broken answers than `failure-limit`               | failed, at once  | that of the last                |
//   | the user cancelled                                              | cancelled        | Cancelled                       |
//   | time is left                                                    | ask again        |                                 |
//   | nothing but DNS and connect errors                              | `on-unreachable` | Unreachable                     |
//   | the last answer was wrong                                       | failed           | WrongStatus, WrongBody,         |
//   |                                                                 |                  | WrongJson, WrongVersion,        |
//   |                                                                 |                  | WrongRedirect, TooSlow ...      |
//   | the last answer was that it is not done yet (`poll`)            | failed           | NotDone                         |
//   | at last a connection without a whole answer                     | failed           | NoAnswer                        |
//   | at last no connection, after it had been there                  | failed           | Unreachable                     |
//   | the last answer was right, but not `consecutive` times in a row | failed           | that of the last wrong answer,  |
//   |                                                                 |                  | Timeout where there was none    |
//
// A request cut short because the check's time was over counts as "at last" only when there was no other.
import type { NoAnswer } from './answer.ts'
import type { ClusterService } from './cluster-service.ts'
import { describeDifference, type Finding, type FindingKind } from './expectation.ts'

/** How one try ended. */
export type Attempt =
  | {
      readonly kind: 'answer'
      /** `label` is the answer in a word, safe to print: "200", "SERVING", "exit 1". `times` are those of its parts, where it has several. */
      readonly answer: { readonly ms: number; readonly label: string; readonly times?: readonly number[] }
      readonly findings: readonly Finding[]
      /** Not wrong, but not done yet. */
      readonly pending?: boolean
      /** Wrong, and asking again cannot change it. */
      readonly final?: boolean
      /** What later steps may use, of an answer that is right. */
      readonly captured?: ReadonlyMap<string, Captured>
    }
  | { readonly kind: 'no-answer'; readonly fault: NoAnswer }

/** A value out of an answer. It is foreign. */
export interface Captured {
  readonly value: unknown
  /** The address that gave it: what a relative address in it is relative to. */
  readonly from?: URL | undefined
  /** The Service in a cluster that gave it. */
  readonly service?: ClusterService | undefined
}

/** What was seen so far. */
export interface Tally {
  readonly asked: number
  readonly right: number
  readonly wrong: number
  /** Answers that something is not done yet. */
  readonly pending: number
  /** Tries that made no connection. */
  readonly unconnected: number
  /** Tries whose connection gave no whole answer. */
  readonly unanswered: number
  /** Right answers since the last that was none. */
  readonly streak: number
  readonly last: Attempt | undefined
  readonly lastWrong: WrongAnswer | undefined
  /** How many answers came from each version, where the check asks for one. */
  readonly versions: ReadonlyMap<string, number>
}

type WrongAnswer = Extract<Attempt, { kind: 'answer' }>

export interface Policy {
  /** Right answers in a row that make a pass. */
  readonly consecutive: number
  /** Wrong or broken answers that are borne; no limit where it is undefined. */
  readonly failureLimit?: number | undefined
  readonly onUnreachable: 'failed' | 'inconclusive'
}

/** Whether the check may go on, and if not, why. */
export type Moment = 'time-left' | 'time-over' | 'cancelled'

/** What a check may say, smoke or gate. Inconclusive: it could not be told. */
export type CheckResult = 'passed' | 'failed' | 'inconclusive' | 'cancelled'

/** Of several checks: failed when one is, else cancelled, else inconclusive, and passed only when all are. */
export function combineResults(results: readonly CheckResult[]): CheckResult {
  return (['failed', 'cancelled', 'inconclusive'] as const).find(result => results.includes(result)) ?? 'passed'
}

export interface CheckVerdict {
  readonly result: CheckResult
  /** Empty for a pass. */
  readonly reason: string
  /** What was wrong, to be said after the address; empty for a pass. */
  readonly because: string
}

export const NOTHING_SEEN: Tally = {
  asked: 0,
  right: 0,
  wrong: 0,
  pending: 0,
  unconnected: 0,
  unanswered: 0,
  streak: 0,
  last: undefined,
  lastWrong: undefined,
  versions: new Map(),
}

const WRONG: Readonly<Record<FindingKind, string>> = {
  redirect: 'WrongRedirect',
  status: 'WrongStatus',
  header: 'WrongHeader',
  body: 'WrongBody',
  json: 'WrongJson',
  version: 'WrongVersion',
  time: 'TooSlow',
  state: 'NotDone',
  event: 'WrongEvent',
  message: 'WrongMessage',
  certificate: 'Certificate',
  records: 'WrongRecords',
  health: 'NotServing',
  exit: 'WrongExit',
  output: 'WrongOutput',
  errors: 'ErrorRate',
}

export function isRight(attempt: Attempt): boolean {
  return attempt.kind === 'answer' && attempt.findings.every(finding => finding.holds)
}

/** The tally with one more attempt in it. */
export function count(tally: Tally, attempt: Attempt): Tally {
  const asked = tally.asked + 1
  if (attempt.kind === 'answer') {
    const versions = countVersion(tally.versions, attempt.findings)
    if (attempt.pending === true) return { ...tally, asked, pending: tally.pending + 1, streak: 0, last: attempt, versions }
    return isRight(attempt)
      ? { ...tally, asked, right: tally.right + 1, streak: tally.streak + 1, last: attempt, versions }
      : { ...tally, asked, wrong: tally.wrong + 1, streak: 0, last: attempt, lastWrong: attempt, versions }
  }
  const last = attempt.fault.cutShort === true && tally.last !== undefined ? tally.last : attempt
  return attempt.fault.stage === 'connecting'
    ? { ...tally, asked, unconnected: tally.unconnected + 1, streak: 0, last }
    : { ...tally, asked, unanswered: tally.unanswered + 1, streak: 0, last }
}

/** More versions than this are counted as one: a server that makes up a new one for every answer is not worth the room. */
const VERSIONS_KEPT = 10

function countVersion(versions: Tally['versions'], findings: readonly Finding[]): Tally['versions'] {
  const found = findings.find(finding => finding.kind === 'version')
  if (found === undefined || findings.some(({ kind, holds }) => kind === 'status' && !holds)) return versions
  const name = versions.has(found.came) || versions.size < VERSIONS_KEPT ? found.came : 'others'
  return new Map(versions).set(name, (versions.get(name) ?? 0) + 1)
}

/** The table above. Undefined: ask again. */
export function judgeCheck(tally: Tally, policy: Policy, moment: Moment): CheckVerdict | undefined {
  const { last } = tally
  if (tally.streak >= policy.consecutive) return { result: 'passed', reason: '', because: '' }
  if (last?.kind === 'no-answer' && last.fault.stage === 'unhealable')
    return { result: 'failed', reason: reasonOfUnhealable(last.fault), because: last.fault.problem }
  if (last?.kind === 'no-answer' && last.fault.stage === 'impossible')
    return { result: 'inconclusive', reason: last.fault.code, because: last.fault.problem }
  if (last?.kind === 'answer' && last.final === true && !isRight(last)) return wrong(last, tally)
  if (policy.failureLimit !== undefined && tally.wrong + tally.unanswered > policy.failureLimit) {
    if (last?.kind === 'answer' && !isRight(last) && last.pending !== true) return wrong(last, tally)
    if (last?.kind === 'no-answer' && last.fault.stage === 'answering')
      return { result: 'failed', reason: 'NoAnswer', because: last.fault.problem }
  }
  if (moment === 'cancelled')
    return { result: 'cancelled', reason: 'Cancelled', because: 'was being asked when the run was cancelled' }
  if (moment === 'time-left') return undefined
  if (last === undefined)
    return { result: 'failed', reason: 'Timeout', because: 'was not asked at all: the time was over before' }
  if (last.kind === 'no-answer') {
    const { problem, stage } = last.fault
    if (stage === 'answering') return { result: 'failed', reason: 'NoAnswer', because: problem }
    if (tally.unconnected === tally.asked) return { result: policy.onUnreachable, reason: 'Unreachable', because: problem }
    return { result: 'failed', reason: 'Unreachable', because: `${problem}, though it could be reached before` }
  }
  if (last.pending === true)
    return { result: 'failed', reason: 'NotDone', because: `was not done in time: ${describeDifference(last.findings)}` }
  if (!isRight(last)) return wrong(last, tally)
  const { lastWrong } = tally
  const because = `answered right ${tally.right} of ${tally.asked} times, but never ${policy.consecutive} times in a row`
  return lastWrong === undefined
    ? { result: 'failed', reason: 'Timeout', because }
    : {
        result: 'failed',
        reason: reasonOfWrong(lastWrong),
        because: `${because}: ${describeDifference(lastWrong.findings)}${mixture(tally)}`,
      }
}

function wrong(answer: WrongAnswer, tally: Tally): CheckVerdict {
  const because = `answered wrongly: ${describeDifference(answer.findings)}${mixture(tally)}`
  return { result: 'failed', reason: reasonOfWrong(answer), because }
}

function reasonOfWrong(answer: WrongAnswer): string {
  const finding = answer.findings.find(({ holds }) => !holds)
  return finding === undefined ? 'Timeout' : WRONG[finding.kind]
}

/** Says when several versions answered: the service is shifted in part only. */
function mixture({ versions }: Tally): string {
  if (versions.size < 2) return ''
  return `; several versions answered (${[...versions].map(([version, times]) => `${version}: ${times} times`).join(', ')})`
}

function reasonOfUnhealable(fault: NoAnswer): string {
  return fault.code === 'NOT_TLS' ? 'NotTls' : 'Certificate'
}
