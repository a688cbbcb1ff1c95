// What the engine needs of a platform. Kubernetes and ECS each implement it; the engine knows nothing else of them.
import type { FilePosition } from '../runner/failure.ts'
import type { Observation } from './follow.ts'
import type { Pause, Verdict } from './verdict.ts'

export type ReleaseStatus = 'pending' | 'deployed' | 'verified' | 'failed' | 'rolled-back'

/** One object that a release changes. */
export interface Change {
  readonly object: string
  readonly action: 'create' | 'change' | 'delete' | 'none'
  /** `image app: 127.0.0.1:5000/web:1 -> 127.0.0.1:5000/web:2`, for people. */
  readonly details: readonly string[]
}

/** One container that gets another image. */
export interface ImageChange {
  readonly workload: string
  readonly container: string
  /** Empty where the container is new. */
  readonly from: string
  readonly to: string
}

/** What is about to be done, found out without changing anything. */
export interface Plan {
  readonly changes: readonly Change[]
  readonly images?: readonly ImageChange[]
  /** The commit that what is live was deployed from, where that is known. */
  readonly previousCommit?: string
  /** Address of what is live now, where it has one. */
  readonly previousRelease: string
  /** True when something of this release is live already, recorded or not: there is something to go back to. */
  readonly somethingToGoBackTo: boolean
  /** What changes, field by field, secrets masked. */
  readonly diff: string
  /** True where an earlier run died in the middle: this one finishes what that one began, or puts it back, even where nothing is left to change. */
  readonly takesUpUnfinished: boolean
}

/** Why a workload failed, with the evidence. */
export interface Culprit {
  readonly workload: string
  readonly where: string
  readonly reason: string
  readonly message: string
  /** `state`, `exit code`, `restarts`, `image` ... of the container. */
  readonly facts: readonly (readonly [string, string])[]
  readonly events: readonly string[]
  readonly logs: readonly { readonly title: string; readonly lines: readonly string[] }[]
  /** Commands with which a person looks further while it is there. */
  readonly commands: readonly string[]
  /** Those that still tell something when it was put back. */
  readonly lastingCommands?: readonly string[]
  /** Where the user's file declares it. */
  readonly at?: FilePosition
}

/** What runs at the end, as the platform itself says it. */
export interface Proof {
  /** workload -> container -> digest. */
  readonly digests: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly revision: string
  /** What else was found to be so, each in a sentence. */
  readonly proven?: readonly string[]
  /** What is not as it was deployed, or cannot be proven. None of it makes a good release a bad one. */
  readonly doubts?: readonly string[]
}

/** A deployment of one app to one platform, from the plan to the record. Methods are called in the order in which they stand here. */
export interface Platform {
  /** @throws ExpectedFailure Locked that names the holder */
  lock(): Promise<void>
  /** Reads, renders and tries everything without changing anything. @throws ExpectedFailure for all that is wrong with it */
  plan(): Promise<Plan>
  /** Writes down what is live, so that from here on anybody can put it back. Returns the new release's address. */
  remember(): Promise<string>
  /** Makes the change; what it returns observes the release's workloads. */
  apply(): Promise<void>
  observe(): Promise<Observation>
  /** Lets the release go on from where it is held. Only of platforms that hold one at stages. @throws ExpectedFailure */
  goOn?(pause: Pause): Promise<void>
  /** Never throws: what could not be read is left out. */
  diagnose(verdict: Verdict): Promise<readonly Culprit[]>
  /**
   * What belongs to the release and comes once it is healthy. True where that changed what is live: it has to stay healthy after it too.
   * @throws ExpectedFailure: the release is bad then, and put back
   */
  finish?(): Promise<boolean>
  /** Never throws: what runs is good already. */
  prove(): Promise<Proof>
  /**
   * Puts back all that was changed. Returns what was put back, for people. @throws ExpectedFailure with the commands that would finish it;
   * `Unreachable` where trying again may help
   */
  restore(): Promise<readonly string[]>
  record(status: ReleaseStatus, message: string): Promise<void>
  unlock(): Promise<void>
}
