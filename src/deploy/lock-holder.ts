// Who holds a lock, in words that name the very step of the very run.
import { hostname } from 'node:os'
import { runAddress } from '../runner/run-address.ts'

/** Who holds the lock: the run's address and the very step, so that the post step of the same run may take it up again. */
export function lockHolder(env: NodeJS.ProcessEnv): string {
  const run = runAddress(env)
  if (run === '') return `${env['USER'] ?? 'somebody'} at ${hostname()}, process ${process.pid}`
  const step = [env['GITHUB_RUN_ATTEMPT'], env['GITHUB_JOB'], env['GITHUB_ACTION'], env['RUNNER_NAME']].filter(
    part => part !== undefined && part !== '',
  )
  return `${run} (${step.join(', ')})`
}
