// How long a deployment waits because it was told to: between shifts of traffic, and until the old tasks may end. It is as good as it was before it.
import type { DeploymentConfiguration } from '@aws-sdk/client-ecs'
import { type AwsApi, AwsFailure } from './api.ts'

const MINUTE_MS = 60_000

/** What ECS does where nothing is said: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html, and CanaryConfiguration. */
export const LINEAR_DEFAULT = { stepPercent: 10, stepBakeTimeInMinutes: 6 }
export const CANARY_DEFAULT = { canaryPercent: 5, canaryBakeTimeInMinutes: 10 }
/** ECS wants to be told, and shows it; this is for an answer without. It is what the console says. */
const BAKE_DEFAULT_MINUTES = 15

/** Of a deployment of ECS's own, in ms. */
export function shiftWaitsMs({
  strategy = 'ROLLING',
  bakeTimeInMinutes: bake = BAKE_DEFAULT_MINUTES,
  linearConfiguration,
  canaryConfiguration,
}: DeploymentConfiguration = {}): number {
  switch (strategy) {
    case 'BLUE_GREEN':
      return bake * MINUTE_MS
    case 'LINEAR': {
      const { stepPercent = LINEAR_DEFAULT.stepPercent, stepBakeTimeInMinutes: minutes = LINEAR_DEFAULT.stepBakeTimeInMinutes } =
        linearConfiguration ?? {}
      return (waitsOf(stepPercent) * minutes + bake) * MINUTE_MS
    }
    case 'CANARY':
      return ((canaryConfiguration?.canaryBakeTimeInMinutes ?? CANARY_DEFAULT.canaryBakeTimeInMinutes) + bake) * MINUTE_MS
    // A rolling one ends when its tasks are well.
    default:
      return 0
  }
}

/** Nothing is waited for after the step that reaches 100 %. */
const waitsOf = (percent: number): number => Math.max(0, Math.ceil(100 / percent) - 1)

/** Of a deployment of CodeDeploy's until all traffic is shifted, in ms; undefined where that may not be read, or cannot be. */
export async function codeDeployWaitsMs(api: AwsApi, deploymentId: string): Promise<number | undefined> {
  try {
    const { deploymentInfo } = await api.call('codedeploy', 'GetDeployment', { deploymentId })
    const { deploymentConfigName = '' } = deploymentInfo ?? {}
    if (deploymentConfigName === '') return 0
    const { deploymentConfigInfo } = await api.call('codedeploy', 'GetDeploymentConfig', { deploymentConfigName })
    const { timeBasedCanary, timeBasedLinear } = deploymentConfigInfo?.trafficRoutingConfig ?? {}
    const { linearPercentage = 100, linearInterval = 0 } = timeBasedLinear ?? {}
    return ((timeBasedCanary?.canaryInterval ?? 0) + waitsOf(linearPercentage) * linearInterval) * MINUTE_MS
  } catch (error) {
    if (!(error instanceof AwsFailure)) throw error
    return undefined
  }
}
