// Versions, revisions and tags: which source wins, and what a tag is made of.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isTag } from '../../src/image/reference.ts'
import { composeTag, findRevision, findVersion, noVersion, semanticVersion, type TagScheme } from '../../src/image/version.ts'

const HEAD = 'a1'.repeat(20)
const MERGE = 'b2'.repeat(20)
const PULL = 'c3'.repeat(20)

test.each([
  ['1.4.2', '1.4.2'],
  ['v1.4.2', '1.4.2'],
  ['v2.0.0-rc.1', '2.0.0-rc.1'],
  ['1.0.0+build.5', '1.0.0+build.5'],
  ['v1', undefined],
  ['v1.4', undefined],
  ['1.4.2.1', undefined],
  ['01.4.2', undefined],
  ['1.4.2-01', undefined],
  ['latest', undefined],
  ['', undefined],
])('semanticVersion of %j is %j', (text, expected) => {
  expect(semanticVersion(text)).toBe(expected)
})

describe('findVersion', () => {
  const nothing = { nearestTags: [], shallow: false }
  test.each([
    [
      'the input before all',
      { given: '9.0.0', triggeringTag: 'v1.0.0', nearestTags: ['v2.0.0'], packageVersion: '3.0.0' },
      '9.0.0',
      'the input',
    ],
    [
      'the tag of the run before the nearest',
      { triggeringTag: 'v1.0.0', nearestTags: ['v2.0.0'] },
      '1.0.0',
      'the tag of this run',
    ],
    ['not a tag of the run without a v', { triggeringTag: '1.0.0', nearestTags: ['v2.0.0'] }, '2.0.0', 'the nearest tag'],
    ['not a moving tag', { triggeringTag: 'v1', nearestTags: ['v1.4.2'] }, '1.4.2', 'the nearest tag'],
    ['the highest of one commit', { nearestTags: ['v1.4.3', 'v1.4.2'] }, '1.4.3', 'the nearest tag'],
    ['the nearest before package.json', { nearestTags: ['v1.4.2'], packageVersion: '3.0.0' }, '1.4.2', 'the nearest tag'],
    ['package.json last', { packageVersion: '3.0.0' }, '3.0.0', 'package.json'],
  ])('%s', (_, sources, version, from) => {
    expect(findVersion({ ...nothing, ...sources })).toEqual({ version, from })
  })
  test.each([[{}], [{ packageVersion: 'workspace' }], [{ triggeringTag: 'release' }]])('none in %j', sources => {
    expect(findVersion({ ...nothing, ...sources })).toBeUndefined()
  })
})

test('says fetch-depth: 0 when the clone is shallow, and only then', () => {
  expect(noVersion(true).message).toMatch(/fetch-depth: 0/)
  expect(noVersion(false).message).not.toMatch(/fetch-depth/)
})

test.each([
  ['a push: what is checked out', { eventName: 'push', githubSha: HEAD, head: HEAD }, HEAD],
  ['another commit checked out by the workflow', { eventName: 'push', githubSha: MERGE, head: HEAD }, HEAD],
  [
    'a pull request: its head, not the merge',
    { eventName: 'pull_request', githubSha: MERGE, head: MERGE, pullRequestHead: PULL },
    PULL,
  ],
  [
    'a pull request whose head is checked out',
    { eventName: 'pull_request', githubSha: MERGE, head: PULL, pullRequestHead: PULL },
    PULL,
  ],
  ['a pull request outside of git', { eventName: 'pull_request', githubSha: MERGE, pullRequestHead: PULL }, PULL],
  ['a pull request without its payload', { eventName: 'pull_request', githubSha: MERGE, head: MERGE }, MERGE],
  [
    'pull_request_target builds the base unless told otherwise',
    { eventName: 'pull_request_target', githubSha: HEAD, head: HEAD, pullRequestHead: PULL },
    HEAD,
  ],
  ['outside of git and of a runner', { eventName: '' }, undefined],
  ['no hash', { eventName: 'push', head: '$(id)' }, undefined],
])('findRevision, %s', (_, sources, expected) => {
  expect(findRevision(sources)).toBe(expected)
})

describe('composeTag', () => {
  const parts = { version: '1.4.2', revision: HEAD, custom: 'edge', shallow: false }
  test.each<[TagScheme, Partial<typeof parts>, string]>([
    ['semver-sha', {}, '1.4.2-a1a1a1a'],
    ['semver-sha', { version: '2.0.0-rc.1' }, '2.0.0-rc.1-a1a1a1a'],
    ['semver-sha', { version: '1.0.0+b.5' }, '1.0.0_b.5-a1a1a1a'],
    ['semver', {}, '1.4.2'],
    ['sha', {}, 'a1a1a1a'],
    ['custom', {}, 'edge'],
  ])('%s of %j is %s', (scheme, more, expected) => {
    expect(composeTag(scheme, { ...parts, ...more })).toBe(expected)
  })
  test.each<[TagScheme, object, RegExp]>([
    ['semver-sha', { version: undefined }, /no version/],
    ['semver', { version: undefined, shallow: true }, /fetch-depth: 0/],
    ['semver-sha', { revision: undefined }, /no commit/],
    ['sha', { revision: undefined }, /no commit/],
    ['semver', { version: `1.0.0-${'a'.repeat(130)}` }, /128 characters/],
  ])('%s of %j fails', (scheme, more, words) => {
    expect(() => composeTag(scheme, { ...parts, ...more })).toThrow(words)
  })
  test('sha and custom need no version', () => {
    expect(composeTag('sha', { ...parts, version: undefined })).toBe('a1a1a1a')
    expect(composeTag('custom', { ...parts, version: undefined, revision: undefined })).toBe('edge')
  })
  test('every semantic version makes a tag', () => {
    const number = fc.nat(999)
    const version = fc
      .tuple(number, number, number, fc.stringMatching(/^(-[a-z]{1,5}(\.[1-9]{1,3})?)?(\+[a-z0-9]{1,6})?$/))
      .map(([major, minor, patch, rest]) => `${major}.${minor}.${patch}${rest}`)
    fc.assert(fc.property(version, text => isTag(composeTag('semver-sha', { ...parts, version: semanticVersion(text) }))))
  })
})
