// A deployment within a step of GitHub's runner: its log and its cancel, and what the post step has to know to finish it.
import type { Runner } from '../runner/action.ts'
import { systemClock } from './clock.ts'
import { type DeployOptions, type DeployReport, deploy } from './engine.ts'
import type { Platform } from './platform.ts'

export type StepOptions = Omit<DeployOptions, 'clock' | 'log' | 'cancelled' | 'ending' | 'onRemembered'>

/** @throws ExpectedFailure as `deploy` */
export async function deployForRunner(platform: Platform, runner: Runner, options: StepOptions): Promise<DeployReport> {
  const { log, cancelled, ending } = runner
  const report = await deploy(platform, {
    ...options,
    clock: systemClock,
    log,
    cancelled,
    ending,
    onRemembered: release => runner.saveState('release', release),
  })
  if (!report.unfinished) runner.saveState('release', '')
  return report
}
