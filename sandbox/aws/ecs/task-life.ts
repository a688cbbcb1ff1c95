// A task from its birth to its end: PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED. What its containers do is the
// scenario's to say.
import { resolveImage } from '../ecr/state.ts'
import { Elb } from '../elb/state.ts'
import { Logs } from '../logs/state.ts'
import type { ContainerScript, TargetAnswer } from '../scenario.ts'
import { targetsOf, watchHealth } from './health.ts'
import { reasonOfSecrets } from './secrets.ts'
import type { Ecs, StopCode, Task, TaskContainer, TaskStatus } from './state.ts'
import { pullFault, reasons } from './words.ts'

/** What Docker waits after SIGTERM unless the container says otherwise. */
const STOP_TIMEOUT = 30

export class TaskLife {
  readonly #ecs: Ecs
  readonly #task: Task
  /** Told of every change that the service's scheduler has to know. */
  readonly #changed: () => void
  #activated = false

  constructor(ecs: Ecs, task: Task, changed: () => void) {
    this.#ecs = ecs
    this.#task = task
    this.#changed = changed
  }

  get #timing() {
    return this.#ecs.region.world.timing
  }

  begin(): void {
    this.#later(this.#timing.provisioning, () => this.#pending())
  }

  /** Asks it to end. What was said first stays. */
  stop(code: StopCode, reason: string): void {
    const task = this.#task
    if (task.desired === 'STOPPED') return
    const before = task.status
    task.desired = 'STOPPED'
    task.stopCode = code
    task.stoppedReason = reason
    task.stoppingAt = this.#ecs.now()
    for (const cancel of task.cancels) cancel()
    task.cancels.clear()
    const targets = targetsOf(task)
    const elb = this.#ecs.region.part(Elb)
    const running = task.containers.some(container => container.status === 'RUNNING')
    const registered = targets.filter(({ group, port }) => elb.targetsOf(group)?.get(task.address, port) !== undefined)
    if (before === 'RUNNING' && running && registered.length > 0) {
      this.#to('DEACTIVATING')
      let open = registered.length
      for (const { group, port } of registered)
        elb.targetsOf(group)?.deregister(task.address, port, () => {
          open -= 1
          if (open === 0) this.#stopping()
        })
      return
    }
    for (const { group, port } of registered) elb.targetsOf(group)?.deregister(task.address, port)
    if (!running) {
      this.#deprovision()
      return
    }
    this.#to('DEACTIVATING')
    this.#later(this.#timing.deactivating, () => this.#stopping())
  }

  #later(seconds: number, run: () => void): void {
    const cancel = this.#ecs.region.world.after(seconds, () => {
      this.#task.cancels.delete(cancel)
      run()
    })
    this.#task.cancels.add(cancel)
  }

  #to(status: TaskStatus): void {
    this.#task.status = status
    this.#task.version += 1
    this.#changed()
  }

  #pending(): void {
    const scripted = this.#task.containers.find(container => container.script.init !== undefined)?.script.init
    const init = scripted ?? reasonOfSecrets(this.#ecs, this.#task)
    if (init !== undefined) {
      this.stop('TaskFailedToStart', `ResourceInitializationError: ${init}`)
      return
    }
    this.#to('PENDING')
    this.#later(this.#timing.pending, () => this.#pull())
  }

  #pull(): void {
    const task = this.#task
    task.pullStartedAt = this.#ecs.now()
    const takes = Math.max(...task.containers.map(({ script }) => script.pullTakes ?? this.#timing.pull))
    this.#later(takes, () => {
      for (const container of task.containers) {
        const { image = '', name } = container.definition
        const resolved = resolveImage(this.#ecs.region, image)
        const pull = container.script.pull ?? (resolved === 'not found' ? resolved : undefined)
        if (pull !== undefined || resolved === 'not found') {
          const said = `CannotPullContainerError: ${pullFault(pull ?? 'not found', image)}`
          if (name !== undefined) container.reason = said
          return this.stop('TaskFailedToStart', said)
        }
        const { digest = resolved.digest } = container.script
        container.imageDigest = digest === 'platform' ? resolved.platform : digest
      }
      task.pullStoppedAt = this.#ecs.now()
      this.#startContainers()
    })
  }

  #startContainers(): void {
    const task = this.#task
    for (const container of task.containers) {
      const { create, start } = container.script
      if (create === undefined && start === undefined) continue
      container.reason = create !== undefined ? `CannotCreateContainerError: ${create}` : `CannotStartContainerError: ${start}`
      this.stop('TaskFailedToStart', container.reason)
      return
    }
    this.#startReady()
  }

  /** All containers have started: it is RUNNING a moment later, and its targets are registered meanwhile. */
  #activate(): void {
    const task = this.#task
    this.#activated = true
    if (targetsOf(task).length > 0) this.#to('ACTIVATING')
    this.#later(this.#timing.activating, () => {
      if (task.desired === 'STOPPED') return
      task.startedAt = this.#ecs.now()
      this.#to('RUNNING')
    })
    this.#registerTargets()
  }

  /** Starts what waits for nothing more. */
  #startReady(): void {
    for (const container of this.#task.containers) {
      if (container.status !== 'PENDING' || this.#task.desired === 'STOPPED') continue
      const waits = (container.definition.dependsOn ?? []).some(({ containerName, condition }) => {
        const other = this.#task.containers.find(one => one.definition.name === containerName)
        if (other === undefined) return false
        if (condition === 'START') return other.status === 'PENDING'
        if (condition === 'HEALTHY') return other.health !== 'HEALTHY'
        return other.status !== 'STOPPED' || (condition === 'SUCCESS' && other.exitCode !== 0)
      })
      if (!waits) this.#start(container)
    }
    const started = this.#task.containers.every(container => container.status !== 'PENDING')
    if (started && !this.#activated && this.#task.desired === 'RUNNING') this.#activate()
  }

  #start(container: TaskContainer): void {
    const { script } = container
    container.status = 'RUNNING'
    container.startedAt = this.#ecs.now()
    container.runtimeId = `${this.#task.id}-${this.#ecs.region.world.ids.digits(10)}`
    this.#log(container, script)
    if (script.exit !== undefined) {
      const { code, after = 0 } = script.exit
      this.#later(after, () => this.#exited(container, code))
    }
    if (script.oom !== undefined) this.#later(script.oom, () => this.#exited(container, 137, reasons.memory))
    watchHealth(this.#ecs, this.#task, container, () => {
      this.#startReady()
      this.#changed()
    })
    this.#startReady()
  }

  #exited(container: TaskContainer, code: number, reason?: string): void {
    if (container.status === 'STOPPED') return
    container.status = 'STOPPED'
    container.exitCode = code
    if (reason !== undefined) container.reason = reason
    if (container.definition.essential !== false) {
      this.stop('EssentialContainerExited', reasons.essential)
      return
    }
    this.#startReady()
    this.#changed()
  }

  #log({ definition }: TaskContainer, script: ContainerScript): void {
    const { logDriver, options = {} } = definition.logConfiguration ?? {}
    if (logDriver !== 'awslogs' || options === null) return
    const group = options['awslogs-group'] ?? ''
    const region = this.#ecs.region.world.region(options['awslogs-region'] ?? this.#ecs.region.name)
    const logs = region.part(Logs)
    const known = logs.groups.get(group) ?? (options['awslogs-create-group'] === 'true' ? logs.create(group) : undefined)
    if (known === undefined) return
    const prefix = options['awslogs-stream-prefix']
    const stream = prefix === undefined ? this.#task.id : `${prefix}/${definition.name}/${this.#task.id}`
    logs.write(known, stream, script.log ?? [])
  }

  #registerTargets(): void {
    const elb = this.#ecs.region.part(Elb)
    const task = this.#task
    targetsOf(task).forEach(({ group, port }, index) => {
      const { containerName } = task.deployment?.revision.loadBalancers[index] ?? {}
      const container = task.containers.find(one => one.definition.name === containerName) ?? task.containers[0]
      const probe = (): TargetAnswer => (container === undefined ? 'refused' : answerOf(container, this.#ecs.now()))
      elb.register(group, task.address, port, `${this.#ecs.region.name}a`, probe, this.#changed)
    })
  }

  #stopping(): void {
    const task = this.#task
    this.#to('STOPPING')
    const running = task.containers.filter(container => container.status === 'RUNNING')
    let open = running.length
    if (open === 0) {
      this.#deprovision()
      return
    }
    for (const container of running) {
      const { stops = 1, stopCode = 143 } = container.script
      const most = container.definition.stopTimeout ?? STOP_TIMEOUT
      this.#later(Math.min(stops, most), () => {
        container.status = 'STOPPED'
        container.exitCode = stops > most ? 137 : stopCode
        open -= 1
        if (open === 0) this.#deprovision()
      })
    }
  }

  #deprovision(): void {
    const task = this.#task
    for (const container of task.containers) {
      // An essential container's end takes the others with it.
      if (container.status === 'RUNNING') container.exitCode = container.script.stopCode ?? 143
      container.status = 'STOPPED'
    }
    task.executionStoppedAt = this.#ecs.now()
    this.#to('DEPROVISIONING')
    this.#later(this.#timing.deprovisioning, () => {
      task.stoppedAt = this.#ecs.now()
      this.#to('STOPPED')
      this.#ecs.region.world.after(this.#timing.stoppedTasksKept, () => this.#ecs.tasks.delete(task.arn))
    })
  }
}

function answerOf(container: TaskContainer, now: number): TargetAnswer {
  const { target = 200, starts = 0 } = container.script
  const age = now - (container.startedAt ?? now)
  if (container.status !== 'RUNNING' || age < starts) return 'refused'
  if (!Array.isArray(target)) return target as TargetAnswer
  const steps = target as readonly (readonly [number, TargetAnswer])[]
  return steps.filter(([from]) => age >= from).at(-1)?.[1] ?? 200
}
