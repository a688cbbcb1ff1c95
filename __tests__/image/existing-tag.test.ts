// What happens about a tag that is in the registry already, and which labels an image gets.
import { expect, test } from '@jest/globals'
import { decideOnExisting, type IfExists } from '../../src/image/existing-tag.ts'
import { imageLabels } from '../../src/image/labels.ts'

const OURS = 'a1'.repeat(20)
const OTHER = 'b2'.repeat(20)
const digest = `sha256:${'0'.repeat(64)}`

test.each<[string, string | null | undefined, string | undefined, IfExists, 'build' | 'skip' | 'fail', RegExp?]>([
  ['not there', undefined, OURS, 'skip', 'build'],
  ['not there', undefined, OURS, 'fail', 'build'],
  ['same commit', OURS, OURS, 'skip', 'skip'],
  ['other commit', OTHER, OURS, 'skip', 'fail', /b2b2b2b2b2b2.*a1a1a1a1a1a1/],
  ['no label', null, OURS, 'skip', 'fail', /unknown commit/],
  ['our commit unknown', OTHER, undefined, 'skip', 'fail', /not known/],
  ['neither known', null, undefined, 'skip', 'fail', /not known/],
  ['same commit', OURS, OURS, 'fail', 'fail', /if-exists is fail/],
  ['same commit', OURS, OURS, 'rebuild', 'build'],
  ['other commit', OTHER, OURS, 'rebuild', 'build'],
])('%s (theirs %s, ours %s) with if-exists %s: %s', (_, theirs, ours, ifExists, action, words = /./) => {
  const existing = theirs === undefined ? undefined : { digest, ...(theirs === null ? {} : { revision: theirs }) }
  const decision = decideOnExisting('r/i:t', existing, ours, ifExists)
  expect(decision.action).toBe(action)
  if (decision.action === 'fail') expect(decision.message).toMatch(words)
  if (decision.action === 'skip') expect(decision.digest).toBe(digest)
})

const facts = {
  env: { GITHUB_SERVER_URL: 'https://github.example', GITHUB_REPOSITORY: 'acme/web' },
  version: '1.4.2',
  revision: OURS,
  created: new Date('2026-01-02T03:04:05.678Z'),
  title: 'web',
}
const all = {
  'org.opencontainers.image.created': '2026-01-02T03:04:05Z',
  'org.opencontainers.image.revision': OURS,
  'org.opencontainers.image.source': 'https://github.example/acme/web',
  'org.opencontainers.image.title': 'web',
  'org.opencontainers.image.url': 'https://github.example/acme/web',
  'org.opencontainers.image.version': '1.4.2',
}

test.each<[string, Partial<typeof facts>, string[], object]>([
  ['on a runner', {}, [], all],
  ["the user's own beside them", {}, ['a=b=c', 'team=web shop'], { ...all, a: 'b=c', team: 'web shop' }],
  [
    "the user's own in their place",
    {},
    ['org.opencontainers.image.title=Shop'],
    { ...all, 'org.opencontainers.image.title': 'Shop' },
  ],
])('labels %s', (_, more, own, expected) => {
  expect(imageLabels({ ...facts, ...more }, own)).toEqual(expected)
})

test('labels outside of a runner and of git name only what is known', () => {
  expect(Object.keys(imageLabels({ ...facts, env: {}, version: undefined, revision: undefined }, []))).toEqual([
    'org.opencontainers.image.created',
    'org.opencontainers.image.title',
  ])
})
