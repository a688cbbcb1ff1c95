// The TCP kind of step: a connection, and what the server sends first where it sends something.
import type { Socket } from 'node:net'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { TcpStep } from '../check-file/smoke-schema.ts'
import { compileMatcher } from '../matcher.ts'
import { openConnection } from '../net/open.ts'
import { within } from '../net/within.ts'
import type { Scope } from '../smoke/scope.ts'
import { hostPort } from './host-port.ts'
import { at, type CompiledStep, finding, type Tools, timeFinding } from './kind.ts'
import { compileResolve } from './request-settings.ts'

/** More than the first words of any protocol. */
const KEPT = 64 * 1024

export async function compileTcp(given: TcpStep, path: readonly PropertyKey[], tools: Tools): Promise<CompiledStep> {
  const expect = given.expect ?? {}
  const resolve = await compileResolve(given.resolve, [...path, 'resolve'], tools)
  const answer =
    expect.answer === undefined ? undefined : await at([...path, 'expect', 'answer'], () => compileMatcher(expect.answer ?? ''))
  return {
    changes: false,
    prepare: (scope: Scope) => {
      const { host, port } = hostPort(scope.fill(given.tcp), undefined)
      const send = given.send === undefined ? undefined : scope.fill(given.send)
      return {
        address: `tcp ${foreignLine(host)}:${port}`,
        asked: answer === undefined ? 'a connection' : 'a connection, and an answer',
        ask: (timeoutMs, outer) =>
          within(timeoutMs, outer, async (signal, onStage, elapsed) => {
            const socket = await openConnection({ host, port, resolve }, signal, onStage)
            const connected = elapsed()
            try {
              if (send !== undefined) socket.write(send)
              const wanted = (text: string): boolean => answer?.([text], scope).holds ?? true
              const text = answer === undefined ? '' : await readUntil(socket, wanted, signal, timeoutMs - elapsed())
              const findings =
                answer === undefined ? [] : [finding('message', 'answer', answer, text === '' ? [] : [text], scope, tools.redact)]
              return {
                kind: 'answer',
                answer: { ms: elapsed(), label: 'connected' },
                findings: [...findings, ...timeFinding(connected, expect['time-below'])],
              }
            } finally {
              socket.on('error', () => undefined).destroy()
            }
          }),
      }
    },
  }
}

/** A server that sends nothing more is waited for this long only after it has sent something. */
const QUIET_MS = 1_000

/** What the server sends, until it is what is wanted, it ends, it falls silent, or there is no more time. */
function readUntil(socket: Socket, isEnough: (text: string) => boolean, signal: AbortSignal, timeoutMs: number): Promise<string> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    const text = (): string => Buffer.concat(chunks).subarray(0, KEPT).toString()
    let quiet: NodeJS.Timeout | undefined
    const end = (): void => {
      clearTimeout(quiet)
      clearTimeout(last)
      resolve(text())
    }
    // A moment before the try's own end, so that what came is told.
    const last = setTimeout(end, Math.max(1, timeoutMs - 20))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      clearTimeout(quiet)
      if (isEnough(text()) || chunks.reduce((sum, each) => sum + each.length, 0) > KEPT) return end()
      quiet = setTimeout(end, QUIET_MS)
    })
    socket.on('end', end).on('close', end).on('error', end)
    signal.addEventListener('abort', end, { once: true })
  })
}
