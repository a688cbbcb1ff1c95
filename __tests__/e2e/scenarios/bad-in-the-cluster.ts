// Releases that only show in the cluster that they are bad: each must fail by name, and what was live before be live again.
import type { Scenario } from './scenario.ts'
import {
  autoscaler,
  baseImage,
  configMap,
  cronJob,
  daemonSet,
  database,
  definition,
  deployment,
  fromConfigMap,
  fromSecret,
  httpGet,
  job,
  mounted,
  pod,
  quota,
  STUBBORN,
  serve,
  statefulSet,
  unpushed,
  web,
} from './workloads.ts'

const v1 = web({ version: '1' })
const oneV1 = [deployment({ version: '1' })]
const NO_DATABASE = 'echo no database >&2; exit 3'
const off = { preflight: 'off' }
/** Runs only at level good. */
const picky = '[ "$LEVEL" = good ] || { echo "level $LEVEL is unknown"; exit 9; }; '

const crashes: readonly Scenario[] = [
  {
    name: 'crashes at its start',
    live: v1,
    release: web({ script: NO_DATABASE }),
    probed: true,
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /pod web-\S+, container app ended with exit code 3 .*no database/ },
  },
  {
    name: 'ends with exit code 0',
    live: oneV1,
    release: [deployment({ script: 'echo done' })],
    takes: 30,
    must: { fail: 'CrashLoopBackOff', names: /pod web-\S+, container app ended with exit code 0, though it is meant to go on/ },
  },
  {
    name: 'is killed by a signal of its own making',
    live: oneV1,
    release: [deployment({ script: 'sh -c "kill -SEGV \\$\\$"; exit 139' })],
    takes: 30,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 139 \(SIGSEGV\)/ },
  },
  {
    name: 'a command that is not found',
    live: v1,
    release: web({ script: 'no-such-program --serve' }),
    probed: true,
    takes: 20,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 127 \(command not found\).*no-such-program/ },
  },
  {
    name: 'a program that is not in the image',
    live: oneV1,
    release: [deployment({ command: ['/no/such/program'] })],
    takes: 20,
    must: { fail: 'RunContainerError', names: /container app cannot be started: .*\/no\/such\/program.*no such file/ },
  },
  {
    name: 'too little memory',
    live: oneV1,
    release: [deployment({ script: 'x=a; while :; do x=$x$x; done', container: { resources: { limits: { memory: '16Mi' } } } })],
    takes: 20,
    must: { fail: 'OOMKilled', names: /container app was killed for want of memory, its limit is 16Mi/ },
  },
  {
    name: 'crashes after it was Ready once',
    live: web({ version: '1' }),
    release: web({ script: `${serve().replace('exec ', '')} & sleep 6; echo lost the database; exit 1` }),
    takes: 50,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 1 .*lost the database/ },
  },
  {
    name: 'an init container that fails',
    live: v1,
    release: web({
      pod: { initContainers: [{ name: 'wait', image: baseImage(), command: ['sh', '-c', 'echo no table; exit 2'] }] },
    }),
    probed: true,
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /pod web-\S+, container wait ended with exit code 2 .*no table/ },
  },
  {
    name: 'a sidecar that crashes',
    live: oneV1,
    release: [
      deployment({
        pod: {
          initContainers: [{ name: 'proxy', image: baseImage(), command: ['sh', '-c', 'exit 5'], restartPolicy: 'Always' }],
        },
      }),
    ],
    takes: 30,
    must: { fail: 'CrashLoopBackOff', names: /container proxy ended with exit code 5/ },
  },
  {
    name: 'a second container that crashes',
    live: oneV1,
    release: [
      deployment({ pod: { containers: [{ name: 'side', image: baseImage(), command: ['sh', '-c', 'sleep 1; exit 4'] }] } }),
    ],
    takes: 30,
    must: { fail: 'CrashLoopBackOff', names: /container side ended with exit code 4/ },
  },
  {
    name: 'a root image that must not run as root',
    live: oneV1,
    release: [deployment({ pod: { securityContext: { runAsNonRoot: true } } })],
    takes: 20,
    must: { fail: 'CreateContainerConfigError', names: /container app cannot be configured: .*runAsNonRoot/ },
  },
]

const probes: readonly Scenario[] = [
  {
    name: 'a liveness probe that kills',
    live: oneV1,
    release: [deployment({ container: { livenessProbe: httpGet('/health', { periodSeconds: 2, failureThreshold: 2 }) } })],
    takes: 45,
    must: { fail: 'Unhealthy', names: /container app was killed by its liveness probe.*404/ },
  },
  {
    name: "a liveness probe that kills, with Kubernetes' own numbers",
    live: oneV1,
    release: [
      deployment({ script: STUBBORN, container: { livenessProbe: httpGet('/') }, pod: { terminationGracePeriodSeconds: 30 } }),
    ],
    takes: 100,
    must: { fail: 'Unhealthy', names: /container app was killed by its liveness probe.*connection refused/ },
  },
  {
    name: 'a startup probe that is never content',
    live: oneV1,
    release: [deployment({ container: { startupProbe: httpGet('/started', { periodSeconds: 2, failureThreshold: 4 }) } })],
    takes: 45,
    must: { fail: 'Unhealthy', names: /container app was killed by its startup probe.*404/ },
  },
  {
    name: 'a readiness probe that asks for a page that is not there',
    live: v1,
    release: web({ container: { readinessProbe: httpGet('/ready', { periodSeconds: 2 }) } }),
    probed: true,
    takes: 45,
    must: { fail: 'Unhealthy', names: /pod web-\S+, container app .*404/ },
  },
  {
    name: 'nobody listens where the readiness probe asks',
    live: v1,
    release: web({ script: STUBBORN }),
    probed: true,
    takes: 75,
    must: { fail: 'Unhealthy', names: /pod web-\S+, container app .*connection refused/ },
  },
  {
    name: 'makes no progress within its own deadline',
    live: oneV1,
    release: [
      deployment({
        spec: { progressDeadlineSeconds: 15 },
        container: { startupProbe: httpGet('/started', { periodSeconds: 5, failureThreshold: 60 }) },
      }),
    ],
    takes: 40,
    must: {
      fail: 'ProgressDeadlineExceeded',
      names: /pod web-\S+, container app has not started yet: .*404; no progress was made for 15 s/,
    },
  },
]

const otherKinds: readonly Scenario[] = [
  {
    name: 'a StatefulSet that crashes',
    live: [statefulSet({ version: '1' })],
    release: [statefulSet({ script: 'echo no disk; exit 4' })],
    takes: 40,
    must: { fail: 'CrashLoopBackOff', names: /statefulset\/db: pod db-1, container app ended with exit code 4.*no disk/ },
  },
  {
    name: 'a DaemonSet that crashes',
    live: [daemonSet({ version: '1' })],
    release: [daemonSet({ script: 'echo no device; exit 6' })],
    takes: 40,
    must: { fail: 'CrashLoopBackOff', names: /daemonset\/agent: pod agent-\S+, container app ended with exit code 6.*no device/ },
  },
  {
    name: 'a Job that fails',
    live: v1,
    release: [...web(), job('echo no table; exit 7', { spec: { backoffLimit: 0 } })],
    probed: true,
    takes: 25,
    must: {
      fail: 'BackoffLimitExceeded',
      names: /job\/migrate: .*pod migrate-\S+, container app ended with exit code 7.*no table/,
    },
  },
  {
    name: 'a Job that runs out of its time',
    live: oneV1,
    release: [...oneV1, job('echo counting; sleep 60', { spec: { activeDeadlineSeconds: 4 } })],
    takes: 20,
    must: { fail: 'DeadlineExceeded', names: /job\/migrate/ },
  },
  {
    name: 'a bare Pod that fails',
    live: oneV1,
    release: [...oneV1, pod('echo bad seed; exit 5')],
    takes: 15,
    must: { fail: 'Error', names: /pod\/seed.*container app ended with exit code 5.*bad seed/ },
  },
  {
    name: 'a definition and an object that is stalled',
    release: [definition, database({ type: 'Stalled', status: 'True', reason: 'WrongKey', message: 'the key is refused' })],
    takes: 10,
    must: { fail: 'WrongKey', names: /database\/main is stalled: the key is refused/ },
  },
  {
    name: 'a Deployment that is paused',
    live: oneV1,
    release: [deployment({ spec: { paused: true } })],
    takes: 12,
    must: { fail: 'DeploymentPaused', names: /deployment\/web is paused.*kubectl rollout resume/ },
  },
]

const wholes: readonly Scenario[] = [
  {
    name: 'one of three workloads crashes',
    live: [...v1, deployment({ name: 'worker', version: '1' }), statefulSet({ version: '1', replicas: 1 })],
    release: [...web(), deployment({ name: 'worker', script: NO_DATABASE }), statefulSet({ replicas: 1 })],
    probed: true,
    takes: 40,
    must: { fail: 'CrashLoopBackOff', names: /deployment\/worker: pod worker-\S+, container app ended with exit code 3/ },
  },
  {
    name: 'a new configuration that breaks the pods',
    live: [
      configMap({ level: 'good' }),
      ...web({ version: '1', script: picky + serve('1'), container: fromConfigMap, annotations: { 'config-hash': '0c1' } }),
    ],
    release: [
      configMap({ level: 'godo' }),
      ...web({ version: '1', script: picky + serve('1'), container: fromConfigMap, annotations: { 'config-hash': '7f3' } }),
    ],
    probed: true,
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 9 .*level godo is unknown/ },
  },
  {
    name: 'a first release of many objects',
    release: [
      configMap({ level: 'bad' }),
      ...web({ script: picky + serve(), container: fromConfigMap }),
      autoscaler(2, 4),
      cronJob(),
      statefulSet(),
    ],
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 9 .*was the first release.*was removed/ },
  },
  {
    name: 'what it drops is not pruned before it is up',
    live: [...v1, configMap({ a: 'b' }, 'extra'), cronJob({ version: '1' })],
    release: web({ script: NO_DATABASE }),
    inputs: { prune: 'true' },
    probed: true,
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 3/ },
  },
  {
    name: 'makes its configuration immutable',
    live: [...v1, configMap({ level: '1' })],
    release: [...web({ script: NO_DATABASE }), { ...configMap({ level: '2' }), immutable: true }],
    probed: true,
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 3/ },
  },
  {
    name: 'crashes over what kubectl applied',
    live: v1,
    liveBy: 'kubectl',
    release: web({ script: NO_DATABASE }),
    probed: true,
    takes: 35,
    must: { fail: 'CrashLoopBackOff', names: /container app ended with exit code 3 .*What was live before was put back/i },
  },
  {
    name: 'crashes where an autoscaler has more replicas',
    live: [...web({ version: '1', replicas: 1 }), autoscaler(3, 5)],
    liveReplicas: 3,
    release: web({ script: NO_DATABASE, replicas: 1 }),
    takes: 40,
    must: {
      fail: 'CrashLoopBackOff',
      names: /container app ended with exit code 3/,
    },
  },
  {
    name: 'crashes while somebody annotates it',
    live: v1,
    release: web({ script: NO_DATABASE }),
    meanwhile: [{ at: 3, of: ['apps/v1', 'Deployment', 'web'], patch: { metadata: { annotations: { note: 'look here' } } } }],
    takes: 35,
    must: {
      fail: 'CrashLoopBackOff',
      names: /container app ended with exit code 3/,
      butFor: { 'deployment/web': { metadata: { annotations: { note: 'look here' } } } },
    },
  },
]

/** What is found before the change by default, found by the cluster itself: the graces are what heals. */
const withoutPreflight: readonly Scenario[] = [
  {
    name: 'an image that is never pushed, without preflight',
    live: v1,
    release: web({ image: unpushed('never') }),
    inputs: { ...off, 'pin-digests': 'false' },
    probed: true,
    takes: 65,
    must: { fail: 'ErrImagePull', names: /pod web-\S+, container app: image \S+:never cannot be pulled: .*not found/ },
  },
  {
    name: 'a Secret that never comes, without preflight',
    live: oneV1,
    release: [deployment({ container: fromSecret })],
    inputs: off,
    takes: 40,
    must: { fail: 'CreateContainerConfigError', names: /container app cannot be configured: secret "web" not found/ },
  },
  {
    name: 'no node that is large enough, without preflight',
    live: oneV1,
    release: [deployment({ container: { resources: { requests: { cpu: '1000' } } } })],
    inputs: off,
    takes: 45,
    must: { fail: 'Unschedulable', names: /pod web-\S+.*0\/1 nodes are available: 1 Insufficient cpu/ },
  },
  {
    name: 'a quota without room, without preflight',
    given: [quota({ 'requests.cpu': '100m' })],
    live: [deployment({ version: '1', container: { resources: { requests: { cpu: '60m' } } } })],
    release: [deployment({ container: { resources: { requests: { cpu: '60m' } } } })],
    inputs: off,
    takes: 35,
    must: { fail: 'FailedCreate', names: /deployment\/web: pods cannot be created: .*exceeded quota: small/ },
  },
  {
    name: 'a claim that is never bound, without preflight',
    live: oneV1,
    release: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', resources: { requests: { storage: '1Gi' } } },
      },
      deployment(mounted({ persistentVolumeClaim: { claimName: 'data' } })),
    ],
    inputs: off,
    takes: 50,
    must: { fail: 'FailedBinding', names: /persistentvolumeclaim\/data: no volume: / },
  },
]

/** What nothing says before the pods are there. */
const unforeseen: readonly Scenario[] = [
  {
    // The nodes may have credentials of their own, which nobody sees from outside.
    name: 'a registry that wants credentials',
    registry: 'private',
    live: oneV1,
    release: [deployment({ image: '$REGISTRY/library/busybox:1' })],
    takes: 65,
    must: { fail: 'ErrImagePull', names: /pod web-\S+, container app: image \S+ cannot be pulled: .*401 Unauthorized/ },
  },
  {
    name: 'a namespace that wants safer pods',
    given: [
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: '$NAMESPACE', labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } },
      },
    ],
    live: oneV1,
    release: [deployment({ pod: { hostNetwork: true } })],
    takes: 20,
    inputs: off,
    must: { fail: 'FailedCreate', names: /deployment\/web: .*violates PodSecurity "baseline:latest": host namespaces/ },
  },
  {
    name: 'a volume that never mounts',
    live: oneV1,
    release: [deployment(mounted({ hostPath: { path: '/no/such/folder', type: 'Directory' } }))],
    takes: 55,
    must: { fail: 'FailedMount', names: /pod web-\S+.*\/no\/such\/folder is not a directory/ },
  },
  {
    name: 'an admission policy that refuses the pods',
    given: [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: '$NAMESPACE' },
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': '$NAMESPACE' } },
            resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          },
          validations: [{ expression: 'object.metadata.labels.version != "2"', message: 'version 2 is recalled' }],
        },
      },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: '$NAMESPACE' },
        spec: { policyName: '$NAMESPACE', validationActions: ['Deny'] },
      },
    ],
    live: v1,
    release: web(),
    probed: true,
    takes: 35,
    must: { fail: 'FailedCreate', names: /deployment\/web: pods cannot be created: .*version 2 is recalled/ },
  },
  {
    name: 'two pods that want the same port of the only node',
    live: oneV1,
    release: [deployment({ replicas: 2, container: { ports: [{ containerPort: 8080, hostPort: 18_988 }] } })],
    takes: 50,
    must: { fail: 'Unschedulable', names: /pod web-\S+.*didn't have free ports/ },
  },
]

export const badInTheCluster: readonly Scenario[] = [
  ...crashes,
  ...probes,
  ...otherKinds,
  ...wholes,
  ...withoutPreflight,
  ...unforeseen,
]
