// Holds a value against a shape of a service's model, more strictly than the services do: a field that the model does not name is a misspelt one.
import { type Model, shapeOf } from './model.ts'

/** Values that the documentation has and the model's enumeration has not. */
const DOCUMENTED: ReadonlySet<string> = new Set(['ServiceDeploymentLifecycleStage PRE_PRODUCTION_TRAFFIC_SHIFT'])

/** What is wrong with `value`, each with the path to it. Timestamps are seconds since 1970. */
export function faultsOf(model: Model, shapeName: string, value: unknown, path = '$'): string[] {
  const shape = shapeOf(model, shapeName)
  const wrong = (): string[] => [`${path}: ${JSON.stringify(value)?.slice(0, 80)} is no ${shape.type} (${shapeName})`]
  switch (shape.type) {
    case 'structure': {
      if (shape.document === true) return []
      if (!isRecord(value)) return wrong()
      const members = shape.members ?? {}
      const missing = (shape.required ?? [])
        .filter(name => value[name] === undefined)
        .map(name => `${path}: ${name} is missing (${shapeName})`)
      const found = Object.entries(value).flatMap(([name, one]) => {
        const member = members[name]
        if (one === undefined || one === null) return []
        return member === undefined
          ? [`${path}: ${shapeName} has no ${name}`]
          : faultsOf(model, member.shape, one, `${path}.${name}`)
      })
      return [...missing, ...found]
    }
    case 'list':
      return Array.isArray(value)
        ? value.flatMap((one, index) => faultsOf(model, shape.member?.shape ?? '', one, `${path}[${index}]`))
        : wrong()
    case 'map':
      return isRecord(value)
        ? Object.entries(value).flatMap(([key, one]) => faultsOf(model, shape.value?.shape ?? '', one, `${path}.${key}`))
        : wrong()
    case 'string':
      if (typeof value !== 'string') return wrong()
      return shape.enum !== undefined && !shape.enum.includes(value) && !DOCUMENTED.has(`${shapeName} ${value}`)
        ? [`${path}: ${JSON.stringify(value)} is none of ${shape.enum.join(', ')}`]
        : []
    case 'integer':
    case 'long':
      return Number.isInteger(value) ? [] : wrong()
    case 'float':
    case 'double':
    case 'timestamp':
      return typeof value === 'number' ? [] : wrong()
    case 'boolean':
      return typeof value === 'boolean' ? [] : wrong()
    case 'blob':
      return typeof value === 'string' || value instanceof Uint8Array ? [] : wrong()
  }
}

/** Names of required members that are not there, at the top alone: what every service refuses with a word of its own. */
export function missingOf(model: Model, shapeName: string | undefined, value: Readonly<Record<string, unknown>>): string[] {
  if (shapeName === undefined) return []
  return (shapeOf(model, shapeName).required ?? []).filter(name => value[name] === undefined || value[name] === null)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
