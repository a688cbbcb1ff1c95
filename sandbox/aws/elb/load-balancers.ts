// Load balancers, listeners and rules.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { type Action, Elb, groupsOf, type Listener, type LoadBalancer, type Rule } from './state.ts'
import { targetGroupOf } from './target-groups.ts'

const describe = (elb: Elb, one: LoadBalancer): object => ({
  LoadBalancerArn: one.arn,
  DNSName: one.dnsName,
  CanonicalHostedZoneId: 'Z32O12XQLNTSW2',
  CreatedTime: one.createdAt,
  LoadBalancerName: one.name,
  Scheme: one.scheme,
  VpcId: one.vpcId,
  State: { Code: 'active' },
  Type: one.type,
  AvailabilityZones: one.subnets.map((SubnetId, index) => ({ ZoneName: `${elb.region.name}${'abc'[index % 3]}`, SubnetId })),
  SecurityGroups: one.securityGroups,
  IpAddressType: 'ipv4',
})

const describeListener = (elb: Elb, one: Listener): object => ({
  ListenerArn: one.arn,
  LoadBalancerArn: one.loadBalancerArn,
  Port: one.port,
  Protocol: one.protocol,
  DefaultActions: [...elb.rules.values()].find(rule => rule.listenerArn === one.arn && rule.priority === 'default')?.actions,
})

const describeRule = (rule: Rule): object => ({
  RuleArn: rule.arn,
  Priority: rule.priority,
  Conditions: rule.conditions,
  Actions: rule.actions,
  IsDefault: rule.priority === 'default',
})

/** A plain forward is told as a weighted one as well, and the other way round, as the API does. @throws AwsError */
function actionsOf(elb: Elb, actions: readonly Action[]): Action[] {
  return actions.map((action, index) => {
    const groups = groupsOf([action])
    for (const { arn } of groups) targetGroupOf(elb, arn)
    if (action.Type !== 'forward') return { ...action, Order: action.Order ?? index + 1 }
    return {
      Type: 'forward',
      Order: action.Order ?? index + 1,
      ...(groups.length === 1 && { TargetGroupArn: groups[0]?.arn }),
      ForwardConfig: {
        TargetGroups: groups.map(({ arn, weight }) => ({ TargetGroupArn: arn, Weight: weight })),
        TargetGroupStickinessConfig: action.ForwardConfig?.TargetGroupStickinessConfig ?? { Enabled: false },
      },
    }
  })
}

function balancerOf(elb: Elb, arn: string): LoadBalancer {
  const found = elb.loadBalancers.get(arn)
  if (found === undefined) throw new AwsError('LoadBalancerNotFoundException', `Load balancers '[${arn}]' not found`)
  return found
}

function listenerOf(elb: Elb, arn: string): Listener {
  const found = elb.listeners.get(arn)
  if (found === undefined) throw new AwsError('ListenerNotFoundException', `Listeners '[${arn}]' not found`)
  return found
}

function ruleOf(elb: Elb, arn: string): Rule {
  const found = elb.rules.get(arn)
  if (found === undefined) throw new AwsError('RuleNotFoundException', 'One or more rules not found')
  return found
}

interface Tagged {
  readonly Tags?: { Key: string; Value?: string }[]
}

export const loadBalancerHandlers: Record<string, Handler> = {
  CreateLoadBalancer: (
    input: Tagged & { Name: string; Subnets?: string[]; SecurityGroups?: string[]; Scheme?: string; Type?: string },
    { region, world },
  ) => {
    const elb = region.part(Elb)
    const type = input.Type ?? 'application'
    const arn = region.arn(
      'elasticloadbalancing',
      `loadbalancer/${type === 'network' ? 'net' : 'app'}/${input.Name}/${world.ids.hex(16)}`,
    )
    const made: LoadBalancer = {
      ...{ arn, type },
      name: input.Name,
      dnsName: `${input.Name}-${world.ids.digits(10)}.${region.name}.elb.amazonaws.com`,
      scheme: input.Scheme ?? 'internet-facing',
      vpcId: 'vpc-0sandbox',
      subnets: input.Subnets ?? [],
      securityGroups: input.SecurityGroups ?? [],
      createdAt: world.now(),
      attributes: new Map([
        ['idle_timeout.timeout_seconds', '60'],
        ['deletion_protection.enabled', 'false'],
      ]),
    }
    elb.loadBalancers.set(arn, made)
    elb.tags.set(arn, input.Tags ?? [])
    return { LoadBalancers: [describe(elb, made)] }
  },
  DescribeLoadBalancers: (input: { LoadBalancerArns?: string[]; Names?: string[] }, { region }) => {
    const elb = region.part(Elb)
    const all = [...elb.loadBalancers.values()]
    const found =
      input.LoadBalancerArns?.map(arn => balancerOf(elb, arn)) ?? all.filter(one => input.Names?.includes(one.name) ?? true)
    if (input.Names !== undefined && found.length < input.Names.length)
      throw new AwsError('LoadBalancerNotFoundException', `Load balancers '[${input.Names.join(', ')}]' not found`)
    return { LoadBalancers: found.map(one => describe(elb, one)) }
  },
  DeleteLoadBalancer: (input: { LoadBalancerArn: string }, { region }) => {
    const elb = region.part(Elb)
    for (const listener of [...elb.listeners.values()].filter(one => one.loadBalancerArn === input.LoadBalancerArn))
      remove(elb, listener)
    elb.loadBalancers.delete(input.LoadBalancerArn)
    return {}
  },
  DescribeLoadBalancerAttributes: (input: { LoadBalancerArn: string }, { region }) => ({
    Attributes: [...balancerOf(region.part(Elb), input.LoadBalancerArn).attributes].map(([Key, Value]) => ({ Key, Value })),
  }),
  ModifyLoadBalancerAttributes: (
    input: { LoadBalancerArn: string; Attributes: { Key: string; Value: string }[] },
    { region },
  ) => {
    const { attributes } = balancerOf(region.part(Elb), input.LoadBalancerArn)
    for (const { Key, Value } of input.Attributes) attributes.set(Key, Value)
    return { Attributes: [...attributes].map(([Key, Value]) => ({ Key, Value })) }
  },
  DescribeCapacityReservation: () => ({}),
  CreateListener: (
    input: Tagged & { LoadBalancerArn: string; Port?: number; Protocol?: string; DefaultActions: Action[] },
    { region, world },
  ) => {
    const elb = region.part(Elb)
    const balancer = balancerOf(elb, input.LoadBalancerArn)
    const taken = [...elb.listeners.values()].some(one => one.loadBalancerArn === balancer.arn && one.port === input.Port)
    if (taken) throw new AwsError('DuplicateListenerException', 'A listener already exists on this port for this load balancer')
    const actions = actionsOf(elb, input.DefaultActions)
    const arn = balancer.arn.replace(':loadbalancer/', ':listener/').concat(`/${world.ids.hex(16)}`)
    const made: Listener = { arn, loadBalancerArn: balancer.arn, port: input.Port ?? 80, protocol: input.Protocol ?? 'HTTP' }
    elb.listeners.set(arn, made)
    elb.tags.set(arn, input.Tags ?? [])
    const ruleArn = arn.replace(':listener/', ':listener-rule/').concat(`/${world.ids.hex(16)}`)
    elb.rules.set(ruleArn, { arn: ruleArn, listenerArn: arn, priority: 'default', conditions: [], actions })
    return { Listeners: [describeListener(elb, made)] }
  },
  ModifyListener: (input: { ListenerArn: string; DefaultActions?: Action[] }, { region }) => {
    const elb = region.part(Elb)
    const listener = listenerOf(elb, input.ListenerArn)
    const rule = [...elb.rules.values()].find(one => one.listenerArn === listener.arn && one.priority === 'default')
    if (rule !== undefined && input.DefaultActions !== undefined) rule.actions = actionsOf(elb, input.DefaultActions)
    return { Listeners: [describeListener(elb, listener)] }
  },
  DescribeListeners: (input: { LoadBalancerArn?: string; ListenerArns?: string[] }, { region }) => {
    const elb = region.part(Elb)
    const found =
      input.ListenerArns?.map(arn => listenerOf(elb, arn)) ??
      [...elb.listeners.values()].filter(one => one.loadBalancerArn === input.LoadBalancerArn)
    return { Listeners: found.map(one => describeListener(elb, one)) }
  },
  DescribeListenerAttributes: (input: { ListenerArn: string }, { region }) => {
    listenerOf(region.part(Elb), input.ListenerArn)
    return { Attributes: [] }
  },
  DeleteListener: (input: { ListenerArn: string }, { region }) => {
    const elb = region.part(Elb)
    remove(elb, listenerOf(elb, input.ListenerArn))
    return {}
  },
  CreateRule: (
    input: Tagged & { ListenerArn: string; Priority: number; Conditions: object[]; Actions: Action[] },
    { region, world },
  ) => {
    const elb = region.part(Elb)
    const listener = listenerOf(elb, input.ListenerArn)
    if ([...elb.rules.values()].some(one => one.listenerArn === listener.arn && one.priority === String(input.Priority)))
      throw new AwsError('PriorityInUseException', `Priority '${input.Priority}' is currently in use`)
    const arn = listener.arn.replace(':listener/', ':listener-rule/').concat(`/${world.ids.hex(16)}`)
    const actions = actionsOf(elb, input.Actions)
    const made: Rule = { arn, listenerArn: listener.arn, priority: String(input.Priority), conditions: input.Conditions, actions }
    elb.rules.set(arn, made)
    elb.tags.set(arn, input.Tags ?? [])
    return { Rules: [describeRule(made)] }
  },
  ModifyRule: (input: { RuleArn: string; Conditions?: object[]; Actions?: Action[] }, { region }) => {
    const elb = region.part(Elb)
    const rule = ruleOf(elb, input.RuleArn)
    if (input.Conditions !== undefined) rule.conditions = input.Conditions
    if (input.Actions !== undefined) rule.actions = actionsOf(elb, input.Actions)
    return { Rules: [describeRule(rule)] }
  },
  SetRulePriorities: (input: { RulePriorities: { RuleArn: string; Priority: number }[] }, { region }) => {
    const elb = region.part(Elb)
    const rules = input.RulePriorities.map(({ RuleArn, Priority }) => ({ ...ruleOf(elb, RuleArn), priority: String(Priority) }))
    for (const rule of rules) elb.rules.set(rule.arn, rule)
    return { Rules: rules.map(describeRule) }
  },
  DescribeRules: (input: { ListenerArn?: string; RuleArns?: string[] }, { region }) => {
    const elb = region.part(Elb)
    const found =
      input.RuleArns?.map(arn => ruleOf(elb, arn)) ?? [...elb.rules.values()].filter(one => one.listenerArn === input.ListenerArn)
    return { Rules: found.map(describeRule) }
  },
  DeleteRule: (input: { RuleArn: string }, { region }) => {
    const elb = region.part(Elb)
    elb.rules.delete(ruleOf(elb, input.RuleArn).arn)
    return {}
  },
  AddTags: (input: { ResourceArns: string[]; Tags: { Key: string; Value?: string }[] }, { region }) => {
    const { tags } = region.part(Elb)
    for (const arn of input.ResourceArns) {
      const others = (tags.get(arn) ?? []).filter(one => !input.Tags.some(tag => tag.Key === one.Key))
      tags.set(arn, [...others, ...input.Tags])
    }
    return {}
  },
  RemoveTags: (input: { ResourceArns: string[]; TagKeys: string[] }, { region }) => {
    const { tags } = region.part(Elb)
    for (const arn of input.ResourceArns)
      tags.set(
        arn,
        (tags.get(arn) ?? []).filter(one => !input.TagKeys.includes(one.Key)),
      )
    return {}
  },
  DescribeTags: (input: { ResourceArns: string[] }, { region }) => ({
    TagDescriptions: input.ResourceArns.map(arn => ({ ResourceArn: arn, Tags: region.part(Elb).tags.get(arn) ?? [] })),
  }),
}

function remove(elb: Elb, listener: Listener): void {
  for (const rule of [...elb.rules.values()].filter(one => one.listenerArn === listener.arn)) elb.rules.delete(rule.arn)
  elb.listeners.delete(listener.arn)
}
