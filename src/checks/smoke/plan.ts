// The order of a file's steps: who waits for whom, by `needs`, by the captures that are used, and within groups. Pure.
import { closest } from '../../runner/closest-name.ts'
import type { Fault } from '../check-file/faults.ts'
import type { SingleStep, Smoke } from '../check-file/smoke-schema.ts'
import { referencesIn } from '../check-file/template.ts'

export interface PlannedStep {
  readonly name: string
  /** Where it stands in the file. */
  readonly path: readonly PropertyKey[]
  readonly step: SingleStep
  /** The steps that must have passed before, by their place in the plan. */
  readonly needs: readonly number[]
  /** The group it is of, by the group's place in the file. */
  readonly group?: { readonly index: number; readonly timeoutMs: number | undefined }
  readonly captures: readonly string[]
}

export type Plan = { readonly steps: readonly PlannedStep[] } | { readonly faults: readonly Fault[] }

interface Draft {
  readonly name: string
  readonly path: readonly PropertyKey[]
  readonly step: SingleStep
  readonly needs: readonly string[]
  readonly needsPath: readonly PropertyKey[]
  readonly after: number | undefined
  readonly group?: PlannedStep['group']
}

export function planSteps(steps: Smoke['steps']): Plan {
  const faults: Fault[] = []
  const drafts: Draft[] = []
  /** Name of a step or a group, and its last step. */
  const names = new Map<string, number>()
  const claim = (name: string | undefined, usual: string, path: readonly PropertyKey[], index: number): string => {
    if (name !== undefined && names.has(name))
      faults.push({ path: [...path, 'name'], message: `"${name}" is the name of another step already` })
    let own = name ?? usual
    for (let number = 2; name === undefined && names.has(own); number++) own = `${usual} (${number})`
    names.set(own, index)
    return own
  }
  steps.forEach((given, place) => {
    const path = ['smoke', 'steps', place]
    const needs = given.needs ?? []
    if (!('steps' in given)) {
      const name = claim(given.name, usualName(given), path, drafts.length)
      drafts.push({ name, path, step: given, needs, needsPath: path, after: undefined })
      return
    }
    const group = claim(given.name, `group ${place + 1}`, path, drafts.length + given.steps.length - 1)
    given.steps.forEach((step, inner) => {
      const own = [...path, 'steps', inner]
      const name = claim(step.name, `${group}: ${usualName(step)}`, own, drafts.length)
      const after = inner === 0 ? undefined : drafts.length - 1
      drafts.push({
        name,
        path: own,
        step,
        needs: [...(inner === 0 ? needs : []), ...(step.needs ?? [])],
        needsPath: inner === 0 && step.needs === undefined ? path : own,
        after,
        group: { index: place, timeoutMs: given.timeout },
      })
    })
  })
  const givers = new Map<string, number>()
  drafts.forEach(({ step, path }, index) => {
    for (const name of capturesOf(step)) {
      if (givers.has(name))
        faults.push({ path: [...path, 'capture', name], message: `${name} is captured by another step already` })
      else givers.set(name, index)
    }
  })
  const planned = drafts.map(({ name, path, step, needs, needsPath, after, group }, index): PlannedStep => {
    const named = needs.flatMap(need => {
      const found = names.get(need)
      if (found !== undefined && found !== index) return [found]
      const near = closest(
        need,
        [...names.keys()].filter(other => other !== name),
      )
      const hint = near === undefined ? '' : `; did you mean "${near}"?`
      faults.push({
        path: [...needsPath, 'needs'],
        message: found === index ? `"${need}" is the step itself` : `"${need}" is no step${hint}`,
      })
      return []
    })
    const used = referencesOf(step).flatMap(reference => givers.get(reference) ?? [])
    if (used.includes(index)) faults.push({ path, message: 'uses a value that it captures itself' })
    const all = new Set([...named, ...used, ...(after === undefined ? [] : [after])])
    return {
      name,
      path,
      step,
      needs: [...all].filter(need => need !== index),
      captures: capturesOf(step),
      ...(group === undefined ? {} : { group }),
    }
  })
  const circle = circleIn(planned)
  if (circle !== undefined)
    faults.push({ path: circle.path, message: `waits for itself: ${circle.names.join(', which needs ')}` })
  return faults.length > 0 ? { faults } : { steps: planned }
}

const KINDS = [
  'get',
  'head',
  'post',
  'put',
  'patch',
  'delete',
  'options',
  'graphql',
  'websocket',
  'tcp',
  'tls',
  'dns',
  'grpc',
  'run',
] as const

/** `GET ${base}/health`, `tcp db:5432`: as the file has it. */
function usualName(step: SingleStep): string {
  const given = step as Readonly<Record<string, unknown>>
  const kind = KINDS.find(each => (each === 'tls' ? typeof given[each] === 'string' : given[each] !== undefined)) ?? 'run'
  const value = given[kind]
  const method = KINDS.indexOf(kind) < 7 ? kind.toUpperCase() : kind
  return `${method} ${Array.isArray(value) ? value.slice(0, 3).join(' ') : String(value)}`.slice(0, 80)
}

function capturesOf(step: SingleStep): string[] {
  return 'capture' in step && step.capture !== undefined ? Object.keys(step.capture) : []
}

function referencesOf(value: unknown): string[] {
  if (typeof value === 'string') return [...referencesIn(value)]
  if (Array.isArray(value)) return value.flatMap(referencesOf)
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(referencesOf) : []
}

function circleIn(steps: readonly PlannedStep[]): { path: readonly PropertyKey[]; names: readonly string[] } | undefined {
  const done = new Set<number>()
  const visit = (index: number, above: readonly number[]): readonly number[] | undefined => {
    if (above.includes(index)) return [...above.slice(above.indexOf(index)), index]
    if (done.has(index)) return undefined
    for (const need of steps[index]?.needs ?? []) {
      const circle = visit(need, [...above, index])
      if (circle !== undefined) return circle
    }
    done.add(index)
    return undefined
  }
  for (const index of steps.keys()) {
    const circle = visit(index, [])
    const first = steps[circle?.[0] ?? -1]
    if (circle !== undefined && first !== undefined)
      return { path: first.path, names: circle.map(each => steps[each]?.name ?? '') }
  }
  return undefined
}
