// What no recording has of the kinds beside the workloads: each row is an object as the API server would send it, and what is said of it.
import { describe, test } from '@jest/globals'
import { selects } from '../../../src/kubernetes/judge/service.ts'
import type { Snapshot } from '../../../src/kubernetes/judge/workload.ts'
import { event, pod, stamp } from './objects.ts'
import { check, type Fields, failed, healthy, object, progressing, type Row, shown } from './tables.ts'

const when = (type: string, status: string, reason = 'Because', message = 'so it is', since = 0, more: Fields = {}): Fields => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: stamp(since),
  ...more,
})

const serving = (labels: Fields, more: { spec?: Fields; status?: Fields; ports?: readonly Fields[]; kind?: string } = {}) => ({
  ...object(
    'apps/v1',
    more.kind ?? 'Deployment',
    { template: { metadata: { labels }, spec: { containers: [{ name: 'app', ports: more.ports ?? [] }] } }, ...more.spec },
    more.status ?? {},
  ),
})
const slice = (ready: readonly (boolean | undefined)[], ports: readonly Fields[] = [{ name: 'http' }]): never =>
  ({ metadata: { name: 's' }, ports, endpoints: ready.map(one => ({ conditions: { ready: one } })) }) as never

const HTTP = [{ name: 'http', port: 80, targetPort: 8080 }]
const NAMED = [{ name: 'http', port: 80, targetPort: 'web' }]

function service(
  spec: Fields,
  more: {
    slices?: readonly never[]
    others?: readonly ReturnType<typeof serving>[]
    status?: Fields
    metadata?: Fields
  } & Partial<Pick<Snapshot, 'before'>> & { events?: readonly ReturnType<typeof event>[] } = {},
): Snapshot {
  const { slices = [], others = [serving({ app: 'web', tier: 'front' })], status = {}, metadata = {}, before, events = [] } = more
  const given = object('v1', 'Service', { selector: { app: 'web' }, ports: HTTP, ...spec }, status, metadata)
  return shown(given, [], {
    endpointSlices: slices,
    selected: () => others.filter(other => selects(given as never, other)),
    before,
    events,
  })
}

describe('a Service', () => {
  test.each<Row>([
    ['one endpoint is ready', service({}, { slices: [slice([false, true])] }), 1, { ...healthy, ready: 1, total: 1 }],
    ['one that does not say is ready', service({}, { slices: [slice([undefined])] }), 1, healthy],
    ['none is ready', service({}, { slices: [slice([false])] }), 500, { ...progressing, reason: '', message: 'is ready yet' }],
    ['there is none', service({}), 500, { ...progressing, message: 'no pod is behind it yet' }],
    [
      'its pods are ready, and not behind it',
      service({}, { others: [serving({ app: 'web' }, { status: { availableReplicas: 1 } })] }),
      500,
      { ...progressing, message: 'none is among its endpoints' },
    ],
    ['it selects nothing of the release', service({}, { others: [serving({ app: 'other' })] }), 1, healthy],
    ['the release runs nothing', service({}, { others: [] }), 1, healthy],
    [
      'what it selects has no replicas',
      service({}, { others: [serving({ app: 'web' }, { spec: { replicas: 0 } })] }),
      1,
      healthy,
    ],
    [
      'it selects a DaemonSet that no node wants',
      service({}, { others: [serving({ app: 'web' }, { kind: 'DaemonSet', status: { desiredNumberScheduled: 0 } })] }),
      1,
      healthy,
    ],
    [
      'it selects a bare pod',
      service({}, { others: [object('v1', 'Pod', {}, {}, { labels: { app: 'web' } })] }),
      1,
      { ...progressing, message: 'no pod is behind it' },
    ],
    [
      'it selects pods of a Job',
      service({}, { others: [{ ...serving({ app: 'web' }), apiVersion: 'batch/v1', kind: 'Job' }] }),
      1,
      healthy,
    ],
    ['it is headless', service({ clusterIP: 'None' }), 1, healthy],
    ['it is a name', service({ type: 'ExternalName', externalName: 'example.com' }), 1, healthy],
    ['it has no selector', service({ selector: undefined }), 1, healthy],
    ['its selector is empty', service({ selector: {} }), 1, healthy],
    [
      'its port is named, and a container has it',
      service({ ports: NAMED }, { others: [serving({ app: 'web' }, { ports: [{ name: 'web' }] })], slices: [slice([true])] }),
      1,
      healthy,
    ],
    ['no container has its port', service({ ports: NAMED }), 19, { ...progressing, reason: 'NoEndpoints', recheckAt: 20 }],
    ['no container has its port, and none gets it', service({ ports: NAMED }), 20, { ...failed, reason: 'NoEndpoints' }],
    [
      'no container declares its port, but one that was put in has it',
      service({ ports: NAMED }, { slices: [slice([true])] }),
      60,
      healthy,
    ],
    [
      'one of its ports is there',
      service(
        { ports: [...NAMED, { name: 'metrics', port: 81, targetPort: 9090 }] },
        { slices: [slice([true], [{ name: 'metrics' }])] },
      ),
      60,
      healthy,
    ],
    ['it is being deleted', service({}, { metadata: { deletionTimestamp: stamp(1) } }), 2, { ...failed, reason: 'NotFound' }],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

const AT_ADDRESS = { loadBalancer: { ingress: [{ hostname: 'lb.example.com' }] } }
const LB = { type: 'LoadBalancer', selector: undefined }
const refused = (seconds: number) => ({ ...event('w', 'SyncLoadBalancerFailed', 'no subnets', seconds), type: 'Warning' })
const withoutAddress = object('v1', 'Service', LB, {})

describe("a load balancer's Service", () => {
  test.each<Row>([
    ['has an address', service(LB, { status: AT_ADDRESS }), 1, healthy],
    ['has outer addresses of its own', service({ ...LB, externalIPs: ['203.0.113.1'] }), 1, healthy],
    [
      'nobody has taken it up',
      service(LB),
      500,
      { ...progressing, reason: '', message: 'nobody in the cluster has taken it up' },
    ],
    [
      'somebody has',
      service(LB, { metadata: { finalizers: ['service.kubernetes.io/load-balancer-cleanup'] } }),
      500,
      { ...progressing, message: 'waiting for the address' },
    ],
    [
      'it is refused',
      service(LB, { events: [refused(2)] }),
      161,
      { ...progressing, reason: 'SyncLoadBalancerFailed', recheckAt: 162 },
    ],
    [
      'it is refused for long',
      service(LB, { events: [refused(2)] }),
      162,
      { ...failed, reason: 'SyncLoadBalancerFailed', message: 'no subnets' },
    ],
    [
      'it was refused, and then not',
      service(LB, { events: [refused(2), event('w', 'EnsuredLoadBalancer', 'Ensured', 9)] }),
      500,
      { ...progressing, reason: '' },
    ],
    [
      'it had none before',
      service(LB, { before: withoutAddress }),
      1,
      { ...healthy, message: 'no address, as before this release' },
    ],
    [
      'it had none before, and is refused',
      service(LB, { before: withoutAddress, events: [refused(2)] }),
      500,
      { ...healthy, message: 'as before this release: no subnets' },
    ],
    ['it was none before', service(LB, { before: object('v1', 'Service', { type: 'ClusterIP' }, {}) }), 500, progressing],
    ['its address went away', service(LB, { before: object('v1', 'Service', LB, AT_ADDRESS) }), 500, progressing],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

const autoscaler = (conditions: readonly Fields[], before?: readonly Fields[]): Snapshot => {
  const of = (list: readonly Fields[]) => object('autoscaling/v2', 'HorizontalPodAutoscaler', {}, { conditions: list })
  return shown(of(conditions), [], { before: before === undefined ? undefined : of(before) })
}

describe('an autoscaler', () => {
  test.each<Row>([
    ['nobody has looked at it', autoscaler([]), 19, { ...progressing, recheckAt: 20 }],
    ['nobody looks at it', autoscaler([]), 20, { ...healthy, message: 'has not looked at it yet' }],
    ['it scales', autoscaler([when('AbleToScale', 'True'), when('ScalingActive', 'True')]), 1, healthy],
    [
      'it has no metrics',
      autoscaler([when('AbleToScale', 'True'), when('ScalingActive', 'False', 'FailedGetResourceMetric')]),
      500,
      { ...healthy, message: 'no metrics yet' },
    ],
    ['it is off', autoscaler([when('AbleToScale', 'True'), when('ScalingActive', 'False', 'ScalingDisabled')]), 500, healthy],
    [
      'its target is missing',
      autoscaler([when('AbleToScale', 'False', 'FailedGetScale')]),
      34,
      { ...progressing, recheckAt: 35 },
    ],
    [
      'its target stays missing',
      autoscaler([when('AbleToScale', 'False', 'FailedGetScale', 'not found')]),
      35,
      { ...failed, reason: 'FailedGetScale', message: 'cannot scale: not found' },
    ],
    [
      'its target was missing before',
      autoscaler([when('AbleToScale', 'False', 'FailedGetScale')], [when('AbleToScale', 'False', 'FailedGetScale')]),
      500,
      { ...healthy, message: 'as before this release' },
    ],
    [
      'something else was amiss before',
      autoscaler([when('AbleToScale', 'False', 'FailedGetScale')], [when('AbleToScale', 'False', 'FailedUpdateScale')]),
      500,
      failed,
    ],
    [
      'its selector is wrong',
      autoscaler([when('AbleToScale', 'True'), when('ScalingActive', 'False', 'InvalidSelector')]),
      35,
      { ...failed, reason: 'InvalidSelector' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

const route = (parents: readonly Fields[] | undefined, before?: readonly Fields[] | 'nothing'): Snapshot => {
  const of = (list: readonly Fields[] | undefined) =>
    object('gateway.networking.k8s.io/v1', 'HTTPRoute', {}, list === undefined ? undefined : { parents: list }, { generation: 2 })
  return shown(of(parents), [], { before: before === undefined ? undefined : of(before === 'nothing' ? undefined : before) })
}
const parent = (...conditions: readonly Fields[]): Fields => ({ parentRef: { name: 'public' }, conditions })
const now2 = { observedGeneration: 2 }

describe('a route', () => {
  test.each<Row>([
    [
      'no Gateway has taken it up',
      route(undefined),
      500,
      { ...progressing, reason: '', message: 'no Gateway has taken it up yet' },
    ],
    ['none had before', route(undefined, 'nothing'), 1, { ...healthy, message: 'as before this release' }],
    ['one has', route([parent(when('Accepted', 'True'))]), 1, healthy],
    [
      'it is refused',
      route([parent(when('Accepted', 'False', 'NotAllowedByListeners', 'no', 0, now2))]),
      29,
      { ...progressing, recheckAt: 30 },
    ],
    [
      'it stays refused',
      route([parent(when('Accepted', 'False', 'NotAllowedByListeners', 'no', 0, now2))]),
      30,
      { ...failed, reason: 'NotAllowedByListeners', message: 'public: no' },
    ],
    [
      'one of two refuses it',
      route([parent(when('Accepted', 'True')), { ...parent(when('Accepted', 'False')), parentRef: { name: 'inner' } }]),
      30,
      { ...failed, message: 'inner: so it is' },
    ],
    [
      'the refusal is of the generation before',
      route([parent(when('Accepted', 'False', 'NoMatchingParent', 'no', 0, { observedGeneration: 1 }))]),
      500,
      { ...progressing, message: 'to see the change' },
    ],
    [
      'it was refused before',
      route(
        [parent(when('ResolvedRefs', 'False', 'BackendNotFound'))],
        [parent(when('ResolvedRefs', 'False', 'BackendNotFound'))],
      ),
      500,
      { ...healthy, message: 'as before this release, public: so it is' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))

  test.each<Row>(
    [
      ['is admitted', when('Admitted', 'True'), healthy],
      ['is not', when('Admitted', 'False', 'HostAlreadyClaimed'), { ...failed, reason: 'HostAlreadyClaimed' }],
    ].map(([what, condition, expected]): Row => {
      const status = { ingress: [{ routerName: 'default', conditions: [condition] }] }
      return [what as string, shown(object('route.openshift.io/v1', 'Route', {}, status)), 30, expected as Row[3]]
    }),
  )("OpenShift's %s", (_, given, seconds, expected) => check(given, seconds, expected))
})

const gateway = (status: Fields | undefined): Snapshot => shown(object('gateway.networking.k8s.io/v1', 'Gateway', {}, status))

describe('a Gateway', () => {
  test.each<Row>([
    ['nobody knows it', gateway(undefined), 500, { ...progressing, message: 'no controller has taken it up yet' }],
    [
      'it has what its definition says by default',
      gateway({ conditions: [when('Programmed', 'Unknown', 'Pending', 'Waiting for controller')] }),
      500,
      { ...progressing, message: 'Waiting for controller' },
    ],
    ['it has no address yet', gateway({ conditions: [when('Programmed', 'False', 'AddressNotAssigned')] }), 500, progressing],
    ['it is there', gateway({ conditions: [when('Accepted', 'True'), when('Programmed', 'True')] }), 1, healthy],
    [
      'a listener has no certificate',
      gateway({
        conditions: [when('Programmed', 'True')],
        listeners: [{ name: 'https', conditions: [when('ResolvedRefs', 'False', 'InvalidCertificateRef')] }],
      }),
      60,
      { ...failed, reason: 'InvalidCertificateRef', message: 'https: so it is' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

const rollout = (status: Fields, spec: Fields = {}, metadata: Fields = {}): Snapshot =>
  shown(
    object(
      'argoproj.io/v1alpha1',
      'Rollout',
      { replicas: 2, ...spec },
      { observedGeneration: '3', ...status },
      { generation: 3, ...metadata },
    ),
  )
const paused = (reason: string, spec: Fields, more: Fields = {}): Snapshot =>
  rollout({ phase: 'Paused', pauseConditions: [{ reason }], currentStepIndex: 0, ...more }, spec)

describe('a Rollout', () => {
  test.each<Row>([
    [
      'its number of generation is text',
      rollout({ phase: 'Healthy', observedGeneration: '2' }),
      1,
      { ...progressing, message: 'to see the change' },
    ],
    ['that is a hash, as it once was', rollout({ phase: 'Healthy', observedGeneration: '6f4b' }), 1, healthy],
    [
      'it has not seen its Deployment',
      rollout(
        { phase: 'Healthy', workloadObservedGeneration: '4' },
        { workloadRef: { name: 'web' } },
        { annotations: { 'rollout.argoproj.io/workload-generation': '5' } },
      ),
      1,
      progressing,
    ],
    ['it is healthy', rollout({ phase: 'Healthy' }), 1, healthy],
    [
      'it goes on',
      rollout({ phase: 'Progressing', message: 'more replicas need to be updated' }),
      500,
      { ...progressing, message: 'more replicas' },
    ],
    ['it is degraded, and says no more', rollout({ phase: 'Degraded' }), 1, { ...failed, reason: 'Degraded' }],
    [
      'its spec is wrong',
      rollout({
        phase: 'Degraded',
        message: 'InvalidSpec: no such service',
        conditions: [when('InvalidSpec', 'True', 'InvalidSpec')],
      }),
      1,
      { ...failed, reason: 'InvalidSpec', message: 'no such service' },
    ],
    [
      'it is paused at a step for a time',
      paused('CanaryPauseStep', { strategy: { canary: { steps: [{ pause: { duration: 90 } }] } } }),
      500,
      { ...progressing, message: 'at step 1 of 1 for 1 m 30 s' },
    ],
    [
      'it is paused at a step for good',
      paused('CanaryPauseStep', { strategy: { canary: { steps: [{ pause: {} }] } } }),
      1,
      { ...healthy, message: 'promote web' },
    ],
    [
      'blue-green, promoted by itself',
      paused('BlueGreenPause', { strategy: { blueGreen: { autoPromotionSeconds: 30 } } }),
      500,
      { ...progressing, message: 'after 30 s' },
    ],
    [
      'blue-green, promoted by hand',
      paused('BlueGreenPause', { strategy: { blueGreen: {} } }),
      1,
      { ...healthy, message: 'before it takes over' },
    ],
    [
      'its analysis cannot tell',
      paused('InconclusiveAnalysisRun', {}),
      500,
      { ...progressing, message: 'InconclusiveAnalysisRun' },
    ],
    ['somebody has paused it', paused('', { paused: true }), 1, { ...failed, reason: 'RolloutPaused' }],
    ['it has no phase', rollout({ conditions: [when('Available', 'False')] }), 1, progressing],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

const custom = (status: Fields, before?: Fields): Snapshot => {
  const of = (given: Fields) => object('example.com/v1', 'Database', {}, given, { generation: 2 })
  return shown(of(status), [], { before: before === undefined ? undefined : of(before) })
}
const certificate = (status: Fields, before?: Fields): Snapshot => {
  const of = (given: Fields) => object('cert-manager.io/v1', 'Certificate', { dnsNames: ['a'] }, given)
  return shown(of(status), [], { before: before === undefined ? undefined : of(before) })
}
/** The same, and it asks for something else than before. */
const changed = (given: Snapshot): Snapshot => ({ ...given, object: { ...given.object, spec: { size: 2 } } as never })
const NOT_READY = [when('Ready', 'False', 'NoKey')]

describe('further kinds', () => {
  test.each<Row>([
    [
      'a condition of the generation before',
      custom({ conditions: [when('Ready', 'True', 'Up', '', 0, { observedGeneration: 1 })] }),
      59,
      { ...progressing, recheckAt: 60 },
    ],
    [
      'a controller that never renews it',
      custom({ conditions: [when('Ready', 'True', 'Up', '', 0, { observedGeneration: 1 })] }),
      60,
      healthy,
    ],
    [
      'an object that is not synced',
      custom({ conditions: [when('Synced', 'False', 'NoKey')] }),
      500,
      { ...progressing, reason: 'NoKey' },
    ],
    ['a phase on the way', custom({ phase: 'Creating' }), 500, { ...progressing, message: 'its phase is Creating' }],
    [
      'a phase as it was before',
      custom({ phase: 'Creating' }, { phase: 'Creating' }),
      1,
      { ...healthy, message: 'as before this release' },
    ],
    ['a phase gone wrong', custom({ phase: 'Failed' }, { phase: 'Running' }), 500, { ...progressing, reason: 'Failed' }],
    [
      'a phase with a condition that says otherwise',
      custom({ phase: 'Pending', conditions: [when('Ready', 'True')] }),
      1,
      healthy,
    ],
    [
      'a condition as it was before',
      custom({ conditions: NOT_READY }, { conditions: NOT_READY }),
      1,
      { ...healthy, ready: 1, message: 'is not Ready, as before this release: so it is' },
    ],
    [
      'a condition as it was before, of the generation before',
      custom({ conditions: [when('Ready', 'False', 'NoKey', '', 0, { observedGeneration: 1 })] }, { conditions: NOT_READY }),
      1,
      healthy,
    ],
    [
      'a condition as it was before, of an object that is changed',
      changed(custom({ conditions: NOT_READY }, { conditions: NOT_READY })),
      500,
      { ...progressing, reason: 'NoKey' },
    ],
    [
      'a condition that says something else than before',
      custom({ conditions: NOT_READY }, { conditions: [when('Ready', 'False', 'NoDisk')] }),
      500,
      { ...progressing, reason: 'NoKey' },
    ],
    [
      'a condition that was well before',
      custom({ conditions: NOT_READY }, { conditions: [when('Ready', 'True')] }),
      500,
      { ...progressing, reason: 'NoKey' },
    ],
    [
      'a condition as before, and one that is not',
      custom({ conditions: [...NOT_READY, when('Synced', 'False')] }, { conditions: [...NOT_READY, when('Synced', 'True')] }),
      500,
      { ...progressing, message: 'is not Synced' },
    ],
    [
      'stalled as before',
      custom({ conditions: [when('Stalled', 'True')] }, { conditions: [when('Stalled', 'True')] }),
      1,
      { ...healthy, message: 'is stalled, as before this release' },
    ],
    [
      'stalled as before, and changed',
      changed(custom({ conditions: [when('Stalled', 'True')] }, { conditions: [when('Stalled', 'True')] })),
      1,
      failed,
    ],
    ['a phase of its own', custom({ phase: 'Blue' }), 1, healthy],
    ['a certificate that nobody knows', certificate({}), 500, progressing],
    ['one that is renewed', certificate({ conditions: [when('Ready', 'True'), when('Issuing', 'True')] }), 500, progressing],
    [
      'one that failed before',
      certificate({ lastFailureTime: stamp(-60), conditions: [when('Ready', 'False'), when('Issuing', 'False', 'Failed')] }),
      500,
      progressing,
    ],
    [
      'one that fails as before',
      certificate(
        { lastFailureTime: stamp(5), conditions: [...NOT_READY, when('Issuing', 'False', 'Failed')] },
        { conditions: NOT_READY },
      ),
      9,
      { ...healthy, message: 'as before this release' },
    ],
    [
      'one that fails as before, and is changed',
      changed(
        certificate(
          { lastFailureTime: stamp(5), conditions: [...NOT_READY, when('Issuing', 'False', 'Failed')] },
          { conditions: NOT_READY },
        ),
      ),
      9,
      failed,
    ],
    [
      'one that is being issued as before, and is good meanwhile',
      certificate(
        { conditions: [when('Ready', 'True'), when('Issuing', 'True')] },
        { conditions: [when('Ready', 'True'), when('Issuing', 'True')] },
      ),
      1,
      healthy,
    ],
    [
      'a volume that failed',
      shown(object('v1', 'PersistentVolume', {}, { phase: 'Failed', reason: 'RecyclerFailed' })),
      1,
      { ...failed, reason: 'RecyclerFailed' },
    ],
    [
      'a volume that is released',
      shown(object('v1', 'PersistentVolume', {}, { phase: 'Released' })),
      1,
      { ...healthy, message: 'claimRef' },
    ],
    [
      'an API that nobody serves',
      shown(
        object('apiregistration.k8s.io/v1', 'APIService', {}, { conditions: [when('Available', 'False', 'MissingEndpoints')] }),
      ),
      500,
      { ...progressing, reason: 'MissingEndpoints' },
    ],
    [
      'a Knative object that fails',
      shown(
        object(
          'eventing.knative.dev/v1',
          'Broker',
          {},
          { observedGeneration: 1, conditions: [when('Ready', 'False', 'NoChannel')] },
          { generation: 1 },
        ),
      ),
      10,
      { ...failed, reason: 'NoChannel' },
    ],
    [
      'a Knative object that has just failed',
      shown(
        object(
          'eventing.knative.dev/v1',
          'Broker',
          {},
          { observedGeneration: 1, conditions: [when('Ready', 'False', 'NoChannel')] },
          { generation: 1 },
        ),
      ),
      9,
      { ...progressing, recheckAt: 10 },
    ],
    [
      'a Knative service without a pod',
      shown(
        object(
          'serving.knative.dev/v1',
          'Service',
          {},
          { observedGeneration: 1, conditions: [when('Ready', 'True')] },
          { generation: 1 },
        ),
      ),
      1,
      { ...healthy, ready: 1, total: 1 },
    ],
    [
      'an Ingress whose controller complains',
      shown(object('networking.k8s.io/v1', 'Ingress', {}, {}), [], {
        events: [{ ...event('w', 'Rejected', 'no such Secret', 2), type: 'Warning' }],
      }),
      3,
      { ...healthy, message: 'no such Secret' },
    ],
    [
      'an Ingress whose controller complained before',
      shown(object('networking.k8s.io/v1', 'Ingress', {}, {}), [], {
        events: [{ ...event('w', 'Rejected', 'no such Secret', -9), type: 'Warning' }],
      }),
      3,
      { ...healthy, message: 'no address is waited for' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})

const set = (replicas: number, pods: readonly ReturnType<typeof pod>[], template: Fields = {}): Snapshot =>
  shown(
    object(
      'apps/v1',
      'ReplicaSet',
      { replicas, template },
      { observedGeneration: 1, availableReplicas: replicas },
      { generation: 1 },
    ),
    pods,
  )

describe('a ReplicaSet of nobody', () => {
  test.each<Row>([
    ['all are there', set(2, [pod(), pod({ name: 'b' })]), 5, { ...healthy, ready: 2 }],
    ['one is missing', set(2, [pod()]), 5, { ...progressing, message: '1 of 2 pods are there' }],
    ['one is too many', set(1, [pod(), pod({ name: 'b' })]), 5, { ...progressing, message: '1 pods too many' }],
    ['none is wanted', set(0, []), 5, healthy],
    [
      'its pods are of the template before',
      set(1, [pod()], { spec: { containers: [{ name: 'app', image: 'web:3' }] } }),
      5,
      { ...healthy, message: '1 of 1 pods run another image' },
    ],
  ])('%s', (_, given, seconds, expected) => check(given, seconds, expected))
})
