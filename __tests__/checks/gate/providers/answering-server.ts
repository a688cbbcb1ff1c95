// A server on this machine whose every answer a test decides, and the usual settings to ask it by.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Asking } from '../../../../src/checks/gate/provider.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

export interface AnsweringServer {
  readonly url: string
  answer(handler: Handler): void
  /** The last request, with its body. */
  last(): { readonly method: string; readonly url: URL; readonly headers: IncomingMessage['headers']; readonly body: string }
  close(): void
}

export async function startAnsweringServer(): Promise<AnsweringServer> {
  let handler: Handler = (_request, response) => response.end()
  let last: ReturnType<AnsweringServer['last']> | undefined
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => {
      body += String(chunk)
    })
    request.on('end', () => {
      last = { method: request.method ?? '', url: new URL(request.url ?? '', 'http://server'), headers: request.headers, body }
      handler(request, response, body)
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: given => {
      handler = given
    },
    last: () => {
      if (last === undefined) throw new Error('nothing was asked')
      return last
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export const json =
  (document: unknown, status = 200): Handler =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))

export const text =
  (body: string, status = 200): Handler =>
  (_request, response) =>
    void response.writeHead(status).end(body)

export const asking = (more: Partial<Asking> = {}): Asking => ({
  windowMs: 60_000,
  staleMs: 300_000,
  timeoutMs: 5_000,
  signal: new AbortController().signal,
  deployedAt: 0,
  ...more,
})
