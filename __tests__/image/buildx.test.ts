// The arguments a build is started with, and the Dockerfile read beforehand.
import { describe, expect, test } from '@jest/globals'
import { type BuildPlan, buildxArguments, dockerArguments, secretEnvironment } from '../../src/image/buildx.ts'
import { hasTarget, instructionOfStep, instructionsOf, stagesOf } from '../../src/image/dockerfile.ts'

const plan: BuildPlan = {
  context: '/w',
  file: '/w/Dockerfile',
  target: '',
  platforms: [],
  buildArgs: [],
  labels: {},
  images: ['r.io/a/b:1'],
  push: true,
  cache: 'none',
  repository: 'r.io/a/b',
  secrets: [],
}
const HEAD = ['build', '--progress=rawjson', '--metadata-file=/t/m.json', '--file=/w/Dockerfile']
const TAIL = ['--push', '--', '/w']

describe('buildx', () => {
  test.each<[string, Partial<BuildPlan>, string[]]>([
    ['the least', {}, ['--tag=r.io/a/b:1', ...TAIL]],
    ['not pushed', { push: false }, ['--tag=r.io/a/b:1', '--output=type=cacheonly', '--', '/w']],
    ['target', { target: 'app' }, ['--target=app', '--tag=r.io/a/b:1', ...TAIL]],
    ['two tags', { images: ['r.io/a/b:1', 'r.io/a/b:2'] }, ['--tag=r.io/a/b:1', '--tag=r.io/a/b:2', ...TAIL]],
    [
      'platforms',
      { platforms: ['linux/amd64', 'linux/arm64'] },
      ['--tag=r.io/a/b:1', '--platform=linux/amd64,linux/arm64', ...TAIL],
    ],
    [
      'build args as they are',
      { buildArgs: ['A=$(id) "x"', 'B'] },
      ['--tag=r.io/a/b:1', '--build-arg=A=$(id) "x"', '--build-arg=B', ...TAIL],
    ],
    ['labels', { labels: { a: 'b c' } }, ['--tag=r.io/a/b:1', '--label=a=b c', ...TAIL]],
    [
      'secrets by variable',
      { secrets: [{ id: 'npm', value: 'hidden' }] },
      ['--tag=r.io/a/b:1', '--secret=id=npm,env=DEPLOY_ACTIONS_BUILD_SECRET_0', ...TAIL],
    ],
    [
      "GitHub's cache",
      { cache: 'gha', target: 'app' },
      [
        '--target=app',
        '--tag=r.io/a/b:1',
        '--cache-from=type=gha,scope=r.io-a-b-app',
        '--cache-to=type=gha,scope=r.io-a-b-app,mode=max,ignore-error=true',
        ...TAIL,
      ],
    ],
    [
      'cache in the registry',
      { cache: 'registry' },
      [
        '--tag=r.io/a/b:1',
        '--cache-from=type=registry,ref=r.io/a/b:buildcache',
        '--cache-to=type=registry,ref=r.io/a/b:buildcache,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true',
        ...TAIL,
      ],
    ],
  ])('%s', (_, more, expected) => {
    expect(buildxArguments({ ...plan, ...more }, '/t/m.json', 'rawjson')).toEqual([...HEAD, ...expected])
  })

  test('no secret in any argument', () => {
    const secrets = [
      { id: 'a', value: 'hidden-1' },
      { id: 'b', value: 'hidden-2' },
    ]
    expect(buildxArguments({ ...plan, secrets }, '/t/m', 'plain').join(' ')).not.toContain('hidden')
    expect(dockerArguments({ ...plan, secrets }).join(' ')).not.toContain('hidden')
    expect(secretEnvironment(secrets)).toEqual({
      DEPLOY_ACTIONS_BUILD_SECRET_0: 'hidden-1',
      DEPLOY_ACTIONS_BUILD_SECRET_1: 'hidden-2',
    })
  })
})

describe('an old docker', () => {
  test('builds for one platform without a cache', () => {
    expect(dockerArguments({ ...plan, platforms: ['linux/arm64'] })).toEqual([
      'build',
      '--progress=plain',
      '--file=/w/Dockerfile',
      '--tag=r.io/a/b:1',
      '--platform=linux/arm64',
      '--',
      '/w',
    ])
  })
  test.each<[Partial<BuildPlan>, RegExp]>([
    [{ cache: 'gha' }, /cache: gha needs buildx/],
    [{ platforms: ['linux/amd64', 'linux/arm64'] }, /platforms needs buildx/],
  ])('refuses %j', (more, words) => {
    expect(() => dockerArguments({ ...plan, ...more })).toThrow(words)
  })
})

const DOCKERFILE = `# syntax=docker/dockerfile:1
FROM a AS Build
RUN one \\
    # a comment
    two \\

    three
RUN <<EOF
FROM not-an-instruction
EOF
copy --from=build <<-X /x
\tbody
\tX

FROM b
from c as last
RUN one two three
RUN x`

describe('Dockerfile', () => {
  test('instructions with their lines', () => {
    expect(instructionsOf(DOCKERFILE)).toEqual([
      { line: 2, text: 'FROM a AS Build' },
      { line: 3, text: 'RUN one two three' },
      { line: 8, text: 'RUN <<EOF' },
      { line: 11, text: 'copy --from=build <<-X /x' },
      { line: 15, text: 'FROM b' },
      { line: 16, text: 'from c as last' },
      { line: 17, text: 'RUN one two three' },
      { line: 18, text: 'RUN x' },
    ])
  })
  test('a backtick as escape', () => {
    expect(instructionsOf('# escape=`\nFROM a\nRUN x `\n  y\nRUN c:\\\nRUN z')).toHaveLength(4)
  })
  test('stages', () => {
    expect(stagesOf(DOCKERFILE)).toEqual({ names: ['build', 'last'], count: 3 })
  })
  test.each([
    ['build', true],
    ['LAST', true],
    ['1', true],
    ['3', false],
    ['not-an-instruction', false],
    ['buil', false],
  ])('hasTarget %s: %s', (target, expected) => {
    expect(hasTarget(DOCKERFILE, target)).toBe(expected)
  })
  test('says nothing against a target where another frontend reads the file', () => {
    expect(hasTarget('#syntax=ghcr.io/acme/frontend:1\nwhatever', 'x')).toBe(true)
  })
  test.each([
    ['[build 2/4] RUN x', 18],
    ['[2/4] RUN one     two    three', undefined],
    ['[internal] load metadata', undefined],
    ['exporting to image', undefined],
  ])('the line of step %s: %s', (step, line) => {
    expect(instructionOfStep(DOCKERFILE, step)?.line).toBe(line)
  })
})
