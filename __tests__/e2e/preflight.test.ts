// The checks before the change against the sandbox's real cluster and registry: what they find, how fast, and what they must not find.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { parse, stringify } from 'yaml'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import { systemClock } from '../../src/deploy/clock.ts'
import { parseReference } from '../../src/image/reference.ts'
import { Registry } from '../../src/image/registry.ts'
import { type Connection, connect } from '../../src/kubernetes/connection.ts'
import { ImageResolver, pinDigests, resolveImages } from '../../src/kubernetes/image-digests.ts'
import { containerImages } from '../../src/kubernetes/images.ts'
import { loadManifestText, withNamespace } from '../../src/kubernetes/manifests.ts'
import { applyOrder } from '../../src/kubernetes/order.ts'
import { ALL_CHECKS, type PreflightMode, runPreflight } from '../../src/kubernetes/preflight/preflight.ts'
import { readLive, type Step, takeStep, tryStep } from '../../src/kubernetes/steps.ts'
import { stepFromManifest } from '../../src/kubernetes/targets.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { TestNamespace } from './test-namespace.ts'

jest.setTimeout(60_000)

const { BASE_IMAGE } = sandboxEnvironment()
const BASE = parseReference(BASE_IMAGE)
const registry = new Registry({ registry: BASE.registry, repository: BASE.repository })
const temporary = mkdtempSync(join(tmpdir(), 'pf-'))
let space: TestNamespace
let admin: Connection
const open: Connection[] = []

async function connected(kubeconfig: string): Promise<Connection> {
  const log = { info: () => undefined, debug: () => undefined, mask: () => undefined }
  const made = await connect({ kubeconfig, context: '', env: space.env, temporary, log })
  open.push(made)
  return made
}

interface Pod {
  readonly image?: string
  readonly replicas?: number
  /** YAML of the pod spec, beside the container. */
  readonly pod?: string
  /** YAML of the container. */
  readonly container?: string
  readonly name?: string
}

function deployment({ image = BASE_IMAGE, replicas = 1, pod = '', container = '', name = 'web' }: Pod = {}): string {
  return stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 0,
          ...parse(pod),
          containers: [{ name: 'app', image, command: ['sleep', '3600'], ...parse(container) }],
        },
      },
    },
  })
}

async function stepsOf(connection: Connection, documents: readonly string[], tried = true): Promise<readonly Step[]> {
  const manifests = await loadManifestText(documents.join('\n---\n'), 'k8s/web.yaml')
  const named = await withNamespace(
    manifests,
    space.name,
    async (apiVersion, kind) => (await connection.api.resource(apiVersion, kind)).namespaced,
  )
  return Promise.all(
    named.map(async manifest => {
      if (!tried) return stepFromManifest(manifest, undefined, false)
      const step = stepFromManifest(manifest, await readLive(connection.api, manifest.object), false)
      return { ...step, desired: await tryStep(connection.api, step) }
    }),
  )
}

interface Outcome {
  readonly error: ExpectedFailure | undefined
  readonly ms: number
  readonly said: readonly string[]
}

async function preflight(
  steps: readonly Step[],
  { connection = admin, mode = 'on' as PreflightMode, waitMs = 0, checks = ALL_CHECKS } = {},
): Promise<Outcome> {
  const said: string[] = []
  const log = {
    info: (text: string) => void said.push(text),
    warning: (text: string, title = '') => void said.push(`${title}: ${text}`),
    group: (title: string, lines: readonly string[]) => void said.push([title, ...lines].join('\n')),
  }
  const context = {
    api: connection.api,
    namespace: space.name,
    app: 'web',
    steps,
    env: space.env,
    clock: systemClock,
    signal: new AbortController().signal,
  }
  const start = performance.now()
  const error = await runPreflight(context, { mode, waitMs, log }, checks).then(
    () => undefined,
    thrown => thrown,
  )
  if (error !== undefined && !(error instanceof ExpectedFailure)) throw error
  return { error, ms: performance.now() - start, said }
}

async function found(documents: readonly string[], options = {}): Promise<Outcome> {
  return preflight(await stepsOf(admin, documents), options)
}

beforeAll(async () => {
  space = new TestNamespace('preflight')
  admin = await connected(readFileSync(space.env['KUBECONFIG'] ?? '', 'utf8'))
})

afterAll(async () => {
  for (const one of open) await one.close()
  space.remove()
  rmSync(temporary, { recursive: true, force: true })
})

const CONFIG = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\ndata: { greeting: hello }\n'
const SERVICE =
  'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n'
const USES_CONFIG = 'env: [{ name: GREETING, valueFrom: { configMapKeyRef: { name: web, key: greeting } } }]\n'
const USES_SECRET = 'envFrom: [{ secretRef: { name: late } }]\n'

describe('a good release', () => {
  test('has no findings, and is looked at in one round of reads', async () => {
    const steps = await stepsOf(admin, [CONFIG, SERVICE, deployment({ container: USES_CONFIG })])
    const first = await preflight(steps)
    const times = [first.ms]
    for (let run = 0; run < 10; run++) times.push((await preflight(steps)).ms)
    const sorted = times.slice(1).sort((a, b) => a - b)
    console.info(`preflight of a good release: first ${Math.round(first.ms)} ms, then ${sorted.map(Math.round).join(', ')} ms`)
    expect([first.error?.message, first.said]).toEqual([undefined, []])
    expect(sorted[5]).toBeLessThan(400)
  })

  test('forty Deployments at once', async () => {
    const many = Array.from({ length: 40 }, (_, index) => deployment({ name: `web-${index}`, container: USES_CONFIG }))
    const { error, said, ms } = await found([CONFIG, ...many])
    console.info(`preflight of 40 Deployments: ${Math.round(ms)} ms`)
    expect([error?.message, said]).toEqual([undefined, []])
  })

  test.each<[string, readonly string[]]>([
    [
      'optional references',
      [
        deployment({
          container:
            'envFrom: [{ secretRef: { name: none, optional: true } }]\nenv: [{ name: A, valueFrom: { secretKeyRef: { name: none, key: a, optional: true } } }]',
        }),
      ],
    ],
    [
      'a Secret of the release itself',
      [deployment({ container: USES_SECRET }), 'apiVersion: v1\nkind: Secret\nmetadata: { name: late }\nstringData: { a: b }'],
    ],
    [
      'the CA that every namespace has',
      [deployment({ pod: 'volumes: [{ name: ca, configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca }] } }]' })],
    ],
    ['a tolerated node selector that fits', [deployment({ pod: 'nodeSelector: { kubernetes.io/os: linux }' })]],
    [
      'an image with a pull policy of Never',
      [deployment({ image: '127.0.0.1:5000/nobody/knows:1', container: 'imagePullPolicy: Never' })],
    ],
    ['no replicas', [deployment({ replicas: 0, container: USES_SECRET })]],
    [
      'a class of Kubernetes itself',
      ['apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: runner }', deployment({ pod: 'serviceAccountName: runner' })],
    ],
  ])('%s', async (_, documents) => {
    const { error, said } = await found(documents)
    expect([error?.message, said]).toEqual([undefined, []])
  })

  test('a registry that is not there, and a pull secret that is not: both are said, and are no failure', async () => {
    const { error, said } = await found([deployment({ image: '127.0.0.1:9/web:1', pod: 'imagePullSecrets: [{ name: none }]' })])
    expect(error).toBeUndefined()
    expect(said.join('\n')).toMatch(/names the pull secret none in namespace .*, which is not there/)
    expect(said.join('\n')).toMatch(
      /Whether image 127\.0\.0\.1:9\/web:1 can be pulled could not be found out: .*can't be reached/,
    )
  })
})

describe('a release that can only fail', () => {
  test.each<[string, readonly string[], string, RegExp]>([
    [
      'an image that does not exist',
      [deployment({ image: `${BASE.registry}/${BASE.repository}:none` })],
      'ErrImagePull',
      /container app of deployment\/web does not exist: 127\.0\.0\.1:5000 has no such tag/,
    ],
    [
      'an image name that is none',
      [deployment({ image: 'Not/An/Image:1' })],
      'InvalidImageName',
      /container app of deployment\/web/,
    ],
    [
      'a Secret that is not there',
      [deployment({ container: USES_SECRET })],
      'CreateContainerConfigError',
      /Secret late is neither in the release nor in namespace preflight-/,
    ],
    [
      'a key that is not there',
      [CONFIG, deployment({ container: 'env: [{ name: A, valueFrom: { configMapKeyRef: { name: web, key: greting } } }]' })],
      'CreateContainerConfigError',
      /ConfigMap web in namespace \S+ has no key "greting" \(it has greeting\)/,
    ],
    [
      'a volume of a ConfigMap that is not there',
      [deployment({ pod: 'volumes: [{ name: files, configMap: { name: none } }]' })],
      'FailedMount',
      /ConfigMap none is neither/,
    ],
    [
      'a claim that is not there',
      [deployment({ pod: 'volumes: [{ name: data, persistentVolumeClaim: { claimName: none } }]' })],
      'Unschedulable',
      /PersistentVolumeClaim none/,
    ],
    [
      'a ServiceAccount that is not there',
      [deployment({ pod: 'serviceAccountName: none' })],
      'FailedCreate',
      /ServiceAccount none/,
    ],
    [
      'a PriorityClass that is not there',
      [deployment({ pod: 'priorityClassName: none' })],
      'FailedCreate',
      /PriorityClass none is neither in the release nor in the cluster/,
    ],
    ['a RuntimeClass that is not there', [deployment({ pod: 'runtimeClassName: none' })], 'FailedCreate', /RuntimeClass none/],
    [
      'a StorageClass that is not there',
      [
        'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\nspec: { accessModes: [ReadWriteOnce], storageClassName: none, resources: { requests: { storage: 1Gi } } }',
      ],
      'ProvisioningFailed',
      /no such StorageClass/,
    ],
    [
      'more memory than any node has',
      [deployment({ container: 'resources: { requests: { memory: 900Gi } }' })],
      'Unschedulable',
      /0\/\d+ nodes are available: .*Insufficient memory \(900Gi asked for/,
    ],
    [
      'a node selector that no node has',
      [deployment({ pod: 'nodeSelector: { disk: golden }' })],
      'Unschedulable',
      /didn't match Pod's node affinity\/selector/,
    ],
    [
      'a Service that selects nothing',
      [SERVICE.replace('app: web', 'app: wbe'), deployment()],
      'NoEndpoints',
      /service\/web would select no pod: its selector is app=wbe, and deployment\/web has app=web/,
    ],
  ])('%s', async (_, documents, reason, message) => {
    const { error, ms } = await found(documents)
    expect(error).toMatchObject({ reason, message: expect.stringMatching(message), at: { file: 'k8s/web.yaml' } })
    expect(error?.message).toMatch(/Nothing was changed\.$/)
    expect(ms).toBeLessThan(2_000)
  })

  test('everything at once is one failure', async () => {
    const { error } = await found([
      deployment({ image: `${BASE.registry}/${BASE.repository}:none`, container: USES_SECRET, pod: 'serviceAccountName: none' }),
    ])
    expect([error?.reason, error?.also.map(({ message }) => message.split(':')[0])]).toEqual([
      'ErrImagePull',
      ['CreateContainerConfigError', 'FailedCreate'],
    ])
  })

  test('warn: the same as warnings, and no waiting', async () => {
    const { error, said, ms } = await found([deployment({ container: USES_SECRET })], { mode: 'warn', waitMs: 10_000 })
    expect(error).toBeUndefined()
    expect(said).toEqual([expect.stringMatching(/^Preflight: CreateContainerConfigError: .*Secret late/)])
    expect(ms).toBeLessThan(2_000)
  })
})

describe('what arrives late', () => {
  test('an image pushed 5 s late', async () => {
    const tag = `late-${Date.now()}`
    const image = `${BASE.registry}/${BASE.repository}:${tag}`
    const steps = await stepsOf(admin, [deployment({ image })])
    const manifest = await registry.manifest(BASE.tag ?? 'latest')
    if (manifest === undefined) throw new Error('the base image is gone')
    const pushed = new Promise(resolve => setTimeout(resolve, 5_000)).then(() => registry.tag(manifest, tag))
    const { error, ms, said } = await preflight(steps, { waitMs: 15_000 })
    await pushed
    expect([error, said.length]).toEqual([undefined, 2])
    expect(said[0]).toMatch(/^Not there yet, waiting up to 15 s: Image .* does not exist/)
    console.info(`an image 5 s late was seen after ${Math.round(ms)} ms`)
    expect(ms).toBeGreaterThan(4_900)
    expect(ms).toBeLessThan(7_000)
  })

  test('a Secret made 3 s late', async () => {
    const steps = await stepsOf(admin, [deployment({ container: USES_SECRET })])
    setTimeout(() => space.kubectl(['create', 'secret', 'generic', 'late', '--from-literal=a=b']), 3_000)
    const { error, ms } = await preflight(steps, { waitMs: 15_000 })
    space.kubectl(['delete', 'secret', 'late'])
    expect(error).toBeUndefined()
    expect(ms).toBeLessThan(5_000)
  })

  test('what never comes fails when the time is over', async () => {
    const { error, ms } = await found([deployment({ container: USES_SECRET })], { waitMs: 2_000 })
    expect(error).toMatchObject({
      reason: 'CreateContainerConfigError',
      message: expect.stringMatching(/It was waited for 2\.0 s\. Nothing was changed\.$/),
    })
    expect(Math.round(ms / 1_000)).toBe(2)
  })

  test('it is not waited for where something else cannot heal', async () => {
    const { ms, error } = await found([deployment({ container: USES_SECRET, pod: 'nodeSelector: { disk: golden }' })], {
      waitMs: 15_000,
    })
    expect(error?.reason).toBe('Unschedulable')
    expect(ms).toBeLessThan(2_000)
  })
})

describe('a namespace with limits', () => {
  beforeAll(async () => {
    const quota =
      'apiVersion: v1\nkind: ResourceQuota\nmetadata: { name: small }\nspec: { hard: { requests.cpu: 300m, pods: 3, count/configmaps: "2" } }'
    const limits =
      'apiVersion: v1\nkind: LimitRange\nmetadata: { name: each }\nspec: { limits: [{ type: Container, max: { memory: 1Gi }, defaultRequest: { cpu: 50m, memory: 64Mi } }] }'
    for (const step of await stepsOf(admin, [quota, limits])) await takeStep(admin.api, step)
    for (let tries = 0; tries < 50; tries++) {
      const live = space.get<{ status?: { hard?: object } } & Step['body']>('resourcequota', 'small')
      if (Object.keys(live?.status?.hard ?? {}).length > 0) return
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  })
  afterAll(() => {
    space.kubectl(['delete', 'resourcequota', 'small'])
    space.kubectl(['delete', 'limitrange', 'each'])
  })

  test.each<[string, string, string, RegExp]>([
    [
      'one pod alone is too much',
      deployment({ container: 'resources: { requests: { cpu: 400m } }' }),
      'FailedCreate',
      /ResourceQuota small in namespace \S+ has no room for one \(requests\.cpu: 400m more asked for, 300m of 300m left\)/,
    ],
    [
      'all together are too many',
      deployment({ replicas: 4 }),
      'FailedCreate',
      /Not all pods of deployment\/web can be created: .*pods: 4 more asked for, 3 of 3 left/,
    ],
    [
      'more than the LimitRange allows',
      deployment({ container: 'resources: { limits: { memory: 2Gi } }' }),
      'FailedCreate',
      /maximum memory usage per Container is 1Gi, of limits it is 2Gi/,
    ],
    [
      'an object too many',
      [CONFIG, CONFIG.replace('name: web', 'name: web2')].join('\n---\n'),
      'Forbidden',
      /count\/configmaps: 2 more asked for, 1 of 2 left/,
    ],
  ])('%s', async (_, documents, reason, message) => {
    const { error } = await found([documents])
    expect(error).toMatchObject({ reason, message: expect.stringMatching(message) })
  })

  test('what the defaults leave room for is fine', async () => {
    const { error, said } = await found([deployment({ replicas: 3 })])
    expect([error?.message, said]).toEqual([undefined, []])
  })
})

describe('a change of a workload that is live', () => {
  test('a template that stays is not looked at, even where its image is gone', async () => {
    const gone = deployment({ image: '127.0.0.1:5000/nobody/knows:1', name: 'old' })
    for (const step of await stepsOf(admin, [gone])) await takeStep(admin.api, step)
    const { error, said } = await found([gone])
    expect([error?.message, said]).toEqual([undefined, []])
    const changed = await found([deployment({ image: '127.0.0.1:5000/nobody/knows:2', name: 'old' })])
    expect(changed.error?.reason).toBe('ErrImagePull')
  })
})

describe('digests', () => {
  test('tags are pinned, and the check before the change asks the registry no more', async () => {
    const manifests = await loadManifestText(deployment(), 'k8s/web.yaml')
    const resolver = ImageResolver.ofRunner(space.env)
    const resolved = await resolveImages(
      manifests.flatMap(({ object }) => containerImages(object).map(({ image }) => image)),
      resolver,
    )
    const pinned = pinDigests(manifests, resolved)
    const digest = await registry.digest(BASE.tag ?? 'latest')
    expect(pinned.changes.map(({ to }) => to)).toEqual([`${BASE_IMAGE}@${digest}`])
    expect(pinDigests(pinned.manifests, resolved).changes).toEqual([])
    const { error } = await found([stringify(pinned.manifests[0]?.object)])
    expect(error).toBeUndefined()
  })
})

describe('a run that may do little', () => {
  test('is told all rights that are missing at once, with the Role that grants them; with that Role it passes', async () => {
    space.kubectl(['create', 'serviceaccount', 'small'])
    space.kubectl(['create', 'role', 'small', '--verb=get,list,watch,patch', '--resource=deployments.apps'])
    space.kubectl(['create', 'rolebinding', 'small', '--role=small', `--serviceaccount=${space.name}:small`])
    const token = space.kubectl(['create', 'token', 'small']).trim()
    const config = parse(readFileSync(space.env['KUBECONFIG'] ?? '', 'utf8')) as { users: { user: object }[] }
    const [user] = config.users
    if (user !== undefined) user.user = { token }
    const small = await connected(stringify(config))
    const steps = await stepsOf(admin, [CONFIG, deployment({ container: USES_CONFIG })])
    const { error, said } = await preflight(steps, { connection: small })
    expect(error).toMatchObject({
      reason: 'Forbidden',
      message: expect.stringMatching(
        /^system:serviceaccount:\S+:small may not get, patch, create, delete configmaps in namespace \S+, which configmap\/web needs\./,
      ),
    })
    expect(error?.also.map(({ message }) => message).join('\n')).toMatch(/may not create, delete deployments\.apps/)
    const role =
      said
        .find(text => text.startsWith('Rights that are missing'))
        ?.split('\n')
        .slice(1)
        .join('\n') ?? ''
    if (process.env['SHOW'] !== undefined) console.info(role)
    space.kubectl(['apply', '-f', '-'], true, role)
    const again = await preflight(steps, { connection: small })
    expect(again.error?.message).toBeUndefined()
    expect(again.said.join('\n')).toMatch(/^Not looked at before the change, for lack of the right to read it: .*nodes/m)
  })
})

test('steps that can be tried only when others are taken are looked at as they are written', async () => {
  const steps = await stepsOf(admin, [deployment({ container: USES_SECRET })], false)
  expect(applyOrder(steps.map(step => step.body))).toHaveLength(1)
  const { error } = await preflight(steps)
  expect(error?.reason).toBe('CreateContainerConfigError')
})
