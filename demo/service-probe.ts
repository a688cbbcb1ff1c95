// Asks the Service all along, as its users do: a fresh connection each time, 20 times a second, and counts what comes.
import { get } from 'node:http'

const EVERY_MS = 50
const PATIENCE_MS = 2_000
const BODY_LIMIT_BYTES = 64 * 1_024
const FAILURES_KEPT = 20

export type Answer = { readonly kind: 'answered'; readonly version: string } | { readonly kind: 'failed'; readonly why: string }

/** One second of the probe's life: how many answers came from which version, and how many requests failed. */
export interface Second {
  readonly versions: ReadonlyMap<string, number>
  readonly failed: number
}

export interface ProbeTally {
  readonly requests: number
  readonly failures: number
  /** The first failures, with the seconds since the start at which they were sent. */
  readonly kept: readonly { readonly at: number; readonly why: string }[]
  /** Whole seconds in which requests were sent and none was answered. */
  readonly silentSeconds: number
  readonly slowestMs: number
  readonly seconds: readonly Second[]
}

/** Adds up answers; times are milliseconds since the probe began. */
export function createTally(): { add(sentAt: number, tookMs: number, answer: Answer): void; result(): ProbeTally } {
  const seconds: { versions: Map<string, number>; failed: number }[] = []
  const kept: { at: number; why: string }[] = []
  let [requests, failures, slowestMs] = [0, 0, 0]
  return {
    add(sentAt, tookMs, answer) {
      const index = Math.floor(sentAt / 1_000)
      while (seconds.length <= index) seconds.push({ versions: new Map(), failed: 0 })
      const second = seconds[index]
      if (second === undefined) return
      requests++
      slowestMs = Math.max(slowestMs, tookMs)
      if (answer.kind === 'answered') {
        second.versions.set(answer.version, (second.versions.get(answer.version) ?? 0) + 1)
        return
      }
      failures++
      second.failed++
      if (kept.length < FAILURES_KEPT) kept.push({ at: sentAt / 1_000, why: answer.why })
    },
    result: () => ({
      requests,
      failures,
      kept,
      silentSeconds: seconds.filter(second => second.failed > 0 && second.versions.size === 0).length,
      slowestMs,
      seconds,
    }),
  }
}

/** What a body says of its version; only a 200 counts as an answer. */
export function readAnswer(status: number, body: string): Answer {
  if (status !== 200) return { kind: 'failed', why: `status ${status}` }
  try {
    const { version } = JSON.parse(body) as { version?: unknown }
    if (typeof version === 'string') return { kind: 'answered', version: version.slice(0, 20) }
  } catch {
    // Told below.
  }
  return { kind: 'failed', why: 'an answer that names no version' }
}

export function ask(url: string): Promise<Answer> {
  return new Promise(resolve => {
    const fail = (why: string): void => resolve({ kind: 'failed', why })
    const request = get(url, { agent: false, signal: AbortSignal.timeout(PATIENCE_MS) }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        body += text
        if (body.length > BODY_LIMIT_BYTES) request.destroy(new Error('an answer without end'))
      })
      response.on('end', () => resolve(readAnswer(response.statusCode ?? 0, body)))
      response.on('error', error => fail(error.message))
    })
    request.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.name === 'AbortError' || error.name === 'TimeoutError' ? 'no answer within 2 s' : (error.code ?? error.message)),
    )
  })
}

export interface ServiceProbe {
  /** Seconds since the probe began. */
  elapsed(): number
  /** The tally so far. */
  tally(): ProbeTally
  /** Sends no more, and waits for the answers that are still to come. */
  stop(): Promise<ProbeTally>
}

/** @param observe is told of each answer as it comes, and how long it took */
export function startProbe(url: string, observe: (tookMs: number, answer: Answer) => void = () => undefined): ServiceProbe {
  const begun = performance.now()
  const tally = createTally()
  const open = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const sent = performance.now()
    const one = ask(url).then(answer => {
      const took = performance.now() - sent
      tally.add(sent - begun, took, answer)
      observe(took, answer)
      open.delete(one)
    })
    open.add(one)
  }, EVERY_MS)
  return {
    elapsed: () => (performance.now() - begun) / 1_000,
    tally: () => tally.result(),
    stop: async () => {
      clearInterval(timer)
      await Promise.all(open)
      return tally.result()
    },
  }
}
