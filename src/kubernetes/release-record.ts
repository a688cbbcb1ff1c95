// The release record: one Secret for each release, `<app>.r<number>`, that holds what was live before and what the release made live. It is all that
// a later run, the post step or a rollback needs, whatever became of the runner.
import { gunzipSync, gzipSync } from 'node:zlib'
import type { ReleaseStatus } from '../deploy/platform.ts'
import { formatReleaseAddress } from '../deploy/release-address.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import type { KubernetesObject } from './objects.ts'

export const RECORD_TYPE = 'deploy-actions/release.v1'
/** How many records of an app are kept, beside the last verified one and the one that is live. */
export const RECORDS_KEPT = 10
/** What a Secret's values may hold together, base64 not counted (k8s.io/api, core/v1, MaxSecretSize). */
export const LARGEST_BYTES = 1024 * 1024
/** A record is ours, but its bytes come from the cluster: what it unpacks to is bounded. */
const LARGEST_UNPACKED_BYTES = 64 * 1024 * 1024

/** One object's state in a release. */
export interface ObjectState {
  /** Enough to find it: apiVersion, kind, metadata.namespace, metadata.name. */
  readonly reference: KubernetesObject
  /** As it was before the release; undefined where it was not there. */
  readonly before: KubernetesObject | undefined
  /** As the release made it; undefined where the release deleted it. */
  readonly after: KubernetesObject | undefined
  /** The number of replicas is an autoscaler's: it is not put back either. */
  readonly keepReplicas: boolean
}

/** What is left of an object's state in a record that could not hold it whole. */
export interface InventoryEntry {
  readonly reference: KubernetesObject
  /** Whether it was there before the release, and after it. */
  readonly before: boolean
  readonly after: boolean
}

export interface RecordContent {
  /** Empty where there is an `inventory`. */
  readonly objects: readonly ObjectState[]
  /** Of a release whose objects were too large for its record: which they are, but not how they stood. It cannot be gone back to. */
  readonly inventory?: readonly InventoryEntry[]
  readonly commit: string
  readonly run: string
  readonly actor: string
  /** The number of the release that this one put back; 0 where it is none. */
  readonly restores: number
  /** True where it put back what was live before the first release: `restores` is 0 then. */
  readonly restoresOriginal?: boolean
  /** What was live before: its number, 0 where it had no record. */
  readonly previous: number
  readonly images: Readonly<Record<string, string>>
  /** The platform's own revision numbers when it was up, as the output `revision` has them. */
  readonly revision?: string
}

export interface ReleaseRecord {
  readonly namespace: string
  readonly app: string
  readonly number: number
  readonly status: ReleaseStatus
  readonly createdAt: string
  readonly message: string
  /** True of a failed release that is live all the same: it was left as it is, or could not be put back. */
  readonly leftInPlace: boolean
  readonly secretName: string
  readonly resourceVersion: string | undefined
  /** Unpacks the content. @throws ExpectedFailure when the record is damaged */
  content(): RecordContent
}

const LABEL = { app: 'deploy-actions/app', number: 'deploy-actions/release', status: 'deploy-actions/status' } as const
const MESSAGE = 'deploy-actions/message'
const LEFT_IN_PLACE = 'deploy-actions/left-in-place'

export class ReleaseRecords {
  readonly #api: KubernetesApi
  readonly namespace: string
  readonly app: string

  /** @param app as `appName` spells it: it becomes part of names and labels */
  constructor(api: KubernetesApi, namespace: string, app: string) {
    this.#api = api
    this.namespace = namespace
    this.app = app
  }

  address(number: number): string {
    return number === 0 ? '' : formatReleaseAddress({ platform: 'k8s', namespace: this.namespace, app: this.app, number })
  }

  /** All records of the app, newest first. */
  async list(): Promise<readonly ReleaseRecord[]> {
    const path = `/api/v1/namespaces/${this.namespace}/secrets`
    try {
      const { items } = await this.#api.list(path, {
        labelSelector: `${LABEL.app}=${this.app}`,
        fieldSelector: `type=${RECORD_TYPE}`,
      })
      return items.map(secret => this.#read(secret)).sort((a, b) => b.number - a.number)
    } catch (error) {
      throw asExpectedFailure(error, `Reading the release records in namespace ${this.namespace}`)
    }
  }

  /** @throws ExpectedFailure NotFound naming the records there are */
  async get(number: number, known?: readonly ReleaseRecord[]): Promise<ReleaseRecord> {
    const records = known ?? (await this.list())
    const found = records.find(record => record.number === number)
    if (found !== undefined) return found
    throw new ExpectedFailure('NotFound', `There is no release ${this.address(number)}; ${recordsThereAre(records)}.`)
  }

  /** Writes a new record with status `pending`. Returns undefined when somebody else has just taken the number. */
  async create(number: number, content: RecordContent): Promise<ReleaseRecord | undefined> {
    const name = `${this.app}.r${number}`
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: RECORD_TYPE,
      metadata: {
        name,
        namespace: this.namespace,
        labels: {
          [LABEL.app]: this.app,
          [LABEL.number]: String(number),
          [LABEL.status]: 'pending',
          'app.kubernetes.io/managed-by': 'deploy-actions',
        },
      },
      data: { release: pack(content).data },
    }
    try {
      return this.#read(
        await this.#api.request<KubernetesObject>('POST', `/api/v1/namespaces/${this.namespace}/secrets`, { body }),
      )
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return undefined
      throw asExpectedFailure(error, `Writing the release record ${name} in namespace ${this.namespace}`)
    }
  }

  /** Sets the status, and the content too where one is given. With a resourceVersion only while the record is still the one that was read. */
  async update(
    number: number,
    status: ReleaseStatus,
    message: string,
    more: { content?: RecordContent | undefined; leftInPlace?: boolean; resourceVersion?: string | undefined } = {},
  ): Promise<void> {
    const name = `${this.app}.r${number}`
    const { content, leftInPlace = false, resourceVersion } = more
    const body = {
      metadata: {
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        labels: { [LABEL.status]: status },
        annotations: { [MESSAGE]: message.slice(0, 2_000), [LEFT_IN_PLACE]: leftInPlace ? 'true' : null },
      },
      ...(content === undefined ? {} : { data: { release: pack(content).data } }),
    }
    try {
      await this.#api.request('PATCH', `/api/v1/namespaces/${this.namespace}/secrets/${name}`, {
        body,
        contentType: 'application/merge-patch+json',
      })
    } catch (error) {
      throw asExpectedFailure(error, `Writing the release record ${name} in namespace ${this.namespace}`)
    }
  }

  /** Removes old records. @see surplusOf */
  async trim(): Promise<void> {
    const surplus = surplusOf(await this.list())
    await Promise.all(
      surplus.map(record => this.#api.request('DELETE', `/api/v1/namespaces/${this.namespace}/secrets/${record.secretName}`)),
    )
  }

  #read(secret: KubernetesObject): ReleaseRecord {
    const labels = secret.metadata.labels ?? {}
    const data = (secret as unknown as { data?: Record<string, string> }).data?.['release'] ?? ''
    return {
      namespace: this.namespace,
      app: this.app,
      number: Number(labels[LABEL.number] ?? 0),
      status: (labels[LABEL.status] ?? 'failed') as ReleaseStatus,
      createdAt: secret.metadata.creationTimestamp ?? '',
      message: secret.metadata.annotations?.[MESSAGE] ?? '',
      leftInPlace: secret.metadata.annotations?.[LEFT_IN_PLACE] === 'true',
      secretName: secret.metadata.name,
      resourceVersion: secret.metadata.resourceVersion,
      content: () => unpack(data, secret.metadata.name),
    }
  }
}

/** True of a release that came up and was not taken back. */
export function cameUp(record: ReleaseRecord): boolean {
  return record.status === 'deployed' || record.status === 'verified'
}

/** True of a release that was live when its run ended, good or bad. */
export function isLeft(record: ReleaseRecord): boolean {
  return cameUp(record) || (record.status === 'failed' && record.leftInPlace)
}

/** The release that is live: the newest that came up, or failed and was left as it is. One that is `pending` is not there yet. */
export function liveRecord(records: readonly ReleaseRecord[]): ReleaseRecord | undefined {
  return records.find(isLeft)
}

/** Records whose run died in the middle, newest first. What is older than the live release was overtaken by it. */
export function unfinishedRecords(records: readonly ReleaseRecord[]): readonly ReleaseRecord[] {
  const live = liveRecord(records)?.number ?? 0
  return records.filter(record => record.status === 'pending' && record.number > live)
}

/**
 * The records beyond the newest ten. Failures in a row push no release out that can be gone back to: the newest ten of those that came up stay too,
 * and the last verified one, and any that is pending.
 */
export function surplusOf(records: readonly ReleaseRecord[]): readonly ReleaseRecord[] {
  const kept = new Set([
    ...records.slice(0, RECORDS_KEPT),
    ...records.filter(cameUp).slice(0, RECORDS_KEPT),
    lastVerified(records),
  ])
  return records.filter(record => !kept.has(record) && record.status !== 'pending')
}

export function lastVerified(records: readonly ReleaseRecord[]): ReleaseRecord | undefined {
  return records.find(record => record.status === 'verified')
}

export function recordsThereAre(records: readonly ReleaseRecord[]): string {
  if (records.length === 0) return 'there are no releases yet'
  return `there are ${records.map(record => `${record.number} (${record.status})`).join(', ')}`
}

/**
 * What a record holds of the content: all of it, or where that is too large its inventory.
 * @throws ExpectedFailure when not even that fits
 */
export function fitted(content: RecordContent): { readonly content: RecordContent; readonly bytes: number } {
  const { content: kept, bytes } = pack(content)
  return { content: kept, bytes }
}

/** `bytes` is the compressed size of the whole. */
function pack(content: RecordContent): { readonly data: string; readonly content: RecordContent; readonly bytes: number } {
  const whole = gzipSync(JSON.stringify(content))
  const bytes = whole.length
  if (bytes <= LARGEST_BYTES) return { data: whole.toString('base64'), content, bytes }
  const kept = { ...content, objects: [], inventory: inventoryOf(content) }
  const packed = gzipSync(JSON.stringify(kept))
  if (packed.length > LARGEST_BYTES) {
    throw new ExpectedFailure(
      'InvalidInput',
      `Even the list of the release's ${content.objects.length} objects takes ${Math.round(packed.length / 1_024)} KiB compressed, more than the ${LARGEST_BYTES / 1_024} KiB that a release record holds; nothing was changed. Split the release into several apps.`,
    )
  }
  return { data: packed.toString('base64'), content: kept, bytes }
}

/** Which objects a release had, whatever its record could hold of them. */
export function inventoryOf({ objects, inventory }: RecordContent): readonly InventoryEntry[] {
  return (
    inventory ??
    objects.map(({ reference, before, after }) => ({ reference, before: before !== undefined, after: after !== undefined }))
  )
}

/** The states that are known: of a record that holds only an inventory those of objects which its release created, for these were not there before. */
export function knownStates({ objects, inventory }: RecordContent): readonly ObjectState[] {
  if (inventory === undefined) return objects
  return inventory
    .filter(entry => !entry.before)
    .map(({ reference }) => ({ reference, before: undefined, after: undefined, keepReplicas: false }))
}

/** Why a release with such a record cannot be gone back to, and what can be done instead. */
export function explainInventoryOnly(address: string, { commit, run }: RecordContent): string {
  const from = [commit === '' ? '' : `its commit ${commit.slice(0, 12)}`, run === '' ? '' : `its run ${run}`].filter(
    text => text !== '',
  )
  return `The objects of ${address} were too large for its release record, which holds only their names and images, so they cannot be put back from it. Deploy ${from.length === 0 ? 'that version' : from.join(', ')} again with deploy-k8s.`
}

function unpack(data: string, name: string): RecordContent {
  try {
    return JSON.parse(
      gunzipSync(Buffer.from(data, 'base64'), { maxOutputLength: LARGEST_UNPACKED_BYTES }).toString(),
    ) as RecordContent
  } catch (cause) {
    throw new ExpectedFailure('InvalidInput', `The release record ${name} cannot be read: it is damaged.`, { cause })
  }
}
