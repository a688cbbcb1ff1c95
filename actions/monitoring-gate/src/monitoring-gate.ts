// The work of monitoring-gate: one gate, its measurements, and the release marked verified when it passed.
import { readCheckFile } from '../../../src/checks/check-file/read.ts'
import { prepareGate } from '../../../src/checks/gate/gate-part.ts'
import { gateSummary } from '../../../src/checks/gate/gate-report.ts'
import { readQueries } from '../../../src/checks/gate/read-queries.ts'
import type { GateContent } from '../../../src/checks/gate/schema.ts'
import { type MarkVerified, markInCluster, markPassed } from '../../../src/checks/verifies.ts'
import { writeCheckReport } from '../../../src/checks/write-report.ts'
import { type Clock, systemClock } from '../../../src/deploy/clock.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { definition, GateInputs } from './definition.ts'

const NAME = 'monitoring-gate'

/** What the gate touches outside itself, beside its providers. */
export interface Ports {
  readonly clock: Clock
  readonly markVerified: MarkVerified
}

export async function monitoringGate(
  inputs: GateInputs,
  runner: Runner,
  ports: Partial<Ports> = {},
): Promise<Outcome<(typeof definition.outputs)[number]>> {
  const { content, fill } = await contentOf(inputs, runner)
  const deployedAt = inputs['deployed-at']
  const ready = prepareGate(
    content,
    {
      env: runner.env,
      log: runner.log,
      clock: ports.clock ?? systemClock,
      signal: runner.cancelled,
      ...(deployedAt === undefined ? {} : { deployedAt }),
    },
    fill,
    NAME,
  )
  const { run, ...ended } = await ready.run()
  const outputs = { measurements: await writeCheckReport(ended.report, runner.temporary, runner.log.redact, NAME) }
  const { result, reason, message, summary } = ended
  if (result === 'passed' && inputs.verifies !== '') {
    const marking = await markPassed('The gate', inputs.verifies, ports.markVerified ?? markInCluster(inputs, runner))
    const both = `${message} ${marking.message}`
    return {
      result,
      reason: marking.reason,
      message: both,
      green: marking.done,
      outputs,
      summary: gateSummary(run, NAME, [marking.message]),
    }
  }
  const green = result === 'passed' || (result === 'inconclusive' && inputs['on-inconclusive'] === 'warn')
  return { result, reason, message, green, warning: green && result === 'inconclusive', outputs, summary }
}

interface Content {
  readonly content: GateContent
  readonly fill: (text: string) => string
}

/** The gate of a check file, or what the inputs say. @throws ExpectedFailure InvalidInput, NotFound */
async function contentOf(inputs: GateInputs, { workspace, env, log }: Runner): Promise<Content> {
  if (inputs.checks === '') return { content: fromInputs(inputs), fill: text => text }
  const file = await readCheckFile(inputs.checks, { workspace, env })
  for (const secret of file.variables.secrets) log.mask(secret)
  const { gate } = file.content
  if (gate === undefined)
    throw new ExpectedFailure('InvalidInput', `${file.name} has no gate: part; nothing was asked.`, { at: file.at([]) })
  return { content: gate, fill: text => file.variables.fill(text) }
}

function fromInputs(inputs: GateInputs): GateContent {
  const region = inputs['aws-region']
  const url = inputs['prometheus-url']
  return {
    provider: inputs.provider,
    ...(url === ''
      ? {}
      : {
          prometheus: {
            url,
            token: inputs['prometheus-token'],
            username: inputs['prometheus-username'],
            password: inputs['prometheus-password'],
            headers: Object.fromEntries(inputs['prometheus-header']),
            ca: inputs['prometheus-ca'],
            sigv4: inputs['prometheus-sigv4'] ? region : '',
          },
        }),
    ...(region === '' ? {} : { cloudwatch: { region } }),
    ...(inputs.provider === 'datadog'
      ? { datadog: { url: inputs['datadog-url'], 'api-key': inputs['datadog-api-key'], 'app-key': inputs['datadog-app-key'] } }
      : {}),
    ...(inputs.queries === '' ? {} : { queries: [...readQueries(inputs.queries)] }),
    alarms: [...inputs.alarms],
    duration: inputs.duration,
    interval: inputs.interval,
    window: inputs.window,
    ...(inputs.delay === undefined ? {} : { delay: inputs.delay }),
    'stale-after': inputs['stale-after'],
    'provider-timeout': inputs['provider-timeout'],
    consecutive: inputs.consecutive,
    'failure-limit': inputs['failure-limit'],
    ...(inputs['minimum-samples'] === undefined ? {} : { 'minimum-samples': inputs['minimum-samples'] }),
    'minimum-score': inputs['minimum-score'],
    ...(inputs['early-pass'] === 0 ? {} : { 'early-pass': inputs['early-pass'] }),
    'on-no-data': inputs['on-no-data'],
  }
}
