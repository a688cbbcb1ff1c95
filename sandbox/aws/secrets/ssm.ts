// AWS Systems Manager's parameters, as far as a deployment asks for them.
import { AwsError } from '../protocol/errors.ts'
import type { Service } from '../service.ts'
import type { Region } from '../world.ts'
import { Secrets } from './state.ts'

/** By name or ARN. */
function describe(region: Region, named: string): object | undefined {
  const found = region.part(Secrets).parameter(named)
  if (found === undefined) return undefined
  return {
    ...{ Name: found.name, Type: found.type, Value: found.value, Version: found.version, LastModifiedDate: found.changedAt },
    ARN: region.arn('ssm', `parameter${found.name.startsWith('/') ? '' : '/'}${found.name}`),
    DataType: 'text',
  }
}

export const ssm: Service = {
  model: 'ssm',
  invalid: 'ValidationException',
  handlers: {
    PutParameter: (input: { Name: string; Value: string; Type?: string; Overwrite?: boolean }, { region, world }) => {
      const { parameters } = region.part(Secrets)
      const before = parameters.get(input.Name)
      if (before !== undefined && input.Overwrite !== true)
        throw new AwsError(
          'ParameterAlreadyExists',
          'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
        )
      const version = (before?.version ?? 0) + 1
      parameters.set(input.Name, {
        name: input.Name,
        type: input.Type ?? 'String',
        value: input.Value,
        version,
        changedAt: world.now(),
      })
      return { Version: version, Tier: 'Standard' }
    },
    GetParameter: (input: { Name: string }, { region }) => {
      const found = describe(region, input.Name)
      if (found === undefined) throw new AwsError('ParameterNotFound', '')
      return { Parameter: found }
    },
    GetParameters: (input: { Names: string[] }, { region }) => {
      const all = input.Names.map(name => ({ name, found: describe(region, name) }))
      return {
        Parameters: all.flatMap(({ found }) => (found === undefined ? [] : [found])),
        InvalidParameters: all.flatMap(({ name, found }) => (found === undefined ? [name] : [])),
      }
    },
    DeleteParameter: (input: { Name: string }, { region }) => {
      if (!region.part(Secrets).parameters.delete(input.Name)) throw new AwsError('ParameterNotFound', '')
      return {}
    },
  },
}
