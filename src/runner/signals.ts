// A cancel, as the runner does it: SIGINT, SIGTERM 7.5 s later, and 2.5 s after that the process is killed (actions/runner, ProcessInvoker.cs).
import type { EventEmitter } from 'node:events'
import { ExpectedFailure } from './failure.ts'

export interface Cancellation {
  /** Raised by the first signal: stop what is under way, begin to put back. Its reason is an ExpectedFailure, for what is cut off before a change. */
  readonly cancelled: AbortSignal
  /** Raised by the second signal: there are about 2 s left. */
  readonly ending: AbortSignal
  stop(): void
}

/** Listens for SIGINT and SIGTERM on `process_`. A further signal of the same kind counts too: a terminal's Ctrl-C sends SIGINT twice. */
export function listenForCancel(process_: Pick<EventEmitter, 'on' | 'off'>): Cancellation {
  const cancelled = new AbortController()
  const ending = new AbortController()
  const onSignal = (): void => {
    if (cancelled.signal.aborted) ending.abort()
    else cancelled.abort(new ExpectedFailure('Cancelled', 'Cancelled; nothing was changed.'))
  }
  process_.on('SIGINT', onSignal)
  process_.on('SIGTERM', onSignal)
  return {
    cancelled: cancelled.signal,
    ending: ending.signal,
    stop: () => {
      process_.off('SIGINT', onSignal)
      process_.off('SIGTERM', onSignal)
    },
  }
}
