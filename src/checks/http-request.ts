// One request, fresh connections: redirects followed, credentials kept from other hosts, the body's first MiB, a hard limit in time.
import type { Readable } from 'node:stream'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Answer, NoAnswer, Stage } from './answer.ts'
import { type ClusterService, isOf } from './cluster-service.ts'
import { type Exchange, type ExchangeRequest, exchange, type Reach } from './net/exchange.ts'
import { explainError, explainTimeout } from './net/explain-error.ts'
import { RoadError } from './net/open.ts'

export interface HttpQuestion extends Reach {
  readonly url: URL
  /** GET where nothing is said. */
  readonly method?: string | undefined
  /** Sent to the host asked and to no other. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** A redirect with a status that is wanted as it is is not followed. */
  readonly isWanted: (status: number) => boolean
  /** How many redirects are followed; 5 where nothing is said. */
  readonly redirects?: number | undefined
  /** What is asked over a socket: redirects stay with it. */
  readonly service?: ClusterService | undefined
  /** Reads the body of a wanted answer in place of keeping its first MiB. */
  readonly readStream?: ((body: Readable) => Promise<Partial<Answer>>) | undefined
}

type Hop = ExchangeRequest &
  Pick<HttpQuestion, 'timeoutMs' | 'signal' | 'service' | 'readStream'> & { readonly isStream: (status: number) => boolean }

/** `wrong-redirect`: the server sends us somewhere we do not go; `to` says where and why. */
export type HttpOutcome =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'wrong-redirect'; readonly answer: Answer; readonly to: string }
  | { readonly kind: 'no-answer'; readonly fault: NoAnswer }

const BODY_LIMIT = 1024 * 1024
const REDIRECTS = 5
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308])
/** Never throws; ends within `timeoutMs`. */
export async function askOverHttp(question: HttpQuestion): Promise<HttpOutcome> {
  const started = performance.now()
  const elapsed = (): number => Math.round((performance.now() - started) * 10) / 10
  const most = question.redirects ?? REDIRECTS
  const isStream = (status: number): boolean => question.readStream !== undefined && question.isWanted(status)
  let hop: Hop = { ...question, method: question.method ?? 'GET', isStream }
  for (let hops = 0; ; hops++) {
    const { url } = hop
    const step = await askOnce({ ...hop, timeoutMs: question.timeoutMs - elapsed() })
    if ('stage' in step) return { kind: 'no-answer', fault: { ...(hops === 0 ? step : afterRedirect(step, url)), ms: elapsed() } }
    const answer: Answer = { ...step, ms: elapsed(), ...(hops === 0 ? {} : { redirectedTo: foreignLine(url.href, 200) }) }
    const location = [step.headers['location'] ?? []].flat()[0]
    if (!REDIRECT_STATUS.has(step.status) || location === undefined || question.isWanted(step.status) || most === 0)
      return { kind: 'answer', answer }
    const target = redirectTarget(location, url)
    if (typeof target === 'string') return { kind: 'wrong-redirect', answer, to: target }
    if (hops === most)
      return { kind: 'wrong-redirect', answer, to: `more than ${most} times, at last to ${foreignLine(target.href, 200)}` }
    const next = hopTo(target, hop, step.status)
    if (typeof next === 'string') return { kind: 'wrong-redirect', answer, to: next }
    hop = next
  }
}

/** The next request of a redirect. To another host go neither headers, nor a body, nor the client's certificate, nor the address given for the first. */
function hopTo(url: URL, from: Hop, status: number): Hop | string {
  // Beside the Service the socket leads to all that an API server answers, with the rights of whoever deploys.
  if (from.socketPath !== undefined && (from.service === undefined || !isOf(from.service, url)))
    return `out of ${from.service?.shown ?? 'the socket'}, beside which nothing is asked, to ${foreignLine(url.href, 200)}`
  const keepsMethod = status === 307 || status === 308 || from.method === 'GET' || from.method === 'HEAD'
  const method = keepsMethod ? from.method : 'GET'
  const body = keepsMethod ? from.body : undefined
  const headers = body === from.body ? from.headers : from.headers.filter(([name]) => !/^content-/i.test(name))
  if (mayCarryHeaders(from.url, url)) {
    const sameHost = from.url.origin === url.origin
    return { ...from, url, method, body, headers, resolve: sameHost ? from.resolve : undefined }
  }
  if (body !== undefined)
    return `to another host by status ${status}, which asks for the body to be sent there: ${foreignLine(url.href, 200)}`
  const { tls } = from
  return {
    ...from,
    url,
    method,
    body,
    headers: [],
    resolve: undefined,
    tls: tls && { ca: tls.ca, verify: tls.verify },
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

function askOnce(question: Hop): Promise<Step> {
  return new Promise(resolve => {
    let stage: Stage = 'connecting'
    let settled = false
    let open: Exchange | undefined
    const ending = new AbortController()
    const settle = (step: Step): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      question.signal.removeEventListener('abort', onAbort)
      ending.abort()
      open?.close()
      resolve(step)
    }
    const onAbort = (): void => settle({ stage: 'answering', code: 'ABORTED', problem: 'was not waited for any longer' })
    const timer = setTimeout(() => settle(explainTimeout(question.timeoutMs, stage)), Math.max(1, question.timeoutMs))
    question.signal.addEventListener('abort', onAbort)
    if (question.signal.aborted) return onAbort()
    const ask = async (): Promise<Step> => {
      const reached = (now: Stage): void => {
        stage = now
      }
      open = await exchange(question, ending.signal, reached)
      const { status, headers, body } = open
      if (!question.isStream(status)) return { status, headers, ...(await readBody(body)) }
      return { status, headers, body: '', truncated: false, ...(await question.readStream?.(body)) }
    }
    ask().then(settle, error => {
      if (settled) return
      if (error instanceof RoadError) settle(explainError(error.cause, error.stage))
      else settle(explainError(error as NodeJS.ErrnoException, stage))
    })
  })
}

function readBody(stream: Readable): Promise<{ readonly body: string; readonly truncated: boolean }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const done = (truncated: boolean): void =>
      resolve({ body: Buffer.concat(chunks).subarray(0, BODY_LIMIT).toString(), truncated })
    stream.on('data', (chunk: Buffer) => {
      if (length > BODY_LIMIT) return
      chunks.push(chunk)
      length += chunk.length
      if (length > BODY_LIMIT) done(true)
    })
    stream.on('end', () => done(false))
    stream.on('error', reject)
  })
}
