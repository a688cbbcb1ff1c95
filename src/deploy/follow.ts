// The one loop that waits for a release: judges whenever something changed or a grace has run out, prints what changed, and ends at
// healthy-and-stable, failed, deadline or cancel.
import { formatDuration } from '../runner/duration.ts'
import type { Clock } from './clock.ts'
import type { Verdict } from './verdict.ts'

/** A release under observation. */
export interface Observation {
  /** The verdict of this instant, from what is known without asking anybody. */
  judge(): Verdict
  /** The platform's idea of now, in ms: the clock in which a verdict's `recheckAt` is written. */
  now(): number
  /** What the platform itself was told to wait on the way, in ms, such as between shifts of traffic. The time for all else is as long as without. */
  readonly waitsMs?: number
  /** Calls `changed` at every change, until the returned function is called. */
  subscribe(changed: () => void): () => void
  close(): void
}

export interface FollowOptions {
  /** Besides what the observation is told to wait. */
  readonly timeoutMs: number
  /** How long everything must stay healthy without a restart and without a lost Ready. */
  readonly stableForMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** One stretch of a workload in one state, for the timeline. Times are ms since following began. */
export interface TimelineEntry {
  readonly workload: string
  readonly state: string
  readonly from: number
  readonly to: number
}

export interface Followed {
  readonly end: 'healthy' | 'failed' | 'timeout' | 'cancelled'
  readonly verdict: Verdict
  readonly timeline: readonly TimelineEntry[]
  readonly elapsedMs: number
  /** What was given besides the timeout. */
  readonly waitsMs: number
}

/** In a long wait something is printed at least this often, so that nobody takes the step for dead. */
const SIGN_OF_LIFE_MS = 30_000
const SHORTEST_RECHECK_MS = 1
/** A verdict's `provenAt` is waited for at most half as long again as the user wants to wait for stability. */
const PROOF_SHARE = 1.5

/**
 * Follows until the release is healthy and stable, has failed, the time is over, or `signal` is raised. Never throws for any of these.
 * @throws what the observation throws: a bug, but one that must not keep a bad release from being put back
 */
export function follow(observation: Observation, options: FollowOptions): Promise<Followed> {
  const { clock } = options
  const { waitsMs = 0 } = observation
  const timeoutMs = options.timeoutMs + waitsMs
  const startedAt = clock.now()
  const timeline = createTimeline()
  const printed = new Map<string, string>()
  let stable: { since: number; disturbances: string } | undefined
  let ended = false
  const timers = new Map<'change' | 'recheck' | 'life' | 'deadline', () => void>()

  return new Promise((resolve, reject) => {
    const elapsed = (): number => clock.now() - startedAt
    const stamp = (): string => `${`+${formatDuration(elapsed())}`.padEnd(8)} `

    const cancelTimer = (name: 'change' | 'recheck' | 'life' | 'deadline'): void => {
      timers.get(name)?.()
      timers.delete(name)
    }

    const close = (): void => {
      ended = true
      unsubscribe()
      for (const name of [...timers.keys()]) cancelTimer(name)
      options.signal.removeEventListener('abort', onAbort)
    }

    const finish = (end: Followed['end'], verdict: Verdict): void => {
      close()
      resolve({ end, verdict, timeline: timeline.close(elapsed()), elapsedMs: elapsed(), waitsMs })
    }

    /** What runs in a timer or a listener has nobody to throw at. */
    const guarded = (run: () => void) => (): void => {
      if (ended) return
      try {
        run()
      } catch (error) {
        close()
        reject(error)
      }
    }

    const evaluate = guarded(() => {
      cancelTimer('change')
      cancelTimer('recheck')
      const verdict = observation.judge()
      tell(verdict)
      if (verdict.phase === 'failed') finish('failed', verdict)
      else if (verdict.phase === 'healthy') {
        const disturbances = verdict.workloads.map(workload => workload.disturbances).join('|')
        if (stable?.disturbances !== disturbances) {
          if (stable !== undefined) options.print('A restart or a new pod: the wait for stability starts over')
          stable = { since: clock.now(), disturbances }
        }
        const unproven = Math.min(untilThen(verdict.provenAt ?? 0), left(stable.since, options.stableForMs * PROOF_SHARE))
        const wait = Math.max(left(stable.since, options.stableForMs), unproven)
        if (wait <= 0) finish('healthy', verdict)
        else recheckIn(wait, verdict)
      } else {
        if (stable !== undefined) options.print('No longer healthy: the wait for stability starts over')
        stable = undefined
        recheckIn(Number.POSITIVE_INFINITY, verdict)
      }
    })

    const left = (since: number, ms: number): number => since + ms - clock.now()

    /** From the platform's time to a wait. */
    const untilThen = (at: number): number => at - observation.now()

    const recheckIn = (ms: number, verdict: Verdict): void => {
      const own = verdict.recheckAt === undefined ? Number.POSITIVE_INFINITY : untilThen(verdict.recheckAt)
      // At least a moment, so that a verdict which names a time gone by is no busy loop.
      const wait = Math.max(SHORTEST_RECHECK_MS, Math.min(ms, own))
      if (Number.isFinite(wait)) timers.set('recheck', clock.after(wait, evaluate))
    }

    const tell = (verdict: Verdict): void => {
      for (const judgement of verdict.workloads) {
        const message = judgement.message.replace(`${judgement.workload}: `, '')
        const line = `${judgement.workload}: ${judgement.ready}/${judgement.total} ready${message === '' ? '' : `, ${message}`}`
        timeline.enter(judgement.workload, stateOf(judgement.phase, judgement.reason), elapsed())
        if (printed.get(judgement.workload) === line) continue
        printed.set(judgement.workload, line)
        options.print(`${stamp()}${line}`)
        keepAlive()
      }
    }

    const keepAlive = (): void => {
      cancelTimer('life')
      timers.set('life', clock.after(SIGN_OF_LIFE_MS, guarded(signOfLife)))
    }

    const signOfLife = (): void => {
      const open = observation.judge().workloads.filter(workload => workload.phase !== 'healthy')
      const names = open
        .slice(0, 3)
        .map(workload => workload.workload)
        .join(', ')
      const what = open.length === 0 ? 'for stability' : `for ${names}${open.length > 3 ? ` and ${open.length - 3} more` : ''}`
      const remaining = formatDuration(Math.max(0, timeoutMs - elapsed()))
      options.print(`${stamp()}still waiting ${what}; ${remaining} left`)
      keepAlive()
    }

    /** What has just become true at the very deadline still counts. */
    const onDeadline = guarded(() => {
      evaluate()
      if (!ended) finish('timeout', observation.judge())
    })
    const onAbort = guarded(() => finish('cancelled', observation.judge()))
    const unsubscribe = observation.subscribe(() => {
      if (!ended && !timers.has('change')) timers.set('change', clock.after(0, evaluate))
    })
    timers.set('deadline', clock.after(timeoutMs, onDeadline))
    options.signal.addEventListener('abort', onAbort, { once: true })
    keepAlive()
    if (waitsMs > 0)
      options.print(
        `The platform was told to wait for ${formatDuration(waitsMs)} on the way, such as between shifts of traffic: the timeout of ${formatDuration(options.timeoutMs)} is for all else`,
      )
    if (options.signal.aborted) onAbort()
    else evaluate()
  })
}

function stateOf(phase: string, reason: string): string {
  if (phase === 'healthy') return 'healthy'
  return reason === '' ? phase : reason
}

function createTimeline(): { enter(workload: string, state: string, at: number): void; close(at: number): TimelineEntry[] } {
  const entries: TimelineEntry[] = []
  const open = new Map<string, { state: string; from: number }>()
  const end = (workload: string, at: number): void => {
    const entry = open.get(workload)
    if (entry !== undefined) entries.push({ workload, state: entry.state, from: entry.from, to: at })
  }
  return {
    enter: (workload, state, at) => {
      if (open.get(workload)?.state === state) return
      end(workload, at)
      open.set(workload, { state, from: at })
    },
    close: at => {
      for (const workload of open.keys()) end(workload, at)
      return entries
    },
  }
}
