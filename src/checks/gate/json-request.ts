// One question to a provider's HTTP API, and its answer as JSON, or what was wrong with it.
import { foreignLine } from '../../runner/foreign-text.ts'
import { readJson } from '../answer.ts'
import { askOverHttp, type HttpQuestion } from '../http-request.ts'
import type { Asking, Fault } from './provider.ts'

export interface JsonQuestion extends Pick<HttpQuestion, 'url' | 'method' | 'headers' | 'body' | 'tls' | 'env'> {
  /** Who is asked, in the sentence: "Prometheus". */
  readonly who: string
  /** What the error of an answer says, in the API's own form; undefined where it says nothing. */
  readonly errorIn: (document: unknown) => string | undefined
}

export async function askJson(question: JsonQuestion, asking: Asking): Promise<{ readonly document: unknown } | Fault> {
  const { timeoutMs, signal } = asking
  const headers = [['user-agent', 'deploy-actions/monitoring-gate'], ['accept', 'application/json'], ...question.headers] as const
  const outcome = await askOverHttp({ ...question, headers, timeoutMs, signal, isWanted: () => false })
  const { who } = question
  if (outcome.kind === 'no-answer') {
    const { stage, problem, code } = outcome.fault
    const reason =
      stage === 'connecting' ? 'Unreachable' : stage === 'answering' ? 'NoAnswer' : code === 'NOT_TLS' ? 'NotTls' : 'Certificate'
    return fault(reason, `could not be asked: ${who} ${problem}`, stage === 'connecting' || stage === 'answering')
  }
  if (outcome.kind === 'wrong-redirect')
    return fault('ProviderError', `could not be asked: ${who} redirects ${outcome.to}`, false)
  const { answer } = outcome
  const { status } = answer
  const json = readJson(answer)
  const said = 'document' in json ? question.errorIn(json.document) : undefined
  const quoted = said === undefined ? '' : `: ${foreignLine(said, 300)}`
  if (status === 401 || status === 403)
    return fault('Unauthorized', `could not be asked: ${who} answers ${status}${quoted}; see its credentials`, false)
  if (status === 400) return fault('InvalidQuery', `is a query that ${who} does not take${quoted}`, false)
  if (status < 200 || status > 299) {
    const hint = status === 404 ? '; see its address' : ''
    return fault(
      status === 422 ? 'InvalidQuery' : 'ProviderError',
      `could not be asked: ${who} answers ${status}${quoted}${hint}`,
      true,
    )
  }
  if ('unreadable' in json) {
    const page = /^\s*</.test(answer.body) ? '; is it the page of a login before it?' : ''
    return fault('ProviderError', `could not be read: ${who} gave ${json.unreadable}${page}`, true)
  }
  return json
}

export function fault(reason: string, problem: string, healable: boolean): Fault {
  return { kind: 'fault', reason, problem, healable }
}

/** A field of something that may be anything. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
