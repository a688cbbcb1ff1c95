// Marks a release as verified: the word of a check that has seen it work.
import { parseReleaseAddress } from '../deploy/release-address.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { connect } from './connection.ts'
import { ReleaseRecords } from './release-record.ts'

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
    const records = new ReleaseRecords(connection.api, release.namespace, release.app)
    const record = await records.get(release.number)
    if (record.status === 'verified') return
    if (record.status !== 'deployed')
      throw new ExpectedFailure(
        'InvalidInput',
        `${address} is ${record.status}, so it cannot be marked verified: it is not what is live.`,
      )
    await records.update(release.number, 'verified', `Verified by ${options.run}.`)
  } finally {
    await connection.close()
  }
}
