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
/** What a Secret may hold is 1 MiB (Kubernetes documentation, Secrets); base64 and metadata are counted too. */
const LARGEST_BYTES = 768 * 1024
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

export interface RecordContent {
  readonly objects: readonly ObjectState[]
  readonly commit: string
  readonly run: string
  readonly actor: string
  /** The number of the release that this one put back; 0 where it is none. */
  readonly restores: number
  /** What was live before: its number, 0 where it had no record. */
  readonly previous: number
  readonly images: Readonly<Record<string, string>>
}

export interface ReleaseRecord {
  readonly namespace: string
  readonly app: string
  readonly number: number
  readonly status: ReleaseStatus
  readonly createdAt: string
  readonly message: string
  readonly secretName: string
  /** Unpacks the content. @throws ExpectedFailure when the record is damaged */
  content(): RecordContent
}

const LABEL = { app: 'deploy-actions/app', number: 'deploy-actions/release', status: 'deploy-actions/status' } as const
const MESSAGE = 'deploy-actions/message'

/** The app's name as Kubernetes takes it for names and labels: DNS-1123, 63 characters at most. */
export function recordName(app: string): string {
  return app
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50)
    .replace(/-+$/, '')
}

export class ReleaseRecords {
  readonly #api: KubernetesApi
  readonly namespace: string
  readonly app: string

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
        labelSelector: `${LABEL.app}=${recordName(this.app)}`,
        fieldSelector: `type=${RECORD_TYPE}`,
      })
      return items.map(secret => this.#read(secret)).sort((a, b) => b.number - a.number)
    } catch (error) {
      throw asExpectedFailure(error, `read the release records in namespace ${this.namespace}`)
    }
  }

  /** @throws ExpectedFailure NotFound naming the records there are */
  async get(number: number): Promise<ReleaseRecord> {
    const records = await this.list()
    const found = records.find(record => record.number === number)
    if (found !== undefined) return found
    throw new ExpectedFailure('NotFound', `There is no release ${this.address(number)}; ${recordsThereAre(records)}.`)
  }

  /** Writes a new record with status `pending`. Returns undefined when somebody else has just taken the number. */
  async create(number: number, content: RecordContent): Promise<ReleaseRecord | undefined> {
    const name = `${recordName(this.app)}.r${number}`
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: RECORD_TYPE,
      metadata: {
        name,
        namespace: this.namespace,
        labels: {
          [LABEL.app]: recordName(this.app),
          [LABEL.number]: String(number),
          [LABEL.status]: 'pending',
          'app.kubernetes.io/managed-by': 'deploy-actions',
        },
      },
      data: { release: pack(content) },
    }
    try {
      return this.#read(
        await this.#api.request<KubernetesObject>('POST', `/api/v1/namespaces/${this.namespace}/secrets`, { body }),
      )
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return undefined
      throw asExpectedFailure(error, `write the release record ${name} in namespace ${this.namespace}`)
    }
  }

  /** Sets the status, and the content too where one is given. */
  async update(number: number, status: ReleaseStatus, message: string, content?: RecordContent): Promise<void> {
    const name = `${recordName(this.app)}.r${number}`
    const body = {
      metadata: { labels: { [LABEL.status]: status }, annotations: { [MESSAGE]: message.slice(0, 2_000) } },
      ...(content === undefined ? {} : { data: { release: pack(content) } }),
    }
    try {
      await this.#api.request('PATCH', `/api/v1/namespaces/${this.namespace}/secrets/${name}`, {
        body,
        contentType: 'application/merge-patch+json',
      })
    } catch (error) {
      throw asExpectedFailure(error, `write the release record ${name} in namespace ${this.namespace}`)
    }
  }

  /** Removes records beyond the last ten; never the last verified one, never one that is still pending. */
  async trim(): Promise<void> {
    const records = await this.list()
    const verified = lastVerified(records)
    const surplus = records
      .slice(RECORDS_KEPT)
      .filter(record => record.number !== verified?.number && record.status !== 'pending')
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
      secretName: secret.metadata.name,
      content: () => unpack(data, secret.metadata.name),
    }
  }
}

/** The newest release that is, or was, live: what came up and was not taken back. `pending`, `failed` and `rolled-back` ones never count. */
export function liveRecord(records: readonly ReleaseRecord[]): ReleaseRecord | undefined {
  return records.find(record => record.status === 'deployed' || record.status === 'verified')
}

export function lastVerified(records: readonly ReleaseRecord[]): ReleaseRecord | undefined {
  return records.find(record => record.status === 'verified')
}

export function recordsThereAre(records: readonly ReleaseRecord[]): string {
  if (records.length === 0) return 'there are no releases yet'
  return `there are ${records.map(record => `${record.number} (${record.status})`).join(', ')}`
}

function pack(content: RecordContent): string {
  const packed = gzipSync(JSON.stringify(content)).toString('base64')
  if (packed.length > LARGEST_BYTES) {
    throw new ExpectedFailure(
      'InvalidInput',
      `The release's objects take ${Math.round(packed.length / 1_024)} KiB compressed, more than the ${LARGEST_BYTES / 1_024} KiB that fit into a release record; nothing was changed. Split the release into several apps.`,
    )
  }
  return packed
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
