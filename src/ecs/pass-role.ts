// Whether the caller may pass roles on to ECS's tasks, as IAM itself simulates it.
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { type AwsApi, AwsFailure } from './api.ts'

/**
 * The roles of `roles` that the caller may not pass, each in a sentence.
 * @throws AwsFailure where that may not be simulated
 */
export async function rolesNotToBePassed(api: AwsApi, roles: readonly string[], log: Log): Promise<readonly string[]> {
  if (roles.length === 0) return []
  const caller = await principalOf(api)
  if (caller === undefined) return []
  const { EvaluationResults = [] } = await api.call('iam', 'SimulatePrincipalPolicy', {
    PolicySourceArn: caller,
    ActionNames: ['iam:PassRole'],
    ResourceArns: [...roles],
    // What policies for deployments ask for, as AWS advises.
    ContextEntries: [
      { ContextKeyName: 'iam:PassedToService', ContextKeyValues: ['ecs-tasks.amazonaws.com'], ContextKeyType: 'string' },
    ],
  })
  // What is told of all roles together is neither named by one nor decided by its own conditions. An older answer has a result for each role instead.
  const each = EvaluationResults.flatMap(
    ({ EvalDecision, EvalResourceName = '', MissingContextValues, ResourceSpecificResults }) =>
      ResourceSpecificResults === undefined && roles.includes(EvalResourceName)
        ? [{ EvalResourceName, EvalResourceDecision: EvalDecision, MissingContextValues }]
        : (ResourceSpecificResults ?? []),
  )
  const denied = each.filter(({ EvalResourceDecision }) => EvalResourceDecision !== 'allowed')
  return denied.flatMap(({ EvalResourceName: role = '', MissingContextValues = [] }) => {
    if (MissingContextValues.length === 0)
      return [
        `${foreignLine(caller, 200)} may not pass the role ${foreignLine(role, 200)} on to ECS: it needs the permission iam:PassRole for it`,
      ]
    // A condition on what only the real call has decides it.
    const keys = foreignLine(MissingContextValues.join(', '), 200)
    log.info(`Not known before the change: whether ${foreignLine(role, 200)} may be passed on to ECS depends on ${keys}.`)
    return []
  })
}

/** The ARN whose policies are asked. Undefined where there are none to ask: an account's root may do all, a federated user is nobody in IAM. */
async function principalOf(api: AwsApi): Promise<string | undefined> {
  const { Arn = '' } = await api.call('sts', 'GetCallerIdentity', {})
  if (/^arn:[^:]+:iam::\d+:user\//.test(Arn)) return Arn
  const [, partition, account, name] = /^arn:([^:]+):sts::(\d+):assumed-role\/([^/]+)\//.exec(Arn) ?? []
  if (name === undefined) return undefined
  try {
    // The name of a session has no path of the role in it.
    const { Role } = await api.call('iam', 'GetRole', { RoleName: name })
    if (Role?.Arn !== undefined) return Role.Arn
  } catch (error) {
    if (!(error instanceof AwsFailure)) throw error
  }
  return `arn:${partition}:iam::${account}:role/${name}`
}
