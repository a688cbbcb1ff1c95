// The post step's work on ECS: which services' release the main step has left in the middle, and how to reach them to put it back.
import { type Clock, systemClock } from '../deploy/clock.ts'
import { finish, givenInput, LOCK_WAIT_MS } from '../deploy/finish.ts'
import { parseReleaseAddress } from '../deploy/release-address.ts'
import type { Runner } from '../runner/action.ts'
import { AwsApi, type ClientSettings } from './api.ts'
import { EcsPlatform } from './platform.ts'

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
  const api = new AwsApi({
    region: givenInput(runner, 'aws-region'),
    clock,
    signal: ending,
    onTrouble: sentence => log.info(sentence),
    ...(settings === undefined ? {} : { settings }),
  })
  try {
    const platform = new EcsPlatform({
      api,
      cluster,
      services: addresses.map(({ service }) => service),
      target: () => Promise.reject(new Error('a release that is put back has no target')),
      codeDeploy: {
        application: givenInput(runner, 'codedeploy-application'),
        group: givenInput(runner, 'codedeploy-deployment-group'),
      },
      lockWaitMs: LOCK_WAIT_MS,
      env,
      clock,
      log,
      cancelled,
    })
    const revisions = new Map(addresses.map(({ service, family, revision }) => [service, `${family}:${revision}`]))
    const release = releases.join(', ')
    return await finish(platform, { release, resume: () => platform.resume(revisions), runner, clock })
  } finally {
    api.close()
  }
}
