// What is recorded from a real cluster by scripts/record.ts: each scenario is a workload, what happens to it, and for how long it is watched.
// Whether it is good or bad, and how soon that must be known, stands in recorded.test.ts.

import { otherKinds } from './kind-scenarios.ts'
import {
  BASE_IMAGE,
  configMap,
  crashing,
  type Fields,
  fromConfigMap,
  fromSecret,
  fromState,
  httpProbe,
  job,
  LATE_IMAGE,
  of,
  onDelete,
  picky,
  quota,
  SERVE,
  SERVE_INDEX,
  SLOWER,
  STUBBORN,
  secret,
  v1,
  web,
} from './scenario-objects.ts'

/** Something that happens while the recording runs. `at` is in seconds after the release was applied. */
export type Happening = { readonly at: number } & (
  | { readonly apply: readonly Fields[] }
  | { readonly pushImage: string }
  | { readonly scale: number }
  /** One pod of the newest revision is deleted, evicted through the Eviction API, or ended by its node (phase Failed). */
  | { readonly pod: 'delete' | 'evict' | 'end' }
  /** These are made, owned by the judged object: as its controller would, which does not run here. */
  | { readonly owned: readonly Fields[] }
  /** The judged object's controller writes its status, by a merge. `"GENERATION"` and `"NOW"` stand for the numbers of that moment. */
  | { readonly status: Fields }
  /** The node's kubelet is ended, or started again. */
  | { readonly kubelet: 'stop' | 'start' }
  /** It says something in an event. */
  | { readonly says: { readonly reason: string; readonly message: string; readonly warning: boolean } }
)

export interface Scenario {
  readonly name: string
  /** Applied first, each workload waited for until it is available: what was live before the release. */
  readonly before?: readonly Fields[]
  /** What was live before is sick: it is waited for so many seconds instead. */
  readonly sickFor?: number
  /** What the cluster must have: definitions of kinds. Such scenarios are for a cluster that nobody else uses. */
  readonly cluster?: readonly Fields[]
  /** The last of it is judged. */
  readonly release: readonly Fields[]
  readonly happenings?: readonly Happening[]
  /** It changes what all others see, so it is recorded when none other is. */
  readonly alone?: boolean
  /** How long to record, in seconds after the release was applied. */
  readonly seconds: number
}

/** What is not a Deployment. */
const others: readonly Scenario[] = [
  { name: 'statefulset-good', release: [of('StatefulSet', {})], seconds: 15 },
  { name: 'statefulset-updated', before: [of('StatefulSet', {})], release: [of('StatefulSet', { script: SLOWER })], seconds: 25 },
  {
    name: 'statefulset-crashes',
    before: [of('StatefulSet', {})],
    release: [of('StatefulSet', { script: 'exit 1' })],
    seconds: 50,
  },
  {
    name: 'statefulset-image-not-found',
    release: [of('StatefulSet', { image: '127.0.0.1:5000/library/busybox:missing' })],
    seconds: 60,
  },
  {
    name: 'statefulset-partition',
    before: [of('StatefulSet', {})],
    release: [of('StatefulSet', { script: SLOWER, spec: { updateStrategy: { rollingUpdate: { partition: 1 } } } })],
    seconds: 15,
  },
  {
    name: 'statefulset-on-delete',
    before: [of('StatefulSet', { spec: onDelete })],
    release: [of('StatefulSet', { script: SLOWER, spec: onDelete })],
    seconds: 8,
  },
  {
    name: 'statefulset-quota',
    release: [quota({ pods: '1' }), of('StatefulSet', {})],
    seconds: 40,
  },
  { name: 'daemonset-good', release: [of('DaemonSet', {})], seconds: 12 },
  { name: 'daemonset-updated', before: [of('DaemonSet', {})], release: [of('DaemonSet', { script: SLOWER })], seconds: 20 },
  { name: 'daemonset-crashes', before: [of('DaemonSet', {})], release: [of('DaemonSet', { script: 'exit 1' })], seconds: 50 },
  {
    name: 'daemonset-on-delete',
    before: [of('DaemonSet', { spec: onDelete })],
    release: [of('DaemonSet', { script: SLOWER, spec: onDelete })],
    seconds: 8,
  },
  { name: 'job-good', release: [job('sleep 2')], seconds: 12 },
  { name: 'job-removed', release: [job('sleep 1', { ttlSecondsAfterFinished: 1 })], seconds: 12 },
  { name: 'job-fails', release: [job('echo no table; exit 7', { backoffLimit: 1 })], seconds: 30 },
  { name: 'job-out-of-time', release: [job('sleep 60', { activeDeadlineSeconds: 4 })], seconds: 15 },
  {
    name: 'job-policy',
    release: [
      job('exit 42', {
        podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }] },
      }),
    ],
    seconds: 12,
  },
  {
    name: 'job-one-retry',
    release: [configMap, job('grep -q done /c/state && exit 0; exit 3', {}, fromState)],
    happenings: [{ at: 4, apply: [{ ...configMap, data: { state: 'done' } }] }],
    seconds: 40,
  },
  {
    name: 'job-restarts',
    release: [
      job(
        'n=$(cat /s/n || echo 0); echo $((n+1)) >/s/n; [ $n -ge 3 ] || exit 3',
        {},
        {
          container: { volumeMounts: [{ name: 's', mountPath: '/s' }] },
          pod: { restartPolicy: 'OnFailure', volumes: [{ name: 's', emptyDir: {} }] },
        },
      ),
    ],
    seconds: 75,
  },
]

export const scenarios: readonly Scenario[] = [
  // What must fail.
  { name: 'image-not-found', release: [web({ image: '127.0.0.1:5000/library/busybox:missing' })], seconds: 60 },
  { name: 'image-name-invalid', release: [web({ image: '127.0.0.1:5000/Library/BusyBox:1' })], seconds: 12 },
  { name: 'crash-at-start', release: [web({ script: 'echo no database; exit 1' })], seconds: 50 },
  {
    name: 'update-crashes',
    before: [v1({ spec: { replicas: 2 } })],
    release: [web({ script: 'exit 1', spec: { replicas: 2 } })],
    seconds: 50,
  },
  { name: 'ends-with-0', release: [web({ script: 'echo done' })], seconds: 50 },
  { name: 'command-not-found', release: [web({ script: 'no-such-program --serve' })], seconds: 50 },
  { name: 'missing-executable', release: [web({ command: ['/no/such/program'] })], seconds: 50 },
  {
    name: 'out-of-memory',
    release: [web({ script: 'x=a; while :; do x=$x$x; done', container: { resources: { limits: { memory: '16Mi' } } } })],
    seconds: 50,
  },
  { name: 'missing-secret', release: [web({ container: fromSecret })], seconds: 45 },
  { name: 'missing-config-key', release: [configMap, web({ container: fromConfigMap })], seconds: 45 },
  { name: 'run-as-non-root', release: [web({ pod: { securityContext: { runAsNonRoot: true } } })], seconds: 15 },
  { name: 'unschedulable', release: [web({ container: { resources: { requests: { cpu: '1000' } } } })], seconds: 45 },
  {
    name: 'quota-exceeded',
    release: [quota({ 'requests.cpu': '100m' }), web({ container: { resources: { requests: { cpu: '200m' } } } })],
    seconds: 40,
  },
  { name: 'missing-service-account', release: [web({ pod: { serviceAccountName: 'nobody' } })], seconds: 40 },
  {
    name: 'limit-range',
    release: [
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'small' },
        spec: { limits: [{ type: 'Container', max: { memory: '64Mi' } }] },
      },
      web({ container: { resources: { limits: { memory: '128Mi' } } } }),
    ],
    seconds: 40,
  },
  { name: 'readiness-404', release: [web({ container: { readinessProbe: httpProbe('/missing') } })], seconds: 105 },
  {
    name: 'readiness-refused',
    release: [web({ script: STUBBORN, container: { readinessProbe: httpProbe('/', { periodSeconds: 2 }) } })],
    seconds: 60,
  },
  // Probes with Kubernetes' own numbers: every 10 s, three failures, 30 s to end.
  {
    name: 'liveness-kills',
    release: [
      web({ script: STUBBORN, container: { livenessProbe: httpProbe('/') }, pod: { terminationGracePeriodSeconds: 30 } }),
    ],
    seconds: 150,
  },
  {
    name: 'liveness-kills-soon',
    release: [web({ container: { livenessProbe: httpProbe('/missing', { periodSeconds: 2, failureThreshold: 2 }) } })],
    seconds: 60,
  },
  {
    name: 'startup-never',
    release: [web({ container: { startupProbe: httpProbe('/missing', { periodSeconds: 2, failureThreshold: 4 }) } })],
    seconds: 70,
  },
  {
    name: 'init-fails',
    release: [web({ pod: { initContainers: [{ name: 'migrate', image: BASE_IMAGE, command: ['sh', '-c', 'exit 2'] }] } })],
    seconds: 50,
  },
  {
    name: 'missing-volume-secret',
    release: [
      web({
        container: { volumeMounts: [{ name: 'tls', mountPath: '/tls' }] },
        pod: { volumes: [{ name: 'tls', secret: { secretName: 'web-tls' } }] },
      }),
    ],
    seconds: 65,
  },
  {
    name: 'crash-after-ready',
    before: [v1()],
    release: [
      web({
        script: `${SERVE_INDEX.replace('exec ', '')} & sleep 6; echo lost the database; exit 1`,
        container: { readinessProbe: httpProbe('/', { periodSeconds: 1 }) },
      }),
    ],
    seconds: 70,
  },
  { name: 'paused', before: [v1()], release: [web({ script: STUBBORN, spec: { paused: true } })], seconds: 8 },
  {
    name: 'progress-deadline',
    before: [v1()],
    release: [
      web({
        spec: { progressDeadlineSeconds: 15 },
        container: { startupProbe: httpProbe('/missing', { periodSeconds: 5, failureThreshold: 60 }) },
      }),
    ],
    seconds: 25,
  },
  {
    name: 'side-container-crashes',
    before: [v1()],
    release: [web({ pod: { containers: [{ name: 'side', image: BASE_IMAGE, command: ['sh', '-c', 'sleep 1; exit 4'] }] } })],
    seconds: 50,
  },
  {
    name: 'sidecar-crashes',
    release: [
      web({
        pod: { initContainers: [{ name: 'proxy', image: BASE_IMAGE, command: ['sh', '-c', 'exit 5'], restartPolicy: 'Always' }] },
      }),
    ],
    seconds: 50,
  },

  // What must not.
  {
    name: 'good',
    release: [web({ spec: { replicas: 2 }, container: { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } } })],
    seconds: 20,
  },
  {
    name: 'update-old-killed',
    before: [v1({ script: STUBBORN, spec: { replicas: 2 }, pod: { terminationGracePeriodSeconds: 3 } })],
    release: [web({ spec: { replicas: 2 } })],
    seconds: 25,
  },
  { name: 'image-late', release: [web({ image: LATE_IMAGE })], happenings: [{ at: 12, pushImage: LATE_IMAGE }], seconds: 65 },
  { name: 'secret-late', release: [web({ container: fromSecret })], happenings: [{ at: 8, apply: [secret] }], seconds: 45 },
  {
    name: 'volume-secret-late',
    release: [
      web({
        container: { volumeMounts: [{ name: 's', mountPath: '/s' }] },
        pod: { volumes: [{ name: 's', secret: { secretName: 'web' } }] },
      }),
    ],
    happenings: [{ at: 8, apply: [secret] }],
    seconds: 45,
  },
  { name: 'one-crash', release: [web(crashing(1))], seconds: 25 },
  { name: 'two-crashes', release: [web(crashing(2))], seconds: 45 },
  {
    name: 'crashed-before',
    before: [web(crashing(2))],
    release: [web({ ...crashing(2), labels: { changed: 'yes' } })],
    seconds: 15,
  },
  {
    name: 'readiness-slow',
    release: [
      web({
        script: `touch /starting; (sleep 20; touch /ready) & ${SERVE}`,
        container: { readinessProbe: { exec: { command: ['test', '-f', '/ready'] }, periodSeconds: 2 } },
      }),
    ],
    seconds: 38,
  },
  {
    name: 'liveness-kills-once',
    release: [
      web({
        script: `n=$(cat /s/n || echo 0); echo $((n+1)) >/s/n; [ $n -ge 1 ] || sleep 1000; ${SERVE_INDEX}`,
        container: {
          volumeMounts: [{ name: 's', mountPath: '/s' }],
          livenessProbe: httpProbe('/', { periodSeconds: 3, failureThreshold: 3 }),
          readinessProbe: httpProbe('/', { periodSeconds: 2 }),
        },
        pod: { volumes: [{ name: 's', emptyDir: {} }] },
      }),
    ],
    seconds: 40,
  },
  {
    name: 'pod-deleted',
    before: [v1({ spec: { replicas: 2 } })],
    release: [
      web({
        spec: { replicas: 2 },
        container: { readinessProbe: { tcpSocket: { port: 8080 }, initialDelaySeconds: 5, periodSeconds: 1 } },
      }),
    ],
    happenings: [{ at: 3, pod: 'delete' }],
    seconds: 35,
  },
  {
    name: 'pod-evicted',
    release: [
      web({ spec: { replicas: 2 }, container: { readinessProbe: { tcpSocket: { port: 8080 }, initialDelaySeconds: 3 } } }),
    ],
    happenings: [{ at: 6, pod: 'evict' }],
    seconds: 35,
  },
  {
    name: 'pod-ended-by-node',
    release: [
      web({ spec: { replicas: 2 }, container: { readinessProbe: { tcpSocket: { port: 8080 }, initialDelaySeconds: 5 } } }),
    ],
    happenings: [{ at: 3, pod: 'end' }],
    seconds: 35,
  },
  {
    name: 'scaled-up',
    release: [
      web({ spec: { replicas: 2 }, container: { readinessProbe: { tcpSocket: { port: 8080 }, initialDelaySeconds: 3 } } }),
    ],
    happenings: [{ at: 3, scale: 4 }],
    seconds: 30,
  },
  {
    name: 'scaled-down',
    before: [v1({ spec: { replicas: 4 } })],
    release: [
      web({ spec: { replicas: 4 }, container: { readinessProbe: { tcpSocket: { port: 8080 }, initialDelaySeconds: 3 } } }),
    ],
    happenings: [{ at: 3, scale: 2 }],
    seconds: 30,
  },
  {
    name: 'startup-slow',
    release: [
      web({
        script: `sleep 25; ${SERVE_INDEX}`,
        container: {
          startupProbe: httpProbe('/', { periodSeconds: 2, failureThreshold: 30 }),
          readinessProbe: httpProbe('/', { periodSeconds: 2 }),
        },
      }),
    ],
    seconds: 45,
  },
  {
    name: 'init-slow',
    release: [web({ pod: { initContainers: [{ name: 'migrate', image: BASE_IMAGE, command: ['sleep', '15'] }] } })],
    seconds: 35,
  },
  {
    name: 'old-pods-slow-to-end',
    before: [
      v1({
        spec: { replicas: 2 },
        pod: { terminationGracePeriodSeconds: 30 },
        container: { lifecycle: { preStop: { exec: { command: ['sleep', '15'] } } } },
      }),
    ],
    release: [web({ spec: { replicas: 2 } })],
    seconds: 40,
  },
  { name: 'no-replicas', release: [web({ spec: { replicas: 0 } })], seconds: 8 },
  {
    name: 'sidecar',
    release: [
      web({
        pod: {
          initContainers: [
            { name: 'proxy', image: BASE_IMAGE, command: ['sh', '-c', STUBBORN], restartPolicy: 'Always' },
            { name: 'migrate', image: BASE_IMAGE, command: ['sleep', '1'] },
          ],
        },
      }),
    ],
    seconds: 20,
  },
  {
    name: 'min-ready-seconds',
    before: [v1()],
    release: [web({ script: `sleep 1; ${SERVE}`, spec: { minReadySeconds: 10 } })],
    seconds: 30,
  },
  {
    name: 'recreated',
    before: [v1({ spec: { strategy: { type: 'Recreate' } } })],
    release: [web({ script: `sleep 1; ${SERVE}`, spec: { strategy: { type: 'Recreate' } } })],
    seconds: 25,
  },
  // The oldest revision's ReplicaSet becomes the newest again.
  { name: 'undone', before: [v1(), web({ script: `sleep 1; ${SERVE}` })], release: [v1()], seconds: 20 },
  // The Deployment stays as it is: what its pods lacked is mended.
  {
    name: 'mended-by-its-secret',
    before: [web({ container: fromSecret })],
    sickFor: 35,
    release: [secret, web({ container: fromSecret })],
    seconds: 30,
  },
  {
    name: 'mended-by-its-config',
    before: [{ ...configMap, data: { level: 'bad' } }, picky],
    sickFor: 30,
    release: [{ ...configMap, data: { level: 'good' } }, picky],
    seconds: 60,
  },
  {
    name: 'quota-freed-by-old-pods',
    before: [
      quota({ pods: '2' }),
      v1({
        spec: { replicas: 2 },
        pod: { terminationGracePeriodSeconds: 12 },
        container: { lifecycle: { preStop: { exec: { command: ['sleep', '10'] } } } },
      }),
    ],
    release: [
      web({
        script: `sleep 1; ${SERVE}`,
        spec: { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } },
      }),
    ],
    seconds: 70,
  },
  {
    name: 'port-freed-by-old-pod',
    before: [
      v1({
        pod: { terminationGracePeriodSeconds: 37 },
        container: {
          ports: [{ containerPort: 8080, hostPort: 18987 }],
          lifecycle: { preStop: { exec: { command: ['sleep', '35'] } } },
        },
      }),
    ],
    release: [
      web({
        script: `sleep 1; ${SERVE}`,
        container: { ports: [{ containerPort: 8080, hostPort: 18987 }] },
        spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } },
      }),
    ],
    seconds: 75,
  },

  ...others,
  ...otherKinds,
]
