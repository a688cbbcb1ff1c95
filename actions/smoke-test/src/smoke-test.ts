// The work of smoke-test: one request or a check file, its report, and the release marked verified when it passed.
import { messageOfRun } from '../../../src/checks/check-message.ts'
import { checkReport, checkSummary, type FinishedCheck } from '../../../src/checks/check-report.ts'
import { describeExpectation, type Expectation } from '../../../src/checks/expectation.ts'
import { askHttpCheck } from '../../../src/checks/http-check.ts'
import { type Ask, runCheck } from '../../../src/checks/run-check.ts'
import type { CheckResult } from '../../../src/checks/verdict.ts'
import { type MarkVerified, markInCluster, markPassed } from '../../../src/checks/verifies.ts'
import { writeCheckReport } from '../../../src/checks/write-report.ts'
import { type Clock, systemClock } from '../../../src/deploy/clock.ts'
import type { Connection } from '../../../src/kubernetes/connection.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { formatDuration } from '../../../src/runner/duration.ts'
import { foreignLine } from '../../../src/runner/foreign-text.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import { inline } from '../../../src/runner/markdown.ts'
import type { definition } from './definition.ts'

export type SmokeTestInputs = InputValues<typeof definition.inputs>

/** What the test touches outside itself. */
export interface Ports {
  readonly ask: Ask
  readonly clock: Clock
  readonly markVerified: MarkVerified
}

type SmokeTestOutcome = Outcome<(typeof definition.outputs)[number]>

/** What was seen, of one request or of a check file. `summary` takes further lines. */
interface Seen {
  readonly result: CheckResult
  readonly reason: string
  readonly message: string
  readonly summary: (more: readonly string[]) => string
  readonly passed: number
  readonly failed: number
  readonly p95Ms: number | undefined
  /** The JSON report's content. */
  readonly report: unknown
}

export async function smokeTest(inputs: SmokeTestInputs, runner: Runner, ports: Partial<Ports> = {}): Promise<SmokeTestOutcome> {
  const { log, temporary } = runner
  const seen = inputs.checks === '' ? await askUrl(inputs, runner, ports) : await runCheckFile(inputs, runner, ports)
  const { result, reason } = seen
  const outputs = {
    passed: String(seen.passed),
    failed: String(seen.failed),
    report: await writeCheckReport(seen.report, temporary, log.redact),
    'p95-ms': seen.p95Ms === undefined ? '' : String(Math.round(seen.p95Ms)),
  }
  if (result === 'passed' && inputs.verifies !== '') {
    const marking = await markPassed('The test', inputs.verifies, ports.markVerified ?? markInCluster(inputs, runner))
    const message = `${seen.message} ${marking.message}`
    return { result, reason: marking.reason, message, green: marking.done, outputs, summary: seen.summary([marking.message]) }
  }
  const green = result === 'passed' || (result === 'inconclusive' && inputs['on-inconclusive'] === 'warn')
  return {
    result,
    reason,
    message: seen.message,
    green,
    warning: green && result === 'inconclusive',
    outputs,
    summary: seen.summary([]),
  }
}

async function askUrl(inputs: SmokeTestInputs, { log, env, cancelled }: Runner, ports: Partial<Ports>): Promise<Seen> {
  const { url } = inputs
  if (url === undefined) throw new Error('neither url nor checks was given')
  const expectation = expectationOf(inputs)
  const address = foreignLine(url.href)
  const asked = describeExpectation(expectation)
  const inARow = inputs.consecutive === 1 ? '' : `, ${inputs.consecutive} times in a row`
  log.info(
    `Asking ${address} for ${asked}${inARow}; ${formatDuration(inputs.timeout)} at most, every ${formatDuration(inputs.interval)}`,
  )
  const run = await runCheck({
    ask: ports.ask ?? askHttpCheck({ url, headers: inputs.header, expectation, redact: log.redact, env }),
    policy: { consecutive: inputs.consecutive, onUnreachable: inputs['on-unreachable'] },
    timeoutMs: inputs.timeout,
    intervalMs: inputs.interval,
    clock: ports.clock ?? systemClock,
    signal: cancelled,
    print: line => log.info(line),
  })
  const { result, reason } = run.verdict
  const message = messageOfRun(run, address, asked, inARow)
  const check: FinishedCheck = { name: 'smoke-test', address, asked, message, run }
  return {
    result,
    reason,
    message,
    summary: more => checkSummary(check, more),
    passed: result === 'passed' ? 1 : 0,
    failed: result === 'failed' ? 1 : 0,
    p95Ms: run.p95Ms,
    report: checkReport([check]),
  }
}

async function runCheckFile(inputs: SmokeTestInputs, runner: Runner, ports: Partial<Ports>): Promise<Seen> {
  const { log, env, workspace, temporary, cancelled } = runner
  const { readCheckFile } = await import('../../../src/checks/check-file/read.ts')
  const { prepareChecks } = await import('../../../src/checks/run-checks.ts')
  const file = await readCheckFile(inputs.checks, { workspace, env })
  let connection: Promise<Connection> | undefined
  const cluster = async (): Promise<{ socketPath: string }> => {
    connection ??= connectToCluster(inputs, runner)
    return { socketPath: (await connection).socketPath }
  }
  try {
    const checks = await prepareChecks(file, {
      workspace,
      temporary,
      env,
      log,
      clock: ports.clock ?? systemClock,
      signal: cancelled,
      baseUrl: inputs.url?.href,
      cluster,
      usual: {
        timeoutMs: inputs.timeout,
        intervalMs: inputs.interval,
        consecutive: inputs.consecutive,
        onUnreachable: inputs['on-unreachable'],
      },
    })
    log.info(`Running the checks of ${file.name}`)
    const ended = await checks.run()
    return { ...ended, summary: more => [ended.summary, ...more.map(inline)].join('\n\n') }
  } finally {
    await connection?.then(
      open => open.close(),
      () => undefined,
    )
  }
}

async function connectToCluster(inputs: SmokeTestInputs, { env, temporary, log, cancelled }: Runner): Promise<Connection> {
  const { connect } = await import('../../../src/kubernetes/connection.ts')
  return connect({ kubeconfig: inputs.kubeconfig, context: inputs.context, env, temporary, log, signal: cancelled })
}

function expectationOf(inputs: SmokeTestInputs): Expectation {
  return {
    status: inputs.status.flat(),
    bodyContains: inputs['body-contains'],
    json: inputs.json,
    ...(inputs.version === '' ? {} : { version: { expected: inputs.version, from: inputs['version-from'] } }),
  }
}
