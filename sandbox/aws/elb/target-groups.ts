// Target groups and the health of their targets.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { Elb, type TargetGroup } from './state.ts'
import { type HealthCheck, Targets } from './targets.ts'

/** AWS's defaults of what a deployment waits for. */
const ATTRIBUTES = {
  'deregistration_delay.timeout_seconds': '300',
  'stickiness.enabled': 'false',
  'stickiness.type': 'lb_cookie',
  'load_balancing.algorithm.type': 'round_robin',
  'slow_start.duration_seconds': '0',
}

interface CheckInput {
  readonly HealthCheckProtocol?: string
  readonly HealthCheckPort?: string
  readonly HealthCheckPath?: string
  readonly HealthCheckIntervalSeconds?: number
  readonly HealthCheckTimeoutSeconds?: number
  readonly HealthyThresholdCount?: number
  readonly UnhealthyThresholdCount?: number
  readonly Matcher?: { HttpCode?: string }
}

function checkOf(input: CheckInput, before: HealthCheck): HealthCheck {
  return {
    protocol: input.HealthCheckProtocol ?? before.protocol,
    port: input.HealthCheckPort ?? before.port,
    path: input.HealthCheckPath ?? before.path,
    interval: input.HealthCheckIntervalSeconds ?? before.interval,
    timeout: input.HealthCheckTimeoutSeconds ?? before.timeout,
    healthyThreshold: input.HealthyThresholdCount ?? before.healthyThreshold,
    unhealthyThreshold: input.UnhealthyThresholdCount ?? before.unhealthyThreshold,
    matcher: input.Matcher?.HttpCode ?? before.matcher,
  }
}

const describe = (elb: Elb, group: TargetGroup): object => {
  const listeners = new Set(elb.rulesFor(group.arn).map(rule => rule.listenerArn))
  const balancers = new Set([...listeners].map(arn => elb.listeners.get(arn)?.loadBalancerArn ?? ''))
  const http = group.protocol.startsWith('HTTP')
  return {
    TargetGroupArn: group.arn,
    TargetGroupName: group.name,
    Protocol: group.protocol,
    Port: group.port,
    VpcId: group.vpcId,
    HealthCheckProtocol: group.check.protocol,
    HealthCheckPort: group.check.port,
    HealthCheckEnabled: true,
    HealthCheckIntervalSeconds: group.check.interval,
    HealthCheckTimeoutSeconds: group.check.timeout,
    HealthyThresholdCount: group.check.healthyThreshold,
    UnhealthyThresholdCount: group.check.unhealthyThreshold,
    HealthCheckPath: group.check.path,
    Matcher: http ? { HttpCode: group.check.matcher } : undefined,
    LoadBalancerArns: [...balancers],
    TargetType: group.targetType,
    ProtocolVersion: http ? 'HTTP1' : undefined,
    IpAddressType: 'ipv4',
  }
}

/** @throws AwsError TargetGroupNotFoundException */
export function targetGroupOf(elb: Elb, arn: string): TargetGroup {
  const group = elb.targetGroups.get(arn)
  if (group === undefined) throw new AwsError('TargetGroupNotFoundException', `Target groups '[${arn}]' not found`)
  return group
}

export const targetGroupHandlers: Record<string, Handler> = {
  CreateTargetGroup: (
    input: CheckInput & {
      Name: string
      Protocol?: string
      Port?: number
      VpcId?: string
      TargetType?: string
      Tags?: { Key: string }[]
    },
    { region, world },
  ) => {
    const elb = region.part(Elb)
    if ([...elb.targetGroups.values()].some(group => group.name === input.Name))
      throw new AwsError(
        'DuplicateTargetGroupNameException',
        `A target group with the same name '${input.Name}' exists, but with different settings`,
      )
    const arn = region.arn('elasticloadbalancing', `targetgroup/${input.Name}/${world.ids.hex(16)}`)
    const protocol = input.Protocol ?? 'HTTP'
    const http = protocol.startsWith('HTTP')
    const initial = {
      ...{ protocol, port: 'traffic-port', path: http ? '/' : undefined, interval: 30, timeout: http ? 5 : 10 },
      ...{ healthyThreshold: 5, unhealthyThreshold: 2, matcher: '200' },
    }
    const attributes = new Map<string, string>(Object.entries(ATTRIBUTES))
    const check = checkOf(input, initial)
    const group: TargetGroup = {
      ...{ arn, protocol, check, attributes },
      name: input.Name,
      port: input.Port ?? 80,
      vpcId: input.VpcId ?? 'vpc-0sandbox',
      targetType: input.TargetType ?? 'instance',
      targets: new Targets(
        world,
        () => check,
        () => Number(attributes.get('deregistration_delay.timeout_seconds')),
        () => elb.rulesFor(arn).length > 0,
      ),
    }
    elb.targetGroups.set(arn, group)
    elb.tags.set(arn, input.Tags ?? [])
    return { TargetGroups: [describe(elb, group)] }
  },
  ModifyTargetGroup: (input: CheckInput & { TargetGroupArn: string }, { region }) => {
    const elb = region.part(Elb)
    const group = targetGroupOf(elb, input.TargetGroupArn)
    Object.assign(group.check, checkOf(input, group.check))
    return { TargetGroups: [describe(elb, group)] }
  },
  DeleteTargetGroup: (input: { TargetGroupArn: string }, { region }) => {
    const elb = region.part(Elb)
    if (elb.rulesFor(input.TargetGroupArn).length > 0)
      throw new AwsError(
        'ResourceInUseException',
        `Target group '${input.TargetGroupArn}' is currently in use by a listener or a rule`,
      )
    elb.targetGroups.delete(input.TargetGroupArn)
    return {}
  },
  DescribeTargetGroups: (input: { TargetGroupArns?: string[]; Names?: string[]; LoadBalancerArn?: string }, { region }) => {
    const elb = region.part(Elb)
    const all = [...elb.targetGroups.values()]
    const named = input.Names?.map(name => {
      const group = all.find(one => one.name === name)
      if (group === undefined) throw new AwsError('TargetGroupNotFoundException', 'One or more target groups not found')
      return group
    })
    const found = input.TargetGroupArns?.map(arn => targetGroupOf(elb, arn)) ?? named ?? all
    const ofBalancer = (group: TargetGroup): boolean =>
      elb.rulesFor(group.arn).some(rule => elb.listeners.get(rule.listenerArn)?.loadBalancerArn === input.LoadBalancerArn)
    return {
      TargetGroups: found
        .filter(group => input.LoadBalancerArn === undefined || ofBalancer(group))
        .map(group => describe(elb, group)),
    }
  },
  DescribeTargetGroupAttributes: (input: { TargetGroupArn: string }, { region }) => ({
    Attributes: [...targetGroupOf(region.part(Elb), input.TargetGroupArn).attributes].map(([Key, Value]) => ({ Key, Value })),
  }),
  ModifyTargetGroupAttributes: (input: { TargetGroupArn: string; Attributes: { Key: string; Value: string }[] }, { region }) => {
    const { attributes } = targetGroupOf(region.part(Elb), input.TargetGroupArn)
    for (const { Key, Value } of input.Attributes) attributes.set(Key, Value)
    return { Attributes: [...attributes].map(([Key, Value]) => ({ Key, Value })) }
  },
  RegisterTargets: (input: { TargetGroupArn: string; Targets: { Id: string; Port?: number }[] }, { region }) => {
    const group = targetGroupOf(region.part(Elb), input.TargetGroupArn)
    for (const { Id, Port } of input.Targets)
      group.targets.register(
        Id,
        Port ?? group.port,
        `${region.name}a`,
        () => 200,
        () => {},
      )
    return {}
  },
  DeregisterTargets: (input: { TargetGroupArn: string; Targets: { Id: string; Port?: number }[] }, { region }) => {
    const group = targetGroupOf(region.part(Elb), input.TargetGroupArn)
    for (const { Id, Port } of input.Targets) group.targets.deregister(Id, Port ?? group.port)
    return {}
  },
  DescribeTargetHealth: (input: { TargetGroupArn: string; Targets?: { Id: string; Port?: number }[] }, { region }) => {
    const group = targetGroupOf(region.part(Elb), input.TargetGroupArn)
    const asked = input.Targets?.map(({ Id, Port = group.port }) => ({ id: Id, port: Port, target: group.targets.get(Id, Port) }))
    const all = asked ?? group.targets.list().map(target => ({ id: target.id, port: target.port, target }))
    return {
      TargetHealthDescriptions: all.map(({ id, port, target }) => ({
        Target: { Id: id, Port: port, AvailabilityZone: target?.zone },
        HealthCheckPort: String(port),
        TargetHealth:
          target === undefined
            ? { State: 'unused', Reason: 'Target.NotRegistered', Description: 'Target is not registered to the target group' }
            : { State: target.state, Reason: target.reason, Description: target.description },
      })),
    }
  },
}
