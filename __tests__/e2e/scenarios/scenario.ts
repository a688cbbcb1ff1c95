// One deployment of the list of scenarios: what is live before, the release, what happens meanwhile, and what must come of it.
import type { Fields } from './workloads.ts'

/** `$NAMESPACE` in any text is the scenario's own namespace, `$REGISTRY` the address of its stand-in for a registry. */
export interface Scenario {
  readonly name: string
  /** Applied before everything else, and no part of the app: a quota, a policy, a volume. */
  readonly given?: readonly Fields[]
  /** What was live: deployed by deploy-k8s, unless `liveBy` says otherwise. Without it the release is the app's first. */
  readonly live?: readonly Fields[]
  /** `kubectl`: it was applied by other means. `sick`: the same, and it has never been healthy. Both know no record. */
  readonly liveBy?: 'kubectl' | 'sick'
  /** So many replicas of what is live, whatever its manifest says. */
  readonly liveReplicas?: number
  /** The manifests, all in one file of several documents; or the files themselves. */
  readonly release: readonly Fields[] | Readonly<Record<string, string>>
  /** What differs from the defaults that a user has. */
  readonly inputs?: Readonly<Record<string, string>>
  readonly meanwhile?: readonly Happening[]
  /** How the stand-in for a registry answers: `away` refuses connections until it comes back, `private` wants credentials. */
  readonly registry?: 'away' | 'private'
  /** The Service `web` is asked all along, by fresh connections, and no request may fail. */
  readonly probed?: boolean
  /** About how long it takes, in seconds: the longest are begun first. */
  readonly takes: number
  readonly must: Failure | Success
}

/** The release is bad: what was live before is live again, byte for byte, and nothing is left over. */
export interface Failure {
  readonly fail: string
  /** Found in the message: who, and why. */
  readonly names: RegExp
  /** It is found before anything is changed: nothing was touched at all. */
  readonly untouched?: true
  /** What people changed meanwhile, and what stays so: `deployment/web` to fields of its metadata and spec. */
  readonly butFor?: Readonly<Record<string, Fields>>
}

/** The release is good: it ends `deployed`, and the new version serves. */
export interface Success {
  readonly deploy: true
  /** `unchanged` where there is nothing to do. */
  readonly result?: 'unchanged'
  /** So many pods stay at the old revision, as the manifest wants it. */
  readonly staysOld?: number
  /** So many replicas, whatever the manifest says. */
  readonly replicas?: number
}

/** Something that happens while the release is deployed, `at` seconds after it began to change things (or after the step's start). */
export type Happening = { readonly at: number; readonly from?: 'start' } & (
  | { readonly apply: readonly Fields[] }
  /** The base image gets this tag too. */
  | { readonly pushTag: string }
  /** What `kubectl patch` or `kubectl annotate` would do; a `subresource` such as `scale` is patched instead of the object. */
  | {
      readonly patch: Fields
      readonly of: readonly [apiVersion: string, kind: string, name: string]
      readonly subresource?: string
    }
  | { readonly remove: readonly [apiVersion: string, kind: string, name: string] }
  /** One pod of the newest revision is deleted, evicted through the Eviction API, or ended by its node (phase Failed). */
  | { readonly pod: 'delete' | 'evict' | 'end' }
  | { readonly registryIsBack: true }
)
