// A stream of server-sent events (WHATWG HTML, section 9.2), read until what was asked for has come, and never longer than its time.
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { Answer } from '../answer.ts'
import type { HttpStep } from '../check-file/smoke-schema.ts'
import type { Finding } from '../expectation.ts'
import { compileMatcher } from '../matcher.ts'
import type { Scope } from '../smoke/scope.ts'
import { compileJsonDemands } from './http-expect.ts'
import { at, finding, type Tools } from './kind.ts'

type Sse = NonNullable<HttpStep['sse']>

export interface ServerEvent {
  /** "message" where the server gives none. */
  readonly name: string
  readonly data: string
}

export interface CompiledSse {
  readonly asked: string
  readonly withinMs: number
  read(body: Readable, startedAt: number, scope: Scope, signal: AbortSignal): Promise<Partial<Answer>>
  examine(answer: Answer): Finding[]
}

const WITHIN_MS = 30_000
/** Read of one stream in all; more is taken for its end. */
const MOST_BYTES = 16 * 1024 * 1024
/** One event, or a line that never ends, is no longer. */
const LONGEST_EVENT = 1024 * 1024

export async function compileSse(given: Sse, path: readonly PropertyKey[], tools: Tools): Promise<CompiledSse> {
  const withinMs = given.within ?? Math.max(WITHIN_MS, given['first-within'] ?? 0)
  const wantedEvents = given.events ?? 1
  const name =
    given.event?.name === undefined
      ? undefined
      : await at([...path, 'event', 'name'], () => compileMatcher(given.event?.name ?? ''))
  const data =
    given.event?.data === undefined
      ? undefined
      : await at([...path, 'event', 'data'], () => compileMatcher(given.event?.data ?? ''))
  const json = await compileJsonDemands(given.event?.json ?? {}, [...path, 'event', 'json'], tools, 'event')
  const wantsEvent = given.event !== undefined

  const match = (event: ServerEvent, scope: Scope): Finding[] => {
    const document = json.length === 0 ? undefined : parsed(event.data)
    return [
      ...(name === undefined ? [] : [finding('event', 'event name', name, [event.name], scope, tools.redact)]),
      ...(data === undefined ? [] : [finding('event', 'event data', data, [event.data], scope, tools.redact)]),
      ...json.map(demand => demand(document, scope)),
    ]
  }

  return {
    withinMs,
    asked: [
      given['first-within'] === undefined ? 'events' : `a first event within ${given['first-within']} ms`,
      ...(wantedEvents > 1 ? [`${wantedEvents} events`] : []),
      ...(wantsEvent ? ['a certain event'] : []),
    ].join(', '),
    read: async (body, startedAt, scope, signal) => {
      const seen = { events: 0, firstMs: undefined as number | undefined, matched: [] as Finding[], found: !wantsEvent }
      const onEvent = (event: ServerEvent): boolean => {
        seen.events++
        seen.firstMs ??= performance.now() - startedAt
        if (!seen.found) {
          seen.matched = match(event, scope)
          seen.found = seen.matched.every(each => each.holds)
        }
        return seen.found && seen.events >= wantedEvents
      }
      const ended = await readEvents(body, withinMs - (performance.now() - startedAt), signal, onEvent)
      return { body: '', truncated: false, stream: { events: seen.events, firstMs: seen.firstMs, matched: seen.matched, ended } }
    },
    examine: answer => {
      const { stream } = answer
      if (stream === undefined) return []
      const { events, firstMs, matched, ended } = stream
      const end = ended ? 'before the stream ended' : `within ${withinMs} ms`
      const first = given['first-within']
      return [
        ...(first === undefined
          ? []
          : [
              {
                kind: 'time' as const,
                what: 'first event',
                expected: `within ${first} ms`,
                came: firstMs === undefined ? `none ${end}` : `after ${Math.round(firstMs)} ms`,
                holds: firstMs !== undefined && firstMs <= first,
              },
            ]),
        {
          kind: 'event',
          what: 'events',
          expected: wantedEvents === 1 ? 'at least 1' : `at least ${wantedEvents}`,
          came: `${events} ${end}`,
          holds: events >= wantedEvents,
        },
        ...(wantsEvent && matched.length === 0
          ? [{ kind: 'event' as const, what: 'event', expected: 'one that matches', came: `none ${end}`, holds: false }]
          : matched),
      ]
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads until `onEvent` says that it is enough, the stream ends (true), or the time is over (false). @throws what breaks the stream */
function readEvents(
  body: Readable,
  withinMs: number,
  signal: AbortSignal,
  onEvent: (event: ServerEvent) => boolean,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const parser = createEventParser(onEvent)
    let bytes = 0
    const end = (run: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      body.removeAllListeners('data').on('error', () => undefined)
      run()
    }
    const onAbort = (): void => end(() => resolve(false))
    const timer = setTimeout(onAbort, Math.max(1, withinMs))
    signal.addEventListener('abort', onAbort, { once: true })
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (parser.add(chunk) || bytes > MOST_BYTES) end(() => resolve(bytes > MOST_BYTES))
    })
    body.on('end', () => end(() => resolve(true)))
    body.on('error', error => end(() => reject(error)))
  })
}

/** `add` returns true once `onEvent` has said that it is enough. */
export function createEventParser(onEvent: (event: ServerEvent) => boolean): { add(chunk: Buffer): boolean } {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let name = ''
  let data: string[] = []
  let length = 0
  const line = (text: string): boolean => {
    if (text === '') {
      const event = { name: name === '' ? 'message' : name, data: data.join('\n') }
      const isEvent = data.length > 0
      name = ''
      data = []
      length = 0
      return isEvent && onEvent(event)
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?([\s\S]*))?$/.exec(text) ?? []
    length += text.length
    if (length > LONGEST_EVENT) return false
    if (field === 'event') name = value
    else if (field === 'data') data.push(value)
    return false
  }
  return {
    add: chunk => {
      rest += decoder.write(chunk)
      const lines = rest.split(/\r\n|\n|\r(?!$)/)
      rest = (lines.pop() ?? '').slice(0, LONGEST_EVENT)
      return lines.some(line)
    },
  }
}
