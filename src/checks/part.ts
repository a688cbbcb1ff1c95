// What the two parts of a check file, smoke and gate, are given and give back, so that an action or a deployment runs either without knowing which.
import type { Clock } from '../deploy/clock.ts'
import type { Log } from '../runner/log.ts'
import type { CheckResult } from './verdict.ts'

export interface CheckContext {
  readonly workspace: string
  readonly temporary: string
  readonly env: NodeJS.ProcessEnv
  readonly log: Log
  readonly clock: Clock
  /** The user's cancel. */
  readonly signal: AbortSignal
  /** When the deployment that is checked began to change anything, by the clock; undefined outside of a deployment. */
  readonly deployedAt?: number
}

/** How one part ended. All texts are safe to print. */
export interface PartOutcome {
  readonly result: CheckResult
  /** One word for the cause, empty for a pass. */
  readonly reason: string
  /** One sentence on what was seen, and what to do about it. */
  readonly message: string
  /** Markdown for the job summary. */
  readonly summary: string
  /** For the JSON report. */
  readonly report: unknown
}
