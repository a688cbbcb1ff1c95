// One HTTP request to one call of one service, and back, in whichever of the services' protocols it came: AWS JSON 1.0 and 1.1, Query, rpcv2Cbor.
import { cbor, tag } from '@smithy/core/cbor'
import { AwsError } from './errors.ts'
import { loadModel, type Model, shapeOf } from './model.ts'
import { errorXml, fromForm, toXml } from './query.ts'
import { isRecord } from './validate.ts'

export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

export interface WireResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface Asked {
  readonly model: Model
  /** Name of its file in models/. */
  readonly modelName: string
  readonly operation: string
  readonly protocol: 'json' | 'query' | 'cbor'
  readonly input: Record<string, unknown>
}

/** What the request asks. @throws AwsError where that cannot be said */
export function read(request: WireRequest, modelNames: readonly string[]): Asked {
  const target = request.headers['x-amz-target']
  if (target !== undefined) {
    const [prefix = '', operation = ''] = target.split('.')
    const modelName = modelNames.find(name => loadModel(name).targetPrefix === prefix)
    if (modelName === undefined) throw new AwsError('UnknownOperationException', `the simulator has no service ${prefix}`)
    return { model: loadModel(modelName), modelName, operation, protocol: 'json', input: fromJson(request.body) }
  }
  const rpc = /^\/service\/([^/]+)\/operation\/([^/]+)$/.exec(request.path)
  if (rpc !== null) {
    const modelName = modelNames.find(name => loadModel(name).targetPrefix === rpc[1])
    if (modelName === undefined) throw new AwsError('UnknownOperationException', `the simulator has no service ${rpc[1]}`)
    const value: unknown = request.body.length === 0 ? {} : cbor.deserialize(request.body)
    const input = untagged(value)
    return {
      model: loadModel(modelName),
      modelName,
      operation: rpc[2] ?? '',
      protocol: 'cbor',
      input: isRecord(input) ? input : {},
    }
  }
  const form = new URLSearchParams(request.body.toString() === '' ? (request.path.split('?')[1] ?? '') : request.body.toString())
  const [operation, version] = [form.get('Action') ?? '', form.get('Version') ?? '']
  const modelName = modelNames.find(
    name => loadModel(name).version === version && loadModel(name).operations[operation] !== undefined,
  )
  const byVersion = modelName ?? modelNames.find(name => loadModel(name).version === version)
  if (byVersion === undefined) throw new AwsError('UnknownOperationException', 'the simulator knows no such request')
  const model = loadModel(byVersion)
  const shape = model.operations[operation]?.input
  return { model, modelName: byVersion, operation, protocol: 'query', input: fromForm(model, shape, form) }
}

function fromJson(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {}
  try {
    const value: unknown = JSON.parse(body.toString())
    if (isRecord(value)) return value
  } catch {}
  throw new AwsError('SerializationException', 'the body is no JSON object')
}

/** Timestamps come tagged; all else is as it is. */
function untagged(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(untagged)
  if (value instanceof Uint8Array || !isRecord(value)) return typeof value === 'bigint' ? Number(value) : value
  if ('tag' in value && 'value' in value && Object.keys(value).length === 2) return Number(value['value'])
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, untagged(one)]))
}

/** With CBOR's own type for timestamps. */
function tagged(model: Model, shapeName: string, value: unknown): unknown {
  const shape = shapeOf(model, shapeName)
  if (value === undefined) return undefined
  if (shape.type === 'timestamp') return tag({ tag: 1, value: value as number })
  if (shape.type === 'list') return (value as unknown[]).map(one => tagged(model, shape.member?.shape ?? '', one))
  if (shape.type === 'map') return mapped(value, (_, one) => tagged(model, shape.value?.shape ?? '', one))
  if (shape.type === 'structure') return mapped(value, (name, one) => tagged(model, shape.members?.[name]?.shape ?? '', one))
  return value
}

const mapped = (value: unknown, each: (name: string, one: unknown) => unknown): object =>
  Object.fromEntries(
    Object.entries(value as object).flatMap(([name, one]) => (one === undefined ? [] : [[name, each(name, one)]])),
  )

export function answer(asked: Asked, output: Record<string, unknown>, requestId: string): WireResponse {
  const { model, operation, protocol } = asked
  const headers = { 'x-amzn-requestid': requestId }
  switch (protocol) {
    case 'json':
      return {
        status: 200,
        headers: { ...headers, 'content-type': `application/x-amz-json-${model.jsonVersion}` },
        body: JSON.stringify(output),
      }
    case 'query':
      return {
        status: 200,
        headers: { ...headers, 'content-type': 'text/xml' },
        body: toXml(model, operation, output, requestId),
      }
    case 'cbor': {
      const shape = model.operations[operation]?.output
      const body = cbor.serialize(shape === undefined ? {} : tagged(model, shape, output))
      return { status: 200, headers: { ...headers, 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' }, body }
    }
  }
}

/** `asked` is undefined where the request could not even be read. */
export function refusal(asked: Asked | undefined, error: AwsError, requestId: string): WireResponse {
  const { code, message, status, fields } = error
  const headers = { 'x-amzn-requestid': requestId }
  // Query has a code of its own, by the model, and so have services that once spoke it.
  const shape = asked?.model.shapes[code]
  const queryCode = shape?.error?.code ?? code
  switch (asked?.protocol) {
    case 'query': {
      const known = shape?.error?.httpStatusCode ?? status
      return {
        status: known,
        headers: { ...headers, 'content-type': 'text/xml' },
        body: errorXml(asked.model, queryCode, message, known < 500, requestId),
      }
    }
    case 'cbor': {
      const body = cbor.serialize({ __type: code, message, ...fields })
      const type = { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' }
      return {
        status,
        headers: { ...headers, ...type, 'x-amzn-query-error': `${queryCode};${status < 500 ? 'Sender' : 'Receiver'}` },
        body,
      }
    }
    default: {
      const compatible: Record<string, string> =
        asked?.model.jsonVersion === '1.0' ? { 'x-amzn-query-error': `${queryCode};${status < 500 ? 'Sender' : 'Receiver'}` } : {}
      return {
        status,
        headers: { ...headers, 'content-type': `application/x-amz-json-${asked?.model.jsonVersion ?? '1.1'}`, ...compatible },
        body: JSON.stringify({ __type: code, message, ...fields }),
      }
    }
  }
}
