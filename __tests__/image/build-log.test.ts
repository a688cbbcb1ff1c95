// What a build prints, recorded from buildx and BuildKit, and what is read from it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { createBuildLog } from '../../src/image/build-log.ts'
import { buildFailed } from '../../src/image/buildx.ts'

const recorded = (name: string): string => readFileSync(join(import.meta.dirname, 'recorded', name), 'utf8')

function read(text: string): ReturnType<typeof createBuildLog> & { printed: string[] } {
  const log = createBuildLog()
  const printed = text.split('\n').flatMap(line => log.add(line))
  return { ...log, printed }
}

describe('the failure in a recorded build', () => {
  test.each([
    [
      'run.rawjson',
      {
        line: 5,
        exitCode: 7,
        instruction: 'RUN echo about to fail; echo problem >&2; exit 7',
        output: ['problem', 'about to fail'],
      },
    ],
    [
      'copy.rawjson',
      {
        line: 2,
        instruction: 'COPY missing.txt /x',
        error: 'failed to compute cache key: failed to calculate checksum: "/missing.txt": not found',
      },
    ],
    [
      'unknown.rawjson',
      {
        line: 2,
        instruction: 'RUNN x',
        error: 'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)',
      },
    ],
    ['nobase.rawjson', { line: 1, instruction: 'FROM 127.0.0.1:5000/nope/nope:1' }],
    ['heredoc.rawjson', { line: 2, exitCode: 1, output: ['one'] }],
    ['nosecret.rawjson', { line: 2, error: 'secret tok: not found' }],
    ['run.plain', { line: 3, exitCode: 3, output: [':\u200b:error::pwn', '#\u200b#[error]x'] }],
  ])('%s', (name, expected) => {
    expect(read(recorded(name)).failure('')).toMatchObject(expected)
  })

  test.each(['notarget.rawjson', 'pushrefused.rawjson'])('%s has no place in the Dockerfile', name => {
    expect(read(recorded(name)).failure(recorded(name.replace('rawjson', 'Dockerfile')))).not.toHaveProperty('line')
  })
})

test('the sentence names file, line, instruction, exit code and last output', () => {
  const failure = buildFailed(read(recorded('run.rawjson')).failure(''), 'web/Dockerfile', 1)
  expect(failure.message).toBe(
    'The build failed at web/Dockerfile:5, RUN echo about to fail; echo problem >&2; exit 7: exit code 7. Its last output: problem | about to fail',
  )
  expect([failure.reason, failure.at]).toEqual(['BuildFailed', { file: 'web/Dockerfile', line: 5 }])
})

test.each([
  ['connection refused', recorded('pushrefused.rawjson'), 'Unreachable'],
  ['401', 'ERROR: failed to solve: failed to push r/i:t: unexpected status: 401 Unauthorized', 'Unauthorized'],
  ['denied', 'denied: requested access to the resource is denied', 'Forbidden'],
  ['killed without a word', '', 'BuildFailed'],
])('a failed push or builder, %s: %s', (_, text, reason) => {
  const failure = buildFailed(read(text).failure(''), 'Dockerfile', -1)
  expect(failure.reason).toBe(reason)
  expect(failure.at?.line).toBeUndefined()
})

test('an old engine names no line: it is found by the text of the step', () => {
  const old = [
    '#5 [2/3] RUN echo a  &&     echo b',
    '#5 0.204 a',
    '#5 ERROR: executor failed running [/bin/sh -c echo a]: exit code: 9',
    '------',
    ' > [2/3] RUN echo a:',
    '------',
    'executor failed running [/bin/sh -c echo a]: exit code: 9',
  ]
  expect(read(old.join('\n')).failure('FROM x\n\n# note\nRUN echo a \\\n  # why\n  && \\\n  echo b\n')).toMatchObject({
    line: 4,
    exitCode: 9,
    output: ['a'],
  })
})

test.each([
  [
    'a base image',
    [
      '#3 [internal] load metadata for docker.io/library/none:latest',
      '#3 ERROR: not found',
      'failed to solve with frontend dockerfile.v0: failed to create LLB definition: docker.io/library/none:latest: not found',
    ],
    { line: 2, instruction: 'FROM none AS app', error: 'docker.io/library/none:latest: not found' },
  ],
  [
    'a line that is no instruction',
    [
      'failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 3: Unknown flag: network',
    ],
    { line: 3, error: 'dockerfile parse error line 3: Unknown flag: network' },
  ],
])('an old engine, %s', (_, lines, expected) => {
  expect(read(lines.join('\n')).failure('FROM b\nFROM none AS app\nRUN --network=none x\n')).toMatchObject(expected)
})

test('the digest an old docker says it pushed', () => {
  const digest = `sha256:${'0a'.repeat(32)}`
  expect(read(`3ccbb3ae8ee7: Pushed\n1.4.2: digest: ${digest} size: 735`).pushedDigest()).toBe(digest)
  expect(read('3ccbb3ae8ee7: Pushed').pushedDigest()).toBeUndefined()
})

test('a cache that cannot be read is not what failed', () => {
  const step = (name: string, error: string): string =>
    JSON.stringify({
      vertexes: [{ digest: name, name, started: '2026-01-01T00:00:00Z', completed: '2026-01-01T00:00:01Z', error }],
    })
  const lines = [
    step('[2/2] RUN x', 'process "x" failed: exit code: 4'),
    step('importing cache manifest from r', 'not found'),
    step('[b 2/2] RUN y', 'context canceled'),
  ]
  expect(read(lines.join('\n')).failure('FROM a\nRUN x\n')).toMatchObject({ line: 2, exitCode: 4 })
})

test('what is printed runs no command of the runner', () => {
  const data = Buffer.from('::error::x\n  ::add-mask::y\n##[error]z\n\u001b[31mred\u001b[0m\rnext\n').toString('base64')
  const event = {
    vertexes: [{ digest: 'a', name: '[1/1] RUN x\n::error::name', started: '2026-01-01T00:00:00Z' }],
    logs: [{ vertex: 'a', data }],
  }
  const { printed } = read(`${JSON.stringify(event)}\n::error::plain\n{"not": "an event"}\n{broken`)
  const text = printed.join('\n')
  expect(text).toMatch(/red\nnext/)
  expect(text).not.toMatch(/^\s*::|##\[|\u001b/m)
})

test('a secret is blotted out before its line is cut', () => {
  const line = `${'x'.repeat(1_990)} hunter2secret`
  const log = createBuildLog(text => text.replaceAll('hunter2secret', '***'))
  const event = (vertex: object, ...logs: string[]): string =>
    JSON.stringify({
      vertexes: [{ digest: 'a', name: `[1/1] RUN x ${line}`, started: '2026-01-01T00:00:00Z', ...vertex }],
      logs: logs.map(text => ({ vertex: 'a', data: Buffer.from(text).toString('base64') })),
    })
  const printed = [
    ...log.add(event({}, `${line}\n`, `${'y'.repeat(1_990)} hun`, `ter2secret${'z'.repeat(2_000)}`)),
    ...log.add(event({ completed: '2026-01-01T00:00:01Z', error: `${'e'.repeat(390)} hunter2secret` })),
    ...log.add(`ERROR: ${'e'.repeat(485)} hunter2secret`),
  ]
  for (const text of [...printed, JSON.stringify(log.failure('FROM a\n'))]) expect(text).not.toMatch(/hun|secret/)
})

test('warnings about the Dockerfile come once, with their line', () => {
  const warning = { short: Buffer.from('StageNameCasing: x (line 3)').toString('base64'), range: [{ start: { line: 3 } }] }
  const line = JSON.stringify({ warnings: [warning] })
  expect(read(`${line}\n${line}`).warnings()).toEqual([{ line: 3, message: 'StageNameCasing: x' }])
})
