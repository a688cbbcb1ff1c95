// The work of smoke-test: one check, its report, and the release marked verified when it passed.
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkReport, checkSummary, type FinishedCheck, formatShort } from '../../../src/checks/check-report.ts'
import { describeExpectation, type Expectation } from '../../../src/checks/expectation.ts'
import { askHttpCheck } from '../../../src/checks/http-check.ts'
import { type Ask, type CheckRun, runCheck } from '../../../src/checks/run-check.ts'
import { type Clock, systemClock } from '../../../src/deploy/clock.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { formatDuration } from '../../../src/runner/duration.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import { foreignLine } from '../../../src/runner/foreign-text.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import { runAddress } from '../../../src/runner/run-address.ts'
import type { definition } from './definition.ts'

export type SmokeTestInputs = InputValues<typeof definition.inputs>

/** Marks a release verified. @throws ExpectedFailure */
export type MarkVerified = (address: string) => Promise<void>

/** What the test touches outside itself. */
export interface Ports {
  readonly ask: Ask
  readonly clock: Clock
  readonly markVerified: MarkVerified
}

export async function smokeTest(
  inputs: SmokeTestInputs,
  runner: Runner,
  ports: Partial<Ports> = {},
): Promise<Outcome<(typeof definition.outputs)[number]>> {
  const { log } = runner
  const expectation = expectationOf(inputs)
  const address = foreignLine(inputs.url.href)
  const asked = describeExpectation(expectation)
  const inARow = inputs.consecutive === 1 ? '' : `, ${inputs.consecutive} times in a row`
  log.info(
    `Asking ${address} for ${asked}${inARow}; ${formatDuration(inputs.timeout)} at most, every ${formatDuration(inputs.interval)}`,
  )

  const run = await runCheck({
    ask: ports.ask ?? askHttpCheck({ url: inputs.url, headers: inputs.header, expectation, redact: log.redact }),
    policy: { consecutive: inputs.consecutive, onUnreachable: inputs['on-unreachable'] },
    timeoutMs: inputs.timeout,
    intervalMs: inputs.interval,
    clock: ports.clock ?? systemClock,
    signal: runner.cancelled,
    print: line => log.info(line),
  })

  const check: FinishedCheck = { name: 'smoke-test', address, asked, message: messageOfRun(run, address, asked, inARow), run }
  const report = await writeReport(check, runner)
  const outputs = {
    passed: run.verdict.result === 'passed' ? '1' : '0',
    failed: run.verdict.result === 'failed' ? '1' : '0',
    report,
    'p95-ms': run.p95Ms === undefined ? '' : String(Math.round(run.p95Ms)),
  }
  const { result, reason } = run.verdict
  if (result === 'passed' && inputs.verifies !== '') {
    const marking = await mark(inputs.verifies, ports.markVerified ?? markInCluster(inputs, runner))
    const message = `${check.message} ${marking.message}`
    return {
      result,
      reason: marking.reason,
      message,
      green: marking.done,
      outputs,
      summary: checkSummary(check, [marking.message]),
    }
  }
  const green = result === 'passed' || (result === 'inconclusive' && inputs['on-inconclusive'] === 'warn')
  return {
    result,
    reason,
    message: check.message,
    green,
    warning: green && result === 'inconclusive',
    outputs,
    summary: checkSummary(check),
  }
}

function expectationOf(inputs: SmokeTestInputs): Expectation {
  return {
    status: inputs.status.flat(),
    bodyContains: inputs['body-contains'],
    json: inputs.json,
    ...(inputs.version === '' ? {} : { version: { expected: inputs.version, from: inputs['version-from'] } }),
  }
}

/** What to do about it, where the verdict itself does not say. */
const ADVICE: Readonly<Record<string, string>> = {
  Unreachable: 'See whether the address is right, its server is up, and this runner may reach it.',
  NoAnswer: "See the app's log; if it was still starting, give a longer timeout.",
  WrongStatus: "See the app's log; if it was still starting, give a longer timeout.",
  WrongBody: 'See whether the app or the test is right; if the app was still starting, give a longer timeout.',
  WrongJson: 'See whether the app or the test is right; if the app was still starting, give a longer timeout.',
  WrongVersion: 'See whether the rollout is over and no old pod is left behind this address.',
  WrongRedirect: 'See where the app sends its clients.',
  Timeout: 'Give a longer timeout, or ask for fewer answers in a row.',
}

/** One sentence on what was seen, and one on what to do about it. */
export function messageOfRun(run: CheckRun, address: string, asked: string, inARow: string): string {
  const { verdict, tally, elapsedMs } = run
  const requests = `${tally.asked} ${tally.asked === 1 ? 'request' : 'requests'} in ${formatShort(elapsedMs)}`
  if (verdict.result === 'passed') return `${address} answered as asked${inARow}: ${asked} (${requests}).`
  if (verdict.result === 'cancelled') return `The test of ${address} was cancelled after ${requests}.`
  const advice = ADVICE[verdict.reason]
  return `${address} ${verdict.because} (${requests}).${advice === undefined ? '' : ` ${advice}`}`
}

async function writeReport(check: FinishedCheck, { temporary, log }: Runner): Promise<string> {
  await mkdir(temporary, { recursive: true })
  const file = join(temporary, `smoke-test-${randomUUID().slice(0, 8)}.json`)
  const redacted = (_key: string, value: unknown): unknown => (typeof value === 'string' ? log.redact(value) : value)
  await writeFile(file, `${JSON.stringify(checkReport([check]), redacted, 2)}\n`)
  return file
}

async function mark(address: string, markVerified: MarkVerified): Promise<{ done: boolean; reason: string; message: string }> {
  try {
    await markVerified(address)
    return { done: true, reason: '', message: `${address} is marked verified.` }
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw error
    return {
      done: false,
      reason: error.reason,
      message: `The test passed, but ${address} could not be marked verified: ${error.message}`,
    }
  }
}

function markInCluster(inputs: SmokeTestInputs, { env, temporary, log, cancelled }: Runner): MarkVerified {
  return async addresses => {
    for (const address of addresses.split(/\s+/)) {
      if (address.startsWith('ecs://')) {
        const { markVerifiedOnEcs } = await import('../../../src/ecs/verification.ts')
        await markVerifiedOnEcs(address, { log, signal: cancelled })
        continue
      }
      const { markVerified } = await import('../../../src/kubernetes/verification.ts')
      await markVerified(address, {
        kubeconfig: inputs.kubeconfig,
        context: inputs.context,
        env,
        temporary,
        log,
        signal: cancelled,
        run: runAddress(env),
      })
    }
  }
}
