// The AWS CLI, unmodified, takes services through whole deployments on the simulator.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Aws, startAws } from '../../sandbox/aws/aws.ts'
import { provideAwsCli } from '../../sandbox/aws/cli.ts'
import { pushImage, type Seeded, seed } from '../../sandbox/aws/seed.ts'

let aws: Aws
let seeded: Seeded
let program: string
beforeAll(async () => {
  program = await provideAwsCli('e2e')
  // A minute passes in a second.
  aws = await startAws({
    speed: 60,
    scenario: {
      images: {
        'web:bad': { exit: { code: 3, after: 0.5 }, log: ['no DATABASE_URL'] },
        'web:job': { exit: { code: 4, after: 2 } },
      },
    },
  })
  seeded = await seed(aws, {
    loadBalancer: true,
    with: { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } },
  })
  for (const tag of ['good', 'bad', 'job']) pushImage(aws, 'web', tag)
})
afterAll(() => aws?.close())

interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the CLI prints
  readonly json: any
}

function cli(...args: string[]): Promise<Said> {
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    AWS_PAGER: '',
    AWS_CONFIG_FILE: '/dev/null',
    ...aws.environment,
  }
  return new Promise(resolve => {
    execFile(program, ['--output', 'json', ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr, json: parsed(stdout) })
    })
  })
}

/** A few commands print sentences. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const on = ['--cluster', 'app']

/** The next revision of `web`, with that tag. */
async function register(tag: string): Promise<string> {
  const { json } = await cli('ecs', 'describe-task-definition', '--task-definition', 'web')
  const { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions } =
    json.taskDefinition
  const containers = [{ ...containerDefinitions[0], image: `${seeded.repository}:${tag}` }]
  const input = { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions: containers }
  const registered = await cli('ecs', 'register-task-definition', '--cli-input-json', JSON.stringify(input))
  return registered.json.taskDefinition.taskDefinitionArn
}

test('a good release: register, update, wait, and what runs is what was pushed', async () => {
  const arn = await register('good')
  const updated = await cli('ecs', 'update-service', ...on, '--service', 'web', '--task-definition', arn)
  expect(updated.json.service.deployments).toMatchObject([{ status: 'PRIMARY', desiredCount: 0 }, { status: 'ACTIVE' }])
  expect(await cli('ecs', 'wait', 'services-stable', ...on, '--services', 'web')).toMatchObject({ code: 0, stderr: '' })
  const { json } = await cli('ecs', 'describe-services', ...on, '--services', 'web')
  expect(json.services).toMatchObject([{ taskDefinition: arn, runningCount: 2, deployments: [{ rolloutState: 'COMPLETED' }] }])
  const images = await cli('ecr', 'describe-images', '--repository-name', 'web', '--image-ids', 'imageTag=good')
  const { json: listed } = await cli('ecs', 'list-tasks', ...on, '--service-name', 'web')
  const { json: tasks } = await cli('ecs', 'describe-tasks', ...on, '--tasks', ...listed.taskArns)
  expect(tasks.tasks[0].containers[0].imageDigest).toBe(images.json.imageDetails[0].imageDigest)
})

test('a bad release: the breaker rolls it back, and `wait` calls that stable', async () => {
  const arn = await register('bad')
  await cli('ecs', 'update-service', ...on, '--service', 'web', '--task-definition', arn)
  let found: Said['json']
  for (let poll = 0; poll < 60 && found?.status !== 'ROLLBACK_SUCCESSFUL'; poll++) {
    const { json } = await cli('ecs', 'list-service-deployments', ...on, '--service', 'web')
    const [newest] = json.serviceDeployments
    found = (await cli('ecs', 'describe-service-deployments', '--service-deployment-arns', newest.serviceDeploymentArn)).json
      .serviceDeployments[0]
  }
  expect(found).toMatchObject({
    status: 'ROLLBACK_SUCCESSFUL',
    deploymentCircuitBreaker: { status: 'TRIGGERED', failureCount: 3, threshold: 3 },
  })
  expect((await cli('ecs', 'wait', 'services-stable', ...on, '--services', 'web')).code).toBe(0)
  const { json: stopped } = await cli('ecs', 'list-tasks', ...on, '--family', 'web', '--desired-status', 'STOPPED')
  const { json: tasks } = await cli('ecs', 'describe-tasks', ...on, '--tasks', ...stopped.taskArns)
  const failed = tasks.tasks.find((task: { taskDefinitionArn: string }) => task.taskDefinitionArn === arn)
  expect(failed).toMatchObject({ stopCode: 'EssentialContainerExited', containers: [{ exitCode: 3 }] })
  const stream = `ecs/web/${failed.taskArn.split('/').at(-1)}`
  const logs = await cli('logs', 'get-log-events', '--log-group-name', '/ecs/web', '--log-stream-name', stream)
  expect(logs.json.events).toMatchObject([{ message: 'no DATABASE_URL' }])
})

test('a task on its own, and its exit code', async () => {
  const arn = await register('job')
  const network = 'awsvpcConfiguration={subnets=[subnet-0a]}'
  const { json } = await cli(
    'ecs',
    'run-task',
    ...on,
    '--task-definition',
    arn,
    '--launch-type',
    'FARGATE',
    '--network-configuration',
    network,
  )
  const [{ taskArn }] = json.tasks
  expect((await cli('ecs', 'wait', 'tasks-stopped', ...on, '--tasks', taskArn)).code).toBe(0)
  const { json: described } = await cli('ecs', 'describe-tasks', ...on, '--tasks', taskArn)
  expect(described.tasks).toMatchObject([{ lastStatus: 'STOPPED', containers: [{ exitCode: 4 }] }])
})

test('alarms and metrics, in whichever protocol this CLI speaks', async () => {
  const alarm = [
    '--namespace',
    'app',
    '--metric-name',
    'errors',
    '--statistic',
    'Sum',
    '--period',
    '60',
    '--evaluation-periods',
    '1',
  ]
  const rule = ['--threshold', '1', '--comparison-operator', 'GreaterThanThreshold']
  expect((await cli('cloudwatch', 'put-metric-alarm', '--alarm-name', 'errors', ...alarm, ...rule)).code).toBe(0)
  await cli('cloudwatch', 'put-metric-data', '--namespace', 'app', '--metric-name', 'errors', '--value', '5')
  const { json } = await cli('cloudwatch', 'describe-alarms', '--alarm-names', 'errors')
  expect(json.MetricAlarms).toMatchObject([{ StateValue: 'ALARM', Threshold: 1 }])
})

test.each([
  [['ecs', 'describe-services', '--cluster', 'nope', '--services', 'web'], /ClusterNotFoundException/],
  [['elbv2', 'describe-target-health', '--target-group-arn', 'arn:nope'], /TargetGroupNotFound/],
  [['cloudwatch', 'set-alarm-state', '--alarm-name', 'nope', '--state-value', 'OK', '--state-reason', 'x'], /ResourceNotFound/],
])('%j is refused', async (args, said) => {
  const { code, stderr } = await cli(...args)
  expect(code).not.toBe(0)
  expect(stderr).toMatch(said)
})

test('`aws ecs deploy` by CodeDeploy, from the task definition and AppSpec in files', async () => {
  const ecs = await seed(aws, { service: 'api', loadBalancer: true, with: { deploymentController: { type: 'CODE_DEPLOY' } } })
  const applicationName = 'AppECS-app-api'
  aws.call('codedeploy:CreateApplication', { applicationName, computePlatform: 'ECS' })
  const targetGroups = [{ name: 'api-blue' }, { name: 'api-green' }]
  aws.call('codedeploy:CreateDeploymentGroup', {
    ...{ applicationName, deploymentGroupName: 'DgpECS-app-api', serviceRoleArn: 'arn:aws:iam::123456789012:role/codedeploy' },
    ecsServices: [{ clusterName: 'app', serviceName: 'api' }],
    loadBalancerInfo: {
      targetGroupPairInfoList: [{ targetGroups, prodTrafficRoute: { listenerArns: [ecs.productionListener] } }],
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'aws-cli-'))
  const files = { definition: join(folder, 'task-definition.json'), appSpec: join(folder, 'appspec.json') }
  const { json } = await cli('ecs', 'describe-task-definition', '--task-definition', 'api')
  const { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions } =
    json.taskDefinition
  const definition = { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions }
  const Properties = { TaskDefinition: '<TASK_DEFINITION>', LoadBalancerInfo: { ContainerName: 'api', ContainerPort: 8080 } }
  writeFileSync(files.definition, JSON.stringify(definition))
  writeFileSync(
    files.appSpec,
    JSON.stringify({ version: 0.0, Resources: [{ TargetService: { Type: 'AWS::ECS::Service', Properties } }] }),
  )
  const where = [...on, '--service', 'api', '--task-definition', files.definition, '--codedeploy-appspec', files.appSpec]
  const deployed = await cli('ecs', 'deploy', ...where)
  rmSync(folder, { recursive: true })
  expect(deployed).toMatchObject({ code: 0, stdout: expect.stringMatching(/Successfully deployed .*task-definition\/api:2/) })
  const { json: described } = await cli('ecs', 'describe-services', ...on, '--services', 'api')
  expect(described.services[0].taskSets).toContainEqual(
    expect.objectContaining({ status: 'PRIMARY', runningCount: 2, taskDefinition: expect.stringMatching(/api:2$/) }),
  )
})

test('nothing that the CLI asked was a bug of the simulator', () => {
  expect(aws.calls.list.filter(call => call.status >= 500)).toEqual([])
})
