// rollback on ECS: an older revision as the target of a deployment by the same engine.
import { checkByFile } from '../../../src/checks/check-by-file.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { type DeployReport, deploy } from '../../../src/deploy/engine.ts'
import { AwsApi } from '../../../src/ecs/api.ts'
import type { Revision } from '../../../src/ecs/live-service.ts'
import { EcsPlatform } from '../../../src/ecs/platform.ts'
import { rollbackTarget } from '../../../src/ecs/rollback-target.ts'
import { imagesOf } from '../../../src/ecs/task-definition.ts'
import { deployReport } from '../../../src/report/deploy-report.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import type { definition, RollbackOutput } from './definition.ts'
import { issueOf } from './incident.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

export async function rollbackOnEcs(inputs: Inputs, runner: Runner): Promise<Outcome<RollbackOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, ending } = runner
  const { cluster, service: services } = inputs
  const meant = inputs['bad-release']
  const known = services.map(name => `ecs://${cluster}/${name}`)
  if (meant.of !== '' && !known.includes(meant.of))
    throw new ExpectedFailure(
      'InvalidInput',
      `bad-release: it is a release of ${meant.of}, and ${known.join(', ')} is to be rolled back; nothing was changed. Correct cluster, service or bad-release.`,
    )
  const api = new AwsApi({
    region: inputs['aws-region'],
    clock: systemClock,
    signal: ending,
    onTrouble: sentence => log.info(sentence),
  })
  const chosen = new Map<string, Revision>()
  try {
    const platform = new EcsPlatform({
      api,
      cluster,
      services,
      target: rollbackTarget({
        api,
        cluster,
        to: inputs.to,
        bad: meant.number,
        onChosen: (service, live, revision) => {
          chosen.set(service, revision)
          log.info(`Rolling ecs://${cluster}/${service}/${live.name} back to ecs://${cluster}/${service}/${revision.name}`)
        },
      }),
      lockWaitMs: inputs['lock-timeout'],
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const report = await deploy(platform, {
      timeoutMs: inputs.timeout,
      stableForMs: inputs['stable-for'],
      // An older revision that does not come up goes back as well: what was serving a minute ago is better than what never did.
      onFailure: 'rollback',
      check: inputs.checks === '' ? undefined : await checkByFile(inputs.checks, runner),
      // Back to the bad revision is no way out, whatever the checks say of the older one.
      onCheckFailure: 'keep',
      onInconclusive: inputs['on-inconclusive'],
      firstDeploy: 'allow',
      dryRun: inputs['dry-run'],
      clock: systemClock,
      log,
      cancelled,
      ending,
      onRemembered: release => runner.saveState('release', release),
    })
    if (!report.unfinished) runner.saveState('release', '')
    const seconds = (systemClock.now() - startedAt) / 1_000
    const outcome = outcomeOf(asRollback(report), chosen, { app: services.join(', '), seconds })
    const issue = await issueOf(inputs, outcome, known.join(' '), runner)
    return { ...outcome, outputs: { ...outcome.outputs, 'issue-number': issue } }
  } finally {
    api.close()
  }
}

/** The engine's words for a deployment, in a rollback's: what it calls deployed was rolled back, what it put back was the rollback itself. */
function asRollback(report: DeployReport): DeployReport {
  if (report.result === 'deployed')
    return {
      ...report,
      result: 'rolled-back',
      message: `Rolled back to ${report.release}. ${report.message.replace(/^Deployed and stable/, 'Stable').replace(/^Deployed: /, 'It is healthy: ')}`,
    }
  if (report.result === 'rolled-back') return { ...report, result: 'failed', message: `The rollback failed: ${report.message}` }
  return report
}

function outcomeOf(
  report: DeployReport,
  chosen: ReadonlyMap<string, Revision>,
  context: { app: string; seconds: number },
): Outcome<RollbackOutput> {
  const images = Object.fromEntries(
    [...chosen].flatMap(([service, { definition }]) =>
      [...imagesOf(definition)].map(([container, image]) => [`service/${service}/${container}`, image]),
    ),
  )
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
      restored: JSON.stringify({ release: [...chosen.values()].map(({ name }) => name).join(' '), images }),
      revision: report.proof?.revision ?? '',
      digests: JSON.stringify(report.proof?.digests ?? {}),
    },
  }
}
