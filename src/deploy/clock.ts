// Time as the engine sees it, so that tests can hold it still.

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Runs `run` once, `ms` milliseconds from now. The function returned cancels it; after it ran, that does nothing. */
  after(ms: number, run: () => void): () => void
}

/** The machine's own clock. A timer of it keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms` milliseconds, or at once when `signal` is raised: the caller looks at the signal. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted === true) return resolve()
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
