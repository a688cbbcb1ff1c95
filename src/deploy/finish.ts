// The post step's work, whatever the platform: a release that a cancel or a kill left in the middle is put back under its lock, waited for, and recorded.
import type { Runner } from '../runner/action.ts'
import { inputVariable } from '../runner/inputs.ts'
import { codeBlock, inline } from '../runner/markdown.ts'
import type { Clock } from './clock.ts'
import { putBack } from './engine.ts'
import type { Plan, Platform } from './platform.ts'

/** GitHub ends a cancelled job's remaining steps 5 minutes after the cancel (docs.github.com, Canceling a workflow run). */
const PUT_BACK_TIMEOUT_MS = 4 * 60_000
/**
 * What a platform's lock is waited for in a post step, in ms: the process that was killed may have left it behind, and the platform may be slow to see
 * that its connection is gone.
 */
export const LOCK_WAIT_MS = 90_000

export interface LeftInTheMiddle {
  /** The release's address; of several services' the addresses, separated by commas. */
  readonly release: string
  /** Takes it up; undefined where it has ended meanwhile. Called under the lock. */
  readonly resume: () => Promise<Pick<Plan, 'previousRelease' | 'somethingToGoBackTo'> | undefined>
  readonly runner: Runner
  readonly clock: Clock
}

/** What the main step was given, which the runner hands over again. */
export function givenInput(runner: Runner, input: string): string {
  return (runner.env[inputVariable(input)] ?? '').trim()
}

/** @returns what there is to say of it in the job summary */
export async function finish(
  platform: Platform,
  { release, resume, runner, clock }: LeftInTheMiddle,
): Promise<string | undefined> {
  const { log, cancelled, ending } = runner
  await platform.lock()
  try {
    // Another run may have had the lock meanwhile, and have taken the release up: what it made live is not ours to undo.
    const unfinished = await resume()
    if (unfinished === undefined) {
      log.info(`${release} has ended meanwhile: nothing is left to do`)
      return undefined
    }
    log.info(`${release} was not finished`)
    const failure = { reason: 'Cancelled', message: `${release} was cancelled or killed before it had ended.` }
    if (givenInput(runner, 'on-failure') === 'keep') {
      const message = `${failure.message} It was left as it is, for on-failure is "keep".`
      await platform.record('failed', message)
      return `## ${inline(release)}: ⚠️ Not finished\n\n${inline(message)}`
    }
    const options = {
      timeoutMs: PUT_BACK_TIMEOUT_MS,
      stableForMs: 0,
      onFailure: 'rollback' as const,
      firstDeploy: 'allow' as const,
      dryRun: false,
      clock,
      log,
      cancelled,
      ending,
    }
    const { message, remedies } = await putBack(platform, options, failure, unfinished)
    log.warning(message, release)
    const commands = remedies.length === 0 ? '' : `\n\nTo finish it by hand:\n\n${codeBlock(remedies.join('\n'), 'sh')}`
    return `## ${inline(release)}: ⚠️ Finished after the run had ended\n\n${inline(message)}${commands}`
  } finally {
    await platform.unlock()
  }
}
