// Which files the `manifests` input means: files, folders, globs, kustomization folders and Helm charts, all within the workspace.
import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, matchesGlob, relative, resolve, sep } from 'node:path'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

/** One place that objects are read from. `name` is relative to the workspace, with `/` between its parts. */
export interface ManifestSource {
  readonly kind: 'file' | 'kustomization' | 'chart'
  readonly name: string
  readonly path: string
}

export interface ManifestFault {
  readonly message: string
  readonly at?: FilePosition
}

const EXTENSION = /\.(ya?ml|json)$/i
/** Names that kustomize takes for its own file. */
export const KUSTOMIZATION_FILES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const
const KUSTOMIZATION: ReadonlySet<string> = new Set(KUSTOMIZATION_FILES)
const CHART = 'Chart.yaml'
/** A chart as `helm package` writes it. */
const PACKAGE = /\.tgz$/i
/** A folder with more is not meant, such as `.` with all dependencies installed. */
const MOST_ENTRIES_WALKED = 50_000
const NAMES_SHOWN = 8

/** Finds the files, kustomization folders and charts of all entries, each once, in the order of the entries; folders in the order of their names. */
export async function findManifestSources(
  entries: readonly string[],
  workspace: string,
  maxFiles: number,
): Promise<{ sources: ManifestSource[]; faults: ManifestFault[] }> {
  const search = new Search(workspace, await realpath(workspace), maxFiles)
  for (const entry of entries) {
    try {
      await search.entry(entry)
    } catch (error) {
      if (!(error instanceof NotUsable)) throw error
      search.faults.push({ message: error.message, ...(error.at === undefined ? {} : { at: error.at }) })
    }
  }
  return { sources: [...search.found.values()], faults: search.faults }
}

class NotUsable extends Error {
  readonly at: FilePosition | undefined
  constructor(message: string, at?: FilePosition) {
    super(message)
    this.at = at
  }
}

class Search {
  /** By real path, so that a file named twice, or by a link, is read once. */
  readonly found = new Map<string, ManifestSource>()
  readonly faults: ManifestFault[] = []
  readonly #workspace: string
  readonly #root: string
  readonly #maxFiles: number
  #walked = 0

  constructor(workspace: string, root: string, maxFiles: number) {
    this.#workspace = resolve(workspace)
    this.#root = root
    this.#maxFiles = maxFiles
  }

  async entry(entry: string): Promise<void> {
    const shown = `"${foreignLine(entry, 200)}"`
    if (entry.includes('\0')) throw new NotUsable(`${shown} is no path`)
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(entry))
      throw new NotUsable(`${shown} is a URL; only files of the workspace are read (a chart is brought there by "helm pull")`)
    const path = resolve(this.#workspace, entry)
    const name = this.#name(path)
    if (name === undefined) throw new NotUsable(`${shown} lies outside of the workspace`)
    const kind = await kindOf(path)
    if (kind === undefined && /[*?[{]/.test(entry)) return this.#glob(name, shown)
    if (kind === undefined) throw new NotUsable(`${shown} does not exist${await this.#whatIsThere(path)}`)
    await this.#inside(path, name)
    const last = path.slice(path.lastIndexOf(sep) + 1)
    if (kind === 'file' && (KUSTOMIZATION.has(last) || last === CHART)) {
      const folder = resolve(path, '..')
      return this.#add(last === CHART ? 'chart' : 'kustomization', this.#name(folder) || '.', folder)
    }
    if (kind === 'file' && PACKAGE.test(last)) return this.#add('chart', name, path)
    if (kind === 'file') return this.#add('file', name, path)
    if (kind === 'other') throw new NotUsable(`${shown} is neither a file nor a folder`)
    const whole = wholeFolder(await readdir(path))
    if (whole !== undefined) return this.#add(whole, name || '.', path)
    if (!(await this.#folder(path, new Set())))
      throw new NotUsable(`${shown} holds no *.yaml, *.yml or *.json file`, { file: name || '.' })
  }

  /** Adds all manifests below a folder; returns whether there were any. */
  async #folder(folder: string, above: ReadonlySet<string>): Promise<boolean> {
    const real = await this.#inside(folder, this.#name(folder) ?? folder)
    if (above.has(real)) return false
    let any = false
    for (const item of await this.#list(folder)) {
      const path = join(folder, item.name)
      const kind = item.isSymbolicLink() ? await kindOf(path) : item.isDirectory() ? 'folder' : item.isFile() ? 'file' : 'other'
      if (kind === 'folder') {
        any = (await this.#folder(path, new Set([...above, real]))) || any
      } else if (KUSTOMIZATION.has(item.name)) {
        const name = this.#name(folder) ?? folder
        throw new NotUsable(
          `${name} is a kustomization folder below a folder that is read file by file: name it as an entry of its own`,
          {
            file: `${name}/${item.name}`,
          },
        )
      } else if (item.name === CHART) {
        const name = this.#name(folder) ?? folder
        throw new NotUsable(
          `${name || '.'} is a Helm chart below a folder that is read file by file: name it as an entry of its own`,
          { file: this.#name(path) ?? path },
        )
      } else if (kind === 'file' && EXTENSION.test(item.name)) {
        any = true
        await this.#inside(path, this.#name(path) ?? path)
        await this.#add('file', this.#name(path) ?? path, path)
      }
    }
    return any
  }

  /** Files that the pattern names, kustomization folders and charts. */
  async #glob(pattern: string, shown: string): Promise<void> {
    const parts = pattern.split('/')
    const fixed = parts.findIndex(part => /[*?[{]/.test(part))
    const base = join(this.#workspace, ...parts.slice(0, fixed))
    if ((await kindOf(base)) !== 'folder') throw new NotUsable(`${shown} matches nothing${await this.#whatIsThere(base)}`)
    let any = false
    const visit = async (folder: string, above: ReadonlySet<string>): Promise<void> => {
      const real = await this.#inside(folder, this.#name(folder) ?? folder)
      if (above.has(real)) return
      const items = await this.#list(folder)
      const whole = matchesGlob(this.#name(folder) ?? '', pattern) ? wholeFolder(items.map(item => item.name)) : undefined
      if (whole !== undefined) {
        any = true
        return this.#add(whole, this.#name(folder) || '.', folder)
      }
      for (const item of items) {
        const path = join(folder, item.name)
        const name = this.#name(path) ?? path
        const kind = item.isSymbolicLink() ? await kindOf(path) : item.isDirectory() ? 'folder' : item.isFile() ? 'file' : 'other'
        if (kind === 'folder') await visit(path, new Set([...above, real]))
        else if (kind === 'file' && isManifestOrPackage(item.name) && matchesGlob(name, pattern)) {
          any = true
          await this.#inside(path, name)
          await this.#add(PACKAGE.test(item.name) ? 'chart' : 'file', name, path)
        }
      }
    }
    await visit(base, new Set())
    if (!any) throw new NotUsable(`${shown} matches no *.yaml, *.yml or *.json file${await this.#whatIsThere(join(base, 'x'))}`)
  }

  /** A folder's content by name, without hidden files. */
  async #list(folder: string): Promise<Dirent[]> {
    const items = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
    this.#walked += items.length
    if (this.#walked > MOST_ENTRIES_WALKED)
      throw new NotUsable(`more than ${MOST_ENTRIES_WALKED} files lie below the folders named: name the manifests more narrowly`)
    return items.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async #add(kind: ManifestSource['kind'], name: string, path: string): Promise<void> {
    const real = await realpath(path)
    if (this.found.has(real)) return
    if (this.found.size >= this.#maxFiles) throw new NotUsable(`there are more than ${this.#maxFiles} files of manifests`)
    this.found.set(real, { kind, name, path })
  }

  /** The path relative to the workspace; undefined outside of it, the empty text for the workspace itself. */
  #name(path: string): string | undefined {
    for (const root of [this.#workspace, this.#root]) {
      const name = relative(root, path)
      if (name !== '..' && !name.startsWith(`..${sep}`) && !isAbsolute(name)) return name.split(sep).join('/')
    }
    return undefined
  }

  /** The real path; links that lead out of the workspace are refused. */
  async #inside(path: string, name: string): Promise<string> {
    const real = await realpath(path)
    if (this.#name(real) === undefined)
      throw new NotUsable(`"${foreignLine(name, 200)}" is a link that leads out of the workspace`, { file: name })
    return real
  }

  /** What stands in the nearest folder that exists, for the sentence about a path that does not. */
  async #whatIsThere(path: string): Promise<string> {
    let missing = path
    let folder = resolve(path, '..')
    while (folder !== this.#workspace && this.#name(folder) !== undefined && (await kindOf(folder)) !== 'folder') {
      missing = folder
      folder = resolve(folder, '..')
    }
    if (this.#name(folder) === undefined || (await kindOf(folder)) !== 'folder') return ''
    await this.#inside(folder, this.#name(folder) ?? folder)
    const names = (await readdir(folder)).filter(name => !name.startsWith('.')).sort()
    const shown = foreignLine(this.#name(folder) || 'the workspace', 200)
    const near = closest(relative(folder, missing), names)
    if (near !== undefined) return `; did you mean "${foreignLine(this.#name(join(folder, near)) ?? near, 200)}"?`
    if (names.length === 0) return `; ${shown} is empty`
    const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
    return `; in ${shown} there are ${foreignLine(names.slice(0, NAMES_SHOWN).join(', '), 400)}${more}`
  }
}

/** What a folder is taken for as a whole, by the names in it. */
function wholeFolder(names: readonly string[]): 'kustomization' | 'chart' | undefined {
  if (names.some(name => KUSTOMIZATION.has(name))) return 'kustomization'
  return names.includes(CHART) ? 'chart' : undefined
}

function isManifestOrPackage(name: string): boolean {
  return (EXTENSION.test(name) && !KUSTOMIZATION.has(name)) || PACKAGE.test(name)
}

/**
 * The files of values of Helm charts, as absolute paths.
 * @throws ExpectedFailure InvalidInput with all that is wrong with them
 */
export async function findValuesFiles(entries: readonly string[], workspace: string): Promise<string[]> {
  const root = await realpath(workspace)
  const faults: string[] = []
  const paths: string[] = []
  for (const entry of entries) {
    const shown = `"${foreignLine(entry, 200)}"`
    const path = resolve(workspace, entry)
    const real = await realpath(path).catch(() => undefined)
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(entry)) faults.push(`${shown} is a URL; only files of the workspace are read`)
    else if (real === undefined && /^[\w.[\]"'-]+\s*[:=]/.test(entry))
      faults.push(`${shown} is no file: values takes files, one a line; a single value is given by set, as key=value`)
    else if (real === undefined) faults.push(`there is no file ${shown}`)
    else if (relative(root, real).split(sep)[0] === '..') faults.push(`${shown} lies outside of the workspace`)
    else if ((await kindOf(real)) !== 'file') faults.push(`${shown} is no file`)
    else paths.push(real)
  }
  if (faults.length > 0) throw new ExpectedFailure('InvalidInput', `values: ${faults.join('; ')}. Nothing was changed.`)
  return paths
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | undefined> {
  try {
    const stats = await stat(path)
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other'
  } catch {
    return undefined
  }
}
