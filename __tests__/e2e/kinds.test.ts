// What is not a Deployment is followed too: deploy-k8s from its built bundle against the real cluster.
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { TestNamespace } from './test-namespace.ts'

jest.setTimeout(90_000)

const SERVE = 'exec httpd -f -p 8080'

/** A pod template's content, indented by four. */
const podSpec = (command: string, more = ''): string => `      terminationGracePeriodSeconds: 1
${more}      containers:
        - name: app
          image: ${sandboxEnvironment().BASE_IMAGE}
          command: ["sh", "-c", ${JSON.stringify(command)}]
`

const owner = (kind: string, name: string, command: string, spec = ''): string => `apiVersion: apps/v1
kind: ${kind}
metadata:
  name: ${name}
spec:
${spec}  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        app: ${name}
    spec:
${podSpec(command)}`

const database = (command: string): string => owner('StatefulSet', 'db', command, '  serviceName: db\n  replicas: 2\n')

const job = (name: string, command: string): string => `apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
spec:
  backoffLimit: 0
  template:
    spec:
${podSpec(command, '      restartPolicy: Never\n')}`

const barePod = (name: string, command: string): string => `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
spec:
  terminationGracePeriodSeconds: 1
  restartPolicy: Never
  containers:
    - name: app
      image: ${sandboxEnvironment().BASE_IMAGE}
      command: ["sh", "-c", ${JSON.stringify(command)}]
`

let space: TestNamespace

beforeAll(() => {
  space = new TestNamespace('kinds')
})
afterAll(() => space.remove())

test('a StatefulSet, a DaemonSet, a Job and a Pod are waited for, each until it is what it is meant to be', async () => {
  space.write({
    'k8s/db.yaml': database(SERVE),
    'k8s/agent.yaml': owner('DaemonSet', 'agent', SERVE),
    'k8s/migrate.yaml': job('migrate-1', 'sleep 1'),
    'k8s/seed.yaml': barePod('seed', 'echo sown'),
  })
  const run = await space.deploy({ app: 'shop', manifests: 'k8s' })
  expect(run.annotations).toEqual([])
  expect(run.outputs).toMatchObject({ result: 'deployed', reason: '' })
  expect(Object.keys(JSON.parse(run.outputs['digests'] ?? '{}') as object).sort()).toEqual([
    'daemonset/agent',
    'job/migrate-1',
    'pod/seed',
    'statefulset/db',
  ])
  for (const digests of Object.values(JSON.parse(run.outputs['digests'] ?? '{}') as object))
    expect(digests).toEqual({ app: expect.stringMatching(/^sha256:/) })
  const { status } = space.get<KubernetesObject & { status: { readyReplicas: number } }>('statefulset', 'db') ?? {}
  expect(status?.readyReplicas).toBe(2)
})

test('a StatefulSet that crashes is put back, and its stuck pod is deleted so that it comes up again', async () => {
  space.write({ 'k8s/db.yaml': database('echo no disk; exit 4') })
  const run = await space.deploy({ app: 'shop', manifests: 'k8s/db.yaml' })
  expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
  expect(run.outputs['message']).toMatch(/statefulset\/db: pod db-1, container app ended with exit code 4.*no disk.*is healthy/)
  expect(run.stdout).toMatch(/Deleted pod db-1 of statefulset\/db/)
  const { status } =
    space.get<KubernetesObject & { status: { readyReplicas: number; currentRevision: string; updateRevision: string } }>(
      'statefulset',
      'db',
    ) ?? {}
  expect(status).toMatchObject({ readyReplicas: 2 })
})

test('a Job that fails ends the release red, with its exit code, and is removed again', async () => {
  space.write({ 'k8s/db.yaml': database(SERVE), 'k8s/migrate.yaml': job('migrate-2', 'echo no table; exit 7') })
  const run = await space.deploy({ app: 'shop', manifests: 'k8s' })
  expect(run.conclusion).toBe('failure')
  expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'BackoffLimitExceeded' })
  expect(run.outputs['message']).toMatch(/job\/migrate-2: .*container app ended with exit code 7.*no table/)
  expect(space.get('job', 'migrate-2')).toBeUndefined()
})

test('the rollback action brings a StatefulSet back that was left stuck', async () => {
  space.write({ 'k8s/db.yaml': database('no-such-program') })
  const kept = await space.deploy({ app: 'shop', manifests: 'k8s/db.yaml', 'on-failure': 'keep' })
  expect(kept.outputs).toMatchObject({ result: 'failed', reason: 'CrashLoopBackOff' })
  const run = await space.rollback({ app: 'shop', to: 'previous' })
  expect(run.annotations).toEqual([])
  expect(run.stdout).toMatch(/Deleted pod db-1 of statefulset\/db/)
  expect(space.get<KubernetesObject & { status: { readyReplicas: number } }>('statefulset', 'db')?.status.readyReplicas).toBe(2)
})

test('a definition and its first object in one release: the object is followed by its conditions', async () => {
  const group = `${space.name}.example.com`
  space.write({
    'own/database.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: databases.${group}
spec:
  group: ${group}
  scope: Namespaced
  names: {plural: databases, singular: database, kind: Database}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: ${group}/v1
kind: Database
metadata:
  name: main
status:
  conditions:
    - {type: Stalled, status: "True", reason: WrongKey, message: the key is refused}
`,
  })
  const run = await space.deploy({ app: 'own', manifests: 'own' })
  expect(run.outputs).toMatchObject({ result: 'failed', reason: 'WrongKey' })
  expect(run.outputs['message']).toContain('database/main is stalled: the key is refused')
})

test('an object that a failed release had in a new version of its kind is there as before', async () => {
  const group = `versions-${space.name}.example.com`
  const version = (name: string, storage: boolean): string => `    - name: ${name}
      served: true
      storage: ${storage}
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`
  const definition = (...versions: string[]): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: caches.${group}
spec:
  group: ${group}
  scope: Namespaced
  names: {plural: caches, singular: cache, kind: Cache}
  versions:
${versions.join('')}`
  const cache = (name: string, size: number): string => `apiVersion: ${group}/${name}
kind: Cache
metadata:
  name: main
spec:
  size: ${size}
`
  space.write({ 'versions/kind.yaml': definition(version('v1', true)), 'versions/cache.yaml': cache('v1', 1) })
  expect((await space.deploy({ app: 'versions', manifests: 'versions' })).outputs['result']).toBe('deployed')
  const live = (): unknown => {
    const { metadata, ...rest } = space.get(`caches.v1.${group}`, 'main') ?? { metadata: {} as { uid?: string } }
    return { uid: metadata.uid, ...rest }
  }
  const before = live()
  space.write({
    'versions/kind.yaml': definition(version('v1', false), version('v2', true)),
    'versions/cache.yaml': cache('v2', 2),
    'versions/migrate.yaml': job('migrate-versions', 'exit 7'),
  })
  const failed = await space.deploy({ app: 'versions', manifests: 'versions' })
  expect(failed.output).toContain('change cache/main')
  expect(failed.outputs).toMatchObject({ result: 'rolled-back', reason: 'BackoffLimitExceeded' })
  expect(live()).toEqual(before)
  expect(before).toMatchObject({ uid: expect.any(String), spec: { size: 1 } })
  space.kubectl(['delete', 'crd', `caches.${group}`], false)
})

const web = (port: string): string => `${owner('Deployment', 'web', SERVE)}---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: ${port}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 2}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: ${sandboxEnvironment().BASE_IMAGE}}]}}}}
---
${owner('ReplicaSet', 'cache', SERVE)}`

test('what routes to it and scales it is followed too, each as it is meant to be', async () => {
  space.write({ 'k8s/web.yaml': web('8080') })
  const run = await space.deploy({ app: 'web', manifests: 'k8s/web.yaml' })
  expect(run.annotations).toEqual([])
  expect(run.outputs).toMatchObject({ result: 'deployed', reason: '' })
  for (const line of [
    /service\/web: 1\/1 ready/,
    /ingress\/web: 1\/1 ready, is there; no address is waited for/,
    /horizontalpodautoscaler\/web: 1\/1 ready/,
    /cronjob\/nightly: 1\/1 ready, is suspended/,
    /replicaset\/cache: 1\/1 ready/,
  ])
    expect(run.stdout).toMatch(line)
})

test('a Service that sends to a port which no container has is put back', async () => {
  space.write({ 'k8s/web.yaml': web('http') })
  const run = await space.deploy({ app: 'web', manifests: 'k8s/web.yaml' })
  expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'NoEndpoints' })
  expect(run.outputs['message']).toMatch(
    /service\/web: no container of its pods has a port of the name.*targetPort http.*is healthy/,
  )
  const { spec } = space.get<KubernetesObject & { spec: { ports: { targetPort: unknown }[] } }>('service', 'web') ?? {}
  expect(spec?.ports[0]?.targetPort).toBe(8080)
})
