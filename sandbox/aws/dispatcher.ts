// From a request on the wire to the service that answers it: faults of the scenario first, then the service, then the check of what it says.
import type { Calls } from './calls.ts'
import { AwsError, commonError } from './protocol/errors.ts'
import { loadModel } from './protocol/model.ts'
import { matches } from './protocol/pattern.ts'
import { faultsOf, missingOf } from './protocol/validate.ts'
import { type Asked, answer, read, refusal, type WireRequest, type WireResponse } from './protocol/wire.ts'
import type { Service } from './service.ts'
import { services } from './services.ts'
import type { World } from './world.ts'

export class Dispatcher {
  readonly #world: World
  readonly #calls: Calls
  readonly #services = new Map<string, Service>(services.map(service => [service.model, service]))

  constructor(world: World, calls: Calls) {
    this.#world = world
    this.#calls = calls
  }

  /** `cut` where the connection is to end without an answer, `held` where it is to stay open without one. */
  dispatch(request: WireRequest, homeRegion: string): WireResponse | 'cut' | 'held' {
    const requestId = this.#world.ids.uuid()
    let asked: Asked | undefined
    const log = (status: number, error?: string): void => {
      if (asked === undefined) return
      const action = `${asked.model.prefix}:${asked.operation}`
      this.#calls.add({ action, at: this.#world.clock.now(), input: asked.input, status, ...(error !== undefined && { error }) })
    }
    try {
      asked = read(request, [...this.#services.keys()])
      const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers['authorization'] ?? '')?.[1] ?? homeRegion
      const fault = this.#fault(asked)
      if (fault === 'connection' || fault === 'hang') {
        log(0, fault)
        return fault === 'hang' ? 'held' : 'cut'
      }
      if (fault !== undefined) throw fault
      const output = this.#serve(asked, region)
      log(200)
      return answer(asked, output, requestId)
    } catch (error) {
      const known =
        error instanceof AwsError
          ? error
          : new AwsError('InternalFailure', `a bug in the AWS simulator: ${describe(error)}`, { status: 500 })
      const response = refusal(asked, known, requestId)
      log(response.status, known.code)
      return response
    }
  }

  /** A call from within, as `ecs:CreateService`: neither logged nor met by faults. @throws AwsError */
  call(action: string, input: Record<string, unknown>, region: string): Record<string, unknown> {
    const [prefix = '', operation = ''] = action.split(':')
    const service = [...this.#services.values()].find(one => loadModel(one.model).prefix === prefix)
    if (service === undefined) throw new Error(`the simulator has no service ${prefix}`)
    return this.#serve({ model: loadModel(service.model), modelName: service.model, operation, protocol: 'json', input }, region)
  }

  get #caller(): string {
    return `arn:aws:sts::${this.#world.account}:assumed-role/deploy/session`
  }

  #fault(asked: Asked): AwsError | 'connection' | 'hang' | undefined {
    const action = `${asked.model.prefix}:${asked.operation}`
    const now = this.#world.now()
    for (const fault of this.#world.faults) {
      if (!matches(fault.action, action)) continue
      if (now < fault.since + (fault.from ?? 0) || (fault.until !== undefined && now >= fault.since + fault.until)) continue
      fault.seen += 1
      if (fault.seen <= (fault.skip ?? 0) || fault.met >= (fault.times ?? Number.POSITIVE_INFINITY)) continue
      if (fault.rate !== undefined && this.#world.ids.chance() >= fault.rate) continue
      fault.met += 1
      if (fault.error === 'connection' || fault.error === 'hang') return fault.error
      // The Query protocol's services have shorter names for the same.
      const short =
        asked.protocol === 'query' ? fault.error.replace(/^(Throttling|AccessDenied|ExpiredToken)Exception$/, '$1') : fault.error
      const common = commonError(short, action, this.#caller, '*')
      return new AwsError(short, fault.message ?? common.message, { status: fault.status ?? common.status })
    }
    return undefined
  }

  #serve(asked: Asked, region: string): Record<string, unknown> {
    const { model, modelName, operation, input } = asked
    const service = this.#services.get(modelName)
    const handler = service?.handlers[operation]
    const shapes = model.operations[operation]
    const action = `${model.prefix}:${operation}`
    if (service === undefined || shapes === undefined || handler === undefined)
      throw new AwsError('UnknownOperationException', `the simulator has no ${action}`)
    const missing = missingOf(model, shapes.input, input)
    if (missing.length > 0) throw new AwsError(service.invalid, `${missing.join(', ')}: must not be null`)
    const wrong = shapes.input === undefined ? [] : faultsOf(model, shapes.input, input, 'input')
    if (wrong.length > 0) throw new AwsError(service.invalid, wrong.join('; '))
    const made = handler(input, { world: this.#world, region: this.#world.region(region), action, caller: this.#caller })
    // What is undefined is not sent, nor is it looked at.
    const output = (made ?? {}) as Record<string, unknown>
    const faults = shapes.output === undefined ? Object.keys(output) : faultsOf(model, shapes.output, output, operation)
    if (faults.length > 0) throw new Error(`an answer that ${model.service}'s model does not know: ${faults.join('; ')}`)
    return output
  }
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
