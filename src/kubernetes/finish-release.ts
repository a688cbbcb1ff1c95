// The post step's work: a release that a cancel or a kill left in the middle is put back, waited for, and recorded.
import { systemClock } from '../deploy/clock.ts'
import { putBack } from '../deploy/engine.ts'
import { formatReleaseAddress, parseReleaseAddress } from '../deploy/release-address.ts'
import type { Runner } from '../runner/action.ts'
import { inputVariable } from '../runner/inputs.ts'
import { codeBlock, inline } from '../runner/markdown.ts'
import { connect } from './connection.ts'
import { KubernetesPlatform } from './platform.ts'

/** GitHub ends a cancelled job's remaining steps 5 minutes after the cancel (docs.github.com, Canceling a workflow run). */
const PUT_BACK_TIMEOUT_MS = 4 * 60_000
/** The process that was killed may have left the lock behind, and the cluster may be slow to see a socket close. */
const LOCK_WAIT_MS = 90_000

/**
 * Puts back what the main step has left in the middle. Nothing to do for a release that has ended. What the main step was given the runner hands over
 * again: its state and its inputs.
 * @returns what there is to say of it in the job summary
 */
export async function finishRelease(runner: Runner): Promise<string | undefined> {
  const remembered = runner.env['STATE_release'] ?? ''
  const locked = runner.env['STATE_lock'] ?? ''
  // What the lock is of is written as the address of a release that is yet to come.
  if (remembered === '' && locked === '') return undefined
  const address = parseReleaseAddress(remembered === '' ? locked : remembered)
  if (address.platform !== 'k8s') return undefined
  const { env, log, temporary, cancelled, ending } = runner
  const given = (input: string): string => env[inputVariable(input)] ?? ''
  const connection = await connect({
    kubeconfig: given('kubeconfig'),
    context: given('context'),
    env,
    temporary,
    log,
    signal: ending,
  })
  try {
    const target = (): Promise<never> => Promise.reject(new Error('a release that is put back has no target'))
    const platform = new KubernetesPlatform({
      api: connection.api,
      app: address.app,
      namespace: address.namespace,
      target,
      lockWaitMs: LOCK_WAIT_MS,
      context: connection.context,
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const number = remembered === '' ? await platform.findLeftBehind() : address.number
    if (number === undefined || !(await platform.isUnfinished(number))) {
      await platform.releaseLeftBehind()
      return undefined
    }
    const release = formatReleaseAddress({ ...address, number })
    log.info(`${release} was not finished`)
    await platform.lock()
    try {
      // Another run may have had the lock meanwhile, and have taken the release up: what it made live is not ours to undo.
      const unfinished = await platform.resume(number)
      if (unfinished === undefined) {
        log.info(`${release} was taken up by another run meanwhile: nothing is left to do`)
        return undefined
      }
      const failure = { reason: 'Cancelled', message: `${release} was cancelled or killed before it had ended.` }
      if (given('on-failure') === 'keep') {
        const message = `${failure.message} It was left as it is, for on-failure is "keep".`
        await platform.record('failed', message)
        return `## ${release}: ⚠️ Not finished\n\n${inline(message)}`
      }
      const options = {
        timeoutMs: PUT_BACK_TIMEOUT_MS,
        stableForMs: 0,
        onFailure: 'rollback' as const,
        firstDeploy: 'allow' as const,
        dryRun: false,
        clock: systemClock,
        log,
        cancelled,
        ending,
      }
      const { message, remedies } = await putBack(platform, options, failure, unfinished)
      log.warning(message, release)
      const commands = remedies.length === 0 ? '' : `\n\nTo finish it by hand:\n\n${codeBlock(remedies.join('\n'), 'sh')}`
      return `## ${release}: ⚠️ Finished after the run had ended\n\n${inline(message)}${commands}`
    } finally {
      await platform.unlock()
    }
  } finally {
    await connection.close()
  }
}
