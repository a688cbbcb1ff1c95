// Amazon ECR: its registries' names, a login token, and a repository made on demand. The SDK is loaded when first needed.
import type { ECRClient } from '@aws-sdk/client-ecr'
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Credentials } from './credentials.ts'

export interface EcrRegistry {
  readonly account: string
  readonly region: string
}

/** Account and region of a private ECR registry's host name, dual-stack, FIPS and China's included; undefined for every other registry. */
export function ecrRegistry(registry: string): EcrRegistry | undefined {
  const match =
    /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn)|sc2s\.sgov\.gov|c2s\.ic\.gov)$/.exec(
      registry,
    )
  const [, account, region] = match ?? []
  return account === undefined || region === undefined ? undefined : { account, region }
}

/** True when the environment names AWS credentials, so that asking for a token is worth the try. */
export function hasAwsCredentials(env: NodeJS.ProcessEnv): boolean {
  return [
    'AWS_ACCESS_KEY_ID',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_PROFILE',
  ].some(name => (env[name] ?? '') !== '')
}

/** A login for the registry, good for 12 hours. The address is AWS_ENDPOINT_URL_ECR's where that is set, as in every AWS SDK. */
export async function ecrCredentials(registry: string, ecr: EcrRegistry, signal?: AbortSignal): Promise<Credentials> {
  const { GetAuthorizationTokenCommand } = await import('@aws-sdk/client-ecr')
  const answer = await asking(registry, 'give a login token', 'ecr:GetAuthorizationToken', ecr, client =>
    client.send(new GetAuthorizationTokenCommand({}), options(signal)),
  )
  const token = answer.authorizationData?.[0]?.authorizationToken ?? ''
  const [username = '', ...rest] = Buffer.from(token, 'base64').toString('utf8').split(':')
  const password = rest.join(':')
  if (username === '' || password === '')
    throw new ExpectedFailure('Unauthorized', `Amazon ECR in ${ecr.region} gave no login token for ${registry}.`)
  return { username, password }
}

/** Makes the repository. One that is there already is left as it is. */
export async function createEcrRepository(
  registry: string,
  repository: string,
  ecr: EcrRegistry,
  signal?: AbortSignal,
): Promise<void> {
  const { CreateRepositoryCommand, RepositoryAlreadyExistsException } = await import('@aws-sdk/client-ecr')
  await asking(registry, `create the repository ${repository}`, 'ecr:CreateRepository', ecr, async client => {
    try {
      await client.send(new CreateRepositoryCommand({ registryId: ecr.account, repositoryName: repository }), options(signal))
    } catch (error) {
      if (!(error instanceof RepositoryAlreadyExistsException)) throw error
    }
  })
}

function options(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}

async function asking<T>(
  registry: string,
  what: string,
  permission: string,
  ecr: EcrRegistry,
  ask: (client: ECRClient) => Promise<T>,
): Promise<T> {
  const { ECRClient } = await import('@aws-sdk/client-ecr')
  const client = new ECRClient({ region: ecr.region, maxAttempts: 3 })
  try {
    return await ask(client)
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    if (name === 'AbortError') throw new ExpectedFailure('Cancelled', 'The run was cancelled while Amazon ECR was asked.')
    const { reason, advice } = explain(name, permission)
    throw new ExpectedFailure(
      reason,
      `Amazon ECR would not ${what} for ${registry} (${foreignLine(`${name}: ${messageOf(error)}`, 240)}); ${advice}.`,
      { cause: error },
    )
  } finally {
    client.destroy()
  }
}

function explain(name: string, permission: string): { reason: 'Unauthorized' | 'Forbidden' | 'Unreachable'; advice: string } {
  if (/AccessDenied|NotAuthorized/.test(name))
    return { reason: 'Forbidden', advice: `the role needs the permission ${permission}` }
  if (/CredentialsProvider|UnrecognizedClient|InvalidSignature|ExpiredToken|InvalidClientTokenId|CredentialsError/.test(name))
    return {
      reason: 'Unauthorized',
      advice:
        'there are no AWS credentials that hold: run aws-actions/configure-aws-credentials before this step, or give username and password',
    }
  return { reason: 'Unreachable', advice: 'check the region in the registry name, and the network' }
}
