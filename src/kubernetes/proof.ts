// What really runs at the end, as the kubelet says it: image digests by workload and container, held against the digests that were deployed.
import type { Container, Pod } from 'kubernetes-types/core/v1.js'
import type { Proof } from '../deploy/platform.ts'
import { followedKind, runsPods } from './judge/kinds.ts'
import type { Snapshot } from './judge/workload.ts'

const DIGEST = /sha256:[0-9a-f]{64}/

/** A container whose digest is not the one it was deployed by. */
export interface OtherDigest {
  readonly workload: string
  readonly container: string
  /** As deployed, `registry/web:2@sha256:...`. */
  readonly image: string
  readonly deployed: string
  readonly runs: string
}

export interface FoundDigests extends Pick<Proof, 'digests' | 'revision'> {
  /** How many containers run from exactly the digest that they were deployed by. */
  readonly same: number
  readonly others: readonly OtherDigest[]
  /** Containers that run from more than one digest, `deployment/web container app`. */
  readonly mixed: readonly string[]
}

/** The digests of the newest revision's pods, those that ended well too. Where a container runs from more than one digest, all are named. */
export function provenDigests(snapshots: readonly Snapshot[]): FoundDigests {
  const digests: Record<string, Record<string, string>> = {}
  const revisions: (readonly [name: string, revision: string])[] = []
  const others: OtherDigest[] = []
  const mixed: string[] = []
  let same = 0
  for (const snapshot of snapshots) {
    const { object, name } = snapshot
    const kind = object === undefined ? undefined : followedKind(object)
    if (object === undefined || kind === undefined || !runsPods(object)) continue
    const revision = kind.revision?.(snapshot)
    if (revision !== undefined) revisions.push([name, revision])
    const found = new Map<string, Set<string>>()
    const deployed = new Map<string, string>()
    const pods = kind.pods(snapshot).filter(pod => pod.metadata?.deletionTimestamp == null && pod.status?.phase !== 'Failed')
    for (const pod of pods) {
      for (const container of containersOf(pod)) deployed.set(container.name, container.image ?? '')
      for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
        const digest = DIGEST.exec(status.imageID ?? '')?.[0]
        if (digest !== undefined) found.set(status.name, (found.get(status.name) ?? new Set()).add(digest))
      }
    }
    for (const [container, all] of found) {
      const image = deployed.get(container) ?? ''
      const wanted = /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1]
      const [only] = all
      if (all.size > 1) mixed.push(`${name} container ${container}`)
      else if (wanted === undefined || only === undefined) continue
      else if (only === wanted) same += 1
      else others.push({ workload: name, container, image, deployed: wanted, runs: only })
    }
    digests[name] = Object.fromEntries([...found].map(([container, all]) => [container, [...all].sort().join(',')]))
  }
  const [first] = revisions
  const revision =
    first !== undefined && revisions.length === 1 ? first[1] : revisions.map(([name, number]) => `${name}=${number}`).join(' ')
  return { digests, revision, same, others, mixed }
}

function containersOf(pod: Pod): readonly Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
}

/** What the registry of an image says of one of its digests; undefined where it can't be asked. */
export interface ImageContents {
  /** All digests by which a container runtime may name what it runs of it: the index, a platform's manifest, that one's configuration. */
  digestsWithin(image: string, digest: string): Promise<readonly string[] | undefined>
  /** The configurations alone: they are what is run. */
  configurationsOf(image: string, digest: string): Promise<readonly string[] | undefined>
}

/**
 * One content that was pushed twice has two manifests, and the runtime names it by the one that it has seen first: the configurations of what runs are
 * then those of what was deployed.
 */
async function isWithin({ image, runs }: OtherDigest, known: readonly string[], contents: ImageContents): Promise<boolean> {
  if (known.includes(runs)) return true
  const configurations = (await contents.configurationsOf(image, runs)) ?? []
  return configurations.length > 0 && configurations.every(configuration => known.includes(configuration))
}

/**
 * What the digests prove. A container runtime names an image by the digest of its index, its platform's manifest or its configuration, and one content can
 * have several of them; so a digest that can't be found again is a doubt to be looked at, never a failure.
 */
export async function judgeDigests(
  found: FoundDigests,
  contents: ImageContents,
): Promise<Required<Pick<Proof, 'proven' | 'doubts'>>> {
  const judged = await Promise.all(
    found.others.map(async other => {
      const known = await contents.digestsWithin(other.image, other.deployed)
      return { other, known, same: known !== undefined && (await isWithin(other, known, contents)) }
    }),
  )
  const doubts = judged.flatMap(({ other, known, same }) => {
    if (same) return []
    const why = known === undefined ? 'the registry could not be asked whether that is the same image' : 'which is no part of it'
    return [
      `${other.workload} container ${other.container} was deployed as ${other.deployed.slice(0, 19)} and runs from ${other.runs.slice(0, 19)}, ${why}. A mirror or an admission webhook may have put another image in its place.`,
    ]
  })
  const mixed = found.mixed.map(
    name =>
      `${name} runs from more than one digest: its tag was moved while its pods were starting. Deploy by digest (pin-digests).`,
  )
  const same = found.same + found.others.length - doubts.length
  const proven =
    same === 0 ? [] : [`${same} ${same === 1 ? 'container runs' : 'containers run'} from the very digest that was deployed`]
  return { proven, doubts: [...doubts, ...mixed] }
}
