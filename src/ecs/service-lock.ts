// One deployment of a service at a time: a tag on the service that names the run and a time, renewed while it works. ECS has no compare-and-set for tags, so
// the tag is read back before the change is made; and of two that deploy all the same, ECS itself tells the first that it is superseded.
import type { Service } from '@aws-sdk/client-ecs'
import { type Clock, sleep } from '../deploy/clock.ts'
import { formatDuration } from '../runner/duration.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import { LOCK_TAG, lockNote, lockValue, tagValue } from './tags.ts'

/** A holder that has not renewed for this long is dead. */
const LOCK_MS = 90_000
const RENEW_MS = 30_000
const ASK_AGAIN_MS = 5_000

export interface ServiceLockOptions {
  readonly api: AwsApi
  readonly clock: Clock
  readonly holder: string
  /** The services as they are now, with their tags. */
  readonly describe: () => Promise<readonly Service[]>
}

export class ServiceLock {
  readonly #options: ServiceLockOptions
  readonly #holder: string
  readonly #lost = new AbortController()
  #arns: readonly string[] = []
  #stopRenewing: (() => void) | undefined
  #renewing: Promise<void> = Promise.resolve()

  constructor(options: ServiceLockOptions) {
    this.#options = options
    // As long as a tag's value, less the time in front of it.
    this.#holder = tagValue(options.holder).slice(0, 220)
  }

  /** Raised, with an ExpectedFailure, when somebody else has taken the lock. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** @returns the services as they were read. @throws ExpectedFailure Locked that names the holder */
  async acquire(waitMs: number, signal: AbortSignal): Promise<readonly Service[]> {
    const { clock, describe } = this.#options
    const deadline = clock.now() + waitMs
    for (;;) {
      const services = await describe()
      const held = services.flatMap(service => {
        const note = lockNote(service)
        return note !== undefined && note.until > clock.now() && note.holder !== this.#holder ? [{ service, note }] : []
      })[0]
      if (held === undefined) {
        this.#arns = services.flatMap(({ serviceArn }) => serviceArn ?? [])
        await this.#write()
        this.#renewIn(RENEW_MS)
        return services
      }
      if (signal.aborted)
        throw new ExpectedFailure('Cancelled', 'Cancelled while waiting for another deployment; nothing was changed.')
      if (clock.now() >= deadline) {
        const waited = waitMs === 0 ? '' : ` It was waited for ${formatDuration(waitMs)}.`
        throw new ExpectedFailure(
          'Locked',
          `Another deployment of service ${held.service.serviceName} is under way: ${held.note.holder}. Nothing was changed.${waited} Wait for it, or give lock-timeout; a dead one loses its lock after ${LOCK_MS / 1_000} s.`,
        )
      }
      await sleep(clock, ASK_AGAIN_MS, signal)
    }
  }

  /** Looks at services that were read anyway. @throws ExpectedFailure Locked when somebody else has the lock by now */
  assertHeld(services: readonly Service[]): void {
    for (const service of services) {
      const note = lockNote(service)
      if (note === undefined || note.holder === this.#holder || note.until <= this.#options.clock.now()) continue
      this.#lost.abort(
        new ExpectedFailure(
          'Locked',
          `Another run has taken the lock of service ${service.serviceName} and goes on with it: ${note.holder}.`,
        ),
      )
    }
    this.#lost.signal.throwIfAborted()
  }

  /** Gives the lock back. */
  async release(): Promise<void> {
    this.#stopRenewing?.()
    this.#stopRenewing = undefined
    if (this.#lost.signal.aborted) return
    const arns = this.#arns
    this.#arns = []
    // What is on its way would write the tag again behind our back.
    await this.#renewing
    await Promise.all(
      arns.map(resourceArn => this.#options.api.call('ecs', 'UntagResource', { resourceArn, tagKeys: [LOCK_TAG] })),
    )
  }

  async #write(): Promise<void> {
    const { api, clock } = this.#options
    const value = lockValue({ until: clock.now() + LOCK_MS, holder: this.#holder })
    await Promise.all(
      this.#arns.map(async resourceArn => {
        try {
          await api.call('ecs', 'TagResource', { resourceArn, tags: [{ key: LOCK_TAG, value }] })
        } catch (error) {
          if (
            error instanceof AwsFailure &&
            error.code === 'InvalidParameterException' &&
            !/service\/[^/]+\/[^/]+$/.test(resourceArn)
          )
            throw new ExpectedFailure(
              'InvalidInput',
              `${resourceArn} has the old form of a service's ARN, which takes no tags, and releases are recorded in tags; make the service anew. Nothing was changed.`,
            )
          throw error
        }
      }),
    )
  }

  #renewIn(ms: number, failed = false): void {
    this.#stopRenewing?.()
    if (this.#arns.length === 0 || this.#lost.signal.aborted) return
    this.#stopRenewing = this.#options.clock.after(ms, () => {
      this.#renewing = this.#renew(failed)
    })
  }

  /** However it goes, the next renewal follows. Since one that failed the lock may have run out, and be somebody else's by now. */
  async #renew(failed: boolean): Promise<void> {
    try {
      if (failed) this.assertHeld(await this.#options.describe())
      await this.#write()
      this.#renewIn(RENEW_MS)
    } catch {
      this.#renewIn(ASK_AGAIN_MS, true)
    }
  }
}
