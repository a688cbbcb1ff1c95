// The workloads of the scenarios, as plain objects. Each version says in its pods' labels which one it is.
import { sandboxEnvironment } from '../../../sandbox/index.ts'

export type Fields = Readonly<Record<string, unknown>>

export interface Workload {
  readonly name?: string
  readonly version?: string
  /** What the container `app` runs in a shell; default: a web server that answers its version. */
  readonly script?: string
  readonly command?: readonly string[]
  readonly image?: string
  readonly replicas?: number
  /** Further fields of the container, of the pod's spec, of the workload's spec. `containers` of the pod stand beside `app`. */
  readonly container?: Fields
  readonly pod?: Fields
  readonly spec?: Fields
  readonly annotations?: Readonly<Record<string, string>>
}

export const baseImage = (): string => sandboxEnvironment().BASE_IMAGE
/** The base image's repository under a tag that nobody has pushed (yet). */
export const unpushed = (tag: string): string => baseImage().replace(/:[^:/]+$/, `:${tag}`)

export const serve = (version = '2'): string => `mkdir -p /w && echo ${version} >/w/index.html && exec httpd -f -p 8080 -h /w`

/** The shell forwards no signal: as process 1 it is killed when its time is over. */
export const STUBBORN = 'while :; do sleep 1; done'

export const httpGet = (path: string, more: Fields = {}): Fields => ({ httpGet: { path, port: 8080 }, ...more })

function template(given: Workload): Fields {
  const { name = 'web', version = '2', script = serve(version), command = ['sh', '-c', script], image = baseImage() } = given
  const { containers = [], ...pod } = (given.pod ?? {}) as Fields & { containers?: readonly Fields[] }
  return {
    metadata: { labels: { app: name, version }, ...(given.annotations === undefined ? {} : { annotations: given.annotations }) },
    spec: {
      terminationGracePeriodSeconds: 2,
      ...pod,
      containers: [{ name: 'app', image, command, ...given.container }, ...containers],
    },
  }
}

/** A Deployment of one pod without probes. */
export function deployment(given: Workload = {}): Fields {
  const { name = 'web', replicas = 1 } = given
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, selector: { matchLabels: { app: name } }, ...given.spec, template: template(given) },
  }
}

export const service = (name = 'web', selector: Fields = { app: name }): Fields => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector, ports: [{ port: 80, targetPort: 8080 }] },
})

/** A Service and a Deployment of two pods that lose no request while they are replaced: they become Ready, and end, in order. */
export function web(given: Workload = {}): readonly Fields[] {
  return [
    service(given.name),
    deployment({
      replicas: 2,
      ...given,
      spec: { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }, ...given.spec },
      pod: { terminationGracePeriodSeconds: 3, ...given.pod },
      container: {
        // With time for a busy machine: a pod that serves must not lose its Ready for a slow answer.
        readinessProbe: httpGet('/', { periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 6 }),
        lifecycle: { preStop: { exec: { command: ['sleep', '2'] } } },
        ...given.container,
      },
    }),
  ]
}

/** A StatefulSet of two pods. */
export function statefulSet(given: Workload = {}): Fields {
  const { name = 'db', replicas = 2 } = given
  const spec = { serviceName: name, replicas, selector: { matchLabels: { app: name } }, ...given.spec }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name },
    spec: { ...spec, template: template({ name, ...given }) },
  }
}

export function daemonSet(given: Workload = {}): Fields {
  const { name = 'agent' } = given
  const spec = { selector: { matchLabels: { app: name } }, ...given.spec }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name },
    spec: { ...spec, template: template({ name, ...given }) },
  }
}

export function job(script: string, given: Workload = {}): Fields {
  const { name = 'migrate' } = given
  const pod = { restartPolicy: 'Never', ...given.pod }
  const spec = { ...given.spec, template: template({ ...given, name, script, pod }) }
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec }
}

export function cronJob(given: Workload = {}): Fields {
  const { name = 'nightly' } = given
  const { template } = job('echo swept', { ...given, name })['spec'] as Fields
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name },
    spec: { schedule: '0 3 1 1 *', jobTemplate: { spec: { template } } },
  }
}

export function pod(script: string, given: Workload = {}): Fields {
  const { name = 'seed' } = given
  const { metadata, spec } = template({ ...given, name, script }) as { metadata: Fields; spec: Fields }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, spec: { restartPolicy: 'Never', ...spec } }
}

export const configMap = (data: Readonly<Record<string, string>>, name = 'web'): Fields => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

export const secret = (name = 'web'): Fields => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: { password: 'example' },
})

export const quota = (hard: Readonly<Record<string, string>>): Fields => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'small' },
  spec: { hard },
})

export const autoscaler = (min: number, max: number): Fields => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: min,
    maxReplicas: max,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
  },
})

export const definition: Fields = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'databases.$NAMESPACE.example.com' },
  spec: {
    group: '$NAMESPACE.example.com',
    scope: 'Namespaced',
    names: { plural: 'databases', singular: 'database', kind: 'Database' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

export const database = (condition: Readonly<Record<string, string>>): Fields => ({
  apiVersion: '$NAMESPACE.example.com/v1',
  kind: 'Database',
  metadata: { name: 'main' },
  status: { conditions: [condition] },
})

/** The container's parts that take a Secret's or a ConfigMap's key. */
export const fromSecret: Fields = {
  env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } }],
}
export const fromConfigMap: Fields = {
  env: [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'web', key: 'level' } } }],
}

/** A pod with a volume, mounted at `/v`. */
export const mounted = (volume: Fields): Pick<Workload, 'container' | 'pod'> => ({
  container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
  pod: { volumes: [{ name: 'v', ...volume }] },
})

/** Counts its starts in a volume that outlives the container, and does `first` at the first `times` of them. */
export const atFirst = (times: number, first: string, then = serve()): Workload => ({
  script: `n=$(cat /v/n || echo 0); echo $((n+1)) >/v/n; [ $n -ge ${times} ] || { ${first}; }; ${then}`,
  ...mounted({ emptyDir: {} }),
})
