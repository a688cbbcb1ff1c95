import { describe, expect, test } from '@jest/globals'
import { parseReleaseAddress } from '../../src/deploy/release-address.ts'
import { appName } from '../../src/kubernetes/app-name.ts'

describe('the name of an app', () => {
  test.each<[given: string, repository: string | undefined, name: RegExp]>([
    ['web', 'acme/shop', /^web$/],
    ['', 'acme/shop', /^shop$/],
    ['', undefined, /^app$/],
    ['', 'acme/MyShop', /^myshop$/],
    ['My_App', undefined, /^my-app-[0-9a-f]{6}$/],
    ['my.app', undefined, /^my-app-[0-9a-f]{6}$/],
    ['-web-', undefined, /^web-[0-9a-f]{6}$/],
    ['a'.repeat(60), undefined, /^a{43}-[0-9a-f]{6}$/],
  ])('%s of %s', (given, repository, name) => {
    const found = appName(given, { GITHUB_REPOSITORY: repository })
    expect(found).toMatch(name)
    expect(parseReleaseAddress(`k8s://shop/${found}/1`)).toMatchObject({ app: found })
    expect(appName(found, {})).toBe(found)
  })

  test('two apps never become one', () => {
    const names = ['my.app', 'my_app', 'my-app', 'my--app', `${'a'.repeat(50)}b`, `${'a'.repeat(50)}c`].map(given =>
      appName(given, {}),
    )
    expect(new Set(names).size).toBe(names.length)
  })

  test.each(['___', '日本'])('%s leaves nothing', given => {
    expect(() => appName(given, {})).toThrow(/holds no letter and no digit/)
  })
})
