// A registry of a scenario's own in front of the sandbox's: one that is away for a while, or that lets nobody in.
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export class RegistryStandIn {
  /** host:port, the same before it is open and after. */
  readonly address: string
  readonly #port: number
  readonly #behind: string
  #server: Server | undefined

  private constructor(port: number, behind: string) {
    this.#port = port
    this.#behind = behind
    this.address = `127.0.0.1:${port}`
  }

  /** Has a port, and answers nobody yet. */
  static async away(behind: string): Promise<RegistryStandIn> {
    const server = createServer()
    const port = await listening(server, 0)
    await new Promise(resolve => server.close(resolve))
    return new RegistryStandIn(port, behind)
  }

  /** From now on it answers what the registry behind it answers, or to everything that it wants credentials. */
  async open(way: 'public' | 'private'): Promise<void> {
    this.#server = createServer((asked, answer) => {
      asked.resume()
      if (way === 'private') {
        answer.writeHead(401, { 'www-authenticate': 'Basic realm="registry"', 'content-type': 'application/json' })
        answer.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
        return
      }
      const forwarded = request(
        `http://${this.#behind}${asked.url ?? '/'}`,
        { method: asked.method, headers: { ...asked.headers, host: this.#behind } },
        got => {
          answer.writeHead(got.statusCode ?? 502, got.headers)
          got.pipe(answer)
        },
      )
      forwarded.on('error', () => answer.destroy())
      forwarded.end()
    })
    await listening(this.#server, this.#port)
  }

  close(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
  }
}

function listening(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
