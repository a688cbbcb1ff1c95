// Targets that stay unhealthy: the load balancer says why before ECS stops the task.
import type { Service, Task } from '@aws-sdk/client-ecs'
import { foreignLine } from '../../runner/foreign-text.ts'
import { GRACES } from './grace.ts'
import type { TargetState } from './snapshot.ts'
import { timeOf } from './snapshot.ts'

/** A running task whose target is unhealthy. */
export interface SickTarget {
  readonly task: Task
  /** `the target 10.0.1.5 is unhealthy: Health checks failed with these codes: [503]` */
  readonly message: string
  /** In ms: the end of the service's own grace period for it. */
  readonly graceUntil: number
  /** In ms: from then on nobody waits for it any more. */
  readonly until: number
}

/** Addresses of a task in a VPC. A task on an instance's own network is known to a target group by the instance, which a task does not name. */
function addressesOf({ containers = [], attachments = [] }: Task): readonly string[] {
  return [
    ...containers.flatMap(({ networkInterfaces = [] }) =>
      networkInterfaces.flatMap(({ privateIpv4Address: address }) => address ?? []),
    ),
    ...attachments.flatMap(({ details = [] }) =>
      details.flatMap(({ name, value }) => (name === 'privateIPv4Address' && value !== undefined ? [value] : [])),
    ),
  ]
}

export function sickTargets(
  tasks: readonly Task[],
  targets: readonly TargetState[],
  service: Service | undefined,
): readonly SickTarget[] {
  const graceMs = (service?.healthCheckGracePeriodSeconds ?? 0) * 1_000
  return tasks.flatMap(task => {
    const addresses = addressesOf(task)
    const sick = targets.find(({ id, state }) => state === 'unhealthy' && addresses.includes(id))
    if (sick === undefined || task.lastStatus !== 'RUNNING') return []
    const why = foreignLine([sick.description, sick.reason].find(text => text !== '') ?? '', 200).replace(/\.$/, '')
    const started = timeOf(task.startedAt) ?? 0
    return [
      {
        task,
        message: `the target ${sick.id} is unhealthy${why === '' ? '' : `: ${why}`}`,
        graceUntil: started + graceMs,
        until: started + graceMs + GRACES.UnhealthyTargets.ms,
      },
    ]
  })
}

export function isHealthyTarget(task: Task, targets: readonly TargetState[]): boolean {
  const addresses = addressesOf(task)
  return targets.some(({ id, state }) => state === 'healthy' && addresses.includes(id))
}
