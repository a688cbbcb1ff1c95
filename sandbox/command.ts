// Runs other programs: argv only, output bounded, never a shell string.
import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface CommandResult {
  /** Exit code; 127 when the program could not be started, 124 when it ran into its time limit. */
  code: number
  stdout: string
  stderr: string
}

export interface CommandOptions {
  cwd?: string
  environment?: Record<string, string>
  /** Ends the program after this many milliseconds. */
  timeout?: number
  input?: string
  /** Takes each complete line of both streams as it comes. */
  onLine?: (line: string) => void
}

/** At most this much of each stream is kept: its end, where the cause of a failure stands. */
const kept = 1_000_000

/** Runs a program to its end and never throws for its exit code. */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...rest] = argv
  return new Promise(resolve => {
    const child = spawn(program, rest, {
      ...(options.cwd ? { cwd: options.cwd } : {}),
      env: { ...process.env, ...options.environment },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    let timedOut = false
    const timer = options.timeout
      ? setTimeout(() => {
          timedOut = true
          child.kill('SIGKILL')
        }, options.timeout)
      : undefined
    const lines = (stream: NodeJS.ReadableStream, take: (text: string) => void): void => {
      let rest = ''
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        take(text)
        if (!options.onLine) return
        const parts = (rest + text).split('\n')
        rest = parts.pop() ?? ''
        for (const line of parts) options.onLine(line)
      })
    }
    if (child.stdout) lines(child.stdout, text => (stdout = (stdout + text).slice(-kept)))
    if (child.stderr) lines(child.stderr, text => (stderr = (stderr + text).slice(-kept)))
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input)
    child.on('error', error => {
      clearTimeout(timer)
      resolve({ code: 127, stdout, stderr: error.message })
    })
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ code: timedOut ? 124 : (code ?? 1), stdout, stderr })
    })
  })
}

/** Runs a program and answers what it printed; throws with the end of its output when it fails. */
export async function mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(argv, options)
  if (result.code === 0) return result.stdout
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-8).join('\n  ')
  throw new Error(`\`${argv.join(' ')}\` ended with ${result.code}:\n  ${said}`)
}

/** Folders where daemons live that are not on every user's PATH. */
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** Where a program is on PATH (or among the system's own), or undefined. */
export function findProgram(name: string, without?: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders]) {
    if (!folder || folder === without) continue
    const path = join(folder, name)
    if (isExecutable(path)) return path
  }
  return undefined
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
