// What a right answer looks like, and where a given one differs. Pure.
import { type AnswerContent, quoted, readJson } from './answer.ts'
import { evaluateJsonAssertion, type JsonAssertion } from './json-assertion.ts'
import { formatJsonPath } from './json-path.ts'
import { formatStatusPatterns, matchesStatus, type StatusPattern } from './status-pattern.ts'
import { formatVersionSource, readVersion, type VersionSource } from './version-source.ts'

export interface Expectation {
  readonly status: readonly StatusPattern[]
  readonly bodyContains: readonly string[]
  readonly json: readonly JsonAssertion[]
  readonly version?: { readonly expected: string; readonly from: VersionSource }
}

export type FindingKind =
  | 'redirect'
  | 'status'
  | 'header'
  | 'body'
  | 'json'
  | 'version'
  | 'time'
  | 'state'
  | 'event'
  | 'message'
  | 'certificate'
  | 'records'
  | 'health'
  | 'exit'
  | 'output'
  | 'errors'

/** One demand held against an answer. `expected`, `came` and `excerpt` are safe to print. */
export interface Finding {
  readonly kind: FindingKind
  /** What was looked at: "status", "body", ".items[0].ok". */
  readonly what: string
  readonly expected: string
  readonly came: string
  /** The body's beginning, where it helps to see it. It may differ from one answer to the next without a meaning. */
  readonly excerpt?: string
  readonly holds: boolean
}

const SHOWN = 160

/** More than is ever shown, so that a secret is blotted out whole before the text is cut. */
const REDACTED = 16_384

/**
 * All demands, each with what came, in the order in which they are worth reading: a wrong status explains a wrong body.
 * @param redact blots out secrets that the answer may repeat
 */
export function examine(
  answer: AnswerContent,
  expectation: Expectation,
  redact: (text: string) => string = text => text,
): readonly Finding[] {
  const clean = (text: string): string => redact(text.slice(0, REDACTED))
  const excerpt = answer.body.trim() === '' ? {} : { excerpt: quoted(clean(answer.body), SHOWN) }
  const rightStatus = matchesStatus(expectation.status, answer.status)
  const findings: Finding[] = [
    {
      kind: 'status',
      what: 'status',
      expected: formatStatusPatterns(expectation.status),
      came: String(answer.status),
      holds: rightStatus,
      ...(rightStatus ? {} : excerpt),
    },
  ]
  for (const wanted of expectation.bodyContains) {
    const holds = answer.body.includes(wanted)
    findings.push({
      kind: 'body',
      what: 'body',
      expected: `with ${quoted(wanted, SHOWN)}`,
      came: holds
        ? 'it'
        : answer.body.trim() === ''
          ? 'an empty one'
          : answer.truncated
            ? 'a first MiB without it'
            : 'one without it',
      holds,
      ...(holds ? {} : excerpt),
    })
  }
  if (expectation.json.length > 0) {
    const json = readJson(answer)
    for (const assertion of expectation.json) {
      const common = { kind: 'json', what: formatJsonPath(assertion.path), expected: shown(assertion.expected) } as const
      if ('unreadable' in json) findings.push({ ...common, came: json.unreadable, holds: false, ...excerpt })
      else {
        const { holds, came } = evaluateJsonAssertion(json.document, assertion)
        findings.push({ ...common, came: shown(clean(came)), holds })
      }
    }
  }
  if (expectation.version !== undefined) {
    const { expected, from } = expectation.version
    const common = { kind: 'version', what: 'version', expected: shown(expected) } as const
    const read = readVersion(answer, from)
    if ('none' in read) findings.push({ ...common, came: read.none, holds: false, ...excerpt })
    else findings.push({ ...common, came: shown(clean(read.version)), holds: read.version === expected })
  }
  return findings
}

/** One sentence's part that names the difference: "expected status 200, came 503", and how many more there are. */
export function describeDifference(findings: readonly Finding[]): string {
  const [first, ...more] = findings.filter(finding => !finding.holds)
  if (first === undefined) return 'as expected'
  const rest =
    more.length === 0 ? '' : more.length === 1 ? ' (and one more difference)' : ` (and ${more.length} more differences)`
  if (first.kind === 'redirect') return `redirected ${first.came}`
  return `expected ${first.what} ${first.expected}, came ${first.came}${first.excerpt === undefined ? '' : `: ${first.excerpt}`}${rest}`
}

/** The expectation in words: `status 200, a body with "ok", .version=1.4.2`. */
export function describeExpectation(expectation: Expectation): string {
  return [
    `status ${formatStatusPatterns(expectation.status)}`,
    ...expectation.bodyContains.map(wanted => `a body with ${quoted(wanted, SHOWN)}`),
    ...expectation.json.map(({ path, expected }) => `${formatJsonPath(path)}=${shown(expected)}`),
    ...(expectation.version === undefined
      ? []
      : [`version ${shown(expectation.version.expected)} in ${formatVersionSource(expectation.version.from)}`]),
  ].join(', ')
}

function shown(text: string): string {
  const line = quoted(text, SHOWN).slice(1, -1)
  return line === '' ? 'an empty text' : line
}
