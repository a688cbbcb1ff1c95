// The HTTP kind of check: one question to one address, examined against an expectation.
import type { Answer } from './answer.ts'
import { type Expectation, examine } from './expectation.ts'
import { askOverHttp, type HttpQuestion } from './http-request.ts'
import type { Ask } from './run-check.ts'
import { matchesStatus } from './status-pattern.ts'

export interface HttpCheck {
  readonly url: URL
  readonly headers: HttpQuestion['headers']
  readonly expectation: Expectation
  /** Blots out secrets that an answer may repeat. */
  readonly redact: (text: string) => string
  /** Where the proxy variables are. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

/** Asks once, on a fresh connection. */
export function askHttpCheck({ url, headers, expectation, redact, env }: HttpCheck): Ask {
  const isWanted = (status: number): boolean => matchesStatus(expectation.status, status)
  return async (timeoutMs, signal) => {
    const outcome = await askOverHttp({ url, headers, timeoutMs, signal, isWanted, env })
    if (outcome.kind === 'no-answer') return outcome
    const answer = { ms: outcome.answer.ms, label: labelOf(outcome.answer) }
    if (outcome.kind === 'answer') return { kind: 'answer', answer, findings: examine(outcome.answer, expectation, redact) }
    const redirect = {
      kind: 'redirect',
      what: 'redirect',
      expected: 'to an HTTP address, 5 times at most',
      came: outcome.to,
      holds: false,
    } as const
    return { kind: 'answer', answer, findings: [redirect] }
  }
}

/** `200`, or `200 from https://...` after a redirect. */
export function labelOf({ status, redirectedTo }: Answer): string {
  return redirectedTo === undefined ? String(status) : `${status} from ${redirectedTo}`
}
