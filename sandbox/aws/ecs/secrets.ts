// What a task cannot be set up without: the secrets and log groups that its definition names.
import { Logs } from '../logs/state.ts'
import { Secrets } from '../secrets/state.ts'
import type { Ecs, Task } from './state.ts'

/** Why the task cannot be set up, in ECS's words; undefined where all is there. */
export function reasonOfSecrets(ecs: Ecs, task: Task): string | undefined {
  for (const { definition } of task.containers) {
    for (const { valueFrom = '' } of definition.secrets ?? []) {
      const said = ecs.region.part(Secrets).missing(valueFrom)
      if (said !== undefined) return said
    }
    const credentials = definition.repositoryCredentials?.credentialsParameter
    if (credentials !== undefined) {
      const region = ecs.region.world.region(/^arn:[^:]+:secretsmanager:([^:]+):/.exec(credentials)?.[1] ?? ecs.region.name)
      const said = region.part(Secrets).missingSecret(credentials)
      if (said !== undefined) return said
    }
    const { logDriver, options } = definition.logConfiguration ?? {}
    const group = options?.['awslogs-group']
    if (logDriver !== 'awslogs' || group === undefined || options?.['awslogs-create-group'] === 'true') continue
    const region = ecs.region.world.region(options?.['awslogs-region'] ?? ecs.region.name)
    if (!region.part(Logs).groups.has(group))
      return 'failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1'
  }
  return undefined
}
