// The `gate:` part of a check file, run to its verdict: what actions and deployments call.
import { ExpectedFailure } from '../../runner/failure.ts'
import type { Variables } from '../check-file/variables.ts'
import type { CheckContext, PartOutcome } from '../part.ts'
import { gateMessage, gateReport, gateSummary } from './gate-report.ts'
import { type ProviderSettings, planGate } from './plan.ts'
import { loadProviders } from './providers.ts'
import { type GateRun, runGate } from './run-gate.ts'
import type { GateContent } from './schema.ts'

type GateContext = Pick<CheckContext, 'env' | 'log' | 'clock' | 'signal' | 'deployedAt'>

/** What a gate leaves behind, and the run itself. */
export interface GateOutcome extends PartOutcome {
  readonly run: GateRun
}

/**
 * Makes the gate ready to be run.
 * @param fill puts variables into a text
 * @throws ExpectedFailure InvalidInput with what is wrong with it; nothing has been asked by then
 */
export function prepareGate(
  content: GateContent,
  { env, log, clock, signal, deployedAt }: GateContext,
  fill: Variables['fill'] = text => text,
  title = 'gate',
): { run(): Promise<GateOutcome> } {
  const plan = planGate(content, fill, deployedAt)
  for (const secret of secretsOf(plan.settings)) log.mask(secret)
  checkAddress(plan.settings)
  const run = async (): Promise<GateOutcome> => {
    const providerOf = await loadProviders(plan, env)
    const ended = await runGate({ gate: plan.gate, providerOf, clock, signal, print: line => log.info(line) })
    const { result, reason } = ended.verdict
    return {
      result,
      reason,
      message: gateMessage(ended),
      summary: gateSummary(ended, title),
      report: gateReport(ended),
      run: ended,
    }
  }
  return { run }
}

function secretsOf({ prometheus, datadog }: ProviderSettings): string[] {
  const all = [prometheus?.token, prometheus?.password, datadog?.apiKey, datadog?.appKey]
  return [...all, ...(prometheus?.headers ?? []).map(([, value]) => value)].flatMap(secret => secret || [])
}

/** An address is printed and linked to, so that nothing secret may be in it. */
function checkAddress({ prometheus, datadog }: ProviderSettings): void {
  for (const [name, address] of [
    ['prometheus', prometheus?.url],
    ['datadog', datadog?.url],
  ] as const) {
    if (address === undefined) continue
    const url = URL.canParse(address) ? new URL(address) : undefined
    if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
      throw new ExpectedFailure('InvalidInput', `The address of ${name} is no http:// or https:// URL; nothing was changed.`)
    if (url.username !== '' || url.password !== '' || url.search !== '')
      throw new ExpectedFailure(
        'InvalidInput',
        `The address of ${name} has credentials or a query in it; give them by the keys or inputs that are there for them. Nothing was changed.`,
      )
  }
}
