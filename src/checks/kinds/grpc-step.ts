// The gRPC kind of step: grpc.health.v1.Health/Check over HTTP/2. Its two messages have one field each, so they are written and read by hand
// (github.com/grpc/grpc, doc/health-checking.md and doc/PROTOCOL-HTTP2.md).
import { foreignLine } from '../../runner/foreign-text.ts'
import type { GrpcStep } from '../check-file/smoke-schema.ts'
import { TemplateFault } from '../check-file/template.ts'
import type { Finding } from '../expectation.ts'
import { type Exchange, exchange } from '../net/exchange.ts'
import { within } from '../net/within.ts'
import type { Scope } from '../smoke/scope.ts'
import { hostPort } from './host-port.ts'
import { type CompiledStep, type Tools, timeFinding } from './kind.ts'
import { compileSettings, fillHeaders } from './request-settings.ts'

const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const
const LARGEST_ANSWER = 64 * 1024
/** Status codes of gRPC that say more than their number. */
const CODES: Readonly<Record<string, string>> = {
  '5': 'NOT_FOUND, the service is not known there',
  '7': 'PERMISSION_DENIED',
  '12': 'UNIMPLEMENTED, the server has no health service',
  '14': 'UNAVAILABLE',
  '16': 'UNAUTHENTICATED',
}

export async function compileGrpc(given: GrpcStep, path: readonly PropertyKey[], tools: Tools): Promise<CompiledStep> {
  const settings = await compileSettings({ ...given, basic: undefined, http2: true }, path, {
    ...tools,
    smoke: { ...tools.smoke, defaults: undefined },
  })
  return {
    changes: false,
    prepare: (scope: Scope) => {
      const [, scheme = 'grpc', rest = ''] = /^(?:(grpcs?|https?):\/\/)?(.*?)\/?$/.exec(scope.fill(given.grpc).trim()) ?? []
      const secure = scheme === 'grpcs' || scheme === 'https'
      const { host, port } = hostPort(rest, secure ? 443 : undefined)
      const service = given.service === undefined ? '' : scope.fill(given.service)
      if (Buffer.byteLength(service) > 1_000) throw new TemplateFault('has a service name that is too long')
      const url = new URL(
        `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}/grpc.health.v1.Health/Check`,
      )
      const headers = [
        ...fillHeaders(settings.headers, scope),
        ['content-type', 'application/grpc'] as const,
        ['te', 'trailers'] as const,
      ]
      return {
        address: `grpc ${foreignLine(host)}:${port}${service === '' ? '' : ` ${foreignLine(service, 100)}`}`,
        asked: 'SERVING',
        ask: (timeoutMs, outer) =>
          within(timeoutMs, outer, async (signal, onStage, elapsed) => {
            const body = healthRequest(service)
            const answer = await exchange(
              { ...settings, url, method: 'POST', headers, body, http2: true, env: tools.env },
              signal,
              onStage,
            )
            try {
              const state = await readState(answer)
              const findings: Finding[] = [
                { kind: 'health', what: 'health', expected: 'SERVING', came: state, holds: state === 'SERVING' },
                ...timeFinding(elapsed(), given.expect?.['time-below']),
              ]
              return { kind: 'answer', answer: { ms: elapsed(), label: state }, findings }
            } finally {
              answer.close()
            }
          }),
      }
    },
  }
}

/** HealthCheckRequest {string service = 1}, in a frame of gRPC: not packed, and its length. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]
}

async function readState(answer: Exchange): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > LARGEST_ANSWER) return 'an answer that is too long'
  }
  if (answer.status !== 200) return `HTTP status ${answer.status}`
  const { 'grpc-status': status, 'grpc-message': message } = answer.trailers()
  const code = String([status].flat()[0] ?? 'none')
  if (code !== '0') {
    const said = [message].flat()[0]
    return `gRPC status ${foreignLine(CODES[code] ?? code, 60)}${said === undefined ? '' : ` (${foreignLine(decoded(said), 120)})`}`
  }
  return healthState(Buffer.concat(chunks))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** HealthCheckResponse {ServingStatus status = 1}: the default, 0, is not sent. */
export function healthState(frame: Buffer): string {
  if (frame.length < 5 || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5) return 'no message of gRPC'
  const message = frame.subarray(5)
  if (message.length === 0) return STATES[0]
  return message[0] === 0x08 && message.length === 2
    ? (STATES[message[1] ?? 0] ?? 'a state that is not known')
    : 'a state that is not known'
}
