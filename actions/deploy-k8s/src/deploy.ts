// deploy-k8s: inputs to a Kubernetes platform, the engine's report to outputs.
import { checkByFile } from '../../../src/checks/check-by-file.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { deployForRunner } from '../../../src/deploy/deploy-for-runner.ts'
import type { DeployReport } from '../../../src/deploy/engine.ts'
import type { Culprit } from '../../../src/deploy/platform.ts'
import { formatReleaseAddress, parseReleaseAddress } from '../../../src/deploy/release-address.ts'
import { appName } from '../../../src/kubernetes/app-name.ts'
import type { Connection, OpenedConnection } from '../../../src/kubernetes/connection.ts'
import { ImageResolver } from '../../../src/kubernetes/image-digests.ts'
import { prepareManifests } from '../../../src/kubernetes/manifest-target.ts'
import { KubernetesPlatform } from '../../../src/kubernetes/platform.ts'
import { readManifests } from '../../../src/kubernetes/read-manifests.ts'
import { commitsBetween } from '../../../src/report/commits.ts'
import { deployReport } from '../../../src/report/deploy-report.ts'
import { findRollbackWorkflow, type WayBack } from '../../../src/report/way-back.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { messageOf } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import { runAddress } from '../../../src/runner/run-address.ts'
import type { DeployOutput, definition } from './definition.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

/** Deploys over the connection, as soon as that is there, and closes it. */
export async function deployToKubernetes(
  inputs: Inputs,
  runner: Runner,
  connecting: Promise<OpenedConnection>,
): Promise<Outcome<DeployOutput>> {
  try {
    return await deployOver(connecting, inputs, runner)
  } finally {
    runner.saveState('lock', '')
    await connecting.then(
      connection => connection.close(),
      () => undefined,
    )
  }
}

async function deployOver(connecting: Promise<OpenedConnection>, inputs: Inputs, runner: Runner): Promise<Outcome<DeployOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, workspace } = runner
  const app = appName(inputs.app, env)
  const images = ImageResolver.ofRunner(env, systemClock, cancelled)
  const pinBy = inputs['pin-digests'] ? images : undefined
  const manifests = readManifests({
    connection: connecting,
    workspace,
    namespace: inputs.namespace,
    app,
    manifests: inputs.manifests,
    manifestsText: inputs['manifests-text'],
    charts: { values: inputs.values, set: inputs.set, setString: inputs['set-string'] },
    images: inputs.images,
    pinBy,
    preflight: inputs.preflight !== 'off',
    log,
    signal: cancelled,
  })
  // That the cluster can't be reached is told first.
  manifests.catch(() => undefined)
  const connection = await connecting
  const namespace = inputs.namespace === '' ? connection.defaultNamespace : inputs.namespace
  const check =
    inputs.checks === '' ? undefined : await connection.answered.then(() => checkByFile(inputs.checks, runner, connection))
  const preparing = prepareManifests({
    connection,
    namespace,
    manifests,
    setImage: inputs['set-image'],
    pinBy,
    prune: inputs.prune,
    createNamespace: !inputs['dry-run'],
    log,
  })
  preparing.catch(() => undefined)
  await connection.answered
  log.info(`Deploying ${app} to namespace ${namespace} of ${connection.server}`)
  const { target, intended } = await preparing
  const platform = new KubernetesPlatform({
    api: connection.api,
    app,
    namespace,
    target,
    intended,
    preflight: { mode: inputs.preflight, waitMs: inputs['dry-run'] ? 0 : inputs['preflight-wait'], images },
    lockWaitMs: inputs['lock-timeout'],
    hookTimeoutMs: inputs.timeout,
    context: connection.context,
    env,
    clock: systemClock,
    log,
    cancelled,
  })
  if (!inputs['dry-run']) runner.saveState('lock', formatReleaseAddress({ platform: 'k8s', namespace, app, number: 1 }))
  const report = await deployForRunner(platform, runner, {
    timeoutMs: inputs.timeout,
    stableForMs: inputs['stable-for'],
    onFailure: inputs['on-failure'],
    firstDeploy: inputs['first-deploy'],
    dryRun: inputs['dry-run'],
    check,
    onInconclusive: inputs['on-inconclusive'],
  })
  await verifyUnchanged(report, connection, runner)
  const seconds = (systemClock.now() - startedAt) / 1_000
  const commits = await commitsBetween(report.plan.previousCommit ?? '', env['GITHUB_SHA'] ?? '', workspace, env)
  const wayBack = await wayBackOf(report, { app, namespace }, inputs['on-failure'], runner)
  return outcomeOf(report, deployReport(report, { app, title: 'Deploy', seconds, commits, wayBack }))
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

/** Of a release that stays, though there is something to go back to. */
async function wayBackOf(
  { result, dryRun, plan, release, previousRelease }: DeployReport,
  target: { readonly app: string; readonly namespace: string },
  onFailure: Inputs['on-failure'],
  { workspace, env }: Runner,
): Promise<WayBack | undefined> {
  const stays = result === 'deployed' || (result === 'failed' && onFailure === 'keep')
  if (dryRun || !stays || release === previousRelease || !plan.somethingToGoBackTo) return undefined
  const to = previousRelease === '' ? 'previous' : (previousRelease.split('/').at(-1) ?? 'previous')
  return { inputs: { ...target, to, 'bad-release': release }, workflow: await findRollbackWorkflow(workspace), env }
}

const ANNOTATIONS = 9

function outcomeOf(report: DeployReport, summary: string): Outcome<DeployOutput> {
  return {
    result: report.result,
    reason: report.reason,
    message: report.message,
    green: report.result === 'deployed' || report.result === 'unchanged',
    ...annotationsOf(report.culprits),
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

/** The message stands at the first culprit's line; each further workload that failed has an annotation of its own. */
function annotationsOf(culprits: readonly Culprit[]): Pick<Outcome<DeployOutput>, 'at' | 'also'> {
  const [first, ...others] = culprits
  const workloads = Map.groupBy(
    others.filter(({ at, workload }) => at !== undefined && workload !== first?.workload),
    ({ workload }) => workload,
  )
  const also = [...workloads.values()].flatMap(([culprit]) =>
    culprit === undefined
      ? []
      : [{ message: `${culprit.workload}: ${culprit.message}`, ...(culprit.at === undefined ? {} : { at: culprit.at }) }],
  )
  return { ...(first?.at === undefined ? {} : { at: first.at }), also: also.slice(0, ANNOTATIONS) }
}
