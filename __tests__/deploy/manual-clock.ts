// A clock that moves only when a test moves it.
import type { Clock } from '../../src/deploy/clock.ts'

export class ManualClock implements Clock {
  #now: number
  #timers: { at: number; order: number; run: () => void }[] = []
  #order = 0

  /** Starts at a round instant unless told otherwise: 2026-01-01T00:00:00Z. */
  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  /** Timers that wait to run. */
  get pending(): number {
    return this.#timers.length
  }

  /**
   * Moves on by `ms`, running each timer that falls due in its turn, those set meanwhile included. Between two timers (and at the end)
   * whatever promises they settled get to run.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const due = this.#timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter(timer => timer !== due)
      this.#now = Math.max(this.#now, due.at)
      due.run()
      await settle()
    }
    this.#now = end
    await settle()
  }

  /** Runs to the next timer. False when there is none. */
  async next(): Promise<boolean> {
    const at = Math.min(...this.#timers.map(timer => timer.at))
    if (!Number.isFinite(at)) return false
    await this.advance(Math.max(0, at - this.#now))
    return true
  }
}

/** Lets promises settle and sockets be heard: a few turns of the event loop, no time. */
export async function settle(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>(resolve => setImmediate(resolve))
}
