// How long to wait between two describes: short while things move, longer while nothing does, longer still when AWS throttles.

/** At most one describe in this time while things move. */
const SHORTEST_MS = 3_000
const LONGEST_MS = 15_000
/** So many describes in a row may bring nothing new before it goes slower. */
const PATIENT = 8
const SLOWER = 1.2
/** Many runners that were started together shall not ask together. */
const JITTER = 0.07

export class PollPace {
  readonly #random: () => number
  #still = 0
  #throttled = 1

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** The wait after a describe, in ms. */
  next(outcome: { readonly moved: boolean; readonly throttled: boolean }): number {
    this.#still = outcome.moved ? 0 : this.#still + 1
    this.#throttled = outcome.throttled ? Math.min(4, this.#throttled * 1.5) : Math.max(1, this.#throttled / 1.5)
    const slow = SLOWER ** Math.max(0, this.#still - PATIENT)
    const wait = Math.min(LONGEST_MS, SHORTEST_MS * slow * this.#throttled)
    return Math.round(wait * (1 - this.#random() * JITTER))
  }
}
