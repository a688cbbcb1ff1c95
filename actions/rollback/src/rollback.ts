// rollback: an older release as the target of a deployment by the same engine.

import type { Check } from '../../../src/deploy/check.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { type DeployReport, deploy } from '../../../src/deploy/engine.ts'
import { appName } from '../../../src/kubernetes/app-name.ts'
import { autoscaled, namespacesOf } from '../../../src/kubernetes/autoscalers.ts'
import { type Connection, connect } from '../../../src/kubernetes/connection.ts'
import { containerImages } from '../../../src/kubernetes/images.ts'
import { objectName } from '../../../src/kubernetes/objects.ts'
import { KubernetesPlatform, type Target } from '../../../src/kubernetes/platform.ts'
import type { ReleaseRecord } from '../../../src/kubernetes/release-record.ts'
import { chooseRollback, type RollbackChoice, stepsFromRecord } from '../../../src/kubernetes/targets.ts'
import { deployReport } from '../../../src/report/deploy-report.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import type { definition, RollbackOutput } from './definition.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

export async function rollback(inputs: Inputs, runner: Runner): Promise<Outcome<RollbackOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, ending, temporary } = runner
  const app = appName(inputs.app, env)
  const connection = await connect({
    kubeconfig: inputs.kubeconfig,
    context: inputs.context,
    env,
    temporary,
    log,
    signal: cancelled,
  })
  try {
    const { api } = connection
    const namespace = inputs.namespace === '' ? connection.defaultNamespace : inputs.namespace
    const address = (number: number): string =>
      number === 0 ? 'what was live before the first release' : `k8s://${namespace}/${app}/${number}`
    const meant = inputs['bad-release']
    if (meant.of !== '' && meant.of !== `${namespace}/${app}`)
      throw new ExpectedFailure(
        'InvalidInput',
        `bad-release: k8s://${meant.of}/${meant.number} is a release of another app than k8s://${namespace}/${app}, which is to be rolled back; nothing was changed. Correct app, namespace or bad-release.`,
      )
    let choice: RollbackChoice | undefined
    const target = async (records: readonly ReleaseRecord[]): Promise<Target> => {
      choice = chooseRollback(records, inputs.to, address)
      const { bad, number, replaces } = choice
      if (meant.number !== 0 && meant.number !== bad.number) {
        throw new ExpectedFailure(
          'NotFound',
          `${address(meant.number)} is not live, ${address(bad.number)} is; nothing was changed.`,
        )
      }
      log.info(`Rolling ${address(bad.number)} back to ${address(number)}`)
      const objects = choice.states.map(state => state.reference)
      const scaled = await autoscaled(api, namespacesOf(objects, namespace), [])
      const { steps, kept } = await stepsFromRecord(api, records, choice, scaled)
      if (kept.length > 0)
        log.warning(`Left as they are, for what may have been put there since: ${kept.map(objectName).join(', ')}.`)
      return { steps, restores: number, restoresOriginal: number === 0, replaces }
    }
    const platform = new KubernetesPlatform({
      api,
      app,
      namespace,
      target,
      lockWaitMs: inputs['lock-timeout'],
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const report = await deploy(platform, {
      timeoutMs: inputs.timeout,
      stableForMs: inputs['stable-for'],
      // An older release that does not come up goes back as well: what was serving a minute ago is better than what never did.
      onFailure: 'rollback',
      check: inputs.checks === '' ? undefined : await releaseCheck(inputs.checks, connection, runner),
      // Back to the bad release is no way out, whatever the checks say of the older one.
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
    return outcomeOf(asRollback(report, choice, address), choice, { app, seconds: (systemClock.now() - startedAt) / 1_000 })
  } finally {
    await connection.close()
  }
}

async function releaseCheck(path: string, { socketPath }: Connection, runner: Runner): Promise<Check> {
  const { checkOfRelease } = await import('../../../src/checks/check-release.ts')
  const { env, log, cancelled, ending, temporary, workspace } = runner
  const context = { workspace, temporary, env, log, clock: systemClock, signal: cancelled, ending, deployedAt: systemClock.now() }
  return checkOfRelease(path, { ...context, cluster: async () => ({ socketPath }) })
}

/** The engine's words for a deployment, in a rollback's: what it calls deployed was rolled back, what it put back was the rollback itself. */
function asRollback(report: DeployReport, choice: RollbackChoice | undefined, address: (number: number) => string): DeployReport {
  if (report.result === 'deployed')
    return {
      ...report,
      result: 'rolled-back',
      message: `Rolled back to ${address(choice?.number ?? 0)}. ${report.message.replace(/^Deployed and stable/, 'Stable')}`,
    }
  if (report.result === 'rolled-back') return { ...report, result: 'failed', message: `The rollback failed: ${report.message}` }
  return report
}

function outcomeOf(
  report: DeployReport,
  choice: RollbackChoice | undefined,
  context: { app: string; seconds: number },
): Outcome<RollbackOutput> {
  const objects = (choice?.states ?? []).flatMap(state => state.after ?? [])
  const images = Object.fromEntries(
    objects.flatMap(object => containerImages(object).map(image => [`${objectName(object)}/${image.container}`, image.image])),
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
      restored: JSON.stringify({ release: choice?.number ?? 0, images }),
      revision: report.proof?.revision ?? '',
      digests: JSON.stringify(report.proof?.digests ?? {}),
    },
  }
}
