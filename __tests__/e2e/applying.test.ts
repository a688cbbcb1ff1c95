// deploy-k8s on the real cluster: what it can be given (charts, text), what it takes over from others, and what the server will not change in place.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import { intent } from '../../src/kubernetes/change.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { TestNamespace } from './test-namespace.ts'
import { chartFiles } from './web-chart.ts'

jest.setTimeout(180_000)

const IMAGE = sandboxEnvironment().BASE_IMAGE

let space: TestNamespace

interface Workload extends KubernetesObject {
  spec: {
    replicas: number
    strategy?: { type?: string; rollingUpdate?: unknown }
    template: {
      metadata: { labels?: Record<string, string> }
      spec: { containers: { image: string; env?: { name: string }[] }[] }
    }
  }
  status: { succeeded?: number; completionTime?: string }
}

const workload = (kind: string, name: string): Workload | undefined => space.get<Workload>(kind, name)
const environment = (name: string): string[] =>
  workload('deployment', name)?.spec.template.spec.containers[0]?.env?.map(variable => variable.name) ?? []

/** A Deployment that needs a second: one pod that sleeps. Lines of its spec, and of its container, can be added. */
function sleeper(
  name: string,
  { spec = '', container = '', replicas = 1 as number | 'none', command = 'sleep 600' } = {},
): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:${replicas === 'none' ? '' : `\n  replicas: ${replicas}`}
  selector:
    matchLabels:
      app: ${name}
${spec}  template:
    metadata:
      labels:
        app: ${name}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: ${IMAGE}
          command: ["sh", "-c", ${JSON.stringify(command)}]
${container}`
}

const ENV = (...names: string[]): string =>
  `          env:\n${names.map(name => `            - name: ${name}\n              value: x\n`).join('')}`

/** Without it a container counts as ready from its start until the kubelet has seen its end. */
const PROBE = '          readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}\n'

describe('a Helm chart', () => {
  const inputs = { app: 'shop', manifests: 'charts/web', values: 'values.yaml', set: 'replicas=1' }
  const deploy = (more: Record<string, string> = {}) => space.deploy({ ...inputs, ...more })

  beforeAll(() => {
    space = new TestNamespace('chart')
    space.write({ ...chartFiles('charts/web'), 'values.yaml': `image: ${IMAGE}\ngreeting: from the values\n` })
  })
  afterAll(() => space.remove())

  test('is deployed: its hook first, its test not at all, with the capabilities of the cluster', async () => {
    const run = await deploy()
    expect(run.outputs).toMatchObject({ result: 'deployed', release: `k8s://${space.name}/shop/1` })
    expect(space.get<KubernetesObject & { data: object }>('configmap', 'shop-web')?.data).toEqual({
      greeting: 'from the values',
      event: 'install',
      kinds: 'true',
      version: 'v1',
    })
    const job = workload('job', 'shop-web-migrate')
    expect(job?.status.succeeded).toBe(1)
    const created = workload('deployment', 'shop-web')?.metadata.creationTimestamp ?? ''
    expect(Date.parse(job?.status.completionTime ?? '')).toBeLessThanOrEqual(Date.parse(created))
    expect(space.get('pod', 'shop-web-test')).toBeUndefined()
  })

  test('a hook runs anew with a release that changes something, and not with one that changes nothing', async () => {
    const first = workload('job', 'shop-web-migrate')?.metadata.uid
    // The second release is an upgrade to the chart, which its ConfigMap says.
    expect((await deploy()).outputs['result']).toBe('deployed')
    const second = workload('job', 'shop-web-migrate')?.metadata.uid
    expect(second).not.toBe(first)
    expect((await deploy()).outputs['result']).toBe('unchanged')
    expect(workload('job', 'shop-web-migrate')?.metadata.uid).toBe(second)
  })

  test('a hook that fails ends the release before the workloads are touched', async () => {
    const before = workload('deployment', 'shop-web')?.metadata.generation
    const run = await deploy({
      set: 'replicas=1\nmigration=echo no such table >&2; exit 3',
      images: `${IMAGE.replace(/:[^:/]*$/, '')}=${IMAGE}`,
    })
    expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'BackoffLimitExceeded' })
    expect(run.outputs['message']).toMatch(/^job\/shop-web-migrate: .* exit code 3.*"no such table"\. .*\/shop\/2 was put back/)
    expect(workload('deployment', 'shop-web')?.metadata.generation).toBe(before)
    // The migration of a release that was put back does not go on, and the old one is not run again.
    expect(workload('job', 'shop-web-migrate')).toBeUndefined()
  })

  test.each<[what: string, files: Record<string, string>, more: Record<string, string>, says: RegExp, at: object]>([
    [
      'a chart that it needs and does not have',
      {
        'c/Chart.yaml':
          'apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n  - {name: redis, version: 1.x.x, repository: "https://charts.example"}\n',
      },
      { manifests: 'c', values: '', set: '' },
      /needs the charts redis, .* run "helm dependency build c"/,
      { file: 'c/Chart.yaml' },
    ],
    [
      'a template that fails',
      {
        'd/Chart.yaml': 'apiVersion: v2\nname: other\nversion: 1.0.0\n',
        'd/templates/a.yaml': 'a: 1\nb: {{ required "the host is needed" .Values.host }}\n',
      },
      { manifests: 'd', values: '', set: '' },
      /the host is needed/,
      { file: 'd/templates/a.yaml', line: 2 },
    ],
    [
      'what is rendered and is no YAML',
      { 'e/Chart.yaml': 'apiVersion: v2\nname: e\nversion: 1.0.0\n', 'e/templates/a.yaml': 'a: {{ "}" }}\n  b: 1\n' },
      { manifests: 'e', values: '', set: '' },
      /can't be rendered: .*YAML/,
      { file: 'e/templates/a.yaml' },
    ],
    [
      'a field that the cluster does not know',
      chartFiles('f', { container: '          imagePullPolice: Always\n' }),
      { manifests: 'f', values: 'values.yaml' },
      /deployment\/shop-web is not valid: .*imagePullPolice: field not declared in schema/,
      { file: 'f/templates/deployment.yaml', line: expect.any(Number) },
    ],
    ['values that are not there', {}, { values: 'valeus.yaml' }, /values: there is no file "valeus.yaml"/, {}],
    ['a value among the files of values', {}, { values: 'image.tag: 1' }, /a single value is given by set, as key=value/, {}],
    [
      'values without a chart',
      { 'x.yaml': sleeper('x') },
      { manifests: 'x.yaml' },
      /values: is for Helm charts, and there is none/,
      {},
    ],
  ])('%s', async (_, files, more, says, at) => {
    space.write(files)
    const run = await deploy({ 'dry-run': 'true', ...more })
    expect(run.outputs['message']).toMatch(says)
    expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', ...at }))
  })
})

describe('manifests as text', () => {
  beforeAll(() => {
    space = new TestNamespace('text')
  })
  afterAll(() => space.remove())

  test('alone, with images, and pruned', async () => {
    const config = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`
    const repository = IMAGE.replace(/:[^:/]*$/, '')
    const text = `${sleeper('web').replace(IMAGE, `${repository}:none`)}---\n${config('one')}`
    const given = { app: 'text', images: `${repository}=${IMAGE}`, prune: 'true' }
    expect((await space.deploy({ ...given, 'manifests-text': text })).outputs['result']).toBe('deployed')
    space.write({ 'two.yaml': config('two') })
    const run = await space.deploy({ ...given, 'manifests-text': text.slice(0, text.indexOf('---')), manifests: 'two.yaml' })
    expect(run.outputs['result']).toBe('deployed')
    expect([space.get('configmap', 'one'), space.get('configmap', 'two')?.metadata.name]).toEqual([undefined, 'two'])
  })

  test('what is wrong is told at its line', async () => {
    const run = await space.deploy({
      app: 'text',
      'dry-run': 'true',
      'manifests-text': sleeper('web').replace('image:', 'imagee:'),
    })
    expect(run.outputs['message']).toMatch(/imagee: field not declared/)
    expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', file: 'manifests-text', line: 18 }))
  })
})

describe('a wrong field is told where the user finds it', () => {
  beforeAll(() => {
    space = new TestNamespace('fields')
    const wrong = sleeper('web').replace('image:', 'imagee:')
    space.write({
      'plain.yaml': `# a comment\n${wrong}`,
      'list.yaml': `apiVersion: v1\nkind: List\nitems:\n  - ${wrong.trimEnd().replaceAll('\n', '\n    ')}\n`,
      'k/kustomization.yaml': 'resources: [web.yaml]\n',
      'k/web.yaml': wrong,
      'web.json': JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, dada: {} }, undefined, 1),
    })
  })
  afterAll(() => space.remove())

  test.each([
    ['plain.yaml', { file: 'plain.yaml', line: 19 }],
    ['list.yaml', { file: 'list.yaml', line: 21 }],
    ['web.json', { file: 'web.json', line: 7 }],
    ['k', { file: 'k/kustomization.yaml' }],
  ])('%s', async (manifests, at) => {
    const run = await space.deploy({ app: 'fields', manifests, 'dry-run': 'true' })
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput', message: expect.stringMatching(/imagee|dada/) })
    expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', ...at }))
  })
})

test('pods that the namespace would refuse are found before anything is changed', async () => {
  space = new TestNamespace('strict')
  space.kubectl(['label', 'namespace', space.name, 'pod-security.kubernetes.io/enforce=restricted'], false)
  space.write({ 'web.yaml': sleeper('web') })
  const run = await space.deploy({ app: 'strict', manifests: 'web.yaml' })
  expect(run.outputs).toMatchObject({ result: 'failed', reason: 'FailedCreate' })
  expect(run.outputs['message']).toMatch(
    /^No pod of deployment\/web can be created: violates PodSecurity "restricted:latest": .* Nothing was changed\.$/,
  )
  expect(space.get('deployment', 'web')).toBeUndefined()
  space.remove()
})

test("an image for another platform than the nodes' is warned of", async () => {
  space = new TestNamespace('platform')
  const [registry = '', repository = ''] = [
    IMAGE.slice(0, IMAGE.indexOf('/')),
    IMAGE.slice(IMAGE.indexOf('/') + 1).replace(/:.*/, ''),
  ]
  const manifests = `http://${registry}/v2/${repository}/manifests`
  const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'
  const own = await fetch(`${manifests}/1`, { headers: { accept } })
  const entry = {
    mediaType: own.headers.get('content-type'),
    size: Number(own.headers.get('content-length')),
    digest: own.headers.get('docker-content-digest'),
    platform: { os: 'linux', architecture: 's390x' },
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const pushed = await fetch(`${manifests}/${space.name}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: [entry] }),
  })
  expect(pushed.status).toBe(201)
  space.write({ 'web.yaml': sleeper('web').replace(IMAGE, `${registry}/${repository}:${space.name}`) })
  const run = await space.deploy({ app: 'platform', manifests: 'web.yaml', 'dry-run': 'true' })
  space.remove()
  expect(run.outputs['result']).toBe('unchanged')
  const message = expect.stringMatching(/is built for linux\/s390x, and the nodes that can take its pods are linux\//)
  expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'warning', file: 'web.yaml', line: 18, message }))
})

describe('what others have deployed', () => {
  beforeAll(() => {
    space = new TestNamespace('others')
  })
  afterAll(() => space.remove())

  test('kubectl apply: what the manifest drops vanishes, what was set by hand stays, the number of replicas too', async () => {
    space.kubectl(['apply', '-f', '-'], true, sleeper('web', { replicas: 2, container: ENV('KEPT', 'DROPPED') }))
    space.kubectl(['set', 'env', 'deployment/web', 'BY_HAND=x'])
    space.write({ 'web.yaml': sleeper('web', { replicas: 'none', container: ENV('KEPT') }) })
    const dry = await space.deploy({ app: 'web', manifests: 'web.yaml', 'dry-run': 'true' })
    expect(dry.outputs['diff']).toMatch(/- spec\.template\.spec\.containers\[app\]\.env\[DROPPED\]/)
    expect(dry.outputs['diff']).not.toMatch(/replicas|BY_HAND/)
    expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs['result']).toBe('deployed')
    expect(environment('web')).toEqual(['KEPT', 'BY_HAND'])
    expect(workload('deployment', 'web')?.spec.replicas).toBe(2)
    expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs['result']).toBe('unchanged')
  })

  test('helm: what the chart drops vanishes, and the objects are ours', async () => {
    const files = (extra: string): Record<string, string> =>
      chartFiles('charts/web', { container: ENV('KEPT', ...(extra === '' ? [] : [extra])) })
    space.write(files('DROPPED'))
    const { PATH = '', KUBECONFIG = '' } = { ...process.env, ...space.env }
    const { runProgram } = await import('./test-namespace.ts')
    const argv = ['install', 'shop', `${space.workspace}/charts/web`, '-n', space.name, '--set', `image=${IMAGE}`, '--no-hooks']
    await runProgram('helm', argv, { PATH, KUBECONFIG, HOME: space.workspace })
    space.write(files(''))
    const run = await space.deploy({ app: 'shop', manifests: 'charts/web', set: `image=${IMAGE}` })
    expect(run.outputs['result']).toBe('deployed')
    expect(environment('shop-web')).toEqual(['KEPT'])
    expect(Object.keys(workload('deployment', 'shop-web')?.metadata.annotations ?? {})).not.toContain('meta.helm.sh/release-name')
    expect(run.output).toMatch(/Taken over from the Helm release shop: .*deployment\/shop-web/)
  })

  test('another manager or a controller: the conflict names field and owner, at the line of the file', async () => {
    space.kubectl(
      ['apply', '--server-side', '--field-manager=argocd-controller', '-f', '-'],
      true,
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shared\ndata:\n  mode: theirs\n',
    )
    space.write({
      'shared.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shared\ndata:\n  other: x\n  mode: ours\n',
    })
    const run = await space.deploy({ app: 'shared', manifests: 'shared.yaml' })
    expect(run.outputs).toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('configmap/shared cannot be applied: .data.mode belongs to "argocd-controller"'),
    })
    expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', file: 'shared.yaml', line: 7 }))
  })
})

describe('what the server does not change in place', () => {
  const job = (command: string): string => `apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: ${IMAGE}
          command: ["sh", "-c", ${JSON.stringify(command)}]
`
  const deploy = (content: string, more: Record<string, string> = {}) => {
    space.write({ 'all.yaml': content })
    return space.deploy({ app: 'fixed', manifests: 'all.yaml', ...more })
  }
  beforeAll(() => {
    space = new TestNamespace('fixed')
  })
  afterAll(() => space.remove())

  test('a Job is deleted and made anew where its template has changed, and only there', async () => {
    expect((await deploy(job('echo 1'))).outputs['result']).toBe('deployed')
    const first = workload('job', 'migrate')?.metadata.uid
    expect((await deploy(job('echo 1'))).outputs['result']).toBe('unchanged')
    const dry = await deploy(job('echo 2'), { 'dry-run': 'true' })
    expect(dry.output).toMatch(/change job\/migrate: deleted and made anew; command\[2\] of app/)
    expect(dry.outputs['diff']).not.toMatch(/controller-uid|uid/)
    expect(workload('job', 'migrate')?.metadata.uid).toBe(first)
    expect((await deploy(job('echo 2'))).outputs['result']).toBe('deployed')
    const second = workload('job', 'migrate')
    expect([second?.metadata.uid === first, second?.status.succeeded]).toEqual([false, 1])
    const failed = await deploy(job('echo 3; exit 3'))
    expect(failed.outputs).toMatchObject({ result: 'rolled-back', reason: 'BackoffLimitExceeded' })
    expect(workload('job', 'migrate')).toBeUndefined()
  })

  test('a Deployment becomes one that is recreated, and goes back to what it was when that fails', async () => {
    const recreate = { spec: '  strategy:\n    type: Recreate\n' }
    expect((await deploy(sleeper('web'))).outputs['result']).toBe('deployed')
    const before = workload('deployment', 'web')
    const dry = await deploy(sleeper('web', recreate), { 'dry-run': 'true' })
    expect(dry.outputs['diff']).toContain('+ spec.strategy.type: Recreate')
    const failed = await deploy(sleeper('web', { ...recreate, command: 'exit 3', container: PROBE }))
    expect(failed.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
    const meant = (object: Workload | undefined): unknown => object && intent(object)
    expect(meant(workload('deployment', 'web'))).toEqual(meant(before))
    expect((await deploy(sleeper('web', recreate))).outputs['result']).toBe('deployed')
    expect(workload('deployment', 'web')?.spec.strategy).toEqual({ type: 'Recreate' })
    expect((await deploy(sleeper('web', recreate))).outputs['result']).toBe('unchanged')
    expect((await deploy(sleeper('web'))).outputs['result']).toBe('deployed')
    expect(workload('deployment', 'web')?.spec.strategy?.type).toBe('RollingUpdate')
  })

  describe('is found before anything is changed, with what to do', () => {
    const set = (spec: string): string =>
      `apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: db\nspec:\n  replicas: 0\n  serviceName: db\n${spec}  selector:\n    matchLabels:\n      app: db\n  template:\n    metadata:\n      labels:\n        app: db\n    spec:\n      containers:\n        - name: db\n          image: ${IMAGE}\n`
    const service = (spec: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: db\nspec:\n${spec}  ports:\n    - port: 80\n`
    const config = (value: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fixed\nimmutable: true\ndata:\n  a: "${value}"\n`
    const binding = (role: string): string =>
      `apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: db\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: ${role}\nsubjects: []\n`
    const claims =
      '  volumeClaimTemplates:\n    - metadata:\n        name: data\n      spec:\n        accessModes: [ReadWriteOnce]\n        resources:\n          requests:\n            storage: 1Mi\n'
    const scaled = sleeper('gone', { replicas: 0 })

    beforeAll(() => {
      space.kubectl(['apply', '-f', '-'], true, [set(''), service(''), config('1'), binding('view'), scaled].join('---\n'))
    })

    test.each<[what: string, content: string, says: RegExp, line: number]>([
      [
        'volume claim templates',
        set(claims),
        /^statefulset\/db is not valid: spec\.volumeClaimTemplates: .*delete statefulset\/db -n fixed-\w+ --cascade=orphan/,
        8,
      ],
      [
        'a selector',
        scaled.replaceAll('app: gone', 'app: gone2'),
        /^deployment\/gone is not valid: spec\.selector: .*field is immutable\. A selector stays/,
        7,
      ],
      [
        "a Service's address",
        service('  clusterIP: None\n'),
        /^service\/db is not valid: .*may not change once set\. .*remove the Service first/,
        5,
      ],
      ['an immutable ConfigMap', config('2'), /^configmap\/fixed is not valid: .*give the new content a new name/, 6],
      ["a binding's role", binding('edit'), /^rolebinding\/db is not valid: .*cannot change roleRef\. A binding's role stays/, 5],
    ])('%s', async (_, content, says, line) => {
      const run = await deploy(`${content}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: never\n`)
      expect(run.outputs).toMatchObject({ result: 'failed', reason: 'InvalidInput', message: expect.stringMatching(says) })
      expect(run.outputs['message']).toContain('Nothing was changed.')
      expect(run.annotations).toContainEqual(expect.objectContaining({ level: 'error', file: 'all.yaml', line }))
      expect(space.get('configmap', 'never')).toBeUndefined()
    })
  })
})
