// The connection, the API and the watches against the sandbox's real cluster, through the real kubectl.

import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createGateway } from 'node:http'
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { parse, stringify } from 'yaml'
import { cutApiServer, restoreApiServer, sandboxVariables } from '../../sandbox/index.ts'
import { systemClock } from '../../src/deploy/clock.ts'
import { asExpectedFailure } from '../../src/kubernetes/api.ts'
import { type Connection, connect } from '../../src/kubernetes/connection.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { watchList } from '../../src/kubernetes/watch.ts'

jest.setTimeout(90_000)

interface Config {
  clusters: [{ name: string; cluster: Record<string, unknown> }]
  users: [{ name: string; user: Record<string, unknown> }]
}

const namespace = `connection-${randomUUID().slice(0, 8)}`
const env = sandboxVariables()
const temporary = mkdtempSync(join(tmpdir(), 'ce-'))
const admin = readFileSync(env['KUBECONFIG'] ?? '', 'utf8')
const open: Connection[] = []
let connection: Connection
let firstAnswerMs = 0

/** The sandbox's kubeconfig with another cluster or user in it. */
function altered(cluster: Record<string, unknown>, user?: Record<string, unknown>): string {
  const config = parse(admin) as Config
  Object.assign(config.clusters[0].cluster, cluster)
  if (user !== undefined) config.users[0].user = user
  return stringify(config)
}

async function connected(kubeconfig: string): Promise<Connection> {
  const log = { info: () => undefined, debug: () => undefined, mask: () => undefined }
  const made = await connect({ kubeconfig, context: '', env, temporary, log })
  open.push(made)
  return made
}

/** A road to the API server that can be cut. */
class Road {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(to: URL) {
    this.#server = createServer(near => {
      if (this.#isCut) {
        near.destroy()
        return
      }
      const far = connectTcp(Number(to.port), to.hostname)
      for (const [from, into] of [[near, far] as const, [far, near] as const]) {
        this.#sockets.add(from)
        from.pipe(into)
        from.on('error', () => undefined)
        from.on('close', () => {
          this.#sockets.delete(from)
          into.destroy()
        })
      }
    })
  }

  static async build(to: URL): Promise<Road> {
    const road = new Road(to)
    await new Promise<void>(resolve => road.#server.listen(0, '127.0.0.1', resolve))
    return road
  }

  get address(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isCut = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

const configMap = (name: string, value: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { value },
})

const apply = (to: Connection, name: string, value: string): Promise<KubernetesObject> =>
  to.api.request('PATCH', `/api/v1/namespaces/${namespace}/configmaps/${name}`, {
    query: { fieldManager: 'connection-test', force: 'true' },
    body: configMap(name, value),
  })

/** Every change of the ConfigMaps of the test's namespace, as one line each. */
async function follow(through: Connection, told: string[], stop: AbortSignal): Promise<{ done: Promise<void> }> {
  return watchList({
    api: through.api,
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    query: { fieldSelector: 'metadata.name!=kube-root-ca.crt' },
    onObjects: objects => told.push(`all ${objects.length}`),
    onEvent: (type, object) => told.push(`${type} ${object.metadata.name} ${(object['data'] as { value: string }).value}`),
    onTrouble: sentence => told.push(sentence),
    signal: stop,
    clock: systemClock,
  })
}

async function until(condition: () => boolean, limitMs = 10_000): Promise<number> {
  const start = performance.now()
  while (!condition() && performance.now() - start < limitMs) await new Promise(resolve => setTimeout(resolve, 2))
  expect(condition()).toBe(true)
  return performance.now() - start
}

beforeAll(async () => {
  const start = performance.now()
  connection = await connected(admin)
  firstAnswerMs = performance.now() - start
  await connection.api.request('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  })
})

afterAll(async () => {
  await connection.api.request('DELETE', `/api/v1/namespaces/${namespace}`)
  for (const one of open) await one.close()
  expect(readdirSync(temporary)).toEqual([])
  rmSync(temporary, { recursive: true })
})

describe('a good kubeconfig', () => {
  test('is connected to', async () => {
    console.info(`from connect() to the first answer: ${Math.round(firstAnswerMs)} ms`)
    expect(Math.abs(connection.api.now() - Date.now())).toBeLessThan(2_000)
    const { stdout, code } = await connection.kubectl(['version', '-o', 'json'])
    expect([code, JSON.parse(stdout).serverVersion.major]).toEqual([0, '1'])
  })

  test('apply, replace, create and delete go through the proxy', async () => {
    const { api } = connection
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const first = await apply(connection, 'a', '1')
    const same = await apply(connection, 'a', '1')
    expect(same.metadata.resourceVersion).toBe(first.metadata.resourceVersion)
    expect(same.metadata.managedFields?.map(fields => [fields.manager, fields.operation])).toEqual([['connection-test', 'Apply']])
    const replaced = await api.request<KubernetesObject>('PUT', `${path}/a`, { body: { ...first, data: { value: '2' } } })
    expect(replaced['data']).toEqual({ value: '2' })
    await expect(api.request('PUT', `${path}/a`, { body: { ...first, data: { value: '3' } } })).rejects.toMatchObject({
      status: 409,
      reason: 'Conflict',
    })
    await expect(api.request('POST', path, { body: configMap('a', '1') })).rejects.toMatchObject({
      status: 409,
      reason: 'AlreadyExists',
    })
    const conflict = api.request('PATCH', `${path}/a`, { query: { fieldManager: 'another' }, body: configMap('a', '9') })
    await expect(conflict).rejects.toMatchObject({
      status: 409,
      causes: [{ reason: 'FieldManagerConflict', field: '.data.value' }],
    })
    await expect(
      api.request('PATCH', `${path}/A`, { query: { fieldManager: 'x' }, body: configMap('A', '1') }),
    ).rejects.toMatchObject({ status: 422, reason: 'Invalid' })
    await api.request('DELETE', `${path}/a`, { body: { preconditions: { uid: first.metadata.uid } } })
    await expect(api.request('GET', `${path}/a`)).rejects.toMatchObject({ status: 404, reason: 'NotFound' })
  })

  test('lists fill in the kind; discovery knows the paths', async () => {
    const namespaces = await connection.api.resource('v1', 'Namespace')
    const { items } = await connection.api.list(namespaces.path(undefined), { fieldSelector: `metadata.name=${namespace}` })
    expect(items.map(item => [item.apiVersion, item.kind, item.metadata.name])).toEqual([['v1', 'Namespace', namespace]])
    expect((await connection.api.resource('apps/v1', 'Deployment')).path('shop', 'web')).toBe(
      '/apis/apps/v1/namespaces/shop/deployments/web',
    )
  })

  test('a change is seen within milliseconds', async () => {
    const [stop, told] = [new AbortController(), [] as string[]]
    const { done } = await follow(connection, told, stop.signal)
    await apply(connection, 'seen', '1')
    const lag = await until(() => told.includes('ADDED seen 1'))
    console.info(`from the answer to apply to its event: ${lag.toFixed(1)} ms`)
    stop.abort()
    await done
  })

  test('a resourceVersion that is too old is told as Expired', async () => {
    // A server that has just started knows nothing of what was before it; one that has run since the cluster was made still knows it all.
    await cutApiServer()
    await restoreApiServer()
    const told: string[] = []
    await connection.api.stream(`/api/v1/namespaces/${namespace}/configmaps`, {
      query: { watch: 'true', resourceVersion: '1', timeoutSeconds: '1' },
      onLine: line => told.push(line),
    })
    expect(told).toHaveLength(1)
    expect(JSON.parse(told[0] ?? '')).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410 } })
  })
})

test.each(['', '/', '/k8s/clusters/c-1', '/k8s/clusters/c-1/'])('a gateway has the cluster at "%s"', async path => {
  const asked: string[] = []
  const gateway = createGateway(({ url = '' }, response) => {
    asked.push(url)
    response.setHeader('content-type', 'application/json')
    response.end('{"gitVersion":"v1.34.0"}')
  })
  await new Promise<void>(resolve => gateway.listen(0, '127.0.0.1', resolve))
  try {
    const server = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}${path}`
    const through = await connected(altered({ server, 'certificate-authority-data': undefined }, { token: 'no-such-token-here' }))
    await through.api.request('GET', '/api/v1/namespaces/a/pods/b', { query: { pretty: 'false' } })
    await through.close()
    const root = path.replace(/\/$/, '')
    expect(asked.slice(-2)).toEqual([`${root}/version`, `${root}/api/v1/namespaces/a/pods/b?pretty=false`])
  } finally {
    gateway.close()
  }
})

describe('a bad road', () => {
  let road: Road
  let over: Connection
  let told: string[]
  let stop: AbortController

  beforeAll(async () => {
    road = await Road.build(new URL(connection.server))
    over = await connected(altered({ server: road.address }))
  })

  afterAll(() => road.close())

  test('an API server away for 20 s is lived through, by a request and by a watch', async () => {
    stop = new AbortController()
    told = []
    const { done } = await follow(over, told, stop.signal)
    road.cut()
    const answer = apply(over, 'away', '1')
    await apply(connection, 'meanwhile', '1')
    await new Promise(resolve => setTimeout(resolve, 20_000))
    road.mend()
    const back = performance.now()
    await answer
    await until(() => told.includes('ADDED meanwhile 1') && told.includes('ADDED away 1'))
    console.info(`caught up ${Math.round(performance.now() - back)} ms after the API server was back`)
    const words = told.filter(line => line.startsWith('The watch of'))
    expect(words).toEqual([expect.stringMatching(/ fails \(/), expect.stringMatching(/ works again after \d+ s\.$/)])
    expect(told.filter(line => line.startsWith('all'))).toHaveLength(1)
    stop.abort()
    await done
  })
})

describe('a bad kubeconfig', () => {
  const quiet = createServer(() => undefined)
  const quietAddress = (): string => `https://127.0.0.1:${(quiet.address() as AddressInfo).port}`
  beforeAll(() => new Promise<void>(resolve => quiet.listen(0, '127.0.0.1', resolve)))
  afterAll(() => void quiet.close())

  const token = { token: 'no-such-token-here' }
  const exec = (command: string, args: string[]): Record<string, unknown> => ({
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command,
      args,
      interactiveMode: 'Never',
      installHint: 'Get it at example.com.',
    },
  })

  test.each<[string, () => string, string, RegExp, number]>([
    ['a wrong token', () => altered({}, token), 'Unauthorized', /refused the credentials of user "/, 2_000],
    ['no credentials', () => altered({}, {}), 'Unauthorized', /no credentials for user "/, 2_000],
    [
      'a wrong CA',
      () => altered({ 'certificate-authority-data': undefined }),
      'Unreachable',
      /signed by unknown authority. Check certificate-authority-data/,
      2_000,
    ],
    [
      'nobody there',
      () => altered({ server: 'https://127.0.0.1:1' }),
      'Unreachable',
      /^The cluster at https:\/\/127\.0\.0\.1:1 can't be reached: .*connection refused/,
      5_000,
    ],
    ['a silent server', () => altered({ server: quietAddress() }), 'Unreachable', /did not answer within 10 s/, 12_000],
    [
      'an unknown host',
      () => altered({ server: 'https://no-such-host.invalid' }),
      'Unreachable',
      /no-such-host\.invalid/,
      12_000,
    ],
    [
      'a plugin that is not there',
      () => altered({}, exec('no-such-plugin', [])),
      'Unauthorized',
      /no-such-plugin is not installed.*Get it at example\.com/,
      2_000,
    ],
    [
      'a plugin that fails',
      () => altered({}, exec('sh', ['-c', 'echo your session has ended >&2; exit 3'])),
      'Unauthorized',
      /exit code 3\. It said: your session has ended/,
      2_000,
    ],
    [
      'a plugin that prints nonsense',
      () => altered({}, exec('echo', ['hello'])),
      'Unauthorized',
      /gave no credentials: decoding stdout/,
      2_000,
    ],
    [
      'a broken certificate',
      () => altered({}, { 'client-certificate-data': 'aGVsbG8K', 'client-key-data': 'aGVsbG8K' }),
      'Unauthorized',
      /could not use the kubeconfig/,
      2_000,
    ],
    [
      'a plugin that was removed from kubectl',
      () => altered({}, { 'auth-provider': { name: 'gcp' } }),
      'Unauthorized',
      /gcp auth plugin has been removed/,
      2_000,
    ],
  ])('%s', async (_, kubeconfig, reason, message, limitMs) => {
    const start = performance.now()
    const error = await connected(kubeconfig()).then(
      () => undefined,
      thrown => thrown,
    )
    expect(error).toMatchObject({ name: 'ExpectedFailure', reason, message: expect.stringMatching(message) })
    expect(performance.now() - start).toBeLessThan(limitMs)
    expect(error.message).not.toContain('no-such-token-here')
  })
})

describe('a service account that may do little', () => {
  let small: Connection

  beforeAll(async () => {
    const { api } = connection
    const root = `/api/v1/namespaces/${namespace}`
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    const named = (kind: string, apiVersion: string, more: object): object => ({
      apiVersion,
      kind,
      metadata: { name: 'small' },
      ...more,
    })
    await api.request('POST', `${root}/serviceaccounts`, { body: named('ServiceAccount', 'v1', {}) })
    await api.request('POST', `${rbac}/roles`, {
      body: named('Role', 'rbac.authorization.k8s.io/v1', {
        rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }],
      }),
    })
    await api.request('POST', `${rbac}/rolebindings`, {
      body: named('RoleBinding', 'rbac.authorization.k8s.io/v1', {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'small' },
        subjects: [{ kind: 'ServiceAccount', name: 'small', namespace }],
      }),
    })
    const { status } = await api.request<{ status: { token: string } }>('POST', `${root}/serviceaccounts/small/token`, {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    })
    small = await connected(altered({}, { token: status.token }))
  })

  test('is told which right is missing', async () => {
    const error = await apply(small, 'a', '1').catch(thrown => asExpectedFailure(thrown, 'Applying configmap/a'))
    expect(error).toMatchObject({
      reason: 'Forbidden',
      message: `Applying configmap/a failed: system:serviceaccount:${namespace}:small may not patch configmaps in namespace ${namespace}. A Role with the verb "patch" on "configmaps" there, bound to it, would allow that.`,
    })
  })

  test('a watch without the right to watch says so at once', async () => {
    const told: string[] = []
    const { done } = await follow(small, told, new AbortController().signal)
    const error = await done.catch(thrown => asExpectedFailure(thrown, 'Following the release'))
    expect(error).toMatchObject({ reason: 'Forbidden', message: expect.stringContaining('may not watch configmaps') })
  })
})
