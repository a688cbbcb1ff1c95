// One GET on a fresh connection: redirects followed, credentials kept from other hosts, the body's first MiB, a hard limit in time.
import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Socket, TcpNetConnectOpts } from 'node:net'
import type { Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip } from 'node:zlib'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Answer, NoAnswer, Stage } from './answer.ts'

export interface HttpQuestion {
  readonly url: URL
  /** Sent to the host asked and to no other. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** A redirect with a status that is wanted as it is is not followed. */
  readonly isWanted: (status: number) => boolean
}

/** `wrong-redirect`: the server sends us somewhere we do not go; `to` says where and why. */
export type HttpOutcome =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'wrong-redirect'; readonly answer: Answer; readonly to: string }
  | { readonly kind: 'no-answer'; readonly fault: NoAnswer }

const BODY_LIMIT = 1024 * 1024
const REDIRECTS = 5
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308])
/** Time for one of several addresses of a host before the next is tried as well: node's own 250 ms is short for a far host. */
const FAMILY_ATTEMPT_MS = 1_000

/** Never throws; ends within `timeoutMs`. */
export async function askOverHttp(question: HttpQuestion): Promise<HttpOutcome> {
  const started = performance.now()
  const elapsed = (): number => Math.round((performance.now() - started) * 10) / 10
  let url = question.url
  let headers = question.headers
  for (let hops = 0; ; hops++) {
    const step = await askOnce({ ...question, url, headers, timeoutMs: question.timeoutMs - elapsed() })
    if ('stage' in step) return { kind: 'no-answer', fault: { ...(hops === 0 ? step : afterRedirect(step, url)), ms: elapsed() } }
    const answer: Answer = { ...step, ms: elapsed(), ...(hops === 0 ? {} : { redirectedTo: foreignLine(url.href, 200) }) }
    const location = [step.headers['location'] ?? []].flat()[0]
    if (!REDIRECT_STATUS.has(step.status) || location === undefined || question.isWanted(step.status))
      return { kind: 'answer', answer }
    const target = redirectTarget(location, url)
    if (typeof target === 'string') return { kind: 'wrong-redirect', answer, to: target }
    if (hops === REDIRECTS)
      return { kind: 'wrong-redirect', answer, to: `more than ${REDIRECTS} times, at last to ${foreignLine(target.href, 200)}` }
    if (!mayCarryHeaders(url, target)) headers = []
    url = target
  }
}

/**
 * The user's headers go on to the same origin, and from http to https of the same host on the usual ports. They never come back once dropped: any header
 * may be a credential, whatever its name.
 */
export function mayCarryHeaders(from: URL, to: URL): boolean {
  return (
    from.origin === to.origin ||
    (from.hostname === to.hostname && from.protocol === 'http:' && to.protocol === 'https:' && from.port === '' && to.port === '')
  )
}

/** Where a Location leads, without the credentials it may name; a text says why we do not go there. */
export function redirectTarget(location: string, from: URL): URL | string {
  const target = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
  if (target === undefined) return `to an address that is none: "${foreignLine(location, 200)}"`
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    return `to an address that is not HTTP: ${foreignLine(target.href, 200)}`
  target.username = ''
  target.password = ''
  return target
}

/** The host asked was reached: that the next one was not is no matter of the runner's side. */
function afterRedirect(step: Omit<NoAnswer, 'ms'>, url: URL): Omit<NoAnswer, 'ms'> {
  return {
    ...step,
    stage: step.stage === 'connecting' ? 'answering' : step.stage,
    problem: `redirects to ${foreignLine(url.href, 200)}, which ${step.problem}`,
  }
}

type Step = Omit<Answer, 'ms' | 'redirectedTo'> | Omit<NoAnswer, 'ms'>

function askOnce(question: HttpQuestion): Promise<Step> {
  return new Promise(resolve => {
    let stage: Stage = 'connecting'
    let settled = false
    let request: ClientRequest | undefined
    const settle = (step: Step): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      question.signal.removeEventListener('abort', onAbort)
      request?.destroy()
      resolve(step)
    }
    const fail = (error: NodeJS.ErrnoException): void => settle(explainError(error, stage))
    const onAbort = (): void => settle({ stage: 'answering', code: 'ABORTED', problem: 'was not waited for any longer' })
    const timer = setTimeout(() => settle(explainTimeout(question.timeoutMs, stage)), Math.max(1, question.timeoutMs))
    question.signal.addEventListener('abort', onAbort)
    if (question.signal.aborted) return onAbort()
    try {
      const secure = question.url.protocol === 'https:'
      const options: RequestOptions & Pick<TcpNetConnectOpts, 'autoSelectFamilyAttemptTimeout'> = {
        agent: false,
        autoSelectFamilyAttemptTimeout: FAMILY_ATTEMPT_MS,
        headers: collectHeaders(question.headers),
        maxHeaderSize: 64 * 1024,
      }
      request = (secure ? requestTls : requestPlain)(question.url, options)
      request.on('socket', (socket: Socket) => socket.once('connect', () => (stage = 'answering')))
      request.on('error', fail)
      request.on('response', response => void readBody(response).then(body => settle(contentOf(response, body)), fail))
      request.end()
    } catch (error) {
      fail(error as NodeJS.ErrnoException)
    }
  })
}

const OWN_HEADERS = [
  ['accept', '*/*'],
  ['accept-encoding', 'identity'],
  ['user-agent', 'deploy-actions/smoke-test'],
] as const

function collectHeaders(given: HttpQuestion['headers']): Record<string, string | string[]> {
  const all = new Map<string, string[]>(OWN_HEADERS.map(([name, value]) => [name, [value]]))
  for (const name of new Set(given.map(([name]) => name.toLowerCase()))) {
    all.set(
      name,
      given.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value),
    )
  }
  return Object.fromEntries([...all].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]))
}

interface Body {
  readonly text: string
  readonly truncated: boolean
}

function readBody(response: IncomingMessage): Promise<Body> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const done = (truncated: boolean): void => {
      resolve({ text: Buffer.concat(chunks).subarray(0, BODY_LIMIT).toString(), truncated })
      stream.destroy()
      response.destroy()
    }
    const stream = unpacked(response)
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > BODY_LIMIT) done(true)
    })
    stream.on('end', () => done(false))
    for (const source of new Set([stream, response])) source.on('error', reject)
    response.on('aborted', () => reject(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })))
  })
}

/** Some servers pack a body although `identity` was asked for. */
function unpacked(response: IncomingMessage): Readable {
  const encoding = (response.headers['content-encoding'] ?? '').toLowerCase()
  if (encoding === 'gzip' || encoding === 'x-gzip' || encoding === 'deflate') return response.pipe(createUnzip())
  return encoding === 'br' ? response.pipe(createBrotliDecompress()) : response
}

function contentOf(response: IncomingMessage, body: Body): Step {
  return { status: response.statusCode ?? 0, headers: response.headers, body: body.text, truncated: body.truncated }
}

function explainTimeout(timeoutMs: number, stage: Stage): Step {
  const seconds = `${(timeoutMs / 1_000).toFixed(1)} s`
  return stage === 'connecting'
    ? { stage, code: 'ETIMEDOUT', problem: `took no connection within ${seconds}` }
    : { stage, code: 'TIMEOUT', problem: `gave no whole answer within ${seconds}` }
}

/** What a code of the system means, to be said after the address. Codes of X.509 are those of OpenSSL's verify. */
const PROBLEMS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'has a host name that DNS does not know',
  EAI_AGAIN: 'has a host name that DNS could not look up now',
  ECONNREFUSED: 'refused the connection',
  EHOSTUNREACH: 'has no route to its host',
  ENETUNREACH: 'has no route to its network',
  EADDRNOTAVAIL: 'has no route to its host',
  ETIMEDOUT: 'took no connection in time',
  ECONNRESET: 'closed the connection before the whole answer',
  EPIPE: 'closed the connection before the whole answer',
  CERT_HAS_EXPIRED: 'has a certificate that has expired',
  CERT_NOT_YET_VALID: 'has a certificate that is not valid yet',
  CERT_REVOKED: 'has a certificate that was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'has a self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'has a certificate of an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'has a certificate whose chain is incomplete or not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'has a certificate whose chain is incomplete or not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'has a certificate whose chain is incomplete or not trusted here',
}

const CERTIFICATE_CODES =
  /^(?:CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERROR_IN_CERT_\w+|ERR_TLS_CERT_ALTNAME_\w+)$/

/** Errors of node's network stack as a stage and a clause. An AggregateError (IPv4 and IPv6 both failed) bears the code of its first. */
export function explainError(error: NodeJS.ErrnoException, stage: Stage): Omit<NoAnswer, 'ms'> {
  const code = error.code ?? error.name
  if (CERTIFICATE_CODES.test(code)) {
    const trust =
      code.includes('SELF_SIGNED') || code.includes('UNABLE_TO')
        ? '; to trust its authority set NODE_EXTRA_CA_CERTS to a PEM file'
        : ''
    const problem = code.startsWith('ERR_TLS_CERT_ALTNAME')
      ? `has a certificate for another name (${foreignLine((error as { reason?: string }).reason ?? error.message, 200)})`
      : (PROBLEMS[code] ?? `has a certificate that cannot be trusted (${code})`)
    return { stage: 'unhealable', code, problem: `${problem}${trust}` }
  }
  if (
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' ||
    (code === 'EPROTO' && error.message.includes('wrong version number'))
  )
    return { stage: 'unhealable', code: 'NOT_TLS', problem: 'speaks no TLS; is it http:// and not https://?' }
  const problem = code.startsWith('HPE_') ? `gave an answer that is not HTTP (${code})` : PROBLEMS[code]
  return {
    stage,
    code,
    problem: problem ?? `gave no answer (${foreignLine(code === '' ? error.message : code, 200)})`,
  }
}
