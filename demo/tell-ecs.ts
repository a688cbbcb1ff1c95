// Tells the story on ECS, on a simulated AWS that lives in this process: no root, no cluster, no account.
import type { Service, Task } from '@aws-sdk/client-ecs'
import { type Aws, startAws } from '../sandbox/aws/aws.ts'
import { pushImage, seed } from '../sandbox/aws/seed.ts'
import { ECS_APP, ECS_CLUSTER, ecsScenario, ecsSeed, ecsStory } from './ecs-story.ts'
import type { Chapter } from './page.ts'
import { playStep } from './play-step.ts'
import type { Terminal } from './terminal.ts'

/** The simulator's seconds are so much shorter; how often is asked goes by the machine's. */
const SPEED = 4

export interface ToldOnEcs {
  readonly chapters: readonly Chapter[]
  /** The version that serves at the end. */
  readonly serving: string
}

/** Plays it step by step, and stops at the first one that ends otherwise than told. The actions are built. */
export async function tellOnEcs(terminal: Terminal, workspace: string, signal: AbortSignal): Promise<ToldOnEcs> {
  terminal.heading('On a simulated Amazon ECS')
  const aws = await startAws({ speed: SPEED, scenario: ecsScenario })
  try {
    const { repository } = await seed(aws, ecsSeed)
    terminal.say(`It is up, ${SPEED} times as fast as the real one; version ${serving(aws)} serves.`)
    const chapters: Chapter[] = []
    for (const { version, change, title, pushed, inputs, expects, serves } of ecsStory) {
      signal.throwIfAborted()
      terminal.heading(`Version ${version}: ${change}`)
      if (pushed) pushImage(aws, ECS_APP, version)
      const images = `${ECS_APP}=${repository}:${version}`
      const { chapter } = await playStep(
        {
          ...{ version, change, title, expects },
          action: 'deploy-ecs',
          inputs: { cluster: ECS_CLUSTER, service: ECS_APP, images, timeout: '2m', ...inputs },
        },
        {
          env: aws.environment,
          ...{ workspace, terminal, signal },
          github: { repository: `acme/${ECS_APP}`, ref: `refs/tags/v${version}` },
          look: () => {
            const now = serving(aws)
            return now === serves ? [] : [`version ${serves} should serve, not ${now}`]
          },
        },
      )
      signal.throwIfAborted()
      chapters.push(chapter)
      terminal.say(`Version ${serving(aws)} serves`, 4, 'dim')
      if (chapter.differences.length > 0) break
    }
    return { chapters, serving: serving(aws) }
  } finally {
    await aws.close()
  }
}

/** The version that the service's deployment is of, when all of its tasks run; else what there is, in words. */
export function serving(aws: Pick<Aws, 'call'>): string {
  const { services } = aws.call('ecs:DescribeServices', { cluster: ECS_CLUSTER, services: [ECS_APP] }) as { services: Service[] }
  const primary = services[0]?.deployments?.find(({ status }) => status === 'PRIMARY')
  const { taskArns } = aws.call('ecs:ListTasks', { cluster: ECS_CLUSTER, serviceName: ECS_APP }) as { taskArns: string[] }
  const { tasks } =
    taskArns.length === 0
      ? { tasks: [] }
      : (aws.call('ecs:DescribeTasks', { cluster: ECS_CLUSTER, tasks: taskArns }) as { tasks: Task[] })
  const running = tasks.filter(
    ({ lastStatus, taskDefinitionArn }) => lastStatus === 'RUNNING' && taskDefinitionArn === primary?.taskDefinition,
  )
  const versions = new Set(running.flatMap(({ containers = [] }) => containers.map(({ image = '' }) => image.split(':').at(-1))))
  if (running.length < (services[0]?.desiredCount ?? 0))
    return `${[...versions].join(' and ') || 'none'} (${running.length} tasks)`
  return [...versions].join(' and ')
}
