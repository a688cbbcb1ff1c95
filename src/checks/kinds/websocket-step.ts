// The WebSocket kind of step: the connection, and a message that must come back.
import type { IncomingMessage } from 'node:http'
import type { WebSocket as Client, RawData } from 'ws'
import { foreignLine } from '../../runner/foreign-text.ts'
import { proxyFor } from '../../runner/proxy.ts'
import type { Matcher } from '../check-file/expect-schema.ts'
import type { WebSocketStep } from '../check-file/smoke-schema.ts'
import type { Finding } from '../expectation.ts'
import { compileMatcher } from '../matcher.ts'
import { bare, openConnection } from '../net/open.ts'
import { within } from '../net/within.ts'
import type { Scope } from '../smoke/scope.ts'
import type { Attempt } from '../verdict.ts'
import { checkAddress, targetOf, WEBSOCKET } from './address.ts'
import { compileJsonDemands } from './http-expect.ts'
import { at, type CompiledStep, finding, shown, type Tools, timeFinding } from './kind.ts'
import { compileSettings, fillHeaders, reachOf } from './request-settings.ts'

const LARGEST_MESSAGE = 1024 * 1024
const MOST_MESSAGES = 10_000

export async function compileWebSocket(
  given: WebSocketStep,
  path: readonly PropertyKey[],
  tools: Tools,
  scope: Scope,
  captures: ReadonlySet<string>,
): Promise<CompiledStep> {
  checkAddress(given.websocket, [...path, 'websocket'], WEBSOCKET, scope, tools, captures)
  const settings = await compileSettings({ ...given, http2: undefined }, path, tools)
  const match = await compileMessage(given, [...path, 'expect', 'message'], tools)
  const { WebSocket } = await import('ws')
  return {
    changes: false,
    prepare: (now: Scope) => {
      const target = targetOf(given.websocket, WEBSOCKET, now, tools)
      const secure = target.url.protocol === 'wss:' || target.url.protocol === 'https:'
      const headers = target.trusted ? fillHeaders(settings.headers, now) : []
      const send = given.send === undefined ? undefined : textOf(now.fillJson(given.send))
      const expected = match(send)
      return {
        address: tools.redact(foreignLine(target.shown)),
        asked: expected === undefined ? 'a connection' : 'a connection, and a message',
        ask: (timeoutMs, outer) =>
          within(timeoutMs, outer, async (signal, onStage, elapsed) => {
            const reach = await reachOf(target, tools)
            if ('stage' in reach) return { kind: 'no-answer', fault: { ...reach, ms: elapsed() } }
            const { url } = target
            const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
            const direct = reach.socketPath !== undefined || settings.resolve !== undefined
            const road = {
              host: url.hostname,
              port,
              tls: secure ? (target.trusted ? (settings.tls ?? {}) : {}) : undefined,
              alpn: ['http/1.1'],
              resolve: target.trusted ? settings.resolve : undefined,
              proxy: direct ? undefined : proxyFor(secure, bare(url.hostname), port, tools.env),
              socketPath: reach.socketPath,
            }
            const connection = await openConnection(road, signal, onStage)
            const address = new URL(url)
            // The connection is there already, TLS and all: what is left is the plain handshake over it.
            address.protocol = 'ws:'
            address.port = String(port)
            const socket = new WebSocket(address, given.protocols?.map(each => now.fill(each)) ?? [], {
              createConnection: () => connection,
              headers: { host: url.host, 'user-agent': 'deploy-actions/smoke-test', ...Object.fromEntries(headers) },
              maxPayload: LARGEST_MESSAGE,
              perMessageDeflate: false,
              followRedirects: false,
            })
            try {
              return await talk(socket, {
                send,
                expected,
                scope: now,
                signal,
                timeoutMs,
                elapsed,
                limitMs: given.expect?.['time-below'],
              })
            } finally {
              socket.on('error', () => undefined).terminate()
              connection.destroy()
            }
          }),
      }
    },
  }
}

type MessageFindings = (text: string, scope: Scope) => readonly Finding[]

interface Talk {
  readonly send: string | undefined
  readonly expected: MessageFindings | undefined
  readonly scope: Scope
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly elapsed: () => number
  readonly limitMs: number | undefined
}

/** Sends, listens until the message has come, and tells what came in its place. */
function talk(socket: Client, { send, expected, scope, signal, timeoutMs, elapsed, limitMs }: Talk): Promise<Attempt> {
  return new Promise((resolve, reject) => {
    let messages = 0
    let last: readonly Finding[] | undefined
    const end = (findings: readonly Finding[], label = 'connected'): void => {
      clearTimeout(timer)
      resolve({ kind: 'answer', answer: { ms: elapsed(), label }, findings: [...findings, ...timeFinding(elapsed(), limitMs)] })
    }
    const without = (came: string): void =>
      end(last ?? [{ kind: 'message', what: 'message', expected: 'one that matches', came, holds: false }])
    // A moment before the try's own end, so that what came is told.
    const timer = setTimeout(
      () => {
        if (socket.readyState === socket.OPEN) without('none in time')
      },
      Math.max(1, timeoutMs - elapsed() - 20),
    )
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    socket.on('open', () => {
      if (send !== undefined) socket.send(send)
      if (expected === undefined) end([])
    })
    socket.on('message', (data: RawData) => {
      if (expected === undefined || ++messages > MOST_MESSAGES) return
      last = expected(String(data), scope)
      if (last.every(found => found.holds)) end(last)
    })
    socket.on('unexpected-response', (_request, response: IncomingMessage) => {
      response.destroy()
      const came = String(response.statusCode)
      end([{ kind: 'status', what: 'status', expected: '101 (WebSocket)', came, holds: false }], came)
    })
    socket.on('close', code => without(`a close with code ${code}`))
    socket.on('error', reject)
  })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** What a message is held against: what the file says; where it says nothing, what was sent must come back. */
async function compileMessage(
  given: WebSocketStep,
  path: readonly PropertyKey[],
  tools: Tools,
): Promise<(sent: string | undefined) => MessageFindings | undefined> {
  const wanted = given.expect?.message
  if (wanted === undefined) return sent => (sent === undefined ? undefined : text => [echo(text, sent, tools)])
  if (typeof wanted === 'object' && wanted !== null && 'json' in wanted) {
    const demands = await compileJsonDemands(wanted.json, [...path, 'json'], tools, 'message')
    return () => (text, scope) => demands.map(demand => demand(parsed(text), scope))
  }
  const held = await at(path, () => compileMatcher(wanted as Matcher))
  return () => (text, scope) => [finding('message', 'message', held, [text], scope, tools.redact)]
}

function echo(text: string, sent: string, { redact }: Tools): Finding {
  return { kind: 'message', what: 'message', expected: shown(redact(sent)), came: shown(redact(text)), holds: text === sent }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
