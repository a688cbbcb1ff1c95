// The post step's work on ECS: a release that a cancel or a kill left in the middle is put back, waited for, and recorded.
import { type Clock, systemClock } from '../deploy/clock.ts'
import { putBack } from '../deploy/engine.ts'
import { parseReleaseAddress } from '../deploy/release-address.ts'
import type { Runner } from '../runner/action.ts'
import { inputVariable } from '../runner/inputs.ts'
import { inline } from '../runner/markdown.ts'
import { AwsApi, type ClientSettings } from './api.ts'
import { EcsPlatform } from './platform.ts'

/** GitHub ends a cancelled job's remaining steps 5 minutes after the cancel (docs.github.com, Canceling a workflow run). */
const PUT_BACK_TIMEOUT_MS = 4 * 60_000
/** The process that was killed may have left the lock behind; it is of the same step, so that nothing is waited for but another run. */
const LOCK_WAIT_MS = 90_000

/**
 * Puts back what the main step has left in the middle. Nothing to do for a release that has ended. What the main step was given the runner hands over
 * again: its state and its inputs.
 * @returns what there is to say of it in the job summary
 */
export async function finishRelease(
  runner: Runner,
  { clock = systemClock, settings }: { readonly clock?: Clock; readonly settings?: ClientSettings } = {},
): Promise<string | undefined> {
  const releases = (runner.env['STATE_release'] ?? '').split(/\s+/).filter(release => release !== '')
  const addresses = releases.map(parseReleaseAddress).flatMap(address => (address.platform === 'ecs' ? [address] : []))
  const cluster = addresses[0]?.cluster
  if (cluster === undefined) return undefined
  const { env, log, cancelled, ending } = runner
  const given = (input: string): string => env[inputVariable(input)] ?? ''
  const api = new AwsApi({
    region: given('aws-region').trim(),
    clock,
    signal: ending,
    onTrouble: sentence => log.info(sentence),
    ...(settings === undefined ? {} : { settings }),
  })
  const name = releases.join(', ')
  try {
    const platform = new EcsPlatform({
      api,
      cluster,
      services: addresses.map(({ service }) => service),
      target: () => Promise.reject(new Error('a release that is put back has no target')),
      codeDeploy: { application: given('codedeploy-application').trim(), group: given('codedeploy-deployment-group').trim() },
      lockWaitMs: LOCK_WAIT_MS,
      env,
      clock,
      log,
      cancelled,
    })
    await platform.lock()
    try {
      const revisions = new Map(addresses.map(({ service, family, revision }) => [service, `${family}:${revision}`]))
      // Another run may have had the lock meanwhile, and have taken the release up: what it made live is not ours to undo.
      const unfinished = await platform.resume(revisions)
      if (unfinished === undefined) return undefined
      log.info(`${name} was not finished`)
      const failure = { reason: 'Cancelled', message: `${name} was cancelled or killed before it had ended.` }
      if (given('on-failure') === 'keep') {
        const message = `${failure.message} It was left as it is, for on-failure is "keep".`
        await platform.record('failed', message)
        return `## ${inline(name)}: ⚠️ Not finished\n\n${inline(message)}`
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
      const { message } = await putBack(platform, options, failure, unfinished)
      log.warning(message, name)
      return `## ${inline(name)}: ⚠️ Finished after the run had ended\n\n${inline(message)}`
    } finally {
      await platform.unlock()
    }
  } finally {
    api.close()
  }
}
