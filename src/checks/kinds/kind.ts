// What every kind of step is given, and what it becomes: a question that can be asked again and again.

import { readFile } from 'node:fs/promises'
import { ExpectedFailure } from '../../runner/failure.ts'
import { quoted } from '../answer.ts'
import type { CheckFile } from '../check-file/read.ts'
import { workspaceFile } from '../check-file/read.ts'
import type { Smoke, TlsFiles } from '../check-file/smoke-schema.ts'
import { TemplateFault } from '../check-file/template.ts'
import type { Finding, FindingKind } from '../expectation.ts'
import type { CompiledMatcher } from '../matcher.ts'
import { describeValues } from '../matcher.ts'
import type { TlsSettings } from '../net/open.ts'
import type { Ask } from '../run-check.ts'
import type { Scope } from '../smoke/scope.ts'

/** The road into a cluster: a unix socket on which its API server answers. */
export interface ClusterRoad {
  readonly socketPath: string
}

export interface Tools {
  readonly file: CheckFile
  readonly smoke: Smoke
  /** Where addresses such as /health are taken from. */
  readonly baseUrl: string | undefined
  readonly workspace: string
  readonly env: NodeJS.ProcessEnv
  /** Blots out secrets. */
  readonly redact: (text: string) => string
  readonly mask: (secret: string) => void
  /** @throws ExpectedFailure */
  readonly cluster: () => Promise<ClusterRoad>
  /** After a release was put back its version is the one that must not answer any more. */
  readonly restored: boolean
}

/** A step whose variables are filled in. All texts are safe to print. */
export interface PreparedStep {
  readonly address: string
  /** What is demanded, in words. */
  readonly asked: string
  readonly ask: Ask
}

export interface CompiledStep {
  /** Asking may change something there: a wrong answer is not asked again unless the step says so. */
  readonly changes: boolean
  /** Time for one try, where the usual 10 s are not it. */
  readonly requestLimitMs?: number | undefined
  readonly consecutive?: number | undefined
  readonly poll?: {
    readonly intervalMs?: number | undefined
    readonly factor?: number | undefined
    readonly longestMs?: number | undefined
  }
  /** @throws TemplateFault for a captured value that can't stand where it would have to */
  prepare(scope: Scope): PreparedStep
}

/** A fault of the file at a step, found when it is made ready. */
export class StepFault extends Error {
  readonly path: readonly PropertyKey[]
  constructor(path: readonly PropertyKey[], message: string) {
    super(message)
    this.path = path
  }
}

/** Runs `make`, and tells what it throws of the file as a fault of the file at `path`. */
export async function at<T>(path: readonly PropertyKey[], make: () => T | Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    if (error instanceof TemplateFault || (error instanceof Error && /^(Pattern|Query)Fault$/.test(error.constructor.name)))
      throw new StepFault(path, error.message)
    if (error instanceof ExpectedFailure) throw new StepFault(path, error.message)
    throw error
  }
}

const SHOWN = 160
/** More than is ever shown, so that a secret is blotted out whole before the text is cut. */
const REDACTED = 16_384

/** One demand held against what came. `values`: none when there is nothing. */
export function finding(
  kind: FindingKind,
  what: string,
  matcher: CompiledMatcher,
  values: readonly unknown[],
  scope: Scope,
  redact: (text: string) => string,
): Finding {
  const { holds, expected } = matcher(values, scope)
  return { kind, what, expected: redact(expected), came: shown(redact(describeValues(values).slice(0, REDACTED))), holds }
}

/** Foreign text in a sentence, cut; the caller has blotted out its secrets. */
export function shown(text: string): string {
  const line = quoted(text, SHOWN).slice(1, -1)
  return line === '' ? 'an empty text' : line
}

/** That it took less than `limitMs`. */
export function timeFinding(ms: number, limitMs: number | undefined): Finding[] {
  if (limitMs === undefined) return []
  const came = `${Math.round(ms)} ms`
  return [{ kind: 'time', what: 'time', expected: `below ${limitMs} ms`, came, holds: ms < limitMs }]
}

const LARGEST_PEM = 1024 * 1024

/** The texts of the files that `tls` names. Variables of the file stand in them, captures can't. */
export async function readTls(
  tls: TlsFiles | undefined,
  path: readonly PropertyKey[],
  tools: Tools,
): Promise<TlsSettings | undefined> {
  if (tls === undefined) return undefined
  const pem = (name: 'ca' | 'cert' | 'key'): Promise<string | undefined> => readPem(tls[name], [...path, name], tools)
  const [ca, cert, key] = await Promise.all([pem('ca'), pem('cert'), pem('key')])
  if (key !== undefined) tools.mask(key)
  const serverName =
    tls['server-name'] === undefined
      ? undefined
      : await at([...path, 'server-name'], () => tools.file.variables.fill(tls['server-name'] ?? ''))
  return { ca, cert, key, serverName, verify: tls.verify }
}

/** PEM itself, or the path of a file with it. */
export async function readPem(
  given: string | undefined,
  path: readonly PropertyKey[],
  tools: Tools,
): Promise<string | undefined> {
  if (given === undefined) return undefined
  return at(path, async () => {
    const text = tools.file.variables.fill(given)
    if (text.includes('-----BEGIN ')) return text
    return readFile((await workspaceFile(text, tools.workspace, LARGEST_PEM, String(path.at(-1)))).path, 'utf8')
  })
}
