// Task definitions: registered, described with the defaults that ECS adds, made inactive.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { page, taskDefinitionOf } from './find.ts'
import { Ecs, type TaskDefinition } from './state.ts'
import { putTags, tagsOf } from './tags.ts'
import type { ContainerDefinition, RegisterTaskDefinitionRequest, Tag } from './types.ts'

const ATTRIBUTES = 'com.amazonaws.ecs.capability.'

/** @throws AwsError ClientException, in ECS's words */
function check(input: RegisterTaskDefinitionRequest): void {
  const refuse = (message: string): never => {
    throw new AwsError('ClientException', message)
  }
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(input.family ?? '')) refuse('Family contains invalid characters.')
  const containers = input.containerDefinitions ?? []
  if (containers.length === 0) refuse('Container list cannot be empty.')
  const names = containers.map(container => container.name ?? '')
  if (names.some(name => !/^[A-Za-z0-9_-]{1,255}$/.test(name))) refuse('Container.name contains invalid characters.')
  if (new Set(names).size < names.length) refuse('Container names must be unique.')
  for (const { name, image } of containers)
    if ((image ?? '') === '') refuse(`Container.image should not be null or empty. (container ${name})`)
  if (!containers.some(container => container.essential !== false)) refuse('At least one container must be marked as essential.')
  if (input.requiresCompatibilities?.includes('FARGATE') === true) {
    if (input.networkMode !== 'awsvpc') refuse('Fargate only supports network mode ‘awsvpc’.')
    if (input.cpu === undefined || input.memory === undefined) refuse("Fargate requires that 'cpu' be defined at the task level.")
    if (
      containers.some(container => container.secrets !== undefined && container.secrets.length > 0) &&
      input.executionRoleArn === undefined
    )
      refuse('Fargate requires task definition to have execution role ARN to support secrets.')
    if (containers.some(container => container.logConfiguration?.logDriver === 'awslogs') && input.executionRoleArn === undefined)
      refuse('Fargate requires task definition to have execution role ARN to support log driver awslogs.')
    if (containers.some(container => /\.dkr\.ecr\./.test(container.image ?? '')) && input.executionRoleArn === undefined)
      refuse('Fargate requires task definition to have execution role ARN to support ECR images.')
  } else if (
    input.memory === undefined &&
    containers.some(container => container.memory === undefined && container.memoryReservation === undefined)
  )
    refuse("Invalid setting for container. At least one of 'memory' or 'memoryReservation' must be specified.")
}

/** With what ECS fills in. */
function withDefaults(container: ContainerDefinition, networkMode: string | undefined): ContainerDefinition {
  return {
    ...container,
    cpu: container.cpu ?? 0,
    portMappings: (container.portMappings ?? []).map(mapping => ({
      ...mapping,
      hostPort: mapping.hostPort ?? (networkMode === 'awsvpc' || networkMode === 'host' ? mapping.containerPort : 0),
      protocol: mapping.protocol ?? 'tcp',
    })),
    essential: container.essential ?? true,
    environment: container.environment ?? [],
    mountPoints: container.mountPoints ?? [],
    volumesFrom: container.volumesFrom ?? [],
    systemControls: container.systemControls ?? [],
  }
}

function attributesFor(input: RegisterTaskDefinitionRequest): { name: string }[] {
  const containers = input.containerDefinitions ?? []
  const names = [
    ...(containers.some(one => one.logConfiguration?.logDriver === 'awslogs')
      ? [`${ATTRIBUTES}logging-driver.awslogs`, 'ecs.capability.execution-role-awslogs']
      : []),
    ...(containers.some(one => /\.dkr\.ecr\./.test(one.image ?? ''))
      ? ['com.amazonaws.ecs.capability.ecr-auth', 'ecs.capability.execution-role-ecr-pull']
      : []),
    `${ATTRIBUTES}docker-remote-api.1.18`,
    ...(input.networkMode === 'awsvpc' ? ['ecs.capability.task-eni'] : []),
  ]
  return names.map(name => ({ name }))
}

function register(ecs: Ecs, input: RegisterTaskDefinitionRequest, caller: string): TaskDefinition {
  check(input)
  const family = input.family ?? ''
  const before = ecs.families.get(family) ?? []
  const revision = (before.at(-1)?.revision ?? 0) + 1
  const { containerDefinitions = [], tags: _, ...rest } = input
  const networkMode = input.networkMode
  const made: TaskDefinition = {
    ...rest,
    taskDefinitionArn: ecs.region.arn('ecs', `task-definition/${family}:${revision}`),
    family,
    revision,
    status: 'ACTIVE',
    containerDefinitions: containerDefinitions.map(container => withDefaults(container, networkMode)),
    volumes: input.volumes ?? [],
    placementConstraints: input.placementConstraints ?? [],
    requiresAttributes: attributesFor(input),
    compatibilities: input.requiresCompatibilities?.includes('FARGATE') === true ? ['EC2', 'FARGATE'] : ['EXTERNAL', 'EC2'],
    registeredAt: ecs.now(),
    registeredBy: caller,
  } as TaskDefinition
  ecs.families.set(family, [...before, made])
  return made
}

export const taskDefinitionHandlers: Record<string, Handler> = {
  RegisterTaskDefinition: (input: RegisterTaskDefinitionRequest, { region, caller }) => {
    const ecs = region.part(Ecs)
    const made = register(ecs, input, caller)
    putTags(ecs, made.taskDefinitionArn, input.tags ?? [])
    return { taskDefinition: made, tags: input.tags ?? [] }
  },
  DescribeTaskDefinition: (input: { taskDefinition: string; include?: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const found = taskDefinitionOf(ecs, input.taskDefinition)
    const tags: Tag[] = input.include?.includes('TAGS') === true ? tagsOf(ecs, found.taskDefinitionArn) : []
    return { taskDefinition: found, ...(input.include?.includes('TAGS') === true && { tags }) }
  },
  DeregisterTaskDefinition: (input: { taskDefinition: string }, { region }) => {
    const ecs = region.part(Ecs)
    const found = taskDefinitionOf(ecs, input.taskDefinition)
    found.status = 'INACTIVE'
    found.deregisteredAt = ecs.now()
    return { taskDefinition: found }
  },
  DeleteTaskDefinitions: (input: { taskDefinitions: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const found = input.taskDefinitions.map(named => taskDefinitionOf(ecs, named))
    for (const one of found.filter(definition => definition.status === 'INACTIVE')) {
      one.status = 'DELETE_IN_PROGRESS'
      one.deleteRequestedAt = ecs.now()
    }
    const active = found.filter(one => one.status === 'ACTIVE')
    return {
      taskDefinitions: found.filter(one => one.status !== 'ACTIVE'),
      failures: active.map(one => ({ arn: one.taskDefinitionArn, reason: 'TASK_DEFINITION_ACTIVE' })),
    }
  },
  ListTaskDefinitions: (
    input: { familyPrefix?: string; status?: string; sort?: string; nextToken?: string; maxResults?: number },
    { region },
  ) => {
    const ecs = region.part(Ecs)
    const all = [...ecs.families.entries()]
      .filter(([family]) => input.familyPrefix === undefined || family === input.familyPrefix)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, revisions]) => revisions)
      .filter(one => one.status === (input.status ?? 'ACTIVE'))
    const { items, nextToken } = page(input.sort === 'DESC' ? all.toReversed() : all, input.nextToken, input.maxResults ?? 100)
    return { taskDefinitionArns: items.map(one => one.taskDefinitionArn), nextToken }
  },
  ListTaskDefinitionFamilies: (
    input: { familyPrefix?: string; status?: string; nextToken?: string; maxResults?: number },
    { region },
  ) => {
    const wanted = (revisions: readonly TaskDefinition[]): boolean => {
      const active = revisions.some(one => one.status === 'ACTIVE')
      return input.status === 'ALL' || (input.status === 'INACTIVE' ? !active : active)
    }
    const all = [...region.part(Ecs).families.entries()]
      .filter(([family, revisions]) => family.startsWith(input.familyPrefix ?? '') && wanted(revisions))
      .map(([family]) => family)
      .sort()
    const { items, nextToken } = page(all, input.nextToken, input.maxResults ?? 100)
    return { families: items, nextToken }
  },
}
