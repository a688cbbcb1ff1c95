// One request and the head of its answer, over HTTP/1.1 or HTTP/2, on a fresh connection. The body is left to be read.
import { request as requestPlain } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { createBrotliDecompress, createUnzip } from 'node:zlib'
import { proxyFor } from '../../runner/proxy.ts'
import type { Stage } from '../answer.ts'
import { openConnection, proxyAuthorization, type Road, RoadError, type TlsSettings } from './open.ts'

/** How a host is reached. */
export interface Reach {
  readonly tls?: TlsSettings | undefined
  /** See Road. */
  readonly resolve?: string | undefined
  readonly http2?: boolean | undefined
  /** Where the proxy variables are. */
  readonly env?: NodeJS.ProcessEnv | undefined
  /** A unix socket that leads to the host. */
  readonly socketPath?: string | undefined
}

export interface ExchangeRequest extends Reach {
  readonly url: URL
  readonly method: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer | undefined
}

export interface Exchange {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Unpacked where the server has packed it. */
  readonly body: Readable
  /** Trailers, once the body has ended (HTTP/2). */
  trailers(): Readonly<Record<string, string | string[] | undefined>>
  close(): void
}

const LARGEST_HEADERS = 64 * 1024
const OWN_HEADERS = [
  ['accept', '*/*'],
  ['accept-encoding', 'identity'],
  ['user-agent', 'deploy-actions/smoke-test'],
] as const

/** @throws RoadError before there is a connection, node's own errors after that, the signal's reason when it is raised */
export async function exchange(
  request: ExchangeRequest,
  signal: AbortSignal,
  onStage: (stage: Stage) => void = () => undefined,
): Promise<Exchange> {
  const { url } = request
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  const direct = request.socketPath !== undefined || request.resolve !== undefined
  const proxy = direct ? undefined : proxyFor(secure, url.hostname, port, request.env ?? {})
  // A proxy may forbid CONNECT to anything but 443: plain HTTP is asked of it by its whole address.
  const byAddress = proxy !== undefined && !secure && request.http2 !== true
  const road: Road = byAddress
    ? proxyRoad(proxy)
    : { ...request, host: url.hostname, port, tls: secure ? (request.tls ?? {}) : undefined, proxy }
  const socket = await openConnection({ ...road, alpn: request.http2 === true ? ['h2'] : ['http/1.1'] }, signal, onStage).catch(
    error => {
      if (byAddress && error instanceof RoadError)
        throw new RoadError(
          Object.assign(new Error(`the proxy ${proxy.host}: ${error.cause.code ?? error.message}`), { code: 'PROXY' }),
          'connecting',
        )
      throw error
    },
  )
  if (request.http2 === true) return overHttp2(request, socket, secure, signal)
  const more = byAddress ? Object.entries(proxyAuthorization(proxy)) : []
  return overHttp1(request, socket, byAddress ? url.href : url.pathname + url.search, more, secure, signal)
}

function proxyRoad(proxy: URL): Road {
  const secure = proxy.protocol === 'https:'
  return {
    host: proxy.hostname,
    port: proxy.port === '' ? (secure ? 443 : 80) : Number(proxy.port),
    ...(secure ? { tls: {} } : {}),
  }
}

function overHttp1(
  { url, method, headers, body }: ExchangeRequest,
  socket: Socket,
  path: string,
  more: readonly (readonly [string, string])[],
  secure: boolean,
  signal: AbortSignal,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const close = (): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
    }
    const fail = (error: Error): void => {
      close()
      reject(error)
    }
    try {
      const request = requestPlain({
        createConnection: () => socket,
        host: url.hostname,
        port: url.port === '' ? undefined : Number(url.port),
        defaultPort: secure ? 443 : 80,
        method,
        path,
        headers: {
          ...collectHeaders([...headers, ...more]),
          ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        },
        maxHeaderSize: LARGEST_HEADERS,
      })
      request.on('error', fail)
      request.on('response', response => {
        const packed = unpacked(response, response.headers['content-encoding'])
        response.on('aborted', () => packed.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })))
        if (packed !== response) response.on('error', error => packed.destroy(error))
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: packed,
          trailers: () => response.trailers,
          close: () => {
            packed.on('error', () => undefined).destroy()
            close()
          },
        })
      })
      request.end(body)
    } catch (error) {
      fail(error as Error)
    }
  })
}

/** These belong to a connection of HTTP/1.1 alone (RFC 9113, section 8.2.2). */
const HTTP1_HEADERS = new Set(['host', 'connection', 'transfer-encoding', 'keep-alive', 'upgrade'])

function overHttp2(
  { url, method, headers, body }: ExchangeRequest,
  socket: Socket,
  secure: boolean,
  signal: AbortSignal,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    if (secure && (socket as Socket & { alpnProtocol?: unknown }).alpnProtocol !== 'h2') {
      socket.destroy()
      return reject(Object.assign(new Error('no HTTP/2'), { code: 'NO_HTTP2' }))
    }
    let session: ClientHttp2Session | undefined
    const close = (): void => {
      signal.removeEventListener('abort', onAbort)
      session?.destroy()
      socket.destroy()
    }
    const onAbort = (): void => {
      close()
      reject(signal.reason)
    }
    const fail = (error: Error): void => {
      close()
      reject(error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    session = connectHttp2(url.origin, { createConnection: () => socket, maxHeaderListPairs: 2_000 })
    session.on('error', fail)
    const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1]
    const stream = session.request({
      ...collectHeaders(headers.filter(([name]) => !HTTP1_HEADERS.has(name.toLowerCase()))),
      [constants.HTTP2_HEADER_METHOD]: method,
      [constants.HTTP2_HEADER_PATH]: url.pathname + url.search,
      [constants.HTTP2_HEADER_SCHEME]: secure ? 'https' : 'http',
      [constants.HTTP2_HEADER_AUTHORITY]: host ?? url.host,
      ...(body === undefined ? {} : { 'content-length': String(body.length) }),
    })
    let trailers: Readonly<Record<string, string | string[] | undefined>> = {}
    stream.on('error', fail)
    // A stream that is reset before its head says so by closing alone.
    stream.on('close', () => fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
    stream.on('trailers', given => {
      trailers = given
    })
    stream.on('response', head => {
      const packed = unpacked(stream, head['content-encoding'])
      if (packed !== stream) stream.on('error', error => packed.destroy(error))
      const end = (): void => {
        packed.on('error', () => undefined).destroy()
        close()
      }
      resolve({
        status: head[':status'] ?? 0,
        headers: head,
        body: packed,
        trailers: () => ({ ...head, ...trailers }),
        close: end,
      })
    })
    stream.end(body)
  })
}

/** Own headers, those given in their place, several of one name together. */
export function collectHeaders(given: ExchangeRequest['headers']): Record<string, string | string[]> {
  const all = new Map<string, string[]>(OWN_HEADERS.map(([name, value]) => [name, [value]]))
  for (const name of new Set(given.map(([name]) => name.toLowerCase()))) {
    all.set(
      name,
      given.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value),
    )
  }
  return Object.fromEntries([...all].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]))
}

/** Some servers pack a body although `identity` was asked for. */
function unpacked(body: Readable, encoding: string | undefined): Readable {
  const name = (encoding ?? '').toLowerCase()
  if (name === 'gzip' || name === 'x-gzip' || name === 'deflate') return body.pipe(createUnzip())
  return name === 'br' ? body.pipe(createBrotliDecompress()) : body
}
