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
