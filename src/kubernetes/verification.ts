// Marks a release as verified: the word of a check that has seen it work.
import { parseReleaseAddress } from '../deploy/release-address.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import type { KubernetesApi } from './api.ts'
import { connect } from './connection.ts'
import { liveRecord, ReleaseRecords } from './release-record.ts'

export interface VerificationOptions {
  readonly kubeconfig: string
  readonly context: string
  readonly env: NodeJS.ProcessEnv
  readonly temporary: string
  readonly log: Log
  readonly signal: AbortSignal
  /** Who verified it: the run's address. */
  readonly run: string
}

/**
 * Marks the release at `address` verified.
 * @throws ExpectedFailure NotFound where there is no such release; InvalidInput where it is not up (failed, rolled back, still pending)
 */
export async function markVerified(address: string, options: VerificationOptions): Promise<void> {
  const release = parseReleaseAddress(address)
  if (release.platform !== 'k8s')
    throw new ExpectedFailure(
      'InvalidInput',
      `verifies: ${address} is no release on Kubernetes (k8s://<namespace>/<app>/<number>).`,
    )
  const connection = await connect(options)
  try {
    await verifyRelease(connection.api, release, options.run)
  } finally {
    await connection.close()
  }
}

/**
 * Marks a release verified over a connection that is there already. `run` is who verified it.
 * @throws ExpectedFailure as markVerified
 */
export async function verifyRelease(
  api: KubernetesApi,
  { namespace, app, number }: { readonly namespace: string; readonly app: string; readonly number: number },
  run: string,
): Promise<void> {
  const records = new ReleaseRecords(api, namespace, app)
  const address = records.address(number)
  const all = await records.list()
  const record = await records.get(number, all)
  if (record.status === 'verified') return
  if (record.status !== 'deployed')
    throw new ExpectedFailure(
      'InvalidInput',
      `${address} is ${record.status}, so it cannot be marked verified: it is not what is live.`,
    )
  const live = liveRecord(all)
  if (live !== undefined && live.number !== number)
    throw new ExpectedFailure(
      'Conflict',
      `${address} is no longer what is live, ${records.address(live.number)} is: what was tested may have been that one, so it is not marked verified.`,
    )
  const { resourceVersion } = record
  try {
    await records.update(number, 'verified', `Verified by ${run}.`, { resourceVersion })
  } catch (error) {
    if (!(error instanceof ExpectedFailure) || error.reason !== 'Conflict') throw error
    if ((await records.get(number)).status === 'verified') return
    throw new ExpectedFailure(
      'Conflict',
      `${address} was rolled back or changed in this very moment, so it is not marked verified.`,
    )
  }
}
