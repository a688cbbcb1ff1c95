// What the API server (or the way to it) answered instead of what was asked for, and how that is said to a person.
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

/** One detail of a refusal: which field, why. */
export interface FailureCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

interface ApiFailureDetails {
  readonly causes?: readonly FailureCause[]
  readonly retryAfterMs?: number | undefined
  readonly transient?: boolean
  readonly mayHaveHappened?: boolean
}

/**
 * A request that failed. `status` is the HTTP status, 0 where nobody answered. `reason` is the API server's own word (NotFound, Conflict,
 * Forbidden, Invalid, AlreadyExists, Expired ...), or one of ours: Unreachable, NoAnswer (nothing came in time), Credentials (the auth plugin
 * failed), Certificate (TLS did not come about), NotJson, TooLarge.
 * The message is text of the server's: clean it by foreignLine before it is printed.
 */
export class ApiFailure extends Error {
  readonly status: number
  readonly reason: string
  readonly causes: readonly FailureCause[]
  readonly retryAfterMs: number | undefined
  /** True when the same request may well succeed later. */
  readonly transient: boolean
  /** False when it is certain that the request changed nothing. */
  readonly mayHaveHappened: boolean

  constructor(status: number, reason: string, message: string, details: ApiFailureDetails = {}) {
    super(message)
    this.name = 'ApiFailure'
    this.status = status
    this.reason = reason
    this.causes = details.causes ?? []
    this.retryAfterMs = details.retryAfterMs
    this.transient = details.transient ?? false
    this.mayHaveHappened = details.mayHaveHappened ?? false
  }
}

/** Our words for the kinds of failure in which no API server took part. */
const ON_THE_WAY = ['Unreachable', 'NoAnswer', 'Credentials', 'Certificate']

/** True when the failure lies between us and the API server. */
export function failedOnTheWay(error: unknown): boolean {
  return error instanceof ApiFailure && ON_THE_WAY.includes(error.reason)
}

/** True when the resourceVersion (or the page) asked for is no longer kept by the server: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiFailure && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
}

/** True for the DOMException that an aborted signal is raised with. */
export function isAbort(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'AbortError'
}

interface StatusObject {
  readonly kind?: unknown
  readonly message?: unknown
  readonly reason?: unknown
  readonly code?: unknown
  readonly details?: { readonly causes?: unknown; readonly retryAfterSeconds?: unknown }
}

/** The failure that a Status object tells of, as it comes in an answer's body or in an ERROR event. */
export function failureOfStatus(status: unknown, httpStatus = 0, retryAfterMs?: number): ApiFailure | undefined {
  const said = (typeof status === 'object' && status !== null ? status : {}) as StatusObject
  if (said.kind !== 'Status') return undefined
  const code = httpStatus !== 0 ? httpStatus : typeof said.code === 'number' ? said.code : 500
  const seconds = said.details?.retryAfterSeconds
  const causes = Array.isArray(said.details?.causes) ? said.details.causes.filter(isCause).slice(0, 50) : []
  return failureOfCode(code, typeof said.reason === 'string' ? said.reason : '', textOr(said.message, ''), {
    causes,
    retryAfterMs: retryAfterMs ?? (typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : undefined),
  })
}

/** Fills in what follows from the HTTP status: the reason where none was given, and whether trying again makes sense. */
export function failureOfCode(
  status: number,
  reason: string,
  message: string,
  details: { causes?: readonly FailureCause[]; retryAfterMs?: number | undefined } = {},
): ApiFailure {
  const overloaded = status === 429
  return new ApiFailure(
    status,
    reason === '' ? (REASONS[status] ?? `HTTP${status}`) : reason,
    message === '' ? `HTTP status ${status}` : message,
    {
      ...details,
      transient: overloaded || [502, 503, 504].includes(status) || (status >= 500 && details.retryAfterMs !== undefined),
      mayHaveHappened: status >= 500,
    },
  )
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/**
 * The failure told by `kubectl proxy` itself, which answers 500 in plain text when it can't get through (seen with kubectl 1.34: `dial tcp
 * 127.0.0.1:1: connect: connection refused`, `getting credentials: exec: ...`, `tls: failed to verify certificate: x509: ...`).
 */
export function failureOfProxy(text: string): ApiFailure {
  const message = text.trim()
  if (message.startsWith('getting credentials')) return new ApiFailure(0, 'Credentials', message, { transient: true })
  if (/x509:|\btls:|malformed HTTP/.test(message)) return new ApiFailure(0, 'Certificate', message, { transient: true })
  return new ApiFailure(0, 'Unreachable', message, {
    transient: true,
    mayHaveHappened: !/\bdial (tcp|unix)\b|no such host/.test(message),
  })
}

const FORBIDDEN =
  /User "([^"]*)" cannot (\S+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)"| at the cluster scope)?/

/**
 * Turns what was thrown into a failure a person can act on. `whatWasTried` begins the sentence: `Reading deployment/web in namespace shop`.
 * What is no failure of the API's comes back as it is: an ExpectedFailure already says its piece, and a bug stays a bug.
 */
export function asExpectedFailure(error: unknown, whatWasTried: string): Error {
  if (isAbort(error)) return new ExpectedFailure('Cancelled', `${whatWasTried} was cancelled.`, { cause: error })
  if (!(error instanceof ApiFailure)) return error instanceof Error ? error : new Error(messageOf(error))
  const { reason, advice } = explain(error)
  return new ExpectedFailure(reason, `${whatWasTried} failed: ${advice}`, { cause: error })
}

function explain(failure: ApiFailure): { reason: string; advice: string } {
  const said = foreignLine(failure.message).replace(/[.\s]*$/, '')
  switch (failure.reason) {
    case 'Forbidden':
      return { reason: 'Forbidden', advice: explainForbidden(failure.message, said) }
    case 'Unauthorized':
      return {
        reason: 'Unauthorized',
        advice:
          'the API server refused the credentials (401 Unauthorized). They may have expired, or belong to another cluster; make new ones.',
      }
    case 'Unreachable':
    case 'NoAnswer':
      return {
        reason: 'Unreachable',
        advice: `the API server could not be reached (${said}). Check that the cluster is up and that this runner may reach it.`,
      }
    case 'Credentials':
      return { reason: 'Unauthorized', advice: `the kubeconfig's auth plugin gave no credentials (${said}).` }
    case 'Certificate':
      return { reason: 'Unreachable', advice: `no trusted connection to the API server came about (${said}).` }
    case 'NotFound': {
      const namespace = /^namespaces "([^"]+)" not found/.exec(failure.message)?.[1]
      return {
        reason: 'NotFound',
        advice:
          namespace === undefined
            ? `${said}.`
            : `there is no namespace ${foreignLine(namespace)}. Create it first, or correct it in the manifest or the input "namespace".`,
      }
    }
    case 'Conflict':
      return { reason: 'Conflict', advice: `${said}${causesOf(failure, said)}.` }
    case 'Invalid':
    case 'BadRequest':
      return { reason: 'InvalidInput', advice: `the API server refused it: ${said}${causesOf(failure, said)}.` }
    case 'TooManyRequests':
      return { reason: 'Unreachable', advice: `the API server is overloaded and kept putting us off (${said}). Try again later.` }
    default:
      return { reason: failure.reason, advice: `${said}.` }
  }
}

/** A refusal by the access rules names what is missing; one by a quota or an admission rule has words of its own. */
function explainForbidden(message: string, said: string): string {
  const match = FORBIDDEN.exec(message)
  if (match === null) return `${said}.`
  const [user = '', verb = '', resource = '', group = '', namespace] = match
    .slice(1)
    .map(part => (part === undefined ? undefined : foreignLine(part)))
  const what = group === '' ? resource : `${resource}.${group}`
  return namespace === undefined
    ? `${user} may not ${verb} ${what} in the cluster. A ClusterRole with the verb "${verb}" on "${what}", bound to it, would allow that.`
    : `${user} may not ${verb} ${what} in namespace ${namespace}. A Role with the verb "${verb}" on "${what}" there, bound to it, would allow that.`
}

/** The details of a refusal, unless its message names them already. */
function causesOf(failure: ApiFailure, said: string): string {
  const details = failure.causes.map(cause =>
    [cause.field ?? '', cause.message ?? '']
      .filter(part => part !== '')
      .map(part => foreignLine(part))
      .join(': '),
  )
  const more = failure.causes.every(cause => said.includes(foreignLine(cause.message ?? '')))
    ? []
    : details.filter(text => text !== '')
  if (more.length === 0) return ''
  return ` (${more.slice(0, 3).join('; ')}${more.length > 3 ? `; and ${more.length - 3} more` : ''})`
}

function isCause(value: unknown): value is FailureCause {
  return typeof value === 'object' && value !== null
}

function textOr(value: unknown, other: string): string {
  return typeof value === 'string' ? value : other
}
