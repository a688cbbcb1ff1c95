// Runs a check file: its smoke part, and then its gate. One verdict, one sentence, one summary, one report.
import type { CheckFile } from './check-file/read.ts'
import type { PartOutcome } from './part.ts'
import { prepareSmoke, type SmokeContext } from './smoke/run-smoke.ts'
import { type SmokeOutcome, smokeOutcome } from './smoke/smoke-report.ts'
import type { CheckResult } from './verdict.ts'

export interface ChecksOutcome {
  readonly result: CheckResult
  readonly reason: string
  readonly message: string
  readonly summary: string
  readonly passed: number
  readonly failed: number
  readonly p95Ms: number | undefined
  /** The JSON report's content. */
  readonly report: unknown
}

/** A file whose checks are ready to be run, each part in its turn. */
export interface Checks {
  run(): Promise<ChecksOutcome>
}

type Part = () => Promise<PartOutcome & Partial<SmokeOutcome>>

/**
 * Makes a file's checks ready.
 * @throws ExpectedFailure InvalidInput with all that is wrong with the file; nothing has been asked by then
 */
export async function prepareChecks(file: CheckFile, context: SmokeContext): Promise<Checks> {
  const parts: Part[] = []
  if (file.content.smoke !== undefined) {
    const plan = await prepareSmoke(file, context)
    parts.push(async () => smokeOutcome(await plan.run()))
  }
  const { gate } = file.content
  if (gate !== undefined && context.restored !== true) {
    const { prepareGate } = await import('./gate/gate-part.ts')
    const ready = prepareGate(gate, context, text => file.variables.fill(text))
    parts.push(() => ready.run())
  }
  return { run: () => runParts(parts) }
}

/** One after the other: metrics say nothing of a service that gives wrong answers. */
async function runParts(parts: readonly Part[]): Promise<ChecksOutcome> {
  const outcomes: Awaited<ReturnType<Part>>[] = []
  for (const part of parts) {
    const outcome = await part()
    outcomes.push(outcome)
    if (outcome.result !== 'passed') break
  }
  const last = outcomes.at(-1)
  const sum = (name: 'passed' | 'failed'): number =>
    outcomes.reduce((total, outcome) => total + (outcome[name] ?? (outcome.result === name ? 1 : 0)), 0)
  return {
    result: last?.result ?? 'passed',
    reason: last?.reason ?? '',
    message: outcomes.map(outcome => outcome.message).join(' '),
    summary: outcomes.map(outcome => outcome.summary).join('\n\n'),
    passed: sum('passed'),
    failed: sum('failed'),
    p95Ms: outcomes.find(outcome => outcome.p95Ms !== undefined)?.p95Ms,
    report: { schema: 1, result: last?.result ?? 'passed', checks: outcomes.flatMap(outcome => outcome.report) },
  }
}
