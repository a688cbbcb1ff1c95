// Servers of a test on this machine, each on a port of its own, all closed together.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createHttp2, createSecureServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { createServer as createTls } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net'
import type { TlsOptions } from 'node:tls'

type Any = Server | TcpServer | Http2Server

const open = new Set<Any>()
const sockets = new Set<Socket>()

async function listen(server: Any): Promise<number> {
  open.add(server)
  for (const event of ['connection', 'secureConnection'])
    server.on(event, (socket: Socket) => sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

export const http = (answer: RequestListener): Promise<number> => listen(createServer(answer))
export const https = (options: TlsOptions, answer: RequestListener): Promise<number> => listen(createTls(options, answer))
export const tcp = (talk: (socket: Socket) => void): Promise<number> => listen(createTcp(talk))
/** Without TLS, by prior knowledge. */
export const http2 = (answer: Parameters<typeof createHttp2>[1]): Promise<number> =>
  listen(createHttp2({}, answer as never) as Http2Server)
export const http2Streams = (talk: (stream: ServerHttp2Stream) => void): Promise<number> =>
  listen(createHttp2().on('stream', stream => talk(stream.on('error', () => undefined))))
export const https2 = (options: TlsOptions, answer: RequestListener): Promise<number> =>
  listen(createSecureServer({ ...options, allowHTTP1: true }, answer as never) as unknown as Http2Server)

/** An http server of which the test needs more than the port. */
export async function server(): Promise<{ readonly server: Server; readonly port: number }> {
  const made = createServer()
  return { server: made, port: await listen(made) }
}

export async function closeAll(): Promise<void> {
  for (const socket of sockets) socket.destroy()
  await Promise.all([...open].map(each => new Promise(done => each.close(done))))
  open.clear()
  sockets.clear()
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
