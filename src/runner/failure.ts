// The two kinds of failure: one we expect and explain, and everything else, which is a bug.

/** Our own words for a cause, beside those the platforms have. */
export type OwnReason =
  | 'Timeout'
  | 'Locked'
  | 'Forbidden'
  | 'NotFound'
  | 'InvalidInput'
  | 'Cancelled'
  | 'Unreachable'
  | 'Conflict'
  | 'BuildFailed'
  | 'Unauthorized'

/** A place in a file of the user's, for an annotation. `file` is relative to the workspace, `line` and `column` count from 1. */
export interface FilePosition {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

export interface FailureDetails {
  readonly at?: FilePosition
  readonly cause?: unknown
  /** Further faults found in the same go, each with its own annotation. */
  readonly also?: readonly { readonly message: string; readonly at?: FilePosition }[]
  /** Shell commands with which a person can put it right. */
  readonly commands?: readonly string[]
}

/**
 * A failure that was foreseen: it ends the step red with one sentence and without a stack trace.
 * `reason` is one word, the platform's own where it has one. Anything thrown that is not an ExpectedFailure is a bug of ours.
 */
export class ExpectedFailure extends Error {
  readonly reason: string
  readonly at: FilePosition | undefined
  readonly also: readonly { readonly message: string; readonly at?: FilePosition }[]
  readonly commands: readonly string[]

  constructor(reason: OwnReason | (string & {}), message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'ExpectedFailure'
    this.reason = reason
    this.at = details.at
    this.also = details.also ?? []
    this.commands = details.commands ?? []
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
