// Paths as the API server writes them.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatFieldPath, parseFieldPath, selects } from '../../src/kubernetes/field-path.ts'

test.each([
  ['spec.template.spec.containers[0].image', ['spec', 'template', 'spec', 'containers', 0, 'image']],
  ['.spec.replicas', ['spec', 'replicas']],
  ['metadata.labels[a/b]', ['metadata', 'labels', 'a/b']],
  ['metadata.annotations[deploy-actions/x.y]', ['metadata', 'annotations', 'deploy-actions/x.y']],
  ['data["a.b"]', ['data', 'a.b']],
  ['.spec.containers[name="web"].image', ['spec', 'containers', 'name="web"', 'image']],
  ['.spec.ports[port=80,protocol="TCP"].name', ['spec', 'ports', 'port=80,protocol="TCP"', 'name']],
  ['.spec.x[k="a]b"].y', ['spec', 'x', 'k="a]b"', 'y']],
  ['[0]', [0]],
  ['', []],
  ['spec.containers[', ['spec', 'containers', '']],
])('%s', (text, path) => {
  expect(parseFieldPath(text)).toEqual(path)
})

describe('selects', () => {
  const item: Readonly<Record<string, string>> = { name: 'web', port: '80', protocol: 'TCP', '': 'x' }
  test.each([
    ['name="web"', true],
    ['port=80,protocol="TCP"', true],
    ['port=80,protocol="UDP"', false],
    ['="x"', true],
    ['web', false],
    ['', false],
    ['name="web', false],
    ['missing="web"', false],
  ])('%s: %s', (selector, expected) => {
    expect(selects(selector, field => item[field])).toBe(expected)
  })
})

test('what is formatted is parsed back', () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9./-]{0,10}$/)
  fc.assert(
    fc.property(fc.array(fc.oneof(name, fc.nat(99))), path => {
      expect(parseFieldPath(formatFieldPath(path))).toEqual(path)
    }),
  )
})

test('any text is a path', () => {
  fc.assert(fc.property(fc.string(), text => Array.isArray(parseFieldPath(text))))
})
