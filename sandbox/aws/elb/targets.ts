// Targets of a target group, and their health: checked every interval, healthy or unhealthy after so many answers in a row.
import type { TargetAnswer } from '../scenario.ts'
import type { World } from '../world.ts'

export type TargetState = 'initial' | 'healthy' | 'unhealthy' | 'unused' | 'draining'

export interface HealthCheck {
  protocol: string
  port: string
  path: string | undefined
  interval: number
  timeout: number
  healthyThreshold: number
  unhealthyThreshold: number
  matcher: string
}

export interface Target {
  readonly id: string
  readonly port: number
  readonly zone: string
  state: TargetState
  reason: string | undefined
  description: string | undefined
}

interface Watched extends Target {
  readonly probe: () => TargetAnswer
  readonly changed: () => void
  row: { good: boolean; count: number }
  cancel: () => void
}

export class Targets {
  readonly #world: World
  readonly #check: () => HealthCheck
  readonly #delay: () => number
  readonly #inUse: () => boolean
  readonly #targets = new Map<string, Watched>()

  /** `inUse`: a listener's rule sends to the group. Only then are targets checked. */
  constructor(world: World, check: () => HealthCheck, deregistrationDelay: () => number, inUse: () => boolean) {
    this.#world = world
    this.#check = check
    this.#delay = deregistrationDelay
    this.#inUse = inUse
  }

  list(): Target[] {
    return [...this.#targets.values()]
  }

  get(id: string, port: number): Target | undefined {
    return this.#targets.get(`${id}:${port}`)
  }

  register(id: string, port: number, zone: string, probe: () => TargetAnswer, changed: () => void): void {
    const target: Watched = {
      ...{ id, port, zone, probe, changed },
      state: 'initial',
      reason: 'Elb.RegistrationInProgress',
      description: 'Target registration is in progress',
      row: { good: true, count: 0 },
      cancel: () => {},
    }
    this.#targets.get(`${id}:${port}`)?.cancel()
    this.#targets.set(`${id}:${port}`, target)
    target.cancel = this.#world.after(Math.min(1, this.#check().interval), () => this.#look(target))
  }

  /** `drained` runs when connections have had their time to end. */
  deregister(id: string, port: number, drained: () => void = () => {}): void {
    const target = this.#targets.get(`${id}:${port}`)
    if (target === undefined || target.state === 'draining') {
      drained()
      return
    }
    target.cancel()
    Object.assign(target, {
      state: 'draining',
      reason: 'Target.DeregistrationInProgress',
      description: 'Target deregistration is in progress',
    })
    target.cancel = this.#world.after(this.#delay(), () => {
      if (this.#targets.get(`${id}:${port}`) === target) this.#targets.delete(`${id}:${port}`)
      drained()
    })
  }

  #look(target: Watched): void {
    const check = this.#check()
    target.cancel = this.#world.after(check.interval, () => this.#look(target))
    const before = target.state
    if (!this.#inUse()) {
      Object.assign(target, {
        state: 'unused',
        reason: 'Target.NotInUse',
        description: 'Target group is not configured to receive traffic from the load balancer',
      })
    } else {
      const answer = target.probe()
      const good = typeof answer === 'number' && accepted(check.matcher, answer)
      target.row = { good, count: target.row.good === good ? target.row.count + 1 : 1 }
      const first = target.state === 'initial' || target.state === 'unused'
      if (first && target.reason !== 'Elb.InitialHealthChecking')
        Object.assign(target, {
          state: 'initial',
          reason: 'Elb.InitialHealthChecking',
          description: 'Initial health checks in progress',
        })
      // A new target is healthy with its first good answer (docs, "Health checks for your target groups").
      if (good && target.row.count >= (first ? 1 : check.healthyThreshold)) {
        Object.assign(target, { state: 'healthy', reason: undefined, description: undefined })
      } else if (!good && target.row.count >= check.unhealthyThreshold) {
        Object.assign(target, { state: 'unhealthy', ...fault(answer) })
      }
    }
    if (target.state !== before) target.changed()
  }
}

function fault(answer: TargetAnswer): { reason: string; description: string } {
  if (typeof answer === 'number')
    return { reason: 'Target.ResponseCodeMismatch', description: `Health checks failed with these codes: [${answer}]` }
  return answer === 'timeout'
    ? { reason: 'Target.Timeout', description: 'Request timed out' }
    : { reason: 'Target.FailedHealthChecks', description: 'Health checks failed' }
}

/** A matcher is `200`, `200,202` or `200-399`. */
export function accepted(matcher: string, status: number): boolean {
  return matcher.split(',').some(part => {
    const [from, to] = part.trim().split('-').map(Number)
    return from !== undefined && status >= from && status <= (to ?? from)
  })
}
