// Deployments of services whose controller is CodeDeploy: made, read and stopped there; ECS shows their task sets.
import type { DeploymentInfo } from '@aws-sdk/client-codedeploy'
import type { Service } from '@aws-sdk/client-ecs'
import { type Clock, sleep } from '../deploy/clock.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import type { CodeDeployment } from './judge/code-deploy.ts'
import { revisionOf } from './judge/snapshot.ts'

/** Where CodeDeploy keeps the service. Empty: the names that ECS's console gives. */
export interface CodeDeployNames {
  readonly application: string
  readonly group: string
}

export const isCodeDeploys = ({ deploymentController }: Service): boolean => deploymentController?.type === 'CODE_DEPLOY'

/** The service with its task sets in the place of deployments, which a service of CodeDeploy's has none of. */
export function withTaskSets(service: Service): Service {
  const sets = service.taskSets ?? []
  if (!isCodeDeploys(service) || sets.length === 0) return service
  const primary = sets.find(({ status }) => status === 'PRIMARY')
  return {
    ...service,
    ...(primary?.taskDefinition === undefined ? {} : { taskDefinition: primary.taskDefinition }),
    ...(primary?.loadBalancers === undefined ? {} : { loadBalancers: primary.loadBalancers }),
    deployments: sets.map(
      ({ id, status, taskDefinition, computedDesiredCount, runningCount, pendingCount, stabilityStatus, createdAt }) => ({
        id,
        status,
        taskDefinition,
        desiredCount: computedDesiredCount,
        runningCount,
        pendingCount,
        createdAt,
        rolloutState: stabilityStatus === 'STEADY_STATE' ? 'COMPLETED' : 'IN_PROGRESS',
      }),
    ),
  }
}

/**
 * `puttingBack`: the group's alarms are not looked at, for the release that is taken away may have set them off. Who may not call UpdateDeploymentGroup may
 * not ask for that, and is deployed with them.
 * @returns CodeDeploy's name of the deployment, `d-…`; undefined where nothing was made, for the group has an active one
 */
export async function createCodeDeployment(
  api: AwsApi,
  names: CodeDeployNames,
  cluster: string,
  service: Service,
  taskDefinition: string,
  puttingBack: boolean,
): Promise<string | undefined> {
  const { application, group } = resolved(names, cluster, service.serviceName ?? '')
  const [balancer] = service.loadBalancers ?? []
  const content = JSON.stringify({
    version: 0.0,
    Resources: [
      {
        TargetService: {
          Type: 'AWS::ECS::Service',
          Properties: {
            TaskDefinition: taskDefinition,
            LoadBalancerInfo: { ContainerName: balancer?.containerName, ContainerPort: balancer?.containerPort },
            ...placementOf(service),
          },
        },
      },
    ],
  })
  try {
    const { deploymentId } = await api.call('codedeploy', 'CreateDeployment', {
      applicationName: application,
      deploymentGroupName: group,
      revision: { revisionType: 'AppSpecContent', appSpecContent: { content } },
      description: `${OUR_NAME} ${revisionOf(taskDefinition)}`,
      ...(puttingBack ? { overrideAlarmConfiguration: { enabled: false } } : {}),
    })
    return deploymentId ?? ''
  } catch (error) {
    if (!(error instanceof AwsFailure)) throw error
    if (puttingBack && error.reason === 'Forbidden')
      return createCodeDeployment(api, names, cluster, service, taskDefinition, false)
    if (/^(ApplicationDoesNotExist|DeploymentGroupDoesNotExist)/.test(error.code))
      throw new ExpectedFailure(
        'NotFound',
        `CodeDeploy has no application ${application} with a deployment group ${group}; give codedeploy-application and codedeploy-deployment-group.`,
        { cause: error },
      )
    if (/^DeploymentLimitExceeded/.test(error.code)) return undefined
    throw error
  }
}

/**
 * Where the service's tasks run, as the AppSpec has it: CodeDeploy keeps the network of a service alone. Without capacity providers in the AppSpec the service
 * loses its own, and without a platform version it gets the latest.
 */
function placementOf(service: Service): object {
  const set = service.taskSets?.find(({ status }) => status === 'PRIMARY')
  const toldBySet = set?.launchType !== undefined || (set?.capacityProviderStrategy ?? []).length > 0
  const strategy = (toldBySet ? set?.capacityProviderStrategy : service.capacityProviderStrategy) ?? []
  // A task set tells the version that LATEST was when it was made: whether one is pinned is told by the service.
  const pinned = (service.platformVersion ?? 'LATEST') !== 'LATEST'
  return {
    ...(strategy.length > 0 && {
      CapacityProviderStrategy: strategy.map(({ capacityProvider, base, weight }) => ({
        CapacityProvider: capacityProvider,
        Base: base ?? 0,
        Weight: weight ?? 0,
      })),
    }),
    ...(pinned && { PlatformVersion: set?.platformVersion ?? service.platformVersion }),
  }
}

export async function readCodeDeployment(
  api: AwsApi,
  deploymentId: string,
  cluster: string,
  service: string,
): Promise<CodeDeployment> {
  const [{ deploymentInfo: info = {} }, { deploymentTarget }] = await Promise.all([
    api.call('codedeploy', 'GetDeployment', { deploymentId }),
    api.call('codedeploy', 'GetDeploymentTarget', { deploymentId, targetId: `${cluster}:${service}` }).catch((error: unknown) => {
      // There is no target before the deployment has begun.
      if (error instanceof AwsFailure && /DoesNotExist|NotStarted|InvalidDeploymentTarget/.test(error.code))
        return { deploymentTarget: undefined }
      throw error
    }),
  ])
  const target = deploymentTarget?.ecsTarget
  return {
    id: deploymentId,
    status: info.status ?? 'Created',
    code: info.errorInformation?.code ?? '',
    message: foreignLine(info.errorInformation?.message ?? '', 300),
    shifted: info.instanceTerminationWaitTimeStarted === true,
    events: (target?.lifecycleEvents ?? []).map(({ lifecycleEventName = '', status = '' }) => ({
      name: lifecycleEventName,
      status,
    })),
    traffic: target?.taskSetsInfo?.find(({ taskSetLabel }) => taskSetLabel === 'Green')?.trafficWeight,
  }
}

/** Stops it and lets CodeDeploy put the old task set back. @returns false where nothing is under way any more */
export async function stopCodeDeployment(api: AwsApi, deploymentId: string): Promise<boolean> {
  try {
    await api.call('codedeploy', 'StopDeployment', { deploymentId, autoRollbackEnabled: true })
    return true
  } catch (error) {
    if (error instanceof AwsFailure && /^DeploymentAlreadyCompleted/.test(error.code)) return false
    throw error
  }
}

/**
 * Whether CodeDeploy puts the old task set back by itself: this deployment is its rollback, or has one. It names that one only a moment after the end of the
 * deployment, so that what it was told to roll back counts as well.
 */
export async function codeDeployRollsBack(api: AwsApi, deploymentId: string): Promise<boolean> {
  const { deploymentInfo: info = {} } = await api.call('codedeploy', 'GetDeployment', { deploymentId })
  return rollsBack(info)
}

function rollsBack({ status, errorInformation, rollbackInfo = {}, autoRollbackConfiguration = {} }: DeploymentInfo): boolean {
  const { rollbackDeploymentId, rollbackTriggeringDeploymentId } = rollbackInfo
  if (rollbackDeploymentId !== undefined || rollbackTriggeringDeploymentId !== undefined) return true
  const { enabled = false, events = [] } = autoRollbackConfiguration
  const alarm = errorInformation?.code === 'ALARM_ACTIVE'
  if (status === 'Stopped') return enabled && events.includes(alarm ? 'DEPLOYMENT_STOP_ON_ALARM' : 'DEPLOYMENT_STOP_ON_REQUEST')
  return enabled && status === 'Failed' && events.includes(alarm ? 'DEPLOYMENT_STOP_ON_ALARM' : 'DEPLOYMENT_FAILURE')
}

/** The one deployment that a group may be at. */
export interface ActiveCodeDeployment {
  readonly id: string
  /** `web:7`; empty where it is not told. */
  readonly revision: string
  /** True where a run of ours made it, be it an earlier one. */
  readonly ours: boolean
  /** In ms. */
  readonly since: number
  /** True once all traffic has been shifted and only the old tasks' end is waited for. */
  readonly shifted: boolean
  readonly rollsBack: boolean
  /** Of a rollback: `web:8` that is taken away by it; empty where it is not told. */
  readonly takesAway: string
}

/** What the group is at; undefined where that is nothing. */
export async function activeCodeDeployment(
  api: AwsApi,
  names: CodeDeployNames,
  cluster: string,
  service: string,
): Promise<ActiveCodeDeployment | undefined> {
  const { application, group } = resolved(names, cluster, service)
  const { deployments = [] } = await api.call('codedeploy', 'ListDeployments', {
    applicationName: application,
    deploymentGroupName: group,
    includeOnlyStatuses: ['Created', 'Queued', 'InProgress', 'Baking', 'Ready'],
  })
  const [id] = deployments
  if (id === undefined) return undefined
  const { deploymentInfo: info = {} } = await api.call('codedeploy', 'GetDeployment', { deploymentId: id })
  const trigger = info.rollbackInfo?.rollbackTriggeringDeploymentId
  const triggered =
    trigger === undefined ? {} : (await api.call('codedeploy', 'GetDeployment', { deploymentId: trigger })).deploymentInfo
  return {
    id,
    revision: namedBy(info),
    ours: OURS.test(info.description ?? ''),
    since: info.createTime?.getTime() ?? 0,
    shifted: info.instanceTerminationWaitTimeStarted === true,
    rollsBack: rollsBack(info),
    takesAway: namedBy(triggered ?? {}),
  }
}

/** The revision that it was made for; a rollback is made for none. */
function namedBy({ description = '', revision }: DeploymentInfo): string {
  const content = revision?.appSpecContent?.content ?? revision?.string?.content ?? ''
  return foreignLine(OURS.exec(description)?.[1] ?? revisionOf(TASK_DEFINITION.exec(content)?.[0]), 300)
}

/** Has the old tasks of a deployment ended, whose traffic has been shifted. */
export async function endTerminationWait(api: AwsApi, deploymentId: string): Promise<void> {
  try {
    await api.call('codedeploy', 'ContinueDeployment', { deploymentId, deploymentWaitType: 'TERMINATION_WAIT' })
  } catch (error) {
    // It has ended meanwhile, or is at its end.
    if (!(error instanceof AwsFailure) || !/^(DeploymentAlreadyCompleted|DeploymentIsNotInReadyState)/.test(error.code))
      throw error
  }
}

/** Waits for a deployment that is at its end. @returns false where that takes too long @throws ExpectedFailure Cancelled */
export async function codeDeploymentEnds(
  api: AwsApi,
  deploymentId: string,
  clock: Clock,
  cancelled?: AbortSignal,
): Promise<boolean> {
  const until = clock.now() + ENDS_MS
  for (;;) {
    const { deploymentInfo: info = {} } = await api.call('codedeploy', 'GetDeployment', { deploymentId })
    if (/^(Succeeded|Failed|Stopped)$/.test(info.status ?? '')) return true
    if (clock.now() >= until) return false
    await sleep(clock, ENDS_POLL_MS, cancelled)
    if (cancelled?.aborted === true)
      throw new ExpectedFailure('Cancelled', 'Cancelled while the last deployment came to its end.')
  }
}

const OUR_NAME = 'deploy-actions'
const OURS = /^deploy-actions (\S+:\d+)$/
const TASK_DEFINITION = /arn:[\w-]+:ecs:[^"'\s]*:task-definition\/[\w-]+:\d+/
/** The old targets are drained first, for 5 minutes unless the target group says otherwise. */
const ENDS_MS = 10 * 60_000
const ENDS_POLL_MS = 2_000

function resolved({ application, group }: CodeDeployNames, cluster: string, service: string): CodeDeployNames {
  return {
    application: application === '' ? `AppECS-${cluster}-${service}` : application,
    group: group === '' ? `DgpECS-${cluster}-${service}` : group,
  }
}
