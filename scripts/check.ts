// `npm run check`: everything that can be said of the sources without running them. All checks run side by side; one that fails,
// or whose tool can't be had, fails the whole.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { actionFileFaults, actionNames, readActionFile, repositoryRoot } from './action-file.ts'

interface Check {
  readonly name: string
  /** What is wrong, in the tool's words; empty when nothing is. Throwing means that the check could not be made, and fails it. */
  readonly run: () => Promise<string>
}

const bin = join(repositoryRoot, 'node_modules', '.bin')

/** The program's output when it fails, the empty text when it ends well. */
function complaints(program: string, args: readonly string[], cwd = repositoryRoot): Promise<string> {
  const env = { ...process.env, PATH: [bin, process.env['PATH'] ?? ''].join(delimiter) }
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim()
      if (error === null) resolve('')
      else if (typeof error.code === 'number') resolve(output === '' ? `${program} ended with ${error.code}` : output)
      else reject(new Error(`${program} did not run: ${error.message}`))
    })
  })
}

/** actionlint from PATH, else built once from its pinned Go module. */
let lint: Promise<string> | undefined
function actionlint(): Promise<string> {
  lint ??= import('../sandbox/tools/tools.ts').then(tools => tools.provideTool('check', 'actionlint'))
  return lint
}

/** Without the programs it would call where they happen to be there: the verdict is the same on every machine. */
const ALONE = ['-no-color', '-shellcheck=', '-pyflakes=']

async function workflowFaults(): Promise<string> {
  const folder = join(repositoryRoot, '.github', 'workflows')
  const files = readdirSync(folder).filter(name => /\.ya?ml$/.test(name))
  if (files.length === 0) return 'there is no workflow in .github/workflows'
  return complaints(
    await actionlint(),
    files.map(name => join('.github', 'workflows', name)),
  )
}

/** actionlint reads an action.yml only where a workflow uses it: so one is written that uses each, with all the inputs it declares. */
async function actionFaults(): Promise<string> {
  const names = actionNames()
  if (names.length === 0) return 'there is no action in actions/'
  const faults = names.flatMap(name =>
    actionFileFaults(readFileSync(join(repositoryRoot, 'actions', name, 'action.yml'), 'utf8')).map(
      fault => `actions/${name}/action.yml: ${fault}`,
    ),
  )
  const project = mkdtempSync(join(tmpdir(), 'check-actions-'))
  try {
    mkdirSync(join(project, '.git'))
    mkdirSync(join(project, '.github', 'workflows'), { recursive: true })
    for (const name of names) {
      const folder = join(project, 'actions', name)
      mkdirSync(join(folder, 'dist'), { recursive: true })
      cpSync(join(repositoryRoot, 'actions', name, 'action.yml'), join(folder, 'action.yml'))
      // Whether it is built does not matter here.
      for (const file of ['index.js', 'post.js']) writeFileSync(join(folder, 'dist', file), '')
    }
    const steps = names.map(name => ({ uses: `./actions/${name}`, with: inputsOf(name) }))
    const workflow = { on: 'push', permissions: {}, jobs: { all: { 'runs-on': 'ubuntu-latest', steps } } }
    // JSON is YAML.
    writeFileSync(join(project, '.github', 'workflows', 'all.yml'), JSON.stringify(workflow, null, 2))
    const said = await complaints(await actionlint(), [...ALONE, join('.github', 'workflows', 'all.yml')], project)
    faults.push(said.replaceAll(`${project}/`, ''))
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
  return faults.filter(fault => fault !== '').join('\n')
}

function inputsOf(action: string): Record<string, string> {
  return Object.fromEntries(Object.keys(readActionFile(action).inputs).map(name => [name, 'x']))
}

const checks: readonly Check[] = [
  { name: 'types (tsc)', run: () => complaints(join(bin, 'tsc'), ['--noEmit', '-p', 'tsconfig.json']) },
  { name: 'style (biome)', run: () => complaints(join(bin, 'biome'), ['ci', '--colors=off', '.']) },
  { name: 'tables in READMEs', run: () => complaints(process.execPath, [join('scripts', 'write-tables.ts'), '--check']) },
  { name: 'lock file', run: () => complaints(process.execPath, [join('scripts', 'complete-lock.ts'), '--check']) },
  { name: 'workflows (actionlint)', run: workflowFaults },
  { name: 'action.yml', run: actionFaults },
]

const results = await Promise.all(
  checks.map(async ({ name, run }) => {
    const begun = performance.now()
    const faults = await run().catch(error => `could not be checked: ${error instanceof Error ? error.message : error}`)
    return { name, faults, seconds: (performance.now() - begun) / 1_000 }
  }),
)
for (const { name, faults } of results.filter(result => result.faults !== '')) process.stdout.write(`--- ${name}\n${faults}\n\n`)
for (const { name, faults, seconds } of results) {
  process.stdout.write(`${faults === '' ? 'ok    ' : 'FAILED'} ${name.padEnd(24)} ${seconds.toFixed(1).padStart(6)} s\n`)
}
process.exitCode = results.some(result => result.faults !== '') ? 1 : 0
