// Text to values: held to what kubectl was recorded to read; positions; nothing that crashes it.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readDocuments } from '../../src/kubernetes/kubectl-yaml.ts'
import { loadManifestText } from '../../src/kubernetes/manifests.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import { anyText } from '../harness/any-text.ts'

interface Case {
  name: string
  text: string
  objects?: string[]
  error?: string
}

const recorded = JSON.parse(readFileSync(new URL('recorded/kubectl-yaml.json', import.meta.url), 'utf8')) as { cases: Case[] }

/** Where we refuse, with a line, what kubectl takes: it would lose something silently, or the parser does not read it. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  'dup key': /second time/,
  'dup key nested': /second time/,
  'dup flow': /second time/,
  'dup bool keys': /second time/,
  'bool key': /second time/,
  'json dup': /second time/,
  'dup in merge source': /second time/,
  json: /too large to be kept exactly/,
  'float key inf': /no name/,
  'cr only': /no YAML/,
  'tab flow': /not indented/,
  'flow not indented': /not indented/,
  'json comment': /Comments must be separated/,
  'list empty': /no object/,
  'list null': /metadata\.name/,
  empty: /no object/,
  'only comment': /no object/,
  'doc end': /without a line "---"/,
  'no api': /no apiVersion/,
  'empty between': /second time/,
}

/** Where we take what kubectl refuses: JSON's escapes, and spellings that mean one thing only. */
const MORE_LENIENT = new Set([
  'scalar !!int 5.0',
  'block tab',
  'nel',
  'ls',
  'surrogate esc',
  'slash esc',
  'longkey',
  'merge of sequence alias',
  'list',
])

async function read(text: string): Promise<unknown[] | ExpectedFailure> {
  try {
    return (await loadManifestText(text, 'x.yaml')).map(({ object }) => object)
  } catch (error) {
    if (error instanceof ExpectedFailure) return error
    throw error
  }
}

const isTooLarge = ({ objects = [] }: Case): boolean =>
  objects.some(json => [...json.matchAll(/-?\d{16,}/g)].some(([digits]) => !Number.isSafeInteger(Number(digits)))) ||
  objects.some(json => /e\+29/.test(json))

describe('what kubectl reads', () => {
  const taken = recorded.cases.filter(
    each => each.objects !== undefined && STRICTER[each.name] === undefined && !isTooLarge(each),
  )
  test.each(taken)('$name', async ({ text, objects = [] }) => {
    expect(await read(text)).toEqual(objects.map(json => JSON.parse(json) as unknown))
  })
})

describe('what kubectl refuses', () => {
  const refused = recorded.cases.filter(each => each.error !== undefined && !MORE_LENIENT.has(each.name))
  test.each(refused)('$name', async ({ text }) => {
    const failure = await read(text)
    expect(failure).toBeInstanceOf(ExpectedFailure)
    expect((failure as ExpectedFailure).at?.line).toBeGreaterThan(0)
  })
})

describe('what is refused though kubectl takes it', () => {
  const stricter = recorded.cases.filter(each => each.objects !== undefined && STRICTER[each.name] !== undefined)
  test.each(stricter)('$name', async ({ name, text }) => {
    expect(await read(text)).toMatchObject({ reason: 'InvalidInput', message: expect.stringMatching(STRICTER[name] ?? /never/) })
  })
})

describe('numbers too large for a double', () => {
  const spec = (value: string): string => `apiVersion: acme.io/v1\nkind: Thing\nmetadata: {name: a}\nspec: ${value}\n`
  test.each([
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740992', 9007199254740992],
    ['1e21', 1e21],
  ])('%s is kept', async (text, value) => {
    expect(await read(spec(text))).toMatchObject([{ spec: value }])
  })
  test.each(['9007199254740993', '9223372036854775807', '18446744073709551615', '0xFFFFFFFFFFFFFFFF', '-9007199254740993'])(
    '%s is refused on its line, not changed',
    async text => {
      expect(await read(spec(text))).toMatchObject({ at: { file: 'x.yaml', line: 4, column: 7 }, message: /kept exactly/ })
    },
  )
  test('but bounds in the schema of a CustomResourceDefinition, which are doubles in the API, are kept as such', async () => {
    const text = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: a}
spec: {schema: {maximum: 9223372036854775807, minimum: -9223372036854775808}}
`
    expect(await read(text)).toMatchObject([{ spec: { schema: { maximum: 2 ** 63, minimum: -(2 ** 63) } } }])
  })
})

describe('faults', () => {
  const REFUSED: readonly (readonly [string, number, number | undefined, RegExp])[] = [
    ['a: b: c', 1, 4, /no YAML/],
    ['a:\n\tb: 1', 2, 1, /tab/],
    ['a: 1\nb: {{ .Values.x }}', 2, 5, /template/],
    ['a: 1\n{{- if .x }}\nb: 2\n{{- end }}', 2, undefined, /template's placeholder/],
    ['a: [1, 2', 1, undefined, /not closed/],
    ['a: "x', 1, undefined, /no YAML/],
    ['a: 1\n---\nb: 1\nb: 2', 4, 1, /"b" stands here a second time, the first is on line 3/],
    ['{"a":1}\n{"b":1,\n"b":2}', 3, 1, /second time/],
    ['\n {"a":1} {"b":1} {"c":1,"c":2}', 2, 25, /second time/],
    ['{"a":\n1} {"b":1}\n{"c":1} {"d":1,"d":2}', 3, 16, /second time/],
    ['%YAML 1.2\n---\na: 1', 2, undefined, /directives/],
    ['-----BEGIN CERTIFICATE-----', 1, 4, /only a comment may follow/],
    ['a: \u0001', 1, 4, /control character \(code 1\)/],
    [`a: ${'['.repeat(600)}${']'.repeat(600)}`, 1, undefined, /500 levels/],
    ['['.repeat(50_000), 1, undefined, /levels deep|no YAML/],
    ['a: *b', 1, 4, /no anchor "&b"/],
    ['a: &a [*a]', 1, 8, /contains itself/],
  ]
  test.each(REFUSED.map(row => [JSON.stringify(row[0]).slice(0, 60), ...row] as const))(
    '%s',
    async (_, text, line, column, message) => {
      const { faults } = await readDocuments(text)
      expect(faults[0]).toMatchObject({
        line,
        message: expect.stringMatching(message),
        ...(column === undefined ? {} : { column }),
      })
    },
  )

  test('an alias bomb is refused at once', async () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) =>
        `l${i}: &l${i} [${Array(9)
          .fill(i === 0 ? 'x' : `*l${i - 1}`)
          .join(', ')}]`,
    )
    const { documents, faults } = await readDocuments(levels.join('\n'))
    expect(documents).toEqual([])
    expect(faults[0]?.message).toMatch(/aliases expand to more than 200000 values/)
  })

  const list = (alias: string): string => `[${Array(10).fill(alias).join(', ')}]`
  test.each<[string, string]>([
    ['merges', `a0: &a0 {}\n${Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} {<<: ${list(`*a${i}`)}}`).join('\n')}`],
    ['a long text', `t: &t "${'x'.repeat(1_000_000)}"\nall: [${Array(100).fill('*t').join(', ')}]`],
    ['a long key', `t: &t ${'x'.repeat(1_000)}\nall: [${Array(25_000).fill('{? *t : 1}').join(', ')}]`],
  ])('a bomb of %s is refused at once', async (_, text) => {
    const { documents, faults } = await readDocuments(text)
    expect(documents).toEqual([])
    expect(faults[0]?.message).toMatch(/aliases expand to more than 200000 values/)
  })

  test.each<[string, string]>([
    ['YAML', 'a: 1\n---\n'.repeat(30_000)],
    ['JSON', '{}'.repeat(2_000_000)],
    ['YAML and JSON', '{}{}{}\n---\n'.repeat(100_000)],
  ])('more documents of %s than there are objects in any release are refused at once', async (_, text) => {
    const { documents, faults } = await readDocuments(text)
    expect(documents).toEqual([])
    expect(faults).toEqual([{ message: 'there are more than 20000 documents in it', line: expect.any(Number), column: 1 }])
  })

  test('a fault in one document leaves the others and their faults', async () => {
    const { documents, faults } = await readDocuments('a: 1\n---\nb: [\n---\nc: 3\n---\nd: &d *d\n')
    expect(documents.map(({ value }) => value)).toEqual([{ a: 1 }, { c: 3 }])
    expect(faults.map(({ line }) => line)).toEqual([expect.any(Number), 7])
  })
})

test('fields named like parts of JavaScript are fields', async () => {
  const { documents } = await readDocuments('__proto__: {polluted: yes}\nconstructor: 1\ntoString: 2')
  expect(JSON.stringify(documents[0]?.value)).toBe('{"__proto__":{"polluted":true},"constructor":1,"toString":2}')
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})

describe('properties', () => {
  const pieces = fc.constantFrom(
    ...'a b : - ? & * ! | > " \' { } [ ] , # % @ ` ~ << --- ... yes 010 0x &x *x !!int !!binary'.split(' '),
    '\n',
    '\n  ',
    '\n    ',
    ' ',
    '\t',
    '\r\n',
    ': ',
    '- ',
    '\u0000',
    '\ufeff',
    '💥',
    '\ud800',
  )
  const soup = fc.array(pieces, { maxLength: 60 }).map(parts => parts.join(''))
  test('any text is read or refused with a place, and what is read is JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(soup, anyText(200)), async text => {
        const lines = text.split('\n').length
        const { documents, faults } = await readDocuments(text)
        for (const { line, column, message } of faults) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(line).toBeLessThanOrEqual(lines)
          expect(column).toBeGreaterThanOrEqual(1)
          expect(message).not.toMatch(/\n/)
        }
        for (const { value, locate } of documents) {
          expect(JSON.parse(JSON.stringify(value))).toEqual(value)
          expect(locate(['a', 0, 'b']).line).toBeLessThanOrEqual(lines)
        }
      }),
      { numRuns: 200 },
    )
  })
  test('any JSON is read as JSON.parse reads it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, 1, '\t'), async (value, indent) => {
        const json = JSON.stringify(value, null, indent)
        fc.pre(!/[\u0000-\u0008\u007f]|"<<"|\d{16}|\de\+/.test(json))
        const { documents, faults } = await readDocuments(json)
        expect(faults).toEqual([])
        expect(documents[0]?.value).toEqual(JSON.parse(json))
      }),
      { numRuns: 100 },
    )
  })
})
