// What a server answered, and how one try to ask it ended.

import { foreignLine } from '../runner/foreign-text.ts'
import type { Finding } from './expectation.ts'

/** The part of an answer that expectations look at. */
export interface AnswerContent {
  readonly status: number
  /** Names in lower case, as node:http gives them. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body as UTF-8, its first MiB. */
  readonly body: string
  /** True when the body went on after what was kept. */
  readonly truncated: boolean
}

/** What was read of a stream of events. */
export interface EventStream {
  readonly events: number
  /** From the start of the request; undefined where no event came. */
  readonly firstMs: number | undefined
  /** The findings of the event that matched, or of the last that did not. */
  readonly matched: readonly Finding[]
  /** The server ended it. */
  readonly ended: boolean
}

export interface Answer extends AnswerContent {
  /** From the first request to the last byte read, redirects included. */
  readonly ms: number
  /** The address that answered in the end, when it was a redirect's. */
  readonly redirectedTo?: string
  /** In place of a body, where a stream was asked for. */
  readonly stream?: EventStream
}

/** How far a request came that got no answer. */
export type Stage =
  /** The name was not found, or no connection was made: the runner's side may be to blame. */
  | 'connecting'
  /** The connection stood, but no whole answer came. */
  | 'answering'
  /** Asking again cannot help: the certificate, or a server that speaks no TLS. */
  | 'unhealable'
  /** The check cannot be made from here: a program that is not installed, a right that is missing, a file that cannot be read. */
  | 'impossible'

export interface NoAnswer {
  readonly stage: Stage
  /** The system's own word: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED, ETIMEDOUT. */
  readonly code: string
  /** What happened, to be said after the address: "refused the connection". */
  readonly problem: string
  readonly ms: number
  /** The time given to the request was shorter than usual because the check's own was over. */
  readonly cutShort?: boolean
}

/** The body as JSON, or what it is instead. */
export function readJson(answer: AnswerContent): { readonly document: unknown } | { readonly unreadable: string } {
  if (answer.truncated) return { unreadable: 'a body longer than 1 MiB, which is not read as JSON' }
  try {
    return { document: JSON.parse(answer.body) }
  } catch {
    return { unreadable: answer.body.trim() === '' ? 'an empty body' : 'a body that is no JSON' }
  }
}

/** Foreign text in quotes, on one line, cut. */
export function quoted(text: string, limit = 120): string {
  return `"${foreignLine(text, limit)}"`
}
