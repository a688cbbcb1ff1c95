// Helm charts rendered to manifests, by the runner's own `helm template`: no cluster and no network is asked, nothing is installed.
import { existsSync } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, type KubernetesApi } from './api.ts'
import type { ProgramResult } from './program.ts'

/** What the inputs say of all charts of a release. */
export interface ChartInputs {
  /** Files of values within the workspace, relative to it; the last one wins. */
  readonly values: readonly string[]
  /** `key=value`, as `helm --set` takes it. */
  readonly set: readonly string[]
  /** The same, and every value is text. */
  readonly setString: readonly string[]
}

export interface ChartRelease {
  readonly name: string
  readonly namespace: string
  /** True where the app has a release already: `.Release.IsUpgrade`, and which hooks are meant. */
  readonly upgrade: boolean
  readonly capabilities: Capabilities
}

/** What a chart's templates may ask of the cluster. */
export interface Capabilities {
  /** `v1.34.4`; empty where the cluster does not say. */
  readonly kubeVersion: string
  /** `apps/v1` and `apps/v1/Deployment`. */
  readonly apiVersions: readonly string[]
}

/** A list of all kinds is some 10 KiB; one argument of a program may hold 128 KiB on Linux. */
const KINDS_IN_AN_ARGUMENT = 500

/** The arguments of `helm template` for a chart. */
export function templateArguments(chart: string, inputs: ChartInputs, release: ChartRelease): string[] {
  const { kubeVersion, apiVersions } = release.capabilities
  const parts = Array.from({ length: Math.ceil(apiVersions.length / KINDS_IN_AN_ARGUMENT) }, (_, part) =>
    apiVersions.slice(part * KINDS_IN_AN_ARGUMENT, (part + 1) * KINDS_IN_AN_ARGUMENT).join(','),
  )
  return [
    'template',
    release.name,
    chart,
    `--namespace=${release.namespace}`,
    '--include-crds',
    '--skip-tests',
    ...(release.upgrade ? ['--is-upgrade'] : []),
    ...(kubeVersion === '' ? [] : [`--kube-version=${kubeVersion}`]),
    ...parts.map(part => `--api-versions=${part}`),
    ...inputs.values.map(file => `--values=${file}`),
    ...inputs.set.map(entry => `--set=${entry}`),
    ...inputs.setString.map(entry => `--set-string=${entry}`),
  ]
}

/**
 * Renders a chart.
 * @param name the chart's path within the workspace, for what is said
 * @throws ExpectedFailure with the template's file and line where helm names it
 */
export async function renderChart(
  helm: (argv: readonly string[]) => Promise<ProgramResult>,
  chart: { readonly name: string; readonly path: string },
  inputs: ChartInputs,
  release: ChartRelease,
): Promise<string> {
  const { stdout, stderr, code } = await helm(templateArguments(chart.path, inputs, release))
  if (code !== 0) throw explainHelm(stderr, chart.name)
  return stdout
}

/** Characters; helm may quote what it could not parse. */
const LARGEST_REFUSAL = 64 * 1024

/** helm's refusal as one sentence, at the place in the chart that it names. */
export function explainHelm(said: string, chart: string): ExpectedFailure {
  const text = said
    .slice(0, LARGEST_REFUSAL)
    .split('\n')
    .filter(line => !/^(time=|level=|WARNING|W\d{4} |I\d{4} |walk\.go|coalesce\.go)/.test(line))
    .join('\n')
    .replace(/^Error: /gm, '')
    .replace(/\s*Use --debug flag to render out invalid YAML\s*/g, '')
    .trim()
  const missing = /missing in charts\/ directory: ([^\n]*)/.exec(text)?.[1]
  if (missing !== undefined)
    return new ExpectedFailure(
      'InvalidInput',
      `it needs the charts ${foreignLine(missing, 200)}, which are not in its folder charts/: run "helm dependency build ${foreignLine(chart, 200)}" in a step before this one, or commit them`,
      { at: { file: `${chart}/Chart.yaml` } },
    )
  // `web/templates/a.yaml:12:20`: the first part is the chart's name, whatever its folder is called.
  // Where one template includes another, the last place is where it happened.
  const places = [...text.matchAll(/(?:^|[\s("])[^\s:/("]+\/((?:charts\/[^\s:]+\/)?(?:templates|crds)\/[^\s:)]+)(?::(\d+))?/g)]
  const place = places.findLast(([, , line]) => line !== undefined) ?? places.at(-1)
  const file = place?.[1] === undefined ? `${chart}/Chart.yaml` : `${chart}/${place[1]}`
  const line = place?.[2] === undefined ? undefined : Number(place[2])
  const tgz = chart.endsWith('.tgz') && place === undefined
  return new ExpectedFailure('InvalidInput', foreignLine(text === '' ? 'helm ended without a word' : text, 1_500), {
    at: { file: tgz ? chart : file, ...(line === undefined ? {} : { line }) },
  })
}

interface Discovery {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string }
    readonly versions?: readonly {
      readonly version?: string
      readonly resources?: readonly { readonly responseKind?: { readonly kind?: string } }[]
    }[]
  }[]
  /** Of servers that know no aggregated discovery. */
  readonly groups?: readonly { readonly versions?: readonly { readonly groupVersion?: string }[] }[]
  readonly versions?: readonly string[]
}

const AGGREGATED = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',')

/** The server's version and kinds, as charts ask for them by `.Capabilities`. What may not be read is left out, as by helm without a cluster. */
export async function capabilitiesOf(api: KubernetesApi, signal?: AbortSignal): Promise<Capabilities> {
  const read = async <T>(path: string, accept?: string): Promise<T | undefined> => {
    try {
      return await api.request<T>('GET', path, { signal, ...(accept === undefined ? {} : { accept }) })
    } catch (error) {
      if (error instanceof ApiFailure && (error.status === 403 || error.status === 404)) return undefined
      throw error
    }
  }
  const [version, core, groups] = await Promise.all([
    read<{ gitVersion?: string }>('/version'),
    read<Discovery>('/api', AGGREGATED),
    read<Discovery>('/apis', AGGREGATED),
  ])
  const found = [core, groups].flatMap(list => kindsIn(list ?? {}))
  return { kubeVersion: version?.gitVersion ?? '', apiVersions: [...new Set(found)].filter(kind => /^[\w./-]+$/.test(kind)) }
}

function kindsIn({ items = [], groups = [], versions = [] }: Discovery): readonly string[] {
  const aggregated = items.flatMap(({ metadata, versions: own = [] }) =>
    own.flatMap(({ version = '', resources = [] }) => {
      const group = metadata?.name ?? ''
      const groupVersion = group === '' ? version : `${group}/${version}`
      return [groupVersion, ...resources.map(({ responseKind }) => `${groupVersion}/${responseKind?.kind ?? ''}`)]
    }),
  )
  const plain = groups.flatMap(({ versions: own = [] }) => own.map(({ groupVersion = '' }) => groupVersion))
  return [...aggregated, ...plain, ...versions].filter(kind => kind !== '' && !kind.endsWith('/'))
}

// --- positions

/** The template of a chart that a line of what was rendered comes from, by helm's own comments: `# Source: web/templates/a.yaml`. */
export function templatesByLine(rendered: string): (line: number) => string | undefined {
  const sources = rendered.split('\n').flatMap((text, index) => {
    const source = /^# Source: [^/]+\/(.+?)\s*$/.exec(text)?.[1]
    return source === undefined ? [] : [{ line: index + 1, source }]
  })
  return line => sources.findLast(each => each.line <= line)?.source
}

const LARGEST_TEMPLATE_BYTES = 1024 * 1024

/**
 * The line of a template where a field stands: the only one that begins with the field's name. What is rendered has other lines than its template, so
 * that of several such lines none is named.
 */
export function lineInTemplate(text: string, field: string): number | undefined {
  const key = field.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const pattern = new RegExp(`^\\s*(?:-\\s+)?["']?${key}["']?\\s*:`)
  const lines = text.split('\n').flatMap((line, index) => (pattern.test(line) ? [index + 1] : []))
  return lines.length === 1 ? lines[0] : undefined
}

/** Where a field of a rendered object stands: in its template, if that is a file of the workspace. */
export function templatePosition(
  chart: { readonly name: string; readonly path: string },
  template: string | undefined,
  field: string | undefined,
  read: (path: string, limit: number) => string,
): FilePosition {
  if (template === undefined || template.split('/').includes('..')) return { file: chart.name }
  const file = `${chart.name}/${template}`
  const path = join(chart.path, template)
  if (field === undefined || !existsSync(path)) return { file }
  try {
    const line = lineInTemplate(read(path, LARGEST_TEMPLATE_BYTES), field)
    return line === undefined ? { file } : { file, line }
  } catch {
    return { file }
  }
}

// --- hooks

const HOOK = 'helm.sh/hook'
/** Events of a release that a deployment is none of. */
const NEVER = new Set(['pre-delete', 'post-delete', 'pre-rollback', 'post-rollback', 'test', 'test-success', 'test-failure'])

/** Which part of a deployment a hook belongs to; `never` where it belongs to none, undefined where the object is no hook. */
export function hookOf(
  metadata: { readonly annotations?: Readonly<Record<string, unknown>> } | undefined,
  upgrade: boolean,
): { readonly when: 'before' | 'after' | 'never'; readonly weight: number } | undefined {
  const annotation = metadata?.annotations?.[HOOK]
  if (typeof annotation !== 'string') return undefined
  const events = annotation.split(',').map(event => event.trim())
  // Before Helm 3: definitions were installed by a hook.
  if (events.includes('crd-install')) return undefined
  const weight = Number.parseInt(String(metadata?.annotations?.['helm.sh/hook-weight'] ?? '0'), 10) || 0
  const now = upgrade ? 'upgrade' : 'install'
  if (events.includes(`pre-${now}`)) return { when: 'before', weight }
  if (events.includes(`post-${now}`)) return { when: 'after', weight }
  const known = events.every(event => NEVER.has(event) || /^(pre|post)-(install|upgrade)$/.test(event))
  return known ? { when: 'never', weight } : undefined
}

// --- lookup

const LARGEST_CHART_BYTES = 20 * 1024 * 1024
const LOOKUP = /\{\{[^}]*\blookup\s+["(.$]/

/** Whether the chart's templates ask the cluster for objects, which finds nothing when they are rendered: what they make up then is new each time. */
export async function asksTheCluster(path: string): Promise<boolean> {
  try {
    if (path.endsWith('.tgz'))
      return LOOKUP.test(gunzipSync(await bytesOf(path), { maxOutputLength: LARGEST_CHART_BYTES }).toString('latin1'))
    const names = await readdir(path, { recursive: true })
    for (const name of names) {
      if (name.endsWith('.tgz') && (await asksTheCluster(join(path, name)))) return true
      if (!/(^|[\\/])templates[\\/].*\.(ya?ml|tpl|txt)$/.test(name)) continue
      if (LOOKUP.test((await bytesOf(join(path, name))).toString('utf8'))) return true
    }
    return false
  } catch {
    // It is for a hint only; helm itself says what can't be read.
    return false
  }
}

async function bytesOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, LARGEST_CHART_BYTES)), 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
