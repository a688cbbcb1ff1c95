// Reads the user's manifests, with the images they are to have. Only charts and kustomizations need the cluster for that, so it is done while the
// connection is still coming up.
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import type { Connection } from './connection.ts'
import type { ChartInputs, ChartRelease } from './helm-chart.ts'
import type { ImageResolver } from './image-digests.ts'
import type { ImageEntry } from './image-entries.ts'
import { containerImages, rewriteImages } from './images.ts'
import { loadManifests, type Manifest } from './manifests.ts'
import { liveRecord, ReleaseRecords } from './release-record.ts'

export interface ManifestInputs {
  readonly connection: Promise<Connection>
  readonly workspace: string
  /** Empty: the connection's own. */
  readonly namespace: string
  /** The release's name. */
  readonly app: string
  readonly manifests: readonly string[]
  /** Manifests given as text. */
  readonly manifestsText: string
  readonly charts: ChartInputs
  readonly images: readonly ImageEntry[]
  /** Is asked for the images already, and remembers what it was told. */
  readonly pinBy: ImageResolver | undefined
  /** Whether there is a check before the change. */
  readonly preflight: boolean
  readonly log: Log
  readonly signal?: AbortSignal | undefined
}

/** The input by which manifests are given as text: what is wrong with them is told at its lines. */
const TEXT_INPUT = 'manifests-text'

/** @throws ExpectedFailure for all that is wrong with the manifests, or what the connection failed with */
export async function readManifests(source: ManifestInputs): Promise<readonly Manifest[]> {
  const { manifests } = rewriteImages(await load(source), source.images)
  for (const { object } of manifests)
    for (const { image } of containerImages(object)) source.pinBy?.foresee(image, source.preflight)
  return manifests
}

async function load(source: ManifestInputs): Promise<Manifest[]> {
  const { connection, workspace, manifests, manifestsText, log, signal } = source
  if (manifests.length === 0 && manifestsText === '') return []
  let settings: Promise<ChartSettings> | undefined
  const loaded = await loadManifests(manifests, {
    workspace,
    kustomize: async folder => kustomize(await connection, folder, signal),
    chart: async chart => {
      settings ??= chartSettings(source)
      const [{ asksTheCluster, renderChart }, { release, inputs }] = await Promise.all([import('./helm-chart.ts'), settings])
      if (await asksTheCluster(chart.path))
        log.warning(
          `The chart ${foreignLine(chart.name, 200)} looks objects of the cluster up, which finds nothing when it is rendered: what it makes up where it finds none, such as a password, is new with each release. Give it as a value.`,
        )
      return {
        text: await renderChart(async argv => (await connection).helm(argv, { signal }), chart, inputs, release),
        upgrade: release.upgrade,
      }
    },
    ...(manifestsText === '' ? {} : { text: { name: TEXT_INPUT, content: manifestsText } }),
  })
  const given = (['values', 'set', 'setString'] as const).find(input => source.charts[input].length > 0)
  if (settings === undefined && given !== undefined)
    throw new ExpectedFailure(
      'InvalidInput',
      `${given === 'setString' ? 'set-string' : given}: is for Helm charts, and there is none among the manifests; nothing was changed. Name the chart's folder (the one with Chart.yaml) in manifests.`,
    )
  return loaded
}

interface ChartSettings {
  readonly release: ChartRelease
  readonly inputs: ChartInputs
}

async function chartSettings({ workspace, app, charts, signal, ...source }: ManifestInputs): Promise<ChartSettings> {
  const connection = await source.connection
  const namespace = source.namespace === '' ? connection.defaultNamespace : source.namespace
  const [{ capabilitiesOf }, { findValuesFiles }] = await Promise.all([import('./helm-chart.ts'), import('./manifest-files.ts')])
  const [capabilities, records, values] = await Promise.all([
    capabilitiesOf(connection.api, signal),
    new ReleaseRecords(connection.api, namespace, app).list(),
    findValuesFiles(charts.values, workspace),
  ])
  return {
    release: { name: app, namespace, capabilities, upgrade: liveRecord(records) !== undefined },
    inputs: { ...charts, values },
  }
}

/** A base on the network is cloned by git, which waits for a host that does not answer for as long as it takes. */
const KUSTOMIZE_TIME_MS = 120_000

async function kustomize(connection: Connection, folder: string, signal: AbortSignal | undefined): Promise<string> {
  const { stdout, stderr, code } = await connection.kubectl(['kustomize', folder], { timeoutMs: KUSTOMIZE_TIME_MS, signal })
  if (code !== 0) throw new ExpectedFailure('InvalidInput', `kubectl kustomize ${folder} failed: ${stderr.trim()}`)
  return stdout
}
