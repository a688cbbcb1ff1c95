// The built build-push, run as the runner does, against the sandbox's builder and registry.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { sandboxVariables } from '../../sandbox/index.ts'
import { type ActionResult, type RunActionOptions, runAction } from '../harness/run-action.ts'

const sandbox = sandboxVariables({ PATH: process.env['PATH'] })
const registry = sandbox['REGISTRY'] ?? ''
const base = sandbox['BASE_IMAGE'] ?? ''
const run = Date.now().toString(36)
const image = `${registry}/e2e/build-${run}`
const DIGEST = /^sha256:[0-9a-f]{64}$/

let root = ''
let workspace = ''
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'build-push-e2e-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(() => {
  workspace = mkdtempSync(join(root, 'workspace-'))
  git('init', '-q')
  write('Dockerfile', 'FROM $BASE\nRUN echo "built by $WHO"')
  commit('v1.4.2')
})

function git(...args: string[]): string {
  const identity = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' }
  return execFileSync('git', args, { cwd: workspace, env: { ...process.env, ...identity }, encoding: 'utf8' }).trim()
}

function write(file: string, lines: string): void {
  mkdirSync(dirname(join(workspace, file)), { recursive: true })
  writeFileSync(join(workspace, file), file.endsWith('Dockerfile') ? `ARG BASE=${base}\n${lines}\n` : lines)
}

function commit(tag?: string): string {
  git('add', '.')
  git('commit', '-q', '--allow-empty', '-m', `${Math.random()}`)
  if (tag !== undefined) git('tag', tag)
  return git('rev-parse', 'HEAD')
}

function buildPush(inputs: Record<string, string>, more: Partial<RunActionOptions> = {}): Promise<ActionResult> {
  const { env, ...others } = more
  return runAction({
    action: 'build-push',
    inputs: { image, ...inputs },
    env: { ...sandbox, ...env },
    workspace,
    giveUpAfter: 120_000,
    ...others,
  })
}

async function digestIn(host: string, repository: string, tag: string): Promise<string | null> {
  const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { method: 'HEAD', headers: { accept } })
  return answer.status === 200 ? answer.headers.get('docker-content-digest') : null
}

describe('build-push, built', () => {
  test('pushes, and says the digest the registry has', async () => {
    const sha = git('rev-parse', 'HEAD')
    const step = await buildPush({ 'build-args': 'WHO=e2e', 'extra-tags': 'edge' })
    const tag = `1.4.2-${sha.slice(0, 7)}`
    const digest = step.outputs['digest'] ?? ''
    expect(step).toMatchObject({
      conclusion: 'success',
      outputs: {
        result: 'pushed',
        reason: '',
        version: '1.4.2',
        tag,
        image: `${image}:${tag}`,
        'image-ref': `${image}@${digest}`,
      },
    })
    expect(digest).toMatch(DIGEST)
    expect(await digestIn(registry, image.slice(registry.length + 1), tag)).toBe(digest)
    expect(await digestIn(registry, image.slice(registry.length + 1), 'edge')).toBe(digest)
    expect(step.summary).toContain(`| \`${image}\` | \`${tag}\` | \`${digest}\` | \`${sha.slice(0, 12)}\` | pushed |`)
    expect(readFileSync(step.outputs['summary'] ?? '', 'utf8').trim()).toBe(step.summary.trim())
  })

  test('the same commit is skipped, and a further tag is given without a build', async () => {
    const first = await buildPush({})
    const second = await buildPush({ 'extra-tags': 'further' })
    expect(second).toMatchObject({ conclusion: 'success', outputs: { result: 'skipped', digest: first.outputs['digest'] } })
    expect(second.output).not.toContain('RUN echo')
    expect(await digestIn(registry, image.slice(registry.length + 1), 'further')).toBe(first.outputs['digest'])
  })

  test('another commit never takes a tag over; rebuild does', async () => {
    const inputs = { 'tag-scheme': 'semver', version: '7.0.0' }
    const first = await buildPush(inputs)
    expect(first.conclusion).toBe('success')
    write('Dockerfile', 'FROM $BASE\nRUN echo other')
    commit()
    const second = await buildPush(inputs)
    expect(second).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'Conflict' } })
    expect(second.output).not.toContain('RUN echo')
    const third = await buildPush({ ...inputs, 'if-exists': 'rebuild' })
    expect(third.outputs['result']).toBe('pushed')
    expect(third.outputs['digest']).not.toBe(first.outputs['digest'])
  })

  test('a failing instruction is named by its line, and the runner is not commanded by it', async () => {
    write(
      'app/Dockerfile',
      'FROM $BASE\nRUN echo fine\nRUN echo "::error::pwned"; \\\n  echo "##[error]pwned"; echo no such module >&2; exit 42',
    )
    const step = await buildPush({ context: 'app' })
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'BuildFailed' } })
    expect(step.outputs['message']).toMatch(
      /^The build failed at app\/Dockerfile:4, RUN echo .*: exit code 42\. Its last output: .*no such module/,
    )
    expect(step.annotations).toHaveLength(1)
    expect(step.annotations[0]).toMatchObject({ level: 'error', file: 'app/Dockerfile', line: 4 })
    expect(step.outputs).not.toHaveProperty('digest')
  })

  test.each([
    ['an unknown instruction', 'FROM $BASE\nRUNN x', 3, /unknown instruction: RUNN/],
    ['a file that is not in the context', 'FROM $BASE\nCOPY missing /x', 3, /"\/missing": not found/],
    ['a base image that is not there', `FROM ${registry}/e2e/none:1\nRUN x`, 2, /e2e\/none:1: not found/],
  ])('%s is named by its line', async (_, lines, line, words) => {
    write('Dockerfile', lines)
    const step = await buildPush({ version: '9.9.9' })
    expect(step.conclusion).toBe('failure')
    expect(step.annotations.find(({ level }) => level === 'error')).toMatchObject({ line, message: expect.stringMatching(words) })
  })

  test('secrets reach the build and nothing else', async () => {
    write(
      'Dockerfile',
      `FROM $BASE\nRUN --mount=type=secret,id=npm echo ${run}; cat /run/secrets/npm | wc -c; cat /run/secrets/npm`,
    )
    commit()
    const step = await buildPush({ secrets: 'npm=hidden-token-1', push: 'false' })
    expect(step).toMatchObject({ conclusion: 'success', outputs: { result: 'skipped', digest: '' } })
    expect(step.output).toMatch(/^#\d+ 14$/m)
    expect(step.visible).not.toContain('hidden-token-1')
  })

  test('two platforms make one index', async () => {
    write('Dockerfile', 'FROM scratch\nCOPY Dockerfile /')
    commit()
    const step = await buildPush({ platforms: 'linux/amd64\nlinux/arm64', cache: 'registry' })
    expect(step.outputs).toMatchObject({ result: 'pushed', digest: expect.stringMatching(DIGEST) })
    const again = await buildPush({})
    expect(again.outputs).toMatchObject({ result: 'skipped', digest: step.outputs['digest'] })
  })

  test('a pull request is tagged by its head commit', async () => {
    const head = git('rev-parse', 'HEAD')
    const merge = commit()
    const step = await buildPush(
      {},
      { github: { event_name: 'pull_request', sha: merge }, event: { pull_request: { head: { sha: head } } } },
    )
    expect(step.outputs['tag']).toBe(`1.4.2-${head.slice(0, 7)}`)
  })

  test.each<[string, Record<string, string>, string, RegExp]>([
    ['no Dockerfile', { file: 'none/Dockerfile' }, 'NotFound', /^There is no Dockerfile at none\/Dockerfile/],
    ['no context', { context: 'none' }, 'NotFound', /^The build context "none" is no folder/],
    ['no such target', { target: 'none' }, 'InvalidInput', /^There is no stage "none" in Dockerfile/],
    [
      'an unreachable registry',
      { image: '127.0.0.1:5999/a/b' },
      'Unreachable',
      /^The registry 127\.0\.0\.1:5999 can't be reached/,
    ],
    ['an image that does not parse', { image: 'ghcr.io/Acme/web' }, 'InvalidInput', /must be in lower case/],
    ['a tag that says nothing', { 'extra-tags': 'latest' }, 'InvalidInput', /"latest" says nothing/],
  ])('%s: one sentence, within seconds, nothing built', async (_, inputs, reason, words) => {
    const step = await buildPush(inputs)
    expect(step).toMatchObject({
      conclusion: 'failure',
      outputs: { result: 'failed', reason, message: expect.stringMatching(words) },
    })
    expect(step.seconds).toBeLessThan(5)
    expect(step.output).not.toMatch(/^#1 /m)
  })

  test('no builder on PATH', async () => {
    const step = await buildPush({}, { env: { PATH: programs('git') } })
    expect(step).toMatchObject({
      conclusion: 'failure',
      outputs: { reason: 'NotFound', message: expect.stringContaining('neither docker nor buildx') },
    })
  })

  test('a cancel ends the build, and nothing is pushed', async () => {
    write('Dockerfile', 'FROM $BASE\nRUN echo begun; sleep 60')
    commit()
    const step = await buildPush(
      { version: '8.0.0', 'tag-scheme': 'semver' },
      { cancelAfter: { when: output => /^#\d+ begun/m.test(output) } },
    )
    expect(step).toMatchObject({ conclusion: 'cancelled', outputs: { result: 'cancelled', reason: 'Cancelled' }, orphans: [] })
    expect(step.seconds).toBeLessThan(10)
    expect(await digestIn(registry, image.slice(registry.length + 1), '8.0.0')).toBeNull()
  })
})

describe('Amazon ECR', () => {
  const ecr = { image: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme/web' }
  const nobody = { AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_CONFIG_FILE: '/dev/null' }
  test('without AWS credentials: said in one sentence', async () => {
    const step = await buildPush(ecr, { env: nobody })
    expect(step.outputs).toMatchObject({
      reason: 'Unauthorized',
      message: expect.stringContaining('aws-actions/configure-aws-credentials'),
    })
  })
  test('with a role that may not log in: the permission is named', async () => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(String(request.headers['x-amz-target']))
      response
        .writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
        .end('{"__type":"AccessDeniedException","message":"no"}')
    })
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const role = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'hidden-key', AWS_ENDPOINT_URL_ECR: address }
    const step = await buildPush(ecr, { env: { ...nobody, ...role } })
    server.closeAllConnections()
    server.close()
    expect(asked.map(target => target.split('.')[1])).toEqual(['GetAuthorizationToken'])
    expect(step.outputs).toMatchObject({
      reason: 'Forbidden',
      message: expect.stringContaining('needs the permission ecr:GetAuthorizationToken'),
    })
    expect(step.visible).not.toContain('hidden-key')
  })
})

describe('a registry that wants a login', () => {
  const credentials = 'ann:hidden-pass'
  let guard: Server
  let guarded = ''
  let lies = false
  beforeAll(async () => {
    guard = createServer(guardedBy)
    await new Promise<void>(done => guard.listen(0, '127.0.0.1', done))
    guarded = `127.0.0.1:${(guard.address() as AddressInfo).port}`
  })
  afterAll(() => {
    guard.closeAllConnections()
    guard.close()
  })
  beforeEach(() => {
    lies = false
  })

  /** Stands before the sandbox's registry, and lets through who has a token from /token. */
  function guardedBy(request: IncomingMessage, response: ServerResponse): void {
    const { authorization } = request.headers
    if (request.url?.startsWith('/token')) {
      const allowed = authorization === `Basic ${Buffer.from(credentials).toString('base64')}`
      response.writeHead(allowed ? 200 : 401).end(allowed ? '{"token":"good","access_token":"good"}' : '')
      return
    }
    if (authorization !== 'Bearer good') {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${guarded}/token",service="guard"` }).end()
      return
    }
    const [host, port] = registry.split(':')
    const onward = httpRequest({ host, port, method: request.method, path: request.url, headers: request.headers }, answer => {
      const headers = { ...answer.headers }
      if (lies && request.method === 'HEAD' && request.url?.includes('/manifests/') === true && !/\/sha256:/.test(request.url))
        headers['docker-content-digest'] = `sha256:${'0'.repeat(64)}`
      response.writeHead(answer.statusCode ?? 502, headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.writeHead(502).end())
    request.pipe(onward)
  }

  /** A docker configuration of its own, with buildx as docker's plugin where the sandbox has it so. */
  function dockerConfig(): string {
    const folder = mkdtempSync(join(root, 'docker-'))
    const plugins = join(sandbox['DOCKER_CONFIG'] ?? '', 'cli-plugins')
    if (existsSync(plugins)) symlinkSync(plugins, join(folder, 'cli-plugins'))
    return folder
  }

  test.each([
    ['docker', true],
    ['buildx alone', false],
  ])('logs in by %s, pushes, and leaves the login to later steps', async (_, docker) => {
    const folder = dockerConfig()
    const env = { DOCKER_CONFIG: folder, ...(docker ? {} : { PATH: programs('git', 'buildx') }) }
    const target = { image: `${guarded}/e2e/login-${run}-${docker}` }
    const step = await buildPush({ ...target, username: 'ann', password: 'hidden-pass' }, { env })
    expect(step.outputs).toMatchObject({ result: 'pushed', digest: expect.stringMatching(DIGEST) })
    expect(step.visible).not.toContain('hidden-pass')
    expect(step.visible).not.toContain(Buffer.from(credentials).toString('base64'))
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).auths)).toEqual([guarded])
    expect((await buildPush(target, { env })).outputs['result']).toBe('skipped')
  })

  test.each<[string, Record<string, string>, RegExp]>([
    [
      'no credentials',
      {},
      /^The registry 127\.0\.0\.1:\d+ refused \(401\) .*no credentials were given: set the inputs username and password/,
    ],
    ['wrong ones', { username: 'ann', password: 'wrong-pass' }, /refused \(401\) .*credentials of ann don't allow it/],
  ])('%s: refused in one sentence before anything is built', async (_, inputs, words) => {
    const step = await buildPush({ image: `${guarded}/e2e/refused`, ...inputs }, { env: { DOCKER_CONFIG: dockerConfig() } })
    expect(step).toMatchObject({
      conclusion: 'failure',
      outputs: { reason: 'Unauthorized', message: expect.stringMatching(words) },
    })
    expect(step.output).not.toMatch(/^#1 /m)
    expect(step.visible).not.toContain('wrong-pass')
  })

  test('a registry that has another digest than was pushed is not believed', async () => {
    lies = true
    const env = { DOCKER_CONFIG: dockerConfig() }
    const step = await buildPush({ image: `${guarded}/e2e/lies-${run}`, username: 'ann', password: 'hidden-pass' }, { env })
    expect(step).toMatchObject({
      conclusion: 'failure',
      outputs: { reason: 'Conflict', message: expect.stringMatching(/has the digest sha256:0{64} in the registry/) },
    })
  })
})

/** A folder for PATH with nothing in it but these programs. */
function programs(...names: string[]): string {
  const folder = mkdtempSync(join(root, 'bin-'))
  for (const name of names) {
    const found = (sandbox['PATH'] ?? '')
      .split(delimiter)
      .map(entry => join(entry, name))
      .find(existsSync)
    if (found === undefined) throw new Error(`there is no ${name} on PATH`)
    symlinkSync(found, join(folder, name))
  }
  return folder
}
