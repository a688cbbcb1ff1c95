// Reads the conditions in a status, which every controller writes in its own way.
import { isDeepStrictEqual } from 'node:util'
import { foreignLine } from '../../runner/foreign-text.ts'
import { list, text, timeOf } from './fields.ts'

export interface StatusCondition {
  readonly type?: unknown
  readonly status?: unknown
  readonly reason?: unknown
  readonly message?: unknown
  readonly observedGeneration?: unknown
  readonly lastTransitionTime?: unknown
}

/** The condition of that type in an object's status. */
export function conditionOf(object: unknown, type: string): StatusCondition | undefined {
  const { status } = (object ?? {}) as { status?: { conditions?: readonly StatusCondition[] } | null }
  return inList(status?.conditions, type)
}

/** The condition of that type in any list of conditions, such as a Gateway's listeners have. */
export function inList(conditions: readonly StatusCondition[] | undefined, type: string): StatusCondition | undefined {
  return list(conditions).find(condition => condition.type === type)
}

/** What a condition says of itself. */
export function said({ type, reason, message }: StatusCondition): { readonly reason: string; readonly message: string } {
  const word = foreignLine(text(reason), 60)
  const sentence = foreignLine(text(message))
  return { reason: word || text(type), message: sentence || word || text(type) }
}

/** When it became as it is, in ms; `otherwise` where it does not say, or says the beginning of time, as defaults in a definition do. */
export function sinceOf(condition: StatusCondition, otherwise: number): number {
  const at = timeOf(condition.lastTransitionTime)
  return at === undefined || at <= 0 ? otherwise : Math.max(at, otherwise)
}

/**
 * The object asks for what it asked for before the release, or does so again. What it says of itself, and said before, is then not of the release's
 * making; and nothing makes its controller say something else.
 */
export function isAsItWas({ object, before }: { readonly object: unknown; readonly before?: unknown }): boolean {
  if (object === undefined || before === undefined) return false
  const asked = ({ metadata: _, status: __, ...rest }: Record<string, unknown>): unknown => rest
  return isDeepStrictEqual(asked(object as Record<string, unknown>), asked(before as Record<string, unknown>))
}

/** It says the same, for the same reason, as it did before the release. */
export function wasSoBefore(condition: StatusCondition, before: StatusCondition | undefined): boolean {
  return before !== undefined && before.status === condition.status && text(before.reason) === text(condition.reason)
}
