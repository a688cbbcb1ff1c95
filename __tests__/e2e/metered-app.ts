// An app that counts and times its own answers as prom-client does, under traffic of its own, and can be made worse at any moment.
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { scrape } from '../../sandbox/prometheus/targets.ts'

const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
const REQUESTS_PER_SECOND = 40

export interface MeteredApp {
  /** Share of answers that are 500, from now on. */
  errorRate: number
  /** How long an answer takes, in milliseconds, from now on. */
  latencyMs: number
  /** The label `app` of all its series, unlike that of any other. */
  readonly name: string
  /** Starts the traffic, or stops it. */
  traffic(on: boolean): void
  close(): Promise<void>
}

/** Starts the app, and has it scraped under the labels `app` and `version`. */
export async function startMeteredApp(targets: string, name: string, version = '1'): Promise<MeteredApp> {
  const counts = new Map<string, number>()
  const buckets = BUCKETS.map(() => 0)
  let [sum, count, turn] = [0, 0, 0]
  const app = { errorRate: 0, latencyMs: 5, name, traffic, close }
  const server: Server = createServer((request, response) => {
    if (request.url === '/metrics') {
      response.end(metrics())
      return
    }
    const begun = performance.now()
    turn++
    // Evenly spread, so that the rate is what was asked for in any second.
    const status = Math.floor(turn * app.errorRate) > Math.floor((turn - 1) * app.errorRate) ? '500' : '200'
    setTimeout(() => {
      const seconds = (performance.now() - begun) / 1_000
      counts.set(status, (counts.get(status) ?? 0) + 1)
      sum += seconds
      count++
      BUCKETS.forEach((limit, index) => {
        if (seconds <= limit) buckets[index] = (buckets[index] ?? 0) + 1
      })
      response.writeHead(Number(status)).end()
    }, app.latencyMs)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const port = (server.address() as AddressInfo).port
  const unscrape = scrape(targets, `${name}-${version}`, `127.0.0.1:${port}`, { app: name, version })
  let timer: NodeJS.Timeout | undefined
  traffic(true)
  return app

  function metrics(): string {
    const lines = [...counts].map(([status, value]) => `http_requests_total{status_code="${status}"} ${value}`)
    const statuses = [...counts].map(([status, value]) => `http_request_duration_seconds_count{status_code="${status}"} ${value}`)
    const all = BUCKETS.map((limit, index) => `http_request_duration_seconds_bucket{le="${limit}"} ${buckets[index]}`)
    return [
      '# TYPE http_requests_total counter',
      ...lines,
      '# TYPE http_request_duration_seconds histogram',
      ...all,
      `http_request_duration_seconds_bucket{le="+Inf"} ${count}`,
      `http_request_duration_seconds_sum ${sum}`,
      ...statuses,
      '',
    ].join('\n')
  }
  function traffic(on: boolean): void {
    clearInterval(timer)
    if (!on) return
    timer = setInterval(() => {
      get({ host: '127.0.0.1', port, path: '/' }, response => void response.resume()).on('error', () => undefined)
    }, 1_000 / REQUESTS_PER_SECOND)
  }
  async function close(): Promise<void> {
    traffic(false)
    unscrape()
    server.closeAllConnections()
    await new Promise(done => server.close(done))
  }
}
