// What ECS itself says of the deployment: its status, the breaker's count, alarms; and whether another one has taken its place.
import type { Deployment, ServiceDeployment } from '@aws-sdk/client-ecs'
import type { Pause } from '../../deploy/verdict.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { wordOfCodeDeploy } from './code-deploy.ts'
import { revisionOf, type ServiceSnapshot } from './snapshot.ts'

/** ECS's own word on a deployment. */
export type Word =
  | { readonly phase: 'progressing'; readonly message: string }
  | { readonly phase: 'complete' }
  | { readonly phase: 'failed'; readonly reason: string; readonly message: string; readonly final: boolean }

/** True when nothing more comes of it by itself. */
export function isOver(status: string | undefined): boolean {
  return status !== undefined && /^(SUCCESSFUL|STOPPED|ROLLBACK_SUCCESSFUL|ROLLBACK_FAILED)$/.test(status)
}

/** True while ECS puts the old revision back. */
export function isRollingBack(status: string | undefined): boolean {
  return status === 'ROLLBACK_REQUESTED' || status === 'ROLLBACK_IN_PROGRESS'
}

export function primaryOf({ service }: Pick<ServiceSnapshot, 'service'>): Deployment | undefined {
  return (service?.deployments ?? []).find(({ status }) => status === 'PRIMARY')
}

/** What ECS says of our own deployment, going forward. */
export function wordOnDeployment(snapshot: ServiceSnapshot): Word {
  const { serviceDeployment, codeDeployment, expected } = snapshot
  if (codeDeployment !== undefined) return wordOfCodeDeploy(codeDeployment)
  if (expected.codeDeployment !== undefined)
    return { phase: 'progressing', message: `CodeDeploy's deployment ${expected.codeDeployment} was created` }
  if (expected.deployment === '') return wordWithoutDeployment(snapshot)
  if (serviceDeployment?.status !== undefined) return wordOf(serviceDeployment, snapshot)
  return wordOfRollout(snapshot)
}

/**
 * We began none: how the last one ended, be it in a rollback, is history for as long as the revision is what runs, and the service itself tells how that is.
 * Where another revision has taken its place, it is told what brought that.
 */
function wordWithoutDeployment(snapshot: ServiceSnapshot): Word {
  const { serviceDeployment, service, expected, seen } = snapshot
  const primary = primaryOf(snapshot)
  const { status, serviceDeploymentArn: arn } = serviceDeployment ?? {}
  const isCurrent = status !== undefined && (service?.currentServiceDeployment ?? arn) === arn
  const word = isCurrent && serviceDeployment !== undefined ? wordOf(serviceDeployment, snapshot) : wordOfRollout(snapshot)
  if (primary?.taskDefinition !== expected.taskDefinition) {
    const shown = `${revisionOf(primary?.taskDefinition)} is still shown, ${revisionOf(expected.taskDefinition)} is to run`
    if (!seen) return { phase: 'progressing', message: shown }
    if (isCurrent) return word
    return isRollback(primary) ? { phase: 'failed', final: true, ...rolloutFailure(primary) } : superseded(snapshot)
  }
  if (word.phase !== 'failed') return word
  const rollout = wordOfRollout(snapshot)
  if (isRollingBack(status) || status === 'ROLLBACK_SUCCESSFUL') return rollout
  return rollout.phase === 'complete' ? rollout : word
}

function wordOf(deployment: ServiceDeployment, snapshot: ServiceSnapshot): Word {
  const why = foreignLine(deployment.statusReason ?? '', 300).replace(/\.$/, '')
  switch (deployment.status) {
    case 'SUCCESSFUL':
      return { phase: 'complete' }
    case 'ROLLBACK_REQUESTED':
    case 'ROLLBACK_IN_PROGRESS':
    case 'ROLLBACK_SUCCESSFUL':
    case 'ROLLBACK_FAILED':
      return { phase: 'failed', final: isOver(deployment.status), ...causeOf(deployment, why) }
    case 'STOP_REQUESTED':
    case 'STOPPED':
      if (/replaced by|superseded|new service deployment/i.test(why)) return superseded(snapshot)
      if (deployment.deploymentCircuitBreaker?.status === 'TRIGGERED' || deployment.alarms?.status === 'TRIGGERED')
        return { phase: 'failed', final: true, ...causeOf(deployment, why) }
      return {
        phase: 'failed',
        final: true,
        reason: 'Stopped',
        message: `the deployment was stopped${why === '' ? ' by somebody' : `: ${why}`}`,
      }
    default:
      // Of a rolling deployment the rollout says the same, and may say it first.
      return rolloutIsComplete(snapshot) ? { phase: 'complete' } : { phase: 'progressing', message: progressOf(deployment) }
  }
}

function rolloutIsComplete({ service, expected }: ServiceSnapshot): boolean {
  const primary = primaryOf({ service })
  const rolling = (service?.deploymentConfiguration?.strategy ?? 'ROLLING') === 'ROLLING'
  const alone = (service?.deployments ?? []).length === 1
  return (
    rolling && alone && expected.deployment !== '' && primary?.id === expected.deployment && primary.rolloutState === 'COMPLETED'
  )
}

function causeOf(deployment: ServiceDeployment, why: string): { reason: string; message: string } {
  const says = why === '' ? '' : `: ${why}`
  const { deploymentCircuitBreaker: breaker, alarms } = deployment
  const reason = `${why} ${deployment.rollback?.reason ?? ''}`
  if (alarms?.status === 'TRIGGERED' || /alarm/i.test(reason)) {
    const names = (alarms?.triggeredAlarmNames ?? []).join(', ')
    return { reason: 'AlarmTriggered', message: `the alarm ${names === '' ? '' : `${foreignLine(names, 200)} `}went off${says}` }
  }
  if (breaker?.status === 'TRIGGERED' || /circuit breaker/i.test(reason)) {
    const count =
      breaker?.threshold === undefined ? '' : ` after ${breaker.failureCount ?? 0} failed tasks (threshold ${breaker.threshold})`
    return { reason: 'DeploymentCircuitBreaker', message: `ECS's circuit breaker ended the deployment${count}${says}` }
  }
  return { reason: 'RolledBack', message: `the deployment is rolled back by ECS${says}` }
}

/** Hooks of the kind PAUSE that hold our deployment. While ECS puts back, those of the way forward may still be shown, and must not be answered. */
export function pausesOf({ name, serviceDeployment }: Pick<ServiceSnapshot, 'name' | 'serviceDeployment'>): readonly Pause[] {
  if (serviceDeployment?.status !== 'IN_PROGRESS') return []
  const stage = foreignLine(serviceDeployment.lifecycleStage ?? 'its hook', 60)
  return waitingHooks(serviceDeployment).flatMap(({ hookId: id }) => (id === undefined ? [] : [{ id, workload: name, stage }]))
}

const waitingHooks = ({ lifecycleHookDetails = [] }: ServiceDeployment): NonNullable<ServiceDeployment['lifecycleHookDetails']> =>
  lifecycleHookDetails.filter(hook => hook.targetType === 'PAUSE' && hook.status === 'AWAITING_ACTION')

function progressOf(deployment: ServiceDeployment): string {
  const { status, lifecycleStage, deploymentCircuitBreaker: breaker, targetServiceRevision: target } = deployment
  const stage = lifecycleStage === undefined ? '' : ` (${lifecycleStage})`
  const weight = target?.requestedProductionTrafficWeight
  const traffic = weight === undefined ? '' : `, ${weight} % of the traffic`
  const failures = breaker?.failureCount ?? 0
  const [pause] = waitingHooks(deployment)
  if (pause !== undefined)
    return `the deployment is paused${stage}${traffic}: its hook ${pause.hookId} waits for ContinueServiceDeployment${pause.expiresAt === undefined ? '' : ` until ${pause.expiresAt.toISOString()}, then it goes to ${pause.timeoutAction ?? 'ROLLBACK'}`}`
  const count = failures === 0 ? '' : `, ${failures} of ${breaker?.threshold ?? '?'} failed tasks the breaker allows`
  return status === 'PENDING' ? 'the deployment waits for its turn' : `the deployment is in progress${stage}${traffic}${count}`
}

/** Where there is no service deployment: the rollout of the service's own `deployments`. */
function wordOfRollout(snapshot: ServiceSnapshot): Word {
  const { expected, service, seen } = snapshot
  const primary = primaryOf(snapshot)
  const own = expected.deployment === '' ? primary : service?.deployments?.find(({ id }) => id === expected.deployment)
  if (own?.rolloutState === 'FAILED') return { phase: 'failed', final: true, ...rolloutFailure(own) }
  if (own === undefined || own !== primary) {
    if (!seen && primary?.id === expected.deploymentBefore)
      return { phase: 'progressing', message: 'waiting for ECS to show the deployment' }
    const backAt = primary?.id === expected.deploymentBefore || isRollback(primary)
    if (backAt && primary !== undefined)
      return { phase: 'failed', final: primary.rolloutState === 'COMPLETED', ...rolloutFailure(primary) }
    return superseded(snapshot)
  }
  const others = (service?.deployments ?? []).length
  if (own.rolloutState === 'COMPLETED') return { phase: 'complete' }
  // The rollout state is only there where ECS controls the deployment and has a breaker to speak of.
  if (own.rolloutState === undefined && others === 1) return { phase: 'complete' }
  const failures = own.failedTasks ?? 0
  return { phase: 'progressing', message: `the deployment is in progress${failures === 0 ? '' : `, ${failures} failed tasks`}` }
}

function isRollback(deployment: Deployment | undefined): deployment is Deployment {
  return /rolling back/i.test(deployment?.rolloutStateReason ?? '')
}

function rolloutFailure({ rolloutStateReason = '' }: Deployment): { reason: string; message: string } {
  const why = foreignLine(rolloutStateReason, 300).replace(/\.$/, '')
  if (/alarm/i.test(why)) return { reason: 'AlarmTriggered', message: `an alarm ended the deployment: ${why}` }
  if (/circuit breaker/i.test(why))
    return { reason: 'DeploymentCircuitBreaker', message: `ECS's circuit breaker ended the deployment: ${why}` }
  return { reason: 'RolledBack', message: `the deployment is rolled back by ECS${why === '' ? '' : `: ${why}`}` }
}

function superseded(snapshot: ServiceSnapshot): Word {
  const primary = primaryOf(snapshot)
  const successor = snapshot.successor ?? (primary === undefined ? undefined : revisionOf(primary.taskDefinition))
  const by = successor === undefined || successor === '' ? '' : ` (${successor})`
  return { phase: 'failed', final: true, reason: 'Superseded', message: `another deployment${by} took the place of this one` }
}
