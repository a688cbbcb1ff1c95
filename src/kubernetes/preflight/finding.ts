// What a check before the change finds, and what it is given to look at.
import type { Clock } from '../../deploy/clock.ts'
import type { FilePosition } from '../../runner/failure.ts'
import type { KubernetesApi } from '../api.ts'
import type { ImageResolver } from '../image-digests.ts'
import type { Step } from '../steps.ts'
import type { ClusterReads } from './cluster-reads.ts'

/** A reason why the release cannot succeed, found before anything was changed. */
export interface PreflightFinding {
  /** The word the running cluster would have used: ErrImagePull, CreateContainerConfigError, FailedCreate, Unschedulable, FailedMount, Forbidden ... */
  readonly reason: string
  /** One sentence: what, where, what to do. */
  readonly message: string
  /** `deployment/web` */
  readonly object: string
  readonly at?: FilePosition | undefined
  /** True for what somebody else may be making right now: a Secret, an image. It is looked at again before it is a failure. */
  readonly mayYetArrive: boolean
}

/** Text that helps to mend a finding and is too long for a sentence. */
export interface PreflightHelp {
  readonly title: string
  readonly lines: readonly string[]
}

export interface PreflightWarning {
  readonly message: string
  readonly at?: FilePosition | undefined
}

export interface PreflightResult {
  readonly findings: readonly PreflightFinding[]
  /** What could not be looked at or is no failure, as sentences. */
  readonly passedOver: readonly string[]
  /** What will probably fail, and may be right all the same. */
  readonly warnings?: readonly PreflightWarning[]
  readonly help?: PreflightHelp | undefined
}

export interface PreflightContext {
  readonly api: KubernetesApi
  /** The release's own namespace. */
  readonly namespace: string
  /** The release's name, by which its lock is called. */
  readonly app?: string | undefined
  readonly steps: readonly Step[]
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Given, what was already found out when digests were pinned is not asked again. */
  readonly images?: ImageResolver | undefined
}

/** A context with the reads that the checks share: the same object is read once a round. */
export interface CheckContext extends PreflightContext {
  readonly reads: ClusterReads
  readonly images: ImageResolver
}

export type PreflightCheck = (context: CheckContext) => Promise<PreflightResult>
