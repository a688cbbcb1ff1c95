// The issue that a rollback opens, or comments on.
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import { runAddress } from '../../../src/runner/run-address.ts'
import type { definition, RollbackOutput } from './definition.ts'

type IncidentInputs = Pick<
  InputValues<(typeof definition)['inputs']>,
  'incident-issue' | 'incident-title' | 'github-token' | 'dry-run'
>

/** The number of the incident's issue, where one is wanted and something was rolled back, or should have been. That it can't be written is a warning. */
export async function issueOf(
  inputs: IncidentInputs,
  outcome: Outcome<RollbackOutput>,
  subject: string,
  { env, log }: Runner,
): Promise<string> {
  if (!inputs['incident-issue'] || inputs['dry-run'] || outcome.result === 'unchanged') return ''
  const title = inputs['incident-title'] === '' ? `${subject} was rolled back` : inputs['incident-title']
  const run = runAddress(env)
  const report = log.redact(`${outcome.summary ?? outcome.message}${run === '' ? '' : `\n\n[The run](${run})`}\n`)
  try {
    const { reportIncident } = await import('../../../src/report/incident-issue.ts')
    const number = await reportIncident({ subject, title, report }, { token: inputs['github-token'], env })
    log.info(`The incident is issue #${number}`)
    return String(number)
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw error
    log.warning(error.message)
    return ''
  }
}
