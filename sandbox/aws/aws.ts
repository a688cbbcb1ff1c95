// The AWS simulator: a server on the loopback that answers as the services' APIs do. What it serves is in services.ts, how a scenario is written in README.md.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../src/deploy/clock.ts'
import { type CallLog, Calls } from './calls.ts'
import { fastClock } from './clock.ts'
import { control } from './control.ts'
import { Dispatcher } from './dispatcher.ts'
import { happen } from './happen.ts'
import { held } from './held.ts'
import type { Scenario } from './scenario.ts'
import { World } from './world.ts'

export interface AwsOptions {
  /** Of 127.0.0.1; 0, the default, takes any that is free. */
  readonly port?: number
  /** The machine's own, `speed` times as fast, unless given. */
  readonly clock?: Clock
  readonly speed?: number
  readonly scenario?: Scenario
  readonly region?: string
  readonly account?: string
}

export interface Aws {
  /** What AWS_ENDPOINT_URL is to be. */
  readonly endpoint: string
  /** For the constructor of an SDK's client. */
  readonly client: {
    readonly endpoint: string
    readonly region: string
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  }
  /** For a child process. */
  readonly environment: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly world: World
  /** Moves a clock that can be moved by so many seconds; waits until another has passed them. */
  advance(seconds: number): Promise<void>
  /** Adds to the scenario. */
  scenario(more: Scenario): void
  readonly calls: CallLog
  /** One call from within, such as `ecs:CreateCluster`, with the API's own input and output: at once, not counted, and met by no fault. */
  call(action: string, input: object, region?: string): Record<string, unknown>
  close(): Promise<void>
}

const CREDENTIALS = { accessKeyId: 'AKIAIOSFODNN7SANDBOX', secretAccessKey: 'sandbox' }
const BODY_LIMIT_BYTES = 4 * 1024 * 1024

/** Starts it on 127.0.0.1. */
export async function startAws(options: AwsOptions = {}): Promise<Aws> {
  const clock = options.clock ?? fastClock(options.speed ?? 1)
  const region = options.region ?? 'eu-west-1'
  const world = new World(clock, options.account ?? '123456789012')
  const calls = new Calls()
  const dispatcher = new Dispatcher(world, calls)
  world.onEvent = event => happen(world, event)
  world.script(options.scenario ?? {})

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request)
    const asked = {
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: request.headers as Record<string, string | undefined>,
      body,
    }
    const answer = control(asked, world, calls) ?? dispatcher.dispatch(asked, region)
    if (answer === 'cut') return void request.socket.destroy()
    if (answer === 'held') return hold(request)
    response.writeHead(answer.status, answer.headers)
    response.end(answer.body)
  }
  const server = createServer((request, response) => {
    serve(request, response).catch(error => {
      response.writeHead(413)
      response.end(String(error))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    endpoint,
    client: { endpoint, region, credentials: CREDENTIALS },
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      // Nobody is to be asked for credentials over the network.
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    clock,
    world,
    calls,
    call: (action, input, of = region) => dispatcher.call(action, input as Record<string, unknown>, of),
    advance: seconds => passing(clock, seconds),
    scenario: more => world.script(more),
    close: () =>
      new Promise(resolve => {
        world.close()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A clock of tests can be moved. */
interface Movable extends Clock {
  advance(ms: number): Promise<void>
}

const passing = (clock: Clock, seconds: number): Promise<void> =>
  'advance' in clock
    ? (clock as Movable).advance(seconds * 1000)
    : new Promise(resolve => void clock.after(seconds * 1000, resolve))

/** Until who asks gives up. */
function hold({ socket }: IncomingMessage): void {
  const { remotePort = 0 } = socket
  held.add(remotePort)
  socket.once('close', () => held.delete(remotePort))
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > BODY_LIMIT_BYTES) throw new Error('the request is too large')
    parts.push(part)
  }
  return Buffer.concat(parts)
}
