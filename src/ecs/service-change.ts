// What a deployment changes of a service besides its revision: only what the inputs name, everything else stays as it is.
import type {
  CapacityProviderStrategyItem,
  DeploymentConfiguration,
  Service,
  UpdateServiceCommandInput,
} from '@aws-sdk/client-ecs'
import { ExpectedFailure } from '../runner/failure.ts'
import { CANARY_DEFAULT, LINEAR_DEFAULT } from './shift-waits.ts'
import type { Undo } from './tags.ts'

/** `codedeploy` is no strategy of ECS's own: such a service has CodeDeploy for its controller. */
export type Strategy = 'rolling' | 'blue-green' | 'linear' | 'canary' | 'codedeploy'

/** Undefined, or an empty list: as it is. */
export interface ServiceSettings {
  readonly desiredCount?: number
  readonly forceNewDeployment: boolean
  readonly circuitBreaker: 'keep' | 'on' | 'off'
  readonly alarms: readonly string[]
  readonly minimumHealthyPercent?: number
  readonly maximumPercent?: number
  readonly strategy?: Strategy
  /** Percents of the traffic: of `linear` the size of a step, of `canary` that of the first one. */
  readonly steps?: readonly number[]
  readonly bakeTimeMinutes?: number
  readonly capacityProviders?: readonly CapacityProviderStrategyItem[]
}

export interface ServiceChange {
  /** For UpdateService, without cluster, service and task definition. */
  readonly input: Pick<UpdateServiceCommandInput, 'desiredCount' | 'deploymentConfiguration' | 'capacityProviderStrategy'>
  /** For people. */
  readonly details: readonly string[]
  /** How it was, as far as it is changed. */
  readonly undo: Undo
}

/** UpdateService leaves as it is what it is not told: how to take away what was not there. */
const ABSENT: Partial<DeploymentConfiguration> = {
  alarms: { alarmNames: [], enable: false, rollback: false },
  deploymentCircuitBreaker: { enable: false, rollback: false },
  strategy: 'ROLLING',
  linearConfiguration: LINEAR_DEFAULT,
  canaryConfiguration: CANARY_DEFAULT,
}

/** Each is only valid with its own strategy: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html. */
function ofItsStrategy({
  linearConfiguration,
  canaryConfiguration,
  ...others
}: DeploymentConfiguration): DeploymentConfiguration {
  return {
    ...others,
    ...(others.strategy === 'LINEAR' && linearConfiguration !== undefined ? { linearConfiguration } : {}),
    ...(others.strategy === 'CANARY' && canaryConfiguration !== undefined ? { canaryConfiguration } : {}),
  }
}

const STRATEGIES = { rolling: 'ROLLING', 'blue-green': 'BLUE_GREEN', linear: 'LINEAR', canary: 'CANARY' } as const

export function changeOfService(service: Service, settings: ServiceSettings): ServiceChange {
  const before = service.deploymentConfiguration ?? {}
  const after = configurationOf(service, before, settings)
  const details: string[] = []
  const undo: { -readonly [K in keyof Undo]: Undo[K] } = {}
  const input: { -readonly [K in keyof ServiceChange['input']]: ServiceChange['input'][K] } = {}
  if (settings.desiredCount !== undefined && settings.desiredCount !== service.desiredCount) {
    input.desiredCount = settings.desiredCount
    undo.desiredCount = service.desiredCount
    details.push(`desired count: ${service.desiredCount ?? 0} -> ${settings.desiredCount}`)
  }
  const changed = (Object.keys(after) as (keyof DeploymentConfiguration)[]).filter(
    key => JSON.stringify(after[key]) !== JSON.stringify(before[key]),
  )
  if (changed.length > 0) {
    input.deploymentConfiguration = after
    const absent = Object.fromEntries(changed.flatMap(key => (before[key] === undefined ? [[key, ABSENT[key]]] : [])))
    undo.deploymentConfiguration = ofItsStrategy({ ...before, ...absent })
    details.push(...changed.map(key => `${key}: ${shown(before[key])} -> ${shown(after[key])}`))
  }
  const { capacityProviders = [] } = settings
  const providersBefore = service.capacityProviderStrategy ?? []
  if (capacityProviders.length > 0 && providersOf(capacityProviders) !== providersOf(providersBefore)) {
    input.capacityProviderStrategy = [...capacityProviders]
    // An empty list is the way back to the launch type.
    undo.capacityProviderStrategy = providersBefore
    const from = providersBefore.length > 0 ? providersOf(providersBefore) : `launch type ${service.launchType ?? 'EC2'}`
    details.push(`capacity providers: ${from} -> ${providersOf(capacityProviders)}`)
  }
  if (settings.forceNewDeployment) details.push('forced new deployment')
  return { input, details, undo }
}

/** For people, and the same for what means the same: their order does not matter. */
const providersOf = (providers: readonly CapacityProviderStrategyItem[]): string =>
  providers
    .map(
      ({ capacityProvider = '', weight = 0, base = 0 }) =>
        `${capacityProvider} weight ${weight}${base === 0 ? '' : ` base ${base}`}`,
    )
    .toSorted()
    .join(', ')

const shown = (value: unknown): string =>
  value === undefined ? 'none' : typeof value === 'object' ? JSON.stringify(value) : String(value)

function configurationOf(service: Service, before: DeploymentConfiguration, settings: ServiceSettings): DeploymentConfiguration {
  const { circuitBreaker, alarms, minimumHealthyPercent, maximumPercent } = settings
  const breaker = before.deploymentCircuitBreaker
  return ofItsStrategy({
    ...before,
    ...(circuitBreaker === 'keep' || (breaker?.enable ?? false) === (circuitBreaker === 'on')
      ? {}
      : { deploymentCircuitBreaker: { ...breaker, enable: circuitBreaker === 'on', rollback: circuitBreaker === 'on' } }),
    ...(alarms.length === 0 || sameAlarms(before, alarms)
      ? {}
      : { alarms: { alarmNames: [...alarms], enable: true, rollback: true } }),
    ...(minimumHealthyPercent === undefined ? {} : { minimumHealthyPercent }),
    ...(maximumPercent === undefined ? {} : { maximumPercent }),
    ...strategyOf(service, before, settings),
  })
}

function sameAlarms({ alarms }: DeploymentConfiguration, names: readonly string[]): boolean {
  return alarms?.enable === true && JSON.stringify([...(alarms.alarmNames ?? [])].sort()) === JSON.stringify([...names].sort())
}

function strategyOf(
  service: Service,
  before: DeploymentConfiguration,
  settings: ServiceSettings,
): Partial<DeploymentConfiguration> {
  const { strategy, steps = [], bakeTimeMinutes } = settings
  const bake = bakeTimeMinutes === undefined ? {} : { bakeTimeInMinutes: bakeTimeMinutes }
  if (strategy === undefined) return bake
  if (strategy === 'codedeploy' && service.deploymentController?.type === 'CODE_DEPLOY') return bake
  if (strategy === 'codedeploy')
    throw new ExpectedFailure(
      'InvalidInput',
      `strategy: service ${service.serviceName} is deployed by ECS itself (deployment controller ECS), not by CodeDeploy. Nothing was changed.`,
    )
  const wanted = STRATEGIES[strategy]
  const shifts = wanted !== 'ROLLING'
  if (
    shifts &&
    !(service.loadBalancers ?? []).some(({ advancedConfiguration }) => advancedConfiguration !== undefined) &&
    (service.loadBalancers ?? []).length > 0
  )
    throw new ExpectedFailure(
      'InvalidInput',
      `strategy: ${strategy} shifts traffic between two target groups, and service ${service.serviceName} has no advancedConfiguration (alternateTargetGroupArn, productionListenerRule, roleArn) on its load balancer. Nothing was changed.`,
    )
  const [step] = steps
  return {
    ...bake,
    ...(wanted === (before.strategy ?? 'ROLLING') ? {} : { strategy: wanted }),
    ...(wanted === 'LINEAR' && step !== undefined
      ? { linearConfiguration: { ...before.linearConfiguration, stepPercent: step } }
      : {}),
    ...(wanted === 'CANARY' && step !== undefined
      ? { canaryConfiguration: { ...before.canaryConfiguration, canaryPercent: step } }
      : {}),
  }
}
