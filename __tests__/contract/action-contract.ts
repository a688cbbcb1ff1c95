// What of an action must agree: action.yml, the code's definition, the README's tables, package.json and CHANGELOG.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ActionFile, actionFileFaults, parseActionFile } from '../../scripts/action-file.ts'
import { missingMarks, SECTIONS, tableIn, tableOf } from '../../scripts/action-tables.ts'
import type { InputSpecs } from '../../src/runner/inputs.ts'

export interface ActionParts {
  /** The folder's name. */
  readonly name: string
  readonly actionYml: string
  readonly definition: { readonly name: string; readonly inputs: InputSpecs; readonly outputs: readonly string[] }
  /** Text of src/main.ts. */
  readonly main: string
  /** The empty text for a file that is not there. */
  readonly readme: string
  readonly changelog: string
  readonly packageJson: string
}

/** Outputs that every action has. */
const COMMON_OUTPUTS = ['result', 'reason', 'message', 'summary']

export async function readActionParts(root: string, name: string): Promise<ActionParts> {
  const folder = join(root, 'actions', name)
  const read = (file: string): string => (existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : '')
  const { definition } = (await import(join(folder, 'src', 'definition.ts'))) as Pick<ActionParts, 'definition'>
  return {
    name,
    definition,
    actionYml: read('action.yml'),
    main: read('src/main.ts'),
    readme: read('README.md'),
    changelog: read('CHANGELOG.md'),
    packageJson: read('package.json'),
  }
}

/** Everything that differs, each with the way to mend it. */
export function contractFaults(parts: ActionParts): string[] {
  const inFile = actionFileFaults(parts.actionYml).map(fault => `action.yml: ${fault}`)
  // What is no YAML can't be compared with anything.
  if (inFile.some(fault => fault.includes('no valid YAML'))) return inFile
  const action = parseActionFile(parts.actionYml, `actions/${parts.name}`)
  return [
    ...inFile,
    ...nameFaults('input', Object.keys(action.inputs), Object.keys(parts.definition.inputs)),
    ...inputFaults(action, parts.definition.inputs),
    ...nameFaults('output', Object.keys(action.outputs), parts.definition.outputs),
    ...COMMON_OUTPUTS.filter(name => action.outputs[name] === undefined).map(
      name => `action.yml: the output ${name} is missing; every action has ${COMMON_OUTPUTS.join(', ')}`,
    ),
    ...(parts.definition.name === parts.name
      ? []
      : [`src/definition.ts: its name is ${parts.definition.name}, the folder's is ${parts.name}; they must be the same`]),
    ...postFaults(action, parts.main),
    ...readmeFaults(action, parts.readme),
    ...packageFaults(parts),
  ]
}

function nameFaults(kind: 'input' | 'output', inFile: readonly string[], inCode: readonly string[]): string[] {
  return [
    ...inCode
      .filter(name => !inFile.includes(name))
      .map(name => `action.yml: the ${kind} ${name} of src/definition.ts is missing; add it, with a description`),
    ...inFile
      .filter(name => !inCode.includes(name))
      .map(name => `src/definition.ts: the ${kind} ${name} of action.yml is missing; declare it, or drop it from action.yml`),
  ]
}

function inputFaults(action: ActionFile, specs: InputSpecs): string[] {
  return Object.entries(action.inputs).flatMap(([name, input]) => {
    const spec = specs[name]
    if (spec === undefined) return []
    const faults: string[] = []
    if ((input.required ?? false) !== spec.required) {
      faults.push(`input ${name}: required is ${input.required ?? false} in action.yml and ${spec.required} in src/definition.ts`)
    }
    if ((input.default ?? '') !== spec.default) {
      faults.push(
        `input ${name}: the default is "${input.default ?? ''}" in action.yml and "${spec.default}" in src/definition.ts`,
      )
    }
    return faults
  })
}

function postFaults(action: ActionFile, main: string): string[] {
  const inCode = main.includes('runPost(')
  if (inCode && action.runs.post === undefined) {
    return ['action.yml: src/main.ts has a post step (runPost); add post: dist/post.js and post-if: always() to runs']
  }
  if (!inCode && action.runs.post !== undefined) {
    return ['action.yml: it has a post step, src/main.ts has none (no runPost); drop post from runs']
  }
  if (inCode && (action.runs['post-if'] ?? 'always()') !== 'always()') {
    return ['action.yml: post-if must be always(): the post step finishes what a cancel cut off']
  }
  return []
}

function readmeFaults(action: ActionFile, readme: string): string[] {
  if (readme === '') return ['README.md: is missing']
  return SECTIONS.flatMap(section => {
    const table = tableIn(readme, section)
    if (table === undefined) return [missingMarks(section)]
    return table === tableOf(action, section)
      ? []
      : [`README.md: the table of ${section} differs from action.yml. Run: node scripts/write-tables.ts`]
  })
}

function packageFaults({ name, packageJson, changelog }: ActionParts): string[] {
  if (packageJson === '') return ['package.json: is missing']
  const content = JSON.parse(packageJson) as Record<string, unknown>
  const faults: string[] = []
  for (const [key, wanted] of Object.entries({ name: `@deploy-actions/${name}`, private: true, type: 'module' })) {
    if (content[key] !== wanted) faults.push(`package.json: ${key} is ${content[key]}, must be ${wanted}`)
  }
  const version = String(content['version'])
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) faults.push(`package.json: version is ${version}, must be like 1.4.2`)
  // Before the first release there is nothing but what is to come.
  const headings = version === '0.0.0' ? ['Unreleased', version] : [version]
  const found = changelog
    .split('\n')
    .some(line => headings.some(heading => new RegExp(`^## \\[?${escaped(heading)}\\b`).test(line)))
  if (!found) faults.push(`CHANGELOG.md: has no heading "## ${headings[0]}"; add it, with what is new`)
  return faults
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
