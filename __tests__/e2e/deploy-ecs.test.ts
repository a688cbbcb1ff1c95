// The built deploy-ecs, rollback and smoke-test, run as the runner does, against the simulated AWS over real HTTP.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Service, Tag } from '@aws-sdk/client-ecs'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Aws, startAws } from '../../sandbox/aws/aws.ts'
import { pushImage, type Seeded, seed } from '../../sandbox/aws/seed.ts'
import { type ActionResult, type RunActionOptions, runAction } from '../harness/run-action.ts'

jest.setTimeout(240_000)

/** The simulator's seconds are shorter than the machine's; how often is polled goes by the machine's. */
const SPEED = 4

let aws: Aws
let seeded: Seeded
let digest = ''

beforeEach(async () => {
  aws = await startAws({ speed: SPEED })
  seeded = await seed(aws)
  digest = pushImage(aws, 'web', '2')
  pushImage(aws, 'web', '3')
})
afterEach(() => aws.close())

const run = (action: string, inputs: Record<string, string>, more: Partial<RunActionOptions> = {}): Promise<ActionResult> =>
  runAction({ action, inputs, env: aws.environment, giveUpAfter: 200_000, ...more })
const deploy = (inputs: Record<string, string> = {}, more: Partial<RunActionOptions> = {}): Promise<ActionResult> =>
  run('deploy-ecs', { cluster: 'app', service: 'web', images: `web=${seeded.repository}:2`, ...inputs }, more)
const crashes = (): void =>
  aws.scenario({ images: { 'web:2': { exit: { code: 3, after: 2 }, log: ['no DATABASE_URL\n::error::owned'] } } })

function service(): Service {
  const { services } = aws.call('ecs:DescribeServices', { cluster: 'app', services: ['web'], include: ['TAGS'] }) as {
    services: Service[]
  }
  return services[0] ?? {}
}
const live = (): string =>
  service()
    .deployments?.find(({ status }) => status === 'PRIMARY')
    ?.taskDefinition?.split('/')
    .at(-1) ?? ''
const tagsOf = (revision: string): readonly Tag[] =>
  (aws.call('ecs:DescribeTaskDefinition', { taskDefinition: revision, include: ['TAGS'] }) as { tags?: Tag[] }).tags ?? []
const statusOf = (revision: string): string =>
  tagsOf(revision)
    .find(({ key }) => key === 'deploy-actions:app/web')
    ?.value?.split(' ')[0] ?? ''

describe('deploy-ecs, built', () => {
  test('deploys, proves the digest and records the release', async () => {
    const step = await deploy()
    expect(step).toMatchObject({
      conclusion: 'success',
      outputs: { result: 'deployed', reason: '', release: 'ecs://app/web/web:2', 'previous-release': 'ecs://app/web/web:1' },
    })
    expect(step.outputs['task-definition-arn']).toMatch(/:task-definition\/web:2$/)
    expect(step.outputs['deployment-id']).toMatch(/:service-deployment\/app\/web\//)
    const digests = JSON.parse(step.outputs['digests'] ?? '') as Record<string, Record<string, string>>
    expect(digests['service/web']?.['web']).toBe(digest)
    expect(step.summary).toContain('✅ Deployed')
    expect(readFileSync(step.outputs['summary'] ?? '', 'utf8')).toContain('### What runs')
    expect([live(), statusOf('web:2')]).toEqual(['web:2', 'deployed'])
    expect(tagsOf('web:2').find(({ key }) => key === 'deploy-actions:commit')?.value).toMatch(/^[0-9a-f]{40}$/)
    expect(service().tags?.some(({ key }) => key === 'deploy-actions:lock')).toBe(false)
  })

  test('puts back what crashes, with its last words, and stays red', async () => {
    crashes()
    const step = await deploy()
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'rolled-back', reason: 'EssentialContainerExited' } })
    expect(step.outputs['message']).toMatch(/container web ended with exit code 3 .*web:1 was put back and is healthy\.$/)
    expect(step.annotations).toHaveLength(1)
    expect(step.summary).toContain('no DATABASE_URL\n')
    expect([live(), statusOf('web:2')]).toEqual(['web:1', 'rolled-back'])
    expect(aws.calls.count('ecs:StopServiceDeployment')).toBe(1)
  })

  test('changes nothing for an image that is not there', async () => {
    const step = await deploy({ images: `web=${seeded.repository}:9` })
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'CannotPullContainerError' } })
    expect(step.outputs['message']).toMatch(/web:9 is not in Amazon ECR: push it first\. Nothing was changed\.$/)
    expect(aws.calls.count('ecs:RegisterTaskDefinition') + aws.calls.count('ecs:UpdateService')).toBe(0)
    expect(step.seconds).toBeLessThan(15)
  })

  test('registers nothing when nothing changes', async () => {
    const step = await deploy({ images: `web=${seeded.repository}:1` })
    expect(step).toMatchObject({ conclusion: 'success', outputs: { result: 'unchanged', release: 'ecs://app/web/web:1' } })
    expect(aws.calls.count('ecs:RegisterTaskDefinition') + aws.calls.count('ecs:UpdateService')).toBe(0)
  })

  test('only says what would change', async () => {
    const step = await deploy({ 'dry-run': 'true', environment: 'web LOG_LEVEL=debug' })
    expect(step).toMatchObject({ conclusion: 'success', outputs: { result: 'unchanged' } })
    expect(step.outputs['diff']).toContain('+ containers.web.environment.LOG_LEVEL: debug')
    expect(aws.calls.list.filter(({ action }) => /Register|Update|Tag/.test(action) && !/List|Describe/.test(action))).toEqual([])
  })

  test('reads a file, and names line and column of what is wrong in it', async () => {
    const workspace = mkdtempSync(join(tmpdir(), 'ecs-workspace-'))
    writeFileSync(join(workspace, 'web.json'), '{\n  "family": "web",\n  "containerDefinitions": [}\n')
    const step = await deploy({ 'task-definition': 'web.json' }, { workspace })
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'InvalidInput' } })
    expect(step.annotations[0]).toMatchObject({ file: 'web.json', line: 3 })
    expect(aws.calls.count('ecs:RegisterTaskDefinition')).toBe(0)
  })

  test.each([
    ['cluster', { cluster: 'ap' }, /There is no cluster ap in eu-west-1; did you mean app\? .*Nothing was changed/],
    ['service', { service: 'wb' }, /There is no service wb in cluster app of eu-west-1, did you mean web\? Nothing was changed/],
    ['family', { 'task-definition': 'other' }, /There is no task definition of the family other in eu-west-1/],
    ['region', { 'aws-region': 'us-west-2' }, /There is no cluster app in us-west-2/],
  ])('says in one sentence that the %s is wrong', async (_, inputs, message) => {
    const step = await deploy(inputs as Record<string, string>)
    expect(step).toMatchObject({
      conclusion: 'failure',
      outputs: { result: 'failed', reason: 'NotFound', message: expect.stringMatching(message) },
    })
    expect(aws.calls.count('ecs:UpdateService')).toBe(0)
  })

  test('tells all wrong inputs at once, before anything is asked', async () => {
    const asked = aws.calls.list.length
    const step = await deploy({ images: 'web', timeout: 'soon', 'desired-count': 'many', strategy: 'blue' })
    expect(step.outputs['message']).toMatch(/4 inputs are wrong; nothing was changed\./)
    expect(aws.calls.list.length).toBe(asked)
  })

  test('says that there are no credentials', async () => {
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...env } = aws.environment as Record<string, string>
    const step = await deploy({}, { env: { ...env, AWS_EC2_METADATA_DISABLED: 'true' } })
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { reason: 'Unauthorized' } })
    expect(step.outputs['message']).toMatch(/there are no AWS credentials; run aws-actions\/configure-aws-credentials/)
  })

  test('comes up though every third call is throttled', async () => {
    aws.scenario({ faults: [{ action: '*', error: 'ThrottlingException', rate: 0.3 }] })
    expect(await deploy()).toMatchObject({ conclusion: 'success', outputs: { result: 'deployed' } })
  })

  test('leaves another deployment alone, and says whose it is', async () => {
    const step = await deploy(
      { timeout: '2m' },
      {
        onOutput: text => {
          if (!/1\.\d s .*in progress/.test(text) || live() !== 'web:2') return
          aws.call('ecs:UpdateService', { cluster: 'app', service: 'web', taskDefinition: 'web:1' })
        },
      },
    )
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'Superseded' } })
    expect(live()).toBe('web:1')
    expect(step.seconds).toBeLessThan(60)
  })

  test('a cancel stops the deployment in its first seconds', async () => {
    let cancelledAt = 0
    const inProgress = (output: string): boolean => {
      if (!/in progress/.test(output)) return false
      if (cancelledAt === 0) cancelledAt = aws.clock.now()
      return true
    }
    const step = await deploy({}, { cancelAfter: { when: inProgress } })
    expect(step.conclusion).toBe('cancelled')
    const stop = aws.calls.list.find(({ action }) => action === 'ecs:StopServiceDeployment')
    expect(((stop?.at ?? Number.POSITIVE_INFINITY) - cancelledAt) / 1_000 / SPEED).toBeLessThan(3)
    expect([live(), statusOf('web:2')]).toEqual(['web:1', 'rolled-back'])
  })

  test('a killed step is put back by its post step', async () => {
    const step = await deploy({}, { killAfter: { when: output => /in progress/.test(output) } })
    expect(step.conclusion).not.toBe('success')
    expect([live(), statusOf('web:2')]).toEqual(['web:1', 'rolled-back'])
  })
})

test('a verified release is what rollback goes back to', async () => {
  const server = createServer((_, response) => response.end('ok'))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const first = await deploy()
    const smoke = await run('smoke-test', { url, verifies: first.outputs['release'] ?? '' })
    expect(smoke).toMatchObject({ conclusion: 'success', outputs: { result: 'passed' } })
    expect(statusOf('web:2')).toBe('verified')
    const second = await deploy({ images: `web=${seeded.repository}:3` })
    expect(second.outputs['release']).toBe('ecs://app/web/web:3')
    const back = await run('rollback', {
      target: 'ecs',
      cluster: 'app',
      service: 'web',
      'bad-release': 'ecs://app/web/web:3',
      'stable-for': '0s',
    })
    expect(back).toMatchObject({
      conclusion: 'success',
      outputs: { result: 'rolled-back', release: 'ecs://app/web/web:2', 'previous-release': 'ecs://app/web/web:3' },
    })
    expect([live(), statusOf('web:2'), statusOf('web:3')]).toEqual(['web:2', 'verified', 'rolled-back'])
    const again = await run('rollback', { target: 'ecs', cluster: 'app', service: 'web', 'bad-release': 'ecs://app/web/web:3' })
    expect(again).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'NotFound' } })
    expect(again.outputs['message']).toMatch(/web:3 is not live, ecs:\/\/app\/web\/web:2 is; nothing was changed/)
  } finally {
    server.close()
  }
})
