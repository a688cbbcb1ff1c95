// What all services of the simulator share: the clock and its timers, the scenario, the account, and each region's state.
import type { Clock } from '../../src/deploy/clock.ts'
import { Ids } from './ids.ts'
import {
  type Behaviour,
  type ContainerScript,
  checkScenario,
  type Fault,
  type Scenario,
  type ScriptedEvent,
  scriptFor,
} from './scenario.ts'
import { TIMING, type Timing } from './timing.ts'

export interface ActiveFault extends Fault {
  /** Seconds of the clock when it was set. */
  readonly since: number
  seen: number
  met: number
}

export class World {
  readonly clock: Clock
  readonly account: string
  readonly ids = new Ids()
  scenario: Scenario = {}
  timing: Timing = TIMING
  faults: ActiveFault[] = []
  /** When the scenario's capacity was set. */
  capacitySince = 0
  /** What the events of a scenario do; set by the services that they touch. */
  onEvent: (event: ScriptedEvent) => void = () => {}
  #regions = new Map<string, Region>()
  #timers = new Set<() => void>()
  #started = new Map<string, number>()

  constructor(clock: Clock, account: string) {
    this.clock = clock
    this.account = account
  }

  /** Seconds since 1970, as all services' timestamps. */
  now(): number {
    return this.clock.now() / 1000
  }

  /** Runs `run` once, so many seconds from now, unless the simulator is closed by then. */
  after(seconds: number, run: () => void): () => void {
    const cancel = this.clock.after(seconds * 1000, () => {
      this.#timers.delete(forget)
      run()
    })
    const forget = (): void => {
      cancel()
      this.#timers.delete(forget)
    }
    this.#timers.add(forget)
    return forget
  }

  close(): void {
    for (const cancel of [...this.#timers]) cancel()
  }

  region(name: string): Region {
    const known = this.#regions.get(name) ?? new Region(this, name)
    this.#regions.set(name, known)
    return known
  }

  regions(): Region[] {
    return [...this.#regions.values()]
  }

  /** Adds to the scenario; `anew` replaces it. */
  script(more: Scenario, anew = false): void {
    checkScenario(more)
    const before = anew ? {} : this.scenario
    this.scenario = {
      ...before,
      ...more,
      images: { ...before.images, ...more.images },
      containers: { ...before.containers, ...more.containers },
      timing: { ...before.timing, ...more.timing },
    }
    this.timing = { ...TIMING, ...this.scenario.timing }
    const since = this.now()
    const faults = (more.faults ?? []).map(fault => ({ ...fault, since, seen: 0, met: 0 }))
    this.faults = anew ? faults : [...this.faults, ...faults]
    if (more.capacity !== undefined || anew) this.capacitySince = since
    for (const event of more.events ?? []) this.after(event.at, () => this.onEvent(event))
    // What changed for images begins anew with the first container.
    for (const key of [...Object.keys(more.images ?? {}), ...Object.keys(more.containers ?? {})]) this.#started.delete(key)
  }

  /** How many tasks can be placed now, and why no more. */
  capacity(): { tasks: number; reason: string | undefined } {
    const { capacity } = this.scenario
    const over = capacity?.until !== undefined && this.now() >= this.capacitySince + capacity.until
    return capacity === undefined || over
      ? { tasks: Number.POSITIVE_INFINITY, reason: undefined }
      : { tasks: capacity.tasks, reason: capacity.reason }
  }

  /** What the next container of that name and image does. Each call is one container. */
  nextScript(container: string, images: readonly string[]): ContainerScript {
    const found = scriptFor(this.scenario.images, images) ?? scriptFor(this.scenario.containers, [container])
    if (found === undefined) return {}
    const { key, behaviour } = found
    const nth = this.#started.get(key) ?? 0
    this.#started.set(key, nth + 1)
    return isList(behaviour) ? (behaviour[Math.min(nth, behaviour.length - 1)] ?? {}) : behaviour
  }
}

const isList = (behaviour: Behaviour): behaviour is readonly ContainerScript[] => Array.isArray(behaviour)

/** One region of the account: the state of each service in it. */
export class Region {
  readonly world: World
  readonly name: string
  #parts = new Map<unknown, unknown>()

  constructor(world: World, name: string) {
    this.world = world
    this.name = name
  }

  /** The state of a service, made when it is first asked for. */
  part<T>(of: new (region: Region) => T): T {
    const known = this.#parts.get(of) as T | undefined
    if (known !== undefined) return known
    const made = new of(this)
    this.#parts.set(of, made)
    return made
  }

  arn(service: string, rest: string): string {
    return `arn:aws:${service}:${this.name}:${this.world.account}:${rest}`
  }
}
