// Whether a task is healthy, by its containers' own checks and by its targets.
import { Elb } from '../elb/state.ts'
import type { Ecs, Task, TaskContainer } from './state.ts'

/** The targets that a task has: one for each load balancer of its revision. */
export function targetsOf(task: Task): { group: string; port: number }[] {
  const { deployment } = task
  if (deployment === undefined) return []
  return deployment.revision.loadBalancers.flatMap((balancer, index) => {
    const group = deployment.targetGroups[index] ?? balancer.targetGroupArn
    return group === undefined ? [] : [{ group, port: balancer.containerPort ?? 80 }]
  })
}

/** As DescribeTasks says it. */
export function healthOf(task: Task): 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN' {
  const checked = task.containers.filter(one => one.definition.healthCheck !== undefined && one.definition.essential !== false)
  if (checked.some(one => one.health === 'UNHEALTHY')) return 'UNHEALTHY'
  return checked.length > 0 && checked.every(one => one.health === 'HEALTHY') ? 'HEALTHY' : 'UNKNOWN'
}

/** RUNNING, and every check it has says so. */
export function isHealthy(ecs: Ecs, task: Task): boolean {
  if (task.status !== 'RUNNING' || task.desired !== 'RUNNING') return false
  const checked = task.containers.some(one => one.definition.healthCheck !== undefined && one.definition.essential !== false)
  if (checked && healthOf(task) !== 'HEALTHY') return false
  const elb = ecs.region.part(Elb)
  return targetsOf(task).every(({ group, port }) => {
    const state = elb.targetsOf(group)?.get(task.address, port)?.state
    // A group that no listener sends to does not hold a task back.
    return state === 'healthy' || state === 'unused'
  })
}

/** Why the scheduler must replace it; undefined where it need not. */
export function unhealthyReason(
  ecs: Ecs,
  task: Task,
): { container: true } | { group: string; port: number; why: string } | undefined {
  if (task.status !== 'RUNNING' || task.desired !== 'RUNNING') return undefined
  if (healthOf(task) === 'UNHEALTHY') return { container: true }
  const elb = ecs.region.part(Elb)
  for (const { group, port } of targetsOf(task)) {
    const target = elb.targetsOf(group)?.get(task.address, port)
    if (target?.state === 'unhealthy') return { group, port, why: target.description ?? 'Health checks failed' }
  }
  return undefined
}

/** Asks a container's health check every interval, as the agent does, until the task ends. */
export function watchHealth(ecs: Ecs, task: Task, container: TaskContainer, changed: () => void): void {
  const check = container.definition.healthCheck
  if (check === undefined) return
  const { interval = 30, retries = 3, startPeriod = 0 } = check
  const begun = ecs.now()
  let failures = 0
  const look = (): void => {
    if (container.status !== 'RUNNING') return
    const age = ecs.now() - begun
    if (passes(container, age)) {
      failures = 0
      set('HEALTHY')
    } else if (age > startPeriod) {
      failures += 1
      if (failures >= retries) set('UNHEALTHY')
    }
    again()
  }
  const set = (health: TaskContainer['health']): void => {
    if (container.health === health) return
    container.health = health
    changed()
  }
  const again = (): void => {
    const cancel = ecs.region.world.after(interval, () => {
      task.cancels.delete(cancel)
      look()
    })
    task.cancels.add(cancel)
  }
  again()
}

function passes(container: TaskContainer, age: number): boolean {
  const { health = 'healthy', starts = 0 } = container.script
  if (age < starts || health === 'unhealthy') return false
  return health === 'healthy' || age < health.healthyFor
}
