// One deployment of an app at a time: a Lease whose holder is the run, renewed while it works, taken over when its time is over.
import { hostname } from 'node:os'
import type { Clock } from '../deploy/clock.ts'
import { formatDuration } from '../runner/duration.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import type { KubernetesObject } from './objects.ts'
import { recordName } from './release-record.ts'

/** A holder that has not renewed for this long is dead, in seconds. */
const LEASE_SECONDS = 60
const RENEW_MS = 15_000
const ASK_AGAIN_MS = 1_000

interface LeaseSpec {
  readonly holderIdentity?: string | null
  readonly leaseDurationSeconds?: number
  readonly renewTime?: string
  readonly acquireTime?: string
}

/** Who holds the lock: the run's address and the very step, so that the post step of the same run may take it up again. */
export function lockHolder(env: NodeJS.ProcessEnv): string {
  const { GITHUB_RUN_ID: run, GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = env
  if (run === undefined) return `${env['USER'] ?? 'somebody'} at ${hostname()}, process ${process.pid}`
  const step = [env['GITHUB_RUN_ATTEMPT'], env['GITHUB_JOB'], env['GITHUB_ACTION'], env['RUNNER_NAME']].filter(
    part => part !== undefined && part !== '',
  )
  return `${server}/${repository}/actions/runs/${run} (${step.join(', ')})`
}

export class LeaseLock {
  readonly #api: KubernetesApi
  readonly #path: string
  readonly #name: string
  readonly #holder: string
  readonly #clock: Clock
  #stopRenewing: (() => void) | undefined
  #held = false

  constructor(options: { api: KubernetesApi; namespace: string; app: string; holder: string; clock: Clock }) {
    this.#api = options.api
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`
    this.#name = `${recordName(options.app)}.deploy`
    this.#holder = options.holder
    this.#clock = options.clock
  }

  /** @param waitMs how long to wait for another holder. @throws ExpectedFailure Locked that names the holder */
  async acquire(waitMs: number, signal: AbortSignal): Promise<void> {
    const deadline = this.#clock.now() + waitMs
    for (;;) {
      const other = await this.#try()
      if (other === undefined) {
        this.#held = true
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
      await new Promise<void>(resolve => void this.#clock.after(ASK_AGAIN_MS, resolve))
    }
  }

  /** Gives the lock back. Never throws: a lock that cannot be given back runs out by itself. */
  async release(): Promise<void> {
    if (!this.#held) return
    this.#held = false
    this.#stopRenewing?.()
    try {
      const lease = await this.#api.request<KubernetesObject>('GET', `${this.#path}/${this.#name}`)
      if ((lease as unknown as { spec: LeaseSpec }).spec.holderIdentity !== this.#holder) return
      const preconditions = { uid: lease.metadata.uid, resourceVersion: lease.metadata.resourceVersion }
      await this.#api.request('DELETE', `${this.#path}/${this.#name}`, {
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions },
      })
    } catch {
      // It runs out after LEASE_SECONDS.
    }
  }

  /** Takes the lock when it is free, ours or run out; else returns who holds it. */
  async #try(): Promise<string | undefined> {
    try {
      const lease = await this.#read()
      if (lease === undefined) {
        await this.#api.request('POST', this.#path, { body: this.#lease({}) })
        return undefined
      }
      const { spec } = lease as unknown as { spec?: LeaseSpec }
      const holder = spec?.holderIdentity ?? ''
      const renewed = Date.parse(spec?.renewTime ?? '')
      const alive = this.#api.now() - renewed < (spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1_000
      if (holder !== '' && holder !== this.#holder && alive) return foreignLine(holder, 300)
      await this.#api.request('PUT', `${this.#path}/${this.#name}`, {
        body: this.#lease({ resourceVersion: lease.metadata.resourceVersion ?? '' }),
      })
      return undefined
    } catch (error) {
      // Somebody was faster: the next try reads who.
      if (error instanceof ApiFailure && error.status === 409) return 'somebody who has just taken the lock'
      throw asExpectedFailure(error, `take the lock (lease ${this.#name})`)
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

  #lease(metadata: { resourceVersion?: string }): unknown {
    const now = new Date(this.#api.now()).toISOString().replace('Z', '000Z')
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: this.#name, ...metadata },
      spec: { holderIdentity: this.#holder, leaseDurationSeconds: LEASE_SECONDS, acquireTime: now, renewTime: now },
    }
  }

  #renewLater(): void {
    this.#stopRenewing = this.#clock.after(RENEW_MS, () => {
      const renewTime = new Date(this.#api.now()).toISOString().replace('Z', '000Z')
      this.#api
        .request('PATCH', `${this.#path}/${this.#name}`, {
          body: { spec: { renewTime } },
          contentType: 'application/merge-patch+json',
        })
        .catch(() => undefined)
        .finally(() => this.#held && this.#renewLater())
    })
  }
}
