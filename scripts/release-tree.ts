// Writes the release tree: what a tag such as v1 points to, with every action at the top, so that `uses: org/deploy-actions/deploy-k8s@v1` finds
// deploy-k8s/action.yml and its bundle. Beside them the reusable workflows, README, LICENSE, the pages and the
// schemas. Nothing else: no sources, no tests.
// Usage: npm run build && node scripts/release-tree.ts DIR
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parse } from 'yaml'
import { actionNames, readActionFile, repositoryRoot } from './action-file.ts'

const WORKFLOWS = join('.github', 'workflows')
const OF_AN_ACTION = ['action.yml', 'README.md', 'CHANGELOG.md', 'dist']
const OF_THE_REPOSITORY = ['README.md', 'LICENSE']
/** Pages that READMEs lead to, and what editors load by the tag. */
const FOLDERS = ['docs', 'schemas']

/**
 * Writes the tree into `folder`, in place of a release tree that is there already.
 * @returns the names of its actions
 * @throws when an action is not built, or the folder holds anything that is no part of a release tree
 */
export function writeReleaseTree(folder: string, root: string = repositoryRoot): string[] {
  const names = actionNames(root)
  const unbuilt = names.filter(name => missingFiles(join(root, 'actions', name)).length > 0)
  if (unbuilt.length > 0) throw new Error(`not built: ${unbuilt.join(', ')}. Run: npm run build`)
  const lacking = OF_THE_REPOSITORY.filter(file => !existsSync(join(root, file)))
  if (lacking.length > 0) throw new Error(`there is no ${lacking.join(' and no ')} in ${root}`)
  const ours = new Set([...names, ...OF_THE_REPOSITORY, ...FOLDERS, '.github'])
  clear(folder, ours)

  for (const name of names) copy(join(root, 'actions', name), join(folder, name), OF_AN_ACTION)
  copy(root, folder, [...OF_THE_REPOSITORY, ...FOLDERS])
  copy(join(root, WORKFLOWS), join(folder, WORKFLOWS), reusableWorkflows(root))
  const docs = existsSync(join(folder, 'docs')) ? readdirSync(join(folder, 'docs')).filter(file => file.endsWith('.md')) : []
  for (const page of ['README.md', ...docs.map(file => join('docs', file))]) mendLinks(folder, page, join(root, page), root)
  for (const page of names.flatMap(name => [join(name, 'README.md'), join(name, 'CHANGELOG.md')])) {
    if (existsSync(join(folder, page))) mendLinks(folder, page, join(root, 'actions', page), root)
  }
  return names
}

/** The files that an action's action.yml runs and that are not there. */
export function missingFiles(actionFolder: string): string[] {
  const { runs } = readActionFile(resolve(actionFolder))
  return [runs.pre, runs.main, runs.post].filter(file => file !== undefined && !existsSync(join(actionFolder, file))) as string[]
}

/** Only what others can call: this repository's own workflows would run in theirs for nothing. */
export function reusableWorkflows(root: string = repositoryRoot): string[] {
  const folder = join(root, WORKFLOWS)
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter(file => {
    const { on } = parse(readFileSync(join(folder, file), 'utf8')) as { on?: unknown }
    return typeof on === 'object' && on !== null && 'workflow_call' in on
  })
}

/** A mistyped folder must not cost anybody their files. A git work tree keeps its `.git`. */
function clear(folder: string, ours: ReadonlySet<string>): void {
  if (!existsSync(folder)) return
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`)
  const entries = readdirSync(folder).filter(name => name !== '.git')
  const foreign = entries.filter(name => !ours.has(name))
  if (foreign.length > 0)
    throw new Error(`${folder} holds ${foreign.slice(0, 3).join(', ')}, which is no part of a release tree. Give an empty folder`)
  for (const name of entries) rmSync(join(folder, name), { recursive: true })
}

/** Links of a page to other files, as they are in the tree; one to a file that is not in the tree becomes its text. */
function mendLinks(folder: string, page: string, source: string, root: string): void {
  const mended = readFileSync(source, 'utf8').replace(
    /\[([^\]\n]*)\]\(([^)#\s]+)(#[^)\s]*)?\)/g,
    (link, text, target, anchor = '') => {
      if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return link
      const inTree = relative(root, join(dirname(source), target)).replace(/^actions\//, '')
      return existsSync(join(folder, inTree)) ? `[${text}](${relative(dirname(page), inTree)}${anchor})` : text
    },
  )
  writeFileSync(join(folder, page), mended)
}

function copy(from: string, to: string, names: readonly string[]): void {
  mkdirSync(to, { recursive: true })
  for (const name of names) if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name), { recursive: true })
}

if (import.meta.main) {
  const [folder, ...rest] = process.argv.slice(2)
  if (folder === undefined || rest.length > 0) {
    process.stderr.write('usage: npm run build && node scripts/release-tree.ts DIR\n')
    process.exit(1)
  }
  try {
    const names = writeReleaseTree(resolve(folder))
    process.stdout.write(`${relative(process.cwd(), resolve(folder)) || '.'}: ${names.join(', ')}\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exit(1)
  }
}
