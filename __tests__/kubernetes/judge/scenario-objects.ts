// The objects that the scenarios are made of: a Deployment `web` of one container that serves, and the same of other kinds.

export type Fields = Readonly<Record<string, unknown>>

export const BASE_IMAGE = '127.0.0.1:5000/library/busybox:1'
/** A tag that the recorder pushes late. `RUN` becomes a word of the run's own. */
export const LATE_IMAGE = '127.0.0.1:5000/library/busybox:late-RUN'

/** Serves on 8080, so that probes have something to ask. */
export const SERVE = 'exec httpd -f -p 8080'
/** The shell forwards no signal: as process 1 it is killed when its time is over. */
export const STUBBORN = 'while :; do sleep 1; done'

export interface Web {
  readonly script?: string
  readonly command?: readonly string[]
  readonly image?: string
  readonly container?: Fields
  readonly pod?: Fields
  readonly spec?: Fields
  readonly labels?: Fields
}

export function web({
  script = SERVE,
  command = ['sh', '-c', script],
  image = BASE_IMAGE,
  container,
  pod,
  spec,
  labels,
}: Web): Fields {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', ...(labels === undefined ? {} : { labels }) },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      ...spec,
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 2,
          ...pod,
          containers: [{ name: 'app', image, command, ...container }, ...sides(pod)],
        },
      },
    },
  }
}

/** `pod.containers` of a scenario stand beside `app`. */
function sides(pod: Fields | undefined): readonly Fields[] {
  return (pod?.['containers'] as readonly Fields[] | undefined) ?? []
}

export const secret: Fields = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web' }, stringData: { password: 'example' } }
export const configMap: Fields = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data: { mode: 'fast' } }
export const quota = (hard: Fields): Fields => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'small' },
  spec: { hard },
})

export const fromSecret = { env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } }] }
export const fromConfigMap = { env: [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'web', key: 'level' } } }] }
export const httpProbe = (path: string, more: Fields = {}): Fields => ({ httpGet: { path, port: 8080 }, ...more })
export const SERVE_INDEX = `mkdir -p /w && echo ok >/w/index.html && cd /w && ${SERVE}`

/** Counts its starts in a volume that outlives the container, and crashes at the first `crashes` of them. */
export const crashing = (crashes: number): Web => ({
  script: `n=$(cat /s/n || echo 0); echo $((n+1)) >/s/n; [ $n -ge ${crashes} ] || { echo not yet; exit 3; }; ${SERVE}`,
  container: { volumeMounts: [{ name: 's', mountPath: '/s' }] },
  pod: { volumes: [{ name: 's', emptyDir: {} }] },
})

/** Runs only at level good. */
export const picky = web({ script: `[ "$LEVEL" = good ] || exit 1; ${SERVE}`, container: fromConfigMap })

export const v1 = (more: Web = {}): Fields => web(more)

type Kind = 'StatefulSet' | 'DaemonSet' | 'ReplicaSet' | 'ReplicationController'

/** The same of another kind. */
export function of(kind: Kind, given: Web): Fields {
  const { replicas: _, ...spec } = web(given)['spec'] as Fields
  const replicas = given.spec?.['replicas'] ?? 2
  const own = kind === 'StatefulSet' ? { serviceName: 'web', replicas } : kind === 'DaemonSet' ? {} : { replicas }
  const controller = kind === 'ReplicationController'
  const selector = controller ? { selector: { app: 'web' } } : {}
  return {
    apiVersion: controller ? 'v1' : 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: { ...spec, ...own, ...selector },
  }
}

export const job = (script: string, spec: Fields = {}, { container, pod }: Web = {}): Fields => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'web' },
  spec: {
    ...spec,
    template: {
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 2,
        ...pod,
        containers: [{ name: 'app', image: BASE_IMAGE, command: ['sh', '-c', script], ...container }],
      },
    },
  },
})

export const SLOWER = `sleep 1; ${SERVE}`
export const onDelete = { updateStrategy: { type: 'OnDelete' } }

/** Reads what is written into the ConfigMap meanwhile: a pod that is made later sees it. */
export const fromState: Web = {
  container: { volumeMounts: [{ name: 'c', mountPath: '/c' }] },
  pod: { volumes: [{ name: 'c', configMap: { name: 'web' } }] },
}
