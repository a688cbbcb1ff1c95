// Runs a workflow of a repository by act, in host mode: its jobs' steps are processes of this machine, with the sandbox's programs on PATH.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../../scripts/action-file.ts'

export interface WorkflowOptions {
  /** The caller's repository. */
  readonly repository: string
  readonly workflow: string
  readonly event: 'push' | 'workflow_dispatch'
  /** What stands for org/deploy-actions@v1. */
  readonly releaseTree: string
  readonly env: Readonly<Record<string, string>>
  readonly secrets?: Readonly<Record<string, string>>
  /** The `vars` context. */
  readonly variables?: Readonly<Record<string, string>>
  /** The inputs of workflow_dispatch. */
  readonly inputs?: Readonly<Record<string, string>>
  /** Folder for act's own files. */
  readonly cache: string
}

export interface WorkflowRun {
  readonly green: boolean
  /** `success` or `failure` of each job that ran, by the job's id. */
  readonly jobs: Readonly<Record<string, string>>
  /** `success` or `failure` of the main part of each step that ran, by name: of the last one, where several jobs have one of that name. */
  readonly steps: Readonly<Record<string, string>>
  /** What each step set, by the step's name. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** The messages of all error annotations. */
  readonly errors: readonly string[]
  /** The job summaries' Markdown. */
  readonly summaries: readonly string[]
  /** All that the steps printed. */
  readonly log: string
}

/** A line of `act --json`, as far as it is looked at. */
interface Line {
  readonly msg?: string
  readonly jobID?: string
  readonly jobResult?: string
  readonly step?: string
  readonly stage?: string
  readonly stepResult?: string
  readonly command?: string
  readonly name?: string
  readonly arg?: string
  readonly content?: string
}

/** The action that assumes a role is not called where there is none, but act fetches it all the same: a folder that stands for it, by its `owner/name@ref`. */
function actionOfRoles(cache: string): Record<string, string> {
  const folder = join(cache, 'configure-aws-credentials')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'action.yml'), 'name: x\ndescription: x\nruns:\n  using: node24\n  main: x.js\n')
  writeFileSync(join(folder, 'x.js'), '')
  const text = readFileSync(join(repositoryRoot, '.github', 'workflows', 'deploy-ecs.yml'), 'utf8')
  return { [/uses: (aws-actions\/configure-aws-credentials@\S+)/.exec(text)?.[1] ?? '']: folder }
}

export async function runWorkflow(options: WorkflowOptions): Promise<WorkflowRun> {
  const { repository, workflow, event, releaseTree, env, secrets = {}, variables = {}, inputs = {}, cache } = options
  mkdirSync(cache, { recursive: true })
  const pairs = (flag: string, values: Readonly<Record<string, string>>): string[] =>
    Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`])
  const argv = [
    event,
    '--json',
    ...['--platform', 'ubuntu-latest=-self-hosted'],
    ...['--workflows', join('.github', 'workflows', workflow)],
    ...['--local-repository', `org/deploy-actions@v1=${releaseTree}`],
    ...pairs('--local-repository', actionOfRoles(cache)),
    ...['--secret', 'GITHUB_TOKEN=a-token-for-nothing'],
    // By name only: what is in the arguments, every process of the machine can read.
    ...Object.keys(secrets).flatMap(name => ['--secret', name]),
    ...pairs('--var', variables),
    ...pairs('--input', inputs),
  ]
  const child = spawn('act', argv, {
    cwd: repository,
    env: { ...env, ...secrets, XDG_CACHE_HOME: cache },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  const lines = stdout.split('\n').flatMap(parseLine)
  if (lines.length === 0) throw new Error(`act ended with ${code}: ${stderr.trim()}`)

  const named = (part: (line: Line) => [string | undefined, string | undefined]): Record<string, string> =>
    Object.fromEntries(lines.map(part).filter((entry): entry is [string, string] => entry.every(one => one !== undefined)))
  const outputs: Record<string, Record<string, string>> = {}
  for (const { command, step = '', name = '', arg = '' } of lines)
    if (command === 'set-output') outputs[step] = { ...outputs[step], [name]: arg }
  return {
    green: code === 0,
    jobs: named(line => [line.jobID, line.jobResult]),
    steps: named(line => [line.stage === 'Main' ? line.step : undefined, line.stepResult]),
    outputs,
    errors: lines.flatMap(({ command, arg = '' }) => (command === 'error' ? [arg] : [])),
    summaries: lines.flatMap(line => (line.command === 'summary' && line.content !== undefined ? [line.content] : [])),
    log: `${lines.map(line => line.msg ?? '').join('\n')}\n${stderr}`,
  }
}

function parseLine(text: string): Line[] {
  try {
    return [JSON.parse(text) as Line]
  } catch {
    return []
  }
}
