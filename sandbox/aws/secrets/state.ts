// What Secrets Manager and SSM's parameter store keep in one region, as far as ECS looks at it.
import type { Region } from '../world.ts'

export interface Secret {
  readonly arn: string
  readonly name: string
  readonly createdAt: number
  readonly value: string
  readonly version: string
}

export class Secrets {
  readonly region: Region
  /** By name. */
  readonly secrets = new Map<string, Secret>()
  readonly parameters = new Map<string, { name: string; type: string; value: string; version: number; changedAt: number }>()

  constructor(region: Region) {
    this.region = region
  }

  /** By name or ARN; ECS's `:key:stage:version` after an ARN is no part of it. */
  secret(named: string): Secret | undefined {
    const arn = named.split(':').slice(0, 7).join(':')
    return this.secrets.get(named) ?? [...this.secrets.values()].find(one => one.arn === arn || one.arn.startsWith(`${arn}-`))
  }

  /** What ECS says of a reference in a task definition that leads nowhere. */
  missing(valueFrom: string): string | undefined {
    if (valueFrom.includes(':secretsmanager:'))
      return this.secret(valueFrom) === undefined
        ? `unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret ${valueFrom} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.`
        : undefined
    const name = valueFrom.replace(/^arn:aws:ssm:[^:]*:[^:]*:parameter/, '')
    return this.parameters.has(name) || this.parameters.has(name.replace(/^\//, ''))
      ? undefined
      : `unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: ${name}`
  }
}
