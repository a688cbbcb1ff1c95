// The service scheduler: after each change it looks at a service once, and starts, replaces and stops tasks until what runs is what is wanted.

import { BlueGreen, isShifting } from './blue-green.ts'
import { taskDefinitionOf } from './find.ts'
import { isHealthy, targetsOf, unhealthyReason } from './health.ts'
import { launch, stopTask } from './launch.ts'
import { concluded, countFailure, currentServiceDeployment, healthySeen } from './rollout.ts'
import type { Deployment, Ecs, Service, Task } from './state.ts'
import { tagsOf } from './tags.ts'
import { events, reasons } from './words.ts'

const MOST_EVENTS = 100

export function say(ecs: Ecs, service: Service, message: string): void {
  service.events = [{ id: ecs.region.world.ids.uuid(), createdAt: ecs.now(), message }, ...service.events].slice(0, MOST_EVENTS)
}

/** Looks at the service so soon at the latest, once for all that happens until then. */
export function look(ecs: Ecs, service: Service, within = ecs.region.world.timing.scheduler): void {
  const at = ecs.now() + within
  if (service.next !== undefined && service.next.at <= at) return
  service.next?.cancel()
  const cancel = ecs.region.world.after(within, () => {
    service.next = undefined
    reconcile(ecs, service)
  })
  service.next = { at, cancel }
}

/** Tasks that are to go on. */
export const live = (ecs: Ecs, deployment: Deployment): Task[] =>
  ecs.tasksOf(deployment).filter(task => task.desired === 'RUNNING')

const here = (ecs: Ecs, deployment: Deployment): Task[] => ecs.tasksOf(deployment).filter(task => task.status !== 'STOPPED')

function reconcile(ecs: Ecs, service: Service): void {
  if (service.status === 'INACTIVE') return
  const all = service.taskSets.length > 0 ? service.taskSets.map(set => set.deployment) : service.deployments
  for (const deployment of all) {
    replaceUnhealthy(ecs, service, deployment)
    for (const task of live(ecs, deployment)) {
      if (task.everHealthy || !isHealthy(ecs, task)) continue
      task.everHealthy = true
      healthySeen(service, deployment)
      announceTargets(ecs, service, task)
    }
  }
  if (service.status === 'DRAINING') {
    drain(ecs, service)
    return
  }
  if (service.controller !== 'ECS') return void taskSets(ecs, service)
  const [primary] = service.deployments
  if (primary === undefined) return
  if (isShifting(service)) new BlueGreen(ecs, service).step()
  else roll(ecs, service, primary)
}

/** A rolling update, or a service that keeps what it has. */
export function roll(ecs: Ecs, service: Service, primary: Deployment): void {
  if (currentServiceDeployment(service)?.status === 'PENDING') return
  const { maximumPercent = 200, minimumHealthyPercent = 100 } = service.configuration
  const most = Math.max(Math.floor((service.desired * maximumPercent) / 100), service.desired === 0 ? 0 : 1)
  const fewest = Math.ceil((service.desired * minimumHealthyPercent) / 100)
  const olds = service.deployments.slice(1)
  primary.desired = service.desired
  const total = (): number =>
    service.deployments.reduce((sum, one) => sum + here(ecs, one).filter(task => task.status !== 'DEPROVISIONING').length, 0)
  const healthy = (deployment: Deployment): number => live(ecs, deployment).filter(task => isHealthy(ecs, task)).length
  const allHealthy = service.deployments.reduce((sum, one) => sum + healthy(one), 0)

  const wanted = primary.rolloutState === 'FAILED' ? 0 : service.desired - live(ecs, primary).length
  if (wanted > 0) startTasks(ecs, service, primary, Math.min(wanted, Math.max(0, most - total())))
  if (wanted < 0) stopTasks(ecs, service, primary, live(ecs, primary).slice(wanted))

  // Of the old, as many go as have been replaced; more only where there is no room for a new one.
  const oldTasks = olds.flatMap(one => live(ecs, one)).sort((a, b) => Number(isHealthy(ecs, a)) - Number(isHealthy(ecs, b)))
  const replaced = oldTasks.length - Math.max(0, service.desired - healthy(primary))
  const crowded = primary.rolloutState !== 'FAILED' && live(ecs, primary).length < service.desired && total() >= most ? 1 : 0
  const spare = allHealthy - fewest
  const going: Task[] = []
  for (const task of oldTasks) {
    if (going.length >= Math.max(replaced, crowded * Math.max(0, spare))) break
    const healthyGoing = going.filter(one => isHealthy(ecs, one)).length
    if (isHealthy(ecs, task) && healthyGoing >= spare) break
    // A failed deployment's old tasks are all there is.
    if (primary.rolloutState === 'FAILED' && task.deployment?.rolloutState !== 'FAILED') continue
    going.push(task)
  }
  for (const old of olds) {
    const theirs = going.filter(task => task.deployment === old)
    if (theirs.length > 0) stopTasks(ecs, service, old, theirs)
    old.desired = live(ecs, old).length
  }
  concludeRolling(ecs, service, primary, fewest)
}

function concludeRolling(ecs: Ecs, service: Service, primary: Deployment, fewest: number): void {
  const gone = service.deployments.slice(1).filter(old => here(ecs, old).length === 0)
  for (const old of gone) {
    // One that failed stays to be seen until something else has taken its place.
    if (
      old.rolloutState === 'FAILED' &&
      primary.rolloutState !== 'COMPLETED' &&
      service.deployments.length > 1 &&
      !settled(ecs, service, primary)
    )
      continue
    old.status = 'INACTIVE'
  }
  service.deployments = service.deployments.filter(one => one.status !== 'INACTIVE')
  const steady = settled(ecs, service, primary) && service.deployments.length === 1
  if (steady && primary.rolloutState === 'IN_PROGRESS') concluded(ecs, service, primary)
  else if (steady && !service.steady && primary.rolloutState === 'COMPLETED') say(ecs, service, events.steady(service.name))
  if (primary.rolloutState === 'COMPLETED') service.steady = steady
  if (!steady && fewest > 0 && service.deployments.length > 1) look(ecs, service, 5)
}

const settled = (ecs: Ecs, service: Service, primary: Deployment): boolean => {
  const tasks = here(ecs, primary)
  return tasks.length === service.desired && tasks.every(task => isHealthy(ecs, task))
}

/** Starts as many as can be placed. */
export function startTasks(ecs: Ecs, service: Service, deployment: Deployment, count: number): void {
  if (count <= 0) return
  const { world } = ecs.region
  if (ecs.now() < deployment.notBefore) {
    look(ecs, service, Math.max(0.5, deployment.notBefore - ecs.now()))
    return
  }
  const definition = taskDefinitionOf(ecs, deployment.revision.taskDefinition)
  const { tasks: most, reason } = world.capacity()
  const taken = [...ecs.tasks.values()].filter(task => task.cluster === service.cluster && task.status !== 'STOPPED').length
  const placed = Math.min(count, Math.max(0, most - taken))
  const provider = deployment.revision.capacityProviderStrategy[0]?.capacityProvider
  const fargate = deployment.revision.launchType === 'FARGATE' || provider?.startsWith('FARGATE') === true
  if (placed < count) {
    const why = reason ?? (fargate ? reasons.fargateCapacity : 'RESOURCE:MEMORY')
    say(ecs, service, fargate ? events.notPlaced(service.name, why) : events.noInstance(service.name, why))
    look(ecs, service, 10)
  }
  if (placed === 0) return
  const tags = service.extras['propagateTags'] === 'SERVICE' ? tagsOf(ecs, service.arn) : []
  const started = Array.from({ length: placed }, () =>
    launch(
      ecs,
      {
        ...{ service, deployment, definition, tags },
        cluster: service.cluster,
        group: `service:${service.name}`,
        startedBy: deployment.id,
        launchType: fargate ? 'FARGATE' : (deployment.revision.launchType ?? 'EC2'),
        capacityProvider: provider,
        platformVersion: deployment.revision.platformVersion,
        network: deployment.revision.networkConfiguration,
      },
      task => changed(ecs, service, task),
    ),
  )
  deployment.updatedAt = ecs.now()
  service.steady = false
  say(
    ecs,
    service,
    events.started(
      service.name,
      started.map(task => task.id),
    ),
  )
}

export function stopTasks(ecs: Ecs, service: Service, deployment: Deployment, tasks: readonly Task[]): void {
  if (tasks.length === 0) return
  const draining = tasks.filter(task => task.status === 'RUNNING' && targetsOf(task).length > 0)
  for (const task of tasks) stopTask(task, 'ServiceSchedulerInitiated', reasons.scaling(deployment.id))
  deployment.updatedAt = ecs.now()
  if (draining.length > 0) say(ecs, service, events.draining(service.name, draining.length))
  for (const { group } of targetsOf(draining[0] ?? (tasks[0] as Task))) {
    if (draining.length > 0) say(ecs, service, events.deregistered(service.name, draining.length, group))
  }
  say(
    ecs,
    service,
    events.stopped(
      service.name,
      tasks.map(task => task.id),
    ),
  )
}

function changed(ecs: Ecs, service: Service, task: Task): void {
  if (task.desired === 'STOPPED' && !task.counted) {
    task.counted = true
    if (task.stopCode === 'TaskFailedToStart' && task.stoppedReason?.startsWith('CannotPull') === true)
      say(ecs, service, events.notPlaced(service.name, task.stoppedReason))
    if (task.stopCode === 'TaskFailedToStart' || task.stopCode === 'EssentialContainerExited') countFailure(ecs, service, task)
  }
  look(ecs, service)
}

function announceTargets(ecs: Ecs, service: Service, task: Task): void {
  for (const { group } of targetsOf(task)) say(ecs, service, events.registered(service.name, 1, group))
}

/** Stops what its checks call unhealthy, once its grace period is over. */
function replaceUnhealthy(ecs: Ecs, service: Service, deployment: Deployment): void {
  for (const task of live(ecs, deployment)) {
    const why = unhealthyReason(ecs, task)
    if (why === undefined) continue
    const graceEnds = (task.startedAt ?? ecs.now()) + service.healthCheckGracePeriod
    if (ecs.now() < graceEnds) {
      look(ecs, service, graceEnds - ecs.now())
      continue
    }
    task.counted = true
    if ('container' in why) {
      say(ecs, service, events.unhealthyContainer(service.name, task.id))
      stopTask(task, 'ServiceSchedulerInitiated', reasons.containerHealth)
    } else {
      say(ecs, service, events.unhealthyTarget(service.name, task.id, why.port, why.group, why.why))
      stopTask(task, 'ServiceSchedulerInitiated', reasons.targetHealth(why.group))
    }
    countFailure(ecs, service, task)
  }
}

function taskSets(ecs: Ecs, service: Service): void {
  for (const set of service.taskSets) {
    const wanted = set.status === 'DRAINING' ? 0 : Math.ceil((service.desired * set.scale.value) / 100)
    set.deployment.desired = wanted
    const tasks = live(ecs, set.deployment)
    if (tasks.length < wanted) startTasks(ecs, service, set.deployment, wanted - tasks.length)
    if (tasks.length > wanted) stopTasks(ecs, service, set.deployment, tasks.slice(wanted))
    const stable =
      here(ecs, set.deployment).length === wanted &&
      live(ecs, set.deployment).filter(task => isHealthy(ecs, task)).length === wanted
    if (stable && set.stableSince === undefined) set.stableSince = ecs.now()
    if (!stable) set.stableSince = undefined
  }
  service.taskSets = service.taskSets.filter(set => set.status !== 'DRAINING' || here(ecs, set.deployment).length > 0)
}

function drain(ecs: Ecs, service: Service): void {
  const all = [...service.deployments, ...service.taskSets.map(set => set.deployment)]
  for (const deployment of all) stopTasks(ecs, service, deployment, live(ecs, deployment))
  if (all.some(deployment => here(ecs, deployment).length > 0)) return
  service.status = 'INACTIVE'
  service.deployments = []
}
