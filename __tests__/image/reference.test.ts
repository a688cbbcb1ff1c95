// Image references: what parses to what, what is refused and with which words.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  formatReference,
  fullRepository,
  type ImageReference,
  parseReference,
  sameRepository,
} from '../../src/image/reference.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

describe('parseReference', () => {
  test.each<[string, ImageReference]>([
    ['nginx', { registry: 'docker.io', repository: 'library/nginx' }],
    ['nginx:1.27', { registry: 'docker.io', repository: 'library/nginx', tag: '1.27' }],
    ['acme/web', { registry: 'docker.io', repository: 'acme/web' }],
    ['docker.io/nginx', { registry: 'docker.io', repository: 'library/nginx' }],
    ['index.docker.io/acme/web:1', { registry: 'docker.io', repository: 'acme/web', tag: '1' }],
    ['ghcr.io/acme/web:1.4.2-3f9c2ab', { registry: 'ghcr.io', repository: 'acme/web', tag: '1.4.2-3f9c2ab' }],
    ['GHCR.io/acme/web', { registry: 'ghcr.io', repository: 'acme/web' }],
    ['localhost/web', { registry: 'localhost', repository: 'web' }],
    ['localhost:5000/x', { registry: 'localhost:5000', repository: 'x' }],
    ['127.0.0.1:5000/x:v1', { registry: '127.0.0.1:5000', repository: 'x', tag: 'v1' }],
    ['[::1]:5000/a/b', { registry: '[::1]:5000', repository: 'a/b' }],
    [`nginx@${DIGEST}`, { registry: 'docker.io', repository: 'library/nginx', digest: DIGEST }],
    [`ghcr.io/a/b:1@${DIGEST}`, { registry: 'ghcr.io', repository: 'a/b', tag: '1', digest: DIGEST }],
    [
      '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web',
      { registry: '123456789012.dkr.ecr.eu-west-1.amazonaws.com', repository: 'team/web' },
    ],
    ['a__b/c-d.e---f', { registry: 'docker.io', repository: 'a__b/c-d.e---f' }],
    [`a:${'t'.repeat(128)}`, { registry: 'docker.io', repository: 'library/a', tag: 't'.repeat(128) }],
    ['repo:5000', { registry: 'docker.io', repository: 'library/repo', tag: '5000' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected)
  })

  test.each([
    ['', /it is empty/],
    [' nginx', /white space/],
    ['a b', /white space/],
    ['nginx\n', /white space/],
    ['https://ghcr.io/acme/web', /URL scheme/],
    ['ghcr.io/Acme/web', /lower case: "Acme"/],
    ['Acme/web', /lower case: "Acme"/],
    ['ghcr.io/', /no repository/],
    ['ghcr.io//web', /empty part/],
    ['/web', /empty part/],
    ['web/', /empty part/],
    ['a/b:', /tag after ":" is empty/],
    ['a/b:-x', /"-x" is no tag/],
    ['a/b:1+2', /"1\+2" is no tag/],
    [`a/b:${'t'.repeat(129)}`, /is no tag/],
    ['a/b:1:2', /"1:2" is no tag/],
    ['a/b@sha256:12', /no digest/],
    [`a/b@${DIGEST.toUpperCase()}`, /no digest/],
    [`a/b@${DIGEST}0`, /no digest/],
    [`a/b@${DIGEST}@${DIGEST}`, /no digest/],
    ['a___b', /"a___b" is no part/],
    ['a..b/c', /no registry's host name/],
    ['localhost:99999/a', /no registry's host name/],
    ['localhost:0/a', /no registry's host name/],
    ['0'.repeat(64), /image's id/],
    [`ghcr.io/${'a'.repeat(255)}`, /longer than 255/],
    ['a'.repeat(2_000), /2000 characters/],
  ])('refuses %j', (text, words) => {
    expect(() => parseReference(text)).toThrow(ExpectedFailure)
    expect(() => parseReference(text)).toThrow(words)
  })

  test('throws nothing but ExpectedFailure, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9./:@_-]{0,40}$/)), text => {
        try {
          const parsed = parseReference(text)
          return formatReference(parseReference(formatReference(parsed))) === formatReference(parsed)
        } catch (error) {
          return error instanceof ExpectedFailure && error.reason === 'InvalidInput'
        }
      }),
      { numRuns: 2_000 },
    )
  })

  const reference = fc.record(
    {
      registry: fc.constantFrom('ghcr.io', 'localhost', 'localhost:5000', '127.0.0.1:5000', 'docker.io', '[::1]:1'),
      repository: fc.stringMatching(/^[a-z0-9]{1,8}(-[a-z0-9]{1,4})?\/[a-z0-9]{1,8}(__[a-z0-9]{1,4})?$/),
      tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/),
      digest: fc.stringMatching(/^[0-9a-f]{64}$/).map(hex => `sha256:${hex}`),
    },
    { requiredKeys: ['registry', 'repository'] },
  )
  test('reads back what formatReference wrote', () => {
    fc.assert(fc.property(reference, value => expect(parseReference(formatReference(value))).toEqual(value)))
  })
})

test.each([
  ['nginx', 'docker.io/library/nginx'],
  ['ghcr.io/acme/web:1', 'ghcr.io/acme/web'],
  [`localhost:5000/x@${DIGEST}`, 'localhost:5000/x'],
])('fullRepository of %s', (text, expected) => {
  expect(fullRepository(parseReference(text))).toBe(expected)
})

test.each([
  ['nginx', 'docker.io/library/nginx:1', true],
  ['ghcr.io/acme/web', `GHCR.IO/acme/web@${DIGEST}`, true],
  ['ghcr.io/acme/web', 'ghcr.io/acme/web2', false],
  ['acme/web', 'ghcr.io/acme/web', false],
])('sameRepository %s and %s: %s', (a, b, expected) => {
  expect(sameRepository(parseReference(a), parseReference(b))).toBe(expected)
})
