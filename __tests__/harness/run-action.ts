// Runs a built action as GitHub's runner does: pre, main and post, each a process of its own, with INPUT_ variables, environment
// files and signals (actions/runner: Handler.cs, FileCommandManager.cs, ProcessInvoker.cs). For tests, the demo and the bench alike.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { type ActionFile, readActionFile, repositoryRoot } from '../../scripts/action-file.ts'
import { inputVariable, parseKeyValueFile } from './runner-protocol.ts'
import { type Annotation, type Group, readStepOutput } from './step-output.ts'

/** When something is to happen to the main step: so many milliseconds after its start, or as soon as its output so far is as wanted. */
export type Moment = number | { readonly when: (output: string) => boolean }

export interface RunActionOptions {
  /** Name of a folder in actions/, or the absolute path of a folder with an action.yml. */
  readonly action: string
  /** As in a workflow's `with:`. */
  readonly inputs?: Readonly<Record<string, string | number | boolean>>
  /** As in a workflow's `env:`. The step sees nothing of the caller's environment but PATH, HOME, locale and proxies. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The user's checkout; default: an empty folder. */
  readonly workspace?: string
  /** Fields of the github context that differ from the harness's own, by their names there: `sha`, `ref`, `event_name`. */
  readonly github?: Readonly<Record<string, string>>
  /** The payload of the event. */
  readonly event?: unknown
  /** The user cancels: SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that. */
  readonly cancelAfter?: Moment
  /** The same, whenever this signal is raised: for a caller that is itself cancelled. */
  readonly cancel?: AbortSignal
  /** The main process is killed at once by SIGKILL (out of memory, a lost runner). */
  readonly killAfter?: Moment
  /** The same, whenever this signal is raised. */
  readonly kill?: AbortSignal
  /** `false`: the post step does not run, as when the whole machine is gone. */
  readonly post?: boolean
  /** Called with each piece of output as it comes, of the pre and post step too. */
  readonly onOutput?: (text: string) => void
  /** The step is killed after so many milliseconds, and the promise rejected: for a test that would hang. Default 10 minutes. */
  readonly giveUpAfter?: number
}

/** What one step did. */
export interface StepResult {
  /** As the runner's page shows it. A cancelled step is `cancelled` whatever its exit code. */
  readonly conclusion: 'success' | 'failure' | 'cancelled'
  /** -1 when a signal ended the process. */
  readonly exitCode: number
  readonly signal: NodeJS.Signals | undefined
  /** Standard output and standard error, in the order in which they came. The runner reads commands from both. */
  readonly output: string
  readonly stdout: string
  readonly stderr: string
  /** All output without the add-mask lines: what must hold no secret even if the runner masked nothing. */
  readonly visible: string
  readonly annotations: readonly Annotation[]
  readonly groups: readonly Group[]
  readonly masks: readonly string[]
  /** What the step wrote to GITHUB_OUTPUT, GITHUB_STATE, GITHUB_ENV, GITHUB_PATH and GITHUB_STEP_SUMMARY. */
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly path: readonly string[]
  readonly summary: string
  /** From the start of the process to its end. */
  readonly seconds: number
  /** Every line with the milliseconds from the start of the process until it came. */
  readonly lines: readonly { readonly at: number; readonly text: string }[]
}

/** What the main step did, and the steps around it. */
export interface ActionResult extends StepResult {
  readonly pre: StepResult | undefined
  readonly post: StepResult | undefined
  readonly workspace: string
  /** RUNNER_TEMP. */
  readonly temporary: string
  /** Processes that the action left behind, seen after its last step and then ended, as the runner does after a job. */
  readonly orphans: readonly { readonly pid: number; readonly command: string }[]
}

/** Waiting times of a cancel, in milliseconds (actions/runner, ProcessInvoker.cs). */
const SIGTERM_AFTER_MS = 7_500
const SIGKILL_AFTER_MS = 2_500
/** How long the runner waits for output that a grandchild holds open after the step's own process is gone. */
const OUTPUT_AFTER_EXIT_MS = 5_000
const GIVE_UP_AFTER_MS = 600_000

const INHERITED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy)$/i

export async function runAction(options: RunActionOptions): Promise<ActionResult> {
  const action = readActionFile(options.action)
  const node = nodeFor(action)
  const folder = jobFolder()
  const workspace = options.workspace ?? madeFolder(join(folder, 'workspace'))
  const temporary = madeFolder(join(folder, 'temp'))
  const github = githubContext(options, action, folder, workspace)
  const tracking = `github_${randomUUID()}`
  const base: Record<string, string> = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED.test(name))),
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    ...defined(options.env ?? {}),
    ...Object.fromEntries(Object.entries(github).map(([name, value]) => [`GITHUB_${name.toUpperCase()}`, value])),
    RUNNER_OS: 'Linux',
    RUNNER_ARCH: process.arch === 'arm64' ? 'ARM64' : 'X64',
    RUNNER_NAME: 'harness',
    RUNNER_ENVIRONMENT: 'self-hosted',
    RUNNER_TEMP: temporary,
    RUNNER_TOOL_CACHE: madeFolder(join(folder, 'tools')),
    RUNNER_WORKSPACE: folder,
    RUNNER_TRACKING_ID: tracking,
  }
  const inputs = inputVariables(action, options.inputs ?? {}, github)
  let [jobEnv, jobPath, state]: [Record<string, string>, string[], Record<string, string>] = [{}, [], {}]
  const step = async (
    script: string,
    end: Pick<RunActionOptions, 'cancelAfter' | 'cancel' | 'killAfter' | 'kill'> = {},
  ): Promise<StepResult> => {
    const path = [...[...jobPath].reverse(), base['PATH'] ?? ''].join(delimiter)
    const states = Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]))
    const result = await runStep({
      argv: [node, scriptPath(action, script)],
      env: { ...base, ...jobEnv, PATH: path, ...inputs, ...states },
      workspace,
      commandFiles: madeFolder(join(folder, `_runner_file_commands_${randomUUID().slice(0, 8)}`)),
      onOutput: options.onOutput,
      giveUpAfter: options.giveUpAfter ?? GIVE_UP_AFTER_MS,
      cancelAfter: end.cancelAfter,
      cancel: end.cancel,
      killAfter: end.killAfter,
      kill: end.kill,
    })
    jobEnv = { ...jobEnv, ...result.env }
    jobPath = [...jobPath.filter(entry => !result.path.includes(entry)), ...result.path]
    state = { ...state, ...result.state }
    return result
  }

  const { runs } = action
  const pre = runs.pre !== undefined && condition(runs['pre-if'] ?? 'always()', 'success') ? await step(runs.pre) : undefined
  const main = await step(runs.main ?? '', options)
  const wantsPost = runs.post !== undefined && options.post !== false && condition(runs['post-if'] ?? 'always()', main.conclusion)
  const post = wantsPost && runs.post !== undefined ? await step(runs.post) : undefined
  return { ...main, pre, post, workspace, temporary, orphans: endOrphans(tracking) }
}

interface Step {
  readonly argv: readonly [string, string]
  readonly env: Readonly<Record<string, string>>
  readonly workspace: string
  readonly commandFiles: string
  readonly onOutput: ((text: string) => void) | undefined
  readonly giveUpAfter: number
  readonly cancelAfter: Moment | undefined
  readonly cancel: AbortSignal | undefined
  readonly killAfter: Moment | undefined
  readonly kill: AbortSignal | undefined
}

async function runStep(step: Step): Promise<StepResult> {
  const file = (name: string): string => join(step.commandFiles, name)
  for (const name of ['output', 'state', 'env', 'path', 'summary']) writeFileSync(file(name), '')
  const [program, script] = step.argv
  const begun = performance.now()
  const child = spawn(program, [script], {
    cwd: step.workspace,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...step.env,
      GITHUB_OUTPUT: file('output'),
      GITHUB_STATE: file('state'),
      GITHUB_ENV: file('env'),
      GITHUB_PATH: file('path'),
      GITHUB_STEP_SUMMARY: file('summary'),
    },
  })

  let [output, stdout, stderr, cancelled, gaveUp] = ['', '', '', false, false]
  const lines: { at: number; text: string }[] = []
  const timers: NodeJS.Timeout[] = []
  const after = (milliseconds: number, work: () => void): void => void timers.push(setTimeout(work, milliseconds))
  const cancel = (): void => {
    cancelled = true
    child.kill('SIGINT')
    after(SIGTERM_AFTER_MS, () => child.kill('SIGTERM'))
    after(SIGTERM_AFTER_MS + SIGKILL_AFTER_MS, () => child.kill('SIGKILL'))
  }
  const waiting: { when: (output: string) => boolean; work: () => void }[] = []
  for (const [moment, work] of [
    [step.cancelAfter, cancel],
    [step.killAfter, (): void => void child.kill('SIGKILL')],
  ] as const) {
    if (typeof moment === 'number') after(moment, work)
    else if (moment !== undefined) waiting.push({ when: moment.when, work })
  }
  step.cancel?.addEventListener('abort', cancel, { once: true })
  const kill = (): void => void child.kill('SIGKILL')
  step.kill?.addEventListener('abort', kill, { once: true })
  after(step.giveUpAfter, () => {
    gaveUp = true
    child.kill('SIGKILL')
  })

  const read = (stream: NodeJS.ReadableStream, add: (text: string) => void): void => {
    const decoder = new StringDecoder('utf8')
    let rest = ''
    const take = (text: string): void => {
      add(text)
      output += text
      step.onOutput?.(text)
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) lines.push({ at: performance.now() - begun, text: part })
      for (const entry of waiting.filter(one => one.when(output))) {
        waiting.splice(waiting.indexOf(entry), 1)
        entry.work()
      }
    }
    stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
    stream.on('end', () => {
      if (rest !== '') lines.push({ at: performance.now() - begun, text: rest })
    })
  }
  read(child.stdout, text => {
    stdout += text
  })
  read(child.stderr, text => {
    stderr += text
  })

  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done, failed) => {
    child.on('error', failed)
    child.on('exit', (code, signal) => after(OUTPUT_AFTER_EXIT_MS, () => done({ code, signal })))
    child.on('close', (code, signal) => done({ code, signal }))
  })
  const seconds = (performance.now() - begun) / 1_000
  for (const timer of timers) clearTimeout(timer)
  step.cancel?.removeEventListener('abort', cancel)
  step.kill?.removeEventListener('abort', kill)
  child.stdout.destroy()
  child.stderr.destroy()
  if (gaveUp) throw new Error(`the step did not end within ${step.giveUpAfter / 1_000} s. Its output:\n${output}`)

  const shown = readStepOutput(output)
  const annotations: Annotation[] = [...shown.annotations]
  const values = (name: 'output' | 'state' | 'env'): Record<string, string> => {
    try {
      return parseKeyValueFile(readFileSync(file(name), 'utf8'))
    } catch (error) {
      const message = `Unable to process file command '${name}' successfully. ${error instanceof Error ? error.message : error}`
      annotations.push({ level: 'error', message })
      return {}
    }
  }
  const outputs = { ...shown.outputs, ...values('output') }
  const state = { ...shown.state, ...values('state') }
  const env = values('env')
  const failed = code !== 0 || annotations.length > shown.annotations.length
  return {
    conclusion: cancelled ? 'cancelled' : failed ? 'failure' : 'success',
    exitCode: code ?? -1,
    signal: signal ?? undefined,
    output,
    stdout,
    stderr,
    visible: shown.visible,
    annotations,
    groups: shown.groups,
    masks: shown.masks,
    outputs,
    state,
    env,
    path: readFileSync(file('path'), 'utf8')
      .split(/\r?\n/)
      .filter(line => line !== ''),
    summary: readFileSync(file('summary'), 'utf8'),
    seconds,
    lines,
  }
}

/** The Node that GitHub would run the action with. */
function nodeFor(action: ActionFile): string {
  const wanted = /^node(\d+)$/.exec(action.runs.using ?? '')?.[1]
  if (wanted === undefined)
    throw new Error(`${action.folder}/action.yml: runs.using is "${action.runs.using}", not node<version>`)
  const folder = join(repositoryRoot, 'node_modules', 'node')
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  if (version.split('.')[0] !== wanted) {
    throw new Error(`${action.folder}/action.yml wants Node ${wanted}, but the devDependency node is ${version}`)
  }
  return join(folder, 'bin', 'node')
}

function scriptPath(action: ActionFile, script: string): string {
  const path = join(action.folder, script)
  if (script === '' || !existsSync(path)) throw new Error(`${path} is not there. Build it: npm run build`)
  return path
}

function githubContext(
  options: RunActionOptions,
  action: ActionFile,
  folder: string,
  workspace: string,
): Readonly<Record<string, string>> {
  const event = join(folder, 'event.json')
  writeFileSync(event, JSON.stringify(options.event ?? {}))
  const given = options.github ?? {}
  const repository = given['repository'] ?? 'acme/web'
  const ref = given['ref'] ?? 'refs/heads/main'
  const sha = given['sha'] ?? '3f9c2ab1d4e5f60718293a4b5c6d7e8f90a1b2c3'
  const workflow = `${repository}/.github/workflows/deploy.yml@${ref}`
  return {
    action: '__acme_deploy-actions',
    action_path: action.folder,
    action_ref: 'v1',
    action_repository: 'acme/deploy-actions',
    actor: 'octocat',
    actor_id: '583231',
    api_url: 'https://api.github.com',
    base_ref: '',
    event_name: 'push',
    event_path: event,
    graphql_url: 'https://api.github.com/graphql',
    head_ref: '',
    job: 'deploy',
    ref,
    ref_name: ref.replace(/^refs\/(heads|tags|pull)\//, ''),
    ref_protected: 'false',
    ref_type: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    repository,
    repository_id: '1296269',
    repository_owner: repository.split('/')[0] ?? '',
    repository_owner_id: '1342004',
    retention_days: '90',
    run_attempt: '1',
    run_id: '9876543210',
    run_number: '42',
    server_url: 'https://github.com',
    sha,
    triggering_actor: 'octocat',
    workflow: 'deploy',
    workflow_ref: workflow,
    workflow_sha: sha,
    workspace,
    ...given,
  }
}

/** The defaults of action.yml, then what the workflow gives, known or not: the runner only warns of an input it does not know. */
function inputVariables(
  action: ActionFile,
  given: Readonly<Record<string, string | number | boolean>>,
  github: Readonly<Record<string, string>>,
): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [name, input] of Object.entries(action.inputs)) {
    variables[inputVariable(name)] = expand(String(input.default ?? ''), github)
  }
  for (const [name, value] of Object.entries(given)) variables[inputVariable(name)] = String(value)
  return variables
}

/** `${{ github.<field> }}` in a default. */
function expand(text: string, github: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => {
    const field = /^github\.(\w+)$/.exec(expression)?.[1]
    if (field === 'token') return 'ghs_harness'
    const value = field === undefined ? undefined : github[field]
    if (value === undefined) throw new Error(`the harness does not know the expression \${{ ${expression} }}`)
    return value
  })
}

function condition(expression: string, conclusion: StepResult['conclusion']): boolean {
  switch (expression.replace(/^\$\{\{\s*|\s*\}\}$/g, '').trim()) {
    case 'always()':
      return true
    case 'success()':
      return conclusion === 'success'
    case 'failure()':
      return conclusion === 'failure'
    case 'cancelled()':
      return conclusion === 'cancelled'
    case '!cancelled()':
      return conclusion !== 'cancelled'
    default:
      throw new Error(`the harness does not know the condition "${expression}"`)
  }
}

/** Ends every process that still carries the job's tracking id, and says which they were. Linux only: elsewhere nothing is seen. */
function endOrphans(tracking: string): { pid: number; command: string }[] {
  if (!existsSync('/proc/self/environ')) return []
  const orphans: { pid: number; command: string }[] = []
  for (const entry of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').includes(`RUNNER_TRACKING_ID=${tracking}`)) continue
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      process.kill(Number(entry), 'SIGKILL')
      orphans.push({ pid: Number(entry), command })
    } catch {
      // Gone in the meantime, or not ours to read.
    }
  }
  return orphans
}

const jobFolders: string[] = []

/** A new folder for one job's files, removed when this process ends: what a step wrote can be read until then. */
function jobFolder(): string {
  if (jobFolders.length === 0) {
    removeFoldersOfTheDead()
    process.on('exit', () => {
      for (const folder of jobFolders) rmSync(folder, { recursive: true, force: true })
    })
  }
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `run-action-${process.pid}-`)))
  jobFolders.push(folder)
  return folder
}

/** Jest gives its tests no exit event, so what they leave is removed by the next process. */
function removeFoldersOfTheDead(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = /^run-action-(\d+)-/.exec(name)?.[1]
    if (owner === undefined || isAlive(Number(owner))) continue
    rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function madeFolder(path: string): string {
  mkdirSync(path, { recursive: true })
  return path
}

function defined(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
