// Application Auto Scaling: which services' counts it holds, and between which bounds. It scales nothing by itself; a test changes the count as it would.
import { AwsError } from '../protocol/errors.ts'
import type { Service } from '../service.ts'
import type { Region } from '../world.ts'

interface Key {
  readonly ServiceNamespace: string
  readonly ResourceId: string
  readonly ScalableDimension: string
}

class AutoScaling {
  readonly targets = new Map<string, Record<string, unknown>>()
  readonly policies = new Map<string, Record<string, unknown>>()
  readonly tags = new Map<string, Record<string, string>>()
  readonly region: Region

  constructor(region: Region) {
    this.region = region
  }
}

const keyOf = ({ ServiceNamespace, ResourceId, ScalableDimension }: Key): string =>
  [ServiceNamespace, ResourceId, ScalableDimension].join(' ')

const missing = (what: string, key: Key): AwsError =>
  new AwsError(
    'ObjectNotFoundException',
    `No ${what} found for service namespace: ${key.ServiceNamespace}, resource ID: ${key.ResourceId}, scalable dimension: ${key.ScalableDimension}`,
  )

export const autoscaling: Service = {
  model: 'application-autoscaling',
  invalid: 'ValidationException',
  handlers: {
    RegisterScalableTarget: (
      input: Key & { MinCapacity?: number; MaxCapacity?: number; SuspendedState?: object; Tags?: Record<string, string> },
      { region, world },
    ) => {
      const state = region.part(AutoScaling)
      const before = state.targets.get(keyOf(input))
      const arn =
        (before?.['ScalableTargetARN'] as string | undefined) ??
        region.arn('application-autoscaling', `scalable-target/${world.ids.hex(16)}`)
      const suspended = { DynamicScalingInSuspended: false, DynamicScalingOutSuspended: false, ScheduledScalingSuspended: false }
      state.targets.set(keyOf(input), {
        ServiceNamespace: input.ServiceNamespace,
        ResourceId: input.ResourceId,
        ScalableDimension: input.ScalableDimension,
        MinCapacity: input.MinCapacity ?? before?.['MinCapacity'] ?? 0,
        MaxCapacity: input.MaxCapacity ?? before?.['MaxCapacity'] ?? 0,
        RoleARN: `arn:aws:iam::${world.account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService`,
        CreationTime: before?.['CreationTime'] ?? world.now(),
        SuspendedState: { ...suspended, ...(before?.['SuspendedState'] as object | undefined), ...input.SuspendedState },
        ScalableTargetARN: arn,
      })
      if (input.Tags !== undefined) state.tags.set(arn, input.Tags)
      return { ScalableTargetARN: arn }
    },
    DescribeScalableTargets: (
      input: { ServiceNamespace: string; ResourceIds?: string[]; ScalableDimension?: string },
      { region },
    ) => ({
      ScalableTargets: [...region.part(AutoScaling).targets.values()].filter(
        one =>
          one['ServiceNamespace'] === input.ServiceNamespace &&
          (input.ResourceIds?.includes(String(one['ResourceId'])) ?? true) &&
          (input.ScalableDimension ?? one['ScalableDimension']) === one['ScalableDimension'],
      ),
    }),
    DeregisterScalableTarget: (input: Key, { region }) => {
      if (!region.part(AutoScaling).targets.delete(keyOf(input))) throw missing('scalable target', input)
      return {}
    },
    PutScalingPolicy: (input: Key & { PolicyName: string; PolicyType?: string }, { region, world }) => {
      const state = region.part(AutoScaling)
      if (!state.targets.has(keyOf(input))) throw missing('scalable target', input)
      const arn = region.arn(
        'autoscaling',
        `scalingPolicy:${world.ids.uuid()}:resource/${input.ServiceNamespace}/${input.ResourceId}:policyName/${input.PolicyName}`,
      )
      const policy = {
        ...input,
        PolicyARN: arn,
        PolicyType: input.PolicyType ?? 'StepScaling',
        Alarms: [],
        CreationTime: world.now(),
      }
      state.policies.set(`${keyOf(input)} ${input.PolicyName}`, policy)
      return { PolicyARN: arn, Alarms: [] }
    },
    DescribeScalingPolicies: (input: { ServiceNamespace: string; ResourceId?: string; PolicyNames?: string[] }, { region }) => ({
      ScalingPolicies: [...region.part(AutoScaling).policies.values()].filter(
        one =>
          one['ServiceNamespace'] === input.ServiceNamespace &&
          (input.ResourceId ?? one['ResourceId']) === one['ResourceId'] &&
          (input.PolicyNames?.includes(String(one['PolicyName'])) ?? true),
      ),
    }),
    DeleteScalingPolicy: (input: Key & { PolicyName: string }, { region }) => {
      if (!region.part(AutoScaling).policies.delete(`${keyOf(input)} ${input.PolicyName}`)) throw missing('scaling policy', input)
      return {}
    },
    DescribeScalingActivities: () => ({ ScalingActivities: [] }),
    TagResource: (input: { ResourceARN: string; Tags: Record<string, string> }, { region }) => {
      const { tags } = region.part(AutoScaling)
      tags.set(input.ResourceARN, { ...tags.get(input.ResourceARN), ...input.Tags })
      return {}
    },
    UntagResource: (input: { ResourceARN: string; TagKeys: string[] }, { region }) => {
      const { tags } = region.part(AutoScaling)
      const kept = Object.entries(tags.get(input.ResourceARN) ?? {}).filter(([key]) => !input.TagKeys.includes(key))
      tags.set(input.ResourceARN, Object.fromEntries(kept))
      return {}
    },
    ListTagsForResource: (input: { ResourceARN: string }, { region }) => ({
      Tags: region.part(AutoScaling).tags.get(input.ResourceARN) ?? {},
    }),
  },
}
