import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { evaluateJsonAssertion, formatJsonAssertion, parseJsonAssertion } from '../../src/checks/json-assertion.ts'
import { formatJsonPath, parseJsonPath, readJsonPath } from '../../src/checks/json-path.ts'
import { InputFault } from '../../src/runner/inputs.ts'

describe('a path into JSON', () => {
  test.each([
    ['.', []],
    ['.version', ['version']],
    ['.a.b-c._d.$e', ['a', 'b-c', '_d', '$e']],
    ['.items[0].ok', ['items', 0, 'ok']],
    ['.[0]', [0]],
    ['[0][1]', [0, 1]],
    ['.labels["app.kubernetes.io/name"]', ['labels', 'app.kubernetes.io/name']],
    ['.["a=b"].c', ['a=b', 'c']],
    ['.["quo\\"te"]', ['quo"te']],
    ['.__proto__', ['__proto__']],
  ])('%s is %j', (text, path) => {
    expect(parseJsonPath(text)).toEqual(path)
  })

  test.each([
    '',
    'version',
    '.a b',
    '.a..b',
    '.a.',
    '.a[',
    '.a[-1]',
    '.a[x]',
    '.a["x]',
    '.1a',
    '.["\\x"]',
    `.${'a'.repeat(1001)}`,
  ])('%j is refused', text => {
    expect(() => parseJsonPath(text)).toThrow(InputFault)
  })

  test('every path is read back from its text', () => {
    const part = fc.oneof(fc.string({ maxLength: 20 }), fc.integer({ min: 0, max: 999_999_999 }))
    fc.assert(fc.property(fc.array(part, { maxLength: 8 }), path => expect(parseJsonPath(formatJsonPath(path))).toEqual(path)))
  })
})

describe('what stands at a path', () => {
  const document = JSON.parse('{"a":{"b":[1,{"c":null}]},"s":"text","__proto__":{"own":1},"list":[]}')
  test.each([
    [['a', 'b', 0], 1],
    [['a', 'b', 1, 'c'], null],
    [['a', 'x'], undefined],
    [['a', 'b', 2], undefined],
    [['s', 'length'], undefined],
    [['s', 0], undefined],
    [['list', 'length'], undefined],
    [['a', 'constructor'], undefined],
    [['a', 'toString'], undefined],
    [['a', '__proto__'], undefined],
    [['__proto__', 'own'], 1],
    [['a', 'b', 1, 'c', 'd'], undefined],
    [['a', 0], undefined],
  ])('%j: %j', (path, value) => {
    expect(readJsonPath(document, path)).toBe(value)
  })
})

describe('a JSON assertion', () => {
  test.each([
    ['.version=1.4.2', '{"version":"1.4.2"}', true, '"1.4.2"'],
    ['.version = 1.4.2', '{"version":"1.4.2"}', true, '"1.4.2"'],
    ['.version=1.4.2', '{"version":"1.4.1"}', false, '"1.4.1"'],
    ['.version=1.4.2', '{}', false, 'nothing'],
    ['.version="1.4.2"', '{"version":"1.4.2"}', true, '"1.4.2"'],
    ['.n=1', '{"n":1}', true, '1'],
    ['.n=1.0', '{"n":1}', true, '1'],
    ['.n=1', '{"n":"1"}', true, '"1"'],
    ['.n="1"', '{"n":1}', false, '1'],
    ['.n=1', '{"n":true}', false, 'true'],
    ['.items[0].ok=true', '{"items":[{"ok":true}]}', true, 'true'],
    ['.items[0].ok=true', '{"items":[{"ok":false}]}', false, 'false'],
    ['.items[0].ok=true', '{"items":[]}', false, 'nothing'],
    ['.gone=null', '{"gone":null}', true, 'null'],
    ['.gone=null', '{}', false, 'nothing'],
    ['.gone=', '{"gone":""}', true, '""'],
    ['.gone=', '{"gone":null}', false, 'null'],
    ['.query=a=b', '{"query":"a=b"}', true, '"a=b"'],
    ['.o={"b":[1],"a":2}', '{"o":{"a":2,"b":[1]}}', true, '{"a":2,"b":[1]}'],
    ['.o={"a":2}', '{"o":{"a":2,"b":1}}', false, '{"a":2,"b":1}'],
    ['.o={"a":2}', '{"o":[2]}', false, '[2]'],
    ['.o={"toString":1}', '{"o":{"a":1}}', false, '{"a":1}'],
    ['.=[1,2]', '[1,2]', true, '[1,2]'],
    ['.[1]=2', '[1,2]', true, '2'],
  ])('%s against %s: %s', (entry, body, holds, came) => {
    expect(evaluateJsonAssertion(JSON.parse(body), parseJsonAssertion(entry))).toEqual({ holds, came })
  })

  test.each([
    ['version', 'has no ='],
    ['.version', 'has no ='],
    ['version=1', 'does not start with a path'],
    ['=1', 'does not start with a path'],
    ['.a b=1', 'is no path up to its ='],
    ['.a==1', 'two ='],
    ['.["a=1', 'is no path up to its ='],
  ])('%s is refused: %s', (entry, why) => {
    expect(() => parseJsonAssertion(entry)).toThrow(InputFault)
    expect(() => parseJsonAssertion(entry)).toThrow(why)
  })

  test('is written back as it is read', () => {
    expect(formatJsonAssertion(parseJsonAssertion('.labels["a.b"][0]  = x'))).toBe('.labels["a.b"][0]=x')
  })

  test('a document as deep as 1 MiB allows is shown as too deep and breaks nothing', () => {
    const deep = JSON.parse(`${'['.repeat(400_000)}${']'.repeat(400_000)}`)
    expect(evaluateJsonAssertion(deep, parseJsonAssertion('.[0]=1'))).toEqual({
      holds: false,
      came: 'a value too deep to be shown',
    })
    expect(evaluateJsonAssertion(deep, parseJsonAssertion('.[0]=[[1]]')).holds).toBe(false)
  })
})
