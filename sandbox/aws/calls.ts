// What was asked of the simulator, for tests that count calls.

export interface LoggedCall {
  /** As IAM names it: `ecs:UpdateService`. */
  readonly action: string
  /** Milliseconds of the simulator's clock. */
  readonly at: number
  readonly input: Readonly<Record<string, unknown>>
  /** HTTP status; 0 where the connection was cut, or got no answer. */
  readonly status: number
  /** Code of the error, where it was one. */
  readonly error?: string
}

export interface CallLog {
  readonly list: readonly LoggedCall[]
  /** How many, or how many of one action. */
  count(action?: string): number
  clear(): void
}

/** A sandbox that runs for days forgets the oldest. */
const MOST_KEPT = 20_000

export class Calls implements CallLog {
  readonly list: LoggedCall[] = []

  add(call: LoggedCall): void {
    this.list.push(call)
    if (this.list.length > MOST_KEPT) this.list.splice(0, this.list.length - MOST_KEPT)
  }

  count(action?: string): number {
    return action === undefined ? this.list.length : this.list.filter(call => call.action === action).length
  }

  clear(): void {
    this.list.length = 0
  }
}
