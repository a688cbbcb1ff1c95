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

export type FindingKind = 'redirect' | 'status' | 'body' | 'json' | 'version'

/** One demand held against an answer. `expected` and `came` are safe to print. */
export interface Finding {
  readonly kind: FindingKind
  /** What was looked at: "status", "body", ".items[0].ok". */
  readonly what: string
  readonly expected: string
  readonly came: string
  /** `came` is an excerpt of the body, and so may differ from one answer to the next without a meaning. */
  readonly excerpt: boolean
  readonly holds: boolean
}

const SHOWN = 120

/** All demands, each with what came, in the order in which they are worth reading: a wrong status explains a wrong body. */
export function examine(answer: AnswerContent, expectation: Expectation): readonly Finding[] {
  const findings: Finding[] = [
    {
      kind: 'status',
      what: 'status',
      expected: formatStatusPatterns(expectation.status),
      came: String(answer.status),
      excerpt: false,
      holds: matchesStatus(expectation.status, answer.status),
    },
  ]
  for (const wanted of expectation.bodyContains) {
    const holds = answer.body.includes(wanted)
    const came = answer.body.trim() === '' ? 'an empty body' : quoted(answer.body, SHOWN)
    findings.push({
      kind: 'body',
      what: 'body',
      expected: `to contain ${quoted(wanted, SHOWN)}`,
      came: holds ? 'it does' : `${came}${answer.truncated ? ' (its first MiB was searched)' : ''}`,
      excerpt: true,
      holds,
    })
  }
  if (expectation.json.length > 0) {
    const json = readJson(answer)
    for (const assertion of expectation.json) {
      const evaluated =
        'unreadable' in json ? { holds: false, came: json.unreadable } : evaluateJsonAssertion(json.document, assertion)
      findings.push({
        kind: 'json',
        what: formatJsonPath(assertion.path),
        expected: assertion.expected === '' ? 'an empty text' : shown(assertion.expected),
        came: 'unreadable' in json ? evaluated.came : shown(evaluated.came),
        excerpt: 'unreadable' in json,
        holds: evaluated.holds,
      })
    }
  }
  if (expectation.version !== undefined) {
    const { expected, from } = expectation.version
    const read = readVersion(answer, from)
    findings.push({
      kind: 'version',
      what: `version (${formatVersionSource(from)})`,
      expected: shown(expected),
      came: 'none' in read ? read.none : shown(read.version),
      excerpt: 'none' in read,
      holds: 'version' in read && read.version === expected,
    })
  }
  return findings
}

/** One sentence's part that names the difference: "expected status 200, came 503", and how many more there are. */
export function describeDifference(findings: readonly Finding[]): string {
  const [first, ...more] = findings.filter(finding => !finding.holds)
  if (first === undefined) return 'as expected'
  const rest =
    more.length === 0 ? '' : more.length === 1 ? ' (and one more difference)' : ` (and ${more.length} more differences)`
  return `expected ${first.what} ${first.expected}, came ${first.came}${rest}`
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
