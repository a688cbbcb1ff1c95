// Task sets: what EXTERNAL and CODE_DEPLOY services are made of.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { describeTaskSet } from './describe.ts'
import { clusterOf, runnableTaskDefinition, serviceOf } from './find.ts'
import { look } from './scheduler.ts'
import { Ecs, type RevisionFields, type Service, type TaskSet } from './state.ts'
import type { CreateTaskSetRequest, Tag } from './types.ts'

interface Plan {
  readonly fields: RevisionFields
  readonly startedBy: string
  readonly externalId: string | undefined
  readonly scale: number
  readonly tags: readonly Tag[]
}

/** ACTIVE, with no traffic of its own until somebody shifts it. */
export function addTaskSet(ecs: Ecs, service: Service, plan: Plan): TaskSet {
  const { world } = ecs.region
  const now = ecs.now()
  const id = `ecs-svc/${world.ids.digits(19)}`
  const revision = {
    ...plan.fields,
    arn: ecs.region.arn('ecs', `service-revision/${service.cluster.name}/${service.name}/${world.ids.digits(19)}`),
    createdAt: now,
  }
  const set: TaskSet = {
    ...{ id, revision },
    arn: ecs.region.arn('ecs', `task-set/${service.cluster.name}/${service.name}/${id}`),
    status: 'ACTIVE',
    externalId: plan.externalId,
    startedBy: plan.startedBy,
    scale: { value: plan.scale, unit: 'PERCENT' },
    createdAt: now,
    updatedAt: now,
    stableSince: undefined,
    tags: plan.tags,
    deployment: {
      ...{ id, revision },
      targetGroups: revision.loadBalancers.map(one => one.targetGroupArn ?? ''),
      status: 'ACTIVE',
      desired: 0,
      failedTasks: 0,
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: '',
      createdAt: now,
      updatedAt: now,
      failuresInARow: 0,
      notBefore: 0,
      everCompleted: false,
    },
  }
  service.revisions.push(revision)
  service.taskSets = [set, ...service.taskSets]
  look(ecs, service)
  return set
}

/** @throws AwsError TaskSetNotFoundException */
export function taskSetOf(service: Service, named: string): TaskSet {
  const set = service.taskSets.find(
    one => one.arn === named || one.id === named || one.id === `ecs-svc/${named.split('/').at(-1)}`,
  )
  if (set === undefined) throw new AwsError('TaskSetNotFoundException', 'The specified task set was not found.')
  return set
}

/** Gives the traffic to one; the one that had it stays, ACTIVE. */
export function makePrimary(ecs: Ecs, service: Service, set: TaskSet): void {
  for (const one of service.taskSets) if (one.status === 'PRIMARY') one.status = 'ACTIVE'
  set.status = 'PRIMARY'
  set.updatedAt = ecs.now()
  const { arn: _, createdAt: __, ...fields } = set.revision
  service.fields = fields
}

interface SetInput {
  readonly cluster: string
  readonly service: string
}

function find(ecs: Ecs, input: SetInput): Service {
  const service = serviceOf(ecs, clusterOf(ecs, input.cluster), input.service)
  if (service.controller === 'ECS')
    throw new AwsError(
      'InvalidParameterException',
      'Task sets can only be used with a service that has the EXTERNAL deployment controller.',
    )
  return service
}

export const taskSetHandlers: Record<string, Handler> = {
  CreateTaskSet: (input: CreateTaskSetRequest, { region, caller }) => {
    const ecs = region.part(Ecs)
    const service = find(ecs, { cluster: input.cluster ?? '', service: input.service ?? '' })
    const definition = runnableTaskDefinition(ecs, input.taskDefinition ?? '')
    const fields: RevisionFields = {
      taskDefinition: definition.taskDefinitionArn,
      launchType: input.capacityProviderStrategy === undefined ? (input.launchType ?? 'EC2') : undefined,
      capacityProviderStrategy: input.capacityProviderStrategy ?? [],
      platformVersion: input.platformVersion,
      networkConfiguration: input.networkConfiguration,
      loadBalancers: input.loadBalancers ?? [],
      serviceRegistries: input.serviceRegistries ?? [],
      serviceConnectConfiguration: undefined,
      volumeConfigurations: [],
    }
    const plan = {
      fields,
      startedBy: caller,
      externalId: input.externalId,
      scale: input.scale?.value ?? 0,
      tags: input.tags ?? [],
    }
    return { taskSet: describeTaskSet(ecs, service, addTaskSet(ecs, service, plan)) }
  },
  UpdateTaskSet: (input: SetInput & { taskSet: string; scale: { value?: number } }, { region }) => {
    const ecs = region.part(Ecs)
    const service = find(ecs, input)
    const set = taskSetOf(service, input.taskSet)
    set.scale = { value: input.scale.value ?? 100, unit: 'PERCENT' }
    set.updatedAt = ecs.now()
    look(ecs, service)
    return { taskSet: describeTaskSet(ecs, service, set) }
  },
  UpdateServicePrimaryTaskSet: (input: SetInput & { primaryTaskSet: string }, { region }) => {
    const ecs = region.part(Ecs)
    const service = find(ecs, input)
    const set = taskSetOf(service, input.primaryTaskSet)
    makePrimary(ecs, service, set)
    return { taskSet: describeTaskSet(ecs, service, set) }
  },
  DeleteTaskSet: (input: SetInput & { taskSet: string; force?: boolean }, { region }) => {
    const ecs = region.part(Ecs)
    const service = find(ecs, input)
    const set = taskSetOf(service, input.taskSet)
    if (set.scale.value > 0 && input.force !== true)
      throw new AwsError('InvalidParameterException', 'The task set cannot be deleted while it is scaled above 0.')
    set.status = 'DRAINING'
    look(ecs, service)
    return { taskSet: describeTaskSet(ecs, service, set) }
  },
  DescribeTaskSets: (input: SetInput & { taskSets?: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const service = find(ecs, input)
    const sets = input.taskSets === undefined ? service.taskSets : input.taskSets.map(named => taskSetOf(service, named))
    return { taskSets: sets.map(set => describeTaskSet(ecs, service, set)), failures: [] }
  },
}
