// Runs another program by its argument list, never through a shell: output by line, bounded, and ended when the user cancels.
import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, isAbsolute, join } from 'node:path'
import { ExpectedFailure } from '../runner/failure.ts'

export interface CommandOptions {
  readonly cwd?: string
  readonly env: NodeJS.ProcessEnv
  /** What it reads on standard input; nothing by default. */
  readonly input?: string
  readonly signal?: AbortSignal
  /** Called for each line as it comes. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void
}

export interface CommandResult {
  /** The exit code; 128 + the signal's number is not computed, a killed program has code -1. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What is kept of each stream, in characters: the end of it. Lines go to `onLine` whole, up to this length. */
const KEPT = 1024 * 1024
/** Time a program has after SIGINT before it is killed, in milliseconds. */
const GRACE_MS = 2_000

/** Runs the program to its end, whatever its exit code. Throws ExpectedFailure when it can't be started or the user cancelled. */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { signal } = options
  const isCancelled = (): boolean => signal?.aborted === true
  if (isCancelled()) throw cancelled(command)
  const child = spawn(command, args, {
    env: options.env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  let killer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    child.kill('SIGINT')
    killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  const stdout = collect('stdout', options.onLine)
  const stderr = collect('stderr', options.onLine)
  child.stdout.setEncoding('utf8').on('data', stdout.add)
  child.stderr.setEncoding('utf8').on('data', stderr.add)
  // A program that ends without reading its input breaks the pipe; its exit code tells more than that.
  child.stdin.on('error', () => undefined).end(options.input ?? '')
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', error =>
        reject(new ExpectedFailure('NotFound', `${command} could not be started: ${error.message}.`, { cause: error })),
      )
      child.on('close', exit => resolve(exit ?? -1))
    })
    if (isCancelled()) throw cancelled(command)
    return { code, stdout: stdout.end(), stderr: stderr.end() }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    clearTimeout(killer)
  }
}

function cancelled(command: string): ExpectedFailure {
  return new ExpectedFailure('Cancelled', `The run was cancelled while ${basename(command)} was at work.`)
}

function collect(
  stream: 'stdout' | 'stderr',
  onLine: CommandOptions['onLine'],
): { add: (text: string) => void; end: () => string } {
  let kept = ''
  let open = ''
  const add = (text: string): void => {
    kept = (kept + text).slice(-KEPT)
    if (onLine === undefined) return
    const lines = (open + text).split('\n')
    open = (lines.pop() ?? '').slice(0, KEPT)
    for (const line of lines) onLine(line.replace(/\r$/, ''), stream)
  }
  const end = (): string => {
    if (open !== '') onLine?.(open, stream)
    open = ''
    return kept
  }
  return { add, end }
}

/** The program's path, found on PATH; undefined when there is none that can be run. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (!isAbsolute(folder)) continue
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      if (statSync(path).isFile()) return path
    } catch {
      // Not in this folder.
    }
  }
  return undefined
}

/**
 * The environment for a program we start: without the step's own inputs, which hold secrets. No git in it (buildx starts one too) takes a folder of
 * the checkout for a bare repository, whose configuration could name programs to run.
 */
export function childEnvironment(env: NodeJS.ProcessEnv, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_')))
  return { ...own, ...gitSetting(env, 'safe.bareRepository', 'explicit'), ...more }
}

/** One more setting for git, after those that the environment gives it already. */
function gitSetting(env: NodeJS.ProcessEnv, name: string, value: string): NodeJS.ProcessEnv {
  const count = Number(env['GIT_CONFIG_COUNT'] || 0)
  if (!Number.isSafeInteger(count) || count < 0) return {}
  return { GIT_CONFIG_COUNT: String(count + 1), [`GIT_CONFIG_KEY_${count}`]: name, [`GIT_CONFIG_VALUE_${count}`]: value }
}
