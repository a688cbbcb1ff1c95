// Reads what a build prints (BuildKit's rawjson, or its plain text) line by line: lines for people, and what failed where.
import { foreignLine, foreignText } from '../runner/foreign-text.ts'
import { type Instruction, instructionOfStep } from './dockerfile.ts'

/** Lines of the failing step's output that are kept. */
const KEPT_LINES = 20
const LONGEST_LINE = 2_000
/** Of a line that has not ended yet the end is kept. */
const LONGEST_UNFINISHED = 65_536
const MOST_WARNINGS = 10

export interface BuildFailure {
  /** Counts from 1; undefined where the failure has no place in the Dockerfile. */
  readonly line?: number
  readonly instruction?: string
  readonly exitCode?: number
  /** The builder's own last words, its wrapping taken off. */
  readonly error: string
  /** The last lines the failing step printed. */
  readonly output: readonly string[]
}

export interface BuildWarning {
  readonly line: number
  readonly message: string
}

export interface BuildLog {
  /** Takes one line and gives back those to print, made harmless. */
  add(line: string): readonly string[]
  /** What failed, as far as the lines tell. `dockerfile` is the file's content. */
  failure(dockerfile: string): BuildFailure
  warnings(): readonly BuildWarning[]
  /** The digest that `docker push` says it pushed. */
  pushedDigest(): string | undefined
}

interface Step {
  /** Counts the steps in the order they began; 0 before that. */
  number: number
  name: string
  output: string[]
  rest: string
  shown: boolean
  ended: boolean
  error?: string
}

interface Vertex {
  digest?: string
  name?: string
  started?: string
  completed?: string
  cached?: boolean
  error?: string
}

interface Event {
  vertexes?: Vertex[]
  logs?: { vertex?: string; data?: string }[]
  warnings?: { short?: string; range?: { start?: { line?: number } }[] }[]
}

/** @param redact blots out secrets, before a line is cut and half of one is left that nothing would know */
export function createBuildLog(redact: (text: string) => string = text => text): BuildLog {
  const steps = new Map<string, Step>()
  const plain: string[] = []
  const warnings = new Map<string, BuildWarning>()

  const stepOf = (key: string, name: string): Step => {
    const known = steps.get(key)
    if (known !== undefined) {
      if (name !== '') known.name = name
      return known
    }
    const step: Step = { number: 0, name, output: [], rest: '', shown: false, ended: false }
    steps.set(key, step)
    return step
  }
  let begun = 0
  const say = (step: Step, text: string): string => {
    if (step.number === 0) step.number = ++begun
    return foreignText(`#${step.number} ${text}`, LONGEST_LINE)
  }
  const printed = (step: Step, line: string): string => {
    const clean = foreignText(redact(line), LONGEST_LINE)
    step.output = [...step.output, clean].filter(text => text.trim() !== '').slice(-KEPT_LINES)
    return say(step, clean)
  }

  const onVertex = (vertex: Vertex): string[] => {
    const step = stepOf(vertex.digest ?? '', vertex.name ?? '')
    const lines: string[] = []
    // BuildKit's own bookkeeping ([internal] ...) is told only when it fails.
    const silent = /^\[(?:\S+ )?internal\]/.test(step.name) && (vertex.error ?? '') === ''
    if (!step.shown && vertex.started !== undefined && !silent) {
      step.shown = true
      lines.push(say(step, foreignLine(redact(step.name), 200)))
    }
    if (vertex.completed === undefined || step.ended || silent) return lines
    step.ended = true
    if (step.rest !== '') lines.push(printed(step, step.rest))
    step.rest = ''
    if (vertex.error !== undefined && vertex.error !== '') {
      step.error = redact(vertex.error)
      lines.push(say(step, `ERROR: ${foreignLine(step.error, 400)}`))
    } else if (vertex.cached === true) lines.push(say(step, 'CACHED'))
    else lines.push(say(step, `DONE ${seconds(vertex.started, vertex.completed)}`))
    return lines
  }

  // One event holds what happened in a tenth of a second, in no order: steps begin, print, then end.
  const onEvent = (event: Event): string[] => [
    ...(event.vertexes ?? []).filter(vertex => vertex.completed === undefined).flatMap(onVertex),
    ...(event.logs ?? []).flatMap(log => {
      const step = stepOf(log.vertex ?? '', '')
      const parts = (step.rest + Buffer.from(log.data ?? '', 'base64').toString('utf8')).split('\n')
      step.rest = (parts.pop() ?? '').slice(-LONGEST_UNFINISHED)
      return parts.map(line => printed(step, line))
    }),
    ...(event.vertexes ?? []).filter(vertex => vertex.completed !== undefined).flatMap(onVertex),
    ...(event.warnings ?? []).flatMap(warning => {
      const message = foreignLine(redact(Buffer.from(warning.short ?? '', 'base64').toString('utf8'))).replace(
        / \(line \d+\)$/,
        '',
      )
      const line = warning.range?.[0]?.start?.line
      if (line !== undefined && warnings.size < MOST_WARNINGS) warnings.set(`${line} ${message}`, { line, message })
      return []
    }),
  ]

  const onPlain = (raw: string): string[] => {
    const line = redact(raw)
    const match = /^#(\d+) (.*)$/.exec(line)
    const [, key = '', text = ''] = match ?? []
    if (match === null) {
      plain.push(line.slice(0, LONGEST_LINE))
      if (plain.length > 400) plain.shift()
    } else if (/^\[[^\]]+\] /.test(text)) stepOf(`#${key}`, text)
    else if (text.startsWith('ERROR: ')) stepOf(`#${key}`, '').error = text.slice('ERROR: '.length)
    else if (/^\d+\.\d+ /.test(text)) printed(stepOf(`#${key}`, ''), text.replace(/^\d+\.\d+ /, ''))
    return [foreignText(line, LONGEST_LINE)]
  }

  return {
    add(line) {
      const event = line.startsWith('{') ? parseEvent(line) : undefined
      return event === undefined ? onPlain(line) : onEvent(event)
    },
    warnings: () => [...warnings.values()],
    pushedDigest: () =>
      plain
        .map(line => /^\S+: digest: (sha256:[0-9a-f]{64}) size: \d+$/.exec(line)?.[1])
        .findLast(digest => digest !== undefined),
    failure(dockerfile) {
      const words = plain.findLast(line => /^(?:ERROR|error):? |^failed to |^executor failed /.test(line))
      const failed = failedStep([...steps.values()], words ?? '')
      const last = words ?? failed?.error ?? plain.findLast(line => line.trim() !== '')
      const error = foreignLine(unwrapped(last ?? 'the builder said nothing'), 500)
      const excerpt = markedLines(plain)
      const found = failed === undefined ? undefined : instructionOfStep(dockerfile, failed.name)
      const parsed = /^dockerfile parse error (?:on )?line (\d+):/.exec(error)?.[1]
      const place = excerpt ?? found ?? (parsed === undefined ? undefined : { line: Number(parsed) })
      const exitCode = /exit code: (\d+)/.exec(failed?.error ?? error)?.[1]
      return {
        ...(place === undefined ? {} : { line: place.line }),
        ...(place === undefined || !('text' in place) ? {} : { instruction: foreignLine(place.text, 160) }),
        ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
        error,
        output: failed?.output ?? [],
      }
    },
  }
}

/** The step the builder's last words are about. Steps beside it are cancelled with it, and a cache that can't be read fails no build. */
function failedStep(steps: readonly Step[], words: string): Step | undefined {
  const failed = steps.filter(
    step =>
      step.error !== undefined && !/context canceled/.test(step.error) && !/^(?:importing cache|exporting cache)/.test(step.name),
  )
  const named = failed.findLast(step => single(words).includes(single(step.error ?? '')))
  return named ?? failed.at(-1)
}

function single(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

/** The lines that the builder marks with `>>>` in the piece of the Dockerfile it prints after a failure. */
function markedLines(lines: readonly string[]): Instruction | undefined {
  const marked = lines.flatMap(line => {
    const [, number, text] = /^\s*(\d+) \| >>> (.*)$/.exec(line) ?? []
    return number === undefined ? [] : [{ line: Number(number), text: text ?? '' }]
  })
  const first = marked[0]
  return first === undefined
    ? undefined
    : { line: first.line, text: marked.map(({ text }) => text.trim().replace(/\\$/, '')).join(' ') }
}

function unwrapped(error: string): string {
  return error
    .trim()
    .replace(/^(?:ERROR|error):? /, '')
    .replace(
      /^(?:failed to build: |failed to solve: |failed to solve with frontend \S+: |failed to create LLB definition: |rpc error: code = \w+ desc = )+/,
      '',
    )
    .replace(/ of ref [a-z0-9]+::[a-z0-9]+/, '')
}

function seconds(from: string | undefined, to: string): string {
  const took = (Date.parse(to) - Date.parse(from ?? to)) / 1_000
  return `${(Number.isFinite(took) ? took : 0).toFixed(1)}s`
}

function parseEvent(line: string): Event | undefined {
  try {
    const event: unknown = JSON.parse(line)
    const lists = typeof event === 'object' && event !== null ? Object.values(event) : [undefined]
    return lists.every(value => Array.isArray(value) && value.every(item => typeof item === 'object' && item !== null))
      ? (event as Event)
      : undefined
  } catch {
    return undefined
  }
}
