// What CodeDeploy keeps in one region: applications, deployment groups of ECS services, deployments.
import type { TaskSet } from '../ecs/state.ts'
import type { CapacityProviderStrategyItem } from '../ecs/types.ts'
import { AwsError } from '../protocol/errors.ts'
import type { Region } from '../world.ts'

export interface Application {
  readonly id: string
  readonly name: string
  readonly createdAt: number
  readonly computePlatform: string
}

/** As CreateDeploymentGroup took it. */
export interface GroupFields {
  readonly applicationName: string
  readonly deploymentGroupName: string
  readonly deploymentConfigName?: string
  readonly serviceRoleArn?: string
  readonly ecsServices?: readonly { serviceName?: string; clusterName?: string }[]
  readonly loadBalancerInfo?: {
    readonly targetGroupPairInfoList?: readonly {
      readonly targetGroups?: readonly { name?: string }[]
      readonly prodTrafficRoute?: { readonly listenerArns?: readonly string[] }
      readonly testTrafficRoute?: { readonly listenerArns?: readonly string[] }
    }[]
  }
  readonly blueGreenDeploymentConfiguration?: {
    readonly terminateBlueInstancesOnDeploymentSuccess?: {
      readonly action?: string
      readonly terminationWaitTimeInMinutes?: number
    }
    readonly deploymentReadyOption?: { readonly actionOnTimeout?: string; readonly waitTimeInMinutes?: number }
  }
  readonly autoRollbackConfiguration?: { readonly enabled?: boolean; readonly events?: readonly string[] }
  readonly alarmConfiguration?: { readonly enabled?: boolean; readonly alarms?: readonly { name?: string }[] }
  readonly [field: string]: unknown
}

export interface Group {
  readonly id: string
  fields: GroupFields
}

export interface LifecycleEvent {
  readonly name: string
  status: 'Pending' | 'InProgress' | 'Succeeded' | 'Failed' | 'Skipped'
  startedAt?: number
  endedAt?: number
  executionId?: string
  message?: string
}

export interface AppSpec {
  readonly taskDefinition: string
  readonly containerName: string
  readonly containerPort: number
  readonly platformVersion: string | undefined
  readonly capacityProviderStrategy: readonly CapacityProviderStrategyItem[]
  /** Function by lifecycle event. */
  readonly hooks: Readonly<Record<string, string>>
}

export type Status = 'Created' | 'Queued' | 'InProgress' | 'Baking' | 'Succeeded' | 'Failed' | 'Stopped' | 'Ready'

export interface CodeDeployment {
  readonly id: string
  readonly group: Group
  readonly configName: string
  readonly revision: object
  readonly spec: AppSpec
  readonly description: string | undefined
  readonly creator: 'user' | 'codeDeployRollback'
  readonly autoRollback: GroupFields['autoRollbackConfiguration']
  readonly alarms: GroupFields['alarmConfiguration']
  status: Status
  error?: { code: string; message: string }
  readonly createdAt: number
  startedAt?: number
  completedAt?: number
  rollback?: { rollbackDeploymentId?: string; rollbackTriggeringDeploymentId?: string; rollbackMessage?: string }
  readonly events: LifecycleEvent[]
  blue?: TaskSet
  green?: TaskSet
  /** Percent of production traffic that green gets. */
  weight: number
  /** The original task set waits for its end. */
  terminationWait: boolean
  /** Steps on when somebody says so. */
  continueWith?: () => void
  /** Bumped when it ends: what was set to happen later does not. */
  turn: number
}

export class CodeDeploy {
  readonly region: Region
  readonly applications = new Map<string, Application>()
  readonly groups = new Map<string, Group>()
  readonly deployments = new Map<string, CodeDeployment>()

  constructor(region: Region) {
    this.region = region
  }

  /** @throws AwsError */
  application(name: string): Application {
    const found = this.applications.get(name)
    if (found === undefined) throw new AwsError('ApplicationDoesNotExistException', `No application found for name: ${name}`)
    return found
  }

  /** @throws AwsError */
  group(application: string, name: string): Group {
    this.application(application)
    const found = this.groups.get(`${application} ${name}`)
    if (found === undefined)
      throw new AwsError('DeploymentGroupDoesNotExistException', `No Deployment Group found for name: ${name}`)
    return found
  }

  /** @throws AwsError */
  deployment(id: string): CodeDeployment {
    const found = this.deployments.get(id)
    if (found === undefined) throw new AwsError('DeploymentDoesNotExistException', `The deployment ${id} could not be found`)
    return found
  }
}

export const hasEnded = ({ status }: CodeDeployment): boolean =>
  status === 'Succeeded' || status === 'Failed' || status === 'Stopped'
