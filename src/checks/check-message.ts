// How a check ended, in one sentence on what was seen and one on what to do about it.
import { formatShort } from './check-report.ts'
import type { CheckRun } from './run-check.ts'

/** What to do about it, where the verdict itself does not say. */
const ADVICE: Readonly<Record<string, string>> = {
  Unreachable: 'See whether the address is right, its server is up, and this runner may reach it.',
  NoAnswer: "See the app's log; if it was still starting, give a longer timeout.",
  WrongStatus: "See the app's log; if it was still starting, give a longer timeout.",
  WrongBody: 'See whether the app or the test is right; if the app was still starting, give a longer timeout.',
  WrongJson: 'See whether the app or the test is right; if the app was still starting, give a longer timeout.',
  WrongVersion: 'See whether the rollout is over and no old pod is left behind this address.',
  WrongHeader: 'See whether the app or the test is right; if the app was still starting, give a longer timeout.',
  WrongEvent: "See the app's log, and whether something on the way holds the stream back.",
  WrongMessage: "See the app's log.",
  WrongExit: 'See what the program printed.',
  WrongOutput: 'See what the program printed.',
  NotDone: "See the app's log for what it is waiting for; if it only takes longer, give a longer timeout.",
  TooSlow: "See the app's load, and whether the limit is one it can meet.",
  ErrorRate: "See the app's log.",
  NotServing: "See the app's log.",
  WrongRedirect: 'See where the app sends its clients.',
  Timeout: 'Give a longer timeout, or ask for fewer answers in a row.',
}

/** One sentence on what was seen, and one on what to do about it. */
export function messageOfRun(run: CheckRun, address: string, asked: string, inARow: string): string {
  const { verdict, tally, elapsedMs } = run
  const requests = `${tally.asked} ${tally.asked === 1 ? 'request' : 'requests'} in ${formatShort(elapsedMs)}`
  if (verdict.result === 'passed') return `${address} answered as asked${inARow}: ${asked} (${requests}).`
  if (verdict.result === 'cancelled') return `The test of ${address} was cancelled after ${requests}.`
  const advice = ADVICE[verdict.reason]
  return `${address} ${verdict.because} (${requests}).${advice === undefined ? '' : ` ${advice}`}`
}
