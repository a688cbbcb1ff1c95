// What a scenario scripts: what containers do, and which faults happen. Everything else follows from the state machine. All durations are seconds.
import type { Timing } from './timing.ts'

export interface ContainerScript {
  /** The image cannot be pulled: one of these, or any text. */
  readonly pull?: 'not found' | 'no access' | 'timeout' | (string & {})
  readonly pullTakes?: number
  /** The task cannot be set up: what follows `ResourceInitializationError: `. */
  readonly init?: string
  readonly create?: string
  readonly start?: string
  /** From its start until it does its work: health checks and targets fail until then. */
  readonly starts?: number
  readonly exit?: { readonly code: number; readonly after?: number }
  /** From its start until it is killed for its memory. */
  readonly oom?: number
  readonly health?: 'healthy' | 'unhealthy' | { readonly healthyFor: number }
  /** What the load balancer gets: a status, or no answer. A list of `[seconds since start, answer]` changes it. */
  readonly target?: TargetAnswer | readonly (readonly [number, TargetAnswer])[]
  readonly log?: readonly string[]
  /** What it takes to end after SIGTERM, and with which code. */
  readonly stops?: number
  readonly stopCode?: number
  /** What is pulled instead of what the registry holds; or `platform`: a task names the platform's manifest, where the registry holds an index. */
  readonly digest?: 'platform' | (string & {})
}

export type TargetAnswer = number | 'timeout' | 'refused'

/** One for all containers, or one for each that is started in turn; the last goes on. */
export type Behaviour = ContainerScript | readonly ContainerScript[]

export interface Fault {
  /** `ecs:UpdateService`, `ecs:*`, `ecs:Describe*` or `*`. */
  readonly action: string
  /** The service's code, or `connection`: the connection is cut; or `hang`: it is accepted, and nothing more is heard of it. */
  readonly error: string
  readonly message?: string
  /** HTTP status; the code's own unless given. */
  readonly status?: number
  /** Share of the calls that meet it: 1 unless given. Which ones is the same in every run. */
  readonly rate?: number
  /** Seconds since the fault was set. */
  readonly from?: number
  readonly until?: number
  /** No more often than this. */
  readonly times?: number
  /** The first so many calls go well. */
  readonly skip?: number
}

export type ScriptedEvent = { readonly at: number } & (
  | { readonly interrupt: string }
  | { readonly stop: string; readonly reason?: string }
  | { readonly alarm: string; readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA' }
)

export interface Scenario {
  readonly images?: Readonly<Record<string, Behaviour>>
  readonly containers?: Readonly<Record<string, Behaviour>>
  readonly timing?: Partial<Timing>
  /** No more tasks than that can be placed, by each cluster. */
  readonly capacity?: { readonly tasks: number; readonly until?: number; readonly reason?: string }
  readonly faults?: readonly Fault[]
  /** Describes are this many seconds behind changes. */
  readonly stale?: number
  readonly events?: readonly ScriptedEvent[]
  /** What Lambda functions of lifecycle hooks answer, by their names: SUCCEEDED unless given. */
  readonly hooks?: Readonly<Record<string, 'SUCCEEDED' | 'FAILED' | 'IN_PROGRESS'>>
}

const NAMES: ReadonlySet<string> = new Set(['images', 'containers', 'timing', 'capacity', 'faults', 'stale', 'events', 'hooks'])

/** @throws Error where a part of the scenario is misspelt: nothing would happen otherwise */
export function checkScenario(scenario: Scenario): Scenario {
  const unknown = Object.keys(scenario).filter(name => !NAMES.has(name))
  if (unknown.length > 0) throw new Error(`the scenario has no ${unknown.join(', ')}: it takes ${[...NAMES].join(', ')}`)
  return scenario
}

/** `names` are what the container is known by, the most special first. */
export function scriptFor(
  table: Readonly<Record<string, Behaviour>> | undefined,
  names: readonly string[],
): { key: string; behaviour: Behaviour } | undefined {
  for (const name of names) {
    const parts = name.split('/')
    const ends = parts.map((_, index) => parts.slice(index).join('/'))
    const key = ends.find(end => table?.[end] !== undefined)
    const behaviour = key === undefined ? undefined : table?.[key]
    if (key !== undefined && behaviour !== undefined) return { key, behaviour }
  }
  return undefined
}
