// How to take a release back later: the repository's own rollback workflow where it has one, else the rollback action's step.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeBlock } from '../runner/markdown.ts'

export interface RollbackWorkflow {
  readonly file: string
  /** The inputs of its workflow_dispatch. */
  readonly inputs: readonly string[]
}

const MOST_FILES = 100
const LARGEST_BYTES = 256 * 1024
const CALLS_ROLLBACK = /uses:\s*['"]?[^\s'"]*deploy-actions\/(rollback|\.github\/workflows\/rollback\.ya?ml)@/
/** A repository that has the reusable workflow's own file. */
const IS_ROLLBACK = /^name: Roll back$/m

/** The first workflow of the checkout that can be run by hand and rolls back. Never throws. */
export async function findRollbackWorkflow(workspace: string): Promise<RollbackWorkflow | undefined> {
  const folder = join(workspace, '.github', 'workflows')
  try {
    const files = (await readdir(folder)).filter(name => /^[\w.-]+\.ya?ml$/.test(name)).toSorted()
    for (const file of files.slice(0, MOST_FILES)) {
      const path = join(folder, file)
      const about = await stat(path)
      if (!about.isFile() || about.size > LARGEST_BYTES) continue
      const text = await readFile(path, 'utf8')
      if (!text.includes('workflow_dispatch') || !(CALLS_ROLLBACK.test(text) || IS_ROLLBACK.test(text))) continue
      const { parse } = await import('yaml')
      const parsed = parse(text) as { on?: { workflow_dispatch?: { inputs?: Record<string, unknown> } } } | null
      return { file, inputs: Object.keys(parsed?.on?.workflow_dispatch?.inputs ?? {}) }
    }
  } catch {
    // No checkout, or a file that is no workflow: the step is shown instead.
  }
  return undefined
}

export interface WayBack {
  /** Inputs of the rollback action: app, namespace, to, bad-release. */
  readonly inputs: Readonly<Record<string, string>>
  readonly workflow: RollbackWorkflow | undefined
  readonly env: NodeJS.ProcessEnv
}

/** Markdown, folded. */
export function wayBackSection({ inputs, workflow, env }: WayBack): string {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = env
  if (workflow !== undefined && server && repository) {
    const fields = Object.entries(inputs).filter(([name]) => workflow.inputs.includes(name))
    const command = [
      'gh',
      'workflow',
      'run',
      workflow.file,
      '--repo',
      repository,
      ...fields.flatMap(([name, value]) => ['-f', `${name}=${value}`]),
    ]
    const link = `${server}/${repository}/actions/workflows/${workflow.file}`
    // GitHub does not tell a job which environment it runs in.
    const environment = workflow.inputs.includes('environment')
      ? '\n\nWhere it is an environment that has the secrets, name it: `-f environment=...`.'
      : ''
    return `<details><summary>To take this release back</summary>\n\n[Run the rollback workflow](${link}), or:\n\n${codeBlock(command.join(' '), 'sh')}${environment}\n\n</details>`
  }
  const step = [
    '- uses: org/deploy-actions/rollback@v1',
    '  with:',
    ...Object.entries(inputs).map(([name, value]) => `    ${name}: ${value}`),
  ]
  return `<details><summary>To take this release back</summary>\n\n${codeBlock(step.join('\n'), 'yaml')}\n\n</details>`
}
