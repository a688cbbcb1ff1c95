// How a rollback ended, in its own words, from what the engine says of a deployment: the same on every platform.
import type { DeployReport } from '../../../src/deploy/engine.ts'
import { deployReport, type ReportContext } from '../../../src/report/deploy-report.ts'
import type { Outcome } from '../../../src/runner/action.ts'
import type { RollbackOutput } from './definition.ts'

/** What was put back. */
export interface PutBack {
  readonly address: string
  /** Its number on Kubernetes, its revisions on ECS. */
  readonly release: number | string
  /** workload/container -> image. */
  readonly images: Readonly<Record<string, string>>
}

export function rollbackOutcome(
  deployment: DeployReport,
  { address, release, images }: PutBack,
  context: Pick<ReportContext, 'app' | 'seconds' | 'commits'>,
): Outcome<RollbackOutput> {
  const report = asRollback(deployment, address)
  return {
    result: report.result,
    reason: report.reason,
    message: report.message,
    green: report.result === 'rolled-back' || report.result === 'unchanged',
    warning: report.checks.some(check => check.result === 'inconclusive'),
    summary: deployReport(report, {
      ...context,
      title: 'Rollback',
      ...(report.result === 'rolled-back' ? { verdict: '✅ Rolled back' } : {}),
    }),
    outputs: {
      release: report.release,
      'previous-release': report.previousRelease,
      restored: JSON.stringify({ release, images }),
      revision: report.proof?.revision ?? '',
      digests: JSON.stringify(report.proof?.digests ?? {}),
    },
  }
}

/** What the engine calls deployed was rolled back, what it put back was the rollback itself. */
function asRollback(report: DeployReport, address: string): DeployReport {
  const { result, message } = report
  if (result === 'deployed') {
    const how = message.replace(/^Deployed and stable/, 'Stable').replace(/^Deployed: /, 'It is healthy: ')
    return { ...report, result: 'rolled-back', message: `Rolled back to ${address}. ${how}` }
  }
  if (result === 'rolled-back') return { ...report, result: 'failed', message: `The rollback failed: ${message}` }
  return report
}
