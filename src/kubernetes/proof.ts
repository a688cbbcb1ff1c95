// What really runs at the end, as the kubelet says it: image digests by workload and container.
import type { Proof } from '../deploy/platform.ts'
import { followedKind, runsPods } from './judge/kinds.ts'
import type { Snapshot } from './judge/workload.ts'

/** The digests of the newest revision's pods, those that ended well too. Where a container runs from more than one digest, all are named. */
export function provenDigests(snapshots: readonly Snapshot[]): Proof {
  const digests: Record<string, Record<string, string>> = {}
  const revisions: (readonly [name: string, revision: string])[] = []
  for (const snapshot of snapshots) {
    const { object, name } = snapshot
    const kind = object === undefined ? undefined : followedKind(object)
    if (object === undefined || kind === undefined || !runsPods(object)) continue
    const revision = kind.revision?.(snapshot)
    if (revision !== undefined) revisions.push([name, revision])
    const found = new Map<string, Set<string>>()
    const pods = kind.pods(snapshot).filter(pod => pod.metadata?.deletionTimestamp == null && pod.status?.phase !== 'Failed')
    for (const pod of pods) {
      for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
        const digest = /sha256:[0-9a-f]{64}/.exec(status.imageID ?? '')?.[0]
        if (digest !== undefined) found.set(status.name, (found.get(status.name) ?? new Set()).add(digest))
      }
    }
    digests[name] = Object.fromEntries([...found].map(([container, all]) => [container, [...all].sort().join(',')]))
  }
  const [only] = revisions
  const revision =
    only !== undefined && revisions.length === 1 ? only[1] : revisions.map(([name, number]) => `${name}=${number}`).join(' ')
  return { digests, revision }
}
