// AWS STS: who asks, and roles taken on.
import type { Service } from '../service.ts'
import type { World } from '../world.ts'

const credentials = (world: World): object => ({
  AccessKeyId: `ASIA${world.ids.hex(16).toUpperCase()}`,
  SecretAccessKey: world.ids.word(40),
  SessionToken: world.ids.word(64),
  Expiration: world.now() + 3600,
})

interface AssumeInput {
  readonly RoleArn: string
  readonly RoleSessionName: string
}

const assumed = ({ RoleArn, RoleSessionName }: AssumeInput, world: World): object => ({
  Credentials: credentials(world),
  AssumedRoleUser: {
    AssumedRoleId: `AROA${world.ids.hex(16).toUpperCase()}:${RoleSessionName}`,
    Arn: `arn:aws:sts::${world.account}:assumed-role/${RoleArn.split('/').at(-1)}/${RoleSessionName}`,
  },
})

export const sts: Service = {
  model: 'sts',
  invalid: 'ValidationError',
  handlers: {
    GetCallerIdentity: (_input: object, { world, caller }) => ({
      UserId: 'AROASANDBOX:session',
      Account: world.account,
      Arn: caller,
    }),
    AssumeRole: (input: AssumeInput, { world }) => assumed(input, world),
    AssumeRoleWithWebIdentity: (input: AssumeInput, { world }) => ({
      ...assumed(input, world),
      SubjectFromWebIdentityToken: 'repo:org/app:ref:refs/heads/main',
      Audience: 'sts.amazonaws.com',
      Provider: 'token.actions.githubusercontent.com',
    }),
  },
}
