// Steps side by side, so many at a time; what goes wrong with one keeps none of the others from being taken.
import { ExpectedFailure } from '../runner/failure.ts'
import type { Step } from './steps.ts'

const AT_ONCE = 16

/** @throws when all have ended: a bug where there was one, else the first failure */
export async function atOnce(steps: readonly Step[], run: (step: Step) => Promise<void>): Promise<void> {
  const queue = [...steps]
  const faults: unknown[] = []
  const worker = async (): Promise<void> => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      try {
        await run(step)
      } catch (error) {
        faults.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, steps.length) }, worker))
  const bug = faults.find(fault => !(fault instanceof ExpectedFailure))
  if (faults.length > 0) throw bug ?? faults[0]
}
