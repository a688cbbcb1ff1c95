// What the judge is shown of one service at one instant: the API's own objects, and what the deployment expects of them.
import type { Service, ServiceDeployment, Task } from '@aws-sdk/client-ecs'
import type { CodeDeployment } from './code-deploy.ts'
import type { ImageParts } from './digests.ts'

/** One target of the service's target groups, as DescribeTargetHealth has it. */
export interface TargetState {
  readonly targetGroup: string
  /** An IP address, or an instance. */
  readonly id: string
  /** `healthy`, `unhealthy`, `initial`, `draining`, `unused`, `unavailable`. */
  readonly state: string
  /** `Target.ResponseCodeMismatch` and the like. */
  readonly reason: string
  readonly description: string
}

/** What the deployment wants to see. */
export interface Expectation {
  /** The ARN of the revision that is to run. */
  readonly taskDefinition: string
  /** `ecs-svc/…` of the deployment that our change began; empty where it began none, or where ECS itself puts back. */
  readonly deployment: string
  /** The id of the deployment that was primary before. */
  readonly deploymentBefore: string
  /** When it began, in ms. */
  readonly since: number
  /** The digests that must run, by container, as far as they are known. */
  readonly digests: Readonly<Record<string, string>>
  /** The images that are to run, by container, as the revision names them. */
  readonly images?: ReadonlyMap<string, string>
  /** Containers whose end ends the task. */
  readonly essential: ReadonlySet<string>
  /** CodeDeploy's name of the deployment, where it makes it. */
  readonly codeDeployment?: string
  /** True while ECS itself puts the old revision back, by our wish or its own. */
  readonly rollsBack: boolean
  /** What is waited on the way because it was told to be, in ms. */
  readonly waitsMs?: number
}

export interface ServiceSnapshot {
  /** `service/web` */
  readonly name: string
  readonly expected: Expectation
  /** Undefined: ECS knows of none. */
  readonly service: Service | undefined
  /** Ours, where ECS shows one: older services have none. */
  readonly serviceDeployment: ServiceDeployment | undefined
  /** Of a service that CodeDeploy deploys. */
  readonly codeDeployment?: CodeDeployment | undefined
  /** True once ECS has shown our deployment. */
  readonly seen: boolean
  /** Who deployed over ours, for people; undefined where that is not known. */
  readonly successor: string | undefined
  readonly tasks: readonly Task[]
  readonly targets: readonly TargetState[]
  /** What images consist of, by their digest, as far as it had to be looked up. */
  readonly parts?: ReadonlyMap<string, ImageParts>
}

export const timeOf = (date: Date | undefined): number | undefined => date?.getTime()

/** `web:7` of a task definition's ARN. */
export function revisionOf(arn: string | undefined): string {
  return arn?.slice(arn.lastIndexOf('/') + 1) ?? ''
}

/** The last part of any ARN: a task's or a service's own name. */
export const shortName = revisionOf
