// Reads fields that may be absent, null, or not what the schema says: an aggregated API, a webhook or an old controller may have written them, and
// a judge that throws is worse than one that knows less.

/** The elements of a list that are objects; none where there is no list. */
export function list<T>(value: readonly T[] | null | undefined): readonly T[] {
  return Array.isArray(value) ? value.filter(element => typeof element === 'object' && element !== null) : []
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

/** Milliseconds of an API server's time stamp; undefined where there is none. */
export function timeOf(stamp: unknown): number | undefined {
  const time = typeof stamp === 'string' ? Date.parse(stamp) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

/** The latest of the times that are known; `otherwise` where none is. */
export function latest(times: readonly (number | undefined)[], otherwise: number): number {
  const known = times.filter(time => time !== undefined)
  return known.length === 0 ? otherwise : Math.max(...known)
}
