// An action's action.yml, as far as the runner reads it.
import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { parse } from 'yaml'

export const repositoryRoot = join(import.meta.dirname, '..', '..')

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

/** Reads actions/<action>/action.yml, or the one in `action` where that is an absolute path. */
export function readActionFile(action: string): ActionFile {
  const folder = isAbsolute(action) ? action : join(repositoryRoot, 'actions', action)
  const content = parse(readFileSync(join(folder, 'action.yml'), 'utf8')) as Partial<ActionFile> | null
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
