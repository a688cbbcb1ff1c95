// What ECS refuses before it takes a service on.
import { Elb } from '../elb/state.ts'
import { Iam } from '../iam/state.ts'
import { AwsError } from '../protocol/errors.ts'
import type { Call } from '../service.ts'
import type { Ecs, TaskDefinition } from './state.ts'
import type { LoadBalancer } from './types.ts'

/** @throws AwsError where the caller may not pass the roles on, or one that is known not to be there */
export function checkRoles(ecs: Ecs, definition: TaskDefinition, { world, caller }: Call): void {
  for (const role of [definition['taskRoleArn'], definition['executionRoleArn']]) {
    if (typeof role !== 'string') continue
    if (ecs.region.world.region('global').part(Iam).denies('iam:PassRole'))
      throw new AwsError(
        'AccessDeniedException',
        `User: ${caller} is not authorized to perform: iam:PassRole on resource: ${role} because no identity-based policy allows the iam:PassRole action`,
      )
  }
  void world
}

/** A volume that is configured at launch is given with each task that is run by itself, and no other is. @throws AwsError InvalidParameterException */
export function checkVolumes(definition: TaskDefinition, given: readonly { readonly name?: string | undefined }[]): void {
  const volumes = (definition['volumes'] ?? []) as readonly { name?: string; configuredAtLaunch?: boolean }[]
  const wanted = volumes.filter(({ configuredAtLaunch }) => configuredAtLaunch === true).map(({ name }) => name)
  const refuse = (message: string): never => {
    throw new AwsError('InvalidParameterException', message)
  }
  for (const name of wanted)
    if (!given.some(one => one.name === name))
      refuse(`The volume ${name} is configured at launch and has no volume configuration.`)
  for (const { name } of given)
    if (!wanted.includes(name)) refuse(`The volume ${name} is not configured at launch in the task definition.`)
}

/** @throws AwsError InvalidParameterException */
export function checkLoadBalancers(ecs: Ecs, definition: TaskDefinition, balancers: readonly LoadBalancer[]): void {
  const elb = ecs.region.part(Elb)
  for (const { targetGroupArn, containerName, containerPort } of balancers) {
    const refuse = (message: string): never => {
      throw new AwsError('InvalidParameterException', message)
    }
    const container = definition.containerDefinitions.find(one => one.name === containerName)
    if (container === undefined) refuse(`The container ${containerName} does not exist in the task definition.`)
    if (!container?.portMappings?.some(mapping => mapping.containerPort === containerPort))
      refuse(`The container ${containerName} did not have a container port ${containerPort} defined.`)
    if (targetGroupArn === undefined) continue
    if (!elb.targetGroups.has(targetGroupArn)) refuse(`The specified target group does not exist.`)
    const used = elb.rulesFor(targetGroupArn).length > 0
    if (!used) refuse(`The target group with targetGroupArn ${targetGroupArn} does not have an associated load balancer.`)
  }
}
