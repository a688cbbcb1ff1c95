// A simulated system on a clock that tests move: one steady service, and what tests ask of it, past the wire.
import type {
  DeploymentConfiguration,
  Service,
  ServiceDeployment,
  ServiceDeploymentStatus,
  Task,
  TaskDefinition,
} from '@aws-sdk/client-ecs'
import { type Aws, startAws } from '../../../sandbox/aws/aws.ts'
import type { Scenario } from '../../../sandbox/aws/scenario.ts'
import { pushImage, type Seed, type Seeded, seed } from '../../../sandbox/aws/seed.ts'
import { ManualClock } from '../../deploy/manual-clock.ts'

const ENDED: ReadonlySet<ServiceDeploymentStatus | undefined> = new Set([
  'SUCCESSFUL',
  'STOPPED',
  'ROLLBACK_SUCCESSFUL',
  'ROLLBACK_FAILED',
])

export class Simulated {
  readonly aws: Aws
  readonly clock: ManualClock
  readonly seeded: Seeded

  private constructor(aws: Aws, clock: ManualClock, seeded: Seeded) {
    this.aws = aws
    this.clock = clock
    this.seeded = seeded
  }

  /** Steady on `web:1`. */
  static async start(plan: Seed = {}, scenario: Scenario = {}): Promise<Simulated> {
    const clock = new ManualClock()
    const aws = await startAws({ clock, scenario })
    return new Simulated(aws, clock, await seed(aws, plan))
  }

  /** Registers `web:<tag>` as the next revision. */
  register(tag: string, container: object = {}): string {
    const { taskDefinition } = this.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: 'web' })
    const { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions } =
      taskDefinition as TaskDefinition
    const containers = [{ ...containerDefinitions?.[0], image: `${this.seeded.repository}:${tag}`, ...container }]
    const input = {
      family,
      networkMode,
      requiresCompatibilities,
      cpu,
      memory,
      executionRoleArn,
      containerDefinitions: containers,
    }
    return (this.aws.call('ecs:RegisterTaskDefinition', input)['taskDefinition'] as TaskDefinition).taskDefinitionArn ?? ''
  }

  /** Pushes `web:<tag>`, and updates the service to it. */
  release(tag: string, deploymentConfiguration?: DeploymentConfiguration, container: object = {}): void {
    pushImage(this.aws, 'web', tag)
    this.update({
      taskDefinition: this.register(tag, container),
      ...(deploymentConfiguration !== undefined && { deploymentConfiguration }),
    })
  }

  update(input: object): void {
    this.aws.call('ecs:UpdateService', { cluster: 'app', service: 'web', ...input })
  }

  service(): Service {
    const { services } = this.aws.call('ecs:DescribeServices', { cluster: 'app', services: ['web'] })
    return (services as Service[])[0] ?? {}
  }

  /** The newest service deployment. */
  deployment(): ServiceDeployment {
    const { serviceDeployments } = this.aws.call('ecs:ListServiceDeployments', { cluster: 'app', service: 'web' })
    const [newest] = serviceDeployments as ServiceDeployment[]
    const described = this.aws.call('ecs:DescribeServiceDeployments', {
      serviceDeploymentArns: [newest?.serviceDeploymentArn ?? ''],
    })
    return (described['serviceDeployments'] as ServiceDeployment[])[0] ?? {}
  }

  tasks(desiredStatus: 'RUNNING' | 'STOPPED'): Task[] {
    const { taskArns } = this.aws.call('ecs:ListTasks', { cluster: 'app', serviceName: 'web', desiredStatus })
    if ((taskArns as string[]).length === 0) return []
    return this.aws.call('ecs:DescribeTasks', { cluster: 'app', tasks: taskArns as string[] })['tasks'] as Task[]
  }

  /** Tags that live tasks run, with how many. */
  running(): Record<string, number> {
    const tags = this.tasks('RUNNING').map(task => task.containers?.[0]?.image?.split(':').at(-1) ?? '')
    return Object.fromEntries([...new Set(tags)].map(tag => [tag, tags.filter(other => other === tag).length]))
  }

  events(): string[] {
    return (this.service().events ?? []).map(event => event.message ?? '').toReversed()
  }

  /** Moves on until the newest service deployment has ended, which must be another than before; or for so many seconds. */
  async end(most = 600): Promise<ServiceDeployment> {
    const { desiredCount } = this.service().deployments?.[0] ?? {}
    await this.aws.advance(desiredCount === 0 ? 2 : 0)
    for (let waited = 0; waited < most && !ENDED.has(this.deployment().status); waited += 2) await this.aws.advance(2)
    return this.deployment()
  }

  close(): Promise<void> {
    return this.aws.close()
  }
}
