// deploy-k8s: inputs to a Kubernetes platform, the engine's report to outputs.

import type { Check } from '../../../src/deploy/check.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { type DeployReport, deploy } from '../../../src/deploy/engine.ts'
import { parseReleaseAddress } from '../../../src/deploy/release-address.ts'
import { appName } from '../../../src/kubernetes/app-name.ts'
import { type Connection, connect } from '../../../src/kubernetes/connection.ts'
import { ImageResolver } from '../../../src/kubernetes/image-digests.ts'
import { prepareManifests } from '../../../src/kubernetes/manifest-target.ts'
import { KubernetesPlatform } from '../../../src/kubernetes/platform.ts'
import { deployReport } from '../../../src/report/deploy-report.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { messageOf } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import { runAddress } from '../../../src/runner/run-address.ts'
import type { DeployOutput, definition } from './definition.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

export async function deployToKubernetes(inputs: Inputs, runner: Runner): Promise<Outcome<DeployOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, ending, temporary, workspace } = runner
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
    const namespace = inputs.namespace === '' ? connection.defaultNamespace : inputs.namespace
    const check = inputs.checks === '' ? undefined : await releaseCheck(inputs.checks, connection, runner)
    log.info(`Deploying ${app} to namespace ${namespace} of ${connection.server}`)
    const images = ImageResolver.ofRunner(env, systemClock, cancelled)
    const { target, intended } = await prepareManifests({
      connection,
      workspace,
      namespace,
      manifests: inputs.manifests,
      images: inputs.images,
      setImage: inputs['set-image'],
      pinBy: inputs['pin-digests'] ? images : undefined,
      prune: inputs.prune,
      createNamespace: !inputs['dry-run'],
      log,
    })
    const platform = new KubernetesPlatform({
      api: connection.api,
      app,
      namespace,
      target,
      intended,
      preflight: { mode: inputs.preflight, waitMs: inputs['dry-run'] ? 0 : inputs['preflight-wait'], images },
      lockWaitMs: inputs['lock-timeout'],
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const report = await deploy(platform, {
      timeoutMs: inputs.timeout,
      stableForMs: inputs['stable-for'],
      onFailure: inputs['on-failure'],
      firstDeploy: inputs['first-deploy'],
      dryRun: inputs['dry-run'],
      clock: systemClock,
      log,
      cancelled,
      ending,
      check,
      onInconclusive: inputs['on-inconclusive'],
      onRemembered: release => runner.saveState('release', release),
    })
    if (!report.unfinished) runner.saveState('release', '')
    await verifyUnchanged(report, connection, runner)
    return outcomeOf(report, deployReport(report, { app, title: 'Deploy', seconds: (systemClock.now() - startedAt) / 1_000 }))
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

/** A release that was live already and has passed its checks now is verified by them as well. */
async function verifyUnchanged(report: DeployReport, { api }: Connection, { env, log }: Runner): Promise<void> {
  if (report.result !== 'unchanged' || report.release === '' || report.checks[0]?.result !== 'passed') return
  const release = parseReleaseAddress(report.release)
  if (release.platform !== 'k8s') return
  try {
    const { verifyRelease } = await import('../../../src/kubernetes/verification.ts')
    await verifyRelease(api, release, runAddress(env))
  } catch (error) {
    log.warning(`The checks passed, but ${report.release} could not be marked verified: ${messageOf(error)}`)
  }
}

function outcomeOf(report: DeployReport, summary: string): Outcome<DeployOutput> {
  return {
    result: report.result,
    reason: report.reason,
    message: report.message,
    green: report.result === 'deployed' || report.result === 'unchanged',
    warning: report.checks.some(check => check.result === 'inconclusive'),
    summary,
    outputs: {
      release: report.release,
      'previous-release': report.previousRelease,
      revision: report.proof?.revision ?? '',
      digests: JSON.stringify(report.proof?.digests ?? {}),
      diff: report.plan.diff,
    },
  }
}
