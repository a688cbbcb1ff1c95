// Images: found in every kind that has a pod template, replaced by exact repository, set by container.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatFieldPath } from '../../src/kubernetes/field-path.ts'
import {
  applySetImage,
  containerImages,
  parseImageEntry,
  parseSetImageEntry,
  rewriteImages,
} from '../../src/kubernetes/images.ts'
import { loadManifestText, type Manifest } from '../../src/kubernetes/manifests.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { InputFault } from '../../src/runner/inputs.ts'

/** A chart's output as helm prints it: comments, quoted labels, a sidecar that is a restartable init container. */
const HELM = `---
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: release-web
  labels:
    helm.sh/chart: web-0.1.0
    app.kubernetes.io/managed-by: Helm
spec:
  replicas: 3
  template:
    metadata:
      annotations:
        checksum/config: 3f9c2ab
    spec:
      initContainers:
        - name: wait-for-db
          image: "docker.io/library/busybox:1.36"
          command: [sh, -c, "until nc -z db 5432; do sleep 1; done"]
        - name: proxy
          image: ghcr.io/acme/proxy:2
          restartPolicy: Always
      containers:
        - name: web
          image: "ghcr.io/acme/web:1.4.1"
          env:
            - name: IMAGE
              value: ghcr.io/acme/web:1.4.1
        - name: admin
          image: ghcr.io/acme/web-admin:1.4.1
---
# Source: web/templates/tests/test-connection.yaml
apiVersion: v1
kind: Pod
metadata:
  name: release-web-test
spec:
  containers:
    - name: wget
      image: busybox
`

const ROLLOUT = `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  strategy: {canary: {steps: [{setWeight: 10}]}}
  template:
    spec:
      containers: [{name: web, image: "ghcr.io/acme/web:1.4.1@sha256:${'a'.repeat(64)}"}]
`
const KNATIVE = `apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: web}
spec:
  template:
    spec:
      containers: [{image: "ghcr.io/acme/web:1.4.1"}]
`
const CRON_JOB = `apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: report, image: "ghcr.io:443/acme/web"}], restartPolicy: Never}}}}
`
const SCALED_JOB = `apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata: {name: worker}
spec: {jobTargetRef: {template: {spec: {containers: [{name: worker, image: "ghcr.io/acme/worker:1"}]}}}}
`
const PROMETHEUS = `apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main}
spec: {image: "quay.io/prometheus/prometheus:v3", containers: [{name: config-reloader, resources: {}}]}
`
const CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.acme.io}
spec: {versions: [{schema: {openAPIV3Schema: {properties: {containers: {type: array}}}}, containers: [{name: x, image: y}]}]}
`
const CONFIG_MAP = `apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {template: "containers: [{name: web, image: ghcr.io/acme/web:1}]"}
`

const built = (apiVersion: string, kind: string, specPath: string): string => {
  const pod = '{containers: [{name: app, image: "app:1"}]}'
  const nested = specPath.split('.').reduceRight((inner, key) => `{${key}: ${inner}}`, pod)
  return `{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: x}, ${nested.slice(1, -1)}}`
}

const load = (text: string): Promise<Manifest[]> => loadManifestText(text, 'x.yaml')
const failureOf = (run: () => unknown): ExpectedFailure => {
  try {
    run()
  } catch (error) {
    if (error instanceof ExpectedFailure && error.reason === 'InvalidInput') return error
    throw error
  }
  throw new Error('it did not fail')
}
const rewrite = async (text: string, ...entries: string[]): Promise<string[]> =>
  rewriteImages(await load(text), entries.map(parseImageEntry)).changes.map(
    ({ container, from, to }) => `${container}: ${from} -> ${to}`,
  )

describe('containerImages', () => {
  test.each([
    ['v1', 'Pod', 'spec'],
    ['v1', 'PodTemplate', 'template.spec'],
    ['v1', 'ReplicationController', 'spec.template.spec'],
    ['apps/v1', 'Deployment', 'spec.template.spec'],
    ['apps/v1', 'ReplicaSet', 'spec.template.spec'],
    ['apps/v1', 'StatefulSet', 'spec.template.spec'],
    ['apps/v1', 'DaemonSet', 'spec.template.spec'],
    ['batch/v1', 'Job', 'spec.template.spec'],
    ['batch/v1', 'CronJob', 'spec.jobTemplate.spec.template.spec'],
    ['acme.io/v1', 'Anything', 'spec.a.b.template.spec'],
  ])('%s %s', async (apiVersion, kind, path) => {
    const [manifest] = await load(built(apiVersion, kind, path))
    const images = containerImages(manifest?.object as KubernetesObject)
    expect(images.map(image => ({ ...image, path: formatFieldPath(image.path) }))).toEqual([
      { path: `${path}.containers[0].image`, container: 'app', image: 'app:1', init: false },
    ])
  })

  test.each([
    ['init containers and sidecars', HELM, ['wait-for-db init', 'proxy init', 'web', 'admin', 'wget']],
    ['Argo Rollout', ROLLOUT, ['web']],
    ['Knative Service, container without a name', KNATIVE, ['']],
    ['CronJob', CRON_JOB, ['report']],
    ['KEDA ScaledJob', SCALED_JOB, ['worker']],
    ['a custom resource whose containers have no image', PROMETHEUS, []],
    ['a CustomResourceDefinition', CRD, []],
    ['a ConfigMap with a manifest as text', CONFIG_MAP, []],
    ['a Deployment of another group without a spec', 'apiVersion: acme.io/v1\nkind: Deployment\nmetadata: {name: x}', []],
    [
      'nonsense where containers are expected',
      built('apps/v1', 'Deployment', 'spec.template').replace('containers: [', 'containers: [5, null, {image: 5}, '),
      [],
    ],
  ])('%s', async (_, text, expected) => {
    const found = (await load(text)).flatMap(({ object }) => containerImages(object))
    expect(found.map(({ container, init }) => `${container}${init ? ' init' : ''}`)).toEqual(expected)
  })
})

describe('parseImageEntry', () => {
  test.each([
    ['web=ghcr.io/acme/web:1', 'library/web', 'ghcr.io/acme/web:1'],
    ['ghcr.io/acme/web=ghcr.io/acme/web:1', 'acme/web', 'ghcr.io/acme/web:1'],
    ['nginx = nginx:2', 'library/nginx', 'nginx:2'],
    [`localhost:5000/web=localhost:5000/web@sha256:${'0'.repeat(64)}`, 'web', `localhost:5000/web@sha256:${'0'.repeat(64)}`],
  ])('%s', (entry, repository, reference) => {
    expect(parseImageEntry(entry)).toMatchObject({ repository: { repository }, reference })
  })
  test.each([
    ['web', /not written name=reference/],
    ['=web:1', /not written name=reference/],
    ['web=', /not written name=reference/],
    ['web:1=web:2', /a tag or a digest before the "="/],
    ['Web=web:1', /lower case/],
    ['web=web:', /tag after ":" is empty/],
    ['web=web:1=2', /no tag/],
    ['web=https://ghcr.io/web', /URL scheme/],
  ])('%s is refused', (entry, message) => {
    expect(() => parseImageEntry(entry)).toThrow(InputFault)
    expect(() => parseImageEntry(entry)).toThrow(message)
  })
})

describe('parseSetImageEntry', () => {
  test.each([
    ['deployment/web app=web:1', 'Deployment', 'web', 'app', 'web:1'],
    ['deploy/web app=web:1', 'Deployment', 'web', 'app', 'web:1'],
    ['deployments.apps/web   app=web:1', 'Deployment', 'web', 'app', 'web:1'],
    ['Deployment/web *=web:1', 'Deployment', 'web', '*', 'web:1'],
    ['sts/db.main db=pg:17', 'StatefulSet', 'db.main', 'db', 'pg:17'],
    ['ds/log log=l:1', 'DaemonSet', 'log', 'log', 'l:1'],
    ['cj/report r=r:1', 'CronJob', 'report', 'r', 'r:1'],
    ['rs/a a=a:1', 'ReplicaSet', 'a', 'a', 'a:1'],
    ['rc/a a=a:1', 'ReplicationController', 'a', 'a', 'a:1'],
    ['po/a a=a:1', 'Pod', 'a', 'a', 'a:1'],
    ['job/a a=a:1', 'Job', 'a', 'a', 'a:1'],
    ['rollout/a a=a:1', 'Rollout', 'a', 'a', 'a:1'],
  ])('%s', (entry, kind, name, container, reference) => {
    expect(parseSetImageEntry(entry)).toEqual({ kind, name, container, reference })
  })
  test.each([
    ['deployment/web', /not written kind\/name/],
    ['deployment web app=web:1', /more than one container/],
    ['web app=web:1', /not written kind\/name/],
    ['deployment/web app=web:1 side=side:1', /more than one container/],
    ['deploymnt/web app=web:1', /did you mean deployment\?/],
    ['service/web app=web:1', /no kind whose image can be set/],
    ['deployment/We_b app=web:1', /no name of a Deployment/],
    ['deployment/web App=web:1', /no container's name/],
    ['deployment/web app=web:', /tag after ":" is empty/],
    ['deployment.acme.io/web app=web:1', /no kind/],
  ])('%s is refused', (entry, message) => {
    expect(() => parseSetImageEntry(entry)).toThrow(InputFault)
    expect(() => parseSetImageEntry(entry)).toThrow(message)
  })
})

describe('rewriteImages', () => {
  test.each([
    [
      'the repository alone, not one that begins like it',
      HELM,
      'ghcr.io/acme/web=ghcr.io/acme/web:1.4.2',
      ['web: ghcr.io/acme/web:1.4.1 -> ghcr.io/acme/web:1.4.2'],
    ],
    [
      'a short name is the one in full',
      HELM,
      'busybox=busybox:2',
      ['wait-for-db: docker.io/library/busybox:1.36 -> busybox:2', 'wget: busybox -> busybox:2'],
    ],
    [
      'a restartable init container',
      HELM,
      'ghcr.io/acme/proxy=mirror/proxy:3',
      ['proxy: ghcr.io/acme/proxy:2 -> mirror/proxy:3'],
    ],
    [
      'a digest is replaced with the rest',
      ROLLOUT,
      'ghcr.io/acme/web=ghcr.io/acme/web:2',
      [`web: ghcr.io/acme/web:1.4.1@sha256:${'a'.repeat(64)} -> ghcr.io/acme/web:2`],
    ],
    ['Knative', KNATIVE, 'ghcr.io/acme/web=ghcr.io/acme/web:2', [': ghcr.io/acme/web:1.4.1 -> ghcr.io/acme/web:2']],
    [
      'a CronJob; a port is part of the registry',
      CRON_JOB,
      'ghcr.io:443/acme/web=ghcr.io/acme/web:2',
      ['report: ghcr.io:443/acme/web -> ghcr.io/acme/web:2'],
    ],
    ['what is right already is found, and no change', KNATIVE, 'ghcr.io/acme/web=ghcr.io/acme/web:1.4.1', []],
    ['what the entry made already is found', KNATIVE, 'web=ghcr.io/acme/web:1.4.1', []],
  ])('%s', async (_, text, entry, expected) => {
    expect(await rewrite(text, entry)).toEqual(expected)
  })

  test('each image is replaced once, by its own entry', async () => {
    const text = built('v1', 'Pod', 'spec').replace('"app:1"}', 'a:1}, {name: b, image: b:1}')
    expect(await rewrite(text, 'a=b:2', 'b=a:3')).toEqual(['app: a:1 -> b:2', 'b: b:1 -> a:3'])
  })

  test.each([['web'], ['acme/web'], ['ghcr.io/acme/we'], ['ghcr.io/acme/web/x'], ['ghcr.io/other/web'], ['docker.io/acme/web']])(
    '%s matches nothing, and the images that are there are named with their places',
    async name => {
      const manifests = await load(HELM)
      const failure = failureOf(() => rewriteImages(manifests, [parseImageEntry(`${name}=x:1`)]))
      expect(failure.message).toContain(
        'docker.io/library/busybox:1.36, ghcr.io/acme/proxy:2, ghcr.io/acme/web:1.4.1, ghcr.io/acme/web-admin:1.4.1, busybox',
      )
      expect(failure.also).toContainEqual({
        message: 'An image that is here: ghcr.io/acme/web:1.4.1',
        at: { file: 'x.yaml', line: 26, column: 11 },
      })
    },
  )

  test('manifests without images', async () => {
    const manifests = await load(CONFIG_MAP)
    expect(failureOf(() => rewriteImages(manifests, [parseImageEntry('a=b:1')])).message).toContain('there are no images in them')
  })

  test('two entries that want different things of one repository', async () => {
    const manifests = await load(HELM)
    const entries = ['busybox=a:1', 'docker.io/library/busybox=b:1'].map(parseImageEntry)
    expect(failureOf(() => rewriteImages(manifests, entries)).message).toContain(
      'docker.io/library/busybox is to become a:1 and b:1 too',
    )
  })

  test('an image that is no reference is left alone', async () => {
    const text = built('v1', 'Pod', 'spec').replace('"app:1"', '"$(IMAGE)"')
    const manifests = await load(text)
    expect(rewriteImages(manifests, []).manifests).toEqual(manifests)
    expect(failureOf(() => rewriteImages(manifests, [parseImageEntry('app=app:2')])).message).toContain('$(IMAGE)')
  })

  test('the manifest keeps its positions, the change names the new object', async () => {
    const { manifests, changes } = rewriteImages(await load(HELM), [parseImageEntry('ghcr.io/acme/web=w:2')])
    expect(changes[0]?.object).toBe(manifests[0]?.object)
    expect(manifests[0]?.position(changes[0]?.path ?? [])).toEqual({ file: 'x.yaml', line: 26, column: 11 })
  })
})

describe('rewriteImages, always', () => {
  const repositories = [
    'nginx',
    'docker.io/library/nginx',
    'index.docker.io/nginx',
    'nginx-extra',
    'x/nginx',
    'ghcr.io/x/nginx',
    'web',
    '${broken',
  ]
  const image = fc
    .tuple(fc.constantFrom(...repositories), fc.constantFrom('', ':1', ':2', `@sha256:${'b'.repeat(64)}`))
    .map(([repository, suffix]) => repository + suffix)
  const containers = fc.array(fc.record({ name: fc.constantFrom('a', 'b'), image, extra: fc.jsonValue({ maxDepth: 2 }) }), {
    maxLength: 4,
  })
  const manifest = fc
    .tuple(containers, containers, fc.boolean(), fc.jsonValue({ maxDepth: 2 }))
    .map(([init, main, custom, extra]): Manifest => {
      const object = {
        apiVersion: custom ? 'acme.io/v1' : 'apps/v1',
        kind: custom ? 'Thing' : 'Deployment',
        metadata: { name: 'x' },
        spec: { template: { spec: { initContainers: init, containers: main } }, image: 'nginx:1' },
        status: extra,
      }
      return { object, source: { file: 'x' }, position: () => ({ file: 'x' }) }
    })
  const isNginx = (text: string): boolean => /^(docker\.io\/library\/nginx|index\.docker\.io\/nginx|nginx)(?=$|[:@])/.test(text)

  test('touches exactly the images of the repository, and a second time nothing', () => {
    const entry = parseImageEntry('nginx=nginx:9')
    fc.assert(
      fc.property(fc.array(manifest, { minLength: 1, maxLength: 3 }), manifests => {
        const images = manifests.flatMap(({ object }) => containerImages(object))
        fc.pre(images.some(each => isNginx(each.image)))
        const before = JSON.stringify(manifests)
        const first = rewriteImages(manifests, [entry])
        expect(JSON.stringify(manifests)).toBe(before)
        const expected = JSON.parse(JSON.stringify(manifests.map(each => each.object))) as KubernetesObject[]
        for (const object of expected) {
          const { initContainers, containers: main } = (
            object['spec'] as { template: { spec: Record<string, { image: string }[]> } }
          ).template.spec
          for (const container of [...(initContainers ?? []), ...(main ?? [])])
            if (isNginx(container.image)) container.image = 'nginx:9'
        }
        expect(JSON.stringify(first.manifests.map(each => each.object))).toBe(JSON.stringify(expected))
        expect(first.changes).toHaveLength(images.filter(each => isNginx(each.image)).length)
        const second = rewriteImages(first.manifests, [entry])
        expect(second.changes).toEqual([])
        expect(second.manifests).toEqual(first.manifests)
      }),
    )
  })
})

describe('applySetImage', () => {
  const set = async (
    text: string,
    entries: readonly string[],
    namespace?: string,
  ): Promise<{ changes: string[]; live: string[] }> => {
    const { changes, live } = applySetImage(await load(text), entries.map(parseSetImageEntry), namespace)
    return {
      changes: changes.map(({ container, to }) => `${container} ${to}`),
      live: live.map(({ kind, name }) => `${kind}/${name}`),
    }
  }
  test.each([
    ['one container', ['deploy/release-web web=w:2'], ['web w:2'], []],
    ['an init container', ['deploy/release-web proxy=p:2'], ['proxy p:2'], []],
    ['all containers', ['po/release-web-test *=b:2'], ['wget b:2'], []],
    [
      'all, and one otherwise',
      ['deploy/release-web *=w:2', 'deploy/release-web admin=a:2'],
      ['wait-for-db w:2', 'proxy w:2', 'web w:2', 'admin a:2'],
      [],
    ],
    [
      'a workload that is not there',
      ['deploy/other web=w:2', 'sts/release-web web=w:2'],
      [],
      ['Deployment/other', 'StatefulSet/release-web'],
    ],
    ['what it is already', ['po/release-web-test wget=busybox'], [], []],
    ['the same twice', ['po/release-web-test wget=b:1', 'pod/release-web-test wget=b:1'], ['wget b:1'], []],
  ])('%s', async (_, entries, changes, live) => {
    expect(await set(HELM, entries)).toEqual({ changes, live })
  })
  test.each([
    ['CronJob', CRON_JOB, 'cj/report report=r:1', 'report r:1'],
    ['Rollout', ROLLOUT, 'rollout/web web=w:2', 'web w:2'],
  ])('%s', async (_, text, entry, change) => {
    expect((await set(text, [entry])).changes).toEqual([change])
  })
  test('an object of another namespace is not meant', async () => {
    const text = built('apps/v1', 'Deployment', 'spec.template.spec').replace('name: x', 'name: x, namespace: other')
    expect(await set(text, ['deploy/x app=a:2'], 'prod')).toEqual({ changes: [], live: ['Deployment/x'] })
    expect(await set(text, ['deploy/x app=a:2'], 'other')).toEqual({ changes: ['app a:2'], live: [] })
  })
  test('a kind of the same name in another group is not meant', async () => {
    expect((await set(built('acme.io/v1', 'Deployment', 'spec.template.spec'), ['deploy/x app=a:2'])).live).toEqual([
      'Deployment/x',
    ])
  })
  test('a container that is not there, with those that are', async () => {
    const manifests = await load(HELM)
    const failure = failureOf(() => applySetImage(manifests, [parseSetImageEntry('deploy/release-web app=w:2')]))
    expect(failure.message).toBe(
      'set-image: deployment/release-web has no container "app", its containers are wait-for-db, proxy, web, admin; nothing was changed.',
    )
    expect(failure.also[0]?.at).toEqual({ file: 'x.yaml', line: 3, column: 1 })
  })
  test('two entries that want different things of one container', async () => {
    const manifests = await load(HELM)
    const entries = ['deploy/release-web web=w:2', 'deployment/release-web web=w:3'].map(parseSetImageEntry)
    expect(failureOf(() => applySetImage(manifests, entries)).message).toContain(
      'deployment/release-web web is to become w:2 and w:3 too',
    )
  })
})
