// Every action's action.yml, code, README, package.json and CHANGELOG held against one another.
import { describe, expect, test } from '@jest/globals'
import { actionNames, parseActionFile, repositoryRoot } from '../scripts/action-file.ts'
import { withTables } from '../scripts/action-tables.ts'
import { duration, text } from '../src/runner/inputs.ts'
import { type ActionParts, contractFaults, readActionParts } from './contract/action-contract.ts'

const names = actionNames()

test('there are actions', () => {
  expect(names).not.toEqual([])
})

describe('agrees in all its parts', () => {
  // Without any action the line above fails; test.each must not fail first with words of its own.
  test.each(names.length > 0 ? names : ['(none)'])('%s', async name => {
    expect(contractFaults(await readActionParts(repositoryRoot, name))).toEqual([])
  })
})

const actionYml = `name: Greet
description: Greets.
branding:
  icon: smile
  color: green
inputs:
  who:
    description: Whom to greet.
    required: true
  timeout:
    description: Time to wait | at most.
    default: 2m
outputs:
  result: { description: What came of it. }
  reason: { description: Why. }
  message: { description: A sentence. }
  summary: { description: A path. }
runs:
  using: node24
  main: dist/index.js
  post: dist/post.js
`
const readmeOf = (yml: string): string =>
  withTables(
    '# greet\n<!-- inputs -->\n<!-- /inputs -->\ntext\n<!-- outputs --><!-- /outputs -->\n',
    parseActionFile(yml, 'actions/greet'),
  )
const good: ActionParts = {
  name: 'greet',
  actionYml,
  definition: {
    name: 'greet',
    inputs: { who: text({ required: true }), timeout: duration({ default: '2m' }) },
    outputs: ['result', 'reason', 'message', 'summary'],
  },
  main: 'await runPost(definition.name, finish)',
  readme: readmeOf(actionYml),
  changelog: '# Changelog\n\n## 1.4.2 (2026-11-20)\n- new\n',
  packageJson: '{"name":"@deploy-actions/greet","version":"1.4.2","private":true,"type":"module"}',
}
/** The good one with one thing changed in action.yml, its README written anew. */
const inYml = (from: string, to: string): ActionParts => {
  expect(actionYml).toContain(from)
  const changed = actionYml.replace(from, to)
  return { ...good, actionYml: changed, readme: readmeOf(changed) }
}

test('nothing differs where nothing does', () => {
  expect(contractFaults(good)).toEqual([])
  expect(good.readme).toContain('| `who` | **required** | Whom to greet. |\n| `timeout` | `2m` | Time to wait \\| at most. |')
})

describe('what differs is told', () => {
  test.each<[string, ActionParts, RegExp]>([
    ['no name', inYml('name: Greet\n', ''), /^action.yml: name: must be a text/],
    ['no description', inYml('description: Greets.', 'description: " "'), /^action.yml: description: must be a text/],
    ['a key nobody knows', inYml('name: Greet\n', 'name: Greet\nversion: 1\n'), /^action.yml: version: GitHub knows no such key/],
    ['a color nobody knows', inYml('color: green', 'color: pink'), /^action.yml: branding.color: must be one of white/],
    ['no icon', inYml('  icon: smile\n', ''), /^action.yml: branding.icon: must be/],
    ['another Node', inYml('node24', 'node20'), /^action.yml: runs.using: is node20, must be node24/],
    ['another main', inYml('main: dist/index.js', 'main: index.js'), /^action.yml: runs.main: is index.js/],
    ['no valid YAML', { ...good, actionYml: 'name: [' }, /^action.yml: is no valid YAML/],
    [
      'an input twice',
      { ...good, actionYml: actionYml.replace('  timeout:\n', '  who:\n') },
      /is no valid YAML: Map keys must be/,
    ],
    ['an input without a description', inYml('    description: Whom to greet.\n', ''), /inputs.who.description: must be a text/],
    [
      'a bare number as default',
      inYml('default: 2m', 'default: 2'),
      /inputs.timeout.default: must be a text; put it in quotes: '2'/,
    ],
    [
      'a required input with a default',
      inYml('required: true', 'required: true\n    default: x'),
      /is required and has a default/,
    ],
    ['required in quotes', inYml('required: true', "required: 'true'"), /inputs.who.required: must be true or false/],
    ['a misspelt field', inYml('    default: 2m', '    defualt: 2m'), /inputs.timeout.defualt: GitHub knows no such key/],
    [
      'an input only in action.yml',
      inYml('inputs:\n', 'inputs:\n  x: { description: X. }\n'),
      /^src\/definition.ts: the input x of action/,
    ],
    [
      'an input only in the code',
      { ...good, definition: { ...good.definition, inputs: { ...good.definition.inputs, x: text() } } },
      /^action.yml: the input x of src\/definition.ts is missing/,
    ],
    ['another default', inYml('default: 2m', 'default: 3m'), /^input timeout: the default is "3m" in action.yml and "2m" in src/],
    ['required in one only', inYml('    required: true\n', ''), /^input who: required is false in action.yml and true in src/],
    ['a missing common output', inYml('  reason: { description: Why. }\n', ''), /^action.yml: the output reason .* is missing/],
    [
      'an output only in action.yml',
      inYml('outputs:\n', 'outputs:\n  x: { description: X. }\n'),
      /the output x of action.yml is missing/,
    ],
    ['a post step without code', { ...good, main: '' }, /^action.yml: it has a post step, src\/main.ts has none/],
    ['code without a post step', inYml('  post: dist/post.js\n', ''), /^action.yml: src\/main.ts has a post step/],
    [
      'a post step that may not run',
      inYml('dist/post.js\n', 'dist/post.js\n  post-if: success()\n'),
      /post-if must be always\(\)/,
    ],
    [
      'another name in the code',
      { ...good, definition: { ...good.definition, name: 'hi' } },
      /^src\/definition.ts: its name is hi/,
    ],
    ['no README', { ...good, readme: '' }, /^README.md: is missing/],
    ['a README without a table', { ...good, readme: '# greet\n' }, /^README.md has no place for the inputs/],
    [
      'an old table',
      { ...good, readme: good.readme.replace('`2m`', '`1m`') },
      /^README.md: the table of inputs differs .* Run: node/,
    ],
    ['no package.json', { ...good, packageJson: '' }, /^package.json: is missing/],
    [
      'another package',
      { ...good, packageJson: good.packageJson.replace('@deploy-actions/', '') },
      /^package.json: name is greet, must be/,
    ],
    ['a public package', { ...good, packageJson: good.packageJson.replace('true', 'false') }, /^package.json: private is false/],
    ['no version', { ...good, packageJson: good.packageJson.replace('1.4.2', 'x') }, /^package.json: version is x/],
    ['no heading', { ...good, changelog: '# Changelog\n\n## 1.4\n## 1.4.20\n' }, /^CHANGELOG.md: has no heading "## 1.4.2"/],
  ])('%s', (_, parts, fault) => {
    expect(contractFaults(parts)).toContainEqual(expect.stringMatching(fault))
  })
})
