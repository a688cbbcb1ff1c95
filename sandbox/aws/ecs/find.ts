// Clusters, services, task definitions and tasks by what callers name them, with the API's refusals where there are none.
import { AwsError } from '../protocol/errors.ts'
import type { Cluster, Ecs, Service, Task, TaskDefinition } from './state.ts'

const lastPart = (text: string): string => text.split('/').at(-1) ?? text

/** @throws AwsError ClusterNotFoundException */
export function clusterOf(ecs: Ecs, named: string | undefined): Cluster {
  const cluster = ecs.clusters.get(lastPart(named ?? 'default'))
  if (cluster === undefined || cluster.status === 'INACTIVE') throw new AwsError('ClusterNotFoundException', 'Cluster not found.')
  return cluster
}

/** INACTIVE ones as well: they can be described for a while. */
export function findService(ecs: Ecs, cluster: Cluster, named: string): Service | undefined {
  const all = ecs.services.filter(one => one.cluster === cluster && (one.arn === named || one.name === lastPart(named)))
  return all.find(one => one.status !== 'INACTIVE') ?? all.at(-1)
}

/** @throws AwsError where there is none, or none any more */
export function serviceOf(ecs: Ecs, cluster: Cluster, named: string): Service {
  const service = findService(ecs, cluster, named)
  if (service === undefined) throw new AwsError('ServiceNotFoundException', 'Service not found.')
  if (service.status !== 'ACTIVE') throw new AwsError('ServiceNotActiveException', 'Service was not ACTIVE.')
  return service
}

/** By ARN, family:revision, or family, which is its newest active revision. @throws AwsError ClientException */
export function taskDefinitionOf(ecs: Ecs, named: string): TaskDefinition {
  const [family = '', revision] = lastPart(named).split(':')
  const all = ecs.families.get(family) ?? []
  const found =
    revision === undefined
      ? all.filter(one => one.status === 'ACTIVE').at(-1)
      : all.find(one => String(one.revision) === revision)
  if (found === undefined) throw new AwsError('ClientException', 'Unable to describe task definition.')
  return found
}

/** For what is to run: an INACTIVE one may not. @throws AwsError */
export function runnableTaskDefinition(ecs: Ecs, named: string): TaskDefinition {
  let found: TaskDefinition | undefined
  try {
    found = taskDefinitionOf(ecs, named)
  } catch {}
  if (found === undefined) throw new AwsError('ClientException', 'TaskDefinition not found.')
  if (found.status !== 'ACTIVE') throw new AwsError('ClientException', 'TaskDefinition is inactive')
  return found
}

export const findTask = (ecs: Ecs, cluster: Cluster, named: string): Task | undefined =>
  [...ecs.tasks.values()].find(task => task.cluster === cluster && task.id === lastPart(named))

/** A page of `all`, the token being where the next begins. @throws AwsError for a token that is none */
export function page<T>(
  all: readonly T[],
  token: string | undefined,
  most: number,
): { items: T[]; nextToken: string | undefined } {
  const at = Buffer.from(token ?? '', 'base64url').toString()
  if (token !== undefined && !/^\d+$/.test(at)) throw new AwsError('InvalidParameterException', 'Invalid token')
  const from = Number(at)
  const next = from + most < all.length ? Buffer.from(String(from + most)).toString('base64url') : undefined
  return { items: all.slice(from, from + most), nextToken: next }
}
