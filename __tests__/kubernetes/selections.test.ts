// Which workloads a Service selects, as both change.
import { describe, expect, test } from '@jest/globals'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { Selections } from '../../src/kubernetes/selections.ts'

const service = (app: string, namespace = 'shop'): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace },
  spec: { selector: { app } },
})
const deployment = (app: string, generation = 1, spec: Record<string, unknown> = {}): KubernetesObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: app, namespace: 'shop', generation },
  spec: { template: { metadata: { labels: { app } } }, ...spec },
})
const names = (selections: Selections, key = 's'): readonly string[] => selections.of(key).map(({ metadata }) => metadata.name)

describe('selections', () => {
  test('hold whichever came first', () => {
    const selections = new Selections()
    expect(selections.take('d', deployment('web'))).toEqual([])
    selections.take('s', service('web'))
    expect(selections.take('e', deployment('web'))).toEqual(['s'])
    expect(names(selections)).toEqual(['web', 'web'])
  })

  test('do not reach into another namespace, and not to other labels', () => {
    const selections = new Selections()
    selections.take('s', service('web', 'other'))
    selections.take('t', service('api'))
    expect(selections.take('d', deployment('web'))).toEqual([])
    expect([names(selections), names(selections, 't')]).toEqual([[], []])
  })

  test.each<[what: string, now: KubernetesObject, touched: readonly string[], selected: number]>([
    ['has a new status', deployment('web'), [], 1],
    ['has a new template', deployment('web', 2), ['s'], 1],
    ['is scaled to nothing', deployment('web', 2, { replicas: 0 }), ['s'], 0],
    ['has other labels', deployment('api', 2), ['s'], 0],
  ])('a workload that %s', (_, now, touched, selected) => {
    const selections = new Selections()
    selections.take('s', service('web'))
    selections.take('d', deployment('web'))
    expect(selections.take('d', now)).toEqual(touched)
    expect(selections.of('s')).toHaveLength(selected)
    if (selected === 1) expect(selections.of('s')[0]).toBe(now)
  })

  test('a Service with another selector, and a workload that is not to be there', () => {
    const selections = new Selections()
    selections.take('d', deployment('web'))
    selections.take('s', service('api'))
    expect(names(selections)).toEqual([])
    selections.take('s', service('web'))
    expect(names(selections)).toEqual(['web'])
    expect(selections.forget('d')).toEqual(['s'])
    expect(names(selections)).toEqual([])
    expect(selections.forget('d')).toEqual([])
  })
})
