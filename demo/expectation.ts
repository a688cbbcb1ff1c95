// What the story says of a step, held against what the step did.
import type { StepResult } from '../__tests__/harness/run-action.ts'

/** The exact text, a pattern, or texts that it holds in this order. */
export type Wanted = string | RegExp | readonly string[]

export interface Expectation {
  readonly conclusion: 'success' | 'failure'
  /** Outputs by name. */
  readonly outputs: Readonly<Record<string, Wanted>>
  /** For a failure: seconds from the step's start within which its log must name it. */
  readonly caughtWithin?: number
}

/** Everything in which the step differs from the story, one sentence each. */
export function differences(
  step: Pick<StepResult, 'conclusion' | 'outputs' | 'lines'>,
  expected: Expectation,
): readonly string[] {
  const faults: string[] = []
  if (step.conclusion !== expected.conclusion) faults.push(`it should end with ${expected.conclusion}, not ${step.conclusion}`)
  for (const [name, wanted] of Object.entries(expected.outputs)) {
    const came = step.outputs[name] ?? ''
    if (!matches(came, wanted)) faults.push(`${name} should be ${described(wanted)}, not "${came}"`)
  }
  if (expected.caughtWithin !== undefined) {
    const seconds = caughtAfter(step)
    if (seconds === undefined || seconds > expected.caughtWithin)
      faults.push(
        `it should be caught within ${expected.caughtWithin} s, not ${seconds === undefined ? 'never' : `after ${seconds.toFixed(1)} s`}`,
      )
  }
  return faults
}

/** Seconds from the step's start until its log named the failure; undefined where it never did. */
export function caughtAfter(step: Pick<StepResult, 'lines'>): number | undefined {
  const line = step.lines.find(entry => /^Failed after /.test(entry.text))
  return line === undefined ? undefined : line.at / 1_000
}

function matches(came: string, wanted: Wanted): boolean {
  if (typeof wanted === 'string') return came === wanted
  if (wanted instanceof RegExp) return wanted.test(came)
  const ends = wanted.reduce((from, text) => {
    const at = from < 0 ? -1 : came.indexOf(text, from)
    return at < 0 ? -1 : at + text.length
  }, 0)
  return ends >= 0
}

function described(wanted: Wanted): string {
  if (typeof wanted === 'string') return `"${wanted}"`
  return wanted instanceof RegExp ? `like ${wanted}` : `a text with ${wanted.map(text => `"${text}"`).join(', then ')}`
}
