// Releases that can be seen to be bad before anything is changed: then nothing is touched.
import type { Failure, Scenario } from './scenario.ts'
import {
  baseImage,
  configMap,
  cronJob,
  deployment,
  fromConfigMap,
  fromSecret,
  mounted,
  quota,
  service,
  statefulSet,
  unpushed,
  web,
} from './workloads.ts'

const v1 = web({ version: '1' })
const oneV1 = [deployment({ version: '1' })]
const untouched = (fail: string, names: RegExp): Failure => ({ fail, names, untouched: true })

export const badBeforeTheChange: readonly Scenario[] = [
  {
    name: 'an image that does not exist',
    live: v1,
    release: web({ image: unpushed('nowhere') }),
    probed: true,
    takes: 25,
    must: untouched('ErrImagePull', /image \S+:nowhere .*container app of deployment\/web does not exist: .*no such tag/i),
  },
  {
    name: "an image of one of a CronJob's containers that does not exist",
    live: [...oneV1, cronJob({ version: '1' })],
    release: [deployment(), cronJob({ image: unpushed('nowhere') })],
    takes: 25,
    must: untouched('ErrImagePull', /container app of cronjob\/nightly does not exist/),
  },
  {
    name: 'an image name that is none',
    live: oneV1,
    release: [deployment({ image: 'Acme/Web:1' })],
    takes: 10,
    must: untouched('InvalidImageName', /container app of deployment\/web can't be one: "Acme\/Web:1"/),
  },
  {
    name: 'a Secret that is not there',
    live: v1,
    release: web({ container: fromSecret }),
    probed: true,
    takes: 25,
    must: untouched('CreateContainerConfigError', /Secret web is neither in the release nor in namespace scenario-/),
  },
  {
    name: 'a key that the ConfigMap does not have',
    live: [configMap({ levels: 'good' }), ...oneV1],
    release: [configMap({ levels: 'good' }), deployment({ container: fromConfigMap })],
    takes: 25,
    must: untouched('CreateContainerConfigError', /ConfigMap web .*has no key "level" \(it has levels\)/),
  },
  {
    name: 'a volume of a Secret that is not there',
    live: oneV1,
    release: [deployment(mounted({ secret: { secretName: 'web-tls' } }))],
    takes: 25,
    must: untouched('FailedMount', /Secret web-tls is neither/),
  },
  {
    name: 'a ServiceAccount that is not there',
    live: oneV1,
    release: [deployment({ pod: { serviceAccountName: 'nobody' } })],
    takes: 25,
    must: untouched('FailedCreate', /ServiceAccount nobody/),
  },
  {
    name: 'a PriorityClass that is not there',
    live: oneV1,
    release: [deployment({ pod: { priorityClassName: 'urgent' } })],
    takes: 25,
    must: untouched('FailedCreate', /PriorityClass urgent/),
  },
  {
    name: 'a StorageClass that is not there',
    live: oneV1,
    release: [
      ...oneV1,
      statefulSet({
        spec: {
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'golden', resources: { requests: { storage: '1Gi' } } },
            },
          ],
        },
      }),
    ],
    takes: 10,
    must: untouched('Unschedulable', /statefulset\/db wants storage of class golden, and the cluster has no such StorageClass/),
  },
  {
    name: 'a claim that is never bound',
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
    takes: 25,
    must: untouched(
      'FailedBinding',
      /persistentvolumeclaim\/data wants a volume without class, and no PersistentVolume without class is free/,
    ),
  },
  {
    name: 'more memory than any node has',
    live: oneV1,
    release: [deployment({ container: { resources: { requests: { memory: '900Gi' } } } })],
    takes: 10,
    must: untouched('Unschedulable', /deployment\/web.*0\/1 nodes are available: .*Insufficient memory/),
  },
  {
    name: 'a node selector that no node has',
    live: oneV1,
    release: [deployment({ pod: { nodeSelector: { disk: 'golden' } } })],
    takes: 10,
    must: untouched('Unschedulable', /didn't match Pod's node affinity\/selector/),
  },
  {
    name: 'a quota that has no room for the surge',
    given: [quota({ 'requests.cpu': '100m' })],
    live: [deployment({ version: '1', container: { resources: { requests: { cpu: '60m' } } } })],
    release: [deployment({ container: { resources: { requests: { cpu: '60m' } } } })],
    takes: 10,
    must: untouched('FailedCreate', /ResourceQuota small .*requests\.cpu/),
  },
  {
    name: 'more memory than the LimitRange allows',
    given: [
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'small' },
        spec: { limits: [{ type: 'Container', max: { memory: '64Mi' }, default: { memory: '32Mi' } }] },
      },
    ],
    live: oneV1,
    release: [deployment({ container: { resources: { limits: { memory: '128Mi' } } } })],
    takes: 10,
    must: untouched('FailedCreate', /maximum memory usage per Container is 64Mi/),
  },
  {
    name: 'a Service that selects no pod',
    live: v1,
    release: [service('web', { app: 'wbe' }), ...v1.slice(1)],
    probed: true,
    takes: 10,
    must: untouched('NoEndpoints', /service\/web would select no pod: its selector is app=wbe/),
  },
  {
    name: 'a selector that cannot be changed',
    live: oneV1,
    release: [
      deployment({
        spec: { selector: { matchLabels: { app: 'web', version: '2' } } },
      }),
    ],
    takes: 10,
    must: untouched('InvalidInput', /deployment\/web.*selector.*immutable/),
  },
  {
    name: 'a field that is misspelt',
    live: oneV1,
    release: [deployment({ container: { imagePullPolice: 'Always' } })],
    takes: 10,
    must: untouched('InvalidInput', /imagePullPolice: field not declared/),
  },
  {
    name: 'several things at once',
    live: v1,
    release: web({ image: unpushed('nowhere'), container: fromSecret, pod: { nodeSelector: { disk: 'golden' } } }),
    takes: 10,
    must: untouched('Unschedulable', /There are 2 more findings\. Nothing was changed/),
  },
  {
    name: 'an image that no manifest has',
    live: oneV1,
    release: oneV1,
    inputs: { images: 'ghcr.io/acme/api=ghcr.io/acme/api:1' },
    takes: 10,
    must: untouched('InvalidInput', new RegExp(`no container .*ghcr.io/acme/api.*${baseImage().split(':')[0]}`)),
  },
]
