// The reusable workflows as another repository calls them: acme/web, with a Dockerfile, manifests and workflows of its own, run by act against the
// sandbox's builder, registry and cluster. The tests tell one story, each goes on where the one before it ended.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { writeReleaseTree } from '../../scripts/release-tree.ts'
import { runWorkflow, type WorkflowRun } from './run-workflow.ts'
import { TestNamespace } from './test-namespace.ts'

const root = mkdtempSync(join(tmpdir(), 'workflows-'))
const repository = join(root, 'web')
const releaseTree = join(root, 'release')
const nodePort = 31_000 + Math.floor(Math.random() * 1_700)
const namespace = new TestNamespace('workflows')
const { KUBECONFIG = '', ...runner } = namespace.env
const kubeconfig = readFileSync(KUBECONFIG)
let url = ''
/** The revisions that were deployed, in their order. */
const revisions: string[] = []

beforeAll(() => {
  writeReleaseTree(releaseTree)
  cpSync(join(import.meta.dirname, 'fixtures', 'acme-web'), repository, { recursive: true })
  replaceIn('k8s/web.yml', '30080', String(nodePort))
  git('init', '-q', '-b', 'main')
  git('remote', 'add', 'origin', 'https://github.com/acme/web')
  const [host] = namespace
    .kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'], false)
    .split(' ')
  url = `http://${host}:${nodePort}/`
})
afterAll(() => {
  namespace.remove()
  rmSync(root, { recursive: true, force: true })
})

function git(...args: string[]): string {
  const identity = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' }
  return execFileSync('git', args, { cwd: repository, env: { ...process.env, ...identity }, encoding: 'utf8' }).trim()
}

function replaceIn(file: string, text: string, by: string): void {
  const before = readFileSync(join(repository, file), 'utf8')
  if (!before.includes(text)) throw new Error(`${file} has no ${text}`)
  writeFileSync(join(repository, file), before.replace(text, by))
}

function commit(message: string): string {
  git('add', '.')
  git('commit', '-q', '--allow-empty', '-m', message)
  const revision = git('rev-parse', 'HEAD')
  revisions.push(revision)
  return revision
}

function run(
  workflow: string,
  event: 'push' | 'workflow_dispatch',
  more: { variables?: Record<string, string>; inputs?: Record<string, string> } = {},
): Promise<WorkflowRun> {
  return runWorkflow({
    repository,
    workflow,
    event,
    releaseTree,
    // The cluster is reached by the secret alone.
    env: runner,
    secrets: { KUBECONFIG: kubeconfig.toString('base64') },
    variables: { BASE_IMAGE: runner['BASE_IMAGE'] ?? '', NAMESPACE: namespace.name, SMOKE_URL: url, ...more.variables },
    ...(more.inputs === undefined ? {} : { inputs: more.inputs }),
    cache: join(root, 'cache'),
  })
}

const push = (variables: Record<string, string> = {}): Promise<WorkflowRun> => run('deploy.yml', 'push', { variables })
const dispatch = (inputs: Record<string, string>): Promise<WorkflowRun> => run('rollback.yml', 'workflow_dispatch', { inputs })

async function served(): Promise<string> {
  const answer = await fetch(url, { headers: { connection: 'close' } })
  return ((await answer.json()) as { version: string }).version
}

const address = (number: number): string => `k8s://${namespace.name}/web/${number}`

describe('deploy-k8s.yml', () => {
  test('takes the first commit to a release, which nobody verifies where there is no smoke test', async () => {
    const revision = commit('one')
    git('tag', 'v1.0.0')
    const { green, errors, jobs, steps, outputs, log } = await push({ SMOKE_URL: '' })
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(jobs).toEqual({ build: 'success', deploy: 'success', announce: 'success' })
    expect(steps['Smoke test']).toBeUndefined()
    expect(outputs['Build and push']).toMatchObject({ result: 'pushed', tag: `1.0.0-${revision.slice(0, 7)}` })
    expect(log).toContain(`announced ${address(1)} deployed verified=false 127.0.0.1:5000/acme/web@sha256:`)
    expect(namespace.releases('web')).toEqual({ 1: 'deployed' })
    expect(await served()).toBe(revision)
  })

  test('puts the previous release back when the smoke test fails and none was ever verified', async () => {
    replaceIn('Dockerfile', '"$REVISION"', '"unknown"')
    commit('two, which does not know what it is')
    const { green, jobs, steps, outputs } = await push()
    expect({ green, jobs }).toEqual({ green: false, jobs: { build: 'success', deploy: 'failure' } })
    expect(steps).toMatchObject({ Deploy: 'success', 'Smoke test': 'failure', 'Roll back': 'failure' })
    expect(outputs['Roll back']).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(outputs['Roll back to the previous release, for none was ever verified']).toMatchObject({ result: 'rolled-back' })
    expect(namespace.releases('web')).toMatchObject({ 1: 'deployed', 2: 'rolled-back' })
    expect(await served()).toBe(revisions[0])
  })

  test('takes a commit to a verified release', async () => {
    replaceIn('Dockerfile', '"unknown"', '"$REVISION"')
    const revision = commit('three')
    const { green, errors, outputs, log, summaries } = await push()
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(outputs['Smoke test']).toMatchObject({ result: 'passed', failed: '0' })
    const release = outputs['Deploy']?.['release'] ?? ''
    expect(log).toContain(`announced ${release} deployed verified=true`)
    expect(namespace.releases('web')[release.split('/').at(-1) ?? '']).toBe('verified')
    expect(summaries).toHaveLength(3)
    expect(await served()).toBe(revision)
  })

  test('rolls a release whose smoke test fails back to the last verified one, and ends red', async () => {
    replaceIn('Dockerfile', '"$REVISION"', '"unknown"')
    commit('four, which answers wrongly')
    const { green, jobs, steps, outputs } = await push()
    expect({ green, jobs }).toEqual({ green: false, jobs: { build: 'success', deploy: 'failure' } })
    expect(steps).toMatchObject({ Deploy: 'success', 'Smoke test': 'failure', 'Roll back': 'success' })
    expect(outputs['Smoke test']).toMatchObject({ result: 'failed', reason: 'WrongVersion' })
    expect(outputs['Roll back']).toMatchObject({ result: 'rolled-back', 'previous-release': outputs['Deploy']?.['release'] })
    const bad = outputs['Deploy']?.['release']?.split('/').at(-1) ?? ''
    expect(namespace.releases('web')[bad]).toBe('rolled-back')
    expect(await served()).toBe(revisions[2])
  })

  test('leaves a release alone when the smoke test itself is written wrongly', async () => {
    replaceIn('Dockerfile', '"unknown"', '"$REVISION"')
    const revision = commit('five')
    const { green, steps, outputs } = await push({ SMOKE_STATUS: 'fine' })
    expect({ green, steps }).toMatchObject({ green: false, steps: { Deploy: 'success', 'Smoke test': 'failure' } })
    expect(outputs['Smoke test']).toMatchObject({ result: 'failed', reason: 'InvalidInput' })
    expect(steps['Roll back']).toBeUndefined()
    expect(await served()).toBe(revision)
  })

  test('puts back what crashes before any smoke test, and ends red', async () => {
    replaceIn('Dockerfile', 'CMD ["httpd", ', 'CMD ["httpd", "--no-such-option", ')
    commit('six, which crashes')
    const { green, steps, outputs } = await push()
    expect({ green, steps }).toMatchObject({ green: false, steps: { Deploy: 'failure' } })
    expect(outputs['Deploy']).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
    expect([steps['Smoke test'], steps['Roll back']]).toEqual([undefined, undefined])
    expect(await served()).toBe(revisions[4])
  })

  test('stops at a build that fails, with nothing deployed', async () => {
    const before = namespace.releases('web')
    replaceIn('Dockerfile', 'RUN mkdir', 'RUN exit 7 && mkdir')
    commit('seven, which does not build')
    const { green, jobs, outputs } = await push()
    expect({ green, jobs }).toEqual({ green: false, jobs: { build: 'failure' } })
    expect(outputs['Build and push']).toMatchObject({ result: 'failed', reason: 'BuildFailed' })
    expect(namespace.releases('web')).toEqual(before)
    expect(await served()).toBe(revisions[4])
  })
})

describe('rollback.yml', () => {
  test('says what it would put back, and changes nothing', async () => {
    const before = namespace.releases('web')
    const { green, errors, outputs } = await dispatch({ 'dry-run': 'true' })
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(JSON.parse(outputs['Roll back']?.['restored'] ?? '')).toMatchObject({ release: expect.any(Number) })
    expect(namespace.releases('web')).toEqual(before)
    expect(await served()).toBe(revisions[4])
  })

  test('puts the last verified release back by hand', async () => {
    const { green, errors, outputs } = await dispatch({ to: 'last-verified' })
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(outputs['Roll back']).toMatchObject({ result: 'rolled-back' })
    expect(await served()).toBe(revisions[2])
  })

  test('puts the first release back by its number', async () => {
    const { green, errors, outputs } = await dispatch({ to: '1' })
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(outputs['Roll back']).toMatchObject({ result: 'rolled-back' })
    expect(await served()).toBe(revisions[0])
  })

  test('ends red for a release that is not there', async () => {
    const { green, outputs } = await dispatch({ to: '99' })
    expect(green).toBe(false)
    expect(outputs['Roll back']).toMatchObject({ result: 'failed', reason: 'NotFound' })
    expect(await served()).toBe(revisions[0])
  })
})

describe('deploy-k8s.yml without manifests', () => {
  const setImage = (inputs: Record<string, string>): Promise<WorkflowRun> => run('set-image.yml', 'workflow_dispatch', { inputs })

  test('gives the built image to the container that is named', async () => {
    replaceIn('Dockerfile', 'RUN exit 7 && mkdir', 'RUN mkdir')
    replaceIn('Dockerfile', '"--no-such-option", ', '')
    const revision = commit('eight')
    const { green, errors } = await setImage({ image: '127.0.0.1:5000/acme/web', 'set-image': 'deployment/web web' })
    expect({ green, errors }).toEqual({ green: true, errors: [] })
    expect(await served()).toBe(revision)
  })

  test('builds nothing where an image is given', async () => {
    const image = `127.0.0.1:5000/acme/web:1.0.0-${revisions[2]?.slice(0, 7)}`
    const { green, errors, steps } = await setImage({ 'set-image': `deployment/web web=${image}` })
    expect({ green, errors, built: steps['Build and push'] }).toEqual({ green: true, errors: [], built: undefined })
    expect(await served()).toBe(revisions[2])
  })
})
