// Every call to AWS goes through here: SDKs loaded when first needed, throttling and outages sat out on the injected clock, refusals told in one sentence
// that names the IAM action.
import { type Clock, sleep } from '../deploy/clock.ts'
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

/** The SDK packages by the prefix that IAM knows their actions by, as far as it is the service's name. */
interface Sdks {
  ecs: typeof import('@aws-sdk/client-ecs')
  ecr: typeof import('@aws-sdk/client-ecr')
  elasticloadbalancing: typeof import('@aws-sdk/client-elastic-load-balancing-v2')
  logs: typeof import('@aws-sdk/client-cloudwatch-logs')
  cloudwatch: typeof import('@aws-sdk/client-cloudwatch')
  codedeploy: typeof import('@aws-sdk/client-codedeploy')
  'application-autoscaling': typeof import('@aws-sdk/client-application-auto-scaling')
  iam: typeof import('@aws-sdk/client-iam')
  secretsmanager: typeof import('@aws-sdk/client-secrets-manager')
  ssm: typeof import('@aws-sdk/client-ssm')
  sts: typeof import('@aws-sdk/client-sts')
}
export type ServiceName = keyof Sdks

type OperationOf<S> = { [K in keyof S]: K extends `${infer N}Command` ? (N extends `$${string}` ? never : N) : never }[keyof S]
type CommandOf<S, N extends string> = `${N}Command` extends keyof S ? S[`${N}Command`] : never
type First<A> = A extends [infer I] ? I : never
// biome-ignore lint/suspicious/noExplicitAny: inferring from the SDK's own type
type InputOf<C> = C extends new (...input: infer A extends any[]) => unknown ? First<A> : never
type OutputOf<C> = C extends new (
  // biome-ignore lint/suspicious/noExplicitAny: inferring from the SDK's own type, whose parameters do not matter here
  ...input: any[]
  // biome-ignore lint/suspicious/noExplicitAny: as above
) => { resolveMiddleware: (...all: any[]) => (of: any) => Promise<{ output: infer O }> }
  ? O
  : never

/** What an SDK client is made with beyond the environment: for tests. */
export interface ClientSettings {
  readonly endpoint?: string
  readonly region?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

export interface AwsApiOptions {
  /** Empty: as the SDK finds it. */
  readonly region: string
  readonly clock: Clock
  /** When raised nothing is tried again. */
  readonly signal: AbortSignal
  readonly settings?: ClientSettings
  /** Told once when calls begin to fail, and once when they work again. */
  readonly onTrouble?: (sentence: string) => void
}

/** A refusal or an outage of AWS, in one sentence. */
export class AwsFailure extends ExpectedFailure {
  /** The service's own name for it, such as `ClusterNotFoundException`. */
  readonly code: string
  readonly said: string

  constructor(reason: string, message: string, code: string, said: string, cause: unknown) {
    super(reason, message, { cause })
    this.code = code
    this.said = said
  }
}

/** Away for 20 s happens when a network is reconfigured; who is away for longer will not be back within a deployment. */
const PATIENCE_MS = 45_000
/** A name that cannot be resolved is rather a wrong region. */
const NAME_PATIENCE_MS = 3_000
/** AWS answers within a second, in a bad hour within some: who says nothing for so long has lost the connection, which nobody would be told of otherwise. */
const SILENCE_MS = 15_000
const FIRST_WAIT_MS = 400
const LONGEST_WAIT_MS = 8_000

const THROTTLED = /^(Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown|PriorRequestNotComplete)/
/** ECS's, as a ClientException: two registered a revision of a family at the same time. */
const AT_ONCE = /too many concurrent attempts/i
const DENIED = /^(AccessDenied|UnauthorizedOperation|NotAuthorized|AuthorizationError|Forbidden)/
const UNKNOWN_CALLER =
  /^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|CredentialsProviderError|TokenProviderError|MissingAuthenticationToken|IncompleteSignature|RequestExpired)/
const OUTAGE =
  /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND|TimeoutError|socket hang up|NetworkingError|aborted/

type Client = { send(command: unknown, options: { readonly abortSignal: AbortSignal }): Promise<unknown>; destroy(): void }

export class AwsApi {
  readonly #options: AwsApiOptions
  readonly #clients = new Map<ServiceName, Promise<{ sdk: Record<string, unknown>; client: Client }>>()
  #region = ''
  #troubled = false
  #calls = 0
  #throttles = 0
  /** Gives up what has no answer yet. */
  readonly #waiting = new Set<() => void>()
  #closed = false

  constructor(options: AwsApiOptions) {
    this.#options = options
  }

  /** Requests that were sent, those included that had to be sent again. */
  get calls(): number {
    return this.#calls
  }

  /** Requests that were throttled: who polls goes slower when this grows. */
  get throttles(): number {
    return this.#throttles
  }

  /** The region that is asked; empty until the first call. */
  get region(): string {
    return this.#region
  }

  /**
   * One operation of one service. Tried again while it is throttled or out of reach.
   * @throws AwsFailure
   */
  async call<S extends ServiceName, N extends OperationOf<Sdks[S]> & string>(
    service: S,
    operation: N,
    input: InputOf<CommandOf<Sdks[S], N>>,
  ): Promise<OutputOf<CommandOf<Sdks[S], N>>> {
    const { clock, signal } = this.#options
    const startedAt = clock.now()
    for (let tries = 0; ; tries++) {
      try {
        const { sdk, client } = await this.#client(service)
        const Command = sdk[`${operation}Command`] as new (input: unknown) => unknown
        this.#calls++
        const answer = await this.#send(client, new Command(input))
        this.#settled()
        return answer as OutputOf<CommandOf<Sdks[S], N>>
      } catch (error) {
        const kind = kindOf(error)
        if (kind === 'throttled') this.#throttles++
        const patience = kind === 'unresolved' ? NAME_PATIENCE_MS : PATIENCE_MS
        const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries) * (0.5 + Math.random() / 2)
        const inTime = clock.now() + wait - startedAt < patience
        if (kind === 'refused' || !inTime || signal.aborted || this.#closed) throw this.#failure(error, kind, service, operation)
        if (kind !== 'throttled') this.#trouble(error, service)
        await sleep(clock, wait, signal)
        if (this.#closed) throw this.#failure(error, kind, service, operation)
      }
    }
  }

  /** One try. @throws TimeoutError when nothing is heard for too long */
  async #send(client: Client, command: unknown): Promise<unknown> {
    const end = new AbortController()
    const { promise: silent, reject } = Promise.withResolvers<never>()
    const giveUp = (why: string): void => {
      reject(Object.assign(new Error(why), { name: 'TimeoutError' }))
      end.abort()
    }
    const onClose = (): void => giveUp('given up')
    const cancel = this.#options.clock.after(SILENCE_MS, () => giveUp(`no answer within ${SILENCE_MS / 1_000} s`))
    this.#waiting.add(onClose)
    try {
      return await Promise.race([client.send(command, { abortSignal: end.signal }), silent])
    } finally {
      cancel()
      this.#waiting.delete(onClose)
    }
  }

  /** What is under way is given up. */
  close(): void {
    this.#closed = true
    for (const giveUp of [...this.#waiting]) giveUp()
    for (const client of this.#clients.values()) client.then(({ client }) => client.destroy()).catch(() => undefined)
    this.#clients.clear()
  }

  #client(service: ServiceName): Promise<{ sdk: Record<string, unknown>; client: Client }> {
    const known = this.#clients.get(service)
    if (known !== undefined) return known
    const made = this.#make(service)
    this.#clients.set(service, made)
    return made
  }

  async #make(service: ServiceName): Promise<{ sdk: Record<string, unknown>; client: Client }> {
    const { load, client: name } = SERVICES[service]
    const sdk = (await load()) as Record<string, unknown>
    const { region, settings = {} } = this.#options
    const Client = sdk[name] as new (configuration: unknown) => Client & { config: { region(): Promise<string> } }
    const client = new Client({ maxAttempts: 1, ...settings, ...(region === '' ? {} : { region }) })
    this.#region = await client.config.region()
    return { sdk, client }
  }

  #trouble(error: unknown, service: ServiceName): void {
    if (this.#troubled) return
    this.#troubled = true
    this.#options.onTrouble?.(
      `${SERVICES[service].title} does not answer (${foreignLine(messageOf(error), 160)}); it is asked again.`,
    )
  }

  #settled(): void {
    if (!this.#troubled) return
    this.#troubled = false
    this.#options.onTrouble?.('AWS answers again.')
  }

  #failure(error: unknown, kind: Kind, service: ServiceName, operation: string): AwsFailure {
    const code = codeOf(error)
    const said = foreignLine(messageOf(error), 300)
    const what = `${SERVICES[service].title}${this.#region === '' ? '' : ` in ${this.#region}`}`
    const action = `${service}:${operation}`
    const fail = (reason: string, message: string): AwsFailure => new AwsFailure(reason, message, code, said, error)
    if (DENIED.test(code)) {
      // The service may name another action than the one that was called: iam:PassRole, or that of a tag.
      const missing = /perform:? ([a-z0-9-]+:[A-Za-z]+)/.exec(said)?.[1] ?? action
      const why = said === '' || said === code ? '' : ` It says: ${said.replace(/\.$/, '')}.`
      return fail('Forbidden', `The role may not call ${action}: it needs the permission ${missing}.${why}`)
    }
    if (UNKNOWN_CALLER.test(code)) {
      const advice =
        code === 'CredentialsProviderError'
          ? 'there are no AWS credentials; run aws-actions/configure-aws-credentials before this step'
          : /Expired/.test(code)
            ? 'the AWS credentials have expired; give the session more time (role-duration-seconds), then run again'
            : 'the AWS credentials are not valid here'
      return fail('Unauthorized', `${what} refused ${action}: ${advice} (${code}: ${said.replace(/\.$/, '')}).`)
    }
    if (/Region (is missing|not accepted)/.test(said))
      return fail('InvalidInput', 'No AWS region is known: give aws-region, or set AWS_REGION. Nothing was changed.')
    if (kind === 'throttled')
      return fail(
        'Unreachable',
        `${what} throttled ${action} for ${PATIENCE_MS / 1_000} s; ask for fewer calls elsewhere, then run again.`,
      )
    if (kind === 'unresolved')
      return fail('Unreachable', `${what} is not to be found (${said.replace(/\.$/, '')}): look at aws-region and the network.`)
    if (kind === 'away') return fail('Unreachable', `${what} did not answer ${action} (${said.replace(/\.$/, '')}).`)
    return fail(code, `${what} refused ${action} (${code}: ${said.replace(/\.$/, '')}).`)
  }
}

type Kind = 'throttled' | 'away' | 'unresolved' | 'refused'

function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : 'UnknownError'
}

function kindOf(error: unknown): Kind {
  const code = codeOf(error)
  const { $metadata: metadata, code: system } = error as { $metadata?: { httpStatusCode?: number }; code?: unknown }
  const status = metadata?.httpStatusCode ?? 0
  if (THROTTLED.test(code) || status === 429) return 'throttled'
  if (code === 'ClientException' && AT_ONCE.test(messageOf(error))) return 'throttled'
  const words = `${code} ${typeof system === 'string' ? system : ''} ${messageOf(error)}`
  if (UNKNOWN_CALLER.test(code) || DENIED.test(code)) return 'refused'
  if (/ENOTFOUND/.test(words)) return 'unresolved'
  return status >= 500 || (status === 0 && OUTAGE.test(words)) ? 'away' : 'refused'
}

/** How each service is loaded and what it is called. */
const SERVICES: Readonly<Record<ServiceName, { load: () => Promise<unknown>; client: string; title: string }>> = {
  ecs: { load: () => import('@aws-sdk/client-ecs'), client: 'ECSClient', title: 'Amazon ECS' },
  ecr: { load: () => import('@aws-sdk/client-ecr'), client: 'ECRClient', title: 'Amazon ECR' },
  elasticloadbalancing: {
    load: () => import('@aws-sdk/client-elastic-load-balancing-v2'),
    client: 'ElasticLoadBalancingV2Client',
    title: 'Elastic Load Balancing',
  },
  logs: { load: () => import('@aws-sdk/client-cloudwatch-logs'), client: 'CloudWatchLogsClient', title: 'CloudWatch Logs' },
  cloudwatch: { load: () => import('@aws-sdk/client-cloudwatch'), client: 'CloudWatchClient', title: 'CloudWatch' },
  codedeploy: { load: () => import('@aws-sdk/client-codedeploy'), client: 'CodeDeployClient', title: 'CodeDeploy' },
  'application-autoscaling': {
    load: () => import('@aws-sdk/client-application-auto-scaling'),
    client: 'ApplicationAutoScalingClient',
    title: 'Application Auto Scaling',
  },
  iam: { load: () => import('@aws-sdk/client-iam'), client: 'IAMClient', title: 'IAM' },
  secretsmanager: {
    load: () => import('@aws-sdk/client-secrets-manager'),
    client: 'SecretsManagerClient',
    title: 'Secrets Manager',
  },
  ssm: { load: () => import('@aws-sdk/client-ssm'), client: 'SSMClient', title: 'Systems Manager' },
  sts: { load: () => import('@aws-sdk/client-sts'), client: 'STSClient', title: 'AWS STS' },
}
