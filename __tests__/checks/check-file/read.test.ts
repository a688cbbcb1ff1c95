// A check file that is wrong: every fault at once, each with its line, its column and what would be right.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseCheckFile, readCheckFile } from '../../../src/checks/check-file/read.ts'
import { fillTemplate, parseTemplate, TemplateFault } from '../../../src/checks/check-file/template.ts'
import { createVariables } from '../../../src/checks/check-file/variables.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import { runFile } from '../smoke/run-file.ts'

/** `3:7 what is wrong`, of each fault. */
function faultsOf(error: unknown): string[] {
  if (!(error instanceof ExpectedFailure)) throw error
  const first = error.message
    .replace(/^The check file is wrong, nothing was changed: /, '')
    .replace(/ \(\d+ faults in all\)$/, '')
  return [first, ...error.also.map(({ message }) => message)].map(text =>
    text.replace(/^c\.yml:|^checks\.yml:/, '').replace(/: /, ' '),
  )
}

function faults(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    parseCheckFile(text, 'c.yml', env)
    return []
  } catch (error) {
    return faultsOf(error)
  }
}

const steps = (...lines: string[]): string => `smoke:\n  steps:\n${lines.map(line => `    - ${line}\n`).join('')}`

describe('a file that is wrong', () => {
  test.each<[what: string, text: string, faults: readonly (string | RegExp)[]]>([
    ['nothing', '', ['1:1 has neither smoke nor gate: nothing would be checked.']],
    ['a key at the top', 'smok: {}\n', ['1:1 "smok" is no key that is known here; did you mean smoke?.']],
    ['no YAML', 'smoke: [\n', [/^\d+:\d+ Flow sequence/]],
    ['a key twice', 'smoke: {steps: [{get: a}]}\nsmoke: {}\n', [/^2:1 Map keys must be unique/]],
    ['no steps', 'smoke: {steps: []}\n', ['1:9 smoke.steps: must not be empty.']],
    ['a step that is none', steps('get'), ['3:7 smoke.steps[0]: must be a map of keys and values.']],
    ['a kind that is none', steps('gett: /x'), ['3:7 smoke.steps[0]: "gett" is no key that is known here; did you mean get?.']],
    ['two kinds', steps('{get: a, post: b}'), [/^3:7 smoke\.steps\[0\]: needs one of get, head/]],
    [
      'a key of a step',
      steps('{tcp: "a:1", exepct: {}}'),
      ['3:20 smoke.steps[0]: "exepct" is no key that is known here; did you mean expect?.'],
    ],
    ['a status', steps('{get: /, expect: {status: 999}}'), [/^3:\d+ smoke\.steps\[0\]\.expect\.status: "999" is no HTTP status/]],
    ['a duration', steps('{get: /, timeout: 5}'), [/^3:\d+ smoke\.steps\[0\]\.timeout: must be a duration such as/]],
    [
      'a program that is no list',
      steps('run: ls -l'),
      [/^3:7 smoke\.steps\[0\]\.run: must be a list: the program and its arguments/],
    ],
    [
      'a matcher',
      steps('{get: /, expect: {json: {.a: {abvoe: 1}}}}'),
      [/smoke\.steps\[0\]\.expect\.json\["\.a"\]: "abvoe" is no key that is known here; did you mean above\?/],
    ],
    ['a path', steps('{get: /, expect: {json: {a: 1}}}'), [/must be a path into the JSON such as/]],
    ['something missing', steps('{graphql: /g}'), ['3:7 smoke.steps[0].query: is missing.']],
    ['a key without its certificate', steps('{get: /, tls: {key: k.pem}}'), [/needs cert and key together/]],
    ['a share', steps('{get: /, repeat: {requests: 2, error-rate-below: 500%}}'), [/must be 100% at most/]],
    [
      'several at once',
      steps('{get: /, timeout: x}', '{tcp: 1}', '{dns: a, type: B}'),
      [/^3:\d+ .*timeout/, /^4:\d+ .*tcp: must be a text/, /^5:\d+ .*type: must be A, AAAA/],
    ],
    [
      'a variable',
      `with: {base: x}\n${steps('get: "${bas}/x"')}`,
      ['4:12 uses ${bas}, which is no variable; did you mean ${base}?.'],
    ],
    [
      'a variable of the environment',
      steps('get: "${env.BASE}/x"'),
      [/^3:12 uses \$\{env\.BASE\}, but the environment variable BASE is not set or empty/],
    ],
    ['a variable in with', 'with: {a: "${env.A}"}\nsmoke: {steps: [{get: a}]}\n', [/^1:8 with\.a uses \$\{env\.A\}/]],
    ['half a variable', steps('get: "${a b}"'), [/^3:12 has a "\$\{" that begins no variable/]],
    [
      'aliases without end',
      'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: &e [*d,*d]\nf: &f [*e,*e]\ng: [*f,*f]\n',
      [/aliases/],
    ],
  ])('%s', (_, text, expected) => {
    const found = faults(text)
    expect(found.length).toBe(expected.length)
    for (const [index, fault] of expected.entries()) {
      if (typeof fault === 'string') expect(found[index]).toBe(fault)
      else expect(found[index]).toMatch(fault)
    }
  })

  test.each<[what: string, text: string, fault: RegExp]>([
    ['an address without a base', steps('get: /x'), /^3:7 smoke\.steps\[0\]\.get: is the path "\/x", and there is no base-url/],
    ['a scheme', steps('get: ftp://x/'), /has the scheme ftp:\/\/, and takes http:\/\/, https:\/\/ or k8s:\/\//],
    [
      'credentials in an address',
      steps('get: "http://u:hunter2@x/"'),
      /^3:7 smoke\.steps\[0\]\.get: has credentials in the address/,
    ],
    ['an address in a cluster', steps('get: k8s://shop/web/x'), /write it like k8s:\/\/namespace\/service:port\/path/],
    ['out of a service', steps('get: k8s://shop/web:80/../../x'), /leads out of the service/],
    ['an expression', steps('{get: "http://x/", expect: {body: {matches: "(?=a)"}}}'), /is no regular expression of RE2/],
    ['a JSONPath', steps('{get: "http://x/", expect: {json: {"$.[": 1}}}'), /is no JSONPath/],
    ['a schema', steps('{get: "http://x/", expect: {json-schema: {type: nothing}}}'), /is no JSON Schema that can be used/],
    [
      'a file that is not there',
      steps('{post: "http://x/", upload: {file: nothing.txt}}'),
      /upload: "nothing\.txt" does not exist in the workspace/,
    ],
    ['a file outside', steps('{post: "http://x/", upload: {file: /etc/passwd}}'), /lies outside of the workspace/],
    ['a port', steps('tcp: db'), /must be host:port/],
    ['a DNS server', steps('{dns: a, server: ns.example.com}'), /must be the IP address of a DNS server/],
    ['a header that is ours', steps('{get: "http://x/", headers: {Content-Length: "1"}}'), /is set by the request itself/],
    ['needs', steps('{get: "http://x/", needs: nothing}'), /"nothing" is no step/],
  ])('%s is told before anything is asked', async (_, text, fault) => {
    const error = await runFile(text).catch((thrown: unknown) => thrown)
    expect(faultsOf(error).join('\n')).toMatch(fault)
    expect(faultsOf(error).join('\n')).not.toContain('hunter2')
  })
})

describe('the file itself', () => {
  const folder = mkdtempSync(join(tmpdir(), 'check-file-'))
  const workspace = join(folder, 'workspace')
  beforeAll(() => {
    mkdirSync(join(workspace, 'sub'), { recursive: true })
    writeFileSync(join(workspace, 'good.yml'), steps('get: http://x/'))
    writeFileSync(join(folder, 'outside.yml'), steps('get: http://x/'))
    symlinkSync(join(folder, 'outside.yml'), join(workspace, 'link.yml'))
    writeFileSync(join(workspace, 'large.yml'), '')
    truncateSync(join(workspace, 'large.yml'), 2 * 1024 * 1024)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('is read by its path in the workspace', async () => {
    expect((await readCheckFile('./good.yml', { workspace, env: {} })).name).toBe('good.yml')
  })

  test.each([
    ['nothing.yml', 'does not exist in the workspace'],
    ['../outside.yml', 'lies outside of the workspace'],
    ['link.yml', 'lies outside of the workspace'],
    ['sub', 'is no file'],
    ['large.yml', 'more than the 1048576 that are read'],
  ])('%s %s', async (path, fault) => {
    await expect(readCheckFile(path, { workspace, env: {} })).rejects.toThrow(fault)
  })
})

describe('a text with variables', () => {
  test.each<[text: string, filled: string]>([
    ['plain', 'plain'],
    ['${a}', '1'],
    ['x${a}y${ b }z', 'x1y${a}z'],
    ['$${a}', '${a}'],
    ['$a {a} $', '$a {a} $'],
    ['${env.A-B}', 'env'],
  ])('%s becomes %s', (text, filled) => {
    const values: Record<string, string> = { a: '1', b: '${a}', 'env.A-B': 'env' }
    expect(fillTemplate(text, name => values[name] ?? '?')).toBe(filled)
  })

  test.each(['${', '${a', '${a b}', '${1}', '${a.b}', '${}'])('%s is refused', text => {
    expect(() => parseTemplate(text)).toThrow(TemplateFault)
  })
})

describe('variables', () => {
  test('use those above them, and those of the environment', () => {
    const { lookUp, fill } = createVariables(
      { host: 'x.org', base: 'https://${host}/${env.PATH_PART}', n: 3 },
      { PATH_PART: 'v1' },
    )
    expect(['base', 'n', 'none', 'env.NONE'].map(lookUp)).toEqual(['https://x.org/v1', '3', undefined, undefined])
    expect(fill('${base}?n=${n}')).toBe('https://x.org/v1?n=3')
    expect(() => createVariables({ a: '${b}', b: '1' }, {})).toThrow('which is no variable')
  })

  test('are secret by their name, or because the file says so', () => {
    const { secrets } = createVariables(
      { 'api-token': 't', page: 'p', pin: '1234', x: '${env.PASSWORD}' },
      { PASSWORD: 'pw', HOST: 'h' },
      ['pin', 'env.HOST'],
    )
    expect(secrets).toEqual(['t', '1234', 'pw', 'h'])
  })
})
