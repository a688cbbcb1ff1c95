// Cuts out of botocore's service models the calls that the AWS simulator serves, with the shapes they need and without prose. The simulator reads and writes
// by them and checks its own answers. botocore is no dependency: pip install awscli (or botocore) elsewhere, and name its folder `botocore/data`.
// Usage: node scripts/aws-model-slice.ts FOLDER/botocore/data
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Model, Operation, Shape } from '../sandbox/aws/protocol/model.ts'
import { repositoryRoot } from './action-file.ts'

export const modelFolder: string = join(repositoryRoot, 'sandbox', 'aws', 'models')

/** What is served, by botocore's folder. The prefix is that of IAM's actions. */
export const SERVED: Readonly<Record<string, { prefix: string; operations: readonly string[] }>> = {
  ecs: {
    prefix: 'ecs',
    operations: [
      ...['CreateCluster', 'DeleteCluster', 'DescribeClusters', 'ListClusters', 'PutClusterCapacityProviders', 'UpdateCluster'],
      ...['RegisterTaskDefinition', 'DescribeTaskDefinition', 'DeregisterTaskDefinition', 'DeleteTaskDefinitions'],
      ...['ListTaskDefinitions', 'ListTaskDefinitionFamilies'],
      ...['CreateService', 'UpdateService', 'DeleteService', 'DescribeServices', 'ListServices'],
      ...['DescribeServiceDeployments', 'ListServiceDeployments', 'StopServiceDeployment', 'ContinueServiceDeployment'],
      ...['DescribeServiceRevisions', 'DescribeCapacityProviders'],
      ...['RunTask', 'StopTask', 'DescribeTasks', 'ListTasks', 'ListContainerInstances', 'DescribeContainerInstances'],
      ...['CreateTaskSet', 'UpdateTaskSet', 'DeleteTaskSet', 'DescribeTaskSets', 'UpdateServicePrimaryTaskSet'],
      ...['TagResource', 'UntagResource', 'ListTagsForResource', 'ListAccountSettings'],
    ],
  },
  ecr: {
    prefix: 'ecr',
    operations: [
      ...[
        'CreateRepository',
        'DescribeRepositories',
        'DeleteRepository',
        'DescribeImages',
        'BatchGetImage',
        'PutImage',
        'ListImages',
      ],
      ...['BatchDeleteImage', 'GetAuthorizationToken', 'DescribeImageScanFindings', 'StartImageScan', 'PutImageTagMutability'],
      ...['PutImageScanningConfiguration', 'PutLifecyclePolicy', 'GetLifecyclePolicy', 'GetRepositoryPolicy'],
      ...['CreatePullThroughCacheRule', 'DescribePullThroughCacheRules'],
      ...['TagResource', 'UntagResource', 'ListTagsForResource'],
    ],
  },
  elbv2: {
    prefix: 'elasticloadbalancing',
    operations: [
      ...['CreateLoadBalancer', 'DescribeLoadBalancers', 'DeleteLoadBalancer', 'DescribeLoadBalancerAttributes'],
      ...['ModifyLoadBalancerAttributes', 'DescribeCapacityReservation'],
      ...['CreateTargetGroup', 'DescribeTargetGroups', 'ModifyTargetGroup', 'DeleteTargetGroup'],
      ...['DescribeTargetGroupAttributes', 'ModifyTargetGroupAttributes'],
      ...['CreateListener', 'DescribeListeners', 'ModifyListener', 'DeleteListener', 'DescribeListenerAttributes'],
      ...['CreateRule', 'DescribeRules', 'ModifyRule', 'DeleteRule', 'SetRulePriorities'],
      ...['RegisterTargets', 'DeregisterTargets', 'DescribeTargetHealth', 'AddTags', 'RemoveTags', 'DescribeTags'],
    ],
  },
  cloudwatch: {
    prefix: 'cloudwatch',
    operations: [
      ...['PutMetricData', 'GetMetricData', 'GetMetricStatistics', 'ListMetrics'],
      ...['PutMetricAlarm', 'DescribeAlarms', 'DeleteAlarms', 'SetAlarmState', 'DescribeAlarmHistory'],
      ...['TagResource', 'UntagResource', 'ListTagsForResource'],
    ],
  },
  logs: {
    prefix: 'logs',
    operations: [
      ...['CreateLogGroup', 'DeleteLogGroup', 'DescribeLogGroups', 'PutRetentionPolicy', 'DeleteRetentionPolicy'],
      ...['CreateLogStream', 'DescribeLogStreams', 'PutLogEvents', 'GetLogEvents', 'FilterLogEvents'],
      ...['TagResource', 'UntagResource', 'ListTagsForResource'],
    ],
  },
  'application-autoscaling': {
    prefix: 'application-autoscaling',
    operations: [
      ...['RegisterScalableTarget', 'DescribeScalableTargets', 'DeregisterScalableTarget', 'PutScalingPolicy'],
      ...['DescribeScalingPolicies', 'DeleteScalingPolicy', 'DescribeScalingActivities'],
      ...['TagResource', 'UntagResource', 'ListTagsForResource'],
    ],
  },
  codedeploy: {
    prefix: 'codedeploy',
    operations: [
      ...['CreateApplication', 'GetApplication', 'ListApplications', 'DeleteApplication', 'CreateDeploymentGroup'],
      ...[
        'GetDeploymentGroup',
        'UpdateDeploymentGroup',
        'DeleteDeploymentGroup',
        'ListDeploymentGroups',
        'BatchGetDeploymentGroups',
      ],
      ...['CreateDeployment', 'GetDeployment', 'BatchGetDeployments', 'ListDeployments', 'StopDeployment', 'ContinueDeployment'],
      ...['ListDeploymentTargets', 'GetDeploymentTarget', 'BatchGetDeploymentTargets', 'PutLifecycleEventHookExecutionStatus'],
      ...['GetDeploymentConfig', 'ListDeploymentConfigs', 'ListTagsForResource'],
    ],
  },
  rds: {
    prefix: 'rds',
    operations: [
      ...['CreateDBInstance', 'DescribeDBInstances', 'CreateDBSnapshot', 'DescribeDBSnapshots', 'DeleteDBSnapshot'],
      ...[
        'CreateDBCluster',
        'DescribeDBClusters',
        'CreateDBClusterSnapshot',
        'DescribeDBClusterSnapshots',
        'DeleteDBClusterSnapshot',
      ],
      ...['ListTagsForResource'],
    ],
  },
  sts: { prefix: 'sts', operations: ['GetCallerIdentity', 'AssumeRole', 'AssumeRoleWithWebIdentity'] },
  iam: {
    prefix: 'iam',
    operations: [
      ...['CreateRole', 'GetRole', 'ListRoles', 'DeleteRole', 'SimulatePrincipalPolicy', 'ListInstanceProfilesForRole'],
      ...['PutRolePolicy', 'GetRolePolicy', 'ListRolePolicies', 'DeleteRolePolicy'],
      ...['AttachRolePolicy', 'ListAttachedRolePolicies', 'DetachRolePolicy'],
    ],
  },
  secretsmanager: { prefix: 'secretsmanager', operations: ['CreateSecret', 'DescribeSecret', 'GetSecretValue', 'DeleteSecret'] },
  ssm: { prefix: 'ssm', operations: ['PutParameter', 'GetParameter', 'GetParameters', 'DeleteParameter'] },
}

interface FullModel {
  readonly metadata: Readonly<Record<string, string>>
  readonly operations: Readonly<
    Record<
      string,
      { input?: { shape: string }; output?: { shape: string; resultWrapper?: string }; errors?: { shape: string }[] }
    >
  >
  readonly shapes: Readonly<Record<string, Shape>>
}

const KEPT = [
  'type',
  'required',
  'enum',
  'member',
  'key',
  'value',
  'flattened',
  'min',
  'max',
  'exception',
  'error',
  'union',
  'document',
  'timestampFormat',
] as const
const KEPT_OF_MEMBER = ['shape', 'locationName', 'flattened', 'timestampFormat'] as const

const pick = (from: object, keys: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)))

/** A model with these operations alone. */
export function slice(model: FullModel, prefix: string, names: readonly string[]): Model {
  const shapes: Record<string, Shape> = {}
  const take = (name: string): string => {
    const full = model.shapes[name]
    if (full === undefined) throw new Error(`no shape ${name}`)
    if (shapes[name] !== undefined) return name
    const kept = pick(full, KEPT) as unknown as Shape
    shapes[name] = kept
    for (const part of ['member', 'key', 'value'] as const) {
      const reference = full[part]
      if (reference !== undefined) Object.assign(kept, { [part]: pick(reference, KEPT_OF_MEMBER) })
      if (reference !== undefined) take(reference.shape)
    }
    if (full.members !== undefined) {
      const members = Object.entries(full.members).map(([key, member]) => [key, pick(member, KEPT_OF_MEMBER)])
      Object.assign(kept, { members: Object.fromEntries(members) })
      for (const member of Object.values(full.members)) take(member.shape)
    }
    return name
  }
  const operations: Record<string, Operation> = {}
  for (const name of names) {
    const full = model.operations[name]
    if (full === undefined) throw new Error(`${model.metadata['serviceId']} has no operation ${name}`)
    operations[name] = {
      ...(full.input !== undefined && { input: take(full.input.shape) }),
      ...(full.output !== undefined && { output: take(full.output.shape) }),
      ...(full.output?.resultWrapper !== undefined && { resultWrapper: full.output.resultWrapper }),
      errors: (full.errors ?? []).map(error => take(error.shape)),
    }
  }
  const { metadata } = model
  return {
    service: metadata['serviceId'] ?? '',
    prefix,
    signingName: metadata['signingName'] ?? metadata['endpointPrefix'] ?? '',
    version: metadata['apiVersion'] ?? '',
    ...(metadata['targetPrefix'] !== undefined && { targetPrefix: metadata['targetPrefix'] }),
    ...(metadata['jsonVersion'] !== undefined && { jsonVersion: metadata['jsonVersion'] }),
    xmlNamespace: metadata['xmlNamespace'] ?? `http://monitoring.amazonaws.com/doc/${metadata['apiVersion']}/`,
    operations,
    shapes: Object.fromEntries(Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

if (import.meta.main) {
  const [data] = process.argv.slice(2)
  if (data === undefined) throw new Error('usage: node scripts/aws-model-slice.ts FOLDER/botocore/data')
  mkdirSync(modelFolder, { recursive: true })
  for (const [folder, { prefix, operations }] of Object.entries(SERVED)) {
    const version = readdirSync(join(data, folder)).sort().at(-1) ?? ''
    const full = JSON.parse(readFileSync(join(data, folder, version, 'service-2.json'), 'utf8')) as FullModel
    const cut = slice(full, prefix, operations)
    // One line a shape: a diff of two versions can be read.
    const lines = (all: object): string =>
      Object.entries(all)
        .map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one)}`)
        .join(',\n')
    const { operations: served, shapes, ...head } = cut
    const text = `${JSON.stringify(head).slice(0, -1)},"operations":{\n${lines(served)}\n},"shapes":{\n${lines(shapes)}\n}}\n`
    writeFileSync(join(modelFolder, `${folder}.json`), text)
    process.stdout.write(
      `${folder}: ${operations.length} operations, ${Object.keys(shapes).length} shapes, ${text.length} bytes\n`,
    )
  }
}
