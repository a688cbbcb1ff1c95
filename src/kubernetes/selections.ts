// Which of the release's workloads each of its Services selects, kept as they change: to ask all of them for each Service again and again would cost
// minutes in a release of hundreds.
import type { Service } from 'kubernetes-types/core/v1.js'
import { runsPods } from './judge/kinds.ts'
import { selects } from './judge/service.ts'
import { groupOf, type KubernetesObject } from './objects.ts'

interface Selection {
  readonly namespace: string
  readonly service: KubernetesObject
  readonly selected: Map<string, KubernetesObject>
}

export class Selections {
  readonly #services = new Map<string, Selection>()
  readonly #workloads = new Map<string, KubernetesObject>()

  /** Takes in an object of the release as it is now. @returns the keys of the Services whose pods it has a say in */
  take(key: string, object: KubernetesObject): readonly string[] {
    const { namespace = '' } = object.metadata
    if (object.kind === 'Service' && groupOf(object.apiVersion) === '') {
      const inIt = [...this.#workloads].filter(([, workload]) => (workload.metadata.namespace ?? '') === namespace)
      const selected = new Map(inIt.filter(([, workload]) => selects(object as unknown as Service, workload)))
      this.#services.set(key, { namespace, service: object, selected })
      return []
    }
    if (!runsPods(object)) return []
    const known = this.#workloads.get(key)
    this.#workloads.set(key, object)
    const same = known !== undefined && saysTheSame(known, object)
    const touched: string[] = []
    for (const [service, selection] of this.#services) {
      if (selection.namespace !== namespace) continue
      const was = selection.selected.has(key)
      const is = same ? was : selects(selection.service as unknown as Service, object)
      if (is) selection.selected.set(key, object)
      else selection.selected.delete(key)
      if (!same && (is || was)) touched.push(service)
    }
    return touched
  }

  /** The workload is no longer to be there. @returns as `take` does */
  forget(key: string): readonly string[] {
    this.#workloads.delete(key)
    return [...this.#services].flatMap(([service, { selected }]) => (selected.delete(key) ? [service] : []))
  }

  of(service: string): readonly KubernetesObject[] {
    return [...(this.#services.get(service)?.selected.values() ?? [])]
  }
}

/** Its spec is as it was, and so is a DaemonSet's number of pods, which stands in the status alone. */
function saysTheSame(known: KubernetesObject, object: KubernetesObject): boolean {
  return known.metadata.generation === object.metadata.generation && scheduled(known) === scheduled(object)
}

function scheduled({ status }: KubernetesObject): unknown {
  return (status as { desiredNumberScheduled?: unknown } | null | undefined)?.desiredNumberScheduled
}
