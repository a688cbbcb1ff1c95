// Whether tasks run from the image that was deployed. ECS may name that by the digest that was pushed, which is the index's where there are several platforms, or
// by the manifest's of the platform that was pulled.
import type { Task } from '@aws-sdk/client-ecs'
import { taskName } from './stopped-task.ts'

/** The digests of an index' platforms, none where it is no index; or why they could not be read. */
export type ImageParts = readonly string[] | { readonly unread: string }

/** A container that runs from another digest than the one that was deployed. */
export interface OtherDigest {
  readonly task: Task
  readonly container: string
  readonly wanted: string
  readonly runs: string
}

export function otherDigests(tasks: readonly Task[], digests: Readonly<Record<string, string>>): readonly OtherDigest[] {
  return tasks.flatMap(task =>
    (task.containers ?? []).flatMap(({ name: container = '', imageDigest: runs }) => {
      const wanted = digests[container]
      return wanted === undefined || runs === undefined || runs === wanted ? [] : [{ task, container, wanted, runs }]
    }),
  )
}

/** The first that is not known to be a part of what was deployed. What could not be read is no failure, but a doubt. */
export function wrongDigest(
  others: readonly OtherDigest[],
  parts: ReadonlyMap<string, ImageParts> | undefined,
): { readonly message: string; readonly culprit: string } | undefined {
  const wrong = others.find(({ wanted, runs }) => {
    const known = parts?.get(wanted) ?? []
    return 'unread' in known ? false : !known.includes(runs)
  })
  if (wrong === undefined) return undefined
  const { task, container, wanted, runs } = wrong
  return {
    culprit: `${taskName(task)} container ${container}`,
    message: `${taskName(task)}, container ${container} runs ${runs}, and not ${wanted}, which was to be deployed`,
  }
}

/** What could not be proven, for people; each once. */
export function digestDoubts(
  name: string,
  others: readonly OtherDigest[],
  parts: ReadonlyMap<string, ImageParts> | undefined,
): readonly string[] {
  const doubts = others.flatMap(({ container, wanted, runs }) => {
    const known = parts?.get(wanted) ?? []
    if (!('unread' in known)) return []
    const why = known.unread.replace(/\.$/, '')
    return [
      `${name} container ${container} was deployed as ${wanted.slice(0, 19)} and runs from ${runs.slice(0, 19)}; whether that is a part of the same image is not known: ${why}.`,
    ]
  })
  return [...new Set(doubts)]
}
