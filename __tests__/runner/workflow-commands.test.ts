// Our command lines held, byte for byte, against what @actions/core prints, and against what the runner reads from them.

import * as core from '@actions/core'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { annotation, escapeData, escapeProperty, workflowCommand } from '../../src/runner/workflow-commands.ts'
import { anyText } from '../harness/any-text.ts'
import { parseCommand } from '../harness/runner-protocol.ts'

let printed = ''
beforeEach(() => {
  printed = ''
  jest.spyOn(process.stdout, 'write').mockImplementation(text => {
    printed += text
    return true
  })
})
afterEach(() => void jest.restoreAllMocks())

const VALUES = [
  '',
  'plain',
  'two\nlines',
  'crlf\r\nand lone \r',
  '100%',
  '%0A is not a newline',
  '%25',
  'a: b, c=d; e',
  '::error::inside',
  '##[error]inside',
  'ünï🚀漢字',
  'tab\t',
  ' leading and trailing ',
]

describe.each(VALUES)('as @actions/core prints %j', value => {
  test.each([
    ['info', () => core.info(value), () => value],
    ['debug', () => core.debug(value), () => workflowCommand('debug', {}, value)],
    ['add-mask', () => core.setSecret(value), () => workflowCommand('add-mask', {}, value)],
    ['group', () => core.startGroup(value), () => workflowCommand('group', {}, value)],
    ['endgroup', () => core.endGroup(), () => workflowCommand('endgroup', {}, '')],
    ['error', () => core.error(value), () => annotation('error', value)],
    ['a title', () => core.warning('m', { title: value }), () => annotation('warning', 'm', value)],
    ['a file', () => core.notice('m', { file: value }), () => annotation('notice', 'm', undefined, { file: value })],
    [
      'everything',
      () => core.error(value, { title: value, file: value, startLine: 3, startColumn: 7 }),
      () => annotation('error', value, value, { file: value, line: 3, column: 7 }),
    ],
  ])('%s', (_, theirs, ours) => {
    theirs()
    // @actions/core leaves a space where all properties are empty.
    expect(`${ours()}\n`).toBe(printed.replace(/^(::\w+) ::/, '$1::'))
  })
})

test.each([
  ['a%b\r\nc', 'a%25b%0D%0Ac', 'a%25b%0D%0Ac'],
  ['a:b,c', 'a:b,c', 'a%3Ab%2Cc'],
])('%j escapes to %j as data and %j as a property', (text, data, property) => {
  expect(escapeData(text)).toBe(data)
  expect(escapeProperty(text)).toBe(property)
})

test('the runner reads back what was written, whatever it is', () => {
  const text = anyText()
  fc.assert(
    fc.property(text, text, text, fc.nat(), (message, title, file, line) => {
      const command = parseCommand(annotation('error', message, title, { file, line }))
      expect(command?.name).toBe('error')
      expect(command?.data).toBe(message)
      // The runner trims the list of properties, so only white space at its very ends is lost: our list ends in a number.
      expect(command?.properties['title'] ?? '').toBe(title)
      expect(command?.properties['file'] ?? '').toBe(file)
      expect(command?.properties['line']).toBe(String(line))
    }),
  )
})

test('a command is always one line', () => {
  fc.assert(fc.property(anyText(), text => !/[\r\n]/.test(annotation('warning', text, text, { file: text }))))
})
