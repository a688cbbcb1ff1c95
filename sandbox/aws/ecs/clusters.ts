// Clusters, and capacity providers as far as a service names them.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { clusterOf, page } from './find.ts'
import { type Cluster, Ecs } from './state.ts'
import { putTags, tagsOf } from './tags.ts'
import type { Tag } from './types.ts'

const describe = (ecs: Ecs, cluster: Cluster, include: readonly string[] = []): object => {
  const tasks = [...ecs.tasks.values()].filter(task => task.cluster === cluster)
  return {
    clusterArn: cluster.arn,
    clusterName: cluster.name,
    status: cluster.status,
    registeredContainerInstancesCount: 0,
    runningTasksCount: tasks.filter(task => task.status === 'RUNNING').length,
    pendingTasksCount: tasks.filter(task => ['PROVISIONING', 'PENDING', 'ACTIVATING'].includes(task.status)).length,
    activeServicesCount: ecs.services.filter(service => service.cluster === cluster && service.status === 'ACTIVE').length,
    statistics: [],
    tags: include.includes('TAGS') ? tagsOf(ecs, cluster.arn) : [],
    settings: include.includes('SETTINGS') ? cluster.settings : [],
    capacityProviders: cluster.capacityProviders,
    defaultCapacityProviderStrategy: cluster.defaultStrategy,
  }
}

interface ClusterInput {
  readonly clusterName?: string
  readonly cluster?: string
  readonly tags?: Tag[]
  readonly settings?: object[]
  readonly capacityProviders?: string[]
  readonly defaultCapacityProviderStrategy?: Cluster['defaultStrategy']
}

const DEFAULT_SETTINGS = [{ name: 'containerInsights', value: 'disabled' }]

export const clusterHandlers: Record<string, Handler> = {
  CreateCluster: (input: ClusterInput, { region }) => {
    const ecs = region.part(Ecs)
    const name = input.clusterName ?? 'default'
    const known = ecs.clusters.get(name)
    const cluster: Cluster =
      known !== undefined && known.status === 'ACTIVE'
        ? known
        : {
            arn: region.arn('ecs', `cluster/${name}`),
            name,
            status: 'ACTIVE',
            capacityProviders: input.capacityProviders ?? [],
            defaultStrategy: input.defaultCapacityProviderStrategy ?? [],
            settings: input.settings ?? DEFAULT_SETTINGS,
          }
    ecs.clusters.set(name, cluster)
    putTags(ecs, cluster.arn, input.tags ?? [])
    return { cluster: describe(ecs, cluster, ['TAGS', 'SETTINGS']) }
  },
  UpdateCluster: (input: ClusterInput, { region }) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    if (input.settings !== undefined) cluster.settings = input.settings
    return { cluster: describe(ecs, cluster, ['SETTINGS']) }
  },
  PutClusterCapacityProviders: (input: ClusterInput, { region }) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    cluster.capacityProviders = input.capacityProviders ?? []
    cluster.defaultStrategy = input.defaultCapacityProviderStrategy ?? []
    return { cluster: describe(ecs, cluster) }
  },
  DeleteCluster: (input: ClusterInput, { region }) => {
    const ecs = region.part(Ecs)
    const cluster = clusterOf(ecs, input.cluster)
    if (ecs.services.some(service => service.cluster === cluster && service.status !== 'INACTIVE'))
      throw new AwsError('ClusterContainsServicesException', 'The Cluster cannot be deleted while Services are active.')
    cluster.status = 'INACTIVE'
    return { cluster: describe(ecs, cluster) }
  },
  DescribeClusters: (input: { clusters?: string[]; include?: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const asked = input.clusters ?? ['default']
    const found = asked.map(named => ({ named, cluster: ecs.clusters.get(named.split('/').at(-1) ?? '') }))
    return {
      clusters: found.flatMap(({ cluster }) => (cluster === undefined ? [] : [describe(ecs, cluster, input.include)])),
      failures: found.flatMap(({ named, cluster }) =>
        cluster === undefined
          ? [{ arn: named.startsWith('arn:') ? named : region.arn('ecs', `cluster/${named}`), reason: 'MISSING' }]
          : [],
      ),
    }
  },
  ListClusters: (input: { nextToken?: string; maxResults?: number }, { region }) => {
    const active = [...region.part(Ecs).clusters.values()].filter(cluster => cluster.status === 'ACTIVE')
    const { items, nextToken } = page(active, input.nextToken, input.maxResults ?? 100)
    return { clusterArns: items.map(cluster => cluster.arn), nextToken }
  },
  DescribeCapacityProviders: (input: { capacityProviders?: string[] }, { region }) => {
    const known = ['FARGATE', 'FARGATE_SPOT']
    const asked = (input.capacityProviders ?? known).map(name => name.split('/').at(-1) ?? name)
    const arn = (name: string): string => region.arn('ecs', `capacity-provider/${name}`)
    return {
      capacityProviders: asked
        .filter(name => known.includes(name))
        .map(name => ({ capacityProviderArn: arn(name), name, status: 'ACTIVE', tags: [] })),
      failures: asked.filter(name => !known.includes(name)).map(name => ({ arn: arn(name), reason: 'MISSING' })),
    }
  },
  ListContainerInstances: () => ({ containerInstanceArns: [] }),
  DescribeContainerInstances: (input: { containerInstances: string[] }) => ({
    containerInstances: [],
    failures: input.containerInstances.map(arn => ({ arn, reason: 'MISSING' })),
  }),
  ListAccountSettings: (_input: object, { caller }) => ({
    settings: ['serviceLongArnFormat', 'taskLongArnFormat', 'containerInstanceLongArnFormat'].map(name => ({
      name,
      value: 'enabled',
      principalArn: caller,
    })),
  }),
}
