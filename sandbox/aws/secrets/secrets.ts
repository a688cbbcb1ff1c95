// AWS Secrets Manager, as far as a deployment asks for it.
import { AwsError } from '../protocol/errors.ts'
import type { Service } from '../service.ts'
import { type Secret, Secrets } from './state.ts'

function secretOf(secrets: Secrets, named: string): Secret {
  const secret = secrets.secret(named)
  if (secret === undefined) throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.")
  return secret
}

export const secretsmanager: Service = {
  model: 'secretsmanager',
  invalid: 'InvalidParameterException',
  handlers: {
    CreateSecret: (input: { Name: string; SecretString?: string }, { region, world }) => {
      const secrets = region.part(Secrets)
      if (secrets.secrets.has(input.Name))
        throw new AwsError('ResourceExistsException', `The operation failed because the secret ${input.Name} already exists.`)
      const secret: Secret = {
        arn: region.arn('secretsmanager', `secret:${input.Name}-${world.ids.word(6)}`),
        ...{ name: input.Name, createdAt: world.now(), value: input.SecretString ?? '', version: world.ids.uuid() },
      }
      secrets.secrets.set(secret.name, secret)
      return { ARN: secret.arn, Name: secret.name, VersionId: secret.version }
    },
    DescribeSecret: (input: { SecretId: string }, { region }) => {
      const { arn, name, createdAt, version } = secretOf(region.part(Secrets), input.SecretId)
      return { ARN: arn, Name: name, CreatedDate: createdAt, VersionIdsToStages: { [version]: ['AWSCURRENT'] } }
    },
    GetSecretValue: (input: { SecretId: string }, { region }) => {
      const { arn, name, createdAt, version, value } = secretOf(region.part(Secrets), input.SecretId)
      return {
        ARN: arn,
        Name: name,
        CreatedDate: createdAt,
        VersionId: version,
        SecretString: value,
        VersionStages: ['AWSCURRENT'],
      }
    },
    DeleteSecret: (input: { SecretId: string }, { region, world }) => {
      const secrets = region.part(Secrets)
      const { arn, name } = secretOf(secrets, input.SecretId)
      secrets.secrets.delete(name)
      return { ARN: arn, Name: name, DeletionDate: world.now() }
    },
  },
}
