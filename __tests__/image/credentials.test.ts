// Credentials as Docker keeps them, and the login that is left for later steps. A docker client here is a script that notes how it was called.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  credentialsIn,
  type DockerConfig,
  helperFor,
  logIn,
  readDockerConfig,
  storedCredentials,
} from '../../src/image/credentials.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'

const auth = (user: string, password: string): string => Buffer.from(`${user}:${password}`).toString('base64')

let folder = ''
let env: NodeJS.ProcessEnv = {}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'credentials-'))
  mkdirSync(join(folder, 'bin'))
  env = { PATH: join(folder, 'bin'), DOCKER_CONFIG: join(folder, 'docker'), INPUT_PASSWORD: 'never-handed-on' }
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A program that notes its arguments, standard input and environment, then runs `script`. */
function program(name: string, script: string): () => { args: string; input: string; env: string } {
  const file = join(folder, 'bin', name)
  const note = (part: string): string => join(folder, `${name}.${part}`)
  writeFileSync(
    file,
    `#!/bin/sh\nPATH=/usr/bin:/bin\necho "$@" > '${note('args')}'\ncat > '${note('input')}'\nenv > '${note('env')}'\n${script}\n`,
  )
  chmodSync(file, 0o755)
  const read = (part: string): string => readFileSync(note(part), 'utf8').trim()
  return () => ({ args: read('args'), input: read('input'), env: read('env') })
}

function config(content: DockerConfig): void {
  mkdirSync(join(folder, 'docker'), { recursive: true })
  writeFileSync(join(folder, 'docker', 'config.json'), JSON.stringify(content))
}

const ann = { username: 'ann', password: 'p:w' }

test.each<[string, DockerConfig, string, object | undefined]>([
  ['the host', { auths: { 'ghcr.io': { auth: auth('ann', 'p:w') } } }, 'ghcr.io', ann],
  ['an address', { auths: { 'https://ghcr.io/v2/': { auth: auth('ann', 'p:w') } } }, 'ghcr.io', ann],
  ["Docker Hub's old name", { auths: { 'https://index.docker.io/v1/': { auth: auth('ann', 'p:w') } } }, 'docker.io', ann],
  ['user and password apart', { auths: { r: { username: 'ann', password: 'p:w' } } }, 'r', ann],
  [
    'a refresh token',
    { auths: { r: { auth: auth('ann', ''), identitytoken: 't' } } },
    'r',
    { username: 'ann', password: '', identityToken: 't' },
  ],
  ['another registry', { auths: { 'ghcr.io': { auth: auth('ann', 'p:w') } } }, 'quay.io', undefined],
  ['an empty entry', { auths: { r: {} } }, 'r', undefined],
  ['no auths', {}, 'r', undefined],
])('credentials in config.json, by %s', (_, content, registry, expected) => {
  expect(credentialsIn(content, registry)).toEqual(expected)
})

test.each<[DockerConfig, string, string | undefined]>([
  [{ credHelpers: { 'ghcr.io': 'gh' } }, 'ghcr.io', 'docker-credential-gh'],
  [{ credHelpers: { 'ghcr.io': 'gh' } }, 'quay.io', undefined],
  [{ credsStore: 'pass' }, 'quay.io', 'docker-credential-pass'],
  [{ credHelpers: { r: '../../bin/sh' } }, 'r', undefined],
])('helper of %j for %s is %s', (content, registry, expected) => {
  expect(helperFor(content, registry)).toBe(expected)
})

test.each(['', '[]', '{', 'null'])('a config.json of %j is as none', content => {
  mkdirSync(join(folder, 'docker'))
  writeFileSync(join(folder, 'docker', 'config.json'), content)
  expect(readDockerConfig(env)).toEqual({})
})

describe('storedCredentials', () => {
  test('asks the helper, on standard input', async () => {
    config({ credHelpers: { r: 'x' } })
    const called = program('docker-credential-x', `echo '{"Username":"ann","Secret":"p:w"}'`)
    expect(await storedCredentials('r', env)).toEqual(ann)
    expect(called()).toMatchObject({ args: 'get', input: 'r' })
  })
  test('takes config.json where the helper has nothing', async () => {
    config({ credsStore: 'x', auths: { r: { auth: auth('ann', 'p:w') } } })
    program('docker-credential-x', 'echo credentials not found; exit 1')
    expect(await storedCredentials('r', env)).toEqual(ann)
  })
})

describe('logIn', () => {
  test('by docker: the password on standard input, no input of the step in its environment', async () => {
    const called = program('docker', 'echo Login Succeeded')
    await logIn('ghcr.io', ann, env)
    expect(called()).toMatchObject({ args: 'login --username ann --password-stdin ghcr.io', input: 'p:w' })
    expect(called().env).not.toMatch(/never-handed-on|p:w/)
  })
  test('by docker, to Docker Hub', async () => {
    const called = program('docker', '')
    await logIn('docker.io', ann, env)
    expect(called().args).toBe('login --username ann --password-stdin')
  })
  test('refused by docker', async () => {
    program('docker', 'echo "Error response from daemon: denied" >&2; exit 1')
    await expect(logIn('ghcr.io', ann, env)).rejects.toThrow(
      new ExpectedFailure('Unauthorized', 'docker login to ghcr.io as ann failed: Error response from daemon: denied.'),
    )
  })
  test('without docker: into config.json, for its owner alone, and what was there stays', async () => {
    config({ auths: { other: { auth: 'x' } }, proxies: {} })
    await logIn('docker.io', ann, env)
    const file = join(folder, 'docker', 'config.json')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      auths: { other: { auth: 'x' }, 'https://index.docker.io/v1/': { auth: auth('ann', 'p:w') } },
      proxies: {},
    })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await storedCredentials('docker.io', env)).toEqual(ann)
  })
  test('without docker, with a helper: into the helper', async () => {
    config({ credsStore: 'x' })
    const called = program('docker-credential-x', '')
    await logIn('r', ann, env)
    expect(called().args).toBe('store')
    expect(JSON.parse(called().input)).toEqual({ ServerURL: 'r', Username: 'ann', Secret: 'p:w' })
  })
})
