// Names of namespaces: what Kubernetes takes, and nothing that could lead a path elsewhere.
import { expect, test } from '@jest/globals'
import { definition as deployToKubernetes } from '../../actions/deploy-k8s/src/definition.ts'
import { definition as rollback } from '../../actions/rollback/src/definition.ts'
import { findTarget, parseKubeconfig } from '../../src/kubernetes/kubeconfig.ts'
import { parseNamespace } from '../../src/kubernetes/namespace.ts'
import { InputFault } from '../../src/runner/inputs.ts'

const refused = [
  'Shop',
  'shop_1',
  '-shop',
  'shop-',
  'a.b',
  'a/b',
  '..',
  'shop/../kube-system',
  'shop?x=1',
  'shop#',
  'a b',
  'x'.repeat(64),
]

test.each(['', 'shop', '1', 'a-b-2', 'x'.repeat(63)])('%j is taken', name => {
  expect(parseNamespace(name)).toBe(name)
})

test.each(refused)('%j is refused, as an input and in a kubeconfig', async name => {
  for (const { inputs } of [deployToKubernetes, rollback]) expect(() => inputs.namespace.parse(name)).toThrow(InputFault)
  const config = await parseKubeconfig(
    JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', namespace: name } }],
      clusters: [{ name: 'k', cluster: { server: 'https://h' } }],
    }),
  )
  expect(() => findTarget(config, '')).toThrow(
    /^The kubeconfig has context "c" with the namespace .*, which is no namespace's name\.$/,
  )
})
