// build-push's inputs: what they become, and what is refused with which words.
import { describe, expect, test } from '@jest/globals'
import { summaryOf } from '../../actions/build-push/src/build-push.ts'
import { definition } from '../../actions/build-push/src/definition.ts'
import { inputSecrets, inputVariable, readInputs } from '../../src/runner/inputs.ts'

function variables(given: Record<string, string>): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries({ image: 'ghcr.io/acme/web', ...given }).map(([name, value]) => [inputVariable(name), value]),
  )
}

function read(given: Record<string, string>): ReturnType<typeof readInputs<typeof definition.inputs>> {
  return readInputs(definition.inputs, variables(given), definition.check)
}

test('the defaults', () => {
  expect(read({})).toEqual({
    image: { registry: 'ghcr.io', repository: 'acme/web' },
    context: '.',
    file: '',
    target: '',
    platforms: [],
    'build-args': [],
    secrets: [],
    labels: [],
    version: '',
    'tag-scheme': 'semver-sha',
    tag: '',
    'extra-tags': [],
    'allow-latest': false,
    push: true,
    'if-exists': 'skip',
    cache: 'none',
    username: '',
    password: '',
    'ecr-create-repository': false,
  })
})

test.each([
  [{ version: 'v1.4.2' }, { version: '1.4.2' }],
  [{ 'tag-scheme': 'custom', tag: 'edge' }, { tag: 'edge' }],
  [{ 'extra-tags': 'latest\nedge', 'allow-latest': 'true' }, { 'extra-tags': ['latest', 'edge'] }],
  [
    { secrets: 'npm=a=b\nother=c' },
    {
      secrets: [
        { id: 'npm', value: 'a=b' },
        { id: 'other', value: 'c' },
      ],
    },
  ],
  [{ 'build-args': 'A=1\nB' }, { 'build-args': ['A=1', 'B'] }],
  [{ platforms: 'linux/amd64\nlinux/arm/v7' }, { platforms: ['linux/amd64', 'linux/arm/v7'] }],
  [{ password: 'x' }, { username: '', password: 'x' }],
])('%j becomes %j', (given, expected) => {
  expect(read(given as Record<string, string>)).toMatchObject(expected)
})

test.each([
  [{ image: '' }, /image: is required/],
  [{ image: 'ghcr.io/acme/web:1' }, /image: .*has a tag or digest; give the repository alone/],
  [{ image: 'ghcr.io/Acme/Web' }, /image: .*must be in lower case/],
  [{ version: '1.4' }, /version: "1.4" is no semantic version/],
  [{ 'tag-scheme': 'custom' }, /tag: is required with tag-scheme: custom/],
  [{ tag: 'edge' }, /tag: is only used with tag-scheme: custom/],
  [{ 'tag-scheme': 'custom', tag: 'a b' }, /tag: "a b" is no tag/],
  [{ 'tag-scheme': 'custom', tag: 'latest' }, /tag: "latest" says nothing.*allow-latest/],
  [{ 'extra-tags': 'edge\nlatest' }, /extra-tags: "latest" says nothing/],
  [{ platforms: 'linux/amd64,linux/arm64' }, /one platform a line/],
  [{ platforms: 'arm' }, /no platform/],
  [{ 'build-args': '--push' }, /build-args: an entry is not written NAME=value/],
  [{ labels: 'a' }, /labels: "a" is not written name=value/],
  [{ secrets: 'npm=' }, /secrets: the secret npm is empty/],
  [{ image: 'quay.io/a/b', password: 'x' }, /username: is required with password/],
  [{ username: 'x' }, /password: is required with username/],
  [{ 'tag-scheme': 'semver_sha' }, /did you mean semver-sha/],
])('%j is refused', (given, words) => {
  expect(() => read(given as Record<string, string>)).toThrow(words)
})

describe('secrets', () => {
  test('are all masked', () => {
    const given = variables({ secrets: 'npm=hidden-1\nother=hidden=2\nbroken hidden-4', password: 'hidden-3' })
    expect(inputSecrets(definition.inputs, given)).toEqual(['hidden-1', 'hidden=2', 'broken hidden-4', 'hidden-3'])
  })
  test('are not repeated in what is said about them', () => {
    const broken = (): unknown => read({ secrets: 'npm=hidden-1\nhidden-2' })
    expect(broken).toThrow(/secrets: an entry is not written id=value/)
    expect(broken).not.toThrow(/hidden/)
  })
})

test('the summary is one table, and nothing in it breaks the table', () => {
  const facts = {
    result: 'pushed',
    image: 'r/i:1',
    tag: '1',
    revision: 'a'.repeat(40),
    digest: 'sha256:0`|',
    milliseconds: 1_234,
  } as const
  expect(summaryOf(facts)).toBe(
    '### Image\n\n| Image | Tag | Digest | Commit | Result | Time |\n|---|---|---|---|---|---|\n| `r/i` | `1` | `sha256:0` | `aaaaaaaaaaaa` | pushed | 1.2 s |\n',
  )
})
