// The objects a release consists of, read from the user's files, and where in them each field stands. All faults of all files are reported at once.
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { ExpectedFailure, type FilePosition, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { FieldPath } from './field-path.ts'
import type { hookOf } from './helm-chart.ts'
import { ALIAS_BUDGET_NODES, type AliasBudget, readDocuments, type TextDocument, type TextPosition } from './kubectl-yaml.ts'
import { findManifestSources, KUSTOMIZATION_FILES, type ManifestFault, type ManifestSource } from './manifest-files.ts'
import { groupOf, type KubernetesObject } from './objects.ts'

export interface Manifest {
  readonly object: KubernetesObject
  /** Where the object begins; of a rendered one the kustomization it was rendered from, or the chart's template. */
  readonly source: FilePosition
  /** A hook of a Helm chart: what of it runs pods is run before the workloads, or after them, and each time anew. */
  readonly hook?: Hook
  /** Where a field stands, or its nearest ancestor that is there: a misspelt field is found on its line, a missing one on its parent's. */
  position(path: FieldPath): FilePosition
}

export interface RenderedChart {
  readonly text: string
  /** Rendered for an app that has a release already: it decides on the hooks. */
  readonly upgrade: boolean
}

export interface Hook {
  readonly when: 'before' | 'after'
  readonly weight: number
}

export interface ManifestLimits {
  readonly fileBytes: number
  /** Of all files together. */
  readonly totalBytes: number
  readonly files: number
  readonly objects: number
}

export const MANIFEST_LIMITS: ManifestLimits = {
  fileBytes: 10 * 1024 * 1024,
  totalBytes: 64 * 1024 * 1024,
  files: 2_000,
  objects: 10_000,
}

export interface ManifestPorts {
  /** The user's checkout; nothing outside of it is read, but for the bases that a kustomization names, as kubectl does. */
  readonly workspace: string
  /** Renders a kustomization folder (absolute path) into YAML. */
  readonly kustomize: (folder: string) => Promise<string>
  /** Renders a Helm chart, a folder or a package. */
  readonly chart?: (source: ManifestSource) => Promise<RenderedChart>
  /** A text of manifests beside the files; `name` stands for its file in what is said about it. */
  readonly text?: { readonly name: string; readonly content: string }
  readonly limits?: Partial<ManifestLimits>
}

/**
 * Reads the objects of files, folders, globs, kustomization folders and charts in the order in which they are named, and of the text after them.
 * @throws ExpectedFailure InvalidInput with all faults
 */
export async function loadManifests(entries: readonly string[], ports: ManifestPorts): Promise<Manifest[]> {
  const loading = new Loading(ports.limits)
  const { sources, faults } = await findManifestSources(entries, ports.workspace, loading.limits.files)
  loading.faults.push(...faults)
  for (const source of sources) {
    if (source.kind === 'file') await loading.file(source)
    else if (source.kind === 'chart') await loading.chart(source, ports)
    else await loading.kustomization(source, ports.kustomize)
  }
  if (ports.text !== undefined) await loading.given(ports.text.content, ports.text.name)
  return loading.finish()
}

/**
 * Reads the objects of a text that is no file, such as an input's; `name` stands for the file in what is said about it.
 * @throws ExpectedFailure InvalidInput with all faults
 */
export async function loadManifestText(text: string, name: string, limits?: Partial<ManifestLimits>): Promise<Manifest[]> {
  const loading = new Loading(limits)
  await loading.given(text, name)
  return loading.finish()
}

/**
 * Fills in the namespace where an object that belongs to one names none; an object that names another keeps it.
 * @param isNamespaced asked once for each kind
 * @throws ExpectedFailure InvalidInput when two objects are the same one now
 */
export async function withNamespace(
  manifests: readonly Manifest[],
  namespace: string,
  isNamespaced: (apiVersion: string, kind: string) => boolean | Promise<boolean>,
): Promise<Manifest[]> {
  const answers = new Map<string, Promise<boolean>>()
  const ask = ({ apiVersion, kind }: KubernetesObject): Promise<boolean> => {
    const key = `${apiVersion}/${kind}`
    const answer = answers.get(key) ?? Promise.resolve(isNamespaced(apiVersion, kind))
    answers.set(key, answer)
    return answer
  }
  const filled = await Promise.all(
    manifests.map(async manifest => {
      const { object } = manifest
      if ((object.metadata.namespace ?? '') !== '' || !(await ask(object))) return manifest
      const { name, namespace: _, ...rest } = object.metadata
      return { ...manifest, object: { ...object, metadata: { name, namespace, ...rest } } }
    }),
  )
  const faults = sameTwice(filled)
  if (faults.length > 0) throw invalid(faults)
  return filled
}

const FAULTS_SHOWN = 50
/** Two segments of a path for each list within a list. */
const DEEPEST_LIST = 16

/** One failure of all faults: the first in its message, each as an annotation of its own. */
function invalid(faults: readonly ManifestFault[]): ExpectedFailure {
  const sentence = ({ message, at }: ManifestFault): string => {
    const place = at === undefined ? '' : `${foreignLine(at.file, 300)}${at.line === undefined ? '' : `:${at.line}`}: `
    return `${place}${message.replace(/([^.?])$/, '$1.')}`
  }
  const [first = { message: 'there is nothing to deploy' }, ...others] = faults
  const intro = others.length === 0 ? 'The manifests have a fault' : `The manifests have ${faults.length} faults`
  const also = others.slice(0, FAULTS_SHOWN).map(fault => ({ ...fault, message: sentence(fault) }))
  if (others.length > FAULTS_SHOWN)
    also.push({ message: `There are ${others.length - FAULTS_SHOWN} more faults in the manifests.` })
  const which = others.length === 0 ? '' : 'The first: '
  return new ExpectedFailure('InvalidInput', `${intro}; nothing was changed. ${which}${sentence(first)}`, {
    ...(first.at === undefined ? {} : { at: first.at }),
    also,
  })
}

function tooLarge(bytes: number): string {
  return `it is larger than the ${(bytes / 1024 / 1024).toFixed(bytes % (1024 * 1024) === 0 ? 0 : 1)} MiB that are read`
}

class Loading {
  readonly limits: ManifestLimits
  readonly faults: ManifestFault[] = []
  readonly #manifests: Manifest[] = []
  readonly #budget: AliasBudget = { nodes: ALIAS_BUDGET_NODES }
  #bytes = 0
  #full = false

  constructor(limits: Partial<ManifestLimits> = {}) {
    this.limits = { ...MANIFEST_LIMITS, ...limits }
  }

  fault(message: string, at?: FilePosition): void {
    this.faults.push({ message, ...(at === undefined ? {} : { at }) })
  }

  finish(): Manifest[] {
    this.faults.push(...sameTwice(this.#manifests))
    if (this.faults.length === 0 && this.#manifests.length === 0) this.fault('there is no object in them')
    if (this.faults.length > 0) throw invalid(this.faults)
    return this.#manifests
  }

  async file({ name, path }: ManifestSource): Promise<void> {
    if (this.#full) return
    let bytes: Buffer | undefined
    try {
      bytes = await readAtMost(path, this.limits.fileBytes)
    } catch (error) {
      return this.fault(`it can't be read: ${foreignLine(messageOf(error))}`, { file: name })
    }
    if (bytes === undefined) return this.fault(tooLarge(this.limits.fileBytes), { file: name })
    if (!this.#takes(bytes.length, name)) return
    const text = decode(bytes)
    if (typeof text !== 'string') return this.fault(text.message, { file: name, ...text.at })
    await this.text(text, name)
  }

  /** A text that is no file, such as an input's. */
  async given(text: string, name: string): Promise<void> {
    const bytes = Buffer.byteLength(text)
    if (bytes > this.limits.fileBytes) this.fault(tooLarge(this.limits.fileBytes), { file: name })
    else if (this.#takes(bytes, name)) await this.text(text, name)
  }

  async kustomization({ name, path }: ManifestSource, kustomize: ManifestPorts['kustomize']): Promise<void> {
    // An annotation needs a file, and kubectl does not say which of those named in it an object is from.
    const own = KUSTOMIZATION_FILES.find(file => existsSync(join(path, file))) ?? ''
    const at = { file: own === '' ? name : name === '.' ? own : `${name}/${own}` }
    const text = await this.#rendered(at, 'the kustomization', () => kustomize(path))
    if (text !== undefined) await this.text(text, name, { place: () => at })
  }

  /** Faults stand at the template, and at its line where the field's name is there but once. */
  async chart(source: ManifestSource, { chart: render }: ManifestPorts): Promise<void> {
    if (render === undefined) return this.fault('Helm charts are not rendered here', { file: source.name })
    let upgrade = false
    const text = await this.#rendered({ file: source.name }, 'the chart', async () => {
      const rendered = await render(source)
      upgrade = rendered.upgrade
      return rendered.text
    })
    if (text === undefined) return
    const [{ hookOf, templatePosition, templatesByLine }, { readUpTo }] = await Promise.all([
      import('./helm-chart.ts'),
      import('../image/source.ts'),
    ])
    const templateAt = templatesByLine(text)
    await this.text(text, source.name, {
      place: ({ line }, path) => {
        const field = path.findLast(segment => typeof segment === 'string' && !/[=[]/.test(segment))
        return templatePosition(source, templateAt(line), field as string | undefined, readUpTo)
      },
      hook: object => hookOf(object.metadata, upgrade),
    })
  }

  async #rendered(at: FilePosition, what: string, render: () => Promise<string>): Promise<string | undefined> {
    if (this.#full) return undefined
    let text: string
    try {
      text = await render()
    } catch (error) {
      if (!(error instanceof ExpectedFailure) || error.reason === 'Cancelled' || error.reason === 'NotFound') throw error
      this.fault(`${what} can't be rendered: ${foreignLine(error.message, 2_000).replace(/\.$/, '')}`, error.at ?? at)
      return undefined
    }
    const bytes = Buffer.byteLength(text)
    if (bytes <= this.limits.fileBytes) return this.#takes(bytes, at.file) ? text : undefined
    this.fault(`what is rendered from it: ${tooLarge(this.limits.fileBytes)}`, at)
    return undefined
  }

  /** `rendered` says where the user's lines are: those of the text are not theirs. */
  async text(text: string, name: string, rendered?: Rendered): Promise<void> {
    const { documents, faults } = await readDocuments(text, this.#budget)
    const place = (position: TextPosition, path: FieldPath): FilePosition => {
      return rendered === undefined
        ? { file: name, line: position.line, column: position.column }
        : rendered.place(position, path)
    }
    const locate =
      (document: TextDocument) =>
      (path: FieldPath): FilePosition =>
        place(document.locate(path), path)
    for (const { message, line, column } of faults) this.fault(message, place({ line, column }, []))
    for (const document of documents) this.#document(document.value, [], locate(document), { hook: rendered?.hook })
  }

  #document(value: unknown, path: FieldPath, locate: (path: FieldPath) => FilePosition, context: Context): void {
    if (this.#full || (value === null && path.length === 0)) return
    const at = locate(path)
    const position = (below: FieldPath): FilePosition => (below.length === 0 ? at : locate([...path, ...below]))
    if (!isRecord(value)) {
      this.fault(`an object is expected here, this is ${describe(value)}`, at)
      return
    }
    const object = context.kindOfItem === undefined ? value : { ...context.kindOfItem, ...value }
    const { kind, items, apiVersion } = object
    if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
      if (path.length > DEEPEST_LIST) {
        this.fault('lists are nested too deeply', at)
        return
      }
      const kindOfItem =
        kind === 'List' || typeof apiVersion !== 'string' ? undefined : { apiVersion, kind: kind.slice(0, -'List'.length) }
      for (const [index, item] of items.entries())
        this.#document(item, [...path, 'items', index], locate, { ...context, kindOfItem })
      return
    }
    const faults = faultsOf(object, position)
    if (faults.length > 0) {
      this.faults.push(...faults)
      return
    }
    if (this.#manifests.length >= this.limits.objects) {
      this.#full = true
      this.fault(`there are more than ${this.limits.objects} objects`, at)
      return
    }
    const { when, weight = 0 } = context.hook?.(object as KubernetesObject) ?? {}
    if (when === 'never') return
    const found = { object: object as KubernetesObject, source: at, position }
    this.#manifests.push(when === undefined ? found : { ...found, hook: { when, weight } })
  }

  #takes(bytes: number, name: string): boolean {
    this.#bytes += bytes
    if (this.#bytes <= this.limits.totalBytes) return true
    this.#full = true
    this.fault(
      `with this file the manifests are larger than the ${this.limits.totalBytes / 1024 / 1024} MiB that are read in all`,
      {
        file: name,
      },
    )
    return false
  }
}

interface Rendered {
  readonly place: (position: TextPosition, path: FieldPath) => FilePosition
  readonly hook?: (object: KubernetesObject) => ReturnType<typeof hookOf>
}

interface Context {
  readonly kindOfItem?: ItemKind | undefined
  readonly hook?: Rendered['hook']
}

interface ItemKind {
  readonly apiVersion: string
  readonly kind: string
}

/** What makes an object no object of Kubernetes, whatever its kind. */
function faultsOf(object: Readonly<Record<string, unknown>>, position: (path: FieldPath) => FilePosition): ManifestFault[] {
  const { apiVersion, kind, metadata } = object
  const faults: ManifestFault[] = []
  const fault = (message: string, path: FieldPath): void => {
    faults.push({ message, at: position(path) })
  }
  for (const [field, value] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const) {
    if (isAbsent(value)) fault(`the object has no ${field}`, [field])
    else if (typeof value !== 'string') fault(`${field} must be text, this is ${describe(value)}`, [field])
  }
  if (faults.length > 0) return faults
  if (groupOf(String(apiVersion)) === 'kustomize.config.k8s.io') {
    fault(
      'this is a kustomization, no object of the cluster: name its folder as an entry, with the file named kustomization.yaml',
      [],
    )
    return faults
  }
  const what = foreignLine(String(kind), 100)
  if (!isRecord(metadata)) {
    fault(`the ${what} has no metadata.name`, ['metadata'])
    return faults
  }
  const { name, generateName, namespace } = metadata
  if (isAbsent(name)) {
    fault(
      isAbsent(generateName)
        ? `the ${what} has no metadata.name`
        : `the ${what} has metadata.generateName, which is not supported: a release must know its objects by name, so give it a metadata.name`,
      ['metadata', isAbsent(generateName) ? 'name' : 'generateName'],
    )
  } else if (typeof name !== 'string') {
    fault(`metadata.name must be text, this is ${describe(name)}: put it into quotes`, ['metadata', 'name'])
  }
  if (!isAbsent(namespace) && typeof namespace !== 'string')
    fault(`metadata.namespace must be text, this is ${describe(namespace)}: put it into quotes`, ['metadata', 'namespace'])
  for (const field of ['labels', 'annotations'] as const) {
    const values = metadata[field]
    if (isAbsent(values)) continue
    if (!isRecord(values)) {
      fault(`metadata.${field} must be an object, this is ${describe(values)}`, ['metadata', field])
      continue
    }
    for (const [key, value] of Object.entries(values)) {
      if (faults.length >= FAULTS_SHOWN) break
      if (typeof value === 'string' || value === null) continue
      const shown = foreignLine(key, 100)
      fault(`the value of metadata.${field}[${shown}] must be text, this is ${describe(value)}: put it into quotes`, [
        'metadata',
        field,
        key,
      ])
    }
  }
  return faults
}

/** One object is one whatever version of the API it is written in. */
function sameTwice(manifests: readonly Manifest[]): ManifestFault[] {
  const first = new Map<string, Manifest>()
  const faults: ManifestFault[] = []
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest.object
    const key = JSON.stringify([groupOf(apiVersion), kind, metadata.namespace ?? '', metadata.name])
    const other = first.get(key)
    if (other === undefined) {
      first.set(key, manifest)
      continue
    }
    const { file, line } = other.source
    const namespace = (metadata.namespace ?? '') === '' ? '' : ` in the namespace ${foreignLine(metadata.namespace ?? '', 100)}`
    faults.push({
      message: `${foreignLine(`${kind} ${metadata.name}`, 200)}${namespace} stands here a second time, the first is ${foreignLine(file, 300)}${line === undefined ? '' : `:${line}`}`,
      at: manifest.source,
    })
  }
  return faults
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

function describe(value: unknown): string {
  if (value === null) return 'nothing (null)'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'boolean') return `the boolean ${value} (YAML reads yes, no, on, off, y and n as booleans too)`
  return typeof value === 'number' ? `the number ${value}` : 'text'
}

/** The file's bytes, or undefined when there are more than `limit`, however many the file system says there are. */
async function readAtMost(path: string, limit: number): Promise<Buffer | undefined> {
  const file = await open(path, 'r')
  try {
    const chunks: Buffer[] = []
    let length = 0
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 * 1024), 0, 64 * 1024)
      if (bytesRead === 0) return Buffer.concat(chunks)
      length += bytesRead
      if (length > limit) return undefined
      chunks.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** UTF-8 only, as all else would be read differently by somebody. */
function decode(bytes: Buffer): string | { message: string; at: { line?: number } } {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    return { message: 'it is UTF-16 text: save it as UTF-8', at: {} }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    const before = bytes.toString('utf8').split('\ufffd')[0] ?? ''
    return { message: 'it is no UTF-8 text', at: { line: before.split('\n').length } }
  }
}
