import { describe, expect, test } from '@jest/globals'
import { changeOf, differences, diffOf, intent, lostChanges, sameIntent } from '../../src/kubernetes/change.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { object } from './memory-cluster.ts'

describe('differences', () => {
  test.each<[what: string, before: unknown, after: unknown, paths: readonly string[]]>([
    ['nothing', { a: 1, b: [{ name: 'x' }] }, { a: 1, b: [{ name: 'x' }] }, []],
    ['null and absent are the same', { a: null }, {}, []],
    ['a leaf', { a: { b: 1 } }, { a: { b: 2 } }, ['a.b']],
    ['a new field', {}, { a: { b: 2 } }, ['a.b']],
    ['another kind of value', { a: { b: 1 } }, { a: 'b' }, ['a']],
    ['an added entry does not shift the others', [{ name: 'b', v: 1 }], [{ name: 'a' }, { name: 'b', v: 1 }], ['[a].name']],
    ['a list without names goes by place', ['a', 'b'], ['a', 'c'], ['[1]']],
    ['a list is no object', { a: [] }, { a: {} }, []],
    // NetworkPolicy: `ingress: [{}]` lets all in, `ingress: []` nobody.
    ['an empty entry is an entry', { ingress: [{}] }, { ingress: [] }, ['ingress[0]']],
    // NetworkPolicy: `namespaceSelector: {}` is all namespaces, absent it is the own one.
    [
      'empty is not absent',
      { from: [{ podSelector: {} }] },
      { from: [{ podSelector: {}, namespaceSelector: {} }] },
      ['from[0].namespaceSelector'],
    ],
    ['absent is not empty', { ingress: [] }, {}, ['ingress']],
    [
      'another order of init containers',
      [{ name: 'wait' }, { name: 'migrate' }],
      [{ name: 'migrate' }, { name: 'wait' }],
      [' in the order'],
    ],
    [
      'a new first one is no other order',
      [{ name: 'a' }, { name: 'b' }],
      [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
      ['[c].name'],
    ],
  ])('%s', (_, before, after, paths) => {
    expect(differences(before, after).map(({ path }) => path)).toEqual(paths)
  })
})

describe('what a user means', () => {
  const live = object(
    'Deployment',
    'web',
    { spec: { replicas: 2 }, status: { replicas: 2 } },
    {
      uid: 'u',
      resourceVersion: '7',
      generation: 3,
      managedFields: [],
      annotations: { 'deployment.kubernetes.io/revision': '4' },
    },
  )
  test('is neither status nor what the server keeps for itself', () => {
    expect(intent(live)).toEqual(object('Deployment', 'web', { spec: { replicas: 2 } }))
    expect(sameIntent(live, object('Deployment', 'web', { spec: { replicas: 2 } }))).toBe(true)
    expect(sameIntent(live, object('Deployment', 'web', { spec: { replicas: 3 } }))).toBe(false)
  })
})

describe('a change for people', () => {
  const secret = (value: string, annotation = 'a'): ReturnType<typeof object> =>
    object(
      'Secret',
      'db',
      { data: { password: value } },
      { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': value, note: annotation } },
    )
  test.each([
    ['created', undefined, secret('aHVudGVyMg==')],
    ['changed', secret('aHVudGVyMg=='), secret('c2VjcmV0', 'hunter2')],
    ['deleted', secret('aHVudGVyMg=='), undefined],
  ])('a Secret that is %s shows none of its values', (_, before, after) => {
    const text = JSON.stringify(changeOf(before, after)) + diffOf(before, after)
    expect(text).not.toMatch(/aHVudGVyMg|hunter2|c2VjcmV0/)
    expect(text).toContain('secret/db')
  })

  test('of what neither is nor will be there is none', () => {
    expect([changeOf(undefined, undefined).action, diffOf(undefined, undefined)]).toEqual(['none', ''])
  })

  test('names the container, and says how much more there is', () => {
    const at = (image: string, env: number): ReturnType<typeof object> =>
      object('Deployment', 'web', {
        spec: {
          template: {
            spec: {
              containers: [{ name: 'app', image, env: Array.from({ length: env }, (_, i) => ({ name: `E${i}`, value: '' })) }],
            },
          },
        },
      })
    expect(changeOf(at('web:1', 0), at('web:2', 0)).details).toEqual(['image of app web:1 -> web:2'])
    expect(changeOf(at('web:1', 1), at('web:1', 7)).details.at(-1)).toBe('and 4 more fields')
  })
})

describe('what others changed meanwhile', () => {
  const config = (text: string, manager = 'deploy-actions', time = '1'): KubernetesObject =>
    object('ConfigMap', 'a', { data: { text } }, { managedFields: [{ manager, time, operation: 'Update' }] })

  test.each<
    [what: string, applied: KubernetesObject, live: KubernetesObject, target: KubernetesObject, told: string | undefined]
  >([
    ['nothing', config('a'), config('a'), config('old'), undefined],
    ['a field, by whom', config('a'), config('b', 'kubectl-edit', '2'), config('old'), 'data.text a -> b, by kubectl-edit'],
    [
      'a number of replicas',
      object('Deployment', 'a', { spec: { replicas: 2 } }),
      object('Deployment', 'a', { spec: { replicas: 5 } }),
      object('Deployment', 'a', { spec: { replicas: 1 } }),
      'spec.replicas 2 -> 5',
    ],
    [
      'what is kept is not told',
      object('Deployment', 'a', { spec: { replicas: 2 } }),
      object('Deployment', 'a', { spec: { replicas: 5 } }),
      object('Deployment', 'a', { spec: { replicas: 5 } }),
      undefined,
    ],
    ['a status is nobody’s wish', config('a'), { ...config('a'), status: { ready: 1 } }, config('old'), undefined],
    [
      'of a Secret not the value',
      object('Secret', 'a', { data: { k: 'YQ==' } }),
      object('Secret', 'a', { data: { k: 'Yg==' } }),
      object('Secret', 'a', { data: { k: 'Yw==' } }),
      'data.k *** -> ***',
    ],
  ])('%s', (_, applied, live, target, told) => {
    expect(lostChanges(applied, live, target)).toBe(told)
  })
})
