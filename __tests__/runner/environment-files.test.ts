// What we write to GITHUB_OUTPUT and its like, held against what @actions/core writes and what the runner reads.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { keyValueBlock, writeKeyValue } from '../../src/runner/environment-files.ts'
import { anyText } from '../harness/any-text.ts'
import { parseKeyValueFile } from '../harness/runner-protocol.ts'

const folder = mkdtempSync(join(tmpdir(), 'environment-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

const VALUES = [
  '',
  'plain',
  'two\nlines',
  'trailing\n',
  '\n',
  'crlf\r\n',
  '100%',
  'a=b',
  'x<<EOF',
  'EOF',
  'ghadelimiter_',
  'ünï🚀',
]
const DELIMITER = /ghadelimiter_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g

describe.each([
  ['GITHUB_OUTPUT', (name: string, value: string) => core.setOutput(name, value)],
  ['GITHUB_STATE', (name: string, value: string) => core.saveState(name, value)],
  ['GITHUB_ENV', (name: string, value: string) => core.exportVariable(name, value)],
] as const)('%s', (variable, theirs) => {
  test.each(VALUES)('%j as @actions/core writes it', value => {
    const [ours, other] = [join(folder, 'ours'), join(folder, 'theirs')]
    for (const file of [ours, other]) writeFileSync(file, 'before=1\n')
    process.env[variable] = other
    theirs('a-name', value)
    writeKeyValue({ [variable]: ours }, variable, 'a-name', value)
    const written = readFileSync(ours, 'utf8')
    expect(written.replace(DELIMITER, 'D')).toBe(readFileSync(other, 'utf8').replace(DELIMITER, 'D'))
    expect(parseKeyValueFile(written)).toEqual({ before: '1', 'a-name': value })
    delete process.env[variable]
    delete process.env['a-name']
  })

  test('writes nothing outside a runner', () => {
    writeKeyValue({}, variable, 'a', 'b')
    writeKeyValue({ [variable]: '' }, variable, 'a', 'b')
  })
})

test('every value comes back as it was, and touches no other', () => {
  const value = fc.oneof(
    anyText(),
    fc.array(fc.constantFrom(...VALUES)).map(parts => parts.join('\n')),
  )
  fc.assert(
    fc.property(value, value, (first, second) => {
      const file = keyValueBlock('first', first) + keyValueBlock('second', second)
      expect(parseKeyValueFile(file)).toEqual({ first, second })
    }),
  )
})

test('no value can end its block early', () => {
  expect(() => keyValueBlock('a', 'x\nD\nevil=1', 'D')).toThrow('the value of a contains the delimiter')
})

test('the last of several values counts', () => {
  expect(parseKeyValueFile(keyValueBlock('result', 'cancelled') + keyValueBlock('result', 'deployed'))).toEqual({
    result: 'deployed',
  })
})

test.each([
  ['nothing', /Invalid format/],
  ['=x', /Name must not be empty/],
  ['<<EOF\nEOF', /Name must not be empty/],
  ['a<<\nx', /delimiter must not be empty/],
  ['a<<EOF\nx', /delimiter not found/],
])('the runner refuses %j', (text, fault) => {
  expect(() => parseKeyValueFile(text)).toThrow(fault)
})
