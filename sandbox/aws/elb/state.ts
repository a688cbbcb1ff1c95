// What Elastic Load Balancing keeps in one region: load balancers, listeners with their rules, target groups.
import type { TargetAnswer } from '../scenario.ts'
import type { Region } from '../world.ts'
import type { HealthCheck, Targets } from './targets.ts'

export interface TargetGroup {
  readonly arn: string
  readonly name: string
  readonly protocol: string
  readonly port: number
  readonly vpcId: string
  readonly targetType: string
  readonly check: HealthCheck
  readonly attributes: Map<string, string>
  readonly targets: Targets
}

export interface LoadBalancer {
  readonly arn: string
  readonly name: string
  readonly dnsName: string
  readonly scheme: string
  readonly type: string
  readonly vpcId: string
  readonly subnets: readonly string[]
  readonly securityGroups: readonly string[]
  readonly createdAt: number
  readonly attributes: Map<string, string>
}

export interface Action {
  readonly Type: string
  readonly TargetGroupArn?: string | undefined
  readonly Order?: number
  readonly ForwardConfig?: {
    readonly TargetGroups?: readonly { TargetGroupArn?: string; Weight?: number }[]
    TargetGroupStickinessConfig?: object
  }
  readonly [field: string]: unknown
}

export interface Rule {
  readonly arn: string
  readonly listenerArn: string
  readonly priority: string
  conditions: readonly object[]
  actions: readonly Action[]
}

export interface Listener {
  readonly arn: string
  readonly loadBalancerArn: string
  readonly port: number
  readonly protocol: string
}

export class Elb {
  readonly region: Region
  readonly loadBalancers = new Map<string, LoadBalancer>()
  readonly targetGroups = new Map<string, TargetGroup>()
  readonly listeners = new Map<string, Listener>()
  /** By ARN; the default rule of a listener among them. */
  readonly rules = new Map<string, Rule>()
  readonly tags = new Map<string, { Key: string; Value?: string }[]>()

  constructor(region: Region) {
    this.region = region
  }

  targetsOf(arn: string): Targets | undefined {
    return this.targetGroups.get(arn)?.targets
  }

  register(arn: string, id: string, port: number, zone: string, probe: () => TargetAnswer, changed: () => void): void {
    this.targetsOf(arn)?.register(id, port, zone, probe, changed)
  }

  rulesFor(targetGroupArn: string): Rule[] {
    return [...this.rules.values()].filter(rule => groupsOf(rule.actions).some(group => group.arn === targetGroupArn))
  }

  /** Percent of the rule's traffic that each target group gets from now on. */
  shift(ruleArn: string, weights: readonly { arn: string; weight: number }[]): void {
    const rule = this.rules.get(ruleArn) ?? this.rules.get(this.#defaultRule(ruleArn)?.arn ?? '')
    if (rule === undefined) return
    const groups = weights.map(({ arn, weight }) => ({ TargetGroupArn: arn, Weight: weight }))
    rule.actions = [
      { Type: 'forward', Order: 1, ForwardConfig: { TargetGroups: groups, TargetGroupStickinessConfig: { Enabled: false } } },
    ]
  }

  #defaultRule(listenerArn: string): Rule | undefined {
    return [...this.rules.values()].find(rule => rule.listenerArn === listenerArn && rule.priority === 'default')
  }
}

/** Where actions forward to, with weights; a plain target group has all of it. */
export function groupsOf(actions: readonly Action[]): { arn: string; weight: number }[] {
  return actions.flatMap(action => {
    const forwarded = action.ForwardConfig?.TargetGroups
    if (forwarded !== undefined && forwarded.length > 0)
      return forwarded.map(group => ({ arn: group.TargetGroupArn ?? '', weight: group.Weight ?? 1 }))
    return action.TargetGroupArn === undefined ? [] : [{ arn: action.TargetGroupArn, weight: 1 }]
  })
}
