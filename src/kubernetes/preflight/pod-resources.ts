// What a pod asks for, as the scheduler and the quota count it, with what a LimitRange of its namespace fills in.
import type { Container, PodSpec, ResourceRequirements } from 'kubernetes-types/core/v1.js'
import type { KubernetesObject } from '../objects.ts'
import { containersOf, isRecord, recordAt } from './pod-templates.ts'
import { type Amounts, atLeast, plus, readAmounts } from './quantity.ts'

export interface Resources {
  readonly requests: Amounts
  readonly limits: Amounts
}

/** One `limits` entry of a LimitRange. */
export interface LimitRule {
  readonly type: string
  readonly min: Amounts
  readonly max: Amounts
  readonly default: Amounts
  readonly defaultRequest: Amounts
  readonly ratio: Amounts
  /** The LimitRange's name. */
  readonly of: string
}

export function limitRules(ranges: readonly KubernetesObject[]): readonly LimitRule[] {
  return ranges.flatMap(range => {
    const limits = recordAt(range, ['spec'])?.['limits']
    if (!Array.isArray(limits)) return []
    return limits.filter(isRecord).map(limit => {
      const [min, max] = [readAmounts(limit['min']), readAmounts(limit['max'])]
      const byDefault = readAmounts(limit['default'])
      const isContainer = limit['type'] === 'Container'
      // The API server fills these in when the LimitRange is made; one that comes with the release may not have gone through it.
      const filled = isContainer ? { ...max, ...byDefault } : byDefault
      const filledRequest = isContainer ? { ...min, ...filled, ...readAmounts(limit['defaultRequest']) } : {}
      return {
        type: String(limit['type']),
        min,
        max,
        default: filled,
        defaultRequest: filledRequest,
        ratio: readAmounts(limit['maxLimitRequestRatio']),
        of: range.metadata.name,
      }
    })
  })
}

/** A container's requests and limits; a limit without a request is the request too (Kubernetes documentation, Manage Resources for Containers). */
export function containerResources(container: Container, rules: readonly LimitRule[]): Resources {
  const stated = recordAt(container, ['resources']) as ResourceRequirements | undefined
  const defaults = rules.filter(({ type }) => type === 'Container')
  const ownLimits = readAmounts(stated?.limits)
  const limits = Object.assign({}, ...defaults.map(rule => rule.default), ownLimits) as Amounts
  const own = { ...ownLimits, ...readAmounts(stated?.requests) }
  const requests = Object.assign({}, limits, ...defaults.map(rule => rule.defaultRequest), own) as Amounts
  return { requests, limits }
}

/**
 * Of the whole pod: the containers and sidecars together, or the largest init container beside the sidecars that run by then, whichever is more; and
 * the overhead. Source: Kubernetes documentation, Sidecar Containers, "Resource sharing within containers".
 */
export function podResources(spec: PodSpec, rules: readonly LimitRule[] = []): Resources {
  const overhead = readAmounts(spec.overhead)
  const own = recordAt(spec, ['resources'])
  const both = (of: 'requests' | 'limits'): Amounts => {
    const stated = readAmounts(own?.[of])
    return plus({ ...totals(spec, rules, of), ...stated }, of === 'requests' ? overhead : {})
  }
  return { requests: both('requests'), limits: both('limits') }
}

function totals(spec: PodSpec, rules: readonly LimitRule[], of: 'requests' | 'limits'): Amounts {
  let together: Amounts = {}
  let sidecars: Amounts = {}
  let largest: Amounts = {}
  for (const { container, init } of containersOf(spec)) {
    const amounts = containerResources(container, rules)[of]
    if (!init) together = plus(together, amounts)
    else if (isSidecar(container)) {
      sidecars = plus(sidecars, amounts)
      largest = atLeast(largest, sidecars)
    } else largest = atLeast(largest, plus(sidecars, amounts))
  }
  return atLeast(plus(together, sidecars), largest)
}

export function isSidecar(container: Container): boolean {
  return (container as { restartPolicy?: unknown }).restartPolicy === 'Always'
}
