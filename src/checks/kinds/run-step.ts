// The command kind of step: a program with its arguments, never through a shell; its exit code and what it prints.
import { type ChildProcess, spawn } from 'node:child_process'
import { realpath, stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { childEnvironment } from '../../image/command.ts'
import { ExpectedFailure } from '../../runner/failure.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { quoted } from '../answer.ts'
import type { RunStep } from '../check-file/smoke-schema.ts'
import type { Finding } from '../expectation.ts'
import { compileMatcher } from '../matcher.ts'
import { within } from '../net/within.ts'
import type { Scope } from '../smoke/scope.ts'
import { compileCapture } from './capture.ts'
import { compileJsonDemands } from './http-expect.ts'
import { at, type CompiledStep, finding, type Tools, timeFinding } from './kind.ts'

const KEPT = 1024 * 1024
const EXCERPT = 160
const REDACTED = 16_384

export async function compileRun(given: RunStep, path: readonly PropertyKey[], tools: Tools): Promise<CompiledStep> {
  const expect = given.expect ?? {}
  const exit = expect.exit ?? 0
  const folder = await at([...path, 'folder'], () => folderOf(given.folder, tools))
  const out =
    expect.stdout === undefined ? undefined : await at([...path, 'expect', 'stdout'], () => compileMatcher(expect.stdout ?? ''))
  const err =
    expect.stderr === undefined ? undefined : await at([...path, 'expect', 'stderr'], () => compileMatcher(expect.stderr ?? ''))
  const json = await compileJsonDemands(expect.json ?? {}, [...path, 'expect', 'json'], tools, 'output')
  const capture = await compileCapture(given.capture, [...path, 'capture'])
  return {
    changes: true,
    requestLimitMs: given['request-timeout'] ?? 24 * 3_600_000,
    prepare: (scope: Scope) => {
      const argv = given.run.map(each => scope.fillArgument(each))
      const input = given.input === undefined ? '' : scope.fill(given.input)
      const own = Object.fromEntries(Object.entries(given.env ?? {}).map(([name, value]) => [name, scope.fill(value)]))
      const env = { ...childEnvironment(tools.env), ...own }
      return {
        address: `run ${tools.redact(foreignLine(argv.join(' '), 120))}`,
        asked: `exit code ${exit}`,
        ask: (timeoutMs, outer) =>
          within(timeoutMs, outer, async (signal, onStage, elapsed) => {
            onStage('answering')
            const ended = await runProgram(argv, { cwd: folder, env, input, signal })
            if ('missing' in ended)
              return {
                kind: 'no-answer',
                fault: { stage: 'impossible', code: 'NotFound', problem: `cannot be run here: ${ended.missing}`, ms: elapsed() },
              }
            const { code, stdout, stderr } = ended
            const said = (stderr.trim() === '' ? stdout : stderr).trim().slice(-REDACTED)
            const excerpt = code === exit || said === '' ? {} : { excerpt: quoted(lastWords(tools.redact(said)), EXCERPT) }
            const findings: Finding[] = [
              { kind: 'exit', what: 'exit code', expected: String(exit), came: String(code), holds: code === exit, ...excerpt },
              ...(out === undefined ? [] : [finding('output', 'stdout', out, [stdout.trimEnd()], scope, tools.redact)]),
              ...(err === undefined ? [] : [finding('output', 'stderr', err, [stderr.trimEnd()], scope, tools.redact)]),
              ...json.map(demand => demand(parsed(stdout), scope)),
              ...timeFinding(elapsed(), expect['time-below']),
            ]
            const content = { status: 0, headers: {}, body: stdout, truncated: stdout.length >= KEPT }
            const captured = findings.every(found => found.holds)
              ? capture(content, undefined, tools)
              : { values: new Map(), findings: [] }
            return {
              kind: 'answer',
              answer: { ms: elapsed(), label: `exit ${code}` },
              findings: [...findings, ...captured.findings],
              captured: captured.values,
            }
          }),
      }
    },
  }
}

async function folderOf(given: string | undefined, tools: Tools): Promise<string> {
  const root = await realpath(tools.workspace)
  const folder = await realpath(resolve(root, given === undefined ? '.' : tools.file.variables.fill(given))).catch(
    () => undefined,
  )
  if (folder === undefined || !(await stat(folder)).isDirectory())
    throw new ExpectedFailure('NotFound', 'is no folder of the workspace')
  if (relative(root, folder).split('/')[0] === '..') throw new ExpectedFailure('InvalidInput', 'lies outside of the workspace')
  return folder
}

function lastWords(text: string): string {
  return text.split('\n').slice(-3).join('\n').slice(-EXCERPT)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Program {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly input: string
  readonly signal: AbortSignal
}

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string } | { readonly missing: string }

/** What a program left behind may hold its output open: after its own end this is how long we listen yet. */
const OPEN_OUTPUT_MS = 500

/** Runs to the program's end; when the signal is raised it is killed with all it has started. */
function runProgram([program = '', ...args]: readonly string[], { cwd, env, input, signal }: Program): Promise<Ended> {
  return new Promise(resolve => {
    let child: ChildProcess
    try {
      // A group of its own, so that it can be ended with all it has started.
      child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    } catch (error) {
      return resolve({ missing: foreignLine(error instanceof Error ? error.message : String(error), 200) })
    }
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(0, KEPT)
      })
    child.stdin?.on('error', () => undefined).end(input)
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
    }
    const end = (code: number): void => {
      signal.removeEventListener('abort', kill)
      child.stdout?.destroy()
      child.stderr?.destroy()
      resolve({ code, ...output })
    }
    signal.addEventListener('abort', kill, { once: true })
    child.on('error', error => resolve({ missing: foreignLine(error.message, 200) }))
    child.on('exit', code => setTimeout(() => end(code ?? -1), OPEN_OUTPUT_MS).unref())
    child.on('close', code => end(code ?? -1))
  })
}
