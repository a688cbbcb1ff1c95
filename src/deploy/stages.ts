// Stages at which a platform holds a release until somebody says that it may go on: the release's checks say it, and what is put back is let through.
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { type Checked, type CheckOptions, checkLive } from './check.ts'
import { type Clock, sleep } from './clock.ts'
import type { Observation } from './follow.ts'
import type { Platform } from './platform.ts'
import type { Pause, Verdict } from './verdict.ts'

export interface StageOptions extends CheckOptions {
  readonly clock: Clock
  readonly log: Log
}

/** Not to be reached is no answer: the release is held until it has one. */
const AGAIN_MS = 2_000

const placeOf = ({ workload, stage }: Pause): string => `${workload} at ${stage}`

/**
 * An observation whose release's stages are answered while it is followed. A refusal makes it fail; the platform's putting back is the answer to that.
 * Without checks a new release waits at its stages, for whoever answers.
 */
export class AnsweredStages implements Observation {
  readonly #observation: Observation
  readonly #platform: Pick<Platform, 'goOn'>
  readonly #options: StageOptions
  readonly #live: 'new' | 'restored'
  readonly #known = new Set<string>()
  /** Those that are left to a person, with what the checks said. */
  readonly #left = new Map<string, Checked>()
  readonly #over = new AbortController()
  readonly #checks: Checked[] = []
  #refusal: Checked | undefined
  #fault: unknown
  #busy = false
  #changed: () => void = () => undefined

  constructor(
    observation: Observation,
    platform: Pick<Platform, 'goOn'>,
    options: StageOptions,
    live: 'new' | 'restored' = 'new',
  ) {
    this.#observation = observation
    this.#platform = platform
    this.#options = options
    this.#live = live
  }

  /** What was checked at stages, in its order, without the refusal. */
  get checks(): readonly Checked[] {
    return this.#checks
  }

  /** Why the release may not go on. */
  get refusal(): Checked | undefined {
    return this.#refusal
  }

  now(): number {
    return this.#observation.now()
  }

  get waitsMs(): number {
    return this.#observation.waitsMs ?? 0
  }

  judge(): Verdict {
    if (this.#fault !== undefined) throw this.#fault
    const verdict = this.#observation.judge()
    if (verdict.phase === 'failed') return verdict
    if (this.#refusal !== undefined)
      return { ...verdict, phase: 'failed', reason: this.#refusal.reason, message: this.#refusal.message }
    const left = (verdict.pauses ?? []).flatMap(({ id }) => this.#left.get(id) ?? [])[0]
    if (left === undefined) return verdict
    const message = `${verdict.message}. Whether it is good could not be told: ${left.message}`
    return { ...verdict, reason: left.reason, message }
  }

  subscribe(changed: () => void): () => void {
    this.#changed = changed
    const look = (): void => {
      this.#look()
      changed()
    }
    const unsubscribe = this.#observation.subscribe(look)
    this.#look()
    return () => {
      unsubscribe()
      // Who follows no more wants no answer any more.
      this.#over.abort()
    }
  }

  close(): void {
    this.#over.abort()
    this.#observation.close()
  }

  #look(): void {
    if (this.#busy || this.#over.signal.aborted || this.#platform.goOn === undefined) return
    if (this.#live === 'new' && this.#options.check === undefined) return
    try {
      const waiting = (this.#observation.judge().pauses ?? []).filter(({ id }) => !this.#known.has(id))
      if (waiting.length === 0) return
      for (const { id } of waiting) this.#known.add(id)
      this.#busy = true
      void this.#answer(waiting).finally(() => {
        this.#busy = false
        if (this.#over.signal.aborted) return
        this.#look()
        this.#changed()
      })
    } catch (error) {
      this.#fault = error
    }
  }

  /** Never throws: a bug comes out at the next judgement. */
  async #answer(waiting: readonly Pause[]): Promise<void> {
    try {
      if (this.#live === 'restored' || (await this.#passes(waiting))) for (const pause of waiting) await this.#goOn(pause)
    } catch (error) {
      this.#fault = error
    }
  }

  /** Checks once for all that wait. @returns whether they may go on */
  async #passes(waiting: readonly Pause[]): Promise<boolean> {
    const { log, onInconclusive } = this.#options
    const [where, stage] = [waiting.map(placeOf).join(', '), [...new Set(waiting.map(pause => pause.stage))].join(', ')]
    log.info(`${where} waits for an answer: it is checked`)
    const checked = await checkLive(this.#options, 'new', { stage, signal: this.#over.signal })
    if (checked === undefined || checked.result === 'cancelled' || this.#over.signal.aborted) return false
    const told = { ...checked, message: `${where}: ${checked.message}` }
    if (checked.result === 'failed') {
      this.#refusal = told
      return false
    }
    this.#checks.push(told)
    if (checked.result === 'passed') return true
    if (onInconclusive === 'warn') {
      log.warning(
        `Whether it is good could not be told, and it goes on all the same, for on-inconclusive is "warn": ${told.message}`,
      )
      return true
    }
    log.warning(
      `Whether it is good could not be told, so a person has to say whether it goes on, and that is waited for: ${told.message}`,
    )
    for (const { id } of waiting) this.#left.set(id, checked)
    return false
  }

  async #goOn(pause: Pause): Promise<void> {
    const { clock, log } = this.#options
    while (!this.#over.signal.aborted) {
      try {
        await this.#platform.goOn?.(pause)
        log.info(`${placeOf(pause)} goes on`)
        return
      } catch (error) {
        if (!(error instanceof ExpectedFailure)) throw error
        if (error.reason !== 'Unreachable') {
          log.warning(`${placeOf(pause)} could not be let go on, a person has to do it: ${messageOf(error)}`)
          return
        }
        await sleep(clock, AGAIN_MS, this.#over.signal)
      }
    }
  }
}
