// Makes a task of a task definition: what the scheduler, RunTask and task sets do alike.
import { resolveImage } from '../ecr/state.ts'
import type { Cluster, Deployment, Ecs, Service, Task, TaskDefinition } from './state.ts'
import { TaskLife } from './task-life.ts'
import type { LaunchType, NetworkConfiguration, Tag, TaskOverride } from './types.ts'

export interface Launch {
  readonly cluster: Cluster
  readonly definition: TaskDefinition
  readonly group: string
  readonly startedBy: string | undefined
  readonly service?: Service
  readonly deployment?: Deployment
  readonly launchType: LaunchType
  readonly capacityProvider: string | undefined
  readonly platformVersion: string | undefined
  readonly network: NetworkConfiguration | undefined
  readonly overrides?: TaskOverride
  readonly tags?: readonly Tag[]
}

const lives = new WeakMap<Task, TaskLife>()

/** The task is there at once, PROVISIONING. `changed` is told of whatever befalls it. */
export function launch(ecs: Ecs, plan: Launch, changed: (task: Task) => void): Task {
  const { world } = ecs.region
  const id = world.ids.hex(32)
  const arn = ecs.region.arn('ecs', `task/${plan.cluster.name}/${id}`)
  const containers = plan.definition.containerDefinitions.map(definition => {
    const override = plan.overrides?.containerOverrides?.find(one => one.name === definition.name)
    const resolved = resolveImage(ecs.region, definition.image ?? '')
    const names =
      resolved === 'not found' ? [definition.image ?? '', (definition.image ?? '').split('@')[0] ?? ''] : resolved.names
    return {
      definition: { ...definition, ...(override?.command !== undefined && { command: override.command }) },
      arn: ecs.region.arn('ecs', `container/${plan.cluster.name}/${id}/${world.ids.uuid()}`),
      script: world.nextScript(definition.name ?? '', names),
      status: 'PENDING' as const,
      health: 'UNKNOWN' as const,
    }
  })
  const task: Task = {
    ...{ arn, id, containers },
    cluster: plan.cluster,
    definition: plan.definition,
    group: plan.group,
    startedBy: plan.startedBy,
    service: plan.service,
    deployment: plan.deployment,
    launchType: plan.launchType,
    capacityProvider: plan.capacityProvider,
    platformVersion: plan.launchType === 'FARGATE' ? (plan.platformVersion ?? '1.4.0') : undefined,
    overrides: plan.overrides ?? {},
    address: ecs.nextAddress(),
    attachmentId: world.ids.uuid(),
    subnet: plan.network?.awsvpcConfiguration?.subnets?.[0],
    status: 'PROVISIONING',
    desired: 'RUNNING',
    createdAt: ecs.now(),
    version: 1,
    tags: plan.tags ?? [],
    everHealthy: false,
    counted: false,
    cancels: new Set(),
  }
  ecs.tasks.set(arn, task)
  const life = new TaskLife(ecs, task, () => changed(task))
  lives.set(task, life)
  life.begin()
  return task
}

export function stopTask(task: Task, ...why: Parameters<TaskLife['stop']>): void {
  lives.get(task)?.stop(...why)
}
