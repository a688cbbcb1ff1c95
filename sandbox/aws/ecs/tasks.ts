// Tasks: run on their own, stopped, described, listed.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { describeTask } from './describe.ts'
import { clusterOf, findService, findTask, page, runnableTaskDefinition } from './find.ts'
import { launch, stopTask } from './launch.ts'
import { checkRoles, checkVolumes } from './service-checks.ts'
import { Ecs } from './state.ts'
import { tagsOf } from './tags.ts'
import type { RunTaskRequest } from './types.ts'
import { reasons } from './words.ts'

const MOST_DESCRIBED = 100

export const taskHandlers: Record<string, Handler> = {
  RunTask: (input: RunTaskRequest, call) => {
    const { region, world } = call
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    const definition = runnableTaskDefinition(ecs, input.taskDefinition ?? '')
    checkRoles(ecs, definition, call)
    checkVolumes(definition, input.volumeConfigurations ?? [])
    if (definition.networkMode === 'awsvpc' && input.networkConfiguration === undefined)
      throw new AwsError(
        'InvalidParameterException',
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
      )
    for (const { name } of input.overrides?.containerOverrides ?? []) {
      if (!definition.containerDefinitions.some(one => one.name === name))
        throw new AwsError(
          'InvalidParameterException',
          `Override for container named ${name} is not a container in the TaskDefinition.`,
        )
    }
    const provider =
      input.capacityProviderStrategy?.[0]?.capacityProvider ??
      (input.launchType === undefined ? cluster.defaultStrategy[0]?.capacityProvider : undefined)
    const launchType = provider?.startsWith('FARGATE') === true ? 'FARGATE' : (input.launchType ?? 'EC2')
    const { tasks: most, reason } = world.capacity()
    const taken = [...ecs.tasks.values()].filter(task => task.cluster === cluster && task.status !== 'STOPPED').length
    const count = input.count ?? 1
    const placed = Math.min(count, Math.max(0, most - taken))
    const tags =
      input.propagateTags === 'TASK_DEFINITION'
        ? [...tagsOf(ecs, definition.taskDefinitionArn), ...(input.tags ?? [])]
        : (input.tags ?? [])
    const tasks = Array.from({ length: placed }, () =>
      launch(
        ecs,
        {
          ...{ cluster, definition, launchType, tags },
          group: input.group ?? `family:${definition.family}`,
          startedBy: input.startedBy,
          capacityProvider: provider,
          platformVersion: input.platformVersion,
          network: input.networkConfiguration,
          ...(input.overrides !== undefined && { overrides: input.overrides }),
        },
        () => {},
      ),
    )
    const failures =
      placed < count ? [{ reason: reason ?? (launchType === 'FARGATE' ? reasons.fargateCapacity : 'RESOURCE:MEMORY') }] : []
    return { tasks: tasks.map(task => describeTask(ecs, task, true)), failures }
  },
  StopTask: (input: { cluster?: string; task: string; reason?: string }, { region }) => {
    const ecs = region.part(Ecs)
    const task = findTask(ecs, clusterOf(ecs, input.cluster), input.task)
    if (task === undefined) throw new AwsError('InvalidParameterException', 'The referenced task was not found.')
    stopTask(task, 'UserInitiated', input.reason ?? 'Task stopped by user')
    return { task: describeTask(ecs, task, true) }
  },
  DescribeTasks: (input: { cluster?: string; tasks: string[]; include?: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    if (input.tasks.length > MOST_DESCRIBED)
      throw new AwsError('InvalidParameterException', 'Tasks cannot have more than 100 elements')
    const all = input.tasks.map(named => ({ named, task: findTask(ecs, cluster, named) }))
    return {
      tasks: all.flatMap(({ task }) =>
        task === undefined ? [] : [describeTask(ecs, task, input.include?.includes('TAGS') === true)],
      ),
      failures: all.flatMap(({ named, task }) =>
        task === undefined
          ? [{ arn: named.startsWith('arn:') ? named : region.arn('ecs', `task/${cluster.name}/${named}`), reason: 'MISSING' }]
          : [],
      ),
    }
  },
  ListTasks: (
    input: {
      cluster?: string
      family?: string
      serviceName?: string
      startedBy?: string
      desiredStatus?: string
      launchType?: string
      nextToken?: string
      maxResults?: number
    },
    { region },
  ) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    const service = input.serviceName === undefined ? undefined : findService(ecs, cluster, input.serviceName)
    if (input.serviceName !== undefined && service === undefined)
      throw new AwsError('ServiceNotFoundException', 'Service not found.')
    const desired = input.desiredStatus ?? 'RUNNING'
    const all = [...ecs.tasks.values()].filter(
      task =>
        task.cluster === cluster &&
        task.desired === desired &&
        (service === undefined || task.service === service) &&
        (input.family === undefined || task.definition.family === input.family) &&
        (input.startedBy === undefined || task.startedBy === input.startedBy) &&
        (input.launchType === undefined || task.launchType === input.launchType),
    )
    const { items, nextToken } = page(all, input.nextToken, input.maxResults ?? 100)
    return { taskArns: items.map(task => task.arn), nextToken }
  },
}
