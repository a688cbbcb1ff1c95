import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatReleaseAddress, parseReleaseAddress, type ReleaseAddress } from '../../src/deploy/release-address.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'

describe('a release address', () => {
  test.each<[string, ReleaseAddress]>([
    ['k8s://shop/web/7', { platform: 'k8s', namespace: 'shop', app: 'web', number: 7 }],
    ['k8s://shop-eu/web.api/120', { platform: 'k8s', namespace: 'shop-eu', app: 'web.api', number: 120 }],
    ['ecs://prod/Web_api/web:42', { platform: 'ecs', cluster: 'prod', service: 'Web_api', family: 'web', revision: 42 }],
  ])('%s is read and written back', (text, address) => {
    expect(parseReleaseAddress(text)).toEqual(address)
    expect(formatReleaseAddress(address)).toBe(text)
  })

  test.each([
    ['', 'neither k8s:// nor ecs://'],
    ['shop/web/7', 'neither k8s:// nor ecs://'],
    ['K8S://shop/web/7', 'neither k8s:// nor ecs://'],
    ['helm://shop/web/7', 'neither k8s:// nor ecs://'],
    ['k8s://shop/web', '2 parts'],
    ['k8s://shop/web/7/8', '4 parts'],
    ['k8s:///web/7', 'the namespace'],
    ['k8s://Shop/web/7', 'the namespace'],
    ['k8s://sh.op/web/7', 'the namespace'],
    ['k8s://-n/web/7', 'the namespace'],
    [`k8s://${'n'.repeat(64)}/web/7`, 'the namespace'],
    ['k8s://shop/--kubeconfig=x/7', 'the app'],
    ['k8s://shop/../7', 'the app'],
    [`k8s://shop/${'a'.repeat(241)}/7`, 'the app'],
    ['k8s://shop/web/0', 'the number'],
    ['k8s://shop/web/07', 'the number'],
    ['k8s://shop/web/7\n', 'the number'],
    ['k8s://shop/web/1e3', 'the number'],
    ['k8s://shop/web/9999999999999999', 'the number'],
    ['ecs://prod/web/web', 'the revision'],
    ['ecs://prod/web/web:latest', 'the revision'],
    ['ecs://prod/web/web:1:2', 'the revision'],
    ['ecs://pr od/web/web:1', 'the cluster'],
    ['ecs://prod/we.b/web:1', 'the service'],
    ['ecs://prod/web/:1', 'the family'],
  ])('%j is refused: %s', (text, why) => {
    expect(() => parseReleaseAddress(text)).toThrow(ExpectedFailure)
    expect(() => parseReleaseAddress(text)).toThrow(why)
  })

  test('what is refused cannot write a workflow command into the log', () => {
    expect(() => parseReleaseAddress('k8s://a\n::error::b')).toThrow(/^[^\n]+$/)
  })

  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  const label = fc.string({ unit: fc.constantFrom(...letters, '-'), minLength: 1, maxLength: 61 }).map(middle => `a${middle}z`)
  const ecsName = fc.string({ unit: fc.constantFrom(...letters, 'A', 'Z', '-', '_'), minLength: 1, maxLength: 255 })
  const count = fc.integer({ min: 1 })
  const address: fc.Arbitrary<ReleaseAddress> = fc.oneof(
    fc.record({ platform: fc.constant('k8s' as const), namespace: label, app: label, number: count }),
    fc.record({ platform: fc.constant('ecs' as const), cluster: ecsName, service: ecsName, family: ecsName, revision: count }),
  )

  test('every address comes back from its text', () => {
    fc.assert(fc.property(address, given => expect(parseReleaseAddress(formatReleaseAddress(given))).toEqual(given)))
  })

  test('every text is either refused or the text of its own address', () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom('k8s://', 'ecs://'), fc.string(), fc.string(), fc.string())
        .map(([p, a, b, c]) => `${p}${a}/${b}/${c}`),
    )
    fc.assert(
      fc.property(text, given => {
        let read: ReleaseAddress
        try {
          read = parseReleaseAddress(given)
        } catch (error) {
          expect(error).toBeInstanceOf(ExpectedFailure)
          return
        }
        expect(formatReleaseAddress(read)).toBe(given)
      }),
    )
  })
})
