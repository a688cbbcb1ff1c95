// Opens one fresh connection: TCP, through a proxy where there is one, TLS on top where it is asked for. It knows at each moment how far it has come.
import { type ClientRequest, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls, getCACertificates, type TLSSocket } from 'node:tls'
import type { Stage } from '../answer.ts'

/** What is trusted, and what is shown of oneself; texts are PEM. */
export interface TlsSettings {
  /** Trusted besides the usual authorities. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly serverName?: string | undefined
  readonly verify?: boolean | undefined
}

/** Where a connection goes to. */
export interface Road {
  /** As a URL has it; an IPv6 address in brackets. */
  readonly host: string
  readonly port: number
  /** Undefined: no TLS. */
  readonly tls?: TlsSettings | undefined
  readonly alpn?: readonly string[] | undefined
  /** `1.2.3.4`, `1.2.3.4:8443`, `[::1]:443`: connect there in place of looking the host up. */
  readonly resolve?: string | undefined
  /** Connect through it by CONNECT. */
  readonly proxy?: URL | undefined
  /** A unix socket in place of all that. */
  readonly socketPath?: string | undefined
}

/** A failure on the road, with the stage it was in. */
export class RoadError extends Error {
  readonly stage: Stage
  override readonly cause: NodeJS.ErrnoException
  constructor(cause: NodeJS.ErrnoException, stage: Stage) {
    super(cause.message)
    this.cause = cause
    this.stage = stage
  }
}

/** Time for one of several addresses of a host before the next is tried as well: node's own 250 ms is short for a far host. */
const FAMILY_ATTEMPT_MS = 1_000

/**
 * Opens the connection. `onStage` is told when the TCP connection stands.
 * @throws RoadError, or the signal's reason
 */
export async function openConnection(
  road: Road,
  signal: AbortSignal,
  onStage: (stage: Stage) => void = () => undefined,
): Promise<Socket> {
  signal.throwIfAborted()
  const plain = road.proxy === undefined ? await openTcp(road, signal) : await openTunnel(road, road.proxy, signal)
  onStage('answering')
  if (road.tls === undefined) return plain
  return openTls(plain, road, road.tls, signal)
}

function openTcp(road: Road, signal: AbortSignal): Promise<Socket> {
  const target = road.resolve === undefined ? undefined : parseHostPort(road.resolve)
  const options: TcpNetConnectOpts = {
    host: bare(target?.host ?? road.host),
    port: target?.port ?? road.port,
    autoSelectFamilyAttemptTimeout: FAMILY_ATTEMPT_MS,
    noDelay: true,
  }
  const socket = road.socketPath === undefined ? connectTcp(options) : connectTcp({ path: road.socketPath })
  return settled(socket, 'connect', 'connecting', signal)
}

function openTls(plain: Socket, road: Road, tls: TlsSettings, signal: AbortSignal): Promise<TLSSocket> {
  const name = tls.serverName ?? bare(road.host)
  const options: ConnectionOptions = {
    socket: plain,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    // The name to be found in the certificate is this one, also where it is an IP address, which can't be a server name.
    host: name,
    rejectUnauthorized: tls.verify !== false,
    ...(road.alpn === undefined ? {} : { ALPNProtocols: [...road.alpn] }),
    ...trusted(tls),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  }
  try {
    return settled(connectTls(options), 'secureConnect', 'answering', signal)
  } catch (error) {
    plain.destroy()
    // A key or certificate that is none: what is wrong is on this side.
    throw new RoadError(error as NodeJS.ErrnoException, 'impossible')
  }
}

/** `ca` alone would be in place of the usual authorities. */
export function trusted(tls: Pick<TlsSettings, 'ca'>): { ca?: string[] } {
  return tls.ca === undefined ? {} : { ca: [...authorities(), tls.ca] }
}

let usual: readonly string[] | undefined
function authorities(): readonly string[] {
  usual ??= getCACertificates('default')
  return usual
}

function settled<S extends Socket>(socket: S, event: 'connect' | 'secureConnect', stage: Stage, signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const end = (run: () => void): void => {
      socket.off(event, onReady)
      socket.off('error', onError)
      socket.off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      run()
    }
    const onReady = (): void => end(() => resolve(socket))
    const onError = (error: NodeJS.ErrnoException): void => end(() => reject(new RoadError(error, stage)))
    const onClose = (): void => onError(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    const onAbort = (): void =>
      end(() => {
        socket.on('error', () => undefined).destroy()
        reject(signal.reason)
      })
    socket.on(event, onReady).on('error', onError).on('close', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

function openTunnel(road: Road, proxy: URL, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const authority = `${road.host}:${road.port}`
    let request: ClientRequest | undefined
    const end = (run: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      run()
    }
    const onAbort = (): void =>
      end(() => {
        request?.on('error', () => undefined).destroy()
        reject(signal.reason)
      })
    const fail = (code: string, message: string): void =>
      end(() => reject(new RoadError(Object.assign(new Error(message), { code }), 'connecting')))
    const make = proxy.protocol === 'https:' ? requestTls : requestPlain
    request = make({
      host: bare(proxy.hostname),
      port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : Number(proxy.port),
      method: 'CONNECT',
      path: authority,
      agent: false,
      headers: { host: authority, ...proxyAuthorization(proxy) },
    })
    request.on('connect', (response, socket: Socket, head: Buffer) => {
      if (response.statusCode !== 200) {
        socket.destroy()
        return fail('PROXY', `the proxy ${proxy.host} answered ${response.statusCode}`)
      }
      if (head.length > 0) socket.unshift(head)
      end(() => resolve(socket))
    })
    request.on('response', response => {
      response.destroy()
      fail('PROXY', `the proxy ${proxy.host} answered ${response.statusCode}`)
    })
    request.on('error', (error: NodeJS.ErrnoException) =>
      fail('PROXY', `the proxy ${proxy.host}: ${error.code ?? error.message}`),
    )
    signal.addEventListener('abort', onAbort, { once: true })
    request.end()
  })
}

export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {}
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
}

/** An IPv6 address without its brackets. */
export function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** `host`, `host:port`, `[::1]:port`, `::1`; undefined for what is none of these. */
export function parseHostPort(text: string): { readonly host: string; readonly port: number | undefined } | undefined {
  if (isIP(text) === 6) return { host: text, port: undefined }
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text) ?? []
  if (host === undefined || (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))) return undefined
  return { host: bare(host), port: port === undefined ? undefined : Number(port) }
}
