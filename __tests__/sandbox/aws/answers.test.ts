// Every operation of every model is asked once. Answers are held to the model as they are sent, so that it is enough that none is a bug.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { loadModel, type Model } from '../../../sandbox/aws/protocol/model.ts'
import { faultsOf } from '../../../sandbox/aws/protocol/validate.ts'
import { services } from '../../../sandbox/aws/services.ts'
import { SERVED, slice } from '../../../scripts/aws-model-slice.ts'
import { Simulated } from './simulated.ts'

let it: Simulated
beforeAll(async () => {
  it = await Simulated.start({ loadBalancer: true })
})
afterAll(() => it.close())

test.each(Object.entries(SERVED))('%s: what the model has is what is served', (name, { prefix, operations }) => {
  const service = services.find(one => one.model === name)
  expect(Object.keys(service?.handlers ?? {}).sort()).toEqual([...operations].sort())
  expect(Object.keys(loadModel(name).operations).sort()).toEqual([...operations].sort())
  expect(loadModel(name).prefix).toBe(prefix)
})

test('all operations answer as their models say', async () => {
  const asked = new Set<string>()
  // biome-ignore lint/suspicious/noExplicitAny: answers of all kinds, held to the models already
  const ask = (action: string, input: object = {}): any => {
    asked.add(action)
    return it.aws.call(action, input)
  }
  const refused = (action: string, input: object, said: RegExp): void => expect(() => ask(action, input)).toThrow(said)
  const { cluster, service, repository, targetGroups, productionListener: ListenerArn } = it.seeded
  const at = { cluster, service }
  const now = it.clock.now() / 1000

  // ECS
  for (const action of [
    'DescribeClusters',
    'ListClusters',
    'ListServices',
    'ListTasks',
    'ListAccountSettings',
    'DescribeCapacityProviders',
    'ListContainerInstances',
  ])
    ask(`ecs:${action}`, action.startsWith('ListServices') || action === 'ListTasks' ? { cluster } : {})
  ask('ecs:CreateCluster', { clusterName: 'other', tags: [{ key: 'a', value: 'b' }] })
  ask('ecs:UpdateCluster', { cluster: 'other', settings: [{ name: 'containerInsights', value: 'enabled' }] })
  ask('ecs:PutClusterCapacityProviders', {
    cluster: 'other',
    capacityProviders: ['FARGATE'],
    defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE' }],
  })
  ask('ecs:DescribeClusters', { clusters: ['other', 'nope'], include: ['TAGS', 'SETTINGS'] })
  ask('ecs:DescribeContainerInstances', { containerInstances: ['x'] })
  ask('ecs:RegisterTaskDefinition', {
    family: 'job',
    containerDefinitions: [{ name: 'job', image: `${repository}:1`, memory: 64 }],
  })
  const { tasks } = ask('ecs:RunTask', { cluster, taskDefinition: 'job', tags: [{ key: 'a', value: 'b' }] })
  ask('ecs:DescribeTasks', { cluster, tasks: [tasks[0].taskArn, 'nope'], include: ['TAGS'] })
  ask('ecs:StopTask', { cluster, task: tasks[0].taskArn, reason: 'enough' })
  ask('ecs:DescribeTaskDefinition', { taskDefinition: 'job', include: ['TAGS'] })
  ask('ecs:ListTaskDefinitions', { sort: 'DESC' })
  ask('ecs:ListTaskDefinitionFamilies')
  ask('ecs:DeregisterTaskDefinition', { taskDefinition: 'job:1' })
  ask('ecs:DeleteTaskDefinitions', { taskDefinitions: ['job:1', 'web:1'] })
  const [described] = ask('ecs:DescribeServices', { cluster, services: [service, 'nope'], include: ['TAGS'] }).services
  ask('ecs:TagResource', { resourceArn: described.serviceArn, tags: [{ key: 'a', value: 'b' }] })
  ask('ecs:ListTagsForResource', { resourceArn: described.serviceArn })
  ask('ecs:UntagResource', { resourceArn: described.serviceArn, tagKeys: ['a'] })
  ask('ecs:DescribeServiceRevisions', { serviceRevisionArns: [described.currentServiceRevisions[0].arn, 'nope'] })
  ask('ecs:UpdateService', { ...at, forceNewDeployment: true })
  await it.aws.advance(3)
  const [{ serviceDeploymentArn }] = ask('ecs:ListServiceDeployments', at).serviceDeployments
  ask('ecs:DescribeServiceDeployments', { serviceDeploymentArns: [serviceDeploymentArn, 'nope'] })
  refused('ecs:ContinueServiceDeployment', { serviceDeploymentArn, hookId: 'nope' }, /was not found/)
  ask('ecs:StopServiceDeployment', { serviceDeploymentArn })
  const external = { cluster, service: 'external' }
  ask('ecs:CreateService', { cluster, serviceName: 'external', deploymentController: { type: 'EXTERNAL' }, desiredCount: 1 })
  const set = {
    ...external,
    taskDefinition: 'web',
    launchType: 'FARGATE',
    networkConfiguration: { awsvpcConfiguration: { subnets: ['s'] } },
  }
  const { taskSet } = ask('ecs:CreateTaskSet', { ...set, scale: { value: 100, unit: 'PERCENT' } })
  ask('ecs:UpdateServicePrimaryTaskSet', { ...external, primaryTaskSet: taskSet.id })
  ask('ecs:UpdateTaskSet', { ...external, taskSet: taskSet.id, scale: { value: 50, unit: 'PERCENT' } })
  ask('ecs:DescribeTaskSets', external)
  ask('ecs:DeleteTaskSet', { ...external, taskSet: taskSet.taskSetArn, force: true })
  ask('ecs:DeleteService', { ...external, force: true })
  ask('ecs:DeleteCluster', { cluster: 'other' })

  // ECR
  const named = { repositoryName: 'api' }
  const created = ask('ecr:CreateRepository', { ...named, tags: [{ Key: 'a', Value: 'b' }] }).repository
  const { image } = ask('ecr:PutImage', { ...named, imageManifest: '{}', imageTag: '1' })
  ask('ecr:BatchGetImage', { ...named, imageIds: [{ imageTag: '1' }, { imageTag: '2' }] })
  ask('ecr:StartImageScan', { ...named, imageId: { imageTag: '1' } })
  ask('ecr:DescribeImageScanFindings', { ...named, imageId: image.imageId })
  for (const action of ['DescribeImages', 'ListImages']) ask(`ecr:${action}`, named)
  for (const action of ['DescribeRepositories', 'GetAuthorizationToken']) ask(`ecr:${action}`)
  ask('ecr:PutImageTagMutability', { ...named, imageTagMutability: 'IMMUTABLE' })
  ask('ecr:PutImageScanningConfiguration', { ...named, imageScanningConfiguration: { scanOnPush: true } })
  ask('ecr:CreatePullThroughCacheRule', { ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'registry-1.docker.io' })
  ask('ecr:DescribePullThroughCacheRules')
  ask('ecr:PutLifecyclePolicy', { ...named, lifecyclePolicyText: '{}' })
  ask('ecr:GetLifecyclePolicy', named)
  refused('ecr:GetRepositoryPolicy', named, /does not exist/)
  ask('ecr:TagResource', { resourceArn: created.repositoryArn, tags: [{ Key: 'c', Value: 'd' }] })
  ask('ecr:UntagResource', { resourceArn: created.repositoryArn, tagKeys: ['a'] })
  expect(ask('ecr:ListTagsForResource', { resourceArn: created.repositoryArn })).toEqual({ tags: [{ Key: 'c', Value: 'd' }] })
  ask('ecr:BatchDeleteImage', { ...named, imageIds: [{ imageTag: '1' }] })
  ask('ecr:DeleteRepository', { ...named, force: true })

  // Elastic Load Balancing
  const elb = (action: string, input: object = {}) => ask(`elasticloadbalancing:${action}`, input)
  const [{ LoadBalancerArn }] = elb('CreateLoadBalancer', {
    Name: 'other',
    Subnets: ['s'],
    Tags: [{ Key: 'a', Value: 'b' }],
  }).LoadBalancers
  const [{ TargetGroupArn }] = elb('CreateTargetGroup', {
    Name: 'other',
    Port: 80,
    Protocol: 'HTTP',
    VpcId: 'v',
    TargetType: 'ip',
  }).TargetGroups
  const Actions = [{ Type: 'forward', TargetGroupArn }]
  const [listener] = elb('CreateListener', { LoadBalancerArn, Port: 80, Protocol: 'HTTP', DefaultActions: Actions }).Listeners
  const [rule] = elb('CreateRule', {
    ListenerArn: listener.ListenerArn,
    Priority: 5,
    Conditions: [{ Field: 'path-pattern', Values: ['/x'] }],
    Actions,
  }).Rules
  elb('ModifyRule', { RuleArn: rule.RuleArn, Actions })
  elb('SetRulePriorities', { RulePriorities: [{ RuleArn: rule.RuleArn, Priority: 6 }] })
  elb('DescribeRules', { ListenerArn })
  elb('ModifyListener', { ListenerArn: listener.ListenerArn, DefaultActions: Actions })
  for (const action of ['DescribeLoadBalancers', 'DescribeTargetGroups']) elb(action)
  for (const action of ['DescribeListeners', 'DescribeLoadBalancerAttributes', 'DescribeCapacityReservation'])
    elb(action, { LoadBalancerArn })
  elb('DescribeListenerAttributes', { ListenerArn })
  elb('ModifyLoadBalancerAttributes', { LoadBalancerArn, Attributes: [{ Key: 'idle_timeout.timeout_seconds', Value: '30' }] })
  elb('DescribeTargetGroupAttributes', { TargetGroupArn })
  elb('ModifyTargetGroupAttributes', { TargetGroupArn, Attributes: [{ Key: 'stickiness.enabled', Value: 'true' }] })
  elb('ModifyTargetGroup', { TargetGroupArn, Matcher: { HttpCode: '200-299' } })
  elb('RegisterTargets', { TargetGroupArn, Targets: [{ Id: '10.1.1.1' }] })
  elb('DescribeTargetHealth', { TargetGroupArn: targetGroups[0] })
  elb('DescribeTargetHealth', { TargetGroupArn, Targets: [{ Id: '10.1.1.1' }, { Id: '10.1.1.2' }] })
  elb('DeregisterTargets', { TargetGroupArn, Targets: [{ Id: '10.1.1.1' }] })
  elb('AddTags', { ResourceArns: [LoadBalancerArn], Tags: [{ Key: 'c', Value: 'd' }] })
  elb('RemoveTags', { ResourceArns: [LoadBalancerArn], TagKeys: ['a'] })
  elb('DescribeTags', { ResourceArns: [LoadBalancerArn] })
  elb('DeleteRule', { RuleArn: rule.RuleArn })
  elb('DeleteListener', { ListenerArn: listener.ListenerArn })
  elb('DeleteTargetGroup', { TargetGroupArn })
  elb('DeleteLoadBalancer', { LoadBalancerArn })

  // CloudWatch
  const metric = { Namespace: 'n', MetricName: 'm' }
  ask('cloudwatch:PutMetricData', {
    Namespace: 'n',
    MetricData: [{ MetricName: 'm', StatisticValues: { SampleCount: 4, Sum: 10, Minimum: 1, Maximum: 4 } }],
  })
  const range = { StartTime: now - 600, EndTime: now + 600 }
  const stats = ask('cloudwatch:GetMetricStatistics', {
    ...metric,
    ...range,
    Period: 3600,
    Statistics: ['Sum', 'Minimum', 'Maximum', 'SampleCount'],
    ExtendedStatistics: ['p99'],
  })
  expect(stats.Datapoints).toMatchObject([{ Sum: 10, Minimum: 1, Maximum: 4, SampleCount: 4, ExtendedStatistics: { p99: 4 } }])
  ask('cloudwatch:GetMetricData', {
    ...range,
    MetricDataQueries: [{ Id: 'a', MetricStat: { Metric: metric, Period: 60, Stat: 'p50' } }],
  })
  ask('cloudwatch:ListMetrics')
  ask('cloudwatch:PutMetricAlarm', {
    AlarmName: 'a',
    ...metric,
    Statistic: 'Sum',
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanThreshold',
  })
  ask('cloudwatch:SetAlarmState', { AlarmName: 'a', StateValue: 'OK', StateReason: 'x' })
  ask('cloudwatch:DescribeAlarms')
  ask('cloudwatch:DescribeAlarmHistory', { AlarmName: 'a' })
  const alarm = { ResourceARN: 'arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a' }
  ask('cloudwatch:TagResource', { ...alarm, Tags: [{ Key: 'a', Value: 'b' }] })
  ask('cloudwatch:UntagResource', { ...alarm, TagKeys: ['c'] })
  ask('cloudwatch:ListTagsForResource', alarm)
  ask('cloudwatch:DeleteAlarms', { AlarmNames: ['a'] })

  // CloudWatch Logs
  const group = { logGroupName: 'g' }
  const stream = { ...group, logStreamName: 's' }
  ask('logs:CreateLogGroup', { ...group, tags: { a: 'b' } })
  ask('logs:PutRetentionPolicy', { ...group, retentionInDays: 7 })
  ask('logs:CreateLogStream', stream)
  const events = ['one', 'two', 'three'].map((message, index) => ({ message, timestamp: 1000 + index }))
  ask('logs:PutLogEvents', { ...stream, logEvents: events })
  const last = ask('logs:GetLogEvents', { ...stream, limit: 2 })
  expect(last.events).toMatchObject([{ message: 'two' }, { message: 'three' }])
  expect(ask('logs:GetLogEvents', { ...stream, limit: 2, nextToken: last.nextBackwardToken }).events).toMatchObject([
    { message: 'one' },
  ])
  expect(ask('logs:FilterLogEvents', { ...group, filterPattern: 'two' }).events).toHaveLength(1)
  for (const action of ['DescribeLogGroups', 'DescribeLogStreams'])
    ask(`logs:${action}`, action === 'DescribeLogStreams' ? group : {})
  const arn = { resourceArn: 'arn:aws:logs:eu-west-1:123456789012:log-group:g' }
  ask('logs:TagResource', { ...arn, tags: { c: 'd' } })
  ask('logs:UntagResource', { ...arn, tagKeys: ['a'] })
  expect(ask('logs:ListTagsForResource', arn)).toEqual({ tags: { c: 'd' } })
  ask('logs:DeleteRetentionPolicy', group)
  ask('logs:DeleteLogGroup', group)

  // Application Auto Scaling
  const scaled = { ServiceNamespace: 'ecs', ResourceId: 'service/app/web', ScalableDimension: 'ecs:service:DesiredCount' }
  const scaling = (action: string, input: object = {}) => ask(`application-autoscaling:${action}`, input)
  const { ScalableTargetARN: ResourceARN } = scaling('RegisterScalableTarget', { ...scaled, MinCapacity: 1, MaxCapacity: 4 })
  scaling('DescribeScalableTargets', { ServiceNamespace: 'ecs' })
  const tracking = { PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' }, TargetValue: 50 }
  scaling('PutScalingPolicy', {
    ...scaled,
    PolicyName: 'cpu',
    PolicyType: 'TargetTrackingScaling',
    TargetTrackingScalingPolicyConfiguration: tracking,
  })
  for (const action of ['DescribeScalingPolicies', 'DescribeScalingActivities']) scaling(action, { ServiceNamespace: 'ecs' })
  scaling('TagResource', { ResourceARN, Tags: { a: 'b' } })
  scaling('UntagResource', { ResourceARN, TagKeys: ['a'] })
  scaling('ListTagsForResource', { ResourceARN })
  scaling('DeleteScalingPolicy', { ...scaled, PolicyName: 'cpu' })
  scaling('DeregisterScalableTarget', scaled)

  // CodeDeploy
  const deploy = (action: string, input: object = {}) => ask(`codedeploy:${action}`, input)
  const application = { applicationName: 'app' }
  const both = { ...application, deploymentGroupName: 'web' }
  deploy('CreateApplication', { ...application, computePlatform: 'ECS' })
  for (const action of ['GetApplication', 'ListDeploymentGroups']) deploy(action, application)
  deploy('CreateDeploymentGroup', {
    ...both,
    serviceRoleArn: 'arn:aws:iam::1:role/x',
    ecsServices: [{ serviceName: service, clusterName: cluster }],
  })
  deploy('UpdateDeploymentGroup', {
    ...application,
    currentDeploymentGroupName: 'web',
    deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
  })
  deploy('GetDeploymentGroup', both)
  deploy('BatchGetDeploymentGroups', { ...application, deploymentGroupNames: ['web'] })
  for (const action of ['ListApplications', 'ListDeployments', 'ListDeploymentConfigs']) deploy(action)
  for (const kind of ['AllAtOnce', 'Canary10Percent5Minutes', 'Linear10PercentEvery1Minutes'])
    deploy('GetDeploymentConfig', { deploymentConfigName: `CodeDeployDefault.ECS${kind}` })
  const content = JSON.stringify({
    Resources: [
      { S: { Properties: { TaskDefinition: 'web', LoadBalancerInfo: { ContainerName: 'web', ContainerPort: 8080 } } } },
    ],
  })
  const { deploymentId } = deploy('CreateDeployment', {
    ...both,
    revision: { revisionType: 'AppSpecContent', appSpecContent: { content } },
  })
  deploy('GetDeployment', { deploymentId })
  deploy('BatchGetDeployments', { deploymentIds: [deploymentId] })
  deploy('ListDeploymentTargets', { deploymentId })
  deploy('GetDeploymentTarget', { deploymentId, targetId: 'app:web' })
  deploy('BatchGetDeploymentTargets', { deploymentId, targetIds: ['app:web'] })
  refused('codedeploy:ContinueDeployment', { deploymentId }, /not in a ready state/)
  refused('codedeploy:PutLifecycleEventHookExecutionStatus', { deploymentId, lifecycleEventHookExecutionId: 'x' }, /not valid/)
  deploy('StopDeployment', { deploymentId })
  deploy('ListTagsForResource', { ResourceArn: 'arn' })
  deploy('DeleteDeploymentGroup', both)
  deploy('DeleteApplication', application)

  // RDS
  const rds = (action: string, input: object = {}) => ask(`rds:${action}`, input)
  rds('CreateDBInstance', { DBInstanceIdentifier: 'db', DBInstanceClass: 'x', Engine: 'postgres' })
  rds('CreateDBCluster', { DBClusterIdentifier: 'aurora', Engine: 'aurora-postgresql' })
  expect(rds('CreateDBSnapshot', { DBSnapshotIdentifier: 's', DBInstanceIdentifier: 'db' })).toMatchObject({
    DBSnapshot: { Status: 'creating', PercentProgress: 0 },
  })
  rds('CreateDBClusterSnapshot', { DBClusterSnapshotIdentifier: 'cs', DBClusterIdentifier: 'aurora' })
  await it.aws.advance(15)
  expect(rds('DescribeDBSnapshots', { DBSnapshotIdentifier: 's' })).toMatchObject({
    DBSnapshots: [{ Status: 'creating', PercentProgress: 50 }],
  })
  await it.aws.advance(15)
  expect(rds('DescribeDBClusterSnapshots')).toMatchObject({ DBClusterSnapshots: [{ Status: 'available', PercentProgress: 100 }] })
  for (const action of ['DescribeDBInstances', 'DescribeDBClusters']) rds(action)
  rds('DeleteDBSnapshot', { DBSnapshotIdentifier: 's' })
  rds('DeleteDBClusterSnapshot', { DBClusterSnapshotIdentifier: 'cs' })
  rds('ListTagsForResource', { ResourceName: 'arn' })

  // STS, IAM, Secrets Manager, SSM
  ask('sts:GetCallerIdentity')
  const role = { RoleArn: 'arn:aws:iam::123456789012:role/deploy', RoleSessionName: 'run' }
  ask('sts:AssumeRole', role)
  ask('sts:AssumeRoleWithWebIdentity', { ...role, WebIdentityToken: 'token' })
  const RoleName = 'job'
  ask('iam:CreateRole', { RoleName, AssumeRolePolicyDocument: '{}' })
  const policy = { RoleName, PolicyName: 'p' }
  const managed = { RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy' }
  ask('iam:PutRolePolicy', { ...policy, PolicyDocument: '{}' })
  ask('iam:GetRolePolicy', policy)
  ask('iam:AttachRolePolicy', managed)
  for (const action of ['GetRole', 'ListRolePolicies', 'ListAttachedRolePolicies', 'ListInstanceProfilesForRole'])
    ask(`iam:${action}`, { RoleName })
  ask('iam:DetachRolePolicy', managed)
  ask('iam:DeleteRolePolicy', policy)
  ask('iam:ListRoles')
  ask('iam:SimulatePrincipalPolicy', { PolicySourceArn: role.RoleArn, ActionNames: ['iam:PassRole'] })
  ask('iam:DeleteRole', { RoleName })
  const { ARN: SecretId } = ask('secretsmanager:CreateSecret', { Name: 's', SecretString: 'v' })
  for (const action of ['DescribeSecret', 'GetSecretValue', 'DeleteSecret']) ask(`secretsmanager:${action}`, { SecretId })
  ask('ssm:PutParameter', { Name: '/p', Value: 'v', Type: 'SecureString' })
  ask('ssm:GetParameter', { Name: '/p' })
  ask('ssm:GetParameters', { Names: ['/p', '/q'] })
  ask('ssm:DeleteParameter', { Name: '/p' })

  const all = Object.values(SERVED).flatMap(({ prefix, operations }) => operations.map(operation => `${prefix}:${operation}`))
  expect(all.filter(action => !asked.has(action))).toEqual([])
})

const model = (): Model => ({
  ...{ service: 'S', prefix: 's', signingName: 's', version: '1', xmlNamespace: '', operations: {} },
  shapes: {
    Answer: {
      type: 'structure',
      required: ['name'],
      members: { name: { shape: 'Text' }, state: { shape: 'State' }, counts: { shape: 'Counts' }, at: { shape: 'Time' } },
    },
    Text: { type: 'string' },
    State: { type: 'string', enum: ['ON', 'OFF'] },
    Counts: { type: 'list', member: { shape: 'Count' } },
    Count: { type: 'integer' },
    Time: { type: 'timestamp' },
  },
})

test.each<[object, string[]]>([
  [{ name: 'a', state: 'ON', counts: [1, 2], at: 1.5 }, []],
  [{ name: 'a', state: undefined }, []],
  [{}, ['name is missing']],
  [{ name: 'a', nmae: 'b' }, ['has no nmae']],
  [{ name: 'a', state: 'on' }, ['none of ON, OFF']],
  [{ name: 1 }, ['is no string']],
  [{ name: 'a', counts: [1, 2.5, 'x'] }, ['is no integer', 'is no integer']],
  [{ name: 'a', at: '2026-01-01' }, ['is no timestamp']],
])('%j is held to the model', (answer, faults) => {
  const found = faultsOf(model(), 'Answer', answer)
  expect(found).toEqual(faults.map(fault => expect.stringContaining(fault)))
})

test('a slice has the operations asked for, the shapes that they need, and no prose', () => {
  const { shapes } = model()
  const prose = { documentation: 'long' }
  const full = {
    metadata: { serviceId: 'S', apiVersion: '1', endpointPrefix: 's' },
    operations: { Ask: { ...prose, output: { shape: 'Answer' }, errors: [] }, Other: { output: { shape: 'Unused' } } },
    shapes: { ...shapes, Text: { type: 'string' as const, ...prose }, Unused: { type: 'structure' as const } },
  }
  const cut = slice(full, 's', ['Ask'])
  expect(Object.keys(cut.operations)).toEqual(['Ask'])
  expect(Object.keys(cut.shapes)).toEqual(['Answer', 'Count', 'Counts', 'State', 'Text', 'Time'])
  expect(JSON.stringify(cut)).not.toContain('long')
  expect(() => slice(full, 's', ['Nope'])).toThrow(/no operation Nope/)
})
