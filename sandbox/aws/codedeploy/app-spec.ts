// The AppSpec of a deployment to ECS, from its JSON or YAML.
import { parse } from 'yaml'
import { isRecord } from '../protocol/validate.ts'
import type { AppSpec } from './state.ts'

/** What is wrong with it, in a sentence, where it is none. */
export function readAppSpec(text: string): AppSpec | string {
  let value: unknown
  try {
    value = parse(text)
  } catch {
    return 'The AppSpec file cannot be parsed'
  }
  if (!isRecord(value)) return 'The AppSpec file is empty'
  const [resource] = Array.isArray(value['Resources']) ? value['Resources'] : []
  const service = isRecord(resource) ? Object.values(resource)[0] : undefined
  const properties = isRecord(service) ? service['Properties'] : undefined
  if (!isRecord(properties)) return 'The AppSpec file has no target service in Resources'
  const balancer = properties['LoadBalancerInfo']
  const { TaskDefinition, PlatformVersion, CapacityProviderStrategy } = properties
  if (typeof TaskDefinition !== 'string') return 'The AppSpec file has no TaskDefinition'
  if (!isRecord(balancer) || typeof balancer['ContainerName'] !== 'string')
    return 'The AppSpec file has no LoadBalancerInfo with a ContainerName'
  const hooks = (Array.isArray(value['Hooks']) ? value['Hooks'] : []).filter(isRecord)
  return {
    taskDefinition: TaskDefinition,
    containerName: balancer['ContainerName'],
    containerPort: Number(balancer['ContainerPort']),
    platformVersion: typeof PlatformVersion === 'string' ? PlatformVersion : undefined,
    capacityProviderStrategy: (Array.isArray(CapacityProviderStrategy) ? CapacityProviderStrategy : [])
      .filter(isRecord)
      .map(({ CapacityProvider, Base, Weight }) => ({
        capacityProvider: String(CapacityProvider),
        base: Number(Base ?? 0),
        weight: Number(Weight ?? 0),
      })),
    hooks: Object.fromEntries(hooks.flatMap(hook => Object.entries(hook)).map(([event, name]) => [event, String(name)])),
  }
}

/** Percent of the traffic after each shift, and the minutes between two, by the name of a deployment configuration. */
export function shiftsOf(configName: string): { percents: number[]; minutes: number } {
  const canary = /Canary(\d+)Percent(\d+)Minutes$/.exec(configName)
  if (canary !== null) return { percents: [Number(canary[1]), 100], minutes: Number(canary[2]) }
  const linear = /Linear(\d+)PercentEvery(\d+)Minutes?$/.exec(configName)
  if (linear === null) return { percents: [100], minutes: 0 }
  const step = Number(linear[1])
  const percents = Array.from({ length: Math.ceil(100 / step) }, (_, index) => Math.min(100, (index + 1) * step))
  return { percents, minutes: Number(linear[2]) }
}
