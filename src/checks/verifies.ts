// The release that an action marks verified when its checks have passed: the input `verifies`, and what came of it.
import { parseReleaseAddress } from '../deploy/release-address.ts'
import type { Runner } from '../runner/action.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { InputFault } from '../runner/inputs.ts'
import { runAddress } from '../runner/run-address.ts'

/** Marks a release verified. @throws ExpectedFailure */
export type MarkVerified = (address: string) => Promise<void>

/** The address as it was given, once it is known to be one that can be marked; empty when there is none. @throws InputFault */
export function parseVerifies(raw: string): string {
  if (raw === '') return ''
  try {
    if (parseReleaseAddress(raw).platform === 'ecs')
      throw new InputFault('an ecs:// release cannot be marked verified yet, only a k8s:// one')
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

/** Marks releases in the cluster of this kubeconfig. */
export function markInCluster(
  { kubeconfig, context }: { readonly kubeconfig: string; readonly context: string },
  { env, temporary, log, cancelled }: Runner,
): MarkVerified {
  return async address => {
    const { markVerified } = await import('../kubernetes/verification.ts')
    await markVerified(address, { kubeconfig, context, env, temporary, log, signal: cancelled, run: runAddress(env) })
  }
}
