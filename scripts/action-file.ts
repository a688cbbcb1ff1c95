// An action's action.yml as GitHub's runner reads it, and what is wrong with it by GitHub's published rules.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { parseDocument } from 'yaml'

export const repositoryRoot: string = join(import.meta.dirname, '..')

export interface ActionFile {
  /** Folder that holds action.yml. */
  readonly folder: string
  readonly name?: string
  readonly description?: string
  readonly branding?: { readonly icon?: string; readonly color?: string }
  readonly inputs: Readonly<
    Record<string, { readonly description?: string; readonly required?: boolean; readonly default?: string }>
  >
  readonly outputs: Readonly<Record<string, { readonly description?: string }>>
  readonly runs: {
    readonly using?: string
    readonly main?: string
    readonly pre?: string
    readonly 'pre-if'?: string
    readonly post?: string
    readonly 'post-if'?: string
  }
}

/** Names of the actions of this repository: the folders in actions/ that have an action.yml. */
export function actionNames(root: string = repositoryRoot): string[] {
  const folder = join(root, 'actions')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(name => existsSync(join(folder, name, 'action.yml')))
    .sort()
}

/** Reads actions/<action>/action.yml, or the one in `action` where that is an absolute path. */
export function readActionFile(action: string): ActionFile {
  const folder = isAbsolute(action) ? action : join(repositoryRoot, 'actions', action)
  return parseActionFile(readFileSync(join(folder, 'action.yml'), 'utf8'), folder)
}

export function parseActionFile(text: string, folder: string): ActionFile {
  const content = parseDocument(text).toJS() as Partial<ActionFile> | null
  return {
    ...content,
    folder,
    inputs: withObjects(content?.inputs),
    outputs: withObjects(content?.outputs),
    runs: content?.runs ?? {},
  }
}

/** An entry without any field (`app:`) is null in YAML. */
function withObjects<T extends object>(entries: Readonly<Record<string, T | null>> | null | undefined): Record<string, T> {
  return Object.fromEntries(Object.entries(entries ?? {}).map(([name, entry]) => [name, entry ?? ({} as T)]))
}

/** The keys of an action that runs on Node (docs.github.com, "Metadata syntax for GitHub Actions"). */
const TOP_KEYS = new Set(['name', 'author', 'description', 'branding', 'inputs', 'outputs', 'runs'])
const RUNS_KEYS = new Set(['using', 'main', 'pre', 'pre-if', 'post', 'post-if'])
const INPUT_KEYS = new Set(['description', 'required', 'default', 'deprecationMessage', 'type'])
const COLORS = new Set(['white', 'black', 'yellow', 'blue', 'green', 'orange', 'red', 'purple', 'gray-dark'])
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/

/** What GitHub would refuse, or pass over without a word, in the text of an action.yml; each fault says how to mend it. */
export function actionFileFaults(text: string): string[] {
  const document = parseDocument(text, { uniqueKeys: true })
  if (document.errors.length > 0) return document.errors.map(error => `is no valid YAML: ${error.message.split('\n')[0]}`)
  const content: unknown = document.toJS()
  if (!isRecord(content)) return ['holds no mapping']
  const faults: string[] = []
  const unknownKeys = (where: string, keys: object, known: ReadonlySet<string>): void => {
    for (const key of Object.keys(keys).filter(one => !known.has(one))) {
      faults.push(`${where}${key}: GitHub knows no such key; it knows ${[...known].join(', ')}`)
    }
  }
  const filled = (where: string, value: unknown): void => {
    if (typeof value !== 'string' || value.trim() === '') faults.push(`${where}: must be a text that is not empty`)
  }
  unknownKeys('', content, TOP_KEYS)
  filled('name', content['name'])
  filled('description', content['description'])

  const branding = isRecord(content['branding']) ? content['branding'] : {}
  filled('branding.icon', branding['icon'])
  if (!COLORS.has(String(branding['color']))) faults.push(`branding.color: must be one of ${[...COLORS].join(', ')}`)

  for (const section of ['inputs', 'outputs'] as const) {
    const entries = content[section] ?? {}
    if (!isRecord(entries)) {
      faults.push(`${section}: must be a mapping of names`)
      continue
    }
    const seen = new Set<string>()
    for (const [name, value] of Object.entries(entries)) {
      const where = `${section}.${name}`
      if (!NAME.test(name)) faults.push(`${where}: a name has letters, digits, - and _, and starts with a letter or _`)
      if (seen.has(name.toUpperCase())) faults.push(`${where}: there is one of this name already; case does not count`)
      seen.add(name.toUpperCase())
      const entry = isRecord(value) ? value : {}
      filled(`${where}.description`, entry['description'])
      unknownKeys(`${where}.`, entry, section === 'inputs' ? INPUT_KEYS : new Set(['description']))
      if (entry['required'] !== undefined && typeof entry['required'] !== 'boolean') {
        faults.push(`${where}.required: must be true or false, without quotes`)
      }
      if (entry['default'] !== undefined && typeof entry['default'] !== 'string') {
        faults.push(`${where}.default: must be a text; put it in quotes: '${entry['default']}'`)
      }
      if (entry['required'] === true && entry['default'] !== undefined) {
        faults.push(`${where}: is required and has a default; drop one of the two`)
      }
    }
  }

  const runs = isRecord(content['runs']) ? content['runs'] : {}
  unknownKeys('runs.', runs, RUNS_KEYS)
  if (runs['using'] !== 'node24') faults.push(`runs.using: is ${runs['using']}, must be node24`)
  if (runs['main'] !== 'dist/index.js') faults.push(`runs.main: is ${runs['main']}, must be dist/index.js`)
  if (runs['post'] !== undefined && runs['post'] !== 'dist/post.js') {
    faults.push(`runs.post: is ${runs['post']}, must be dist/post.js`)
  }
  if (runs['post-if'] !== undefined && runs['post'] === undefined) faults.push('runs.post-if: there is no post step; drop it')
  return faults
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
