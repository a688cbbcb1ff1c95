// A release that goes as a test says: what is true of it from which millisecond on.
import type { Clock } from '../../src/deploy/clock.ts'
import type { Observation } from '../../src/deploy/follow.ts'
import { combine, type Judgement, type Verdict } from '../../src/deploy/verdict.ts'

const BASE: Judgement = {
  workload: 'deployment/web',
  phase: 'progressing',
  reason: '',
  message: '',
  culprit: '',
  ready: 0,
  total: 2,
  disturbances: '',
}

export const progressing = (more: Partial<Judgement> = {}): Judgement => ({ ...BASE, message: 'pods are starting', ...more })
export const healthy = (more: Partial<Judgement> = {}): Judgement => ({
  ...BASE,
  phase: 'healthy',
  ready: 2,
  disturbances: 'a:0,b:0',
  ...more,
})
export const failed = (more: Partial<Judgement> = {}): Judgement => ({
  ...BASE,
  phase: 'failed',
  reason: 'CrashLoopBackOff',
  message: 'deployment/web: pod web-1, container app ended with exit code 1 (3 times)',
  culprit: 'pod/web-1 container app',
  ...more,
})

/** From `at` ms on it is so. `silent`: nobody is told, as when only time decides. */
export interface Turn {
  readonly at: number
  readonly is: readonly Judgement[]
  readonly silent?: boolean
}

export class ScriptedRelease implements Observation {
  readonly #clock: Clock
  readonly #turns: readonly Turn[]
  readonly #startedAt: number
  /** The platform's clock less ours, in ms. */
  readonly #skew: number
  readonly waitsMs: number
  judged = 0
  listeners = 0
  closed = false

  constructor(clock: Clock, turns: readonly Turn[], skew = 0, waitsMs = 0) {
    this.#clock = clock
    this.#turns = turns
    this.#startedAt = clock.now()
    this.#skew = skew
    this.waitsMs = waitsMs
  }

  now(): number {
    return this.#clock.now() + this.#skew
  }

  judge(): Verdict {
    this.judged++
    const since = this.#clock.now() - this.#startedAt
    return combine(this.#turns.findLast(turn => turn.at <= since)?.is ?? [])
  }

  subscribe(changed: () => void): () => void {
    this.listeners++
    const since = this.#clock.now() - this.#startedAt
    const coming = this.#turns.filter(turn => turn.at > since && turn.silent !== true)
    const cancels = coming.map(turn => this.#clock.after(turn.at - since, changed))
    return () => {
      this.listeners--
      for (const cancel of cancels) cancel()
    }
  }

  close(): void {
    this.closed = true
  }
}
