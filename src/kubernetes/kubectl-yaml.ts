// YAML and JSON read into the values that kubectl reads: YAML 1.1's words and numbers (`yes`, `010`, `1_000`), merge keys, several documents. What
// kubectl makes of each spelling was recorded from kubectl 1.34 (__tests__/kubernetes/recorded/kubectl-yaml.json); the reader is held to it.
import type { Alias, Document, Node, Pair, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { foreignLine } from '../runner/foreign-text.ts'
import { type FieldPath, selects } from './field-path.ts'

/** A place in a text; both count from 1. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

export interface TextFault extends TextPosition {
  readonly message: string
}

/** One document of a text that was read without a fault. */
export interface TextDocument {
  /** Plain data: null, boolean, number, string, array, object. Nothing in it is shared, whatever aliases there were. */
  readonly value: unknown
  /** Where the field stands, or its nearest ancestor that is there. */
  locate(path: FieldPath): TextPosition
}

/** What aliases may still expand to, counted down over all texts of one load. */
export interface AliasBudget {
  nodes: number
}

/** Nodes that aliases may add; the largest real manifests have some thousands. So much text counts as one node. */
export const ALIAS_BUDGET_NODES = 200_000
const NODE_CHARACTERS = 100

/** Twice as many as a release may have objects. */
const MOST_DOCUMENTS = 20_000

/** Deeper than any schema of an API; the server takes 10,000 levels, a JavaScript stack does not. */
const DEEPEST = 500

type Yaml = typeof import('yaml')

/** Reads all documents of a text. A document with a fault is left out, and its first fault is among `faults`. */
export async function readDocuments(
  text: string,
  budget: AliasBudget = { nodes: ALIAS_BUDGET_NODES },
): Promise<{ documents: TextDocument[]; faults: TextFault[] }> {
  const yaml = await import('yaml')
  const documents: TextDocument[] = []
  const faults: TextFault[] = []
  const chunks = splitDocuments(text, faults)
  const tooMany = chunks[MOST_DOCUMENTS]
  if (tooMany !== undefined) {
    const message = `there are more than ${MOST_DOCUMENTS} documents in it`
    return { documents, faults: [{ message, line: tooMany.linesBefore + 1, column: 1 }] }
  }
  for (const chunk of chunks) {
    try {
      const tree = parseChunk(yaml, chunk)
      const value = new Reader(yaml, tree, budget).read()
      documents.push({ value, locate: locator(yaml, chunk) })
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      faults.push(error.at)
    }
  }
  return { documents, faults: faults.sort((a, b) => a.line - b.line || a.column - b.column) }
}

class Fault extends Error {
  readonly at: TextFault
  constructor(message: string, position: TextPosition) {
    super(message)
    this.at = { message, ...position }
  }
}

// --- documents

interface Chunk {
  readonly text: string
  /** Lines of the whole text that stand before the chunk. */
  readonly linesBefore: number
  /** Columns of the chunk's first line that stand before it. */
  readonly columnsBefore: number
}

/**
 * The documents of a text. Like kubectl, this splits at lines that begin with `---` before anything is parsed, and takes nothing but a comment
 * after them; JSON values may follow one another without a separator.
 */
function splitDocuments(text: string, faults: TextFault[]): Chunk[] {
  const lines = text.replace(/^\ufeff/, '').split('\n')
  const chunks: Chunk[] = []
  let begin = 0
  const close = (end: number): void => {
    const part = {
      text: lines.slice(begin, end).join('\n') + (end < lines.length ? '\n' : ''),
      linesBefore: begin,
      columnsBefore: 0,
    }
    if (part.text.trim() !== '') chunks.push(...splitJson(part))
    begin = end + 1
  }
  for (const [index, line] of lines.entries()) {
    if (chunks.length > MOST_DOCUMENTS) return chunks
    if (!line.startsWith('---')) continue
    const rest = line.slice(3).trim()
    if (rest !== '' && !rest.startsWith('#')) {
      const message = `only a comment may follow "---" on its line, here stands "${foreignLine(rest, 60)}"`
      faults.push({ message, line: index + 1, column: 4 })
    }
    close(index)
  }
  close(lines.length)
  return chunks
}

/** The JSON objects of a chunk, where one follows another; else the chunk itself. */
function splitJson(chunk: Chunk): Chunk[] {
  const { text } = chunk
  if (!/^\s*\{/.test(text)) return [chunk]
  const ends: number[] = []
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === '"') {
      index = endOfString(text, index)
    } else if (character === '{' || character === '[') {
      depth++
    } else if (character === '}' || character === ']') {
      depth--
      if (depth === 0 && ends.push(index + 1) > MOST_DOCUMENTS) break
    } else if (depth === 0 && !/\s/.test(character ?? '')) {
      return [chunk]
    }
  }
  if (ends.length < 2 || depth !== 0) return [chunk]
  let linesBefore = chunk.linesBefore
  let lineBegin = 0
  return ends.map((end, index) => {
    const begin = ends[index - 1] ?? 0
    const since = text.slice(ends[index - 2] ?? 0, begin)
    linesBefore += since.split('\n').length - 1
    if (since.includes('\n')) lineBegin = begin - since.length + since.lastIndexOf('\n') + 1
    return { text: text.slice(begin, end), linesBefore, columnsBefore: begin - lineBegin }
  })
}

function endOfString(text: string, quote: number): number {
  for (let index = quote + 1; index < text.length; index++) {
    if (text[index] === '\\') index++
    else if (text[index] === '"') return index
  }
  return text.length
}

interface Tree {
  readonly document: Document.Parsed
  readonly positionAt: (offset: number) => TextPosition
  /** What each alias stands for. */
  readonly targets: ReadonlyMap<Alias, Node>
  /** A CustomResourceDefinition may be in it. */
  readonly holdsSchema: boolean
}

/** Parses without giving any scalar a meaning: that is kubectl's part. */
function parseChunk(yaml: Yaml, chunk: Chunk): Tree {
  const lineCounter = new yaml.LineCounter()
  const positionAt = (offset: number): TextPosition => {
    const { line, col } = lineCounter.linePos(Math.min(offset, chunk.text.length))
    const column = Math.max(col, 1)
    return { line: Math.max(line, 1) + chunk.linesBefore, column: line <= 1 ? column + chunk.columnsBefore : column }
  }
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(chunk.text)
  if (control !== null) {
    const before = chunk.text.slice(0, control.index).split('\n')
    throw new Fault(`a control character (code ${control[0].charCodeAt(0)}) stands in it, which YAML does not allow`, {
      line: chunk.linesBefore + before.length,
      column: (before.at(-1)?.length ?? 0) + 1 + (before.length === 1 ? chunk.columnsBefore : 0),
    })
  }
  const document = yaml.parseDocument(chunk.text, {
    schema: 'failsafe',
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter,
  }) as Document.Parsed
  const [error] = document.errors
  if (error !== undefined) throw new Fault(explain(error.code, error.message, chunk.text, error.pos[0]), positionAt(error.pos[0]))
  const holdsSchema = chunk.text.includes('CustomResourceDefinition')
  return { document, positionAt, targets: aliasTargets(yaml, document, positionAt), holdsSchema }
}

function explain(code: string, message: string, text: string, offset: number): string {
  const begin = text.lastIndexOf('\n', offset - 1) + 1
  const line = text.slice(begin, text.indexOf('\n', offset) < 0 ? undefined : text.indexOf('\n', offset))
  if (/\{\{|\{%/.test(line))
    return `a template's placeholder stands where YAML is expected (${foreignLine(line, 80)}): render it first`
  if (code === 'TAB_AS_INDENT') return 'a tab stands where YAML wants spaces'
  if (/must (be sufficiently indented and )?end with/.test(message))
    return 'a { or [ is not closed, or the lines within are not indented'
  if (/flow-(map|seq)-end/.test(message)) return 'an unexpected end of { } or [ ]; the lines within must be indented with spaces'
  if (/directives-end/.test(message)) return 'kubectl takes no directives (lines that begin with "%")'
  if (code === 'MULTIPLE_DOCS') return 'a further document follows without a line "---" before it; kubectl would pass over it'
  if (code === 'RESOURCE_EXHAUSTION') return `it is nested more than ${DEEPEST} levels deep`
  return `it is no YAML: ${foreignLine(message.replace(/\.$/, ''), 200)}`
}

/** Walks the tree once in the order of the text: an alias stands for the last anchor of its name before it. */
function aliasTargets(yaml: Yaml, document: Document.Parsed, positionAt: Tree['positionAt']): Map<Alias, Node> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  const open: { node: unknown; depth: number }[] = [{ node: document.contents, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, depth } = next
    if (yaml.isPair(node)) {
      open.push({ node: node.value, depth }, { node: node.key, depth })
      continue
    }
    if (!yaml.isNode(node)) continue
    if (depth > DEEPEST) throw new Fault(`it is nested more than ${DEEPEST} levels deep`, positionAt(startOf(node)))
    if (yaml.isAlias(node)) {
      const target = anchors.get(node.source)
      if (target === undefined) {
        const message = `there is no anchor "&${foreignLine(node.source, 60)}" before this alias`
        throw new Fault(message, positionAt(startOf(node)))
      }
      targets.set(node, target)
      continue
    }
    if (node.anchor !== undefined) anchors.set(node.anchor, node)
    if (!yaml.isCollection(node)) continue
    for (let index = node.items.length - 1; index >= 0; index--) open.push({ node: node.items[index], depth: depth + 1 })
  }
  return targets
}

/** An empty document has no node at all. */
function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0
}

// --- values

const TAG = 'tag:yaml.org,2002:'

/** Turns a parsed document into plain data, as kubectl's converter to JSON does. */
class Reader {
  readonly #yaml: Yaml
  readonly #tree: Tree
  readonly #budget: AliasBudget
  readonly #open = new Set<Node>()
  #inAlias = 0

  constructor(yaml: Yaml, tree: Tree, budget: AliasBudget) {
    this.#yaml = yaml
    this.#tree = tree
    this.#budget = budget
  }

  read(): unknown {
    return this.#value(this.#tree.document.contents, '')
  }

  #value(node: unknown, key: string): unknown {
    this.#spend(node, 1)
    if (this.#yaml.isAlias(node)) return this.#alias(node, target => this.#value(target, key))
    if (this.#yaml.isMap(node)) return this.#within(node, () => this.#map(node, {}))
    if (this.#yaml.isSeq(node)) return this.#within(node, () => node.items.map(item => this.#item(item, key)))
    if (this.#yaml.isScalar(node)) return this.#scalar(node, key)
    return null
  }

  /** What stands within an alias is paid for. */
  #spend(node: unknown, nodes: number): void {
    if (this.#inAlias === 0) return
    this.#budget.nodes -= nodes
    if (this.#budget.nodes < 0) this.#fail(node, `aliases expand to more than ${ALIAS_BUDGET_NODES} values, or as much text`)
  }

  /** In a flow sequence a pair without braces is an object of one field. */
  #item(item: unknown, key: string): unknown {
    if (!this.#yaml.isPair(item)) return this.#value(item, key)
    const object = {}
    this.#pair(item, object)
    return object
  }

  #alias<T>(node: Alias, read: (target: Node) => T): T {
    const target = this.#tree.targets.get(node)
    if (target === undefined) return this.#fail(node, 'the alias has no anchor')
    if (this.#open.has(target)) return this.#fail(node, `the anchor "&${foreignLine(node.source, 60)}" contains itself`)
    this.#inAlias++
    try {
      return read(target)
    } finally {
      this.#inAlias--
    }
  }

  #within<T>(node: Node, read: () => T): T {
    if (this.#open.size > DEEPEST) this.#fail(node, `it is nested more than ${DEEPEST} levels deep`)
    this.#open.add(node)
    try {
      return read()
    } finally {
      this.#open.delete(node)
    }
  }

  #map(node: YAMLMap, into: object): object {
    const seen = new Map<string, Node>()
    for (const pair of node.items) {
      if (isMerge(this.#yaml, pair)) {
        this.#merge(pair.value, into)
        continue
      }
      const key = this.#pair(pair, into)
      const first = seen.get(key)
      if (first !== undefined) {
        const { line } = this.#tree.positionAt(startOf(first))
        this.#fail(pair.key, `"${foreignLine(key, 60)}" stands here a second time, the first is on line ${line}`)
      }
      if (this.#yaml.isNode(pair.key)) seen.set(key, pair.key)
    }
    return into
  }

  #pair(pair: Pair, into: object): string {
    const key = this.#key(pair.key)
    // Not by assignment: a field named __proto__ is a field.
    Object.defineProperty(into, key, {
      value: this.#value(pair.value, key),
      enumerable: true,
      configurable: true,
      writable: true,
    })
    return key
  }

  /** A merge takes effect where it stands: later fields win over it, and it wins over earlier ones. Of several maps in a list the first wins. */
  #merge(value: unknown, into: object): void {
    this.#spend(value, 1)
    if (this.#yaml.isAlias(value)) {
      this.#alias(value, target => this.#merge(target, into))
      return
    }
    if (this.#yaml.isMap(value)) {
      this.#within(value, () => this.#map(value, into))
      return
    }
    if (this.#yaml.isSeq(value)) {
      for (const item of [...value.items].reverse()) {
        if (!this.#isMapping(item)) this.#fail(item, '"<<" takes an object or a list of objects')
        this.#merge(item, into)
      }
      return
    }
    this.#fail(value, '"<<" takes an object or a list of objects')
  }

  #isMapping(node: unknown): boolean {
    return this.#yaml.isMap(this.#yaml.isAlias(node) ? this.#tree.targets.get(node) : node)
  }

  #key(node: unknown): string {
    if (this.#yaml.isAlias(node)) return this.#alias(node, target => this.#key(target))
    if (node !== null && !this.#yaml.isScalar(node))
      return this.#fail(node, "an object or a list can't be a field's name; text with braces, such as a template's, needs quotes")
    const value = node === null ? null : this.#resolve(node)
    const name = keyName(value)
    if (name === undefined) {
      const text = node === null || node.value === '' ? 'nothing at all' : `"${foreignLine(String(node.value), 60)}"`
      return this.#fail(node, `${text} is no name that kubectl takes for a field: put it into quotes`)
    }
    return name
  }

  #scalar(node: Scalar, key: string): unknown {
    const value = this.#resolve(node)
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return this.#fail(
        node,
        `"${foreignLine(String(node.value), 60)}" is no number that JSON has; put it into quotes if text is meant`,
      )
    }
    if (typeof value !== 'bigint') return value === 0 ? 0 : value
    const number = Number(value)
    // A bound in a schema is a floating-point number in the API itself, so that nothing is lost here that the server would keep.
    if (String(number) === String(value) || (this.#tree.holdsSchema && /^(minimum|maximum|multipleOf)$/.test(key))) return number
    return this.#fail(
      node,
      `the number ${value} is too large to be kept exactly (over 9007199254740991); put it into quotes if the field takes text`,
    )
  }

  #resolve(node: Scalar): Resolved {
    const { value, tag, type } = node
    const text = typeof value === 'string' ? value : value === null || value === undefined ? '' : String(value)
    this.#spend(node, Math.floor(text.length / NODE_CHARACTERS))
    const short = tag?.startsWith(TAG) ? tag.slice(TAG.length) : undefined
    if (tag === undefined) return type === 'PLAIN' || type === undefined ? plainScalar(text) : text
    if (short === 'binary' && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) return this.#fail(node, 'it is no base64')
    if (short === 'binary') return Buffer.from(text.replace(/\s/g, ''), 'base64').toString('utf8')
    if (short === 'int' || short === 'float' || short === 'bool' || short === 'null') {
      const resolved = plainScalar(text)
      if (fits(short, resolved)) return short === 'float' ? Number(resolved) : resolved
      return this.#fail(node, `"${foreignLine(text, 60)}" can't be read as !!${short}`)
    }
    return text
  }

  #fail(node: unknown, message: string): never {
    throw new Fault(message, this.#tree.positionAt(this.#yaml.isNode(node) ? startOf(node) : 0))
  }
}

function isMerge(yaml: Yaml, { key }: Pair): boolean {
  if (!yaml.isScalar(key) || key.value !== '<<') return false
  return key.tag === `${TAG}merge` || (key.tag === undefined && key.type === 'PLAIN')
}

type Resolved = string | number | bigint | boolean | null

function fits(tag: 'int' | 'float' | 'bool' | 'null', value: Resolved): boolean {
  if (tag === 'null') return value === null
  if (tag === 'bool') return typeof value === 'boolean'
  return typeof value === 'bigint' || (typeof value === 'number' && (tag === 'float' || Number.isInteger(value)))
}

const WORDS: ReadonlyMap<string, boolean | null | number> = new Map<string, boolean | null | number>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map(word => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE'].map(word => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map(word => [word, null] as const),
  ...['.nan', '.NaN', '.NAN'].map(word => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map(word => [word, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map(word => [word, Number.NEGATIVE_INFINITY] as const),
])

const DECIMAL = /^[-+]?(?:0|[1-9]\d*)$/
const OCTAL = /^([-+]?)0[oO]?([0-7]+)$/
const HEXADECIMAL = /^([-+]?)0[xX]([0-9a-fA-F]+)$/
const BINARY = /^([-+]?)0[bB]([01]+)$/
const FLOAT = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/
const SMALLEST_INT64 = -(2n ** 63n)
const LARGEST_UINT64 = 2n ** 64n - 1n

/** What an unquoted scalar without a tag means to kubectl. Integers come as bigint. */
export function plainScalar(text: string): Resolved {
  const word = WORDS.get(text)
  if (word !== undefined) return word
  if (!/^[-+.\d]/.test(text) || text.length > 400) return text
  const plain = text.replaceAll('_', '')
  const integer = integerOf(plain)
  if (integer !== undefined && integer >= SMALLEST_INT64 && integer <= LARGEST_UINT64) return integer
  if (!FLOAT.test(plain)) return text
  const float = Number(plain)
  if (!Number.isFinite(float)) return text
  // Too large for an integer, or `08`, which is no octal number: kubectl reads a float, ours must at least have the same digits.
  return /^[-+]?\d+$/.test(plain) ? BigInt(plain.replace(/^\+/, '')) : float
}

function integerOf(plain: string): bigint | undefined {
  if (DECIMAL.test(plain)) return BigInt(plain.replace(/^\+/, ''))
  const match = withRadix(OCTAL, '0o', plain) ?? withRadix(HEXADECIMAL, '0x', plain) ?? withRadix(BINARY, '0b', plain)
  return match
}

function withRadix(pattern: RegExp, prefix: string, plain: string): bigint | undefined {
  const match = pattern.exec(plain)
  if (match === null) return undefined
  const magnitude = BigInt(`${prefix}${match[2] ?? '0'}`)
  return match[1] === '-' ? -magnitude : magnitude
}

/** The field's name that kubectl makes of a key, or undefined where it takes none or writes a float in a way nobody would guess. */
function keyName(value: Resolved): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return value < 2n ** 63n ? String(value) : undefined
  if (value === null) return undefined
  const text = String(value)
  return /^-?\d{1,6}(\.\d{1,4})?$/.test(text) && text.replace(/\D/g, '').length <= 6 ? text : undefined
}

// --- positions

/** Finds positions by parsing the document once more, so that no tree is kept for the many that are never asked. */
function locator(yaml: Yaml, chunk: Chunk): TextDocument['locate'] {
  return path => {
    const tree = lastTree?.chunk === chunk ? lastTree.tree : parseChunk(yaml, chunk)
    lastTree = { chunk, tree }
    return tree.positionAt(startOf(nodeAt(yaml, tree, path)))
  }
}

/** Only the last one: faults are mostly asked for one document after another. */
let lastTree: { readonly chunk: Chunk; readonly tree: Tree } | undefined

/** The key's node of a field, the item's node of a list's item. */
function nodeAt(yaml: Yaml, tree: Tree, path: FieldPath): Node | null {
  const root = tree.document.contents as ParsedNode | null
  let nearest: Node | null = root
  let container: unknown = root
  for (let index = 0; index < path.length; ) {
    if (yaml.isAlias(container)) container = tree.targets.get(container)
    const step = yaml.isMap(container)
      ? fieldOf(yaml, tree, container, path, index)
      : yaml.isSeq(container)
        ? itemOf(yaml, tree, container, path[index] ?? 0)
        : undefined
    if (step === undefined) return nearest
    nearest = step.node
    container = step.value
    index += step.segments
  }
  return nearest
}

interface Step {
  readonly node: Node
  readonly value: unknown
  readonly segments: number
}

/** Errors of server-side apply write `.metadata.labels.app.kubernetes.io/name`: a name may be spread over several segments. */
function fieldOf(yaml: Yaml, tree: Tree, map: YAMLMap, path: FieldPath, index: number): Step | undefined {
  for (let segments = 1; index + segments <= path.length; segments++) {
    const found = pairOf(yaml, tree, map, path.slice(index, index + segments).join('.'), 0)
    if (found !== undefined && yaml.isNode(found.key)) return { node: found.key, value: found.value, segments }
  }
  return undefined
}

function pairOf(yaml: Yaml, tree: Tree, map: YAMLMap, name: string, merges: number): Pair | undefined {
  for (const pair of [...map.items].reverse()) {
    if (isMerge(yaml, pair) && merges < DEEPEST) {
      const sources = yaml.isSeq(pair.value) ? pair.value.items : [pair.value]
      for (const source of sources) {
        const merged = yaml.isAlias(source) ? tree.targets.get(source) : source
        const found = yaml.isMap(merged) ? pairOf(yaml, tree, merged, name, merges + 1) : undefined
        if (found !== undefined) return found
      }
    } else if (yaml.isScalar(pair.key) && nameOf(pair.key) === name) return pair
  }
  return undefined
}

function nameOf(key: Scalar): string | undefined {
  return key.type === 'PLAIN' && key.tag === undefined ? keyName(plainScalar(String(key.value))) : String(key.value)
}

function itemOf(yaml: Yaml, tree: Tree, seq: YAMLSeq, segment: string | number): Step | undefined {
  const resolved = (node: unknown): unknown => (yaml.isAlias(node) ? tree.targets.get(node) : node)
  const scalar = (node: unknown): string | undefined => {
    const target = resolved(node)
    return yaml.isScalar(target) ? String(target.value) : undefined
  }
  const item =
    typeof segment === 'number'
      ? seq.items[segment]
      : seq.items.find(candidate => {
          const target = resolved(candidate)
          return selects(segment, field =>
            field === '' ? scalar(target) : yaml.isMap(target) ? scalar(pairOf(yaml, tree, target, field, 0)?.value) : undefined,
          )
        })
  return yaml.isNode(item) ? { node: item, value: item, segments: 1 } : undefined
}
