// The manifests that were read as a release's target: named, pinned and checked as far as that is possible without changing anything.
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import { failedOnTheWay } from './api-failure.ts'
import { autoscaled, namespacesOf } from './autoscalers.ts'
import type { OpenedConnection } from './connection.ts'
import type { ImageResolver } from './image-digests.ts'
import { groupOfSettable, type SetImageEntry } from './image-entries.ts'
import { applySetImage, containerImages } from './images.ts'
import { type Manifest, withNamespace } from './manifests.ts'
import { groupOf, type KubernetesObject, objectName } from './objects.ts'
import type { Target } from './platform.ts'
import { stepsToPrune } from './prune.ts'
import { liveRecord, type ReleaseRecord } from './release-record.ts'
import { FIELD_MANAGER, readLive, type Step } from './steps.ts'
import { stepFromManifest, stepFromSetImage } from './targets.ts'

export interface ManifestSource {
  readonly connection: OpenedConnection
  readonly namespace: string
  /** What `readManifests` reads. */
  readonly manifests: Promise<readonly Manifest[]>
  readonly setImage: readonly SetImageEntry[]
  /** Asks the registries what a tag stands for; undefined where tags are to stay as they are. */
  readonly pinBy: ImageResolver | undefined
  /** Delete what the live release holds and the manifests no longer do. */
  readonly prune: boolean
  /** False in a dry run: a namespace that is missing is not created then. */
  readonly createNamespace: boolean
  readonly log: Log
}

export interface PreparedManifests {
  /** Reads what is live and makes the steps. */
  readonly target: (records: Promise<readonly ReleaseRecord[]>) => Promise<Target>
  /** The steps as far as they are known without reading what is live. */
  readonly intended: readonly Step[]
}

/** @throws ExpectedFailure for all that is wrong with the manifests, before the lock is taken */
export async function prepareManifests(source: ManifestSource): Promise<PreparedManifests> {
  const { connection, namespace } = source
  const { api } = connection
  const [loaded, exists] = await Promise.all([
    source.manifests.then(async manifests => {
      // Asked for here, each kind is known by the time its namespace is looked for. What is not known is told then.
      await Promise.allSettled(manifests.map(({ object }) => api.resource(object.apiVersion, object.kind)))
      return manifests
    }),
    namespaceExists(source),
  ])
  const named = await withNamespace(loaded, namespace, (apiVersion, kind) => isNamespaced(source, loaded, apiVersion, kind))
  const set = await pinned(applySetImage(named, source.setImage, namespace), source.pinBy)
  if (!exists) await createNamespace(source, set.manifests)
  const target = async (records: Promise<readonly ReleaseRecord[]>): Promise<Target> => {
    const objects = set.manifests.map(manifest => manifest.object)
    const newKinds = (manifest: Manifest): boolean => definitionOf(set.manifests, manifest.object.kind) !== undefined
    const [scaled, lives] = await Promise.all([
      autoscaled(api, namespacesOf(objects, namespace), objects),
      Promise.all(
        set.manifests.map(manifest =>
          newKinds(manifest) ? readNewKind(source, set.manifests, manifest) : readLive(api, manifest.object),
        ),
      ),
    ])
    tellOfHelm(set.manifests, lives, source)
    const steps = set.manifests.map((manifest, index) => stepFromManifest(manifest, lives[index], scaled(manifest.object)))
    const workloads = Map.groupBy(set.live, entry => `${entry.kind}/${entry.name}`)
    const patches = await Promise.all(
      [...workloads.values()].map(entries => stepFromSetImage(api, apiVersionOf(entries[0]?.kind ?? ''), entries, namespace)),
    )
    const dropped = source.prune
      ? await stepsToPrune(api, liveRecord(await records), [...objects, ...patches.map(({ body }) => body)])
      : []
    return { steps: [...steps, ...patches, ...dropped], restores: 0 }
  }
  return { target, intended: set.manifests.map(manifest => stepFromManifest(manifest, undefined, false)) }
}

const HELM_RELEASE = 'meta.helm.sh/release-name'

/** Helm's own record stays where it is: whoever uninstalls the release later deletes what is ours by then. */
function tellOfHelm(
  manifests: readonly Manifest[],
  lives: readonly (KubernetesObject | undefined)[],
  { namespace, log }: ManifestSource,
): void {
  const taken = manifests.flatMap(({ object }, index) => {
    const release = lives[index]?.metadata.annotations?.[HELM_RELEASE]
    return release === undefined || object.metadata.annotations?.[HELM_RELEASE] !== undefined ? [] : [{ object, release }]
  })
  for (const [release, objects] of Map.groupBy(taken, each => each.release)) {
    const names = objects.map(({ object }) => objectName(object))
    const shown = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
    const name = foreignLine(release, 60)
    log.info(
      `Taken over from the Helm release ${name}: ${shown}. Do not uninstall it any more, that would delete them; remove its record: kubectl delete secret -n ${namespace} -l owner=helm,name=${name}`,
    )
  }
}

interface ImagesSet {
  readonly manifests: readonly Manifest[]
  readonly live: readonly SetImageEntry[]
}

/** Tags become digests where the registry answers, so that what was looked at is what runs, on every node and after every restart. */
async function pinned(set: ImagesSet, resolver: ImageResolver | undefined): Promise<ImagesSet> {
  if (resolver === undefined) return set
  const { pinDigests, pinnedReference, resolveImages } = await import('./image-digests.ts')
  const images = set.manifests.flatMap(({ object }) => containerImages(object).map(({ image }) => image))
  const resolved = await resolveImages([...images, ...set.live.map(entry => entry.reference)], resolver)
  const live = set.live.map(entry => ({ ...entry, reference: pinnedReference(entry.reference, resolved) ?? entry.reference }))
  return { manifests: pinDigests(set.manifests, resolved).manifests, live }
}

/** Whether a kind's objects belong to a namespace: the server knows, and for a kind that is defined only now its definition. */
async function isNamespaced(
  { connection }: ManifestSource,
  manifests: readonly Manifest[],
  apiVersion: string,
  kind: string,
): Promise<boolean> {
  const definition = definitionOf(manifests, kind)
  if (definition !== undefined) return (definition as { spec?: { scope?: string } }).spec?.scope !== 'Cluster'
  try {
    return (await connection.api.resource(apiVersion, kind)).namespaced
  } catch (error) {
    const first = manifests.find(({ object }) => object.apiVersion === apiVersion && object.kind === kind)
    if (!(error instanceof ExpectedFailure) || first === undefined) throw error
    throw new ExpectedFailure(error.reason, `${error.message} Nothing was changed.`, { at: first.source })
  }
}

/**
 * An object of a kind that these manifests define themselves: the kind may not be known to the server yet, or not in that version. Then the object may be
 * there in another one.
 */
async function readNewKind(
  { connection: { api } }: ManifestSource,
  manifests: readonly Manifest[],
  { object }: Manifest,
): Promise<KubernetesObject | undefined> {
  const live = await readKnown(api, object)
  const definition = definitionOf(manifests, object.kind)
  if (live !== undefined || definition === undefined) return live
  const there = (await readLive(api, definition)) as
    | { spec?: { versions?: readonly { name: string; served: boolean }[] } }
    | undefined
  const group = groupOf(object.apiVersion)
  for (const { name, served } of there?.spec?.versions ?? []) {
    const other = { ...object, apiVersion: `${group}/${name}` }
    const found = served && other.apiVersion !== object.apiVersion ? await readKnown(api, other) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

async function readKnown(api: KubernetesApi, object: KubernetesObject): Promise<KubernetesObject | undefined> {
  try {
    return await readLive(api, object)
  } catch (error) {
    if (error instanceof ExpectedFailure && error.reason === 'NotFound') return undefined
    throw error
  }
}

function definitionOf(manifests: readonly Manifest[], kind: string): KubernetesObject | undefined {
  return manifests
    .map(({ object }) => object)
    .find(
      object =>
        object.kind === 'CustomResourceDefinition' &&
        (object as { spec?: { names?: { kind?: string } } }).spec?.names?.kind === kind,
    )
}

/** Without the right to read namespaces the release's own one is taken to be there: the apply will say. */
async function namespaceExists({ connection, namespace }: ManifestSource): Promise<boolean> {
  try {
    await connection.api.request('GET', `/api/v1/namespaces/${namespace}`)
    return true
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error
    if (failedOnTheWay(error)) throw asExpectedFailure(error, `Looking at namespace ${namespace}`)
    return error.status !== 404
  }
}

/** The release's own namespace has to be there before its lock and its record: where a manifest declares it, it is created here. */
async function createNamespace(
  { connection, namespace, createNamespace, log }: ManifestSource,
  manifests: readonly Manifest[],
): Promise<void> {
  const declared = manifests.find(({ object }) => object.kind === 'Namespace' && object.metadata.name === namespace)
  if (declared === undefined) {
    throw new ExpectedFailure(
      'NotFound',
      `There is no namespace "${namespace}" in this cluster, and no manifest declares it; nothing was changed. Create it (kubectl create namespace ${namespace}) or correct the input namespace.`,
    )
  }
  if (!createNamespace) return
  // Whatever it was that knew no such namespace: only a cluster is to be changed.
  await connection.answered
  try {
    await connection.api.request('PATCH', `/api/v1/namespaces/${namespace}`, {
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      body: declared.object,
      contentType: 'application/apply-patch+yaml',
    })
  } catch (error) {
    throw asExpectedFailure(error, `Creating namespace ${namespace}`)
  }
  log.info(`Created namespace ${namespace}`)
}

function apiVersionOf(kind: string): string {
  const group = groupOfSettable(kind) ?? ''
  if (group === '') return 'v1'
  return group === 'argoproj.io' ? `${group}/v1alpha1` : `${group}/v1`
}
