import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { differences, type Expectation } from '../../demo/expectation.ts'
import { type Chapter, page } from '../../demo/page.ts'
import { whyBuild } from '../../demo/setup.ts'
import { checkOut, edited, versions, writeHistory } from '../../demo/versions.ts'

describe("the app's history", () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'demo-history-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('has a commit and a tag for each version', () => {
    const commits = writeHistory(folder)
    expect([...commits.keys()]).toEqual(['1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0'])
    const of = (version: string, file: string): string => {
      checkOut(folder, version)
      return readFileSync(join(folder, file), 'utf8')
    }
    for (const { version } of versions) expect(of(version, 'app/version')).toBe(`${version}\n`)
    expect(of('1.0.0', 'app/serve')).not.toContain('HOSTNAME')
    expect(of('3.0.0', 'app/serve')).toContain('FATAL')
    expect(of('4.0.0', 'app/serve')).toBe(of('2.0.0', 'app/serve'))
    expect(of('4.0.0', 'manifests/config.yaml')).toContain('VISITOR: world')
    expect(of('5.0.0', 'manifests/config.yaml')).toBe(of('2.0.0', 'manifests/config.yaml'))
    expect(of('5.0.0', 'app/serve')).toContain('/tmp/www/cgi-bin/index.cgi')
  })

  test.each([
    ['a b c', 'x b y'],
    ['nothing', undefined],
    ['b b', undefined],
  ])('an edit of %p', (text, after) => {
    const edit = { file: 'f', from: 'b', to: 'B' }
    if (after === undefined) expect(() => edited(text, edit)).toThrow(/f has "b" [02] times, not once/)
    else expect(edited(text, edit)).toBe('a B c')
  })
})

describe('a step that', () => {
  const wanted: Expectation = {
    conclusion: 'failure',
    outputs: { result: 'rolled-back', tag: /^1-[0-9a-f]+$/, message: ['crashed', 'put back'] },
    caughtWithin: 5,
  }
  const outputs = { result: 'rolled-back', tag: '1-abc', message: 'It crashed and was put back.' }
  const lines = [
    { at: 10, text: 'Deploying' },
    { at: 3_000, text: 'Failed after 2.9 s: it crashed' },
  ]
  const asTold = { conclusion: 'failure', outputs, lines } as const

  test('ends as told has no differences', () => expect(differences(asTold, wanted)).toEqual([]))

  test.each<[string, Parameters<typeof differences>[0], string]>([
    ['ends green', { ...asTold, conclusion: 'success' }, 'it should end with failure, not success'],
    [
      'has another result',
      { ...asTold, outputs: { ...outputs, result: 'failed' } },
      'result should be "rolled-back", not "failed"',
    ],
    ['lacks an output', { ...asTold, outputs: { ...outputs, tag: '' } }, 'tag should be like /^1-[0-9a-f]+$/, not ""'],
    [
      'says it in another order',
      { ...asTold, outputs: { ...outputs, message: 'put back, crashed' } },
      'message should be a text with "crashed", then "put back", not "put back, crashed"',
    ],
    [
      'is caught late',
      { ...asTold, lines: [{ at: 9_000, text: 'Failed after 9 s' }] },
      'it should be caught within 5 s, not after 9.0 s',
    ],
    ['is never caught', { ...asTold, lines: [] }, 'it should be caught within 5 s, not never'],
  ])('%s is told', (_, step, fault) => {
    expect(differences(step, wanted)).toEqual([fault])
  })
})

test.each<[string, (number | undefined)[], (number | undefined)[], string | undefined]>([
  ['nothing is built', [undefined, undefined], [1], 'some are not built yet'],
  ['one is missing', [5, undefined], [1], 'some are not built yet'],
  ['a source is newer than the oldest bundle', [5, 9], [1, 7], 'their sources have changed'],
  ['all are newer', [5, 9], [1, 4, undefined], undefined],
])('whether to build when %s', (_, bundles, sources, why) => {
  expect(whyBuild(bundles, sources)).toBe(why)
})

test('the page holds each step, escaped, and asks no network for anything', () => {
  const chapter: Chapter = {
    version: '1.0.0',
    change: '<i>change</i>',
    action: 'build-push',
    title: 'A <title>',
    red: false,
    differences: ['a <difference>'],
    verdict: 'pushed',
    cause: '',
    seconds: 1.25,
    summary: '### Image\n\n<script>x</script>',
    message: '',
    log: '</code><script>y</script>',
  }
  const html = page({
    chapters: [chapter],
    tally: {
      requests: 2,
      failures: 1,
      kept: [{ at: 1, why: '<why>' }],
      silentSeconds: 1,
      slowestMs: 3,
      seconds: [{ versions: new Map([['<v>', 1]]), failed: 1 }],
    },
    stretches: [{ name: '<step>', from: -1, to: 1, red: true }],
    verdict: 'a <verdict>',
    asTold: false,
    when: new Date(0),
  })
  expect(html).not.toMatch(/<(script|link|img|iframe|i>|why|v>|step|difference|verdict)/)
  expect(html).not.toMatch(/\b(src|href)="(?!#)|url\(|@import/)
  for (const text of ['a &lt;verdict&gt;', '&lt;why&gt;', 'A &lt;title&gt;', '<h3>Image</h3>', "default-src 'none'"])
    expect(html).toContain(text)
})
