// An API server in the test process, on a unix socket, that answers as a test tells it to.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'

export interface Seen {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Answer = (response: ServerResponse, seen: Seen) => void

export class FakeApiServer {
  readonly socketPath: string
  readonly seen: Seen[] = []
  readonly #folder: string
  readonly #server: Server
  readonly #connections = new Set<Socket>()
  #answers: Answer[] = []
  #otherwise: Answer = json(404, { kind: 'Status', reason: 'NotFound', message: 'nothing was planned for this request' })
  #waiting: (() => void)[] = []

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'fa-'))
    this.socketPath = join(this.#folder, 's')
    this.#server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        const url = new URL(request.url ?? '', 'http://localhost')
        const seen = { method: request.method ?? '', path: url.pathname, query: url.searchParams, headers: request.headers, body }
        this.seen.push(seen)
        const answer = this.#answers.shift() ?? this.#otherwise
        answer(response, seen)
        for (const wake of this.#waiting.splice(0)) wake()
      })
    })
    this.#server.on('connection', connection => {
      this.#connections.add(connection)
      connection.on('close', () => this.#connections.delete(connection))
    })
  }

  static async start(): Promise<FakeApiServer> {
    const server = new FakeApiServer()
    await server.listen()
    return server
  }

  listen(): Promise<void> {
    return new Promise(resolve => this.#server.listen(this.socketPath, resolve))
  }

  /** Answers for the next requests, in their order. */
  next(...answers: Answer[]): void {
    this.#answers.push(...answers)
  }

  /** The answer for whatever else comes. */
  otherwise(answer: Answer): void {
    this.#otherwise = answer
  }

  /** Waits until so many requests have come in all. */
  async requests(count: number): Promise<void> {
    while (this.seen.length < count) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  get openConnections(): number {
    return this.#connections.size
  }

  /** The server goes away: connections break, new ones are refused. `listen` brings it back. */
  async goAway(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve))
    for (const connection of this.#connections) connection.destroy()
    await closed
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.goAway()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What only the API server's own answers carry. */
const OWN = { 'content-type': 'application/json', 'audit-id': 'a' }

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return response => {
    response.writeHead(status, { ...OWN, ...headers })
    response.end(JSON.stringify(body))
  }
}

export function failure(
  code: number,
  reason: string,
  message = reason,
  more: object = {},
  headers: Record<string, string> = {},
): Answer {
  return json(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...more }, headers)
}

/** What kubectl proxy answers when it can't get through. */
export function proxyError(text: string): Answer {
  return response => {
    response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' })
    response.end(`${text}\n`)
  }
}

/** The connection breaks before anything was answered. */
export const hangUp: Answer = response => void response.socket?.destroy()

/** Nothing is ever answered. */
export const silence: Answer = () => undefined

export function raw(status: number, contentType: string, ...pieces: (string | Uint8Array)[]): Answer {
  return response => {
    response.writeHead(status, { 'content-type': contentType, 'audit-id': 'a' })
    const send = (index: number): void => {
      const piece = pieces[index]
      if (piece === undefined) response.end()
      // One piece a turn, so that each arrives as one.
      else response.write(piece, () => setImmediate(() => send(index + 1)))
    }
    send(0)
  }
}

export function listOf(resourceVersion: string, items: object[], more: object = {}): Answer {
  return json(200, { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion, ...more }, items })
}

/** A watch that the test holds in its hand. */
export class FakeWatch {
  #response: ServerResponse | undefined
  readonly answer: Answer = response => {
    response.writeHead(200, OWN)
    response.flushHeaders()
    this.#response = response
  }

  send(type: string, object: object): void {
    this.write(`${JSON.stringify({ type, object })}\n`)
  }

  write(text: string | Uint8Array): this {
    this.#response?.write(text)
    return this
  }

  bookmark(resourceVersion: string): void {
    this.send('BOOKMARK', { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion } })
  }

  /** Ends as the server does when the watch's time is over. */
  end(): void {
    this.#response?.end()
  }

  /** Breaks off in the middle. */
  drop(): void {
    this.#response?.socket?.destroy()
  }
}

export function pod(name: string, resourceVersion: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', resourceVersion } }
}
