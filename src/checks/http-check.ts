// The HTTP kind of check: one question to one address, examined against an expectation.
import { type Expectation, examine } from './expectation.ts'
import { askOverHttp, type HttpQuestion } from './http-request.ts'
import type { Ask } from './run-check.ts'
import { matchesStatus } from './status-pattern.ts'

export interface HttpCheck {
  readonly url: URL
  readonly headers: HttpQuestion['headers']
  readonly expectation: Expectation
}

/** Asks once, on a fresh connection. */
export function askHttpCheck({ url, headers, expectation }: HttpCheck): Ask {
  const isWanted = (status: number): boolean => matchesStatus(expectation.status, status)
  return async (timeoutMs, signal) => {
    const outcome = await askOverHttp({ url, headers, timeoutMs, signal, isWanted })
    if (outcome.kind === 'no-answer') return outcome
    const findings = examine(outcome.answer, expectation)
    if (outcome.kind === 'answer') return { kind: 'answer', answer: outcome.answer, findings }
    const redirect = {
      kind: 'redirect',
      what: 'redirect',
      expected: 'to an HTTP address',
      came: outcome.to,
      excerpt: false,
      holds: false,
    } as const
    return { kind: 'answer', answer: outcome.answer, findings: [redirect, ...findings] }
  }
}
