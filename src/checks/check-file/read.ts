// Reads a check file: YAML to what the schema says, with all that is wrong told at once, each with its line and column.
import { readFile, realpath, stat } from 'node:fs/promises'
import { relative, resolve, sep } from 'node:path'
import { type Document, isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml'
import { closest } from '../../runner/closest-name.ts'
import { ExpectedFailure, type FilePosition } from '../../runner/failure.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { describeIssue, type Fault, faultsOf } from './faults.ts'
import { type CheckFileContent, checkFileSchema } from './schema.ts'
import { parseTemplate, TemplateFault } from './template.ts'
import { createVariables, missing, type Variables } from './variables.ts'

const LARGEST_BYTES = 1024 * 1024
const FAULTS_TOLD = 20

export interface CheckFile {
  /** Relative to the workspace. */
  readonly name: string
  readonly content: CheckFileContent
  readonly variables: Variables
  /** Where something stands, for an annotation. */
  at(path: readonly PropertyKey[]): FilePosition
  /** Faults that show only when the file is put to use, as one failure. */
  failure(faults: readonly Fault[]): ExpectedFailure
}

export interface CheckFileContext {
  readonly workspace: string
  readonly env: NodeJS.ProcessEnv
}

/** A file of the workspace. @throws ExpectedFailure InvalidInput, NotFound */
export async function readCheckFile(path: string, { workspace, env }: CheckFileContext): Promise<CheckFile> {
  const file = await workspaceFile(path, workspace, LARGEST_BYTES, 'checks')
  return parseCheckFile(await readFile(file.path, 'utf8'), file.name, env)
}

/**
 * The real path of a file that must lie in the workspace.
 * @param what the input or key that names it, for the sentence
 * @throws ExpectedFailure InvalidInput, NotFound
 */
export async function workspaceFile(
  path: string,
  workspace: string,
  limitBytes: number,
  what: string,
): Promise<{ readonly path: string; readonly name: string }> {
  const shown = `"${foreignLine(path, 200)}"`
  const root = await realpath(workspace)
  const real = path.includes('\0') ? undefined : await realpath(resolve(workspace, path)).catch(() => undefined)
  if (real === undefined)
    throw new ExpectedFailure(
      'NotFound',
      `${what}: ${shown} does not exist in the workspace; is there a checkout step before this one?`,
    )
  const name = relative(root, real).split(sep).join('/')
  if (name === '..' || name.startsWith('../'))
    throw new ExpectedFailure('InvalidInput', `${what}: ${shown} lies outside of the workspace.`)
  const found = await stat(real)
  if (!found.isFile()) throw new ExpectedFailure('InvalidInput', `${what}: ${shown} is no file.`)
  if (found.size > limitBytes)
    throw new ExpectedFailure(
      'InvalidInput',
      `${what}: ${shown} has ${found.size} bytes, more than the ${limitBytes} that are read.`,
    )
  return { path: real, name }
}

/** @throws ExpectedFailure InvalidInput that names all faults */
export function parseCheckFile(text: string, name: string, env: NodeJS.ProcessEnv): CheckFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent', stringKeys: true })
  const position = (offset: number): FilePosition => {
    const { line, col } = lines.linePos(offset)
    return { file: name, line, column: col }
  }
  const syntax = document.errors.map(error => ({
    message: `${error.message.split('\n')[0]?.replace(/\.$/, '')}`,
    at: position(error.pos[0]),
  }))
  if (syntax.length > 0) throw failure(name, syntax)
  const at = (path: readonly PropertyKey[], key?: string): FilePosition => position(offsetOf(document, path, key))
  const raw = toPlain(document)
  if ('fault' in raw) throw failure(name, [{ message: raw.fault, at: position(0) }])
  const parsed = checkFileSchema.safeParse(raw.value ?? {}, { error: describeIssue })
  if (!parsed.success)
    throw failure(
      name,
      faultsOf(parsed.error.issues).map(fault => placed(fault, at)),
    )
  const content = parsed.data
  const variables = readVariables(content, env, name, at)
  const faults = templateFaults(document, variables, capturesIn(raw.value)).map(({ offset, message }) => ({
    message,
    at: position(offset),
  }))
  if (faults.length > 0) throw failure(name, faults)
  return {
    name,
    content,
    variables,
    at,
    failure: found =>
      failure(
        name,
        found.map(fault => placed(fault, at)),
      ),
  }
}

function toPlain(document: Document): { value: unknown } | { fault: string } {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) }
  } catch {
    return { fault: 'has more aliases than can be meant' }
  }
}

function readVariables(content: CheckFileContent, env: NodeJS.ProcessEnv, name: string, at: CheckFile['at']): Variables {
  try {
    return createVariables(content.with ?? {}, env, content.secrets)
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error
    const path = error.entry === undefined ? ['with'] : ['with', error.entry]
    throw failure(name, [{ message: `${pathText(path)} ${error.message}`, at: at(path) }])
  }
}

/** All names that any step of the file captures. */
function capturesIn(value: unknown): ReadonlySet<string> {
  if (Array.isArray(value)) return new Set(value.flatMap(each => [...capturesIn(each)]))
  if (typeof value !== 'object' || value === null) return new Set()
  const own = 'capture' in value && typeof value.capture === 'object' && value.capture !== null ? Object.keys(value.capture) : []
  return new Set([...own, ...Object.values(value).flatMap(each => [...capturesIn(each)])])
}

/** A variable that nothing gives a value is told before anything is asked. */
function templateFaults(
  document: Document,
  variables: Variables,
  captures: ReadonlySet<string>,
): { offset: number; message: string }[] {
  const faults: { offset: number; message: string }[] = []
  visit(document, {
    Scalar: (position, node) => {
      if (position === 'key' || typeof node.value !== 'string') return
      try {
        for (const part of parseTemplate(node.value)) {
          if (!('name' in part) || captures.has(part.name) || variables.lookUp(part.name) !== undefined) continue
          const known = [...variables.names, ...captures]
          const near = part.name.startsWith('env.') ? undefined : closest(part.name, known)
          faults.push({
            offset: node.range?.[0] ?? 0,
            message:
              near === undefined
                ? missing(part.name, known)
                : `uses \${${part.name}}, which is no variable; did you mean \${${near}}?`,
          })
        }
      } catch (error) {
        if (!(error instanceof TemplateFault)) throw error
        faults.push({ offset: node.range?.[0] ?? 0, message: error.message })
      }
    },
  })
  return faults
}

/** The beginning of a key where there is one, else of what stands at the path, or of the nearest thing above it. */
function offsetOf(document: Document, path: readonly PropertyKey[], key?: string): number {
  let node: Node | null = document.contents
  let offset = node?.range?.[0] ?? 0
  for (const part of key === undefined ? path : [...path, key]) {
    if (isMap(node)) {
      const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(part))
      if (!isPair(pair) || !isScalar(pair.key)) return offset
      offset = pair.key.range?.[0] ?? offset
      node = isNode(pair.value) ? pair.value : null
    } else {
      const next: unknown = isSeq(node) ? node.items[Number(part)] : undefined
      if (!isNode(next)) return offset
      node = next
      offset = node.range?.[0] ?? offset
    }
  }
  return offset
}

function placed(fault: Fault, at: (path: readonly PropertyKey[], key?: string) => FilePosition): Told {
  const place = pathText(fault.path)
  return { message: `${place === '' ? '' : `${place}: `}${fault.message}`, at: at(fault.path, fault.key) }
}

/** `smoke.steps[2].expect.status` */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      const name = String(part)
      return /^[\w-]+$/.test(name) ? `${index === 0 ? '' : '.'}${name}` : `["${foreignLine(name, 60)}"]`
    })
    .join('')
}

interface Told {
  readonly message: string
  readonly at: FilePosition
}

function failure(name: string, faults: readonly Told[]): ExpectedFailure {
  const told = faults.slice(0, FAULTS_TOLD).map(({ message, at }) => ({
    message: `${name}:${at.line ?? 1}:${at.column ?? 1}: ${foreignLine(message, 500).replace(/\.?$/, '.')}`,
    at,
  }))
  const [first, ...also] = told
  const more = faults.length > 1 ? ` (${faults.length} faults in all)` : ''
  return new ExpectedFailure('InvalidInput', `The check file is wrong, nothing was changed: ${first?.message ?? name}${more}`, {
    ...(first === undefined ? {} : { at: first.at }),
    also,
  })
}
