import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Connection, connect } from '../../src/kubernetes/connection.ts'
import { type Answer, FakeApiServer, failure, json, proxyError, raw } from './fake-api-server.ts'

// Here `kubectl` is a shell script whose socket leads to the API server in this process.
const CONFIG = `
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: shop}}]
clusters: [{name: k, cluster: {server: 'https://api.example:6443'}}]
users: [{name: u, user: {token: s3cret-token, exec: {command: aws}}}]
`
const SERVES = `
echo $$ >> "$STATE/pids"; echo "$*" >> "$STATE/argv"; env > "$STATE/env"
case "$*" in
*proxy*) for argument; do case "$argument" in --unix-socket=*) ln -sf "$SOCKET" "\${argument#--unix-socket=}";; esac; done
  echo "Starting to serve on it"; exec sleep 60;;
*) cat; echo "trouble" >&2; exit 3;;
esac`

let server: FakeApiServer
let folder: string
let env: NodeJS.ProcessEnv
let masked: string[]
let connections: Connection[]

beforeEach(async () => {
  server = await FakeApiServer.start()
  server.otherwise(json(200, { gitVersion: 'v1.34.0' }))
  folder = mkdtempSync(join(tmpdir(), 'ct-'))
  mkdirSync(join(folder, 'bin'))
  mkdirSync(join(folder, 'state'))
  mkdirSync(join(folder, 't'))
  env = {
    PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
    SOCKET: server.socketPath,
    STATE: join(folder, 'state'),
    INPUT_KUBECONFIG: CONFIG,
  }
  masked = []
  connections = []
  kubectl(SERVES)
})

afterEach(async () => {
  for (const connection of connections) await connection.close()
  await server.stop()
  rmSync(folder, { recursive: true })
})

function kubectl(script: string): void {
  writeFileSync(join(folder, 'bin', 'kubectl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

async function connected(kubeconfig = CONFIG, context = ''): Promise<Connection> {
  const log = { info: () => undefined, debug: () => undefined, mask: (secret: string) => void masked.push(secret) }
  const connection = await connect({ kubeconfig, context, env, temporary: join(folder, 't'), log })
  connections.push(connection)
  return connection
}

function state(name: string): string {
  return readFileSync(join(folder, 'state', name), 'utf8')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !condition(); turn++) await new Promise(resolve => setTimeout(resolve, 4))
  expect(condition()).toBe(true)
}

describe('connect', () => {
  test('says where it is, masks what is secret, leaves nothing behind', async () => {
    const connection = await connected()
    expect(connection).toMatchObject({ context: 'c', server: 'https://api.example:6443', defaultNamespace: 'shop' })
    expect(masked).toEqual(['s3cret-token'])
    const [own = ''] = readdirSync(join(folder, 't'))
    expect(statSync(join(folder, 't', own)).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 't', own, 'config')).mode & 0o777).toBe(0o600)
    expect(state('env')).not.toContain('INPUT_')
    const pid = Number(state('pids'))
    expect(isAlive(pid)).toBe(true)
    await connection.close()
    expect(isAlive(pid)).toBe(false)
    expect(readdirSync(join(folder, 't'))).toEqual([])
    await connection.close()
  })

  test('base64, and a temporary folder too deep for a socket', async () => {
    const deep = join(folder, 't', 'd'.repeat(100))
    mkdirSync(deep)
    const connection = await connect({
      kubeconfig: Buffer.from(CONFIG).toString('base64'),
      context: 'c',
      env,
      temporary: deep,
      log: { info: () => undefined, debug: () => undefined, mask: () => undefined },
    })
    connections.push(connection)
    expect(readdirSync(deep)).toEqual([])
    expect(state('argv')).toMatch(/--unix-socket=\S{1,100} --append-server-path --kubeconfig=\S+ --context=c\n/)
  })

  // What kubectl before 1.23 says.
  const OLD = `case "$*" in *--append-server-path*) echo "Error: unknown flag: --append-server-path" >&2; exit 1;; esac; ${SERVES}`

  test("a kubectl that is too old for a server's path serves one without", async () => {
    kubectl(OLD)
    const connection = await connected()
    expect(await connection.api.request('GET', '/version')).toEqual({ gitVersion: 'v1.34.0' })
    expect(state('argv')).toMatch(/^proxy --unix-socket=\S+ --kubeconfig=\S+\n$/)
  })

  test.each(['/k8s/clusters/c-1', '/k8s/clusters/c-1/'])('and says so of one with the path %s', async path => {
    kubectl(OLD)
    await expect(connected(CONFIG.replace(':6443', path))).rejects.toMatchObject({
      reason: 'InvalidInput',
      message: `The address https://api.example${path} has a path, which the kubectl on this runner is too old for: install kubectl 1.23 or newer in a step before this one.`,
    })
    expect(readdirSync(join(folder, 't'))).toEqual([])
  })

  test('a proxy that dies is started again', async () => {
    const connection = await connected()
    process.kill(Number(state('pids')), 'SIGKILL')
    await until(() => state('pids').trim().split('\n').length === 2)
    expect(await connection.api.request('GET', '/version')).toEqual({ gitVersion: 'v1.34.0' })
    await connection.close()
    for (const pid of state('pids').trim().split('\n')) expect(isAlive(Number(pid))).toBe(false)
  })

  test('kubectl runs against the same cluster', async () => {
    const connection = await connected()
    expect(await connection.kubectl(['kustomize', 'a b'], { stdin: 'ä' })).toEqual({ stdout: 'ä', stderr: 'trouble\n', code: 3 })
    expect(state('argv').split('\n')[1]).toMatch(/^--kubeconfig=\S+ kustomize a b$/)
    await expect(connection.kubectl(['x'], { stdin: 'too much', limitBytes: 4 })).rejects.toMatchObject({
      name: 'ExpectedFailure',
    })
  })

  test('a version that nobody may see is no failure', async () => {
    server.next(failure(403, 'Forbidden'))
    expect((await connected()).context).toBe('c')
  })

  test.each<[string, Answer, string, RegExp]>([
    [
      'a wrong token',
      failure(401, 'Unauthorized'),
      'Unauthorized',
      /^The cluster at https:\/\/api\.example:6443 refused the credentials of user "u" \(context "c"\)/,
    ],
    ['a web page', raw(200, 'text/html', '<html>'), 'InvalidInput', /is no Kubernetes API server/],
    ['other JSON', json(200, { hello: 1 }), 'InvalidInput', /is no Kubernetes API server/],
    ['another server', raw(404, 'text/plain', '404 page not found'), 'InvalidInput', /is no Kubernetes API server/],
    [
      'a foreign certificate',
      proxyError('tls: failed to verify certificate: x509: certificate signed by unknown authority'),
      'Unreachable',
      /No trusted connection to .* Check certificate-authority-data/,
    ],
    [
      'an address the certificate is not for',
      proxyError('tls: failed to verify certificate: x509: certificate is valid for a, not b'),
      'Unreachable',
      /not one the certificate was made for/,
    ],
    [
      'a certificate that ran out',
      proxyError('tls: failed to verify certificate: x509: certificate has expired or is not yet valid'),
      'Unreachable',
      /Renew the certificate/,
    ],
    [
      'an unknown host',
      proxyError('dial tcp: lookup api.example: no such host'),
      'Unreachable',
      /not known to this runner's DNS/,
    ],
    [
      'no plugin',
      proxyError(
        'getting credentials: exec: executable aws not found\n\nIt looks like you are trying to use it\n\nTo learn more\n\ninstall the AWS CLI',
      ),
      'Unauthorized',
      /auth plugin aws is not installed on this runner\. .* Its hint: install the AWS CLI$/,
    ],
    [
      'a failing plugin',
      proxyError('getting credentials: exec: executable aws failed with exit code 255'),
      'Unauthorized',
      /auth plugin aws gave no credentials: executable aws failed with exit code 255/,
    ],
  ])('%s is said clearly, at once', async (_, answer, reason, message) => {
    server.otherwise(answer)
    await expect(connected()).rejects.toMatchObject({ name: 'ExpectedFailure', reason, message: expect.stringMatching(message) })
    expect(isAlive(Number(state('pids')))).toBe(false)
    expect(readdirSync(join(folder, 't'))).toEqual([])
  })

  test.each<[string, string, string, RegExp]>([
    [
      'the plugin is gone',
      'echo "error: The gcp auth plugin has been removed." >&2; exit 1',
      'Unauthorized',
      /could not use the kubeconfig: The gcp auth plugin has been removed\./,
    ],
    ['no credentials', 'echo "error: EOF" >&2; exit 1', 'Unauthorized', /has no credentials for user "u"/],
    ['commands in its words', 'echo "::error::x" >&2; exit 1', 'InvalidInput', /: :\u200b:error::x\.$/],
    ['no words', 'exit 7', 'InvalidInput', /exit code 7/],
  ])('kubectl ends at once: %s', async (_, script, reason, message) => {
    kubectl(script)
    await expect(connected()).rejects.toMatchObject({ name: 'ExpectedFailure', reason, message: expect.stringMatching(message) })
  })

  test('kubectl is missing, or cannot be run', async () => {
    rmSync(join(folder, 'bin', 'kubectl'))
    env = { ...env, PATH: join(folder, 'bin') }
    await expect(connected()).rejects.toMatchObject({
      reason: 'NotFound',
      message: expect.stringMatching(/^kubectl is not on PATH\./),
    })
    writeFileSync(join(folder, 'bin', 'kubectl'), 'x', { mode: 0o644 })
    await expect(connected()).rejects.toMatchObject({ reason: 'NotFound', message: expect.stringMatching(/EACCES/) })
  })

  test('no kubeconfig anywhere; in a pod, its own account', async () => {
    env = { ...env, HOME: folder }
    await expect(connected('')).rejects.toMatchObject({
      reason: 'InvalidInput',
      message: expect.stringMatching(/^There is no kubeconfig:/),
    })
    env = { ...env, KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }
    expect((await connected('')).server).toBe('https://10.0.0.1:443')
  })

  test('a wrong context names those there are, and nothing stays', async () => {
    await expect(connected(CONFIG, 'd')).rejects.toMatchObject({
      reason: 'InvalidInput',
      message: expect.stringContaining('It has c.'),
    })
    expect(readdirSync(join(folder, 't'))).toEqual([])
  })

  test('a cancel', async () => {
    kubectl('exec sleep 60')
    const stop = new AbortController()
    const log = { info: () => undefined, debug: () => undefined, mask: () => undefined }
    const attempt = connect({ kubeconfig: CONFIG, context: '', env, temporary: join(folder, 't'), log, signal: stop.signal })
    setTimeout(() => stop.abort(), 20)
    await expect(attempt).rejects.toMatchObject({ reason: 'Cancelled' })
    expect(existsSync(join(folder, 't'))).toBe(true)
    expect(readdirSync(join(folder, 't'))).toEqual([])
  })
})
