// kubectl and helm as programs: their argument list, never a shell; output and time bounded, ended when the run is cancelled.
import { spawn } from 'node:child_process'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

export interface ProgramResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

export interface ProgramOptions {
  readonly stdin?: string
  /** Of both streams together; default 16 MiB. */
  readonly limitBytes?: number
  /** None by default. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

const LIMIT_BYTES = 16 * 1024 * 1024

const INSTALL = {
  kubectl: 'https://kubernetes.io/docs/tasks/tools/',
  helm: 'azure/setup-helm does, or https://helm.sh/docs/intro/install/',
}

export function runProgram(
  program: keyof typeof INSTALL,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  options: ProgramOptions,
): Promise<ProgramResult> {
  const limitBytes = options.limitBytes ?? LIMIT_BYTES
  const shown = `${program} ${foreignLine(argv.find(word => !word.startsWith('-')) ?? '', 40)}`
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted === true) return reject(options.signal.reason)
    const child = spawn(program, argv, { env, stdio: 'pipe', detached: true })
    const onAbort = (): void => {
      child.kill('SIGTERM')
      reject(options.signal?.reason)
    }
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const stop = (message: string): void => {
      child.kill('SIGKILL')
      reject(new ExpectedFailure('InvalidInput', message))
    }
    const late =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(stop, options.timeoutMs, `${shown} did not end within ${options.timeoutMs / 1_000} s.`)
    const printed: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
    let size = 0
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].on('data', (piece: Buffer) => {
        size += piece.length
        if (size <= limitBytes) printed[stream].push(piece)
        else stop(`${shown} printed more than ${limitBytes} bytes.`)
      })
    const ended = (): void => {
      clearTimeout(late)
      options.signal?.removeEventListener('abort', onAbort)
    }
    child.once('error', error => {
      ended()
      reject(explainSpawn(program, error))
    })
    child.once('close', code => {
      ended()
      const text = (stream: 'stdout' | 'stderr'): string => Buffer.concat(printed[stream]).toString()
      resolve({ stdout: text('stdout'), stderr: text('stderr'), code: code ?? -1 })
    })
    // It may end without having read it all.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
  })
}

export function explainSpawn(program: keyof typeof INSTALL, error: Error & { code?: string }): ExpectedFailure {
  if (error.code === 'ENOENT')
    return new ExpectedFailure(
      'NotFound',
      `${program} is not on PATH. GitHub-hosted Linux runners have it; elsewhere install it in a step before this one (${INSTALL[program]}).`,
      { cause: error },
    )
  return new ExpectedFailure('NotFound', `${program} could not be started (${foreignLine(error.code ?? error.message, 200)}).`, {
    cause: error,
  })
}

/** The inputs, the kubeconfig among them, are nothing for kubectl, an auth plugin or a chart. */
export function withoutInputs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_')))
}
