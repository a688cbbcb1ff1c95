// A service's model: its operations, and the shapes of what they take and answer. Read from models/*.json.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Reference {
  readonly shape: string
  /** The name on the wire, where it is another one. */
  readonly locationName?: string
  readonly flattened?: boolean
  readonly timestampFormat?: string
}

export interface Shape {
  readonly type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'integer'
    | 'long'
    | 'float'
    | 'double'
    | 'boolean'
    | 'timestamp'
    | 'blob'
  readonly members?: Readonly<Record<string, Reference>>
  readonly required?: readonly string[]
  readonly enum?: readonly string[]
  readonly member?: Reference
  readonly key?: Reference
  readonly value?: Reference
  readonly flattened?: boolean
  readonly min?: number
  readonly max?: number
  /** An error's code and status, where the protocol has its own. */
  readonly error?: { readonly code?: string; readonly httpStatusCode?: number; readonly senderFault?: boolean }
  readonly exception?: boolean
  readonly document?: boolean
  readonly union?: boolean
  readonly timestampFormat?: string
}

export interface Operation {
  readonly input?: string
  readonly output?: string
  /** The XML element around the answer, in the Query protocol. */
  readonly resultWrapper?: string
  readonly errors: readonly string[]
}

export interface Model {
  readonly service: string
  /** Of the names of IAM's actions: `ecs` in `ecs:UpdateService`. */
  readonly prefix: string
  readonly signingName: string
  readonly version: string
  readonly targetPrefix?: string
  readonly jsonVersion?: string
  readonly xmlNamespace: string
  readonly operations: Readonly<Record<string, Operation>>
  readonly shapes: Readonly<Record<string, Shape>>
}

const loaded = new Map<string, Model>()

/** By the name of its file in models/. Read once. */
export function loadModel(name: string): Model {
  const known = loaded.get(name)
  if (known !== undefined) return known
  const model = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'models', `${name}.json`), 'utf8')) as Model
  loaded.set(name, model)
  return model
}

/** @throws Error where the model has no such shape: the slice was cut wrongly */
export function shapeOf(model: Model, name: string): Shape {
  const shape = model.shapes[name]
  if (shape === undefined) throw new Error(`${model.service}'s model has no shape ${name}`)
  return shape
}
