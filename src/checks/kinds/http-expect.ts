// What a check file expects of an HTTP answer, made ready once and held against each answer.
import { readFile } from 'node:fs/promises'
import { type AnswerContent, quoted, readJson } from '../answer.ts'
import type { HttpExpect, Matcher } from '../check-file/expect-schema.ts'
import { workspaceFile } from '../check-file/read.ts'
import { TemplateFault } from '../check-file/template.ts'
import type { Finding, FindingKind } from '../expectation.ts'
import { compileJsonQuery } from '../json-query.ts'
import { type CompiledMatcher, compileMatcher } from '../matcher.ts'
import { pattern, patternNow } from '../pattern.ts'
import type { Scope } from '../smoke/scope.ts'
import { formatStatusPatterns, matchesStatus } from '../status-pattern.ts'
import { at, finding, shown, type Tools, timeFinding } from './kind.ts'

export interface CompiledExpect {
  readonly isWanted: (status: number) => boolean
  /** In words. */
  readonly asked: string
  /** All demands with what came, in the order in which they are worth reading. */
  examine(answer: AnswerContent & { readonly ms: number }, scope: Scope): readonly Finding[]
}

type Demand = (answer: AnswerContent, scope: Scope) => Finding

const ANY_SUCCESS = ['2xx']
const LARGEST_SCHEMA = 1024 * 1024

/** `usual`: the statuses that are right where nothing is said; none for a state, of which an answer may say anything else. */
export async function compileExpect(
  expect: HttpExpect,
  path: readonly PropertyKey[],
  tools: Tools,
  usual: readonly string[] = ANY_SUCCESS,
): Promise<CompiledExpect> {
  const statuses = expect.status ?? usual
  const { redact } = tools
  const demands: Demand[] = []
  const words: string[] = statuses.length === 0 ? [] : [`status ${formatStatusPatterns(statuses)}`]
  for (const [name, matcher] of Object.entries(expect.headers ?? {})) {
    const held = await at([...path, 'headers', name], () => compileMatcher(matcher))
    words.push(`header ${name}`)
    demands.push((answer, scope) => {
      const value = answer.headers[name.toLowerCase()]
      const values = value === undefined ? [] : [Array.isArray(value) ? value.join(', ') : value]
      return finding('header', `header ${name}`, held, values, scope, redact)
    })
  }
  if (expect.body !== undefined) {
    const held = await at([...path, 'body'], () => compileMatcher(expect.body as Matcher))
    words.push('body')
    demands.push((answer, scope) => {
      const found = finding('body', 'body', held, [answer.body], scope, redact)
      return {
        ...found,
        came: answer.body.trim() === '' ? 'an empty one' : `${found.came}${answer.truncated ? ' (its first MiB)' : ''}`,
      }
    })
  }
  if (expect.json !== undefined) {
    demands.push(
      ...(await compileJsonDemands(expect.json, [...path, 'json'], tools, 'json')).map(demand => withJson(demand, redact)),
    )
    words.push(...Object.keys(expect.json))
  }
  if (expect['json-schema'] !== undefined) {
    const validate = await at([...path, 'json-schema'], () => compileSchema(expect['json-schema'] ?? {}, tools))
    words.push('a JSON Schema')
    demands.push(withJson((document, _scope) => validate(document, redact), redact))
  }
  if (expect['time-below'] !== undefined) words.push(`within ${expect['time-below']} ms`)
  return {
    isWanted: status => matchesStatus(statuses, status),
    asked: words.join(', '),
    examine: (answer, scope) => [
      ...(statuses.length === 0 ? [] : [statusFinding(statuses, answer, redact)]),
      ...demands.map(demand => demand(answer, scope)),
      ...timeFinding(answer.ms, expect['time-below']),
    ],
  }
}

const EXCERPT = 160
const REDACTED = 16_384

function statusFinding(statuses: readonly string[], answer: AnswerContent, redact: (text: string) => string): Finding {
  const holds = matchesStatus(statuses, answer.status)
  const excerpt = holds || answer.body.trim() === '' ? {} : { excerpt: quoted(redact(answer.body.slice(0, REDACTED)), EXCERPT) }
  return {
    kind: 'status',
    what: 'status',
    expected: formatStatusPatterns(statuses),
    came: String(answer.status),
    holds,
    ...excerpt,
  }
}

type JsonDemand = (document: unknown, scope: Scope, unreadable?: string) => Finding

/** The same demand, of an answer whose body may be no JSON at all. */
function withJson(demand: JsonDemand, redact: (text: string) => string): Demand {
  return (answer, scope) => {
    const read = readJson(answer)
    if (!('unreadable' in read)) return demand(read.document, scope)
    const excerpt = answer.body.trim() === '' ? {} : { excerpt: quoted(redact(answer.body.slice(0, REDACTED)), EXCERPT) }
    return { ...demand(undefined, scope), came: read.unreadable, holds: false, ...excerpt }
  }
}

/** Demands on the values that paths find. */
export async function compileJsonDemands(
  demands: Readonly<Record<string, Matcher>>,
  path: readonly PropertyKey[],
  tools: Pick<Tools, 'redact'>,
  kind: FindingKind,
): Promise<JsonDemand[]> {
  const compiled: JsonDemand[] = []
  for (const [query, matcher] of Object.entries(demands)) {
    const find = await at([...path, query], () => compileJsonQuery(query))
    const held: CompiledMatcher = await at([...path, query], () => compileMatcher(matcher))
    compiled.push((document, scope) => finding(kind, query, held, find(document), scope, tools.redact))
  }
  return compiled
}

async function compileSchema(
  given: string | Record<string, unknown>,
  tools: Tools,
): Promise<(document: unknown, redact: (text: string) => string) => Finding> {
  const schema = typeof given === 'string' ? await readSchema(tools.file.variables.fill(given), tools) : given
  const [{ Ajv2020 }, { default: addFormats }] = await Promise.all([import('ajv/dist/2020.js'), import('ajv-formats')])
  await pattern('')
  // A schema's own expressions take linear time too.
  const regExp = Object.assign((expression: string) => ({ test: patternNow(expression) }), { code: 'new RegExp' })
  const ajv = new Ajv2020({ strict: false, logger: false, code: { regExp: regExp as never }, validateFormats: true })
  // biome-ignore lint/suspicious/noExplicitAny: the plugin's types name another instance of the same class.
  ;(addFormats as any)(ajv, { mode: 'full' })
  let validate: ReturnType<typeof ajv.compile>
  try {
    validate = ajv.compile(withoutDialect(schema))
  } catch (error) {
    throw new TemplateFault(`is no JSON Schema that can be used: ${error instanceof Error ? error.message : String(error)}`)
  }
  return (document, redact) => {
    const holds = validate(document) === true
    const [first] = validate.errors ?? []
    const place = first?.instancePath === '' || first === undefined ? 'the body' : first.instancePath
    return {
      kind: 'json',
      what: 'JSON',
      expected: 'as its schema says',
      came: holds ? 'so' : shown(redact(`${place} ${first?.message ?? 'is not'}`)),
      holds,
    }
  }
}

/** Draft 7 and 2020-12 read alike what smoke checks use; the name of a dialect that is not loaded would be refused. */
function withoutDialect(schema: Record<string, unknown>): Record<string, unknown> {
  const { $schema: _, ...rest } = schema
  return rest
}

async function readSchema(name: string, tools: Tools): Promise<Record<string, unknown>> {
  const file = await workspaceFile(name, tools.workspace, LARGEST_SCHEMA, 'json-schema')
  const { parse } = await import('yaml')
  try {
    const schema: unknown = parse(await readFile(file.path, 'utf8'), { maxAliasCount: 100 })
    if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new TemplateFault(`names ${file.name}, which holds no JSON Schema`)
}
