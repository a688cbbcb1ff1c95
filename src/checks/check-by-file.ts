// A deployment's check by a check file, loaded only where there is one.
import type { Check } from '../deploy/check.ts'
import { systemClock } from '../deploy/clock.ts'
import type { Runner } from '../runner/action.ts'

/**
 * @param cluster where there is one, the socket of the `kubectl proxy` through which the checks ask for addresses inside of it
 * @throws ExpectedFailure InvalidInput, NotFound with all that is wrong with the file
 */
export async function checkByFile(
  path: string,
  { env, log, cancelled, ending, temporary, workspace }: Runner,
  cluster?: { readonly socketPath: string },
): Promise<Check> {
  const { checkOfRelease } = await import('./check-release.ts')
  const context = { workspace, temporary, env, log, clock: systemClock, signal: cancelled, ending, deployedAt: systemClock.now() }
  return checkOfRelease(path, cluster === undefined ? context : { ...context, cluster: async () => cluster })
}
