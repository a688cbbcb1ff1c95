// AWS IAM: roles, and what the caller may do as far as the scenario's faults deny it.
import { AwsError } from '../protocol/errors.ts'
import type { Call, Service } from '../service.ts'
import { Iam, type Role } from './state.ts'

/** The same in every region. */
const state = ({ world }: Call): Iam => world.region('global').part(Iam)

/** Of all roles. */
const ROLE_ARN = ['arn:', '{Partition}:iam::', '{Account}:role/', '{RoleNameWithPath}'].join('$')

const describe = (role: Role): object => ({
  Path: role.path,
  RoleName: role.name,
  RoleId: role.id,
  Arn: role.arn,
  CreateDate: role.createdAt,
  AssumeRolePolicyDocument: encodeURIComponent(role.trust),
  MaxSessionDuration: 3600,
})

function roleOf(iam: Iam, name: string): Role {
  const role = iam.roles.get(name)
  if (role === undefined)
    throw new AwsError('NoSuchEntityException', `The role with name ${name} cannot be found.`, { status: 404 })
  return role
}

export const iam: Service = {
  model: 'iam',
  invalid: 'ValidationError',
  handlers: {
    CreateRole: (input: { RoleName: string; Path?: string; AssumeRolePolicyDocument: string }, call) => {
      const { world } = call
      const iam = state(call)
      if (iam.roles.has(input.RoleName))
        throw new AwsError('EntityAlreadyExistsException', `Role with name ${input.RoleName} already exists.`, { status: 409 })
      const path = input.Path ?? '/'
      const role: Role = {
        arn: `arn:aws:iam::${world.account}:role${path}${input.RoleName}`,
        ...{ path, name: input.RoleName, trust: input.AssumeRolePolicyDocument },
        id: `AROA${world.ids.hex(17).toUpperCase()}`,
        createdAt: world.now(),
        policies: new Map(),
        attached: new Set(),
      }
      iam.roles.set(role.name, role)
      return { Role: describe(role) }
    },
    GetRole: (input: { RoleName: string }, call) => ({ Role: describe(roleOf(state(call), input.RoleName)) }),
    ListRoles: (_input: object, call) => ({ Roles: [...state(call).roles.values()].map(describe), IsTruncated: false }),
    DeleteRole: (input: { RoleName: string }, call) => {
      const iam = state(call)
      iam.roles.delete(roleOf(iam, input.RoleName).name)
    },
    PutRolePolicy: (input: { RoleName: string; PolicyName: string; PolicyDocument: string }, call) => {
      roleOf(state(call), input.RoleName).policies.set(input.PolicyName, input.PolicyDocument)
    },
    GetRolePolicy: (input: { RoleName: string; PolicyName: string }, call) => {
      const document = roleOf(state(call), input.RoleName).policies.get(input.PolicyName)
      if (document === undefined)
        throw new AwsError('NoSuchEntityException', `The role policy with name ${input.PolicyName} cannot be found.`, {
          status: 404,
        })
      return { RoleName: input.RoleName, PolicyName: input.PolicyName, PolicyDocument: encodeURIComponent(document) }
    },
    ListRolePolicies: (input: { RoleName: string }, call) => ({
      PolicyNames: [...roleOf(state(call), input.RoleName).policies.keys()],
      IsTruncated: false,
    }),
    DeleteRolePolicy: (input: { RoleName: string; PolicyName: string }, call) => {
      roleOf(state(call), input.RoleName).policies.delete(input.PolicyName)
    },
    AttachRolePolicy: (input: { RoleName: string; PolicyArn: string }, call) => {
      roleOf(state(call), input.RoleName).attached.add(input.PolicyArn)
    },
    ListAttachedRolePolicies: (input: { RoleName: string }, call) => ({
      AttachedPolicies: [...roleOf(state(call), input.RoleName).attached].map(arn => ({
        PolicyName: arn.split('/').at(-1),
        PolicyArn: arn,
      })),
      IsTruncated: false,
    }),
    DetachRolePolicy: (input: { RoleName: string; PolicyArn: string }, call) => {
      roleOf(state(call), input.RoleName).attached.delete(input.PolicyArn)
    },
    ListInstanceProfilesForRole: (input: { RoleName: string }, call) => {
      roleOf(state(call), input.RoleName)
      return { InstanceProfiles: [], IsTruncated: false }
    },
    SimulatePrincipalPolicy: (input: { PolicySourceArn: string; ActionNames: string[]; ResourceArns?: string[] }, call) => ({
      EvaluationResults: input.ActionNames.map(action => {
        const decision = state(call).denies(action) ? 'implicitDeny' : 'allowed'
        const known = { MatchedStatements: [], MissingContextValues: [] }
        return {
          EvalActionName: action,
          // The form of the action's ARNs; those that were asked for are below.
          EvalResourceName: action === 'iam:PassRole' ? ROLE_ARN : '*',
          EvalDecision: decision,
          ...known,
          ResourceSpecificResults: (input.ResourceArns ?? ['*']).map(resource => ({
            ...{ EvalResourceName: resource, EvalResourceDecision: decision, ...known },
          })),
        }
      }),
      IsTruncated: false,
    }),
  },
}
