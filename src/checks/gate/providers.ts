// Loads the provider that a gate's queries need, and no other: each is a part of the bundle of its own.
import type { GateQuery } from './gate.ts'
import type { GatePlan } from './plan.ts'
import type { Provider } from './provider.ts'

/** Alarms are always CloudWatch's, whoever answers the queries. */
export async function loadProviders(
  { gate, settings }: GatePlan,
  env: NodeJS.ProcessEnv,
): Promise<(query: GateQuery) => Provider> {
  const nameOf = ({ question }: GateQuery): string => (question.kind === 'alarm' ? 'cloudwatch' : settings.provider)
  const providers = new Map<string, Provider>()
  for (const name of new Set(gate.queries.map(nameOf))) providers.set(name, await load(name))
  return query => providers.get(nameOf(query)) as Provider

  async function load(name: string): Promise<Provider> {
    if (name === 'cloudwatch') return (await import('./providers/cloudwatch.ts')).cloudwatch(settings.cloudwatch, env)
    if (name === 'datadog' && settings.datadog !== undefined)
      return (await import('./providers/datadog.ts')).datadog(settings.datadog, env)
    if (name === 'prometheus' && settings.prometheus !== undefined)
      return (await import('./providers/prometheus.ts')).prometheus(settings.prometheus, env)
    throw new Error(`no settings for ${name}`)
  }
}
