// Holds a request and its answer against the slice of GitHub's OpenAPI description. Stricter than the description: a field that it does not name is a
// fault as well, for in a fake that is a misspelt one.
import { Ajv, type ValidateFunction } from 'ajv'
import type { Operation, Slice } from '../../../scripts/openapi-slice.ts'

const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: true })
// GitHub's own default for the addresses of a deployment status is the empty text.
ajv.addFormat('uri', text => text === '' || URL.canParse(text))
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
for (const name of ['email', 'int64', 'date', 'timestamp', 'repo.nwo']) ajv.addFormat(name, true)

const compiled = new Map<string, ValidateFunction>()

/** An object schema that takes no other fields than those it names, all the way down. */
export function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([key, value]) =>
    key === 'properties'
      ? [key, Object.fromEntries(Object.entries(value as object).map(([name, one]) => [name, closed(one)]))]
      : [key, closed(value)],
  )
  const isObject = 'properties' in schema && !('additionalProperties' in schema)
  return { ...Object.fromEntries(entries), ...(isObject ? { additionalProperties: false } : {}) }
}

/** `call` is GitHub's name of the call; without one the path is none of the slice. */
export function answerFaults(
  slice: Slice,
  method: string,
  path: string,
  sent: string | undefined,
  status: number,
  answer: unknown,
): { call: string; found: string[] } {
  const [call, operation] = Object.entries(slice.operations).find(([, one]) => fits(one, method, path)) ?? []
  if (call === undefined || operation === undefined) return { call: '', found: [`${method} ${path} is not in the description`] }
  const faultsOf = (what: string, schema: object | undefined, value: unknown): string[] => {
    if (schema === undefined) return [`${call}: the description has no ${what}`]
    const name = `${call} ${what}`
    const validate = compiled.get(name) ?? ajv.compile(withSchemas(slice, schema))
    compiled.set(name, validate)
    if (validate(value)) return []
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${name}${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
  // What a test sends on purpose wrongly is no fault.
  const request = sent === undefined || status >= 400 ? [] : faultsOf('request', operation.request, JSON.parse(sent))
  return { call, found: [...request, ...faultsOf(`answer ${status}`, operation.answers[String(status)], answer)] }
}

function fits({ method, path }: Operation, asked: string, pathname: string): boolean {
  const pattern = path.replace(/\{\w+\}/g, '[^/]+')
  return method === asked && new RegExp(`^${pattern}$`).test(pathname)
}

/** A schema that stands alone: `$ref: name` leads into all schemas of the slice, which are compiled once. */
function withSchemas(slice: Slice, schema: object): object {
  const local = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (key, one) =>
      key === '$ref' && typeof one === 'string' ? `github#/definitions/${one}` : one,
    )
  if (ajv.getSchema('github') === undefined) ajv.addSchema({ $id: 'github', definitions: local(closed(slice.schemas)) })
  return local(closed(schema)) as object
}
