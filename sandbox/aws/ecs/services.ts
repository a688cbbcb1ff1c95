// Services: created, updated, deleted, described.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { describeService } from './describe.ts'
import { clusterOf, findService, page, runnableTaskDefinition, serviceOf } from './find.ts'
import { currentServiceDeployment, deploy } from './rollout.ts'
import { look } from './scheduler.ts'
import { checkLoadBalancers, checkRoles } from './service-checks.ts'
import { type Cluster, Ecs, type RevisionFields, type Service } from './state.ts'
import { putTags } from './tags.ts'
import { addTaskSet } from './task-sets.ts'
import type { CreateServiceRequest, DeploymentConfiguration, UpdateServiceRequest } from './types.ts'

/** How long a deleted service can be described (docs, "DeleteService": for a while). */
const MOST_DESCRIBED = 10

function configurationOf(
  given: DeploymentConfiguration | undefined,
  before: DeploymentConfiguration | undefined,
  daemon: boolean,
): DeploymentConfiguration {
  const merged = { ...before, ...given }
  const shifting = (merged.strategy ?? 'ROLLING') !== 'ROLLING'
  return {
    deploymentCircuitBreaker: merged.deploymentCircuitBreaker ?? { enable: false, rollback: false },
    maximumPercent: merged.maximumPercent ?? (daemon ? 100 : 200),
    minimumHealthyPercent: merged.minimumHealthyPercent ?? (daemon ? 0 : 100),
    ...(merged.alarms !== undefined && { alarms: merged.alarms }),
    strategy: merged.strategy ?? 'ROLLING',
    bakeTimeInMinutes: merged.bakeTimeInMinutes ?? (shifting ? 15 : 0),
    ...(merged.lifecycleHooks !== undefined && { lifecycleHooks: merged.lifecycleHooks }),
    ...(merged.strategy === 'LINEAR' &&
      merged.linearConfiguration !== undefined && { linearConfiguration: merged.linearConfiguration }),
    ...(merged.strategy === 'CANARY' &&
      merged.canaryConfiguration !== undefined && { canaryConfiguration: merged.canaryConfiguration }),
  }
}

/** The model calls the configuration of a strategy only valid with it. @throws AwsError InvalidParameterException */
function checkStrategy(given: DeploymentConfiguration = {}, { strategy = 'ROLLING' }: DeploymentConfiguration): void {
  const foreign =
    (given.linearConfiguration !== undefined && strategy !== 'LINEAR' && 'linearConfiguration') ||
    (given.canaryConfiguration !== undefined && strategy !== 'CANARY' && 'canaryConfiguration')
  if (foreign !== false)
    throw new AwsError('InvalidParameterException', `${foreign} is not valid with the deployment strategy ${strategy}.`)
}

/** @throws AwsError InvalidParameterException */
function checkConfiguration({ maximumPercent = 200, minimumHealthyPercent = 100 }: DeploymentConfiguration): void {
  if (maximumPercent <= minimumHealthyPercent && maximumPercent <= 100)
    throw new AwsError('InvalidParameterException', 'The maximumPercent must be greater than minimumHealthyPercent.')
}

/** The extras of a service: neither part of a revision, nor looked at by the scheduler. */
const extrasOf = (
  input: CreateServiceRequest | UpdateServiceRequest,
  before: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => ({
  placementConstraints: input.placementConstraints ?? before['placementConstraints'] ?? [],
  placementStrategy: input.placementStrategy ?? before['placementStrategy'] ?? [],
  enableECSManagedTags: input.enableECSManagedTags ?? before['enableECSManagedTags'] ?? false,
  propagateTags: input.propagateTags ?? before['propagateTags'] ?? 'NONE',
  enableExecuteCommand: input.enableExecuteCommand ?? before['enableExecuteCommand'] ?? false,
  availabilityZoneRebalancing: input.availabilityZoneRebalancing ?? before['availabilityZoneRebalancing'] ?? 'DISABLED',
})

function strategyOf(
  input: CreateServiceRequest,
  cluster: Cluster,
): Pick<RevisionFields, 'launchType' | 'capacityProviderStrategy'> {
  if (input.capacityProviderStrategy !== undefined && input.launchType !== undefined)
    throw new AwsError(
      'InvalidParameterException',
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    )
  const strategy = input.capacityProviderStrategy ?? (input.launchType === undefined ? cluster.defaultStrategy : [])
  return { capacityProviderStrategy: strategy, launchType: strategy.length > 0 ? undefined : (input.launchType ?? 'EC2') }
}

export const serviceHandlers: Record<string, Handler> = {
  CreateService: (input: CreateServiceRequest, call) => {
    const ecs = call.region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    const name = input.serviceName ?? ''
    const known = findService(ecs, cluster, name)
    if (known !== undefined && known.status !== 'INACTIVE')
      throw new AwsError('InvalidParameterException', 'Creation of service was not idempotent.')
    const controller = (input.deploymentController?.type ?? 'ECS') as Service['controller']
    const daemon = input.schedulingStrategy === 'DAEMON'
    if (controller !== 'EXTERNAL' && input.taskDefinition === undefined)
      throw new AwsError('InvalidParameterException', 'Task definition can not be blank.')
    const definition = input.taskDefinition === undefined ? undefined : runnableTaskDefinition(ecs, input.taskDefinition)
    if (definition !== undefined) checkRoles(ecs, definition, call)
    if (definition?.networkMode === 'awsvpc' && input.networkConfiguration === undefined)
      throw new AwsError(
        'InvalidParameterException',
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
      )
    if (definition !== undefined) checkLoadBalancers(ecs, definition, input.loadBalancers ?? [])
    const configuration = configurationOf(input.deploymentConfiguration, undefined, daemon)
    checkConfiguration(configuration)
    checkStrategy(input.deploymentConfiguration, configuration)
    const service: Service = {
      arn: call.region.arn('ecs', `service/${cluster.name}/${name}`),
      ...{ name, cluster, controller, configuration },
      status: 'ACTIVE',
      desired: input.desiredCount ?? (daemon ? 1 : 0),
      createdAt: ecs.now(),
      createdBy: call.caller,
      schedulingStrategy: daemon ? 'DAEMON' : 'REPLICA',
      healthCheckGracePeriod: input.healthCheckGracePeriodSeconds ?? 0,
      fields: {
        ...strategyOf(input, cluster),
        taskDefinition: definition?.taskDefinitionArn ?? '',
        platformVersion: input.platformVersion,
        networkConfiguration: networkOf(input),
        loadBalancers: input.loadBalancers ?? [],
        serviceRegistries: input.serviceRegistries ?? [],
        serviceConnectConfiguration: input.serviceConnectConfiguration,
        volumeConfigurations: input.volumeConfigurations ?? [],
      },
      extras: extrasOf(input),
      ...{ deployments: [], serviceDeployments: [], revisions: [], taskSets: [], events: [], next: undefined, steady: false },
    }
    ecs.services.push(service)
    putTags(ecs, service.arn, input.tags ?? [])
    if (controller === 'ECS') deploy(ecs, service)
    if (controller === 'CODE_DEPLOY') firstTaskSet(ecs, service)
    return { service: describeService(ecs, service, true) }
  },
  UpdateService: (input: UpdateServiceRequest, call) => {
    const ecs = call.region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    const service = serviceOf(ecs, cluster, input.service ?? '')
    const changes = revisionChanges(ecs, service, input, call)
    const before = describeService(ecs, service, true)
    const strategy = input.deploymentConfiguration?.strategy
    if (
      strategy !== undefined &&
      strategy !== service.configuration.strategy &&
      currentServiceDeployment(service) !== undefined &&
      service.configuration.strategy !== 'ROLLING'
    )
      throw new AwsError(
        'InvalidParameterException',
        'Cannot change the deployment strategy while a service deployment is in progress.',
      )
    const configuration = configurationOf(
      input.deploymentConfiguration,
      service.configuration,
      service.schedulingStrategy === 'DAEMON',
    )
    checkConfiguration(configuration)
    checkStrategy(input.deploymentConfiguration, configuration)
    service.configuration = configuration
    if (input.desiredCount !== undefined) service.desired = input.desiredCount
    if (input.healthCheckGracePeriodSeconds !== undefined) service.healthCheckGracePeriod = input.healthCheckGracePeriodSeconds
    Object.assign(service.extras, extrasOf(input, service.extras))
    const fresh = Object.keys(changes).length > 0 || input.forceNewDeployment === true
    if (fresh && service.controller === 'ECS') {
      service.fields = { ...service.fields, ...changes }
      deploy(ecs, service)
    }
    look(ecs, service)
    const stale = call.world.scenario.stale ?? 0
    if (stale > 0) service.stale = { until: ecs.now() + stale, view: before }
    return { service: describeService(ecs, service, true) }
  },
  DeleteService: (input: { cluster?: string; service: string; force?: boolean }, { region }) => {
    const ecs = region.part(Ecs)
    const service = serviceOf(ecs, clusterOf(ecs, input.cluster), input.service)
    if (service.desired > 0 && input.force !== true)
      throw new AwsError('InvalidParameterException', 'The service cannot be stopped while it is scaled above 0.')
    service.desired = 0
    service.status = 'DRAINING'
    look(ecs, service, 0)
    return { service: describeService(ecs, service, true) }
  },
  DescribeServices: (input: { cluster?: string; services: string[]; include?: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    if (input.services.length > MOST_DESCRIBED)
      throw new AwsError('InvalidParameterException', 'Services cannot have more than 10 elements')
    const found = input.services.map(named => ({ named, service: findService(ecs, cluster, named) }))
    return {
      services: found.flatMap(({ service }) =>
        service === undefined ? [] : [seen(ecs, service, input.include?.includes('TAGS') === true)],
      ),
      failures: found.flatMap(({ named, service }) =>
        service === undefined
          ? [{ arn: named.startsWith('arn:') ? named : region.arn('ecs', `service/${cluster.name}/${named}`), reason: 'MISSING' }]
          : [],
      ),
    }
  },
  ListServices: (input: { cluster?: string; nextToken?: string; maxResults?: number; launchType?: string }, { region }) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    const all = ecs.services.filter(one => one.cluster === cluster && one.status === 'ACTIVE')
    const { items, nextToken } = page(all, input.nextToken, input.maxResults ?? 10)
    return { serviceArns: items.map(service => service.arn), nextToken }
  },
}

/** As a describe sees it, which may be behind. */
function seen(ecs: Ecs, service: Service, withTags: boolean): object {
  if (service.stale === undefined || ecs.now() >= service.stale.until) return describeService(ecs, service, withTags)
  const { tags, ...rest } = service.stale.view as { tags?: object }
  return withTags ? { ...rest, tags } : rest
}

const networkOf = ({
  networkConfiguration,
}: CreateServiceRequest | UpdateServiceRequest): RevisionFields['networkConfiguration'] => {
  const vpc = networkConfiguration?.awsvpcConfiguration
  if (vpc === undefined) return networkConfiguration
  return {
    awsvpcConfiguration: { ...vpc, securityGroups: vpc.securityGroups ?? [], assignPublicIp: vpc.assignPublicIp ?? 'DISABLED' },
  }
}

/** What of the update makes a new revision. @throws AwsError */
function revisionChanges(
  ecs: Ecs,
  service: Service,
  input: UpdateServiceRequest,
  call: Parameters<Handler>[1],
): Partial<RevisionFields> {
  const definition = input.taskDefinition === undefined ? undefined : runnableTaskDefinition(ecs, input.taskDefinition)
  if (definition !== undefined) checkRoles(ecs, definition, call)
  if (
    service.controller === 'CODE_DEPLOY' &&
    (definition !== undefined || input.forceNewDeployment === true || input.networkConfiguration !== undefined)
  )
    throw new AwsError(
      'InvalidParameterException',
      'Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.',
    )
  if (service.controller === 'EXTERNAL' && (definition !== undefined || input.forceNewDeployment === true))
    throw new AwsError(
      'InvalidParameterException',
      'Unable to update the task definition of a service with an EXTERNAL deployment controller.',
    )
  const providers = input.capacityProviderStrategy
  if (
    providers !== undefined &&
    JSON.stringify(providers) !== JSON.stringify(service.fields.capacityProviderStrategy) &&
    input.forceNewDeployment !== true
  )
    throw new AwsError(
      'InvalidParameterException',
      'When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.',
    )
  const wanted: Partial<RevisionFields> = {
    ...(definition !== undefined && { taskDefinition: definition.taskDefinitionArn }),
    ...(providers !== undefined && {
      capacityProviderStrategy: providers,
      // An empty list is the way back to the launch type.
      launchType: providers.length > 0 ? undefined : launchTypeOf(service),
    }),
    ...(input.platformVersion !== undefined && { platformVersion: input.platformVersion }),
    ...(input.networkConfiguration !== undefined && { networkConfiguration: networkOf(input) }),
    ...(input.loadBalancers !== undefined && { loadBalancers: input.loadBalancers }),
    ...(input.serviceRegistries !== undefined && { serviceRegistries: input.serviceRegistries }),
    ...(input.serviceConnectConfiguration !== undefined && { serviceConnectConfiguration: input.serviceConnectConfiguration }),
    ...(input.volumeConfigurations !== undefined && { volumeConfigurations: input.volumeConfigurations }),
  }
  const same = (name: string, value: unknown): boolean =>
    JSON.stringify(service.fields[name as keyof RevisionFields]) === JSON.stringify(value)
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => !same(name, value)))
}

/** The last one that the service had. */
const launchTypeOf = (service: Service): RevisionFields['launchType'] =>
  service.revisions.findLast(({ launchType }) => launchType !== undefined)?.launchType ?? 'EC2'

/** A service of CodeDeploy starts with one task set that has all the traffic. */
function firstTaskSet(ecs: Ecs, service: Service): void {
  addTaskSet(ecs, service, { fields: service.fields, startedBy: 'ECS', externalId: undefined, scale: 100, tags: [] }).status =
    'PRIMARY'
  look(ecs, service, 0)
}
