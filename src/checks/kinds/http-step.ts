// The HTTP kind of step: one request, or many, held against what the file expects.
import { foreignLine } from '../../runner/foreign-text.ts'
import type { Answer } from '../answer.ts'
import type { HttpStep } from '../check-file/smoke-schema.ts'
import type { Finding } from '../expectation.ts'
import { labelOf } from '../http-check.ts'
import { askOverHttp, type HttpOutcome, type HttpQuestion } from '../http-request.ts'
import type { Scope } from '../smoke/scope.ts'
import type { Attempt } from '../verdict.ts'
import { formatVersionSource, parseVersionSource, readVersion } from '../version-source.ts'
import { checkAddress, HTTP, type Target, targetOf } from './address.ts'
import { compileCapture } from './capture.ts'
import { compileExpect } from './http-expect.ts'
import { at, type CompiledStep, type PreparedStep, shown, type Tools } from './kind.ts'
import { repeated } from './repeat.ts'
import { type BodyMaker, compileBody } from './request-body.ts'
import { compileSettings, fillHeaders, reachOf, type Settings } from './request-settings.ts'
import { compileSse } from './sse.ts'

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const
const VERSION_ANSWERS = 10

type Ask = (timeoutMs: number, signal: AbortSignal) => Promise<Attempt>

/** `changes`: false where the request is known to change nothing although its method might. */
export async function compileHttp(
  given: HttpStep,
  path: readonly PropertyKey[],
  tools: Tools,
  scope: Scope,
  captures: ReadonlySet<string>,
  changes?: boolean,
): Promise<CompiledStep> {
  const method = METHODS.find(each => given[each] !== undefined) ?? 'get'
  const address = given[method] ?? ''
  checkAddress(address, [...path, method], HTTP, scope, tools, captures)
  const settings = await compileSettings(given, path, tools)
  const body = await compileBody(given, path, tools)
  const expected = await compileExpect(given.expect ?? {}, [...path, 'expect'], tools)
  const capture = await compileCapture(given.capture, [...path, 'capture'])
  const until = given.poll && (await compileExpect(given.poll.until, [...path, 'poll', 'until'], tools, []))
  const failWhen =
    given.poll?.['fail-when'] && (await compileExpect(given.poll['fail-when'], [...path, 'poll', 'fail-when'], tools, []))
  const stream = given.sse && (await compileSse(given.sse, [...path, 'sse'], tools))
  const version = given.version && {
    expected: given.version.expected,
    from: await at([...path, 'version', 'from'], () => parseVersionSource(given.version?.from ?? '.version')),
  }
  const asked = [
    expected.asked,
    ...(version === undefined ? [] : [`the version in ${formatVersionSource(version.from)}`]),
    ...(stream === undefined ? [] : [stream.asked]),
    ...(until === undefined ? [] : [`until ${until.asked}`]),
  ].join(', ')

  const prepare = (now: Scope): PreparedStep => {
    const target = targetOf(address, HTTP, now, tools)
    const request = requestOf(target, method, given, settings, body, now)
    const ask: Ask = async (timeoutMs, signal) => {
      const reach = await reachOf(target, tools)
      if ('stage' in reach) return { kind: 'no-answer', fault: { ...reach, ms: 0 } }
      const started = performance.now()
      const outcome = await askOverHttp({
        ...request,
        ...reach,
        timeoutMs,
        signal,
        isWanted: expected.isWanted,
        redirects: given.redirects,
        env: tools.env,
        readStream: stream === undefined ? undefined : events => stream.read(events, started, now, signal),
      })
      return attemptOf(outcome, now, target)
    }
    return {
      address: tools.redact(foreignLine(`${method.toUpperCase()} ${target.shown}`)),
      asked: tools.redact(asked),
      ask:
        given.repeat === undefined
          ? ask
          : repeated(ask, given.repeat, given['request-timeout'] ?? tools.smoke['request-timeout']),
    }
  }

  const attemptOf = (outcome: HttpOutcome, now: Scope, target: Target): Attempt => {
    if (outcome.kind === 'no-answer') return outcome
    const { answer } = outcome
    const seen = { ms: answer.ms, label: labelOf(answer) }
    if (outcome.kind === 'wrong-redirect')
      return { kind: 'answer', answer: seen, findings: [redirectFinding(outcome.to, given.redirects)] }
    const denied = target.cluster === undefined ? undefined : deniedByApiServer(answer, target.cluster.namespace)
    if (denied !== undefined)
      return { kind: 'no-answer', fault: { stage: 'impossible', code: 'Forbidden', problem: denied, ms: answer.ms } }
    const findings: Finding[] = [...expected.examine(answer, now)]
    if (version !== undefined) findings.push(versionFinding(answer, now.fill(version.expected), version.from, tools))
    if (stream !== undefined) findings.push(...stream.examine(answer))
    if (findings.some(found => !found.holds)) return { kind: 'answer', answer: seen, findings }
    const failed = failWhen?.examine(answer, now) ?? []
    if (failed.length > 0 && failed.every(found => found.holds))
      return {
        kind: 'answer',
        answer: seen,
        findings: failed.map(found => ({ ...found, kind: 'state', expected: `anything but ${found.expected}`, holds: false })),
        final: true,
      }
    const state = until?.examine(answer, now) ?? []
    const open = state.filter(found => !found.holds)
    if (open.length > 0)
      return { kind: 'answer', answer: seen, findings: open.map(found => ({ ...found, kind: 'state' })), pending: true }
    const captured = capture(answer, target, tools)
    return { kind: 'answer', answer: seen, findings: [...findings, ...state, ...captured.findings], captured: captured.values }
  }

  const slowest = given.sse === undefined ? given.repeat?.for : stream?.withinMs
  return {
    changes: given.repeat !== undefined || (changes ?? !['get', 'head', 'options'].includes(method)),
    consecutive: given.version === undefined ? undefined : VERSION_ANSWERS,
    requestLimitMs: given.repeat === undefined && slowest === undefined ? undefined : (slowest ?? 24 * 3_600_000) + 10_000,
    ...(given.poll === undefined
      ? {}
      : { poll: { intervalMs: given.poll.interval, factor: given.poll['back-off'], longestMs: given.poll['longest-interval'] } }),
    prepare,
  }
}

function requestOf(
  target: Target,
  method: string,
  given: HttpStep,
  settings: Settings,
  body: BodyMaker | undefined,
  scope: Scope,
): Omit<HttpQuestion, 'timeoutMs' | 'signal' | 'isWanted'> {
  const url = new URL(target.url)
  for (const [name, values] of Object.entries(given.query ?? {}))
    for (const value of [values].flat()) url.searchParams.append(name, scope.fill(String(value)))
  const made = body?.(scope)
  const headers = target.trusted ? fillHeaders(settings.headers, scope) : []
  const typed = made?.type !== undefined && !headers.some(([name]) => name.toLowerCase() === 'content-type')
  const accept = given.sse !== undefined && !headers.some(([name]) => name.toLowerCase() === 'accept')
  return {
    url,
    method: method.toUpperCase(),
    headers: [
      ...headers,
      ...(typed ? [['content-type', made.type] as const] : []),
      ...(accept ? [['accept', 'text/event-stream'] as const] : []),
    ],
    body: made?.bytes ?? (['post', 'put', 'patch'].includes(method) ? Buffer.alloc(0) : undefined),
    tls: target.trusted ? settings.tls : settings.tls && { ca: settings.tls.ca, verify: settings.tls.verify },
    resolve: target.trusted ? settings.resolve : undefined,
    http2: settings.http2,
  }
}

/** The API server's own refusal, told from an app's. */
function deniedByApiServer({ status, body }: Answer, namespace: string): string | undefined {
  if (status !== 401 && status !== 403) return undefined
  try {
    const { kind, apiVersion, message } = JSON.parse(body) as { kind?: unknown; apiVersion?: unknown; message?: unknown }
    if (kind !== 'Status' || apiVersion !== 'v1') return undefined
    return `cannot be asked from here: the API server says "${foreignLine(String(message), 200)}"; it takes the right to get services/proxy in namespace ${namespace}`
  } catch {
    return undefined
  }
}

function redirectFinding(to: string, most = 5): Finding {
  return { kind: 'redirect', what: 'redirect', expected: `to an HTTP address, ${most} times at most`, came: to, holds: false }
}

function versionFinding(answer: Answer, expected: string, from: ReturnType<typeof parseVersionSource>, tools: Tools): Finding {
  const read = readVersion(answer, from)
  const words = tools.restored ? `anything but ${shown(expected)}` : shown(expected)
  if ('none' in read) return { kind: 'version', what: 'version', expected: words, came: read.none, holds: tools.restored }
  return {
    kind: 'version',
    what: 'version',
    expected: words,
    came: shown(tools.redact(read.version)),
    holds: (read.version === expected) !== tools.restored,
  }
}
