// A usual system in one call: cluster, image repository, log group, load balancer, and a service that is steady. What it makes are API objects like any other.
import type { Aws } from './aws.ts'
import { Ecs } from './ecs/state.ts'
import type { ContainerDefinition, CreateServiceRequest } from './ecs/types.ts'

export interface Seed {
  readonly cluster?: string
  /** Also the name of the repository, the task definition's family and its container. */
  readonly service?: string
  readonly desiredCount?: number
  /** Tags in the repository; the first runs. */
  readonly tags?: readonly string[]
  /** With a load balancer: listener 80 for production, 8080 for tests, target groups `<service>-blue` and `<service>-green`. */
  readonly loadBalancer?: boolean
  /** Over what the container has. */
  readonly container?: Partial<ContainerDefinition>
  /** Over what the service has, such as `deploymentConfiguration`. */
  readonly with?: Partial<CreateServiceRequest>
  /** Seconds until connections to a target have ended. 5 unless given, for AWS's own 300 are long. */
  readonly deregistrationDelay?: number
}

export interface Seeded {
  readonly cluster: string
  readonly service: string
  readonly taskDefinition: string
  readonly logGroup: string
  /** The repository's address, without tag. */
  readonly repository: string
  readonly targetGroups: readonly string[]
  readonly productionListener: string
  readonly testListener: string
  /** The listeners' default rules. */
  readonly productionRule: string
  readonly testRule: string
}

/** Most seconds that it may take the service to be steady. */
const PATIENCE = 900

/** @throws Error where the service does not come to be steady: the scenario is in its way */
export async function seed(aws: Aws, plan: Seed = {}): Promise<Seeded> {
  const { cluster = 'app', service = 'web', desiredCount = 2, tags = ['1'], loadBalancer = false, deregistrationDelay = 5 } = plan
  const one = <T>(action: string, input: object, pick: string): T => aws.call(action, input)[pick] as T
  aws.call('ecs:CreateCluster', { clusterName: cluster })
  const { repositoryUri: repository } = one<{ repositoryUri: string }>(
    'ecr:CreateRepository',
    { repositoryName: service },
    'repository',
  )
  for (const tag of tags) pushImage(aws, service, tag)
  const logGroup = `/ecs/${service}`
  aws.call('logs:CreateLogGroup', { logGroupName: logGroup })
  const role = one<{ Arn: string }>(
    'iam:CreateRole',
    { RoleName: `${service}-execution`, AssumeRolePolicyDocument: '{}' },
    'Role',
  ).Arn
  const balanced = loadBalancer ? balance(aws, service, deregistrationDelay) : undefined
  const container = {
    name: service,
    image: `${repository}:${tags[0]}`,
    portMappings: [{ containerPort: 8080 }],
    logConfiguration: {
      logDriver: 'awslogs',
      options: { 'awslogs-group': logGroup, 'awslogs-region': aws.client.region, 'awslogs-stream-prefix': 'ecs' },
    },
    ...plan.container,
  }
  const { taskDefinitionArn: taskDefinition } = one<{ taskDefinitionArn: string }>(
    'ecs:RegisterTaskDefinition',
    {
      ...{
        family: service,
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '256',
        memory: '512',
        executionRoleArn: role,
      },
      containerDefinitions: [container],
    },
    'taskDefinition',
  )
  aws.call('ecs:CreateService', {
    ...{ cluster, serviceName: service, taskDefinition, desiredCount, launchType: 'FARGATE' },
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-0a', 'subnet-0b'], securityGroups: ['sg-0sandbox'] } },
    ...(balanced !== undefined && {
      loadBalancers: [{ targetGroupArn: balanced.targetGroups[0], containerName: service, containerPort: 8080 }],
    }),
    ...plan.with,
  })
  await steady(aws, service)
  const none = { targetGroups: [], productionListener: '', testListener: '', productionRule: '', testRule: '' }
  return { ...{ cluster, service, taskDefinition, logGroup, repository }, ...(balanced ?? none) }
}

/** Pushes an image of its own, whose digest is that of its name and tag. */
export function pushImage(aws: Aws, repositoryName: string, imageTag: string): string {
  const manifest = JSON.stringify({ schemaVersion: 2, config: { repository: repositoryName, tag: imageTag } })
  const { image } = aws.call('ecr:PutImage', { repositoryName, imageTag, imageManifest: manifest })
  return (image as { imageId: { imageDigest: string } }).imageId.imageDigest
}

/** Pushes an image of two platforms and an attestation. */
export function pushIndex(aws: Aws, repositoryName: string, imageTag: string): { digest: string; platforms: string[] } {
  const put = (imageManifest: string, more: object = {}): string => {
    const { image } = aws.call('ecr:PutImage', { repositoryName, imageManifest, ...more })
    return (image as { imageId: { imageDigest: string } }).imageId.imageDigest
  }
  const manifests = [
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm64' },
    { os: 'unknown', architecture: 'unknown' },
  ].map(platform => {
    const manifest = JSON.stringify({ schemaVersion: 2, config: { repository: repositoryName, tag: imageTag, platform } })
    return { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: put(manifest), size: manifest.length, platform }
  })
  const imageManifestMediaType = 'application/vnd.oci.image.index.v1+json'
  const index = JSON.stringify({ schemaVersion: 2, mediaType: imageManifestMediaType, manifests })
  const digest = put(index, { imageTag, imageManifestMediaType })
  return { digest, platforms: manifests.slice(0, 2).map(({ digest }) => digest) }
}

function balance(
  aws: Aws,
  service: string,
  delay: number,
): Pick<Seeded, 'targetGroups' | 'productionListener' | 'testListener' | 'productionRule' | 'testRule'> {
  const one = <T>(action: string, input: object, pick: string): T => (aws.call(action, input)[pick] as T[])[0] as T
  const targetGroups = ['blue', 'green'].map(colour => {
    const check = {
      HealthCheckIntervalSeconds: 5,
      HealthCheckTimeoutSeconds: 2,
      HealthyThresholdCount: 2,
      UnhealthyThresholdCount: 2,
    }
    const input = {
      Name: `${service}-${colour}`,
      Protocol: 'HTTP',
      Port: 8080,
      VpcId: 'vpc-0sandbox',
      TargetType: 'ip',
      ...check,
    }
    const { TargetGroupArn } = one<{ TargetGroupArn: string }>('elasticloadbalancing:CreateTargetGroup', input, 'TargetGroups')
    const Attributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: String(delay) }]
    aws.call('elasticloadbalancing:ModifyTargetGroupAttributes', { TargetGroupArn, Attributes })
    return TargetGroupArn
  })
  const balancer = one<{ LoadBalancerArn: string }>(
    'elasticloadbalancing:CreateLoadBalancer',
    { Name: service, Subnets: ['subnet-0a', 'subnet-0b'] },
    'LoadBalancers',
  )
  const listen = (Port: number): { listener: string; rule: string } => {
    const TargetGroups = targetGroups.map((TargetGroupArn, index) => ({ TargetGroupArn, Weight: index === 0 ? 100 : 0 }))
    const { ListenerArn } = one<{ ListenerArn: string }>(
      'elasticloadbalancing:CreateListener',
      {
        LoadBalancerArn: balancer.LoadBalancerArn,
        Protocol: 'HTTP',
        Port,
        DefaultActions: [{ Type: 'forward', ForwardConfig: { TargetGroups } }],
      },
      'Listeners',
    )
    return {
      listener: ListenerArn,
      rule: one<{ RuleArn: string }>('elasticloadbalancing:DescribeRules', { ListenerArn }, 'Rules').RuleArn,
    }
  }
  const [production, test] = [listen(80), listen(8080)]
  return {
    targetGroups,
    ...{
      productionListener: production.listener,
      testListener: test.listener,
      productionRule: production.rule,
      testRule: test.rule,
    },
  }
}

/** Waits until the service has all it wants and no deployment is under way. */
export async function steady(aws: Aws, service: string): Promise<void> {
  const found = aws.world
    .region(aws.client.region)
    .part(Ecs)
    .services.find(one => one.name === service)
  const done = (): boolean =>
    found === undefined ||
    (found.controller === 'ECS'
      ? found.deployments.length === 1 && found.deployments[0]?.rolloutState === 'COMPLETED'
      : found.taskSets.every(set => set.stableSince !== undefined))
  for (let waited = 0; !done(); waited += 5) {
    if (waited > PATIENCE)
      throw new Error(`the service ${service} is not steady after ${PATIENCE} s: ${found?.events[0]?.message}`)
    await aws.advance(5)
  }
}
