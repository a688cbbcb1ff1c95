// One deployment of an app at a time: a Lease whose holder is the run, renewed while it works, taken over when its time is over.
import { type Clock, sleep } from '../deploy/clock.ts'
import { formatDuration } from '../runner/duration.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import type { KubernetesObject } from './objects.ts'

/** A holder that has not renewed for this long is dead, in seconds. */
const LEASE_SECONDS = 60
const RENEW_MS = 15_000
const ASK_AGAIN_MS = 1_000
/** Not renewed for so long, the lock may soon be somebody else's: it is renewed before the next change. */
const UNSURE_MS = 2 * RENEW_MS
const TRIES = 3

interface LeaseSpec {
  readonly holderIdentity?: string | null
  readonly leaseDurationSeconds?: number
  readonly renewTime?: string
  readonly acquireTime?: string
}

export class LeaseLock {
  readonly #api: KubernetesApi
  readonly #path: string
  readonly #name: string
  readonly #holder: string
  readonly #clock: Clock
  readonly #lost = new AbortController()
  #stopRenewing: (() => void) | undefined
  #renewing: Promise<void> | undefined
  #renewedAt = 0
  #held = false
  /** The lease as it was last written from here. */
  #written: KubernetesObject | undefined

  constructor(options: { api: KubernetesApi; namespace: string; app: string; holder: string; clock: Clock }) {
    this.#api = options.api
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`
    this.#name = `${options.app}.deploy`
    this.#holder = options.holder
    this.#clock = options.clock
  }

  /** @param waitMs how long to wait for another holder. @throws ExpectedFailure Locked that names the holder */
  async acquire(waitMs: number, signal: AbortSignal): Promise<void> {
    const deadline = this.#clock.now() + waitMs
    for (;;) {
      const askedAt = this.#clock.now()
      const other = await this.#try()
      if (other === undefined) {
        this.#held = true
        this.#renewedAt = askedAt
        this.#renewLater()
        return
      }
      if (signal.aborted)
        throw new ExpectedFailure('Cancelled', 'Cancelled while waiting for another deployment; nothing was changed.')
      if (this.#clock.now() >= deadline) {
        const waited = waitMs === 0 ? '' : ` It was waited for ${formatDuration(waitMs)}.`
        throw new ExpectedFailure(
          'Locked',
          `Another deployment of this app is under way: ${other}. Nothing was changed.${waited} Wait for it, or give lock-timeout; a dead one loses its lock after ${LEASE_SECONDS} s.`,
        )
      }
      await sleep(this.#clock, ASK_AGAIN_MS, signal)
    }
  }

  /** Raised, with an ExpectedFailure, when somebody else has the lock that was ours: from then on nothing may be changed any more. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** To be called before every change. @throws ExpectedFailure Locked when the lock was lost; what a renewal that is due fails with */
  async assertHeld(): Promise<void> {
    if (this.#held && !this.#lost.signal.aborted && this.#clock.now() - this.#renewedAt > UNSURE_MS) {
      try {
        await this.#renew()
      } catch (error) {
        // Refused is not lost, and whoever may not renew must still be able to put back. Unheard is another thing: anybody may have it by now.
        if (error instanceof ApiFailure && !error.transient) return
        throw asExpectedFailure(error, `Renewing the lock (lease ${this.#name})`)
      }
    }
    this.#lost.signal.throwIfAborted()
  }

  /** Gives the lock back. Never throws: a lock that cannot be given back runs out by itself. */
  async release(): Promise<void> {
    if (!this.#held) return
    this.#held = false
    this.#stopRenewing?.()
    try {
      // What is on its way would change the lease between our reading and our deleting it.
      await this.#renewing?.catch(() => undefined)
      if (this.#written !== undefined && (await this.#delete(this.#written))) return
      const lease = await this.#read()
      if (lease !== undefined && holderOf(lease) === this.#holder) await this.#delete(lease)
    } catch {
      // It runs out after LEASE_SECONDS.
    }
  }

  /** @returns false when it is no longer as it is given here */
  async #delete({ metadata: { uid, resourceVersion } }: KubernetesObject): Promise<boolean> {
    try {
      await this.#api.request('DELETE', `${this.#path}/${this.#name}`, {
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
      })
      return true
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return false
      throw error
    }
  }

  /** Whether a process of this very step has it, or had it when it was killed. */
  async isOurs(): Promise<boolean> {
    try {
      const lease = await this.#read()
      return lease !== undefined && holderOf(lease) === this.#holder
    } catch (error) {
      throw asExpectedFailure(error, `Reading the lock (lease ${this.#name})`)
    }
  }

  /** Gives back what a process of this very step has left behind when it was killed. Never throws, as `release`. */
  async releaseLeftBehind(): Promise<void> {
    this.#held = true
    await this.release()
  }

  /** Takes the lock when it is free, ours, run out or a dead run's; else returns who holds it. */
  async #try(): Promise<string | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#take()
      } catch (error) {
        // Somebody was faster: the next try reads who.
        if (error instanceof ApiFailure && error.status === 409) return 'somebody who has just taken the lock'
        // The answer to our own POST may have been lost: the next look tells whether the lease is ours.
        const unknown = error instanceof ApiFailure && error.transient && error.mayHaveHappened
        if (!unknown || attempt === TRIES) throw asExpectedFailure(error, `Taking the lock (lease ${this.#name})`)
      }
    }
  }

  async #take(): Promise<string | undefined> {
    // Mostly it is free: the one who has it deletes it in the end.
    if (await this.#create()) return undefined
    const lease = await this.#read()
    if (lease === undefined) return 'somebody who has just given the lock back'
    const { spec } = lease as unknown as { spec?: LeaseSpec }
    const holder = holderOf(lease)
    const renewed = Date.parse(spec?.renewTime ?? '')
    const alive = this.#api.now() - renewed < (spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1_000
    if (holder !== '' && holder !== this.#holder && alive && !isEarlierAttempt(holder, this.#holder))
      return foreignLine(holder, 300)
    await this.#replace(this.#lease({ resourceVersion: lease.metadata.resourceVersion ?? '' }))
    return undefined
  }

  /** @returns false when there is one already */
  async #create(): Promise<boolean> {
    try {
      this.#written = await this.#api.request<KubernetesObject>('POST', this.#path, { body: this.#lease({}) })
      return true
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return false
      throw error
    }
  }

  async #read(): Promise<KubernetesObject | undefined> {
    try {
      return await this.#api.request<KubernetesObject>('GET', `${this.#path}/${this.#name}`)
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 404) return undefined
      throw error
    }
  }

  /** @throws ApiFailure 409 when the lease is no longer the one that was read: `body` carries that one's resourceVersion */
  async #replace(body: unknown): Promise<void> {
    this.#written = await this.#api.request<KubernetesObject>('PUT', `${this.#path}/${this.#name}`, { body })
  }

  #lease(metadata: { resourceVersion?: string }): unknown {
    const now = this.#timestamp()
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: this.#name, ...metadata },
      spec: { holderIdentity: this.#holder, leaseDurationSeconds: LEASE_SECONDS, acquireTime: now, renewTime: now },
    }
  }

  /** Microseconds, as a Lease has them. */
  #timestamp(): string {
    return new Date(this.#api.now()).toISOString().replace('Z', '000Z')
  }

  #renewLater(): void {
    this.#stopRenewing = this.#clock.after(RENEW_MS, () => {
      this.#renew()
        .catch(() => undefined)
        .finally(() => this.#held && !this.#lost.signal.aborted && this.#renewLater())
    })
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  /** Renews only what is still ours: read, compared, written under its resourceVersion. */
  async #renewOnce(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const askedAt = this.#clock.now()
      const lease = await this.#read()
      if (!this.#held) return
      if (lease === undefined || holderOf(lease) !== this.#holder) return this.#lose(lease)
      try {
        const { spec, metadata } = lease as unknown as { spec: LeaseSpec } & KubernetesObject
        const { name, resourceVersion } = metadata
        await this.#replace({
          ...lease,
          metadata: { name, resourceVersion },
          spec: { ...spec, renewTime: this.#timestamp() },
        })
        this.#renewedAt = askedAt
        return
      } catch (error) {
        const changed = error instanceof ApiFailure && (error.status === 409 || error.status === 404)
        if (!changed || attempt === TRIES) throw error
      }
    }
  }

  #lose(lease: KubernetesObject | undefined): void {
    const now = lease === undefined ? 'somebody removed it' : `${foreignLine(holderOf(lease), 300) || 'nobody'} holds it now`
    this.#lost.abort(
      new ExpectedFailure(
        'Locked',
        `The lock was lost while deploying (lease ${this.#name}: ${now}), so nothing more was changed from here. What was begun is put right by whoever deploys next.`,
      ),
    )
  }
}

/** A run is only run again once its earlier attempt is over (docs.github.com, "Re-running workflows and jobs"). */
function isEarlierAttempt(other: string, own: string): boolean {
  const parse = (holder: string): readonly [run: string, attempt: number] | undefined => {
    const found = /^(\S+) \((\d+),/.exec(holder)
    return found === null ? undefined : [found[1] ?? '', Number(found[2])]
  }
  const [theirs, mine] = [parse(other), parse(own)]
  return theirs !== undefined && mine !== undefined && theirs[0] === mine[0] && theirs[1] < mine[1]
}

function holderOf(lease: KubernetesObject): string {
  return (lease as unknown as { spec?: LeaseSpec }).spec?.holderIdentity ?? ''
}
