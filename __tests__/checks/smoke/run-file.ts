// Runs a check file that a test writes down, as an action would, against servers of the test.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCheckFile } from '../../../src/checks/check-file/read.ts'
import { prepareSmoke, type SmokeContext, type SmokeRun } from '../../../src/checks/smoke/run-smoke.ts'
import { type SmokeOutcome, smokeOutcome } from '../../../src/checks/smoke/smoke-report.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { createLog } from '../../../src/runner/log.ts'

export interface Ran {
  readonly run: SmokeRun
  readonly outcome: SmokeOutcome
  /** All that was printed. */
  readonly log: string
  /** `name: passed`, `name: failed WrongStatus`, `name: skipped`, in the file's order. */
  readonly told: readonly string[]
  /** The last attempt's findings that don't hold, as `what: expected, came`. */
  readonly wrong: readonly string[]
}

let folder = ''
/** An empty workspace, made once. */
export function workspace(): string {
  if (folder === '') folder = mkdtempSync(join(tmpdir(), 'checks-'))
  return folder
}

/** Short times throughout: nothing that a test's own server says takes longer. */
export async function runFile(yaml: string, more: Partial<SmokeContext> = {}): Promise<Ran> {
  let printed = ''
  const log = createLog(text => {
    printed += text
  })
  const env = more.env ?? {}
  const file = parseCheckFile(yaml, 'checks.yml', env)
  const plan = await prepareSmoke(file, {
    workspace: workspace(),
    temporary: workspace(),
    env,
    log,
    clock: systemClock,
    signal: new AbortController().signal,
    usual: { timeoutMs: 2_000, intervalMs: 20 },
    ...more,
  })
  const run = await plan.run()
  const told = run.checks.map(check =>
    check.state === 'ended'
      ? `${check.name}: ${check.run.verdict.result} ${check.run.verdict.reason}`.trimEnd()
      : `${check.name}: ${check.state}`,
  )
  const wrong = run.checks.flatMap(check => {
    const last = check.state === 'ended' ? check.run.tally.last : undefined
    if (last === undefined) return []
    if (last.kind === 'no-answer') return [`${last.fault.stage} ${last.fault.code}: ${last.fault.problem}`]
    return last.findings.filter(found => !found.holds).map(found => `${found.what}: ${found.expected}, ${found.came}`)
  })
  return { run, outcome: smokeOutcome(run), log: printed, told, wrong }
}
