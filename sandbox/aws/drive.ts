// Runs a test's clock for as long as something is waited for, over real connections: time may only move on while no request is on its way.
interface Steppable {
  /** Runs to the next timer. False when there is none. */
  next(): Promise<boolean>
}

/** So many turns of the event loop without a settled promise: whatever was sent over the loopback has been answered and heard. */
const QUIET_TURNS = 25
/** Steps of the clock that nobody's wait is worth. */
const MOST_STEPS = 200_000

/**
 * Steps the clock, one timer at a time, until `work` settles, and answers what it answers. `busy` says that something is on its way still, such as
 * `() => aws.calls.open > 0`; without it the loop waits some turns.
 */
export async function drive<T>(clock: Steppable, work: Promise<T>): Promise<T> {
  let settled = false
  const done = (): void => {
    settled = true
  }
  work.then(done, done)
  for (let step = 0; !settled; step++) {
    for (let turn = 0; turn < QUIET_TURNS && !settled; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    if (settled) break
    if (step > MOST_STEPS) throw new Error(`nothing came of it after ${MOST_STEPS} steps of the clock`)
    // With no timer at all it is the machine's own work that is waited for.
    if (!(await clock.next())) await new Promise<void>(resolve => setTimeout(resolve, 1))
  }
  return work
}
