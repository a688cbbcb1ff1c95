// rollback: an older release as the target of a deployment by the same engine.
import { checkByFile } from '../../../src/checks/check-by-file.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { deployForRunner } from '../../../src/deploy/deploy-for-runner.ts'
import { formatReleaseAddress } from '../../../src/deploy/release-address.ts'
import { appName } from '../../../src/kubernetes/app-name.ts'
import { autoscaled, namespacesOf } from '../../../src/kubernetes/autoscalers.ts'
import { connect } from '../../../src/kubernetes/connection.ts'
import { containerImages } from '../../../src/kubernetes/images.ts'
import { objectName } from '../../../src/kubernetes/objects.ts'
import { KubernetesPlatform, type Target } from '../../../src/kubernetes/platform.ts'
import type { ReleaseRecord } from '../../../src/kubernetes/release-record.ts'
import {
  chooseRollback,
  imagesOfAll,
  isTagNamed,
  type RollbackChoice,
  type RollbackTarget,
  stepsFromRecord,
  unknownSince,
} from '../../../src/kubernetes/targets.ts'
import { commitsBetween } from '../../../src/report/commits.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import type { definition, RollbackOutput } from './definition.ts'
import { issueOf } from './incident.ts'
import { rollbackOutcome } from './outcome.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

export async function rollback(inputs: Inputs, runner: Runner): Promise<Outcome<RollbackOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, temporary } = runner
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
    const target = async (listing: Promise<readonly ReleaseRecord[]>): Promise<Target> => {
      const records = await listing
      choice = chooseRollback(records, await withDigests(inputs.to, records, runner), address)
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
      const unknown = unknownSince(records, choice)
      if (unknown.length > 0)
        log.warning(
          `Left as they are, for a later release was too large for its record and nothing says how they stood: ${unknown.slice(0, 10).map(objectName).join(', ')}${unknown.length > 10 ? ` and ${unknown.length - 10} more` : ''}.`,
        )
      return { steps, restores: number, restoresOriginal: number === 0, replaces, commit: choice.commit }
    }
    const platform = new KubernetesPlatform({
      api,
      app,
      namespace,
      target,
      lockWaitMs: inputs['lock-timeout'],
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
      // An older release that does not come up goes back as well: what was serving a minute ago is better than what never did.
      onFailure: 'rollback',
      check: inputs.checks === '' ? undefined : await checkByFile(inputs.checks, runner, connection),
      // Back to the bad release is no way out, whatever the checks say of the older one.
      onCheckFailure: 'keep',
      onInconclusive: inputs['on-inconclusive'],
      firstDeploy: 'allow',
      dryRun: inputs['dry-run'],
    })
    const commits = await commitsBetween(report.plan.previousCommit ?? '', choice?.commit ?? '', runner.workspace, env)
    const seconds = (systemClock.now() - startedAt) / 1_000
    const putBack = { address: address(choice?.number ?? 0), release: choice?.number ?? 0, images: imagesOf(choice) }
    const outcome = rollbackOutcome(report, putBack, { app, seconds, commits })
    return {
      ...outcome,
      outputs: { ...outcome.outputs, 'issue-number': await issueOf(inputs, outcome, `k8s://${namespace}/${app}`, runner) },
    }
  } finally {
    runner.saveState('lock', '')
    await connection.close()
  }
}

/** A release may have its images by digest alone: then the registries say what the tag stands for. */
async function withDigests(to: RollbackTarget, records: readonly ReleaseRecord[], runner: Runner): Promise<RollbackTarget> {
  if (typeof to !== 'object' || !('tag' in to) || isTagNamed(records, to.tag)) return to
  const { digestsOfTag, ImageResolver } = await import('../../../src/kubernetes/image-digests.ts')
  const resolver = ImageResolver.ofRunner(runner.env, systemClock, runner.cancelled)
  return { ...to, digests: await digestsOfTag(to.tag, imagesOfAll(records), resolver) }
}

function imagesOf(choice: RollbackChoice | undefined): Readonly<Record<string, string>> {
  const objects = (choice?.states ?? []).flatMap(state => state.after ?? [])
  return Object.fromEntries(
    objects.flatMap(object => containerImages(object).map(image => [`${objectName(object)}/${image.container}`, image.image])),
  )
}
