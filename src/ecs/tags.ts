// The state of a deployment as tags on the service and on the task definition's revision: ECS is where it lives, so that a killed runner loses nothing.
import { createHash } from 'node:crypto'
import type { Service, Tag } from '@aws-sdk/client-ecs'
import type { ReleaseStatus } from '../deploy/platform.ts'
import { foreignLine } from '../runner/foreign-text.ts'

/** On the service: who deploys now, until when. */
export const LOCK_TAG = 'deploy-actions:lock'
/** On the service: the newest release, how it stands, and what was live before it. */
export const RELEASE_TAG = 'deploy-actions:release'
/** On the service, in parts: what else than the revision is to be put back. */
export const UNDO_TAG = 'deploy-actions:undo'
/** On a revision. */
export const COMMIT_TAG = 'deploy-actions:commit'
export const RUN_TAG = 'deploy-actions:run'

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html: 128 characters of key, 256 of value. */
const LONGEST_KEY = 128
const LONGEST_VALUE = 256
const UNDO_PARTS = 12

/** The key under which a revision says how it did in one service: a family may run in several. */
export function statusTag(cluster: string, service: string): string {
  const key = `deploy-actions:${cluster}/${service}`
  if (key.length <= LONGEST_KEY) return key
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return `${key.slice(0, LONGEST_KEY - 17)}-${hash}`
}

/** What tags may hold: letters, digits, spaces and `+ - = . _ : / @`. */
export function tagValue(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{Zs}+\-=._:/@]/gu, '_').slice(0, LONGEST_VALUE)
}

export function tagOf(tags: readonly Tag[] | undefined, key: string): string | undefined {
  return tags?.find(tag => tag.key === key)?.value
}

/** How a revision did in a service: `verified 2026-01-01T00:00:00.000Z`. */
export function statusOf(tags: readonly Tag[] | undefined, cluster: string, service: string): ReleaseStatus | undefined {
  const [status = ''] = (tagOf(tags, statusTag(cluster, service)) ?? '').split(' ')
  return (['pending', 'deployed', 'verified', 'failed', 'rolled-back'] as const).find(known => known === status)
}

/** What the service's own tag says of its newest release. */
export interface ReleaseNote {
  readonly status: ReleaseStatus
  /** `web:8` */
  readonly revision: string
  /** `web:7`; empty where nothing was live before. */
  readonly before: string
}

export function releaseNote(service: Pick<Service, 'tags'>): ReleaseNote | undefined {
  const match = /^(pending|deployed|verified|failed|rolled-back) (\S+:\d+)(?: before (\S+:\d+))?/.exec(
    tagOf(service.tags, RELEASE_TAG) ?? '',
  )
  const [, status, revision = '', before = ''] = match ?? []
  return status === undefined ? undefined : { status: status as ReleaseStatus, revision, before }
}

export function releaseValue({ status, revision, before }: ReleaseNote): string {
  return tagValue(`${status} ${revision}${before === '' ? '' : ` before ${before}`}`)
}

/** What besides the revision a release has changed of a service, as it was. */
export type Undo = Pick<Service, 'desiredCount' | 'deploymentConfiguration' | 'capacityProviderStrategy'>

/** The undo as tags, in base64, since tags take no braces. Undefined where it is too long to be kept. */
export function undoTags(undo: Undo): readonly Tag[] | undefined {
  if (Object.keys(undo).length === 0) return []
  const text = Buffer.from(JSON.stringify(undo)).toString('base64')
  const parts = text.match(new RegExp(`.{1,${LONGEST_VALUE}}`, 'g')) ?? []
  return parts.length > UNDO_PARTS ? undefined : parts.map((value, index) => ({ key: `${UNDO_TAG}-${index + 1}`, value }))
}

export function undoOf(tags: readonly Tag[] | undefined): Undo {
  const parts = Array.from({ length: UNDO_PARTS }, (_, index) => tagOf(tags, `${UNDO_TAG}-${index + 1}`) ?? '')
  try {
    const found: unknown = JSON.parse(Buffer.from(parts.join(''), 'base64').toString())
    return typeof found === 'object' && found !== null ? (found as Undo) : {}
  } catch {
    return {}
  }
}

export function undoKeys(tags: readonly Tag[] | undefined): readonly string[] {
  return (tags ?? []).flatMap(({ key }) => (key?.startsWith(`${UNDO_TAG}-`) === true ? [key] : []))
}

export interface LockNote {
  readonly until: number
  readonly holder: string
}

export function lockNote(service: Pick<Service, 'tags'>): LockNote | undefined {
  const [, until = '', holder = ''] = /^(\S+) (.*)$/s.exec(tagOf(service.tags, LOCK_TAG) ?? '') ?? []
  const at = Date.parse(until)
  return Number.isNaN(at) ? undefined : { until: at, holder: foreignLine(holder, 200) }
}

export function lockValue({ until, holder }: LockNote): string {
  return tagValue(`${new Date(until).toISOString()} ${holder}`)
}
