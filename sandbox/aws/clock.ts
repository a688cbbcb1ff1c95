// A clock on which time passes faster than on the machine's.
import type { Clock } from '../../src/deploy/clock.ts'

/** `speed` seconds pass in one. It starts at the machine's own time. */
export function fastClock(speed: number): Clock {
  const begun = Date.now()
  const real = performance.now()
  return {
    now: () => begun + (performance.now() - real) * speed,
    after: (ms, run) => {
      const timer = setTimeout(run, ms / speed)
      return () => clearTimeout(timer)
    },
  }
}
