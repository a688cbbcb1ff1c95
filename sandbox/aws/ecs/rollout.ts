// How a deployment ends: completed, failed by the circuit breaker or an alarm, rolled back, replaced.
import { alarmsInAlarm } from '../cloudwatch/state.ts'
import { look, say } from './scheduler.ts'
import type { Deployment, Ecs, Revision, Service, ServiceDeployment, ServiceDeploymentStatus, Task } from './state.ts'
import { events, reasons } from './words.ts'

/** ECS's own bounds (docs, "How the deployment circuit breaker detects failures"). */
const FEWEST_FAILURES = 3
const MOST_FAILURES = 200

export const thresholdOf = (desired: number): number => Math.min(MOST_FAILURES, Math.max(FEWEST_FAILURES, Math.ceil(desired / 2)))

const ENDED: ReadonlySet<ServiceDeploymentStatus> = new Set(['SUCCESSFUL', 'STOPPED', 'ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED'])

export const hasEnded = (one: ServiceDeployment): boolean => ENDED.has(one.status)

export const currentServiceDeployment = (service: Service): ServiceDeployment | undefined =>
  service.serviceDeployments.findLast(one => !hasEnded(one))

/** Makes a deployment of the service's fields PRIMARY. Its service deployment can be seen only a little later. */
export function deploy(ecs: Ecs, service: Service): Deployment {
  const { world } = ecs.region
  const now = ecs.now()
  const revision: Revision = {
    ...service.fields,
    arn: ecs.region.arn('ecs', `service-revision/${service.cluster.name}/${service.name}/${world.ids.digits(19)}`),
    createdAt: now,
  }
  service.revisions.push(revision)
  const before = service.deployments
  const running = currentServiceDeployment(service)
  if (running !== undefined) end(ecs, running, 'STOPPED', reasons.replaced)
  const id = `ecs-svc/${world.ids.digits(19)}`
  const made: Deployment = {
    ...{ id, revision, targetGroups: nextTargetGroups(service) },
    status: 'PRIMARY',
    desired: 0,
    failedTasks: 0,
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `ECS deployment ${id} in progress.`,
    createdAt: now,
    updatedAt: now,
    failuresInARow: 0,
    notBefore: 0,
    everCompleted: false,
  }
  for (const old of before) old.status = 'ACTIVE'
  service.deployments = [made, ...before]
  service.steady = false
  world.after(world.timing.serviceDeployment, () => {
    if (made.status === 'PRIMARY' && service.deployments[0] === made && service.status === 'ACTIVE')
      begin(ecs, service, made, before)
  })
  return made
}

/** Blue and green take turns with the two target groups of a load balancer. */
function nextTargetGroups(service: Service): string[] {
  const last = service.deployments[0]
  const shifting = (service.configuration.strategy ?? 'ROLLING') !== 'ROLLING'
  return service.fields.loadBalancers.map(({ targetGroupArn = '', advancedConfiguration }, index) => {
    const other = advancedConfiguration?.alternateTargetGroupArn
    const before = last?.targetGroups[index]
    if (other === undefined || before === undefined) return targetGroupArn
    if (!shifting) return before
    return before === targetGroupArn ? other : targetGroupArn
  })
}

function begin(ecs: Ecs, service: Service, deployment: Deployment, before: readonly Deployment[]): void {
  const now = ecs.now()
  const { deploymentCircuitBreaker: breaker, alarms } = service.configuration
  const names = alarms?.enable === true ? (alarms.alarmNames ?? []) : []
  const made: ServiceDeployment = {
    arn: ecs.region.arn('ecs', `service-deployment/${service.cluster.name}/${service.name}/${ecs.region.world.ids.word(21)}`),
    status: 'IN_PROGRESS',
    createdAt: now,
    startedAt: now,
    updatedAt: now,
    deployment,
    sources: before.filter(one => one.everCompleted || one.rolloutState !== 'FAILED'),
    configuration: service.configuration,
    breaker: {
      status: breaker?.enable === true ? 'MONITORING' : 'DISABLED',
      failureCount: 0,
      threshold: breaker?.enable === true ? thresholdOf(service.desired) : 0,
    },
    alarms: {
      status: names.length > 0 ? 'MONITORING' : 'DISABLED',
      alarmNames: names,
      triggered: [],
      // One that is in ALARM at the start is not watched (docs, "How CloudWatch alarms detect deployment failures").
      ignored: new Set(alarmsInAlarm(ecs.region, names)),
    },
    hooks: [],
  }
  service.serviceDeployments.push(made)
  if (names.length > 0) watchAlarms(ecs, service, made)
  look(ecs, service, 0)
}

function watchAlarms(ecs: Ecs, service: Service, one: ServiceDeployment): void {
  ecs.region.world.after(ecs.region.world.timing.alarms, () => {
    if (hasEnded(one) || one.rollback !== undefined) return
    const found = alarmsInAlarm(ecs.region, one.alarms.alarmNames).filter(name => !one.alarms.ignored.has(name))
    if (found.length === 0) return watchAlarms(ecs, service, one)
    one.alarms = { ...one.alarms, status: 'TRIGGERED', triggered: found }
    fail(ecs, service, one, 'alarm')
  })
}

/** A task of the deployment is healthy: the count begins anew. */
export function healthySeen(service: Service, deployment: Deployment): void {
  deployment.failedTasks = 0
  deployment.failuresInARow = 0
  deployment.notBefore = 0
  const current = currentServiceDeployment(service)
  if (current !== undefined && followed(current) === deployment) current.breaker.failureCount = 0
}

const followed = (one: ServiceDeployment): Deployment => one.rollback?.to ?? one.deployment

/** A task that never ran, or that its health checks stopped, counts; one that ran and ended is only waited for longer. */
export function countFailure(ecs: Ecs, service: Service, task: Task): void {
  const { deployment } = task
  if (deployment === undefined) return
  const { timing } = ecs.region.world
  deployment.failuresInARow += 1
  const wait = timing.backoff[Math.min(deployment.failuresInARow - 1, timing.backoff.length - 1)] ?? 0
  deployment.notBefore = ecs.now() + wait
  if (deployment.failuresInARow === FEWEST_FAILURES) say(ecs, service, events.impaired(service.name))
  const ranAndEnded = task.startedAt !== undefined && task.stopCode === 'EssentialContainerExited'
  if (ranAndEnded || deployment.rolloutState !== 'IN_PROGRESS') return
  deployment.failedTasks += 1
  deployment.updatedAt = ecs.now()
  const current = currentServiceDeployment(service)
  if (current === undefined || followed(current) !== deployment) return
  current.breaker.failureCount = deployment.failedTasks
  current.updatedAt = ecs.now()
  if (current.breaker.status === 'DISABLED' || deployment.failedTasks < current.breaker.threshold) return
  if (current.rollback !== undefined) {
    rollbackFailed(ecs, service, current)
    return
  }
  current.breaker.status = 'TRIGGERED'
  fail(ecs, service, current, 'breaker')
}

/** The breaker or an alarm has spoken. */
export function fail(ecs: Ecs, service: Service, one: ServiceDeployment, by: 'breaker' | 'alarm'): void {
  const { deployment, configuration } = one
  const why = by === 'breaker' ? 'tasks failed to start.' : 'alarm detected.'
  const back = by === 'breaker' ? configuration.deploymentCircuitBreaker?.rollback : configuration.alarms?.rollback
  const said = by === 'breaker' ? 'the circuit breaker threshold was exceeded.' : 'an alarm was detected.'
  deployment.rolloutState = 'FAILED'
  deployment.rolloutStateReason = by === 'breaker' ? `ECS deployment circuit breaker: ${why}` : `ECS deployment alarm: ${why}`
  deployment.updatedAt = ecs.now()
  say(ecs, service, events.failed(service.name, deployment.id, why))
  if (back === true && rollBack(ecs, service, one, `Service deployment rolled back because ${said}`, by)) return
  end(ecs, one, 'STOPPED', `Service deployment stopped because ${said}`)
  look(ecs, service)
}

/** Begins the way back to what was completed before. False where there is nothing. */
export function rollBack(
  ecs: Ecs,
  service: Service,
  one: ServiceDeployment,
  reason: string,
  by: 'breaker' | 'alarm' | 'user' | 'hook',
): boolean {
  const earlier = service.serviceDeployments.filter(other => other !== one).flatMap(other => [followed(other), ...other.sources])
  const to = [...one.sources, ...earlier.toReversed()].find(other => other.everCompleted)
  if (to === undefined) return false
  const now = ecs.now()
  one.status = 'ROLLBACK_IN_PROGRESS'
  one.statusReason = reason
  one.rollback = { reason, startedAt: now, to }
  one.updatedAt = now
  one.hooks = one.hooks.filter(hook => hook.status !== 'AWAITING_ACTION')
  const failed = one.deployment
  Object.assign(failed, { status: 'ACTIVE', rolloutState: 'FAILED', desired: 0, updatedAt: now })
  if (by === 'user') failed.rolloutStateReason = `ECS deployment ${failed.id} stopped.`
  const prefix = {
    breaker: 'ECS deployment circuit breaker',
    alarm: 'ECS deployment alarm',
    user: 'ECS deployment',
    hook: 'ECS deployment',
  }[by]
  Object.assign(to, {
    status: 'PRIMARY',
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `${prefix}: rolling back to deploymentId ${to.id}.`,
    failedTasks: 0,
    failuresInARow: 0,
    notBefore: 0,
    updatedAt: now,
  })
  service.deployments = [to, ...service.deployments.filter(other => other !== to)]
  for (const other of service.deployments.slice(1)) other.status = 'ACTIVE'
  const { arn: _, createdAt: __, ...fields } = to.revision
  service.fields = fields
  say(ecs, service, events.rollingBack(service.name, to.id))
  look(ecs, service)
  return true
}

function rollbackFailed(ecs: Ecs, service: Service, one: ServiceDeployment): void {
  const { to } = one.rollback ?? { to: one.deployment }
  Object.assign(to, {
    rolloutState: 'FAILED',
    rolloutStateReason: 'ECS deployment circuit breaker: tasks failed to start.',
    updatedAt: ecs.now(),
  })
  say(ecs, service, events.failed(service.name, to.id, 'tasks failed to start.'))
  end(ecs, one, 'ROLLBACK_FAILED', one.statusReason)
}

/** The primary deployment has all it should have, and nothing of the others runs any more. */
export function concluded(ecs: Ecs, service: Service, primary: Deployment): void {
  const current = currentServiceDeployment(service)
  if (current !== undefined && !bakes(ecs, service, current)) return
  primary.rolloutState = 'COMPLETED'
  primary.rolloutStateReason = `ECS deployment ${primary.id} completed.`
  primary.updatedAt = ecs.now()
  primary.everCompleted = true
  say(ecs, service, events.completed(service.name, primary.id))
  say(ecs, service, events.steady(service.name))
  service.steady = true
  if (current !== undefined)
    end(ecs, current, current.rollback === undefined ? 'SUCCESSFUL' : 'ROLLBACK_SUCCESSFUL', current.statusReason)
}

const bakingSince = new WeakMap<ServiceDeployment, number>()

/** With alarms a rolling deployment is watched for its bake time before it is called complete. */
function bakes(ecs: Ecs, service: Service, one: ServiceDeployment): boolean {
  const minutes = one.configuration.bakeTimeInMinutes ?? 0
  if (one.rollback !== undefined || one.alarms.status !== 'MONITORING' || minutes === 0) return true
  const since = bakingSince.get(one) ?? ecs.now()
  bakingSince.set(one, since)
  const left = since + minutes * 60 - ecs.now()
  if (left > 0) look(ecs, service, left)
  return left <= 0
}

export function end(ecs: Ecs, one: ServiceDeployment, status: ServiceDeploymentStatus, reason: string | undefined): void {
  const now = ecs.now()
  one.status = status
  if (reason !== undefined) one.statusReason = reason
  one.updatedAt = now
  one.finishedAt = now
  if (status === 'STOPPED') one.stoppedAt = now
  if (one.breaker.status === 'MONITORING') one.breaker.status = 'MONITORING_COMPLETE'
  if (one.alarms.status === 'MONITORING') one.alarms.status = 'MONITORING_COMPLETE'
  // What waits for nobody any more.
  one.hooks = one.hooks.filter(hook => hook.status !== 'AWAITING_ACTION')
}
