// A gate in front of the cluster's API server: it sees every request, and can do something, or do without the answer, at just that one.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parse, stringify } from 'yaml'
import { selfSigned } from '../checks/self-signed.ts'

export type Match = (method: string, url: string) => boolean

interface Trap {
  readonly match: Match
  /** `before`: the request is never passed on. `after`: it is carried out, but nobody hears of it. `through`: it passes as if nothing was. */
  readonly when: 'before' | 'after' | 'through'
  readonly then: () => void
}

interface Config {
  clusters: [{ name: string; cluster: Record<string, string | boolean> }]
  users: [{ name: string; user: Record<string, string> }]
}

export class ApiGate {
  readonly #server: Server
  readonly #config: Config
  readonly #upstream: URL
  readonly #agent: Agent
  readonly #traps: Trap[] = []
  readonly #watches = new Set<ServerResponse>()

  private constructor(config: Config) {
    const [{ cluster }] = config.clusters
    const [{ user }] = config.users
    const decoded = (text: string | boolean | undefined): Buffer => Buffer.from(String(text), 'base64')
    this.#config = config
    this.#upstream = new URL(String(cluster['server']))
    this.#agent = new Agent({
      keepAlive: true,
      ca: decoded(cluster['certificate-authority-data']),
      cert: decoded(user['client-certificate-data']),
      key: decoded(user['client-key-data']),
    })
    this.#server = createServer(selfSigned('gate'), (incoming, outgoing) => this.#pass(incoming, outgoing))
  }

  /** @param kubeconfig the administrator's, with everything in it */
  static async open(kubeconfig: string): Promise<ApiGate> {
    const gate = new ApiGate(parse(kubeconfig) as Config)
    await new Promise<void>(resolve => gate.#server.listen(0, '127.0.0.1', resolve))
    return gate
  }

  /** The way through the gate, for the input of that name. */
  get kubeconfig(): string {
    const [{ name }] = this.#config.clusters
    const server = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    const user = { name: this.#config.users[0].name, user: { token: 'the-gate-asks-no-questions' } }
    return stringify({
      ...this.#config,
      clusters: [{ name, cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [user],
    })
  }

  /** Does something at the first request that matches. */
  at(match: Match, when: Trap['when'], then: () => void): void {
    this.#traps.push({ match, when, then })
  }

  /** Ends every watch that is open. @returns how many there were */
  cutWatches(): number {
    const open = [...this.#watches]
    for (const watch of open) watch.destroy()
    return open.length
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
    this.#agent.destroy()
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = incoming
    const index = this.#traps.findIndex(trap => trap.match(method, url))
    const trap = index < 0 ? undefined : this.#traps.splice(index, 1)[0]
    if (trap?.when === 'before') {
      trap.then()
      return
    }
    const { authorization: _, host: __, ...kept } = headers
    const { hostname, port } = this.#upstream
    const upstream = request({ agent: this.#agent, hostname, port, method, path: url, headers: kept }, answer => {
      if (trap?.when === 'after') {
        answer.resume()
        answer.on('end', trap.then)
        return
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      outgoing.flushHeaders()
      answer.pipe(outgoing)
      if (url.includes('watch=true')) this.#watches.add(outgoing)
      outgoing.on('close', () => {
        this.#watches.delete(outgoing)
        upstream.destroy()
      })
      trap?.then()
    })
    upstream.on('error', () => outgoing.destroy())
    incoming.pipe(upstream)
  }
}
