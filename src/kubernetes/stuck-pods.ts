// Deletes the pods of a StatefulSet that keep it from going back. Its controller waits for a pod that is not Ready to become so before it replaces it,
// even if the pod is of a revision that never will: kubernetes.io, StatefulSets, "Forced rollback".
import type { StatefulSet } from 'kubernetes-types/apps/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { type Clock, sleep } from '../deploy/clock.ts'
import { messageOf } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { ApiFailure, type KubernetesApi } from './api.ts'
import { isGone, isReady } from './judge/pod.ts'
import { outdatedPods } from './judge/statefulset.ts'
import { groupOf, type KubernetesObject } from './objects.ts'

export interface StuckPodsOptions {
  readonly api: KubernetesApi
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

const INTERVAL_MS = 1_000
/** A pod that is Ready between two crashes is replaced by the controller, or stuck a little later. */
const TRIES = 60

export function isStatefulSet(object: KubernetesObject): boolean {
  return object.kind === 'StatefulSet' && groupOf(object.apiVersion) === 'apps'
}

/** Looks after the pods of a StatefulSet that was just put back, beside what else goes on, until all are of its revision or `signal` is raised. Never throws. */
export function replaceStuckPods(options: StuckPodsOptions, restored: KubernetesObject): void {
  watchOver(options, restored).catch((error: unknown) => {
    if (!options.signal.aborted)
      options.log.info(`Pods of statefulset/${restored.metadata.name} that may be stuck were not looked for: ${messageOf(error)}`)
  })
}

async function watchOver({ api, clock, log, signal }: StuckPodsOptions, restored: KubernetesObject): Promise<void> {
  const { name, namespace = '', generation = 0 } = restored.metadata
  for (let tries = 0; tries < TRIES && !signal.aborted; tries++) {
    const object = await api.request<StatefulSet>('GET', `/apis/apps/v1/namespaces/${namespace}/statefulsets/${name}`, { signal })
    // Only then is it known which revision it goes back to.
    if ((object.status?.observedGeneration ?? 0) >= generation) {
      const { items } = await api.list(`/api/v1/namespaces/${namespace}/pods`, undefined, signal)
      const pods = (items as unknown as readonly Pod[]).filter(pod =>
        pod.metadata?.ownerReferences?.some(owner => owner.uid === object.metadata?.uid),
      )
      const outdated = outdatedPods({ object, pods })
      if (outdated.length === 0 && pods.every(pod => !isGone(pod))) return
      for (const pod of outdated.filter(candidate => !isReady(candidate))) {
        await remove(api, namespace, pod)
        log.info(
          `Deleted pod ${pod.metadata?.name} of statefulset/${name}: it is of the bad revision and not Ready, and was in the way of the old one.`,
        )
      }
    }
    await sleep(clock, INTERVAL_MS, signal)
  }
}

async function remove(api: KubernetesApi, namespace: string, { metadata }: Pod): Promise<void> {
  try {
    await api.request('DELETE', `/api/v1/namespaces/${namespace}/pods/${metadata?.name}`, {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: metadata?.uid } },
    })
  } catch (error) {
    if (!(error instanceof ApiFailure) || (error.status !== 404 && error.status !== 409)) throw error
  }
}
