// The API's objects, made from what ECS keeps.
import { resolveImage } from '../ecr/state.ts'
import { healthOf } from './health.ts'
import type { Deployment, Ecs, Revision, Service, ServiceDeployment, Task, TaskSet } from './state.ts'
import { tagsOf } from './tags.ts'

const PENDING: ReadonlySet<string> = new Set(['PROVISIONING', 'PENDING', 'ACTIVATING'])

export function counts(ecs: Ecs, deployment: Deployment): { running: number; pending: number } {
  const tasks = ecs.tasksOf(deployment)
  return {
    running: tasks.filter(task => task.status === 'RUNNING').length,
    pending: tasks.filter(task => PENDING.has(task.status)).length,
  }
}

/** What a revision says of where it runs, for deployments, task sets and revisions alike. */
const placement = (revision: Revision): object => {
  const fargate =
    revision.launchType === 'FARGATE' || revision.capacityProviderStrategy[0]?.capacityProvider?.startsWith('FARGATE') === true
  return {
    ...(revision.capacityProviderStrategy.length > 0
      ? { capacityProviderStrategy: revision.capacityProviderStrategy }
      : { launchType: revision.launchType }),
    ...(fargate && { platformVersion: revision.platformVersion ?? '1.4.0', platformFamily: 'Linux' }),
    networkConfiguration: revision.networkConfiguration,
  }
}

function describeDeployment(ecs: Ecs, deployment: Deployment): object {
  const { running, pending } = counts(ecs, deployment)
  return {
    id: deployment.id,
    status: deployment.status,
    taskDefinition: deployment.revision.taskDefinition,
    desiredCount: deployment.desired,
    pendingCount: pending,
    runningCount: running,
    failedTasks: deployment.failedTasks,
    createdAt: deployment.createdAt,
    updatedAt: deployment.updatedAt,
    ...placement(deployment.revision),
    rolloutState: deployment.rolloutState,
    rolloutStateReason: deployment.rolloutStateReason,
    serviceConnectConfiguration: deployment.revision.serviceConnectConfiguration,
    ...(deployment.revision.volumeConfigurations.length > 0 && {
      volumeConfigurations: deployment.revision.volumeConfigurations,
    }),
  }
}

export function describeTaskSet(ecs: Ecs, service: Service, set: TaskSet): object {
  const { running, pending } = counts(ecs, set.deployment)
  return {
    id: set.id,
    taskSetArn: set.arn,
    serviceArn: service.arn,
    clusterArn: service.cluster.arn,
    startedBy: set.startedBy,
    externalId: set.externalId,
    status: set.status,
    taskDefinition: set.revision.taskDefinition,
    computedDesiredCount: set.deployment.desired,
    pendingCount: pending,
    runningCount: running,
    createdAt: set.createdAt,
    updatedAt: set.updatedAt,
    ...placement(set.revision),
    loadBalancers: set.revision.loadBalancers,
    serviceRegistries: set.revision.serviceRegistries,
    scale: set.scale,
    stabilityStatus: set.stableSince === undefined ? 'STABILIZING' : 'STEADY_STATE',
    stabilityStatusAt: set.stableSince ?? set.updatedAt,
    tags: set.tags,
  }
}

export function describeService(ecs: Ecs, service: Service, withTags: boolean): object {
  const all = service.controller === 'ECS' ? service.deployments : service.taskSets.map(set => set.deployment)
  const sums = all.map(deployment => counts(ecs, deployment))
  const primary = service.deployments[0]
  const { fields } = service
  const fargate =
    fields.launchType === 'FARGATE' || fields.capacityProviderStrategy[0]?.capacityProvider?.startsWith('FARGATE') === true
  const external = service.controller === 'EXTERNAL'
  // The last one stays the current one after its end.
  const current = service.serviceDeployments.at(-1)
  return {
    serviceArn: service.arn,
    serviceName: service.name,
    clusterArn: service.cluster.arn,
    loadBalancers: fields.loadBalancers,
    serviceRegistries: fields.serviceRegistries,
    status: service.status,
    desiredCount: service.desired,
    runningCount: sums.reduce((sum, one) => sum + one.running, 0),
    pendingCount: sums.reduce((sum, one) => sum + one.pending, 0),
    ...(fields.capacityProviderStrategy.length > 0
      ? { capacityProviderStrategy: fields.capacityProviderStrategy }
      : !external && { launchType: fields.launchType }),
    ...(fargate && { platformVersion: fields.platformVersion ?? 'LATEST', platformFamily: 'Linux' }),
    ...(!external && { taskDefinition: fields.taskDefinition }),
    deploymentConfiguration: service.configuration,
    ...(service.controller !== 'ECS' && { taskSets: service.taskSets.map(set => describeTaskSet(ecs, service, set)) }),
    deployments: service.controller === 'ECS' ? service.deployments.map(one => describeDeployment(ecs, one)) : [],
    roleArn: `arn:aws:iam::${ecs.region.world.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`,
    events: service.events,
    createdAt: service.createdAt,
    ...(service.controller === 'ECS' && current !== undefined && { currentServiceDeployment: current.arn }),
    ...(service.controller === 'ECS' &&
      primary !== undefined && {
        currentServiceRevisions: service.deployments
          .filter(one => one.status === 'PRIMARY' || counts(ecs, one).running > 0)
          .map(one => revisionSummary(ecs, one)),
      }),
    networkConfiguration: fields.networkConfiguration,
    healthCheckGracePeriodSeconds: fields.loadBalancers.length > 0 ? service.healthCheckGracePeriod : undefined,
    schedulingStrategy: service.schedulingStrategy,
    deploymentController: { type: service.controller },
    createdBy: service.createdBy,
    ...service.extras,
    ...(withTags && { tags: tagsOf(ecs, service.arn) }),
  }
}

const revisionSummary = (ecs: Ecs, deployment: Deployment): object => {
  const { running, pending } = counts(ecs, deployment)
  return {
    arn: deployment.revision.arn,
    requestedTaskCount: deployment.desired,
    runningTaskCount: running,
    pendingTaskCount: pending,
  }
}

export function describeServiceDeployment(ecs: Ecs, service: Service, one: ServiceDeployment): object {
  const { weights, rollback } = one
  const weight = (share: (percent: number) => number): object =>
    weights === undefined
      ? {}
      : { requestedTestTrafficWeight: share(weights.test), requestedProductionTrafficWeight: share(weights.production) }
  return {
    serviceDeploymentArn: one.arn,
    serviceArn: service.arn,
    clusterArn: service.cluster.arn,
    createdAt: one.createdAt,
    startedAt: one.startedAt,
    finishedAt: one.finishedAt,
    stoppedAt: one.stoppedAt,
    updatedAt: one.updatedAt,
    sourceServiceRevisions: one.sources.map(source => ({ ...revisionSummary(ecs, source), ...weight(percent => 100 - percent) })),
    targetServiceRevision: { ...revisionSummary(ecs, one.deployment), ...weight(percent => percent) },
    status: one.status,
    statusReason: one.statusReason,
    lifecycleStage: one.stage,
    ...(one.hooks.length > 0 && {
      lifecycleHookDetails: one.hooks.map(({ id, targetType, targetArn, status, expiresAt, timeoutAction }) => ({
        ...{ hookId: id, targetType, targetArn, status, expiresAt, timeoutAction },
      })),
    }),
    deploymentConfiguration: one.configuration,
    rollback: rollback && {
      reason: rollback.reason,
      startedAt: rollback.startedAt,
      serviceRevisionArn: rollback.to.revision.arn,
    },
    deploymentCircuitBreaker: one.breaker,
    alarms: {
      status: one.alarms.status,
      ...(one.alarms.alarmNames.length > 0 && { alarmNames: one.alarms.alarmNames, triggeredAlarmNames: one.alarms.triggered }),
    },
  }
}

export const briefServiceDeployment = (service: Service, one: ServiceDeployment): object => ({
  serviceDeploymentArn: one.arn,
  serviceArn: service.arn,
  clusterArn: service.cluster.arn,
  startedAt: one.startedAt,
  createdAt: one.createdAt,
  finishedAt: one.finishedAt,
  targetServiceRevisionArn: one.deployment.revision.arn,
  status: one.status,
  statusReason: one.statusReason,
})

export function describeRevision(ecs: Ecs, service: Service, revision: Revision): object {
  const [family = '', number] = (revision.taskDefinition.split('/').at(-1) ?? '').split(':')
  const definition = ecs.families.get(family)?.find(one => String(one.revision) === number)
  const containerImages = (definition?.containerDefinitions ?? []).map(({ name, image = '' }) => {
    const resolved = resolveImage(ecs.region, image)
    return { containerName: name, image, ...(resolved !== 'not found' && { imageDigest: resolved.digest }) }
  })
  const balancers = revision.loadBalancers.filter(one => one.advancedConfiguration !== undefined)
  return {
    serviceRevisionArn: revision.arn,
    serviceArn: service.arn,
    clusterArn: service.cluster.arn,
    taskDefinition: revision.taskDefinition,
    ...placement(revision),
    ...(revision.loadBalancers.length > 0 && { loadBalancers: revision.loadBalancers }),
    ...(revision.serviceRegistries.length > 0 && { serviceRegistries: revision.serviceRegistries }),
    containerImages,
    guardDutyEnabled: false,
    serviceConnectConfiguration: revision.serviceConnectConfiguration ?? { enabled: false },
    createdAt: revision.createdAt,
    ...(balancers.length > 0 && {
      resolvedConfiguration: {
        loadBalancers: balancers.map(one => ({
          targetGroupArn:
            service.deployments.find(deployment => deployment.revision === revision)?.targetGroups[0] ?? one.targetGroupArn,
          productionListenerRule: one.advancedConfiguration?.productionListenerRule,
        })),
      },
    }),
  }
}

export function describeTask(ecs: Ecs, task: Task, withTags: boolean): object {
  const vpc = task.definition.networkMode === 'awsvpc'
  const health = healthOf(task)
  const { status } = task
  const attached = status === 'PROVISIONING' ? 'PRECREATED' : status === 'STOPPED' ? 'DELETED' : 'ATTACHED'
  return {
    taskArn: task.arn,
    clusterArn: task.cluster.arn,
    taskDefinitionArn: task.definition.taskDefinitionArn,
    attachments: vpc
      ? [
          {
            id: task.attachmentId,
            type: 'ElasticNetworkInterface',
            status: attached,
            details: [
              ...(task.subnet === undefined ? [] : [{ name: 'subnetId', value: task.subnet }]),
              { name: 'privateIPv4Address', value: task.address },
            ],
          },
        ]
      : [],
    attributes: [{ name: 'ecs.cpu-architecture', value: 'x86_64' }],
    availabilityZone: `${ecs.region.name}a`,
    capacityProviderName: task.capacityProvider,
    connectivity: status === 'PROVISIONING' || status === 'STOPPED' ? undefined : 'CONNECTED',
    connectivityAt: status === 'PROVISIONING' ? undefined : task.createdAt,
    containers: task.containers.map(container => ({
      containerArn: container.arn,
      taskArn: task.arn,
      name: container.definition.name,
      image: container.definition.image,
      imageDigest: container.imageDigest,
      runtimeId: container.runtimeId,
      lastStatus: container.status,
      exitCode: container.exitCode,
      reason: container.reason,
      networkBindings: [],
      networkInterfaces: vpc ? [{ attachmentId: task.attachmentId, privateIpv4Address: task.address }] : [],
      healthStatus: container.health,
      cpu: String(container.definition.cpu ?? 0),
      memory: container.definition.memory === undefined ? undefined : String(container.definition.memory),
      memoryReservation:
        container.definition.memoryReservation === undefined ? undefined : String(container.definition.memoryReservation),
    })),
    cpu: task.definition.cpu ?? '0',
    memory: task.definition.memory ?? '0',
    createdAt: task.createdAt,
    desiredStatus: task.desired,
    enableExecuteCommand: false,
    executionStoppedAt: task.executionStoppedAt,
    group: task.group,
    healthStatus: health,
    inferenceAccelerators: [],
    lastStatus: status,
    launchType: task.launchType,
    overrides: {
      ...task.overrides,
      containerOverrides:
        task.overrides.containerOverrides ?? task.containers.map(container => ({ name: container.definition.name })),
      inferenceAcceleratorOverrides: [],
    },
    platformVersion: task.platformVersion,
    platformFamily: task.launchType === 'FARGATE' ? 'Linux' : undefined,
    pullStartedAt: task.pullStartedAt,
    pullStoppedAt: task.pullStoppedAt,
    startedAt: task.startedAt,
    startedBy: task.startedBy,
    stopCode: task.stopCode,
    stoppedAt: task.stoppedAt,
    stoppedReason: task.stoppedReason,
    stoppingAt: task.stoppingAt,
    tags: withTags ? task.tags : [],
    version: task.version,
    ...(task.launchType === 'FARGATE' && { ephemeralStorage: { sizeInGiB: 20 }, fargateEphemeralStorage: { sizeInGiB: 20 } }),
  }
}
