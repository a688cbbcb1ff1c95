// The release that an action marks verified when its checks have passed: the input `verifies`, and what came of it.
import { parseReleaseAddress } from '../deploy/release-address.ts'
import type { Runner } from '../runner/action.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { InputFault } from '../runner/inputs.ts'
import { runAddress } from '../runner/run-address.ts'

/** Marks releases verified, one or several addresses with spaces between. @throws ExpectedFailure */
export type MarkVerified = (addresses: string) => Promise<void>

/** The address, or several, as given, once each is known to be one that can be marked; empty when there is none. @throws InputFault */
export function parseVerifies(raw: string): string {
  if (raw === '') return ''
  try {
    // A deployment of several services has several addresses.
    for (const address of raw.split(/\s+/)) parseReleaseAddress(address)
    return raw
  } catch (error) {
    throw error instanceof ExpectedFailure ? new InputFault(error.message) : error
  }
}

/** Marks the release at `address`; what stands in the way is told, not thrown. `what` has passed: "The gate". */
export async function markPassed(
  what: string,
  address: string,
  markVerified: MarkVerified,
): Promise<{ readonly done: boolean; readonly reason: string; readonly message: string }> {
  try {
    await markVerified(address)
    return { done: true, reason: '', message: `${address} is marked verified.` }
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw error
    const message = `${what} passed, but ${address} could not be marked verified: ${error.message}`
    return { done: false, reason: error.reason, message }
  }
}

/** Marks releases in the cluster of this kubeconfig, and on ECS. */
export function markInCluster(
  { kubeconfig, context }: { readonly kubeconfig: string; readonly context: string },
  { env, temporary, log, cancelled }: Runner,
): MarkVerified {
  return async addresses => {
    for (const address of addresses.split(/\s+/)) {
      if (address.startsWith('ecs://')) {
        const { markVerifiedOnEcs } = await import('../ecs/verification.ts')
        await markVerifiedOnEcs(address, { log, signal: cancelled })
      } else {
        const { markVerified } = await import('../kubernetes/verification.ts')
        await markVerified(address, { kubeconfig, context, env, temporary, log, signal: cancelled, run: runAddress(env) })
      }
    }
  }
}
