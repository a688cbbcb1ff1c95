// Which known name a misspelt one is taken for, and when none is near enough.
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { closest } from '../../src/runner/closest-name.ts'

const NAMES = ['app', 'namespace', 'image', 'images', 'timeout', 'dry-run', 'on-failure', 'url']

test.each<[string, string | undefined]>([
  ['timeuot', 'timeout'],
  ['imgae', 'image'],
  ['Image', 'image'],
  ['namespaces', 'namespace'],
  ['dryrun', 'dry-run'],
  ['dry_run', 'dry-run'],
  ['onfailure', 'on-failure'],
  ['uri', 'url'],
  ['apps', 'app'],
  ['kubeconfig', undefined],
  ['x', undefined],
  ['', undefined],
  ['t'.repeat(10_000), undefined],
])('%j: %p', (name, near) => {
  expect(closest(name, NAMES)).toBe(near)
})

test('of no names none is near', () => {
  expect(closest('app', [])).toBeUndefined()
})

test('a name is nearest to itself', () => {
  fc.assert(fc.property(fc.constantFrom(...NAMES), name => closest(name, NAMES) === name))
})
