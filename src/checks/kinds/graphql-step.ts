// The GraphQL kind of step: an HTTP request of its own form. An answer with errors is wrong, whatever its status.
import type { GraphqlStep } from '../check-file/smoke-schema.ts'
import type { Scope } from '../smoke/scope.ts'
import { compileHttp } from './http-step.ts'
import type { CompiledStep, Tools } from './kind.ts'

export function compileGraphql(
  { graphql, query, variables, 'operation-name': operationName, ...given }: GraphqlStep,
  path: readonly PropertyKey[],
  tools: Tools,
  scope: Scope,
  captures: ReadonlySet<string>,
): Promise<CompiledStep> {
  const { expect = {}, ...step } = given
  const json = { '.errors': { exists: false }, ...expect.json }
  const body = {
    query,
    ...(variables === undefined ? {} : { variables }),
    ...(operationName === undefined ? {} : { operationName }),
  }
  const headers = { accept: 'application/graphql-response+json, application/json', ...step.headers }
  const request = { ...step, headers, post: graphql, json: body, expect: { ...expect, json } }
  return compileHttp(request, path, tools, scope, captures, /^\s*(?:#.*\n\s*)*(?:mutation|subscription)\b/m.test(query))
}
