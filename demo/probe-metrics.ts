// What the users' requests look like to Prometheus: counted and timed at their side, as a load balancer does, under the names that prom-client gives.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { scrape } from '../sandbox/prometheus/targets.ts'
import type { Answer } from './service-probe.ts'

/** Upper limits of the histogram's buckets, in seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export interface ProbeMetrics {
  observe(tookMs: number, answer: Answer): void
  close(): void
}

/** Serves the metrics on 127.0.0.1, and has the sandbox's Prometheus scrape them under the label `demo`. */
export async function startProbeMetrics(targets: string, demo: string): Promise<ProbeMetrics> {
  const within = BUCKETS.map(() => 0)
  const counts = { 200: 0, 500: 0 }
  let sum = 0
  const server = createServer((_request, response) => {
    const total = counts[200] + counts[500]
    const lines = [
      '# TYPE http_request_duration_seconds histogram',
      ...BUCKETS.map((limit, index) => `http_request_duration_seconds_bucket{le="${limit}"} ${within[index]}`),
      `http_request_duration_seconds_bucket{le="+Inf"} ${total}`,
      `http_request_duration_seconds_sum ${sum}`,
      ...Object.entries(counts).map(([status, count]) => `http_request_duration_seconds_count{status_code="${status}"} ${count}`),
    ]
    response.end(`${lines.join('\n')}\n`)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const unscrape = scrape(targets, demo, `127.0.0.1:${(server.address() as AddressInfo).port}`, { demo })
  return {
    observe: (tookMs, answer) => {
      counts[answer.kind === 'answered' ? 200 : 500]++
      sum += tookMs / 1_000
      BUCKETS.forEach((limit, index) => {
        if (tookMs / 1_000 <= limit) within[index] = (within[index] ?? 0) + 1
      })
    },
    close: () => {
      unscrape()
      server.closeAllConnections()
      server.close()
    },
  }
}
