// The Query protocol: a form goes in, XML comes out. Both are read and written by the service's model.
import { type Model, type Reference, type Shape, shapeOf } from './model.ts'

/** The request's form as the structure that the shape says. */
export function fromForm(model: Model, shapeName: string | undefined, form: URLSearchParams): Record<string, unknown> {
  if (shapeName === undefined) return {}
  const fields = [...form].map(([name, text]) => ({ path: name.split('.'), text }))
  const value = structure(model, shapeOf(model, shapeName), fields)
  return value
}

interface Field {
  readonly path: readonly string[]
  readonly text: string
}

function read(model: Model, reference: Reference, fields: readonly Field[]): unknown {
  const shape = shapeOf(model, reference.shape)
  const text = fields.find(field => field.path.length === 0)?.text
  switch (shape.type) {
    case 'structure':
      return structure(model, shape, fields)
    case 'list': {
      // A list that holds nothing comes as an empty field of its name.
      const flat = shape.flattened === true || reference.flattened === true
      const inner = flat ? fields : below(fields, shape.member?.locationName ?? 'member').concat(below(fields, 'member'))
      const known = inner.length > 0 || flat ? inner : fields
      return numbered(known).map(one => read(model, shape.member ?? { shape: '' }, one))
    }
    case 'map': {
      const flat = shape.flattened === true || reference.flattened === true
      const entries = numbered(flat ? fields : below(fields, 'entry')).map(one => {
        const key = below(one, shape.key?.locationName ?? 'key')[0]?.text ?? ''
        return [key, read(model, shape.value ?? { shape: '' }, below(one, shape.value?.locationName ?? 'value'))]
      })
      return Object.fromEntries(entries)
    }
    case 'integer':
    case 'long':
    case 'float':
    case 'double':
      return text === undefined ? undefined : Number(text)
    case 'boolean':
      return text === undefined ? undefined : text === 'true'
    case 'timestamp':
      return text === undefined ? undefined : Date.parse(text) / 1000
    default:
      return text
  }
}

function structure(model: Model, shape: Shape, fields: readonly Field[]): Record<string, unknown> {
  const entries = Object.entries(shape.members ?? {}).flatMap(([name, member]) => {
    const target = shapeOf(model, member.shape)
    const flat = target.type === 'list' && (target.flattened === true || member.flattened === true)
    const wire = member.locationName ?? (flat ? target.member?.locationName : undefined) ?? name
    const found = below(fields, wire)
    return found.length === 0 ? [] : [[name, read(model, member, found)] as const]
  })
  return Object.fromEntries(entries)
}

const below = (fields: readonly Field[], name: string): Field[] =>
  fields.filter(field => field.path[0] === name).map(field => ({ path: field.path.slice(1), text: field.text }))

function numbered(fields: readonly Field[]): Field[][] {
  const numbers = new Set(fields.map(field => Number(field.path[0])).filter(number => Number.isInteger(number)))
  return [...numbers].sort((a, b) => a - b).map(number => below(fields, String(number)))
}

/** The whole answer of an operation. */
export function toXml(model: Model, operation: string, value: Readonly<Record<string, unknown>>, requestId: string): string {
  const { output, resultWrapper } = model.operations[operation] ?? {}
  const inner = output === undefined ? '' : members(model, shapeOf(model, output), value)
  const result = resultWrapper === undefined ? inner : `<${resultWrapper}>${inner}</${resultWrapper}>`
  const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`
  return `<${operation}Response xmlns="${model.xmlNamespace}">${result}${metadata}</${operation}Response>`
}

export function errorXml(model: Model, code: string, message: string, sender: boolean, requestId: string): string {
  const error = `<Error><Type>${sender ? 'Sender' : 'Receiver'}</Type><Code>${escaped(code)}</Code><Message>${escaped(message)}</Message></Error>`
  return `<ErrorResponse xmlns="${model.xmlNamespace}">${error}<RequestId>${requestId}</RequestId></ErrorResponse>`
}

function members(model: Model, shape: Shape, value: Readonly<Record<string, unknown>>): string {
  return Object.entries(shape.members ?? {})
    .map(([name, member]) => (value[name] === undefined ? '' : element(model, member, member.locationName ?? name, value[name])))
    .join('')
}

function element(model: Model, reference: Reference, name: string, value: unknown): string {
  const shape = shapeOf(model, reference.shape)
  const around = (inner: string): string => `<${name}>${inner}</${name}>`
  switch (shape.type) {
    case 'structure':
      return around(members(model, shape, value as Record<string, unknown>))
    case 'list': {
      const member = shape.member ?? { shape: '' }
      const flat = shape.flattened === true || reference.flattened === true
      const each = (value as unknown[])
        .map(one => element(model, member, flat ? (member.locationName ?? name) : (member.locationName ?? 'member'), one))
        .join('')
      return flat ? each : around(each)
    }
    case 'map': {
      const entries = Object.entries(value as object).map(([key, one]) => {
        const inner = `<${shape.key?.locationName ?? 'key'}>${escaped(key)}</${shape.key?.locationName ?? 'key'}>`
        return `<entry>${inner}${element(model, shape.value ?? { shape: '' }, shape.value?.locationName ?? 'value', one)}</entry>`
      })
      return around(entries.join(''))
    }
    case 'timestamp':
      return around(new Date((value as number) * 1000).toISOString())
    default:
      return around(escaped(String(value)))
  }
}

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '')
