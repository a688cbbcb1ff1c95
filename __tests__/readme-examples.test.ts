// Every example of a workflow in the documentation: its actions and workflows exist, its inputs are known, and their values are taken.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { type InputSpecs, inputVariable, readInputs, unknownInputs } from '../src/runner/inputs.ts'

const root = join(import.meta.dirname, '..')
const documents = ['README.md', ...readdirSync(join(root, 'actions')).map(name => `actions/${name}/README.md`)]

interface Use {
  readonly document: string
  readonly uses: string
  readonly with: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, unknown>>
}

/** Every `uses:` in the YAML blocks of a document, with what is handed to it. */
function usesIn(document: string): Use[] {
  const text = readFileSync(join(root, document), 'utf8')
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(block => parse(block[1] ?? '') as unknown)
  return blocks
    .flatMap(block => find(block))
    .map(found => ({ document, uses: found.uses, with: found.with ?? {}, secrets: found.secrets ?? {} }))
}

type Found = { uses: string; with?: Record<string, unknown>; secrets?: Record<string, unknown> }

function find(value: unknown): Found[] {
  if (Array.isArray(value)) return value.flatMap(find)
  if (typeof value !== 'object' || value === null) return []
  const own = 'uses' in value && typeof value.uses === 'string' ? [value as Found] : []
  return [...own, ...Object.values(value).flatMap(find)]
}

/** What an expression stands for, by the name at its end. */
const VALUES: Readonly<Record<string, string>> = {
  'image-ref': `ghcr.io/acme/web@sha256:${'a'.repeat(64)}`,
  version: '1.4.2',
  release: 'k8s://shop/web/7',
  DEPLOYED_AT: '2026-01-31T12:00:00Z',
  PROMETHEUS_CA: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
}

function evaluated(value: unknown): string {
  return String(value).replace(
    /\$\{\{ *([^}]*?) *\}\}/g,
    (_, expression: string) => VALUES[expression.split('.').at(-1) ?? ''] ?? 'value',
  )
}

const uses = documents.flatMap(usesIn)

test('there are examples of every action and of the workflow', () => {
  const used = new Set(uses.map(use => use.uses))
  const wanted = readdirSync(join(root, 'actions')).map(name => `org/deploy-actions/${name}@v1`)
  expect([...used]).toEqual(expect.arrayContaining([...wanted, 'org/deploy-actions/.github/workflows/deploy-k8s.yml@v1']))
})

describe('examples of actions', () => {
  const steps = uses.filter(use => /^org\/deploy-actions\/[a-z0-9-]+@v1$/.test(use.uses))
  test.each(steps.map((use, index) => [`${use.document}, ${index}: ${use.uses}`, use] as const))('%s', async (_, use) => {
    const name = /deploy-actions\/([a-z0-9-]+)@/.exec(use.uses)?.[1] ?? ''
    const { definition } = (await import(`../actions/${name}/src/definition.ts`)) as {
      definition: { inputs: InputSpecs; check?: () => string[] }
    }
    const env = Object.fromEntries(Object.entries(use.with).map(([input, value]) => [inputVariable(input), evaluated(value)]))
    expect(unknownInputs(definition.inputs, env)).toEqual([])
    // In a block of text a comment is no comment, but for a line of its own in a list, and in what is YAML itself.
    const lists = Object.keys(env).filter(variable => variable !== inputVariable('queries'))
    const lines = lists.flatMap(variable => (env[variable] ?? '').split('\n'))
    expect(lines.filter(line => /\S\s+# /.test(line))).toEqual([])
    expect(() => readInputs(definition.inputs, env, definition.check)).not.toThrow()
  })
})

test.each(readdirSync(join(root, 'actions')))('every input of %s is shown by an example of its README', async name => {
  const { definition } = (await import(`../actions/${name}/src/definition.ts`)) as { definition: { inputs: InputSpecs } }
  const own = uses.filter(use => use.document === `actions/${name}/README.md` && use.uses === `org/deploy-actions/${name}@v1`)
  const shown = new Set(own.flatMap(use => Object.keys(use.with)))
  expect(Object.keys(definition.inputs).filter(input => !shown.has(input))).toEqual([])
})

describe('examples of reusable workflows', () => {
  const calls = uses.filter(use => use.uses.includes('/.github/workflows/'))
  test.each(calls.map((use, index) => [`${use.document}, ${index}: ${use.uses}`, use] as const))('%s', (_, use) => {
    const path = /(\.github\/workflows\/[a-z0-9-]+\.yml)@v1$/.exec(use.uses)?.[1] ?? 'missing'
    const workflow = parse(readFileSync(join(root, path), 'utf8')) as {
      on: { workflow_call: { inputs: Record<string, { required?: boolean }>; secrets?: object } }
    }
    const { inputs, secrets } = workflow.on.workflow_call
    expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(use.with)))
    expect(Object.keys(secrets ?? {})).toEqual(expect.arrayContaining(Object.keys(use.secrets)))
    const required = Object.entries(inputs).filter(([, input]) => input.required === true)
    expect(Object.keys(use.with)).toEqual(expect.arrayContaining(required.map(([input]) => input)))
  })
})
