// How a recording is kept: the objects of one release as they came, each change as the difference from the state before it (JSON Merge Patch,
// RFC 7386), so that a minute of a rollout stays readable and small.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A kind of the API, such as `Pod`. */
export type Kind = string

/** `at` is in ms after the recording began. ADDED carries the whole object, MODIFIED what is different, DELETED nothing. */
export type Frame = { readonly at: number; readonly kind: Kind; readonly uid: string } & (
  | { readonly type: 'ADDED'; readonly object: Json }
  | { readonly type: 'MODIFIED'; readonly patch: Json }
  | { readonly type: 'DELETED' }
)

export interface Recording {
  readonly scenario: string
  /** `v1.34.4` */
  readonly kubernetes: string
  /** The API server's time of `at: 0`, in ms since 1970. */
  readonly beganAt: number
  /** When the release began to be applied, in ms after the beginning. Default: at once. */
  readonly createdAt?: number
  /** When the release had been applied, in ms after the beginning; frames before it are what was live already. */
  readonly appliedAt: number
  /** Of which kind the object is that is judged. Default: Deployment. */
  readonly kind?: Kind
  /** And of which API. Default: apps/v1, and batch/v1 of a Job. */
  readonly apiVersion?: string
  /** The object's generation in the answer to the apply. */
  readonly generation: number
  readonly frames: readonly Frame[]
}

/** The API and kind of the object that is judged. */
export function judgedKind({ kind = 'Deployment', apiVersion }: Recording): { readonly apiVersion: string; readonly kind: Kind } {
  return { kind, apiVersion: apiVersion ?? (kind === 'Job' ? 'batch/v1' : 'apps/v1') }
}

/** One frame a line, so that a new recording can be compared with the old one. */
export function formatRecording({ frames, ...head }: Recording): string {
  const opening = JSON.stringify(head).slice(0, -1)
  return `${opening},"frames":[\n${frames.map(frame => JSON.stringify(frame)).join(',\n')}\n]}\n`
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What must be merged into `from` to get `to`; undefined where they are the same. */
export function difference(from: Json, to: Json): Json | undefined {
  if (!isObject(from) || !isObject(to)) return JSON.stringify(from) === JSON.stringify(to) ? undefined : to
  const patch: Record<string, Json> = {}
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null
  for (const [key, value] of Object.entries(to)) {
    const before = from[key]
    const changed = before === undefined ? value : difference(before, value)
    if (changed !== undefined) patch[key] = changed
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

/** RFC 7386. */
export function merge(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch
  const merged: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = merge(merged[key] ?? null, value)
  }
  return merged
}
