// One request to a registry and its whole answer, of bounded size. Not by fetch: its code takes as long to load as all the rest of a step's start.
import { type IncomingMessage, Agent as PlainAgent, request as requestPlain } from 'node:http'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { proxyFor } from '../runner/proxy.ts'

export interface Request {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Of the answer's body, in bytes. */
  readonly limit?: number
}

export interface Answer {
  readonly status: number
  /** By their names in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

export const TIMEOUT_MS = 10_000
const LARGEST_ANSWER = 256 * 1024
const MOST_REDIRECTS = 5
const REDIRECTS = [301, 302, 303, 307, 308]

/**
 * Follows redirects of GET and HEAD alone: a body, which may hold a token, goes to the host it was meant for and no other. Nor do credentials go to
 * another one: registries lead to storage elsewhere.
 * @throws ExpectedFailure for an answer that is none, the signal's reason, a TimeoutError after 10 s, or node's own errors
 */
export async function exchange(request: Request, signal: AbortSignal | undefined): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  const follows = request.method === 'GET' || request.method === 'HEAD'
  let url = new URL(request.url)
  let headers = { 'user-agent': 'deploy-actions', accept: '*/*', 'accept-encoding': 'identity', ...request.headers }
  for (let redirects = 0; ; redirects++) {
    const answer = await exchangeOnce(url, { ...request, headers }, either)
    const location = answer.headers['location']
    if (!follows || location === undefined || !REDIRECTS.includes(answer.status)) return answer
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
    if (next === undefined || !/^https?:$/.test(next.protocol) || redirects === MOST_REDIRECTS)
      throw new ExpectedFailure('Conflict', `${url.host} leads nowhere: it redirects to "${foreignLine(location, 160)}".`)
    if (next.origin !== url.origin) {
      const { authorization: _, ...others } = headers as Record<string, string>
      headers = others as typeof headers
    }
    url = next
  }
}

async function exchangeOnce(url: URL, request: Request, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await responseTo(url, request, signal)
    const limit = request.limit ?? LARGEST_ANSWER
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit)
        throw new ExpectedFailure('Conflict', `${url.host} sent more than the ${limit} bytes we take for an answer of this kind.`)
      chunks.push(chunk)
    }
    const sent = Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value])
    return { status: response.statusCode ?? 0, headers: Object.fromEntries(sent), body: Buffer.concat(chunks) }
  } catch (error) {
    // A body that is cut off by the signal says no more than that the connection is gone.
    throw signal.aborted ? signal.reason : error
  }
}

async function responseTo(url: URL, { method, headers, body }: Request, signal: AbortSignal): Promise<IncomingMessage> {
  const { request, agent } = await roadTo(url)
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers }, agent, signal })
    sent.once('response', resolve)
    sent.on('error', reject)
    // Node says nothing of a request that has no connection yet when it is called off, or whose connection goes without an answer.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    sent.once('close', () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })))
    sent.end(body)
  })
}

interface HttpRoad {
  readonly request: typeof requestPlain
  readonly agent: PlainAgent
}

/** Connections are kept for the next question, and keep no process alive. */
const KEPT = { keepAlive: true, timeout: TIMEOUT_MS }

/** Plain HTTP is for a registry on this machine, to which no proxy leads. */
const plain: HttpRoad = { request: requestPlain, agent: new PlainAgent(KEPT) }
/** By the proxy's address; empty without one. */
const secured = new Map<string, HttpRoad>()

async function roadTo(url: URL): Promise<HttpRoad> {
  if (url.protocol !== 'https:') return plain
  const port = url.port === '' ? 443 : Number(url.port)
  const proxy = proxyFor(true, url.hostname, port, process.env)?.href ?? ''
  const known = secured.get(proxy)
  if (known !== undefined) return known
  const { Agent, request } = await import('node:https')
  const agent = new Agent({ ...KEPT, ...(proxy === '' ? {} : { proxyEnv: { https_proxy: proxy } }) })
  secured.set(proxy, { request, agent })
  return { request, agent }
}
