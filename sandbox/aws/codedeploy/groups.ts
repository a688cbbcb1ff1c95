// Applications, deployment groups and deployment configurations.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import type { Region } from '../world.ts'
import { shiftsOf } from './app-spec.ts'
import { type Application, CodeDeploy, type CodeDeployment, type Group, type GroupFields, hasEnded } from './state.ts'

const CONFIGS = [
  'CodeDeployDefault.ECSAllAtOnce',
  'CodeDeployDefault.ECSCanary10Percent5Minutes',
  'CodeDeployDefault.ECSCanary10Percent15Minutes',
  'CodeDeployDefault.ECSLinear10PercentEvery1Minutes',
  'CodeDeployDefault.ECSLinear10PercentEvery3Minutes',
]

/** What a group of an ECS service has where it was not said. */
const BLUE_GREEN = {
  terminateBlueInstancesOnDeploymentSuccess: { action: 'TERMINATE', terminationWaitTimeInMinutes: 0 },
  deploymentReadyOption: { actionOnTimeout: 'CONTINUE_DEPLOYMENT', waitTimeInMinutes: 0 },
}

const application = (one: Application): object => ({
  ...{
    applicationId: one.id,
    applicationName: one.name,
    createTime: one.createdAt,
    linkedToGitHub: false,
    computePlatform: one.computePlatform,
  },
})

function describe(region: Region, group: Group): object {
  const { tags: _, ...fields } = group.fields
  const all = [...region.part(CodeDeploy).deployments.values()].filter(one => one.group === group)
  const brief = (one: CodeDeployment | undefined): object | undefined =>
    one && { deploymentId: one.id, status: one.status, endTime: one.completedAt, createTime: one.createdAt }
  return {
    deploymentGroupId: group.id,
    deploymentConfigName: 'CodeDeployDefault.ECSAllAtOnce',
    ...fields,
    computePlatform: 'ECS',
    lastSuccessfulDeployment: brief(all.findLast(one => one.status === 'Succeeded')),
    lastAttemptedDeployment: brief(all.at(-1)),
  }
}

interface Names {
  readonly applicationName: string
  readonly deploymentGroupName: string
}

export const groupHandlers: Record<string, Handler> = {
  CreateApplication: (input: { applicationName: string; computePlatform?: string }, { region, world }) => {
    const { applications } = region.part(CodeDeploy)
    const name = input.applicationName
    if (applications.has(name))
      throw new AwsError('ApplicationAlreadyExistsException', `An application with the name ${name} already exists`)
    const made = { id: world.ids.uuid(), name, createdAt: world.now(), computePlatform: input.computePlatform ?? 'Server' }
    applications.set(name, made)
    return { applicationId: made.id }
  },
  GetApplication: (input: { applicationName: string }, { region }) => ({
    application: application(region.part(CodeDeploy).application(input.applicationName)),
  }),
  ListApplications: (_input: object, { region }) => ({ applications: [...region.part(CodeDeploy).applications.keys()] }),
  DeleteApplication: (input: { applicationName: string }, { region }) => {
    region.part(CodeDeploy).applications.delete(input.applicationName)
  },
  CreateDeploymentGroup: (input: GroupFields, { region, world }) => {
    const state = region.part(CodeDeploy)
    state.application(input.applicationName)
    const key = `${input.applicationName} ${input.deploymentGroupName}`
    if (state.groups.has(key))
      throw new AwsError(
        'DeploymentGroupAlreadyExistsException',
        `The deployment group name ${input.deploymentGroupName} already exists`,
      )
    const group: Group = { id: world.ids.uuid(), fields: { blueGreenDeploymentConfiguration: BLUE_GREEN, ...input } }
    state.groups.set(key, group)
    return { deploymentGroupId: group.id }
  },
  UpdateDeploymentGroup: (
    input: Partial<GroupFields> & { applicationName: string; currentDeploymentGroupName: string },
    { region },
  ) => {
    const group = region.part(CodeDeploy).group(input.applicationName, input.currentDeploymentGroupName)
    const { currentDeploymentGroupName: _, newDeploymentGroupName: __, ...rest } = input
    group.fields = { ...group.fields, ...rest } as GroupFields
    return { hooksNotCleanedUp: [] }
  },
  DeleteDeploymentGroup: (input: Names, { region }) => {
    const state = region.part(CodeDeploy)
    const group = state.group(input.applicationName, input.deploymentGroupName)
    if ([...state.deployments.values()].some(one => one.group === group && !hasEnded(one)))
      throw new AwsError('DeploymentGroupLimitExceededException', 'A deployment of the group is under way')
    state.groups.delete(`${input.applicationName} ${input.deploymentGroupName}`)
    return { hooksNotCleanedUp: [] }
  },
  GetDeploymentGroup: (input: Names, { region }) => ({
    deploymentGroupInfo: describe(region, region.part(CodeDeploy).group(input.applicationName, input.deploymentGroupName)),
  }),
  BatchGetDeploymentGroups: (input: { applicationName: string; deploymentGroupNames: string[] }, { region }) => ({
    deploymentGroupsInfo: input.deploymentGroupNames.map(name =>
      describe(region, region.part(CodeDeploy).group(input.applicationName, name)),
    ),
  }),
  ListDeploymentGroups: (input: { applicationName: string }, { region }) => {
    const state = region.part(CodeDeploy)
    state.application(input.applicationName)
    const all = [...state.groups.values()].filter(group => group.fields.applicationName === input.applicationName)
    return { applicationName: input.applicationName, deploymentGroups: all.map(group => group.fields.deploymentGroupName) }
  },
  ListDeploymentConfigs: () => ({ deploymentConfigsList: CONFIGS }),
  GetDeploymentConfig: (input: { deploymentConfigName: string }, { world }) => {
    const name = input.deploymentConfigName
    if (!CONFIGS.includes(name))
      throw new AwsError('DeploymentConfigDoesNotExistException', `No Deployment Configuration found for name: ${name}`)
    const { percents, minutes } = shiftsOf(name)
    const [percent = 100] = percents
    const routing = name.includes('Canary')
      ? { type: 'TimeBasedCanary', timeBasedCanary: { canaryPercentage: percent, canaryInterval: minutes } }
      : name.includes('Linear')
        ? { type: 'TimeBasedLinear', timeBasedLinear: { linearPercentage: percent, linearInterval: minutes } }
        : { type: 'AllAtOnce' }
    return {
      deploymentConfigInfo: {
        deploymentConfigName: name,
        createTime: world.now(),
        computePlatform: 'ECS',
        trafficRoutingConfig: routing,
      },
    }
  },
  ListTagsForResource: () => ({ Tags: [] }),
}
