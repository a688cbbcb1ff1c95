// What the events of a scenario do, in whichever region there is what they name.
import { CloudWatch } from './cloudwatch/state.ts'
import { stopTask } from './ecs/launch.ts'
import { Ecs, type Task } from './ecs/state.ts'
import { reasons } from './ecs/words.ts'
import type { ScriptedEvent } from './scenario.ts'
import type { Region, World } from './world.ts'

export function happen(world: World, event: ScriptedEvent): void {
  for (const region of world.regions()) {
    if ('alarm' in event) region.part(CloudWatch).set(event.alarm, event.state, 'Threshold Crossed: set by the scenario')
    else if ('interrupt' in event) {
      const task = running(region, event.interrupt)
      if (task !== undefined) stopTask(task, 'SpotInterruption', reasons.spot)
    } else {
      const task = running(region, event.stop)
      if (task !== undefined) stopTask(task, 'TerminationNotice', event.reason ?? 'Host EC2 (instance i-0sandbox) terminated.')
    }
  }
}

/** The newest task of the service that runs. */
const running = (region: Region, service: string): Task | undefined =>
  [...region.part(Ecs).tasks.values()].findLast(
    task => task.service?.name === service && task.status === 'RUNNING' && task.desired === 'RUNNING',
  )
