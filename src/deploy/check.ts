// What checks make of a release that is up: it is verified, refused, or it could not be told. The engine knows no check; a platform's action gives it one.
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import type { DeployReport } from './engine.ts'

/** A check's word on what is live. Texts are safe to print. */
export interface Checked {
  readonly result: 'passed' | 'failed' | 'inconclusive' | 'cancelled'
  readonly reason: string
  readonly message: string
  /** Markdown for the report. */
  readonly summary: string
}

/** Where a release stands that is not all the way up yet. */
export interface StageOfCheck {
  /** In the platform's own word, such as `POST_TEST_TRAFFIC_SHIFT`. */
  readonly stage: string
  /** Raised when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** Checks the new release at a stage of it or once it is stable, or the old one after it was put back. Undefined: there is nothing to check of that. */
export type Check = (live: 'new' | 'restored', at?: StageOfCheck) => Promise<Checked | undefined>

export interface CheckOptions {
  readonly check?: Check | undefined
  /** How a release ends whose checks could not be told: red, or green with a warning. It stays in either case. */
  readonly onInconclusive?: 'fail' | 'warn'
}

/** Runs the check, where there is one. A check that breaks says nothing of what it was to check. */
export async function checkLive(
  { check }: CheckOptions,
  live: 'new' | 'restored',
  at?: StageOfCheck,
): Promise<Checked | undefined> {
  try {
    return await (at === undefined ? check?.(live) : check?.(live, at))
  } catch (error) {
    const expected = error instanceof ExpectedFailure
    const reason = expected ? error.reason : 'InternalError'
    const message = expected ? error.message : `This is a bug in deploy-actions, please report it: ${messageOf(error)}.`
    return { result: reason === 'Cancelled' ? 'cancelled' : 'inconclusive', reason, message, summary: '' }
  }
}

/** Whether the release is to go: it was found bad, or the user has cancelled while it was checked. */
export function isRefused(checked: Checked | undefined): checked is Checked & { readonly result: 'failed' | 'cancelled' } {
  return checked?.result === 'failed' || checked?.result === 'cancelled'
}

type Standing = Pick<DeployReport, 'result' | 'reason' | 'message' | 'checks'>

/** How a run ends whose release stays where it is. `good` is its end without a check. */
export function standing(
  good: Pick<DeployReport, 'result' | 'message'>,
  checked: Checked | undefined,
  { onInconclusive }: CheckOptions,
): Standing {
  if (checked === undefined) return { ...good, reason: '', checks: [] }
  const { result, reason } = checked
  const common = { reason, checks: [checked] }
  if (result === 'passed') return { ...good, ...common, message: `${good.message} ${checked.message}` }
  if (result !== 'inconclusive')
    return { ...common, result, message: `${good.message} But its checks did not pass: ${checked.message}` }
  const message = `${good.message} Whether it is good could not be told, so it stays and is not marked verified: ${checked.message}`
  return { ...common, result: onInconclusive === 'warn' ? good.result : 'failed', message }
}

/** What the same checks say of the old version. That it fails them too is no reason to touch it again. */
export function afterRestore(checked: Checked | undefined): string {
  switch (checked?.result) {
    case 'passed':
      return ' Its checks pass.'
    case 'failed':
      return ` BUT THE CHECKS FAIL ON IT TOO, so the fault may lie in them or elsewhere: ${checked.message}`
    case 'inconclusive':
      return ` Whether its checks pass could not be told: ${checked.message}`
    default:
      return ''
  }
}
