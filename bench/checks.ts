// What a check file adds to the time of what it asks: 100 steps at once, and the cost of one.
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { parseCheckFile } from '../src/checks/check-file/read.ts'
import { prepareSmoke, type SmokeRun } from '../src/checks/smoke/run-smoke.ts'
import { systemClock } from '../src/deploy/clock.ts'
import { createLog } from '../src/runner/log.ts'
import { type Measurement, median, spread } from './measurement.ts'

const ROUNDS = 7
const STEPS = 100
/** Steps that need one another, and the time that the server takes for each. */
const CHAIN = 4
const ANSWER_MS = 500
const ONE_BY_ONE = 50

/** Answers after the milliseconds in its path, in a process of its own: it must not take turns with what is measured. */
const SERVER = `require('node:http').createServer((request, response) => setTimeout(() => response.end('{"ok":true}'), Number(request.url.slice(1))))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`

export async function measureChecks(): Promise<Measurement[]> {
  const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = await new Promise<string>((resolve, reject) => {
      server.once('error', reject)
      server.stdout.once('data', text => resolve(String(text).trim()))
    })
    const base = `smoke:\n  base-url: http://127.0.0.1:${port}\n  timeout: 1m\n  steps:\n`
    const chained =
      (path: string) =>
      (_: unknown, index: number): string =>
        `    - {name: s${index}, get: ${path}${index === 0 ? '' : `, needs: s${index - 1}`}, expect: {json: {.ok: true}}}\n`
    const chain = Array.from({ length: CHAIN }, chained(`/${ANSWER_MS}`)).join('')
    const alone = `    - {get: /${ANSWER_MS}, expect: {json: {.ok: true}}}\n`.repeat(STEPS - CHAIN)
    const many = base + chain + alone
    const few = base + Array.from({ length: ONE_BY_ONE }, chained('/0')).join('')
    await run(few)
    const ratios: number[] = []
    const costs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      ratios.push((await run(many)).elapsedMs / (CHAIN * ANSWER_MS))
      const { elapsedMs, checks } = await run(few)
      const answers = checks.flatMap(check => (check.state === 'ended' ? check.run.times : []))
      costs.push((elapsedMs - answers.reduce((sum, ms) => sum + ms, 0)) / ONE_BY_ONE)
    }
    return [
      {
        name: `checks: ${STEPS} checks, to the slowest chain of needs`,
        value: median(ratios),
        unit: 'x',
        atMost: 1.2,
        note: `${CHAIN} answers of ${ANSWER_MS} ms after one another, ${STEPS - CHAIN} beside them; ${spread(ratios, 2)}`,
      },
      {
        name: "checks: a check's own time",
        value: median(costs),
        unit: 'ms',
        atMost: 5,
        note: `all but the request, ${ONE_BY_ONE} one after the other; ${spread(costs, 2)}`,
      },
    ]
  } finally {
    server.kill()
  }
}

async function run(yaml: string): Promise<SmokeRun> {
  const log = createLog(() => undefined)
  const folder = tmpdir()
  const context = { workspace: folder, temporary: folder, env: {}, log, clock: systemClock, signal: new AbortController().signal }
  const ended = await (await prepareSmoke(parseCheckFile(yaml, 'bench.yml', {}), context)).run()
  if (ended.result !== 'passed') throw new Error(`the checks of the bench ${ended.result}`)
  return ended
}
