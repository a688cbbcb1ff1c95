// Services and revisions as they are now, and one sentence for whatever is not there.
import type { Service, Tag, TaskDefinition } from '@aws-sdk/client-ecs'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import { withTaskSets } from './code-deploy.ts'
import { type Definition, registrable } from './task-definition.ts'

/** A registered revision. */
export interface Revision {
  readonly arn: string
  /** `web:7` */
  readonly name: string
  readonly definition: Definition
  readonly tags: readonly Tag[]
  readonly active: boolean
}

/** All services with their tags, in the order of `names`. @throws ExpectedFailure NotFound that names every one that is not there */
export async function readServices(api: AwsApi, cluster: string, names: readonly string[]): Promise<readonly Service[]> {
  let found: readonly Service[]
  try {
    const answer = await api.call('ecs', 'DescribeServices', { cluster, services: [...names], include: ['TAGS'] })
    found = answer.services ?? []
  } catch (error) {
    if (error instanceof AwsFailure && error.code === 'ClusterNotFoundException') throw await noCluster(api, cluster)
    throw error
  }
  const missing = names.filter(name => !found.some(({ serviceName, status }) => serviceName === name && status !== 'INACTIVE'))
  if (missing.length > 0) throw await noService(api, cluster, missing, found)
  return names.flatMap(name => found.find(({ serviceName }) => serviceName === name) ?? []).map(withTaskSets)
}

async function noCluster(api: AwsApi, cluster: string): Promise<ExpectedFailure> {
  const names = await listed(async () => (await api.call('ecs', 'ListClusters', {})).clusterArns)
  const near = closest(cluster, names)
  return new ExpectedFailure(
    'NotFound',
    `There is no cluster ${cluster} in ${api.region}${near === undefined ? '' : `; did you mean ${near}?`} Look at cluster and aws-region. Nothing was changed.`.replace(
      /([^?;]) Look/,
      '$1. Look',
    ),
  )
}

async function noService(
  api: AwsApi,
  cluster: string,
  missing: readonly string[],
  found: readonly Service[],
): Promise<ExpectedFailure> {
  const deleted = missing.filter(name => found.some(({ serviceName }) => serviceName === name))
  const names = await listed(async () => (await api.call('ecs', 'ListServices', { cluster, maxResults: 100 })).serviceArns)
  const hints = missing.map(name => {
    if (deleted.includes(name)) return `Service ${name} of cluster ${cluster} is INACTIVE: it was deleted`
    const near = closest(name, names)
    return `There is no service ${name} in cluster ${cluster} of ${api.region}${near === undefined ? '' : `, did you mean ${near}?`}`
  })
  return new ExpectedFailure('NotFound', `${hints.map(hint => hint.replace(/([^?])$/, '$1.')).join(' ')} Nothing was changed.`)
}

/** Names for a hint: one that may not be had is none. */
async function listed(list: () => Promise<readonly string[] | undefined>): Promise<readonly string[]> {
  try {
    return ((await list()) ?? []).map(arn => arn.slice(arn.lastIndexOf('/') + 1))
  } catch {
    return []
  }
}

/** A revision by family, family:revision or ARN. @throws ExpectedFailure NotFound */
export async function readRevision(api: AwsApi, wanted: string): Promise<Revision> {
  try {
    const { taskDefinition, tags = [] } = await api.call('ecs', 'DescribeTaskDefinition', {
      taskDefinition: wanted,
      include: ['TAGS'],
    })
    return revisionOfAnswer(taskDefinition ?? {}, tags)
  } catch (error) {
    if (!(error instanceof AwsFailure) || !/^(ClientException|InvalidParameterException)$/.test(error.code)) throw error
    const what = /:\d+$/.test(wanted) ? `task definition ${wanted}` : `task definition of the family ${wanted}`
    throw new ExpectedFailure('NotFound', `There is no ${what} in ${api.region}. Nothing was changed.`, { cause: error })
  }
}

export function revisionOfAnswer(answer: TaskDefinition, tags: readonly Tag[]): Revision {
  return {
    arn: answer.taskDefinitionArn ?? '',
    name: `${answer.family ?? ''}:${answer.revision ?? 0}`,
    definition: registrable(answer),
    tags,
    active: answer.status !== 'INACTIVE' && answer.status !== 'DELETE_IN_PROGRESS',
  }
}
