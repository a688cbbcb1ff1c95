// Marks a release on ECS as verified: the word of a check that has seen it work.
import { type Clock, systemClock } from '../deploy/clock.ts'
import { parseReleaseAddress } from '../deploy/release-address.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { AwsApi, type ClientSettings } from './api.ts'
import { primaryOf } from './judge/service-deployment.ts'
import { revisionOf } from './judge/snapshot.ts'
import { readRevision, readServices } from './live-service.ts'
import { RELEASE_TAG, releaseNote, releaseValue, statusOf, statusTag, tagValue } from './tags.ts'

export interface EcsVerificationOptions {
  readonly log: Log
  readonly signal: AbortSignal
  readonly clock?: Clock
  /** For tests; region and credentials are else as the SDK finds them. */
  readonly settings?: ClientSettings
}

/**
 * Marks the release at `address` verified.
 * @throws ExpectedFailure NotFound where there is no such service; InvalidInput where it is not up (failed, rolled back, still pending); Conflict where
 * another revision is live by now
 */
export async function markVerifiedOnEcs(address: string, options: EcsVerificationOptions): Promise<void> {
  const release = parseReleaseAddress(address)
  if (release.platform !== 'ecs')
    throw new ExpectedFailure(
      'InvalidInput',
      `verifies: ${address} is no release on ECS (ecs://<cluster>/<service>/<family>:<revision>).`,
    )
  const { clock = systemClock, signal, log, settings } = options
  const api = new AwsApi({
    region: '',
    clock,
    signal,
    onTrouble: sentence => log.info(sentence),
    ...(settings === undefined ? {} : { settings }),
  })
  try {
    const { cluster, service: name } = release
    const wanted = `${release.family}:${release.revision}`
    const [service] = await readServices(api, cluster, [name])
    const primary = primaryOf({ service })
    const live = revisionOf(primary?.taskDefinition)
    if (live !== wanted)
      throw new ExpectedFailure(
        'Conflict',
        `${address} is no longer what is live, ecs://${cluster}/${name}/${live} is: what was tested may have been that one, so it is not marked verified.`,
      )
    const revision = await readRevision(api, wanted)
    const status = statusOf(revision.tags, cluster, name)
    if (status === 'verified') return
    if (status !== undefined && status !== 'deployed')
      throw new ExpectedFailure(
        'InvalidInput',
        `${address} is ${status}, so it cannot be marked verified: it is not what is live.`,
      )
    const value = tagValue(`verified ${new Date(clock.now()).toISOString()}`)
    await api.call('ecs', 'TagResource', { resourceArn: revision.arn, tags: [{ key: statusTag(cluster, name), value }] })
    const note = service === undefined ? undefined : releaseNote(service)
    if (note?.revision === wanted && service?.serviceArn !== undefined)
      await api.call('ecs', 'TagResource', {
        resourceArn: service.serviceArn,
        tags: [{ key: RELEASE_TAG, value: releaseValue({ ...note, status: 'verified' }) }],
      })
  } finally {
    api.close()
  }
}
