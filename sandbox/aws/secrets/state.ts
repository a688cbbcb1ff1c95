// What Secrets Manager and SSM's parameter store keep in one region, as far as ECS looks at it.
import type { Region } from '../world.ts'

export interface Secret {
  readonly arn: string
  readonly name: string
  readonly createdAt: number
  readonly value: string
  readonly version: string
}

export interface Parameter {
  readonly name: string
  readonly type: string
  readonly value: string
  readonly version: number
  readonly changedAt: number
}

export class Secrets {
  readonly region: Region
  /** By name. */
  readonly secrets = new Map<string, Secret>()
  readonly parameters = new Map<string, Parameter>()

  constructor(region: Region) {
    this.region = region
  }

  /** By name or ARN; ECS's `:key:stage:version` after an ARN is no part of it. */
  secret(named: string): Secret | undefined {
    const arn = named.split(':').slice(0, 7).join(':')
    return this.secrets.get(named) ?? [...this.secrets.values()].find(one => one.arn === arn || one.arn.startsWith(`${arn}-`))
  }

  /** By name, or by an ARN of this region and account. */
  parameter(named: string): Parameter | undefined {
    const [, region, account, name] = /^arn:[^:]+:ssm:([^:]*):([^:]*):parameter(\/.+)$/.exec(named) ?? []
    if (name === undefined) return this.parameters.get(named) ?? this.parameters.get(named.replace(/^\//, ''))
    if (region !== this.region.name || account !== this.region.world.account) return undefined
    return this.parameters.get(name) ?? this.parameters.get(name.slice(1))
  }

  /** What ECS says of a reference in a task definition that leads nowhere. An ARN may be one of another region. */
  missing(valueFrom: string): string | undefined {
    const [, service, name = this.region.name] = /^arn:[^:]+:(secretsmanager|ssm):([^:]+):/.exec(valueFrom) ?? []
    const there = this.region.world.region(name).part(Secrets)
    if (service === 'secretsmanager') return there.missingSecret(valueFrom)
    return there.parameter(valueFrom) === undefined
      ? `unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: ${valueFrom.replace(/^arn:[^:]*:ssm:[^:]*:[^:]*:parameter/, '')}`
      : undefined
  }

  /** The same of a secret of Secrets Manager's in this region, be it named by its name. */
  missingSecret(named: string): string | undefined {
    return this.secret(named) === undefined
      ? `unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret ${named} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.`
      : undefined
  }
}
