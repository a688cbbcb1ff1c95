// deploy-k8s: inputs to a Kubernetes platform, the engine's report to outputs.
import { systemClock } from '../../../src/deploy/clock.ts'
import { type DeployReport, deploy } from '../../../src/deploy/engine.ts'
import { appName } from '../../../src/kubernetes/app-name.ts'
import { connect } from '../../../src/kubernetes/connection.ts'
import { ImageResolver } from '../../../src/kubernetes/image-digests.ts'
import { prepareManifests } from '../../../src/kubernetes/manifest-target.ts'
import { KubernetesPlatform } from '../../../src/kubernetes/platform.ts'
import { deployReport } from '../../../src/report/deploy-report.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
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
    log.info(`Deploying ${app} to namespace ${namespace} of ${connection.server}`)
    const images = ImageResolver.ofRunner(env, systemClock, cancelled)
    const { target, intended } = await prepareManifests({
      connection,
      workspace,
      namespace,
      app,
      manifests: inputs.manifests,
      manifestsText: inputs['manifests-text'],
      charts: { values: inputs.values, set: inputs.set, setString: inputs['set-string'] },
      images: inputs.images,
      setImage: inputs['set-image'],
      pinBy: inputs['pin-digests'] ? images : undefined,
      prune: inputs.prune,
      createNamespace: !inputs['dry-run'],
      log,
      signal: cancelled,
    })
    const platform = new KubernetesPlatform({
      api: connection.api,
      app,
      namespace,
      target,
      intended,
      preflight: { mode: inputs.preflight, waitMs: inputs['dry-run'] ? 0 : inputs['preflight-wait'], images },
      lockWaitMs: inputs['lock-timeout'],
      hookTimeoutMs: inputs.timeout,
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
      onRemembered: release => runner.saveState('release', release),
    })
    if (!report.unfinished) runner.saveState('release', '')
    return outcomeOf(report, deployReport(report, { app, title: 'Deploy', seconds: (systemClock.now() - startedAt) / 1_000 }))
  } finally {
    await connection.close()
  }
}

function outcomeOf(report: DeployReport, summary: string): Outcome<DeployOutput> {
  return {
    result: report.result,
    reason: report.reason,
    message: report.message,
    green: report.result === 'deployed' || report.result === 'unchanged',
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
