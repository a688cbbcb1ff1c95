// JSONPath (RFC 9535) over a JSON body: `$.items[?@.ok == false].id`, and the short form `.items[0].id`.
import { compiledPattern, pattern } from './pattern.ts'

/** All values that the path finds; a JSON body is foreign, so the path alone decides what is looked at. */
export type JsonQuery = (document: unknown) => readonly unknown[]

/** What is wrong with a path, said after it. */
export class QueryFault extends Error {}

/** A body nested deeper than this finds nothing below: `..` walks it by recursion. */
const DEEPEST = 200

/** @throws QueryFault */
export async function compileJsonQuery(path: string): Promise<JsonQuery> {
  const { JSONPathEnvironment, FunctionExpressionType } = await import('json-p3')
  await pattern('')
  const environment = new JSONPathEnvironment({ maxRecursionDepth: DEEPEST })
  // The library's own match() and search() are JavaScript's expressions, which a body can make run for ever.
  for (const [name, whole] of [
    ['match', true],
    ['search', false],
  ] as const)
    environment.functionRegister.set(name, {
      argTypes: [FunctionExpressionType.ValueType, FunctionExpressionType.ValueType],
      returnType: FunctionExpressionType.LogicalType,
      call: (value: unknown, expression: unknown) => {
        if (typeof value !== 'string' || typeof expression !== 'string') return false
        return compiledPattern(whole ? `^(?:${expression})$` : expression)?.(value) ?? false
      },
    })
  try {
    const query = environment.compile(path.startsWith('$') ? path : path === '.' ? '$' : `$${path.replace(/^\.(?=\[)/, '')}`)
    return document => {
      try {
        return query.query(document as never).values()
      } catch {
        return []
      }
    }
  } catch (error) {
    throw new QueryFault(`is no JSONPath: ${error instanceof Error ? error.message : String(error)}`)
  }
}
