// What really runs at the end, as the kubelet says it: image digests by workload and container.
import type { Proof } from '../deploy/platform.ts'
import { type DeploymentSnapshot, newestReplicaSet, podsOf } from './judge/deployment.ts'
import { isGone } from './judge/pod.ts'

/** The digests of the newest revision's pods. Where a container runs from more than one digest, all are named. */
export function provenDigests(snapshots: readonly DeploymentSnapshot[]): Proof {
  const digests: Record<string, Record<string, string>> = {}
  const revisions: string[] = []
  for (const snapshot of snapshots) {
    if (snapshot.deployment === undefined) continue
    const replicaSet = newestReplicaSet(snapshot.deployment, snapshot.replicaSets)
    const revision = snapshot.deployment.metadata?.annotations?.['deployment.kubernetes.io/revision']
    if (revision !== undefined) revisions.push(snapshots.length === 1 ? revision : `${snapshot.name}=${revision}`)
    const found = new Map<string, Set<string>>()
    for (const pod of podsOf(replicaSet, snapshot.pods).filter(candidate => !isGone(candidate))) {
      for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
        const digest = /sha256:[0-9a-f]{64}/.exec(status.imageID ?? '')?.[0]
        if (digest !== undefined) found.set(status.name, (found.get(status.name) ?? new Set()).add(digest))
      }
    }
    digests[snapshot.name] = Object.fromEntries([...found].map(([container, all]) => [container, [...all].sort().join(',')]))
  }
  return { digests, revision: revisions.join(' ') }
}
