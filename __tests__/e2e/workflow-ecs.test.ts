// The reusable workflow for ECS as another repository calls it: acme/web, run by act against the sandbox's builder and registry and the simulated AWS. The
// tests tell one story, each goes on where the one before it ended.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Aws, startAws } from '../../sandbox/aws/aws.ts'
import { seed } from '../../sandbox/aws/seed.ts'
import { sandboxVariables } from '../../sandbox/index.ts'
import { writeReleaseTree } from '../../scripts/release-tree.ts'
import { runWorkflow, type WorkflowRun } from './run-workflow.ts'

const root = mkdtempSync(join(tmpdir(), 'workflow-ecs-'))
const repository = join(root, 'web')
const releaseTree = join(root, 'release')
/** What the app answers. */
let status = 200
const app = createServer((_, response) => response.writeHead(status).end('hello'))
let aws: Aws

beforeAll(async () => {
  aws = await startAws({ speed: 4 })
  await seed(aws)
  await new Promise<void>(done => app.listen(0, '127.0.0.1', done))
  writeReleaseTree(releaseTree)
  cpSync(join(import.meta.dirname, 'fixtures', 'acme-web'), repository, { recursive: true })
  git('init', '-q', '-b', 'main')
  git('remote', 'add', 'origin', 'https://github.com/acme/web')
})
afterAll(async () => {
  app.close()
  await aws.close()
  rmSync(root, { recursive: true, force: true })
})

function git(...args: string[]): void {
  const identity = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' }
  execFileSync('git', args, { cwd: repository, env: { ...process.env, ...identity } })
}

function push(message: string): Promise<WorkflowRun> {
  git('add', '.')
  git('commit', '-q', '--allow-empty', '-m', message)
  git('tag', '-f', 'v1.0.0')
  const sandbox = sandboxVariables()
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_ENDPOINT_URL = '' } = aws.environment
  return runWorkflow({
    repository,
    workflow: 'deploy-ecs.yml',
    event: 'push',
    releaseTree,
    env: { ...sandbox, AWS_ENDPOINT_URL },
    secrets: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
    variables: { BASE_IMAGE: sandbox['BASE_IMAGE'] ?? '', SMOKE_URL: `http://127.0.0.1:${(app.address() as AddressInfo).port}/` },
    cache: join(root, 'cache'),
  })
}

function live(): string {
  const { services } = aws.call('ecs:DescribeServices', { cluster: 'app', services: ['web'] }) as {
    services: { deployments: { status: string; taskDefinition: string }[] }[]
  }
  return (
    services[0]?.deployments
      .find(deployment => deployment.status === 'PRIMARY')
      ?.taskDefinition.split('/')
      .at(-1) ?? ''
  )
}

describe('deploy-ecs.yml', () => {
  test('takes a commit to a verified release', async () => {
    const { green, errors, jobs, log } = await push('one')
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(jobs).toEqual({ build: 'success', deploy: 'success', announce: 'success' })
    expect(log).toContain('announced ecs://app/web/web:2 deployed verified=true 127.0.0.1:5000/acme/web@sha256:')
    expect(live()).toBe('web:2')
  })

  test('rolls a release whose smoke test fails back to the last verified one, and ends red', async () => {
    status = 500
    const { green, steps, outputs } = await push('two, which answers 500')
    expect({ green, steps }).toMatchObject({
      green: false,
      steps: { Deploy: 'success', 'Smoke test': 'failure', 'Roll back': 'success' },
    })
    expect(outputs['Roll back']).toMatchObject({
      result: 'rolled-back',
      release: 'ecs://app/web/web:2',
      'previous-release': 'ecs://app/web/web:3',
    })
    expect(live()).toBe('web:2')
  })

  test('puts back what crashes before any smoke test, and ends red', async () => {
    status = 200
    aws.scenario({ containers: { web: { exit: { code: 3, after: 1 } } } })
    const { green, steps, outputs } = await push('three, which crashes')
    expect({ green, steps }).toMatchObject({ green: false, steps: { Deploy: 'failure' } })
    expect(steps['Smoke test']).toBeUndefined()
    expect(outputs['Deploy']).toMatchObject({ reason: 'EssentialContainerExited' })
  })
})
