// Runs one step of a story from its built bundle, prints what it says, and holds it against what the story says.
import { runAction } from '../__tests__/harness/run-action.ts'
import { caughtAfter, differences, type Expectation } from './expectation.ts'
import type { Chapter } from './page.ts'
import type { ActionName } from './setup.ts'
import { createStepLog, printable, readableLog, type Terminal } from './terminal.ts'

export interface PlayedStep {
  readonly version: string
  readonly change: string
  readonly action: ActionName
  readonly title: string
  readonly inputs: Readonly<Record<string, string>>
  readonly expects: Expectation
}

export interface Stage {
  readonly env: Readonly<Record<string, string>>
  readonly workspace: string
  /** Fields of the github context. */
  readonly github: Readonly<Record<string, string>>
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** What else is not as told, once the step has ended, one sentence each. */
  readonly look?: () => readonly string[]
}

export async function playStep(
  step: PlayedStep,
  { env, workspace, github, terminal, signal, look }: Stage,
): Promise<{ chapter: Chapter; outputs: Readonly<Record<string, string>> }> {
  terminal.say(`${step.action}: ${step.title}`, 2, 'cyan')
  const log = createStepLog(({ text, style }) => terminal.say(text, 4, style))
  const result = await runAction({
    action: step.action,
    inputs: step.inputs,
    env,
    workspace,
    github,
    onOutput: text => log.write(text),
    cancel: signal,
    giveUpAfter: 300_000,
  })
  log.end()
  const faults = result.conclusion === 'cancelled' ? [] : [...differences(result, step.expects), ...(look?.() ?? [])]
  const caught = caughtAfter(result)
  const reason = result.outputs['reason'] ?? ''
  const chapter: Chapter = {
    version: step.version,
    change: step.change,
    action: step.action,
    title: step.title,
    red: result.conclusion !== 'success',
    differences: faults,
    verdict: result.outputs['result'] ?? result.conclusion,
    cause: caught === undefined ? reason : `${reason}, seen after ${caught.toFixed(0)} s`,
    seconds: result.seconds,
    summary: result.summary,
    log: readableLog(result.output),
    message: result.outputs['message'] ?? '',
  }
  for (const fault of faults) terminal.say(`NOT AS TOLD: ${printable(fault)}`, 4, 'red')
  if (faults.length === 0 && result.conclusion !== 'cancelled') {
    const cause = chapter.cause === '' ? '' : ` (${chapter.cause})`
    terminal.say(`✓ as told: ${chapter.verdict}${cause}, ${result.seconds.toFixed(1)} s`, 4, 'green')
  }
  return { chapter, outputs: result.outputs }
}
