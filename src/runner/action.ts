// The frame around every action: reads inputs, runs, sets outputs, ends red or green. No action decides any of this by itself.
import { writeKeyValue } from './environment-files.ts'
import { ExpectedFailure, type FilePosition, messageOf } from './failure.ts'
import { foreignText } from './foreign-text.ts'
import { type InputSpecs, type InputValues, inputSecrets, readInputs, unknownInputs } from './inputs.ts'
import { createLog, type Log } from './log.ts'
import { code, inline } from './markdown.ts'
import { listenForCancel } from './signals.ts'

export type Result =
  | 'deployed'
  | 'unchanged'
  | 'rolled-back'
  | 'failed'
  | 'cancelled'
  | 'passed'
  | 'inconclusive'
  | 'pushed'
  | 'skipped'

/** What an action declares of itself; a test holds its action.yml and README against this. */
export interface ActionDefinition<S extends InputSpecs, O extends string> {
  readonly name: string
  readonly inputs: S
  readonly outputs: readonly O[]
  /** Faults that only several inputs together show. */
  readonly check?: (values: InputValues<S>) => readonly string[]
  /** Inputs that are promised and have no code yet. They are refused: to pass over `sign` would be to deliver what is not signed. */
  readonly notYet?: readonly string[]
}

/** What the runner gives to an action, and what it takes. */
export interface Runner {
  readonly env: NodeJS.ProcessEnv
  /** The user's checkout: every path of an input lies within it. */
  readonly workspace: string
  /** A folder that the runner empties after the job. */
  readonly temporary: string
  readonly log: Log
  /** Raised when the user cancels. */
  readonly cancelled: AbortSignal
  /** Raised about 2 s before the process is killed. */
  readonly ending: AbortSignal
  /** Hands a value to the post step, where `STATE_<name>` holds it. */
  saveState(name: string, value: string): void
}

/** How a run ended. It is red unless `green`. */
export interface Outcome<O extends string> {
  readonly result: Result
  readonly reason?: string
  readonly message: string
  readonly green: boolean
  /** Green, but to be looked at: the message becomes a warning. */
  readonly warning?: boolean
  readonly outputs?: Partial<Record<O, string>>
  /** Markdown for the job summary. */
  readonly summary?: string
  /** The line of the user's file that is to blame, for the annotation of a red end. */
  readonly at?: FilePosition
  /** Further annotations of a red end. */
  readonly also?: readonly { readonly message: string; readonly at?: FilePosition }[]
}

type Streams = { readonly write: (text: string) => void; readonly exit: (code: number) => void }

const PROCESS: Streams = { write: text => void process.stdout.write(text), exit: code => process.exit(code) }

/** Time the process has after the second signal before it leaves by itself, in milliseconds: less than the 2.5 s after which it is killed. */
const LAST_MOMENTS_MS = 2_000

/**
 * Runs an action's main step: inputs, masks, signals, `run`, outputs, job summary, exit code.
 * `result`, `reason` and `message` are written before `run` starts as well, so that a killed process leaves them set.
 */
export async function runAction<S extends InputSpecs, O extends string>(
  definition: ActionDefinition<S, O>,
  run: (inputs: InputValues<S>, runner: Runner) => Promise<Outcome<O>>,
  env: NodeJS.ProcessEnv = process.env,
  streams: Streams = PROCESS,
): Promise<void> {
  const log = createLog(streams.write)
  const cancellation = listenForCancel(process)
  const output = (name: string, value: string): void => writeKeyValue(env, 'GITHUB_OUTPUT', name, log.redact(value))
  cancellation.ending.addEventListener('abort', () => setTimeout(() => streams.exit(1), LAST_MOMENTS_MS).unref())
  const crashed = (error: unknown): void => {
    reportFailure(definition.name, error, log, output)
    streams.exit(1)
  }
  process.on('uncaughtException', crashed)
  let green = false
  try {
    for (const secret of inputSecrets(definition.inputs, env)) log.mask(secret)
    for (const warning of unknownInputs(definition.inputs, env, definition.notYet)) log.warning(warning, definition.name)
    const values = readInputs(definition.inputs, env, definition.check, definition.notYet)
    output('result', 'cancelled')
    output('reason', 'Cancelled')
    output('message', `${definition.name} was killed before it could say how it ended.`)
    const outcome = await run(values, createRunner(env, log, cancellation))
    green = outcome.green
    output('result', outcome.result)
    output('reason', outcome.reason ?? '')
    output('message', outcome.message)
    for (const [name, value] of Object.entries<string | undefined>(outcome.outputs ?? {}))
      if (value !== undefined) output(name, value)
    if (outcome.summary !== undefined) output('summary', await writeSummary(env, outcome.summary, definition.name, log))
    if (green && outcome.warning === true) log.warning(outcome.message, titleOf(definition.name, outcome.reason))
    else if (green) log.info(outcome.message)
    else {
      log.error(outcome.message, titleOf(definition.name, outcome.reason), outcome.at)
      for (const { message, at } of outcome.also ?? []) log.error(message, titleOf(definition.name, outcome.reason), at)
    }
  } catch (error) {
    green = false
    const failure = afterCancel(definition.name, error, cancellation.cancelled)
    reportFailure(definition.name, failure, log, output)
    output('summary', await writeSummary(env, failureSummary(definition.name, failure), definition.name, log))
  } finally {
    cancellation.stop()
    process.off('uncaughtException', crashed)
  }
  streams.exit(green ? 0 : 1)
}

/** What was given up because of the cancel is no bug: anything that takes the signal throws its AbortError. */
function afterCancel(name: string, error: unknown, cancelled: AbortSignal): unknown {
  const aborted = error === cancelled.reason || (error instanceof Error && error.name === 'AbortError')
  if (!cancelled.aborted || !aborted) return error
  return new ExpectedFailure('Cancelled', `${name} was cancelled before it was done.`, { cause: error })
}

/** True in the process that the runner starts as the post step: dist/post.js says so before it loads the bundle. */
export function isPostStep(): boolean {
  return (globalThis as { deployActionsStep?: string }).deployActionsStep === 'post'
}

/** Runs an action's post step. It is red only when it could not do what it is there for. What `run` returns is added to the job summary. */
export async function runPost(
  name: string,
  run: (runner: Runner) => Promise<string | undefined>,
  env: NodeJS.ProcessEnv = process.env,
  streams: Streams = PROCESS,
): Promise<void> {
  const log = createLog(streams.write)
  const cancellation = listenForCancel(process)
  const crashed = (error: unknown): void => {
    reportFailure(name, error, log, () => undefined)
    streams.exit(1)
  }
  process.on('uncaughtException', crashed)
  let failed = false
  try {
    const summary = await run(createRunner(env, log, cancellation))
    if (summary !== undefined) await writeSummary(env, summary, name, log)
  } catch (error) {
    failed = true
    reportFailure(name, error, log, () => undefined)
  } finally {
    cancellation.stop()
    process.off('uncaughtException', crashed)
  }
  streams.exit(failed ? 1 : 0)
}

function createRunner(env: NodeJS.ProcessEnv, log: Log, cancellation: { cancelled: AbortSignal; ending: AbortSignal }): Runner {
  return {
    env,
    workspace: env['GITHUB_WORKSPACE'] ?? process.cwd(),
    temporary: env['RUNNER_TEMP'] ?? process.env['TMPDIR'] ?? '/tmp',
    log,
    cancelled: cancellation.cancelled,
    ending: cancellation.ending,
    saveState: (name, value) => writeKeyValue(env, 'GITHUB_STATE', name, value),
  }
}

function titleOf(name: string, reason: string | undefined): string {
  return reason === undefined || reason === '' ? name : `${name}: ${reason}`
}

function reportFailure(name: string, error: unknown, log: Log, output: (name: string, value: string) => void): void {
  const expected = error instanceof ExpectedFailure
  const reason = expected ? error.reason : 'InternalError'
  const message = expected ? error.message : `This is a bug in ${name}, please report it: ${messageOf(error)}`
  try {
    output('result', reason === 'Cancelled' ? 'cancelled' : 'failed')
    output('reason', reason)
    output('message', message)
  } catch (unwritable) {
    log.error(`The outputs could not be written: ${messageOf(unwritable)}`, name)
  }
  log.error(message, titleOf(name, reason), expected ? error.at : undefined)
  if (expected) for (const other of error.also) log.error(other.message, titleOf(name, reason), other.at)
  else log.info(error instanceof Error ? (error.stack ?? error.message) : String(error))
}

/** The job summary of a failure that left nothing else to report. */
function failureSummary(name: string, error: unknown): string {
  const reason = error instanceof ExpectedFailure ? error.reason : 'InternalError'
  const lines = [messageOf(error), ...(error instanceof ExpectedFailure ? error.also.map(other => other.message) : [])]
  return `## ${name}: ❌ Failed · ${code(reason)}\n\n${lines.map(line => inline(foreignText(line))).join('\n\n')}\n`
}

/** The report's path; empty, with a warning, when it could not be written: a full disk says nothing of the release. */
async function writeSummary(env: NodeJS.ProcessEnv, markdown: string, name: string, log: Log): Promise<string> {
  try {
    const { appendJobSummary } = await import('./job-summary.ts')
    return (await appendJobSummary(env, log.redact(markdown), name)) ?? ''
  } catch (error) {
    log.warning(`The report could not be written: ${messageOf(error)}`, name)
    return ''
  }
}
