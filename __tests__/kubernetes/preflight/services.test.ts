// Services: a slip of the pen is a finding, everything that may yet come about is not.
import { expect, test } from '@jest/globals'
import { checkServices } from '../../../src/kubernetes/preflight/services.ts'
import { type Answers, cluster, context, deployment, SHOP } from './scene.ts'

const service = (spec: string): string => `apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { ${spec} }\n---\n`
const pod = (labels: object, phase = 'Running'): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', labels },
  status: { phase },
})
const PODS = `LIST ${SHOP}/pods`

test.each<[string, string, Answers, 'fine' | 'finding' | 'said']>([
  ['selects the release', service('selector: { app: web }') + deployment(), {}, 'fine'],
  ['has no selector', service('clusterIP: None') + deployment(), {}, 'fine'],
  [
    'is a name for another host',
    service('type: ExternalName, externalName: example.com, selector: { app: x }') + deployment(),
    {},
    'fine',
  ],
  ['contradicts the release', service('selector: { app: wbe }') + deployment(), {}, 'finding'],
  ['shares no label with the release', service('selector: { application: web }') + deployment(), {}, 'finding'],
  ['selects live pods of others', service('selector: { app: db }') + deployment(), { [PODS]: [pod({ app: 'db' })] }, 'fine'],
  [
    'selects a live pod that has ended',
    service('selector: { app: db }') + deployment(),
    { [PODS]: [pod({ app: 'db' }, 'Succeeded')] },
    'finding',
  ],
  [
    'selects only the old pods',
    service('selector: { version: "1" }') + deployment(),
    { [PODS]: [pod({ app: 'web', version: '1' })] },
    'finding',
  ],
  ['waits for a label set while running', service('selector: { app: web, role: leader }') + deployment(), {}, 'said'],
  ['is all there is in the release', service('selector: { app: db }'), {}, 'said'],
  [
    "waits for an operator's pods",
    `${service('selector: { cnpg: db }')}apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: { name: db }\n---\n${deployment()}`,
    {},
    'said',
  ],
  [
    'is no matter of a ServiceMonitor',
    `${service('selector: { app: wbe }')}apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: web }\n---\n${deployment()}`,
    {},
    'finding',
  ],
  ['may not look at pods', service('selector: { app: wbe }') + deployment(), { [PODS]: 403 }, 'fine'],
  [
    "selects a Rollout's pods",
    `${service('selector: { app: web }')}apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: { name: r }\nspec: { template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: a, image: b }] } } }`,
    {},
    'fine',
  ],
])('a Service that %s', async (_, yaml, answers, expected) => {
  const { findings, passedOver } = await checkServices(await context(yaml, cluster(answers)))
  expect(findings.length > 0 ? 'finding' : passedOver.length > 0 ? 'said' : 'fine').toBe(expected)
})
