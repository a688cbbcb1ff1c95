import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { type Play, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

const denied = (action: string): Play['scenario'] => ({
  faults: [
    {
      action,
      error: 'AccessDeniedException',
      message: `User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: ${action} on resource: *`,
    },
  ],
})
const live = (): string => stage.service().deployments?.[0]?.taskDefinition?.split('/').at(-1) ?? ''

describe('a right that is missing is named, and nothing is changed', () => {
  test.each(['ecs:DescribeServices', 'ecs:TagResource', 'ecs:DescribeTaskDefinition', 'ecs:RegisterTaskDefinition'])(
    '%s',
    async action => {
      stage = await setStage()
      stage.push('2')
      const ended = await stage.deploy({ tag: '2', scenario: denied(action) ?? {} })
      expect(ended).toMatchObject({ result: 'refused', reason: 'Forbidden' })
      expect(ended.message).toContain(`The role may not call ${action}: it needs the permission ${action}.`)
      expect(live()).toBe('web:1')
      expect(ended.seconds).toBeLessThan(2)
    },
  )

  test('that of a role to be passed', async () => {
    stage = await setStage()
    stage.push('2')
    const message =
      'User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/web'
    const ended = await stage.deploy({
      tag: '2',
      scenario: { faults: [{ action: 'ecs:RegisterTaskDefinition', error: 'AccessDeniedException', message }] },
    })
    expect(ended.message).toContain('it needs the permission iam:PassRole')
  })
})

describe('a right that is missing in the middle puts back what was begun', () => {
  test.each(['ecs:UpdateService', 'ecs:ListTasks', 'ecs:DescribeTasks'])('%s', async action => {
    stage = await setStage()
    stage.push('2')
    const ended = await stage.deploy({ tag: '2', scenario: denied(action) ?? {} })
    expect(ended.result).not.toBe('deployed')
    expect(ended.message).toContain(`needs the permission ${action}`)
    await stage.aws.advance(60)
    expect(live()).toBe('web:1')
  })
})

describe('what may be left out is said, and passed over', () => {
  test.each(['ecr:DescribeImages', 'elasticloadbalancing:DescribeTargetHealth', 'elasticloadbalancing:DescribeTargetGroups'])(
    '%s',
    async action => {
      stage = await setStage({ seed: { loadBalancer: true } })
      stage.push('2')
      const ended = await stage.deploy({ tag: '2', scenario: denied(action) ?? {} })
      expect(ended.result).toBe('deployed')
      if (!/Health/.test(action)) expect(ended.log).toContain(`Not looked at before the change: The role may not call ${action}`)
    },
  )
  test('service deployments, going forward and back', async () => {
    stage = await setStage({ scenario: { images: { 'web:3': { exit: { code: 3, after: 2 } } } } })
    for (const tag of ['2', '3']) stage.push(tag)
    const good = await stage.deploy({ tag: '2', scenario: denied('ecs:DescribeServiceDeployments') ?? {} })
    expect(good.result).toBe('deployed')
    expect(good.log).toContain("Followed by the service's rollout alone: The role may not call ecs:DescribeServiceDeployments")
    expect(await stage.deploy({ tag: '3' })).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(live()).toBe('web:2')
  })
  test('logs of what failed', async () => {
    stage = await setStage({ scenario: { images: { 'web:2': { exit: { code: 3, after: 2 }, log: ['secret'] } } } })
    stage.push('2')
    const ended = await stage.deploy({ tag: '2', scenario: denied('logs:GetLogEvents') ?? {} })
    expect(ended).toMatchObject({ result: 'rolled-back', reason: 'EssentialContainerExited' })
    expect(ended.log).not.toContain('secret')
  })
})

describe('what is not there is named, with what may have been meant', () => {
  test.each<[string, Play, RegExp]>([
    [
      'cluster',
      { platform: { cluster: 'ap' } },
      /^There is no cluster ap in eu-west-1; did you mean app\? Look at cluster and aws-region\. Nothing was changed\.$/,
    ],
    ['cluster unlike any', { platform: { cluster: 'production' } }, /^There is no cluster production in eu-west-1\. Look at/],
    [
      'service',
      { platform: { services: ['wen'] } },
      /^There is no service wen in cluster app of eu-west-1, did you mean web\? Nothing was changed\.$/,
    ],
    [
      'family',
      { target: { taskDefinition: 'other' } },
      /^There is no task definition of the family other in eu-west-1\. Nothing was changed\.$/,
    ],
    [
      'revision',
      { target: { taskDefinition: 'web:7' } },
      /^There is no task definition web:7 in eu-west-1\. Nothing was changed\.$/,
    ],
    ['file', { target: { taskDefinition: 'ecs/none.json' } }, /"ecs\/none\.json" does not exist in the workspace/],
  ])('%s', async (_, play, message) => {
    stage = await setStage()
    const ended = await stage.deploy({ tag: '1', ...play })
    expect(ended.result).toBe('refused')
    expect(ended.message).toMatch(message)
    expect(stage.aws.calls.count('ecs:UpdateService')).toBe(0)
  })

  test('a service that was deleted', async () => {
    stage = await setStage()
    stage.aws.call('ecs:DeleteService', { cluster: 'app', service: 'web', force: true })
    await stage.aws.advance(60)
    expect((await stage.deploy({ tag: '1' })).message).toBe(
      'Service web of cluster app is INACTIVE: it was deleted. Nothing was changed.',
    )
  })

  test('a container', async () => {
    stage = await setStage()
    const images = [{ container: 'wep', reference: 'x:1' }]
    const overrides = { images, environment: [], secrets: [], logOptions: [], commands: [], cpu: '', memory: '' }
    const ended = await stage.deploy({ target: { overrides } })
    expect(ended.message).toBe(
      'images: there is no container wep, did you mean web? The task definition web has web. Nothing was changed.',
    )
  })

  describe('the right to pass a role', () => {
    const ROLE = 'arn:aws:iam::123456789012:role/web-task'
    /** The same task definition with another role is the family's newest. */
    const bringRole = async (): Promise<void> => {
      stage = await setStage()
      stage.aws.call('iam:CreateRole', { RoleName: 'web-task', AssumeRolePolicyDocument: '{}' })
      const { taskDefinition } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web' })
      const { family, containerDefinitions, networkMode, cpu, memory, executionRoleArn, requiresCompatibilities } =
        taskDefinition as Record<string, unknown>
      const same = { family, containerDefinitions, networkMode, cpu, memory, executionRoleArn, requiresCompatibilities }
      stage.aws.call('ecs:RegisterTaskDefinition', { ...same, taskRoleArn: ROLE })
    }
    const simulated = (): number => stage.aws.calls.count('iam:SimulatePrincipalPolicy')

    test('is simulated', async () => {
      await bringRole()
      const scenario = { faults: [{ action: 'iam:PassRole', error: 'AccessDeniedException' }] }
      const ended = await stage.deploy({ target: { taskDefinition: 'web' }, scenario })
      expect(ended).toMatchObject({ result: 'refused', reason: 'Forbidden' })
      expect(ended.message).toBe(
        `arn:aws:iam::123456789012:role/deploy may not pass the role ${ROLE} on to ECS: it needs the permission iam:PassRole for it. Nothing was changed.`,
      )
      expect(stage.aws.calls.count('ecs:RegisterTaskDefinition') + stage.aws.calls.count('ecs:UpdateService')).toBe(0)
    })
    test.each(['iam:SimulatePrincipalPolicy', 'sts:GetCallerIdentity'])('is passed over without %s', async action => {
      await bringRole()
      const ended = await stage.deploy({ target: { taskDefinition: 'web' }, scenario: denied(action) ?? {} })
      expect(ended.result).toBe('deployed')
      expect(ended.log).toContain(`Not looked at before the change: The role may not call ${action}`)
    })
    test('is nothing to ask for where it is there, or where no role is new', async () => {
      await bringRole()
      expect((await stage.deploy({ target: { taskDefinition: 'web' } })).result).toBe('deployed')
      expect(simulated()).toBe(1)
      stage.push('2')
      expect((await stage.deploy({ tag: '2' })).result).toBe('deployed')
      expect(simulated()).toBe(1)
    })
  })

  test('secrets, log groups and images, all at once', async () => {
    stage = await setStage()
    const secrets = [{ container: 'web', name: 'KEY', value: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:none-AbCdEf' }]
    const logOptions = [{ container: 'web', name: 'awslogs-group', value: '/none' }]
    const images = [{ container: 'web', reference: `${stage.seeded.repository}:9` }]
    const ended = await stage.deploy({
      target: { overrides: { images, environment: [], secrets, logOptions, commands: [], cpu: '', memory: '' } },
    })
    expect(ended.result).toBe('refused')
    expect(ended.message).toMatch(
      /web:9 is not in Amazon ECR.*secret:none-AbCdEf is not in Secrets Manager.*The log group \/none is not there.*Nothing was changed\.$/,
    )
  })
})
