// A check file as the check of a deployment: made ready before anything is changed, run on the new release, at its stages too, and again on the old one after it was put back.
import type { Check } from '../deploy/check.ts'
import { code } from '../runner/markdown.ts'
import { readCheckFile } from './check-file/read.ts'
import { prepareChecks } from './run-checks.ts'
import type { SmokeContext } from './smoke/run-smoke.ts'

export interface ReleaseCheckContext extends SmokeContext {
  /** Raised when even what is put back has no time any more. */
  readonly ending: AbortSignal
}

/**
 * The check that the file at `path` describes. What was put back is asked by its smoke part alone: metrics take their time, and the verdict stands already.
 * @throws ExpectedFailure InvalidInput, NotFound with all that is wrong with the file
 */
export async function checkOfRelease(path: string, context: ReleaseCheckContext): Promise<Check> {
  const file = await readCheckFile(path, context)
  const checks = await prepareChecks(file, context)
  return async (live, at) => {
    if (live === 'restored') {
      if (file.content.smoke === undefined) return undefined
      const ended = await (await prepareChecks(file, { ...context, restored: true, signal: context.ending })).run()
      return { ...ended, summary: ended.summary.replace('Checks:', 'Checks of what was put back:') }
    }
    if (at === undefined) return checks.run()
    const signal = AbortSignal.any([context.signal, at.signal])
    const ended = await (await prepareChecks(file, { ...context, signal })).run()
    return { ...ended, summary: `At ${code(at.stage)}:\n\n${ended.summary}` }
  }
}
