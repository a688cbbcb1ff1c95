// deploy-ecs: inputs to an ECS platform, the engine's report to outputs.
import { checkByFile } from '../../../src/checks/check-by-file.ts'
import { systemClock } from '../../../src/deploy/clock.ts'
import { deployForRunner } from '../../../src/deploy/deploy-for-runner.ts'
import type { DeployReport } from '../../../src/deploy/engine.ts'
import { AwsApi } from '../../../src/ecs/api.ts'
import { deployTarget } from '../../../src/ecs/deploy-target.ts'
import { EcsPlatform } from '../../../src/ecs/platform.ts'
import { preflight } from '../../../src/ecs/preflight.ts'
import type { ServiceSettings } from '../../../src/ecs/service-change.ts'
import { deployReport } from '../../../src/report/deploy-report.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import type { InputValues } from '../../../src/runner/inputs.ts'
import type { DeployOutput, definition } from './definition.ts'

type Inputs = InputValues<(typeof definition)['inputs']>

export async function deployToEcs(inputs: Inputs, runner: Runner): Promise<Outcome<DeployOutput>> {
  const startedAt = systemClock.now()
  const { env, log, cancelled, ending, workspace } = runner
  const { cluster, service: services } = inputs
  const api = new AwsApi({
    region: inputs['aws-region'],
    clock: systemClock,
    signal: ending,
    onTrouble: sentence => log.info(sentence),
  })
  try {
    const check = inputs.checks === '' ? undefined : await checkByFile(inputs.checks, runner)
    log.info(`Deploying ${services.join(', ')} to cluster ${cluster}`)
    const target = deployTarget({
      api,
      cluster,
      taskDefinition: inputs['task-definition'],
      overrides: {
        images: inputs.images,
        environment: inputs.environment,
        secrets: inputs.secrets,
        logOptions: inputs['log-options'],
        commands: inputs.command,
        cpu: inputs.cpu,
        memory: inputs.memory,
      },
      tags: inputs.tags,
      settings: settingsOf(inputs),
      workspace,
      log,
    })
    const platform = new EcsPlatform({
      api,
      cluster,
      services,
      target,
      lookAhead: preflight({ api, mode: inputs.preflight, alarms: inputs.alarms, log }),
      codeDeploy: { application: inputs['codedeploy-application'], group: inputs['codedeploy-deployment-group'] },
      tasks: { before: inputs['run-before'], after: inputs['run-after'], timeoutMs: inputs.timeout },
      lockWaitMs: inputs['lock-timeout'],
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const report = await deployForRunner(platform, runner, {
      timeoutMs: inputs.timeout,
      stableForMs: inputs['stable-for'],
      onFailure: inputs['on-failure'],
      check,
      onInconclusive: inputs['on-inconclusive'],
      firstDeploy: 'allow',
      dryRun: inputs['dry-run'],
    })
    log.info(`${api.calls} calls to AWS`)
    return outcomeOf(report, platform, { app: services.join(', '), seconds: (systemClock.now() - startedAt) / 1_000 })
  } finally {
    api.close()
  }
}

function settingsOf(inputs: Inputs): ServiceSettings {
  const { strategy, steps, alarms } = inputs
  const [count, least, most, bake] = [
    inputs['desired-count'],
    inputs['minimum-healthy-percent'],
    inputs['maximum-percent'],
    inputs['bake-time'],
  ]
  return {
    forceNewDeployment: inputs['force-new-deployment'],
    circuitBreaker: inputs['circuit-breaker'],
    alarms,
    capacityProviders: inputs['capacity-provider-strategy'],
    ...(count === undefined ? {} : { desiredCount: count }),
    ...(least === undefined ? {} : { minimumHealthyPercent: least }),
    ...(most === undefined ? {} : { maximumPercent: most }),
    ...(strategy === undefined ? {} : { strategy, steps }),
    ...(bake === undefined ? {} : { bakeTimeMinutes: bake }),
  }
}

function outcomeOf(
  report: DeployReport,
  platform: EcsPlatform,
  context: { app: string; seconds: number },
): Outcome<DeployOutput> {
  return {
    result: report.result,
    reason: report.reason,
    message: report.message,
    green: report.result === 'deployed' || report.result === 'unchanged',
    warning: report.checks.some(check => check.result === 'inconclusive'),
    summary: deployReport(report, { ...context, title: 'Deploy' }),
    outputs: {
      release: report.release,
      'previous-release': report.previousRelease,
      'task-definition-arn': platform.taskDefinitionArns,
      'deployment-id': platform.deploymentIds,
      digests: JSON.stringify(report.proof?.digests ?? {}),
      diff: report.plan.diff,
    },
  }
}
