// Cuts out of GitHub's OpenAPI description what the sandbox's fake of its API serves, as JSON Schema: requests and answers of those calls, and the
// schemas they need. The description is large, so it is no dependency: npm install @octokit/openapi in a folder elsewhere, and name the file.
// Usage: node scripts/openapi-slice.ts FOLDER/node_modules/@octokit/openapi/generated/api.github.com.json
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repositoryRoot } from './action-file.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

export const slicePath: string = join(repositoryRoot, '__tests__', 'sandbox', 'github', 'fixtures', 'openapi.json')

/** The calls that the fake serves, as GitHub's description names them. */
const OPERATIONS = [
  'repos/get',
  'repos/get-commit',
  'repos/compare-commits-with-basehead',
  'issues/list-for-repo',
  'issues/create',
  'issues/get',
  'issues/list-comments',
  'issues/create-comment',
  'repos/list-deployments',
  'repos/create-deployment',
  'repos/get-deployment',
  'repos/list-deployment-statuses',
  'repos/create-deployment-status',
]
/** The answers of every call that are looked at, beside its good ones. */
const FAULTS = { '401': 'basic-error', '403': 'basic-error', '404': 'basic-error', '422': 'validation-error' }
const PROSE = new Set(['description', 'example', 'examples', 'title', 'externalDocs', 'x-multi-segment'])
const LOCAL = '#/components/schemas/'

export interface Operation {
  readonly method: string
  readonly path: string
  /** Schema of the request's body. */
  readonly request?: JsonObject
  /** Schema of the answer's body, by status. */
  readonly answers: Readonly<Record<string, JsonObject>>
}

export interface Slice {
  readonly source: string
  readonly operations: Readonly<Record<string, Operation>>
  /** By the name that `$ref: <name>` says. */
  readonly schemas: Readonly<Record<string, JsonObject>>
}

/** A schema of OpenAPI 3.0 as JSON Schema: `nullable` becomes the type null, prose goes. */
export function asJsonSchema(value: Json): Json {
  if (Array.isArray(value)) return value.map(asJsonSchema)
  if (value === null || typeof value !== 'object') return value
  const plain: JsonObject = {}
  for (const [key, one] of Object.entries(value)) {
    if (key === 'properties' && isObject(one)) {
      plain[key] = Object.fromEntries(Object.entries(one).map(([name, schema]) => [name, asJsonSchema(schema)]))
    } else if (key === '$ref' && typeof one === 'string') plain[key] = one.replace(LOCAL, '')
    else if (!PROSE.has(key) && key !== 'nullable' && key !== 'default') plain[key] = asJsonSchema(one)
  }
  if (value['nullable'] !== true) return plain
  return { anyOf: [plain, { type: 'null' }] }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value at a path of keys. @throws when it is no object */
function at(value: Json, ...keys: string[]): JsonObject {
  let found: Json | undefined = value
  for (const key of keys) found = isObject(found) ? found[key] : undefined
  if (!isObject(found)) throw new Error(`the description has no object at ${keys.join(' > ')}`)
  return found
}

export function cutSlice(description: Json): Slice {
  const schemas: Record<string, JsonObject> = {}
  const take = (value: Json): void => {
    if (Array.isArray(value)) for (const one of value) take(one)
    if (!isObject(value)) return
    const name = value['$ref']
    if (typeof name === 'string' && schemas[name] === undefined) {
      schemas[name] = asJsonSchema(at(description, 'components', 'schemas', name)) as JsonObject
      take(schemas[name])
    }
    for (const one of Object.values(value)) take(one)
  }

  const operations: Record<string, Operation> = {}
  for (const [path, methods] of Object.entries(at(description, 'paths'))) {
    for (const [method, operation] of Object.entries(isObject(methods) ? methods : {})) {
      const id = isObject(operation) ? operation['operationId'] : undefined
      if (!isObject(operation) || typeof id !== 'string' || !OPERATIONS.includes(id)) continue
      const answers: Record<string, JsonObject> = {}
      for (const [status, answer] of Object.entries(at(operation, 'responses'))) {
        if (!status.startsWith('2') || !isObject(answer) || !isObject(answer['content'])) continue
        answers[status] = asJsonSchema(at(answer, 'content', 'application/json', 'schema')) as JsonObject
      }
      for (const [status, schema] of Object.entries(FAULTS)) answers[status] = { $ref: schema }
      const request = isObject(operation['requestBody'])
        ? (asJsonSchema(at(operation, 'requestBody', 'content', 'application/json', 'schema')) as JsonObject)
        : undefined
      take(answers)
      if (request !== undefined) take(request)
      operations[id] = { method: method.toUpperCase(), path, ...(request === undefined ? {} : { request }), answers }
    }
  }
  const missing = OPERATIONS.filter(id => operations[id] === undefined)
  if (missing.length > 0) throw new Error(`the description has no ${missing.join(', ')}`)
  const version = at(description, 'info')['version']
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)))
  return { source: `@octokit/openapi ${version}, MIT License`, operations, schemas: sorted }
}

if (import.meta.main) {
  const [file] = process.argv.slice(2)
  if (file === undefined) {
    process.stderr.write('usage: node scripts/openapi-slice.ts .../@octokit/openapi/generated/api.github.com.json\n')
    process.exit(1)
  }
  const slice = cutSlice(JSON.parse(readFileSync(file, 'utf8')) as Json)
  mkdirSync(dirname(slicePath), { recursive: true })
  writeFileSync(slicePath, `${JSON.stringify(slice, null, 1)}\n`)
  process.stdout.write(`${Object.keys(slice.operations).length} calls, ${Object.keys(slice.schemas).length} schemas\n`)
}
