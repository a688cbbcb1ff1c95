// What is looked for before a change: where it is to be, and what is not to be known beforehand.
import type { ContainerDefinition } from '@aws-sdk/client-ecs'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { AwsApi } from '../../src/ecs/api.ts'
import { rolesNotToBePassed } from '../../src/ecs/pass-role.ts'
import { createLog } from '../../src/runner/log.ts'
import { type Ended, type Play, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

type Prepare = (on: Stage) => void

/** Deploys the family's newest revision, which is the live one with this of its container. */
async function bring(
  container: Partial<ContainerDefinition>,
  prepare: Prepare = () => undefined,
  play: Play = {},
): Promise<Ended> {
  stage = await setStage()
  prepare(stage)
  const { taskDefinition } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web' })
  const { family, containerDefinitions, networkMode, cpu, memory, executionRoleArn, requiresCompatibilities } =
    taskDefinition as Record<string, unknown>
  const [own] = containerDefinitions as ContainerDefinition[]
  const same = { family, networkMode, cpu, memory, executionRoleArn, requiresCompatibilities }
  stage.aws.call('ecs:RegisterTaskDefinition', { ...same, containerDefinitions: [{ ...own, ...container }] })
  return stage.deploy({ ...play, target: { taskDefinition: 'web' } })
}

const REGISTRY = '123456789012.dkr.ecr.eu-west-1.amazonaws.com'
const cacheRule =
  (prefix: string): Prepare =>
  on =>
    void on.aws.call('ecr:CreatePullThroughCacheRule', {
      ...{ ecrRepositoryPrefix: prefix, upstreamRegistryUrl: 'registry-1.docker.io' },
    })
const put =
  (action: string, input: object, region?: string): Prepare =>
  on =>
    void on.aws.call(action, input, region)
const secret = (valueFrom: string): Partial<ContainerDefinition> => ({ secrets: [{ name: 'KEY', valueFrom }] })
const logsTo = (region: string): Partial<ContainerDefinition> => ({
  logConfiguration: {
    logDriver: 'awslogs',
    options: { 'awslogs-group': '/elsewhere', 'awslogs-region': region, 'awslogs-stream-prefix': 'ecs' },
  },
})
const credentials = (credentialsParameter: string): Partial<ContainerDefinition> => ({
  image: 'registry.example/web:2',
  repositoryCredentials: { credentialsParameter },
})
const parameter = (region: string, account: string): string => `arn:aws:ssm:${region}:${account}:parameter/shop/db`
const OWN = '123456789012'
const DB = { Name: '/shop/db', Value: 'v', Type: 'SecureString' }

describe('what is not in this region, this account or this registry yet', () => {
  test.each<[string, Partial<ContainerDefinition>, Prepare]>([
    ['an image that a pull-through cache rule brings', { image: `${REGISTRY}/hub/library/nginx:1` }, cacheRule('hub')],
    ['one of a rule for all repositories', { image: `${REGISTRY}/nginx:1` }, cacheRule('ROOT')],
    [
      'a log group of another region',
      logsTo('us-east-1'),
      put('logs:CreateLogGroup', { logGroupName: '/elsewhere' }, 'us-east-1'),
    ],
    ['a parameter of another region', secret(parameter('us-east-1', OWN)), put('ssm:PutParameter', DB, 'us-east-1')],
    ['a parameter by its ARN', secret(parameter('eu-west-1', OWN)), put('ssm:PutParameter', DB)],
    [
      "a registry's credentials by their name",
      credentials('hub-login'),
      put('secretsmanager:CreateSecret', { Name: 'hub-login', SecretString: '{}' }),
    ],
  ])('%s is deployed', async (_, container, prepare) => {
    const ended = await bring(container, prepare)
    expect([ended.result, ended.message]).toEqual(['deployed', expect.any(String)])
  })

  test('an image is passed over with a warning where the rules may not be read', async () => {
    const ended = await bring({ image: `${REGISTRY}/hub/nginx:1` }, cacheRule('hub'), {
      scenario: { faults: [{ action: 'ecr:DescribePullThroughCacheRules', error: 'AccessDeniedException' }] },
    })
    expect(ended.result).toBe('deployed')
    expect(ended.log).toMatch(/hub\/nginx:1 is not in Amazon ECR.*ecr:DescribePullThroughCacheRules/)
  })
})

describe('what is missing is still named', () => {
  test.each<[string, Partial<ContainerDefinition>, Prepare, RegExp]>([
    [
      'an image beside the rules',
      { image: `${REGISTRY}/hubble/nginx:1` },
      cacheRule('hub'),
      /hubble\/nginx:1 is not in Amazon ECR: push it first/,
    ],
    ['a log group of this region', logsTo('eu-west-1'), () => undefined, /The log group \/elsewhere is not there/],
    [
      "another account's parameter, whatever is here under its name",
      secret(parameter('eu-west-1', '210987654321')),
      put('ssm:PutParameter', DB),
      /The parameter arn:aws:ssm:eu-west-1:210987654321:parameter\/shop\/db is not in Systems Manager/,
    ],
    ["a registry's credentials", credentials('hub-login'), () => undefined, /The secret hub-login is not in Secrets Manager/],
  ])('%s', async (_, container, prepare, message) => {
    expect(await bring(container, prepare)).toMatchObject({ result: 'refused', message: expect.stringMatching(message) })
  })
})

describe('of several roles', () => {
  const [web, job] = ['arn:aws:iam::1:role/web', 'arn:aws:iam::1:role/job']
  const result = (role: string, decision: string, missing: readonly string[] = []): object => ({
    ...{ EvalResourceName: role, EvalResourceDecision: decision, MissingContextValues: missing },
  })
  /** As IAM answers: the roles' own results are below one for all of them. */
  const answering = (results: readonly object[], missing: readonly string[]): AwsApi => {
    const top = { EvalActionName: 'iam:PassRole', EvalResourceName: 'arn:$', EvalDecision: 'implicitDeny' }
    const call = async (_: string, operation: string): Promise<object> =>
      operation === 'GetCallerIdentity'
        ? { Arn: 'arn:aws:iam::1:user/ci' }
        : { EvaluationResults: [{ ...top, MissingContextValues: missing, ResourceSpecificResults: results }] }
    return Object.assign(Object.create(AwsApi.prototype), { call }) as AwsApi
  }
  const says = async (results: readonly object[], missing: readonly string[] = []): Promise<readonly (string | undefined)[]> => {
    const log = createLog(() => undefined)
    const found = await rolesNotToBePassed(answering(results, missing), [web, job], log)
    return found.map(sentence => /the role (\S+)/.exec(sentence)?.[1])
  }

  test('the one of an older answer, with a result for each alone, is named', async () => {
    const api = Object.assign(Object.create(AwsApi.prototype), {
      call: async (_: string, operation: string): Promise<object> =>
        operation === 'GetCallerIdentity'
          ? { Arn: 'arn:aws:iam::1:user/ci' }
          : {
              EvaluationResults: [
                { EvalResourceName: web, EvalDecision: 'allowed' },
                { EvalResourceName: job, EvalDecision: 'implicitDeny' },
              ],
            },
    }) as AwsApi
    const found = await rolesNotToBePassed(
      api,
      [web, job],
      createLog(() => undefined),
    )
    expect(found).toEqual([expect.stringContaining(`the role ${job} `)])
  })

  test.each<[string, readonly object[], readonly string[], readonly string[]]>([
    ['the one that may not be passed', [result(web, 'allowed'), result(job, 'implicitDeny')], [], [job]],
    ['both', [result(web, 'explicitDeny'), result(job, 'implicitDeny')], [], [web, job]],
    [
      "not one that only the real call decides on, nor is another's condition its own",
      [result(web, 'implicitDeny', ['aws:RequestedRegion']), result(job, 'implicitDeny')],
      ['aws:RequestedRegion'],
      [job],
    ],
  ])('%s is named', async (_, results, missing, roles) => {
    expect(await says(results, missing)).toEqual(roles)
  })
})
