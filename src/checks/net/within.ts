// One try of anything that goes over the network: a hard limit in time, and every error as a fault with its stage.
import type { NoAnswer, Stage } from '../answer.ts'
import type { Attempt } from '../verdict.ts'
import { explainError, explainTimeout } from './explain-error.ts'
import { RoadError } from './open.ts'

/**
 * Never throws, and ends within `timeoutMs` whatever `ask` does. The signal that `ask` is given is raised when its time is over, and when it has ended:
 * what it has opened is to be closed by it.
 */
export function within(
  timeoutMs: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal, onStage: (stage: Stage) => void, elapsed: () => number) => Promise<Attempt>,
): Promise<Attempt> {
  const started = performance.now()
  const elapsed = (): number => Math.round((performance.now() - started) * 10) / 10
  return new Promise(resolve => {
    let stage: Stage = 'connecting'
    let settled = false
    const ending = new AbortController()
    const settle = (attempt: Attempt): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(attempt)
      ending.abort()
    }
    const fault = (given: Omit<NoAnswer, 'ms'>): void => settle({ kind: 'no-answer', fault: { ...given, ms: elapsed() } })
    const onAbort = (): void => fault({ stage: 'answering', code: 'ABORTED', problem: 'was not waited for any longer' })
    const timer = setTimeout(() => fault(explainTimeout(timeoutMs, stage)), Math.max(1, timeoutMs))
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) return onAbort()
    const onStage = (now: Stage): void => {
      stage = now
    }
    ask(ending.signal, onStage, elapsed).then(settle, error => {
      if (settled) return
      if (error instanceof RoadError) fault(explainError(error.cause, error.stage))
      else fault(explainError(error as NodeJS.ErrnoException, stage))
    })
  })
}
