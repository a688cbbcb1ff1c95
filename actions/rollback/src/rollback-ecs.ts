// rollback on ECS: an older revision as the target of a deployment by the same engine.
import { checkByFile } from '../../../src/checks/check-by-file.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { deployForRunner } from '../../../src/deploy/deploy-for-runner.ts'
import { AwsApi } from '../../../src/ecs/api.ts'
import type { Revision } from '../../../src/ecs/live-service.ts'
import { EcsPlatform } from '../../../src/ecs/platform.ts'
import { rollbackTarget } from '../../../src/ecs/rollback-target.ts'
import { imagesOf } from '../../../src/ecs/task-definition.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import type { definition, RollbackOutput } from './definition.ts'
import { issueOf } from './incident.ts'
import { rollbackOutcome } from './outcome.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

export async function rollbackOnEcs(inputs: Inputs, runner: Runner): Promise<Outcome<RollbackOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, ending } = runner
  const { cluster, service: services } = inputs
  const known = services.map(name => `ecs://${cluster}/${name}`)
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
        bad: badRevisions(inputs['bad-release'], cluster, services),
        onChosen: (service, live, revision) => {
          chosen.set(service, revision)
          log.info(`Rolling ecs://${cluster}/${service}/${live.name} back to ecs://${cluster}/${service}/${revision.name}`)
        },
      }),
      codeDeploy: { application: inputs['codedeploy-application'], group: inputs['codedeploy-deployment-group'] },
      lockWaitMs: inputs['lock-timeout'],
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const report = await deployForRunner(platform, runner, {
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
    })
    const seconds = (systemClock.now() - startedAt) / 1_000
    const release = [...chosen.values()].map(({ name }) => name).join(' ')
    const putBack = { address: report.release, release, images: imagesOfServices(chosen) }
    const outcome = rollbackOutcome(report, putBack, { app: services.join(', '), seconds })
    const issue = await issueOf(inputs, outcome, known.join(' '), runner)
    return { ...outcome, outputs: { ...outcome.outputs, 'issue-number': issue } }
  } finally {
    api.close()
  }
}

/** @throws ExpectedFailure where the addresses are of other services alone */
export function badRevisions(
  { number, revisions }: Inputs['bad-release'],
  cluster: string,
  services: readonly string[],
): number | ReadonlyMap<string, string> {
  if (revisions.size === 0) return number
  const known = services.map(name => `ecs://${cluster}/${name}`)
  const named = known.flatMap(service => revisions.get(service) ?? [])
  const [first] = named
  if (first === undefined)
    throw new ExpectedFailure(
      'InvalidInput',
      `bad-release: it is a release of ${[...revisions.keys()].join(', ')}, and ${known.join(', ')} is to be rolled back; nothing was changed. Correct cluster, service or bad-release.`,
    )
  // Services that are not named run the revision of those that are.
  return new Map(services.map((name, index) => [name, revisions.get(known[index] ?? '') ?? first]))
}

function imagesOfServices(chosen: ReadonlyMap<string, Revision>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...chosen].flatMap(([service, { definition }]) =>
      [...imagesOf(definition)].map(([container, image]) => [`service/${service}/${container}`, image]),
    ),
  )
}
