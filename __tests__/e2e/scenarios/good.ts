// Releases that are good, whatever happens to them meanwhile: each must end `deployed`, with the new version serving.
import type { Happening, Scenario } from './scenario.ts'
import {
  atFirst,
  autoscaler,
  baseImage,
  configMap,
  cronJob,
  daemonSet,
  database,
  definition,
  deployment,
  type Fields,
  fromConfigMap,
  fromSecret,
  httpGet,
  job,
  mounted,
  pod,
  quota,
  STUBBORN,
  secret,
  serve,
  service,
  statefulSet,
  unpushed,
  web,
} from './workloads.ts'

const v1 = web({ version: '1' })
/** The same with a Deployment of another name, which the Service leads to as before. */
const renamed = (objects: readonly Fields[], name: string): readonly Fields[] =>
  objects.map(object => (object['kind'] === 'Deployment' ? { ...object, metadata: { name } } : object))
const oneV1 = [deployment({ version: '1' })]
const off = { preflight: 'off' }
const good = { deploy: true } as const
const WEB = ['apps/v1', 'Deployment', 'web'] as const
const onDelete = { updateStrategy: { type: 'OnDelete' } }
/** Time for something to happen to the pod before it is Ready. */
const readyLater = { readinessProbe: httpGet('/', { initialDelaySeconds: 5, periodSeconds: 1 }) }
const dies = (how: 'delete' | 'evict' | 'end'): readonly Happening[] => [{ at: 2, pod: how }]
const scaledTo = (replicas: number): readonly Happening[] => [
  { at: 3, of: WEB, patch: { spec: { replicas } }, subresource: 'scale' },
]
/** Ends as long as nobody answers at the Service `db`, which pods know by their environment. */
const needsDatabase = `nc -w 2 $DB_SERVICE_HOST 80 </dev/null || { echo no database >&2; exit 3; }; ${serve()}`
const picky = `[ "$LEVEL" = good ] || exit 1; ${serve()}`

const rollouts: readonly Scenario[] = [
  { name: 'a rolling update', live: v1, release: web(), probed: true, takes: 30, must: good },
  { name: 'over what kubectl applied', live: v1, liveBy: 'kubectl', release: web(), probed: true, takes: 30, must: good },
  {
    name: 'over a release that has never been healthy',
    live: [deployment({ version: '1', script: 'exit 1' })],
    liveBy: 'sick',
    release: [deployment()],
    takes: 25,
    must: good,
  },
  {
    name: 'a first release of many objects, in several files',
    release: {
      'config.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [configMap({ level: 'good' }), secret()] }),
      'web.yaml': web({ script: picky, container: { ...fromConfigMap, envFrom: [{ secretRef: { name: 'web' } }] } })
        .map(object => JSON.stringify(object))
        .join('\n---\n'),
      'others.yaml': [cronJob(), statefulSet({ replicas: 1 }), daemonSet(), job('echo done'), pod('echo sown')]
        .map(object => JSON.stringify(object))
        .join('\n---\n'),
    },
    takes: 30,
    must: good,
  },
  { name: 'the same again', live: v1, release: v1, probed: true, takes: 12, must: { ...good, result: 'unchanged' } },
  {
    name: 'all at once: strategy Recreate',
    live: [deployment({ version: '1', spec: { strategy: { type: 'Recreate' } } })],
    release: [deployment({ spec: { strategy: { type: 'Recreate' } } })],
    takes: 25,
    must: good,
  },
  {
    name: 'pods that must be Ready for a while',
    live: oneV1,
    release: [deployment({ spec: { minReadySeconds: 8 } })],
    takes: 35,
    must: good,
  },
  { name: 'no replicas', live: oneV1, release: [deployment({ replicas: 0 })], takes: 20, must: good },
  {
    name: 'old pods that are slow to end',
    live: web({
      version: '1',
      pod: { terminationGracePeriodSeconds: 30 },
      container: { lifecycle: { preStop: { exec: { command: ['sleep', '15'] } } } },
    }),
    release: web(),
    probed: true,
    takes: 45,
    must: good,
  },
  {
    name: 'old pods that are killed in the end',
    live: [deployment({ version: '1', replicas: 2, script: STUBBORN, pod: { terminationGracePeriodSeconds: 3 } })],
    release: [deployment({ replicas: 2 })],
    takes: 25,
    must: good,
  },
  {
    name: 'a quota that old pods make room in',
    given: [quota({ pods: '2' })],
    live: [
      deployment({
        version: '1',
        replicas: 2,
        pod: { terminationGracePeriodSeconds: 5 },
        container: { lifecycle: { preStop: { exec: { command: ['sleep', '3'] } } } },
      }),
    ],
    release: [deployment({ replicas: 2, spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } } })],
    inputs: off,
    takes: 65,
    must: good,
  },
  {
    name: 'a quota that is full until a pod has ended',
    given: [quota({ pods: '2' })],
    live: [
      deployment({
        version: '1',
        replicas: 2,
        pod: { terminationGracePeriodSeconds: 20 },
        container: { lifecycle: { preStop: { exec: { command: ['sleep', '12'] } } } },
      }),
    ],
    release: [deployment({ spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } })],
    meanwhile: [{ at: 0, from: 'start', of: WEB, patch: { spec: { replicas: 1 } }, subresource: 'scale' }],
    takes: 50,
    must: good,
  },
  {
    name: 'a port of the node that the old pod frees',
    live: [
      deployment({
        version: '1',
        pod: { terminationGracePeriodSeconds: 14 },
        container: {
          ports: [{ containerPort: 8080, hostPort: 18_987 }],
          lifecycle: { preStop: { exec: { command: ['sleep', '12'] } } },
        },
      }),
    ],
    release: [
      deployment({
        container: { ports: [{ containerPort: 8080, hostPort: 18_987 }] },
        spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } },
      }),
    ],
    takes: 45,
    must: good,
  },
]

const late: readonly Scenario[] = [
  {
    name: 'an image pushed 12 s late',
    live: v1,
    release: web({ image: unpushed('late-$NAMESPACE') }),
    meanwhile: [{ at: 12, from: 'start', pushTag: 'late-$NAMESPACE' }],
    probed: true,
    takes: 40,
    must: good,
  },
  {
    name: 'an image pushed 12 s late, without preflight',
    live: v1,
    release: web({ image: unpushed('late-$NAMESPACE') }),
    inputs: { ...off, 'pin-digests': 'false' },
    meanwhile: [{ at: 12, pushTag: 'late-$NAMESPACE' }],
    probed: true,
    takes: 70,
    must: good,
  },
  {
    name: 'a registry that is away for 12 s',
    registry: 'away',
    live: oneV1,
    release: [deployment({ image: '$REGISTRY/library/busybox:1', container: { imagePullPolicy: 'Always' } })],
    meanwhile: [{ at: 12, registryIsBack: true }],
    takes: 65,
    must: good,
  },
  {
    name: 'a Secret that arrives 8 s late',
    live: v1,
    release: web({ container: fromSecret }),
    meanwhile: [{ at: 8, from: 'start', apply: [secret()] }],
    probed: true,
    takes: 35,
    must: good,
  },
  {
    name: 'a Secret that arrives 8 s late, without preflight',
    live: oneV1,
    release: [deployment({ container: fromSecret })],
    inputs: off,
    meanwhile: [{ at: 8, apply: [secret()] }],
    takes: 45,
    must: good,
  },
  {
    name: "a volume's Secret that arrives 8 s late, without preflight",
    live: oneV1,
    release: [deployment(mounted({ secret: { secretName: 'web' } }))],
    inputs: off,
    meanwhile: [{ at: 8, apply: [secret()] }],
    takes: 45,
    must: good,
  },
  {
    name: 'a webhook of admission that restarts',
    given: [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'MutatingWebhookConfiguration',
        metadata: { name: '$NAMESPACE' },
        webhooks: [
          {
            name: 'inject.example.com',
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            timeoutSeconds: 1,
            clientConfig: { url: 'https://127.0.0.1:9/inject' },
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': '$NAMESPACE' } },
            objectSelector: { matchLabels: { version: '2' } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          },
        ],
      },
    ],
    live: oneV1,
    release: [deployment()],
    meanwhile: [{ at: 6, remove: ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', '$NAMESPACE'] }],
    takes: 35,
    must: good,
  },
]

const slow: readonly Scenario[] = [
  { name: 'one crash that heals', live: oneV1, release: [deployment(atFirst(1, 'exit 3'))], takes: 25, must: good },
  { name: 'two crashes that heal', live: oneV1, release: [deployment(atFirst(2, 'exit 3'))], takes: 45, must: good },
  {
    name: 'crashes until the database that comes with it is up',
    release: [
      deployment({ script: needsDatabase }),
      statefulSet({
        script: `sleep 25; ${serve()}`,
        replicas: 1,
        container: { readinessProbe: httpGet('/', { periodSeconds: 1 }) },
      }),
      service('db'),
    ],
    takes: 70,
    must: good,
  },
  {
    name: 'a start that is slow, within its startup probe',
    live: v1,
    release: web({
      script: `sleep 20; ${serve()}`,
      replicas: 1,
      container: { startupProbe: httpGet('/', { periodSeconds: 2, failureThreshold: 30 }) },
    }),
    probed: true,
    takes: 50,
    must: good,
  },
  {
    name: 'a start that is slow, with only a readiness probe',
    live: v1,
    release: web({ script: `sleep 20; ${serve()}`, replicas: 1 }),
    probed: true,
    takes: 50,
    must: good,
  },
  {
    name: 'an init container that takes its time',
    live: oneV1,
    release: [deployment({ pod: { initContainers: [{ name: 'wait', image: baseImage(), command: ['sleep', '12'] }] } })],
    takes: 40,
    must: good,
  },
  {
    name: 'a sidecar, and an init container after it',
    live: oneV1,
    release: [
      deployment({
        pod: {
          initContainers: [
            { name: 'proxy', image: baseImage(), command: ['sh', '-c', STUBBORN], restartPolicy: 'Always' },
            { name: 'wait', image: baseImage(), command: ['sleep', '1'] },
          ],
        },
      }),
    ],
    takes: 25,
    must: good,
  },
  {
    name: 'a liveness probe that kills once',
    live: oneV1,
    release: [
      deployment(
        (({ container, ...rest }) => ({
          ...rest,
          container: {
            ...container,
            livenessProbe: httpGet('/', { periodSeconds: 3, failureThreshold: 3 }),
            readinessProbe: httpGet('/', { periodSeconds: 2 }),
          },
        }))(atFirst(1, 'sleep 1000')),
      ),
    ],
    takes: 50,
    must: good,
  },
]

const disturbed: readonly Scenario[] = [
  ...(
    [
      ['a pod that is deleted meanwhile', 'delete'],
      ['a pod that is evicted meanwhile', 'evict'],
      ['a pod that its node ends meanwhile', 'end'],
    ] as const
  ).map(
    ([name, how]): Scenario => ({
      name,
      live: v1,
      release: web({ container: readyLater }),
      meanwhile: dies(how),
      probed: true,
      takes: 50,
      must: good,
    }),
  ),
  {
    name: 'somebody scales it up meanwhile',
    live: v1,
    release: web({ container: readyLater }),
    meanwhile: scaledTo(4),
    probed: true,
    takes: 55,
    must: { ...good, replicas: 4 },
  },
  {
    name: 'somebody scales it down meanwhile',
    live: web({ version: '1', replicas: 3 }),
    release: web({ replicas: 3, container: readyLater }),
    meanwhile: scaledTo(1),
    probed: true,
    takes: 45,
    must: { ...good, replicas: 1 },
  },
  {
    name: 'an autoscaler has more replicas',
    live: [...web({ version: '1', replicas: 1 }), autoscaler(3, 5)],
    liveReplicas: 3,
    release: [...web({ replicas: 1 }), autoscaler(3, 5)],
    probed: true,
    takes: 40,
    must: { ...good, replicas: 3 },
  },
  {
    name: 'somebody annotates it meanwhile',
    live: v1,
    release: web(),
    meanwhile: [{ at: 2, of: WEB, patch: { metadata: { annotations: { note: 'look here' } } } }],
    probed: true,
    takes: 30,
    must: good,
  },
  {
    name: 'what its pods lacked is mended',
    live: [deployment({ version: '1', container: fromSecret })],
    liveBy: 'sick',
    release: [secret(), deployment({ version: '1', container: fromSecret })],
    takes: 30,
    must: good,
  },
]

const otherKinds: readonly Scenario[] = [
  {
    name: 'a StatefulSet, pod by pod',
    live: [statefulSet({ version: '1' })],
    release: [statefulSet()],
    takes: 35,
    must: good,
  },
  {
    name: 'a StatefulSet with updateStrategy OnDelete',
    live: [statefulSet({ version: '1', spec: onDelete })],
    release: [statefulSet({ spec: onDelete })],
    takes: 25,
    must: { ...good, staysOld: 2 },
  },
  {
    name: 'a StatefulSet with a partition',
    live: [statefulSet({ version: '1' })],
    release: [statefulSet({ spec: { updateStrategy: { rollingUpdate: { partition: 1 } } } })],
    takes: 30,
    must: { ...good, staysOld: 1 },
  },
  { name: 'a DaemonSet', live: [daemonSet({ version: '1' })], release: [daemonSet()], takes: 30, must: good },
  {
    name: 'a DaemonSet with updateStrategy OnDelete',
    live: [daemonSet({ version: '1', spec: onDelete })],
    release: [daemonSet({ spec: onDelete })],
    takes: 25,
    must: { ...good, staysOld: 1 },
  },
  {
    name: 'a Job that succeeds at its second try',
    live: [configMap({ state: 'not yet' })],
    release: [
      configMap({ state: 'not yet' }),
      job('grep -q done /v/state && exit 0; exit 3', mounted({ configMap: { name: 'web' } })),
    ],
    meanwhile: [{ at: 4, of: ['v1', 'ConfigMap', 'web'], patch: { data: { state: 'done' } } }],
    takes: 40,
    must: good,
  },
  {
    name: 'a Job that is suspended',
    live: oneV1,
    release: [...oneV1, job('exit 1', { spec: { suspend: true } })],
    takes: 20,
    must: good,
  },
  {
    name: 'a Job that is removed as soon as it is done',
    release: [job('sleep 1', { spec: { ttlSecondsAfterFinished: 1 } })],
    takes: 20,
    must: good,
  },
  { name: 'a bare Pod that ends well', live: oneV1, release: [...oneV1, pod('sleep 1')], takes: 20, must: good },
  {
    name: 'a CronJob',
    live: [cronJob({ version: '1' })],
    release: [cronJob()],
    takes: 20,
    must: good,
  },
  {
    name: 'a claim that a volume is bound to',
    given: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: '$NAMESPACE' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1Gi' },
          storageClassName: '$NAMESPACE',
          persistentVolumeReclaimPolicy: 'Retain',
          hostPath: { path: '/tmp/$NAMESPACE', type: 'DirectoryOrCreate' },
        },
      },
    ],
    release: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: '$NAMESPACE', resources: { requests: { storage: '1Gi' } } },
      },
      deployment(mounted({ persistentVolumeClaim: { claimName: 'data' } })),
    ],
    takes: 25,
    must: good,
  },
  {
    name: 'a definition, and an object that becomes Ready',
    release: [definition, database({ type: 'Ready', status: 'False', reason: 'Creating', message: 'the disk is being made' })],
    meanwhile: [
      {
        at: 5,
        of: ['$NAMESPACE.example.com/v1', 'Database', 'main'],
        patch: { status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Created', message: '' }] } },
      },
    ],
    takes: 25,
    must: good,
  },
  {
    name: 'a Deployment that gets another name, with prune',
    live: v1,
    release: renamed(web(), 'web-2'),
    inputs: { prune: 'true' },
    probed: true,
    takes: 30,
    must: good,
  },
  {
    name: 'a Service beside it that selects by what is new',
    live: v1,
    release: [...web(), service('web-2', { app: 'web', version: '2' })],
    probed: true,
    takes: 30,
    must: good,
  },
]

export const goodScenarios: readonly Scenario[] = [...rollouts, ...late, ...slow, ...disturbed, ...otherKinds]
