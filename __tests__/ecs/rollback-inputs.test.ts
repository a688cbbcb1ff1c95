import { describe, expect, test } from '@jest/globals'
import { definition } from '../../actions/rollback/src/definition.ts'
import { badRevisions } from '../../actions/rollback/src/rollback-ecs.ts'
import { inputVariable, readInputs } from '../../src/runner/inputs.ts'

const read = (inputs: Record<string, string>) => {
  const variables = Object.entries(inputs).map(([name, value]) => [inputVariable(name), value])
  return readInputs(definition.inputs, Object.fromEntries(variables), definition.check)
}
const onEcs = (bad: string, service = 'web\nworker') => {
  const inputs = read({ target: 'ecs', cluster: 'prod', service, 'bad-release': bad })
  const found = badRevisions(inputs['bad-release'], inputs.cluster, inputs.service)
  return typeof found === 'number' ? found : Object.fromEntries(found)
}

describe('the bad release of services', () => {
  test.each<[string, string, object | number]>([
    ['is what is live', '', 0],
    ['is a number', '7', 7],
    ['is a revision each', 'ecs://prod/web/web:7\necs://prod/worker/worker:3', { web: 'web:7', worker: 'worker:3' }],
    ['is one revision', 'ecs://prod/web/web:7', { web: 'web:7', worker: 'web:7' }],
    ['is one of more services', 'ecs://prod/cron/cron:1 ecs://prod/worker/app:3', { web: 'app:3', worker: 'app:3' }],
  ])('%s', (_, bad, revisions) => {
    expect(onEcs(bad)).toEqual(revisions)
  })

  test.each<[string, string, RegExp]>([
    [
      'of another service',
      'ecs://prod/cron/cron:1',
      /a release of ecs:\/\/prod\/cron, and ecs:\/\/prod\/web, ecs:\/\/prod\/worker is to be/,
    ],
    ['of another cluster', 'ecs://test/web/web:1', /a release of ecs:\/\/test\/web, .* nothing was changed/],
    ['of Kubernetes', 'k8s://shop/web/3', /bad-release: it is a release on Kubernetes, and target is ecs/],
    ['of both', 'ecs://prod/web/web:1 k8s://shop/web/3', /names more than one release/],
    ['that is misspelt', 'ecs://prod/web/web:1 ecs://prod/worker', /no release's address/],
  ])('%s is refused', (_, bad, message) => {
    expect(() => onEcs(bad)).toThrow(message)
  })

  test('is none of an app on Kubernetes', () => {
    expect(() => read({ 'bad-release': 'ecs://prod/web/web:1' })).toThrow(/it is a release on ECS, and target is k8s/)
    expect(read({ 'bad-release': 'k8s://shop/web/3' })['bad-release']).toMatchObject({ number: 3, of: 'shop/web' })
  })
})
