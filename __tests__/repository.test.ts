// What holds for every file of the repository, whoever wrote it.
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { repositoryRoot } from '../scripts/action-file.ts'
import { allRules } from './repository/rules.ts'

const files = execFileSync('git', ['ls-files', '-z'], { cwd: repositoryRoot, encoding: 'utf8' })
  .split('\0')
  .filter(path => path !== '' && statSync(join(repositoryRoot, path), { throwIfNoEntry: false })?.isFile())
const texts = new Map(files.map(path => [path, readFileSync(join(repositoryRoot, path), 'utf8')]))

test('there are files to look at', () => {
  expect(files).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'src/runner/action.ts']))
})

describe('every file', () => {
  test.each(Object.entries(allRules(new Set(files))))('%s', (_, rule) => {
    const faults = [...texts].flatMap(([path, text]) => rule(path, text).map(fault => `${path}: ${fault}`))
    expect(faults).toEqual([])
  })
})

// The texts below are put together, for no file may hold them, not even this one.
const dollar = '$'
const sha = '3f9c2ab1d4e5f60718293a4b5c6d7e8f90a1b2c3'
const at = (...parts: string[]): string => ['', ...parts].join('/')
const dotted = (...parts: string[]): string => parts.join('.')
const rules = allRules(new Set(['README.md', 'docs/a.md', 'docs/img/x.png', 'src/a.ts']))
const workflow = (rest: string): string => `on: push\npermissions: {}\njobs:\n  a:\n    steps:\n${rest}`
const FLOW = '.github/workflows/a.yml'

describe('a rule finds', () => {
  test.each<[string, string, string, boolean]>([
    ['names no package registry', 'a.json', `https://${dotted('registry', 'npmjs', 'org')}/x`, true],
    ['names no package registry', 'a.sh', `GOPROXY=https://${dotted('proxy', 'golang', 'org')}`, true],
    ['names no package registry', 'a.md', 'a registry on 127.0.0.1:5000, pypi.org/project/x', false],
    ['has no path of one machine', 'a.md', `see ${at('work', 'main')}`, true],
    ['has no path of one machine', 'a.ts', `'${at('root', '.kube')}'`, true],
    ['has no path of one machine', 'a.ts', `'${at('home', 'jane', 'x')}'`, true],
    ['has no path of one machine', 'a.ts', `'${at('Users', 'jane', 'x')}'`, true],
    [
      'has no path of one machine',
      'a.ts',
      `'${at('home', 'runner', 'work', 'x')}' ${at('tmp', 'x')} a/work/b ~${at('root')}`,
      false,
    ],
    ['keeps download addresses out of the lock file', 'package-lock.json', '"resolved": "https://x/y.tgz"', true],
    ['keeps download addresses out of the lock file', 'package-lock.json', '"resolved": "actions/x",', false],
    ['has no expression in a script', FLOW, workflow(`      - run: echo ${dollar}{{ github.ref }}`), true],
    [
      'has no expression in a script',
      FLOW,
      workflow(`      - run: |\n          a\n          echo ${dollar}{{ inputs.x }}`),
      true,
    ],
    ['has no expression in a script', 'x/action.yml', `runs:\n  steps:\n    - run: ${dollar}{{ inputs.x }}`, true],
    [
      'has no expression in a script',
      FLOW,
      workflow(`      - run: echo "$REF"\n        env: { REF: ${dollar}{{ github.ref }} }`),
      false,
    ],
    ['pins what it uses', FLOW, '      - uses: actions/checkout@v5', true],
    ['pins what it uses', FLOW, '      - uses: actions/checkout@main # v5', true],
    ['pins what it uses', FLOW, `      - uses: actions/checkout@${sha}`, true],
    ['pins what it uses', FLOW, '      - uses: docker://alpine:3', true],
    ['pins what it uses', FLOW, `      - uses: actions/checkout@${sha} # v5.0.0`, false],
    ['pins what it uses', FLOW, '    uses: acme/deploy-actions/.github/workflows/deploy-k8s.yml@v1', false],
    ['pins what it uses', FLOW, '      - uses: ./actions/smoke-test', false],
    ['pins what it uses', 'README.md', '      - uses: actions/checkout@v5', false],
    ['declares its permissions', FLOW, 'on: push\njobs:\n  a: { steps: [] }', true],
    ['declares its permissions', FLOW, 'on: push\njobs:\n  a: { permissions: {} }\n  b: {}', true],
    ['declares its permissions', FLOW, 'on: push\njobs:\n  a: { permissions: { contents: read } }', false],
    ['declares its permissions', FLOW, 'on: push\npermissions: { contents: read }\njobs:\n  a: {}', false],
    ['says what it is for', 'src/a.ts', "import x from './x.ts'\n// late", true],
    ['says what it is for', 'src/a.ts', '', true],
    ['says what it is for', 'a.test.ts', "import x from './x.ts'", false],
    ['says what it is for', 'src/a.ts', '// What it is for.\n', false],
    ['says what it is for', 'scripts/a.ts', '#!/usr/bin/env node\n/** What it is for. */', false],
    ['is named for what it holds', 'src/utils.ts', '', true],
    ['is named for what it holds', 'src/common/a.ts', '', true],
    ['is named for what it holds', 'src/release-manager.ts', '', true],
    ['is named for what it holds', 'src/string-helpers.ts', '', true],
    ['is named for what it holds', 'src/commonality.ts', '', false],
    ['links to what is there', 'README.md', '[a](docs/b.md)', true],
    ['links to what is there', 'docs/a.md', '![x](x.png)', true],
    ['links to what is there', 'docs/a.md', '<img src="img/y.png">', true],
    [
      'links to what is there',
      'docs/a.md',
      '![x](img/x.png "t") [r](../README.md#top) [d](../docs/) [s](#s) [w](https://e.com)',
      false,
    ],
    ['links to what is there', 'docs/a.md', '`[a](b.md)`\n```\n[a](b.md)\n```', false],
    ['imports downwards', 'src/checks/a.ts', "import { b } from '../../actions/x/src/b.ts'", true],
    ['imports downwards', 'src/deploy/a.ts', "const b = await import('../kubernetes/b.ts')", true],
    ['imports downwards', 'src/kubernetes/a.ts', "import type { B } from '../ecs/b.ts'", true],
    ['imports downwards', 'actions/x/src/a.ts', "import { b } from '../../../scripts/b.ts'", true],
    ['imports downwards', 'src/kubernetes/a.ts', "import type { B } from '../deploy/b.ts'", false],
    ['runs every test', 'a.test.ts', `test.${'skip'}('x', () => {})`, true],
    ['runs every test', 'a.test.ts', `describe.${'only'}('x', () => {})`, true],
    ['runs every test', 'a.test.ts', `x${'it'}('x')`, true],
    ['runs every test', 'a.test.ts', "test.each([])('skip only', () => {})", false],
    ['runs no shell string', 'a.ts', `spawn('a', { ${'shell'}: true })`, true],
    ['runs no shell string', 'a.ts', `import { execFile, ${'exec'} } from 'node:child_process'`, true],
    ['runs no shell string', 'a.ts', `import { execFile, spawn } from 'node:child_process'\n/x/.exec('y')`, false],
  ])('%s: %s %j: %p', (name, path, text, found) => {
    expect(rules[name]?.(path, text).length ?? -1).toBe(found ? 1 : 0)
  })
})
