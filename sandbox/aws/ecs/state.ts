// What ECS keeps in one region. The API's own objects are made from these by describe.ts.

import type { ContainerScript } from '../scenario.ts'
import type { Region } from '../world.ts'
import type {
  CapacityProviderStrategyItem,
  ContainerDefinition,
  DeploymentConfiguration,
  HookStatus,
  LaunchType,
  LoadBalancer,
  NetworkConfiguration,
  ServiceRegistry,
  Tag,
  TaskOverride,
} from './types.ts'

export interface Cluster {
  readonly arn: string
  readonly name: string
  status: 'ACTIVE' | 'INACTIVE'
  capacityProviders: readonly string[]
  defaultStrategy: readonly CapacityProviderStrategyItem[]
  settings: readonly object[]
}

/** A task definition as DescribeTaskDefinition answers it. */
export interface TaskDefinition {
  readonly taskDefinitionArn: string
  readonly family: string
  readonly revision: number
  status: 'ACTIVE' | 'INACTIVE' | 'DELETE_IN_PROGRESS'
  readonly containerDefinitions: readonly ContainerDefinition[]
  readonly networkMode?: string
  readonly cpu?: string
  readonly memory?: string
  readonly requiresCompatibilities?: readonly string[]
  readonly registeredAt: number
  readonly registeredBy: string
  deregisteredAt?: number
  deleteRequestedAt?: number
  readonly [field: string]: unknown
}

/** What of a service makes up a revision: a change of any starts a deployment. */
export interface RevisionFields {
  readonly taskDefinition: string
  readonly launchType: LaunchType | undefined
  readonly capacityProviderStrategy: readonly CapacityProviderStrategyItem[]
  readonly platformVersion: string | undefined
  readonly networkConfiguration: NetworkConfiguration | undefined
  readonly loadBalancers: readonly LoadBalancer[]
  readonly serviceRegistries: readonly ServiceRegistry[]
  readonly serviceConnectConfiguration: object | undefined
  readonly volumeConfigurations: readonly object[]
}

export interface Revision extends RevisionFields {
  readonly arn: string
  readonly createdAt: number
}

/** An entry of a service's `deployments`. */
export interface Deployment {
  readonly id: string
  status: 'PRIMARY' | 'ACTIVE' | 'INACTIVE'
  readonly revision: Revision
  desired: number
  failedTasks: number
  rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED'
  rolloutStateReason: string
  readonly createdAt: number
  updatedAt: number
  /** Failed tasks in a row, for the scheduler's back-off; a healthy task begins anew. */
  failuresInARow: number
  notBefore: number
  /** It completed at some time: what can be rolled back to. */
  everCompleted: boolean
  /** The target group that its tasks register with, by load balancer: blue and green take turns. */
  readonly targetGroups: readonly string[]
}

export type ServiceDeploymentStatus =
  | 'PENDING'
  | 'SUCCESSFUL'
  | 'STOPPED'
  | 'STOP_REQUESTED'
  | 'IN_PROGRESS'
  | 'ROLLBACK_REQUESTED'
  | 'ROLLBACK_IN_PROGRESS'
  | 'ROLLBACK_SUCCESSFUL'
  | 'ROLLBACK_FAILED'

export type MonitorStatus = 'TRIGGERED' | 'MONITORING' | 'MONITORING_COMPLETE' | 'DISABLED'

export interface Hook {
  readonly id: string
  readonly stage: string
  readonly targetType: 'AWS_LAMBDA' | 'PAUSE'
  readonly targetArn: string | undefined
  status: HookStatus
  readonly expiresAt: number
  readonly timeoutAction: 'CONTINUE' | 'ROLLBACK'
}

export interface ServiceDeployment {
  readonly arn: string
  status: ServiceDeploymentStatus
  statusReason?: string
  readonly createdAt: number
  startedAt?: number
  finishedAt?: number
  stoppedAt?: number
  updatedAt: number
  readonly deployment: Deployment
  /** What served before, newest first. */
  readonly sources: readonly Deployment[]
  readonly configuration: DeploymentConfiguration
  rollback?: { reason: string; startedAt: number; to: Deployment }
  breaker: { status: MonitorStatus; failureCount: number; threshold: number }
  alarms: { status: MonitorStatus; alarmNames: readonly string[]; triggered: readonly string[]; ignored: ReadonlySet<string> }
  stage?: string
  stageSince?: number
  /** Traffic shifts made, of those that the strategy has. */
  shifted?: number
  hooks: Hook[]
  /** Percent of traffic that the target revision gets, of blue-green and its kin. */
  weights?: { production: number; test: number }
}

export interface TaskSet {
  readonly id: string
  readonly arn: string
  status: 'PRIMARY' | 'ACTIVE' | 'DRAINING'
  readonly revision: Revision
  readonly externalId: string | undefined
  readonly startedBy: string
  scale: { value: number; unit: 'PERCENT' }
  readonly createdAt: number
  updatedAt: number
  stableSince: number | undefined
  tags: readonly Tag[]
  /** Its tasks are those of this deployment, which no `deployments` shows. */
  readonly deployment: Deployment
}

export interface Service {
  readonly arn: string
  readonly name: string
  readonly cluster: Cluster
  status: 'ACTIVE' | 'DRAINING' | 'INACTIVE'
  desired: number
  readonly createdAt: number
  readonly createdBy: string
  readonly controller: 'ECS' | 'CODE_DEPLOY' | 'EXTERNAL'
  readonly schedulingStrategy: 'REPLICA' | 'DAEMON'
  configuration: DeploymentConfiguration
  healthCheckGracePeriod: number
  fields: RevisionFields
  readonly extras: Record<string, unknown>
  /** Newest first; those that ended are gone. */
  deployments: Deployment[]
  /** All that ever were, oldest first. */
  readonly serviceDeployments: ServiceDeployment[]
  readonly revisions: Revision[]
  taskSets: TaskSet[]
  /** Newest first. */
  events: { id: string; createdAt: number; message: string }[]
  /** When the scheduler looks again, in seconds since 1970, and how to keep it from that. */
  next: { readonly at: number; readonly cancel: () => void } | undefined
  steady: boolean
  /** What describes still say, until then. */
  stale?: { until: number; view: object }
}

export type TaskStatus =
  | 'PROVISIONING'
  | 'PENDING'
  | 'ACTIVATING'
  | 'RUNNING'
  | 'DEACTIVATING'
  | 'STOPPING'
  | 'DEPROVISIONING'
  | 'STOPPED'
export type StopCode =
  | 'TaskFailedToStart'
  | 'EssentialContainerExited'
  | 'UserInitiated'
  | 'ServiceSchedulerInitiated'
  | 'SpotInterruption'
  | 'TerminationNotice'

export interface TaskContainer {
  readonly definition: ContainerDefinition
  readonly arn: string
  readonly script: ContainerScript
  status: 'PENDING' | 'RUNNING' | 'STOPPED'
  startedAt?: number
  exitCode?: number
  reason?: string
  imageDigest?: string
  runtimeId?: string
  health: 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN'
}

export interface Task {
  readonly arn: string
  readonly id: string
  readonly cluster: Cluster
  readonly definition: TaskDefinition
  readonly group: string
  readonly startedBy: string | undefined
  readonly service: Service | undefined
  readonly deployment: Deployment | undefined
  readonly launchType: LaunchType
  readonly capacityProvider: string | undefined
  readonly platformVersion: string | undefined
  readonly overrides: TaskOverride
  readonly containers: readonly TaskContainer[]
  readonly address: string
  readonly attachmentId: string
  readonly subnet: string | undefined
  status: TaskStatus
  desired: 'RUNNING' | 'STOPPED'
  readonly createdAt: number
  pullStartedAt?: number
  pullStoppedAt?: number
  startedAt?: number
  stoppingAt?: number
  executionStoppedAt?: number
  stoppedAt?: number
  stopCode?: StopCode
  stoppedReason?: string
  version: number
  tags: readonly Tag[]
  /** It was healthy at some time. */
  everHealthy: boolean
  /** Its failure has been counted. */
  counted: boolean
  readonly cancels: Set<() => void>
}

export class Ecs {
  readonly region: Region
  readonly clusters = new Map<string, Cluster>()
  /** By family, in order of revision. */
  readonly families = new Map<string, TaskDefinition[]>()
  readonly services: Service[] = []
  readonly tasks = new Map<string, Task>()
  /** By ARN. */
  readonly tags = new Map<string, Tag[]>()
  #hosts = 0

  constructor(region: Region) {
    this.region = region
  }

  now(): number {
    return this.region.world.now()
  }

  tasksOf(deployment: Deployment): Task[] {
    return [...this.tasks.values()].filter(task => task.deployment === deployment)
  }

  /** An address of the subnet that no other task has. */
  nextAddress(): string {
    this.#hosts += 1
    return `10.0.${Math.floor(this.#hosts / 250) % 250}.${(this.#hosts % 250) + 4}`
  }
}
