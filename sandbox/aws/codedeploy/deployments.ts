// Deployments: created, described, continued, stopped, with the lifecycle events of their target.
import { counts } from '../ecs/describe.ts'
import { Ecs, type TaskSet } from '../ecs/state.ts'
import { Elb } from '../elb/state.ts'
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import type { Region } from '../world.ts'
import { readAppSpec } from './app-spec.ts'
import { lifecycleOf, Run } from './run.ts'
import { CodeDeploy, type CodeDeployment, type GroupFields, hasEnded, type Status } from './state.ts'

const runs = new WeakMap<CodeDeployment, Run>()

function describe(one: CodeDeployment): object {
  const { fields } = one.group
  const state = { Succeeded: 'Succeeded', Failed: 'Failed', Stopped: 'Skipped' }[one.status as string] ?? 'InProgress'
  const overview = { Pending: 0, InProgress: 0, Succeeded: 0, Failed: 0, Skipped: 0, Ready: 0 }
  return {
    applicationName: fields.applicationName,
    deploymentGroupName: fields.deploymentGroupName,
    deploymentConfigName: one.configName,
    deploymentId: one.id,
    revision: one.revision,
    status: one.status,
    ...(one.error !== undefined && { errorInformation: one.error }),
    createTime: one.createdAt,
    startTime: one.startedAt,
    completeTime: one.completedAt,
    deploymentOverview: { ...overview, [state]: 1 },
    description: one.description,
    creator: one.creator,
    ignoreApplicationStopFailures: false,
    autoRollbackConfiguration: one.autoRollback,
    updateOutdatedInstancesOnly: false,
    rollbackInfo: one.rollback,
    deploymentStyle: { deploymentType: 'BLUE_GREEN', deploymentOption: 'WITH_TRAFFIC_CONTROL' },
    instanceTerminationWaitTimeStarted: one.terminationWait,
    blueGreenDeploymentConfiguration: fields.blueGreenDeploymentConfiguration,
    loadBalancerInfo: fields.loadBalancerInfo,
    fileExistsBehavior: 'DISALLOW',
    deploymentStatusMessages: [],
    computePlatform: 'ECS',
  }
}

const targetId = ({ group }: CodeDeployment): string => {
  const { clusterName, serviceName } = group.fields.ecsServices?.[0] ?? {}
  return `${clusterName}:${serviceName}`
}

function target(region: Region, one: CodeDeployment): object {
  const ecs = region.part(Ecs)
  const set = (from: TaskSet | undefined, label: string, weight: number): object[] => {
    if (from === undefined) return []
    const { running, pending } = counts(ecs, from.deployment)
    const group = region.part(Elb).targetGroups.get(from.deployment.targetGroups[0] ?? '')?.name
    return [
      {
        // The model's own spelling.
        identifer: from.id,
        ...{
          desiredCount: from.deployment.desired,
          pendingCount: pending,
          runningCount: running,
          status: from.status,
          trafficWeight: weight,
        },
        ...(group !== undefined && { targetGroup: { name: group } }),
        taskSetLabel: label,
      },
    ]
  }
  const status =
    { Created: 'Pending', Queued: 'Pending', Stopped: 'Failed', Baking: 'InProgress' }[one.status as string] ?? one.status
  return {
    deploymentTargetType: 'ECSTarget',
    ecsTarget: {
      deploymentId: one.id,
      targetId: targetId(one),
      targetArn: region.arn('ecs', `service/${targetId(one).replace(':', '/')}`),
      lastUpdatedAt: region.world.now(),
      lifecycleEvents: one.events.map(event => ({
        lifecycleEventName: event.name,
        ...(event.message !== undefined && { diagnostics: { errorCode: 'ScriptFailed', message: event.message } }),
        startTime: event.startedAt,
        endTime: event.endedAt,
        status: event.status,
      })),
      status,
      taskSetsInfo: [...set(one.blue, 'Blue', 100 - one.weight), ...set(one.green, 'Green', one.weight)],
    },
  }
}

interface Created {
  readonly applicationName: string
  readonly deploymentGroupName?: string
  readonly revision?: {
    readonly revisionType?: string
    readonly appSpecContent?: { readonly content?: string }
    readonly string?: { readonly content?: string }
  }
  readonly deploymentConfigName?: string
  readonly description?: string
  readonly autoRollbackConfiguration?: GroupFields['autoRollbackConfiguration']
  readonly overrideAlarmConfiguration?: GroupFields['alarmConfiguration']
}

export const deploymentHandlers: Record<string, Handler> = {
  CreateDeployment: (input: Created, { region, world }) => {
    const state = region.part(CodeDeploy)
    const group = state.group(input.applicationName, input.deploymentGroupName ?? '')
    const active = [...state.deployments.values()].find(one => one.group === group && !hasEnded(one))
    if (active !== undefined)
      throw new AwsError(
        'DeploymentLimitExceededException',
        `The Deployment Group '${group.fields.deploymentGroupName}' already has an active Deployment '${active.id}'`,
      )
    const text = input.revision?.appSpecContent?.content ?? input.revision?.string?.content
    if (input.revision === undefined || text === undefined)
      throw new AwsError('RevisionRequiredException', 'Revision is required')
    const spec = readAppSpec(text)
    if (typeof spec === 'string') throw new AwsError('InvalidRevisionException', spec)
    const withTest =
      (group.fields.loadBalancerInfo?.targetGroupPairInfoList?.[0]?.testTrafficRoute?.listenerArns ?? []).length > 0
    const made: CodeDeployment = {
      ...{ group, spec, revision: input.revision, description: input.description, creator: 'user' as const },
      id: `d-${world.ids.word(9).toUpperCase()}`,
      configName: input.deploymentConfigName ?? group.fields.deploymentConfigName ?? 'CodeDeployDefault.ECSAllAtOnce',
      autoRollback: input.autoRollbackConfiguration ?? group.fields.autoRollbackConfiguration,
      alarms: input.overrideAlarmConfiguration ?? group.fields.alarmConfiguration,
      status: 'Created',
      createdAt: world.now(),
      events: lifecycleOf(withTest),
      ...{ weight: 0, terminationWait: false, turn: 0 },
    }
    state.deployments.set(made.id, made)
    const run = new Run(region, made)
    runs.set(made, run)
    run.begin()
    return { deploymentId: made.id }
  },
  GetDeployment: (input: { deploymentId: string }, { region }) => ({
    deploymentInfo: describe(region.part(CodeDeploy).deployment(input.deploymentId)),
  }),
  BatchGetDeployments: (input: { deploymentIds: string[] }, { region }) => ({
    deploymentsInfo: input.deploymentIds.map(id => describe(region.part(CodeDeploy).deployment(id))),
  }),
  ListDeployments: (
    input: { applicationName?: string; deploymentGroupName?: string; includeOnlyStatuses?: Status[] },
    { region },
  ) => ({
    deployments: [...region.part(CodeDeploy).deployments.values()]
      .filter(({ group: { fields } }) => (input.applicationName ?? fields.applicationName) === fields.applicationName)
      .filter(({ group: { fields } }) => (input.deploymentGroupName ?? fields.deploymentGroupName) === fields.deploymentGroupName)
      .filter(one => input.includeOnlyStatuses?.includes(one.status) ?? true)
      .map(one => one.id)
      .toReversed(),
  }),
  StopDeployment: (input: { deploymentId: string; autoRollbackEnabled?: boolean }, { region }) => {
    const one = region.part(CodeDeploy).deployment(input.deploymentId)
    if (hasEnded(one))
      throw new AwsError('DeploymentAlreadyCompletedException', `Deployment ${one.id} is already in ${one.status} state`)
    runs.get(one)?.stop(input.autoRollbackEnabled ?? one.autoRollback?.enabled === true)
    return { status: 'Succeeded', statusMessage: 'Stopped deployment' }
  },
  ContinueDeployment: (input: { deploymentId?: string; deploymentWaitType?: string }, { region }) => {
    const one = region.part(CodeDeploy).deployment(input.deploymentId ?? '')
    if (hasEnded(one))
      throw new AwsError('DeploymentAlreadyCompletedException', `Deployment ${one.id} is already in ${one.status} state`)
    const waits = input.deploymentWaitType === 'TERMINATION_WAIT' ? one.terminationWait : one.status === 'Ready'
    if (!waits) throw new AwsError('DeploymentIsNotInReadyStateException', `Deployment ${one.id} is not in a ready state`)
    one.continueWith?.()
  },
  ListDeploymentTargets: (input: { deploymentId: string }, { region }) => ({
    targetIds: [targetId(region.part(CodeDeploy).deployment(input.deploymentId))],
  }),
  GetDeploymentTarget: (input: { deploymentId: string; targetId: string }, { region }) => ({
    deploymentTarget: target(region, region.part(CodeDeploy).deployment(input.deploymentId)),
  }),
  BatchGetDeploymentTargets: (input: { deploymentId: string; targetIds: string[] }, { region }) => ({
    deploymentTargets: input.targetIds.map(() => target(region, region.part(CodeDeploy).deployment(input.deploymentId))),
  }),
  PutLifecycleEventHookExecutionStatus: (
    input: { deploymentId: string; lifecycleEventHookExecutionId: string; status?: string },
    { region },
  ) => {
    const one = region.part(CodeDeploy).deployment(input.deploymentId)
    const event = one.events.find(other => other.executionId === input.lifecycleEventHookExecutionId)
    if (event === undefined)
      throw new AwsError('InvalidLifecycleEventHookExecutionIdException', 'The lifecycle event hook execution ID is not valid')
    if (event.status !== 'InProgress')
      throw new AwsError('LifecycleEventAlreadyCompletedException', 'The lifecycle event has already completed')
    runs.get(one)?.answer(event, input.status === 'Succeeded', 'The lifecycle event hook said Failed.')
    return { lifecycleEventHookExecutionId: input.lifecycleEventHookExecutionId }
  },
}
