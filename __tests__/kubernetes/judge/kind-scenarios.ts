// Scenarios of what is no rollout of pods alone: Services and what routes to them, autoscalers, ReplicaSets of nobody, CronJobs, claims, and what other
// controllers run. Those do not run here: a scenario writes the status that they would, in the words of their sources.
import { BASE_IMAGE, type Fields, job, of, quota, SERVE, SLOWER, STUBBORN, web } from './scenario-objects.ts'
import type { Scenario } from './scenarios.ts'

const PORTS = [{ name: 'http', port: 80, targetPort: 8080 }]

const service = (spec: Fields = {}): Fields => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: PORTS, ...spec },
})

const probed = { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } }

const ingress: Fields = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web' },
  spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
}

const autoscaler = (target: string): Fields => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
    minReplicas: 1,
    maxReplicas: 3,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
  },
})

const withRequests = web({ container: { resources: { requests: { cpu: '10m' } } } })

const cronJob = (spec: Fields): Fields => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'web' },
  spec: { schedule: '0 3 * * *', jobTemplate: { spec: job('true')['spec'] }, ...spec },
})

const claim: Fields = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'web' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
}

/** A definition that takes any fields, with a status of its own. */
const definition = (group: string, version: string, kind: string, plural: string): Fields => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.${group}`,
    // Without it the API server refuses a definition in a group of Kubernetes' own domain.
    ...(group.endsWith('.k8s.io') ? { annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' } } : {}),
  },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural, singular: kind.toLowerCase(), kind },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})

const condition = (type: string, status: string, reason = type, message = ''): Fields => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: 'NOW',
})
const ofGeneration = (given: Fields): Fields => ({ ...given, observedGeneration: 'GENERATION' })

// Argo Rollouts: rollout/sync.go (persistRolloutStatus), utils/rollout/rolloututil.go (GetRolloutPhase). Its observedGeneration is text.
const rolloutKind = [definition('argoproj.io', 'v1alpha1', 'Rollout', 'rollouts')]
const template = (script: string): unknown => (web({ script })['spec'] as Fields)['template']
const rollout = (steps: readonly Fields[], script = SERVE): Fields => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'web' },
  spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, strategy: { canary: { steps } }, template: template(script) },
})
const rolloutSet = (script = SERVE): Fields => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web-6f4b', labels: { app: 'web', 'rollouts-pod-template-hash': '6f4b' } },
  spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, template: template(script) },
})
const rolloutStatus = (phase: string, more: Fields = {}): Fields => ({
  observedGeneration: '1',
  currentPodHash: '6f4b',
  phase,
  ...more,
})

// Knative Serving: pkg/apis/serving/v1/service_lifecycle.go, revision_lifecycle.go.
const knativeKind = [definition('serving.knative.dev', 'v1', 'Service', 'services')]
const knative: Fields = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { template: { spec: { containers: [{ image: BASE_IMAGE }] } } },
}
const knativeStatus = (...conditions: readonly Fields[]): Fields => ({
  observedGeneration: 'GENERATION',
  latestCreatedRevisionName: 'web-00001',
  conditions,
})
/** The Deployment of its revision, as Knative's controller makes it. */
const knativeDeployment = (script: string): Fields => {
  const labels = { app: 'web', 'serving.knative.dev/service': 'web', 'serving.knative.dev/revision': 'web-00001' }
  const { spec } = web({ script }) as { spec: Fields & { template: Fields } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web-00001-deployment' },
    spec: { ...spec, template: { ...spec.template, metadata: { labels } } },
  }
}

// The Gateway API: apis/v1/shared_types.go (RouteConditionType and its reasons).
const routeKind = [definition('gateway.networking.k8s.io', 'v1', 'HTTPRoute', 'httproutes')]
const route: Fields = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web' },
  spec: { parentRefs: [{ name: 'public' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] },
}
const routeStatus = (...conditions: readonly Fields[]): Fields => ({
  parents: [{ parentRef: { name: 'public' }, controllerName: 'example.com/gateway', conditions: conditions.map(ofGeneration) }],
})

// cert-manager: pkg/controller/certificates (issuing, readiness), internal/controller/certificates/policies.
const certificateKind = [definition('cert-manager.io', 'v1', 'Certificate', 'certificates')]
const certificate: Fields = {
  apiVersion: 'cert-manager.io/v1',
  kind: 'Certificate',
  metadata: { name: 'web' },
  spec: { secretName: 'web-tls', dnsNames: ['web.example.com'], issuerRef: { name: 'public' } },
}
const notYet = ofGeneration(condition('Ready', 'False', 'DoesNotExist', 'Issuing certificate as Secret does not exist'))

const services: readonly Scenario[] = [
  { name: 'service-good', release: [web({ container: probed }), service()], seconds: 12 },
  {
    name: 'service-updated',
    before: [web({ container: probed }), service()],
    release: [web({ container: probed, script: SLOWER }), service()],
    seconds: 15,
  },
  {
    name: 'service-recreated',
    before: [web({ spec: { strategy: { type: 'Recreate' } } }), service()],
    release: [web({ script: SLOWER, spec: { strategy: { type: 'Recreate' } } }), service()],
    seconds: 20,
  },
  {
    name: 'service-wrong-port',
    release: [web({ container: probed }), service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] })],
    seconds: 30,
  },
  { name: 'service-headless', release: [web({ script: STUBBORN }), service({ clusterIP: 'None' })], seconds: 4 },
  { name: 'service-without-selector', release: [service({ selector: undefined })], seconds: 4 },
  { name: 'service-of-another-release', release: [service({ selector: { app: 'other' } })], seconds: 4 },
  { name: 'service-of-no-replicas', release: [web({ spec: { replicas: 0 } }), service()], seconds: 6 },
  {
    name: 'load-balancer',
    release: [web({ container: probed }), service({ type: 'LoadBalancer' })],
    happenings: [
      { at: 1, says: { reason: 'EnsuringLoadBalancer', message: 'Ensuring load balancer', warning: false } },
      {
        at: 2,
        says: {
          reason: 'SyncLoadBalancerFailed',
          message: 'Error syncing load balancer: failed to ensure load balancer: too many requests',
          warning: true,
        },
      },
      { at: 9, says: { reason: 'EnsuredLoadBalancer', message: 'Ensured load balancer', warning: false } },
      { at: 9, status: { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } } },
    ],
    seconds: 14,
  },
  {
    name: 'load-balancer-refused',
    release: [web({ container: probed }), service({ type: 'LoadBalancer' })],
    happenings: [
      {
        at: 1,
        says: {
          reason: 'SyncLoadBalancerFailed',
          message: 'Error syncing load balancer: failed to ensure load balancer: no subnets found',
          warning: true,
        },
      },
    ],
    seconds: 10,
  },
  {
    name: 'load-balancer-without-a-cloud',
    before: [web({ container: probed }), service({ type: 'LoadBalancer' })],
    release: [web({ container: probed }), service({ type: 'LoadBalancer' })],
    seconds: 5,
  },
  { name: 'ingress-without-address', release: [ingress], seconds: 4 },
]

const autoscalers: readonly Scenario[] = [
  { name: 'autoscaler-without-metrics', release: [withRequests, autoscaler('web')], seconds: 50 },
  { name: 'autoscaler-without-target', release: [withRequests, autoscaler('wbe')], seconds: 70 },
  {
    name: 'autoscaler-broken-before',
    before: [withRequests, autoscaler('wbe')],
    sickFor: 25,
    release: [withRequests, autoscaler('wbe')],
    seconds: 20,
  },
  {
    name: 'autoscaler-target-late',
    release: [autoscaler('web')],
    happenings: [{ at: 20, apply: [withRequests] }],
    seconds: 60,
  },
]

const sets: readonly Scenario[] = [
  { name: 'replicaset-good', release: [of('ReplicaSet', {})], seconds: 12 },
  { name: 'replicaset-crashes', release: [of('ReplicaSet', { script: 'exit 1' })], seconds: 50 },
  { name: 'replicaset-quota', release: [quota({ pods: '1' }), of('ReplicaSet', {})], seconds: 40 },
  {
    name: 'replicaset-keeps-its-pods',
    before: [of('ReplicaSet', {})],
    sickFor: 6,
    release: [of('ReplicaSet', { image: '127.0.0.1:5000/library/busybox:missing' })],
    seconds: 6,
  },
  { name: 'replication-controller-good', release: [of('ReplicationController', {})], seconds: 12 },
  {
    name: 'replication-controller-crashes',
    release: [of('ReplicationController', { script: 'exit 1' })],
    seconds: 50,
  },
  {
    name: 'statefulset-parallel',
    before: [of('StatefulSet', { spec: { podManagementPolicy: 'Parallel', replicas: 3 } })],
    release: [of('StatefulSet', { script: SLOWER, spec: { podManagementPolicy: 'Parallel', replicas: 3 } })],
    seconds: 40,
  },
  {
    name: 'statefulset-parallel-crashes',
    before: [of('StatefulSet', { spec: { podManagementPolicy: 'Parallel', replicas: 3 } })],
    release: [of('StatefulSet', { script: 'exit 1', spec: { podManagementPolicy: 'Parallel', replicas: 3 } })],
    seconds: 50,
  },
  {
    name: 'daemonset-surge',
    before: [of('DaemonSet', {})],
    release: [
      of('DaemonSet', {
        script: SLOWER,
        spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
      }),
    ],
    seconds: 20,
  },
]

const runs: readonly Scenario[] = [
  { name: 'cronjob-good', release: [cronJob({})], seconds: 4 },
  { name: 'cronjob-suspended', release: [cronJob({ suspend: true })], seconds: 4 },
  {
    name: 'job-failed-index',
    release: [
      job('[ "$JOB_COMPLETION_INDEX" = 1 ] && exit 3; sleep 40', {
        completions: 2,
        parallelism: 2,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 0,
      }),
    ],
    seconds: 15,
  },
  {
    name: 'job-content-with-some',
    release: [
      job('[ "$JOB_COMPLETION_INDEX" = 1 ] && exit 3; [ "$JOB_COMPLETION_INDEX" = 2 ] && sleep 60; sleep 3', {
        // One goes on running: a Job whose last index has ended fails of any that failed, whatever its policy.
        completions: 3,
        parallelism: 3,
        completionMode: 'Indexed',
        backoffLimitPerIndex: 0,
        successPolicy: { rules: [{ succeededIndexes: '0' }] },
      }),
    ],
    seconds: 20,
  },
]

const claims: readonly Scenario[] = [{ name: 'claim-without-class', release: [claim], seconds: 75 }]

/** The pods of a Deployment, in ways that are rare. */
const pods: readonly Scenario[] = [
  {
    name: 'node-away',
    alone: true,
    release: [web({ spec: { replicas: 2 }, container: probed })],
    happenings: [
      { at: 6, kubelet: 'stop' },
      { at: 85, kubelet: 'start' },
    ],
    seconds: 110,
  },
  {
    name: 'post-start-hook-fails',
    release: [web({ container: { lifecycle: { postStart: { exec: { command: ['sh', '-c', 'exit 9'] } } } } })],
    seconds: 60,
  },
  {
    name: 'sidecar-startup-never',
    release: [
      web({
        pod: {
          initContainers: [
            {
              name: 'proxy',
              image: BASE_IMAGE,
              command: ['sh', '-c', STUBBORN],
              restartPolicy: 'Always',
              startupProbe: { tcpSocket: { port: 9999 }, periodSeconds: 2, failureThreshold: 4 },
            },
          ],
        },
      }),
    ],
    seconds: 70,
  },
  {
    name: 'sidecar-startup-slow',
    release: [
      web({
        pod: {
          initContainers: [
            {
              name: 'proxy',
              image: BASE_IMAGE,
              command: ['sh', '-c', 'sleep 12; exec httpd -f -p 9999'],
              restartPolicy: 'Always',
              startupProbe: { tcpSocket: { port: 9999 }, periodSeconds: 2, failureThreshold: 30 },
            },
          ],
        },
      }),
    ],
    seconds: 30,
  },
]

const byOthers: readonly Scenario[] = [
  {
    name: 'rollout-good',
    cluster: rolloutKind,
    release: [rollout([{ setWeight: 50 }, { pause: { duration: '3s' } }])],
    happenings: [
      { at: 1, owned: [rolloutSet()] },
      { at: 1, status: rolloutStatus('Progressing', { message: 'more replicas need to be updated' }) },
      {
        at: 4,
        status: rolloutStatus('Paused', {
          message: 'CanaryPauseStep',
          currentStepIndex: 1,
          pauseConditions: [{ reason: 'CanaryPauseStep', startTime: 'NOW' }],
        }),
      },
      { at: 7, status: rolloutStatus('Healthy', { message: null, pauseConditions: null, currentStepIndex: 2 }) },
    ],
    seconds: 12,
  },
  {
    name: 'rollout-waits-for-somebody',
    cluster: rolloutKind,
    release: [rollout([{ setWeight: 50 }, { pause: {} }])],
    happenings: [
      { at: 1, owned: [rolloutSet()] },
      { at: 1, status: rolloutStatus('Progressing', { message: 'more replicas need to be updated' }) },
      {
        at: 4,
        status: rolloutStatus('Paused', {
          message: 'CanaryPauseStep',
          currentStepIndex: 1,
          pauseConditions: [{ reason: 'CanaryPauseStep', startTime: 'NOW' }],
        }),
      },
    ],
    seconds: 8,
  },
  {
    name: 'rollout-crashes',
    cluster: rolloutKind,
    release: [rollout([], 'exit 3')],
    happenings: [
      { at: 1, owned: [rolloutSet('exit 3')] },
      { at: 1, status: rolloutStatus('Progressing', { message: 'updated replicas are still becoming available' }) },
    ],
    seconds: 50,
  },
  {
    name: 'rollout-aborted',
    cluster: rolloutKind,
    release: [rollout([{ setWeight: 50 }])],
    happenings: [
      { at: 1, owned: [rolloutSet()] },
      { at: 1, status: rolloutStatus('Progressing', { message: 'more replicas need to be updated' }) },
      {
        at: 6,
        status: rolloutStatus('Degraded', {
          message:
            'RolloutAborted: Rollout aborted update to revision 1: Metric "errors" assessed Failed due to failed (1) > failureLimit (0)',
          abort: true,
          conditions: [
            condition(
              'Progressing',
              'False',
              'RolloutAborted',
              'Rollout aborted update to revision 1: Metric "errors" assessed Failed',
            ),
          ],
        }),
      },
    ],
    seconds: 10,
  },
  {
    name: 'knative-good',
    cluster: knativeKind,
    release: [knative],
    happenings: [
      { at: 1, status: knativeStatus(condition('Ready', 'Unknown', 'Deploying', 'waiting for the revision')) },
      { at: 1, owned: [knativeDeployment(SERVE)] },
      { at: 5, status: knativeStatus(condition('Ready', 'True')) },
    ],
    seconds: 10,
  },
  {
    name: 'knative-crashes',
    cluster: knativeKind,
    release: [knative],
    happenings: [
      { at: 1, status: knativeStatus(condition('Ready', 'Unknown', 'Deploying', 'waiting for the revision')) },
      { at: 1, owned: [knativeDeployment('exit 3')] },
    ],
    seconds: 50,
  },
  {
    name: 'knative-fails',
    cluster: knativeKind,
    release: [knative],
    happenings: [
      {
        at: 2,
        status: knativeStatus(
          condition('Ready', 'False', 'RevisionFailed', 'Revision "web-00001" failed with message: Unable to fetch image.'),
        ),
      },
    ],
    seconds: 20,
  },
  {
    name: 'route-good',
    cluster: routeKind,
    release: [route],
    happenings: [
      { at: 1, status: routeStatus(condition('Accepted', 'True'), condition('ResolvedRefs', 'False', 'BackendNotFound')) },
      { at: 5, status: routeStatus(condition('Accepted', 'True'), condition('ResolvedRefs', 'True')) },
    ],
    seconds: 8,
  },
  {
    name: 'route-refused',
    cluster: routeKind,
    release: [route],
    happenings: [
      {
        at: 1,
        status: routeStatus(
          condition('Accepted', 'False', 'NoMatchingParent', 'no listener takes this host name'),
          condition('ResolvedRefs', 'True'),
        ),
      },
    ],
    seconds: 40,
  },
  {
    name: 'certificate-good',
    cluster: certificateKind,
    release: [certificate],
    happenings: [
      {
        at: 1,
        status: { conditions: [notYet, ofGeneration(condition('Issuing', 'True', 'DoesNotExist', 'Issuing certificate'))] },
      },
      { at: 6, status: { conditions: [ofGeneration(condition('Ready', 'True', 'Ready', 'Certificate is up to date'))] } },
    ],
    seconds: 10,
  },
  {
    name: 'certificate-refused',
    cluster: certificateKind,
    release: [certificate],
    happenings: [
      {
        at: 1,
        status: { conditions: [notYet, ofGeneration(condition('Issuing', 'True', 'DoesNotExist', 'Issuing certificate'))] },
      },
      {
        at: 6,
        status: {
          lastFailureTime: 'NOW',
          conditions: [
            notYet,
            ofGeneration(
              condition(
                'Issuing',
                'False',
                'Failed',
                'The certificate request has failed to complete and will be retried: refused',
              ),
            ),
          ],
        },
      },
    ],
    seconds: 10,
  },
]

export const otherKinds: readonly Scenario[] = [...services, ...autoscalers, ...sets, ...runs, ...claims, ...pods, ...byOthers]
