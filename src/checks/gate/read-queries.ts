// The input `queries` of monitoring-gate: YAML to what the schema says, all that is wrong told at once.
import { LineCounter, parseDocument } from 'yaml'
import { ExpectedFailure } from '../../runner/failure.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import { describeIssue, faultsOf } from '../check-file/faults.ts'
import { type QueryContent, queriesSchema } from './schema.ts'

const LARGEST = 256 * 1024
const FAULTS_TOLD = 10

/** @throws ExpectedFailure InvalidInput */
export function readQueries(text: string): readonly QueryContent[] {
  if (text.length > LARGEST) throw wrong([`it has ${text.length} characters, more than the ${LARGEST} that are read`])
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent', stringKeys: true })
  if (document.errors.length > 0)
    throw wrong(document.errors.map(error => `line ${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]}`))
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch {
    throw wrong(['it has more aliases than can be meant'])
  }
  const parsed = queriesSchema.safeParse(value, { error: describeIssue })
  if (parsed.success) return parsed.data
  throw wrong(faultsOf(parsed.error.issues).map(({ path, message }) => `${placeOf(path, value)}${message}`))
}

/** `errors, baseline.ratio: `: the query by its name, then the way into it. */
function placeOf(path: readonly PropertyKey[], value: unknown): string {
  const [index, ...rest] = path
  if (index === undefined) return ''
  const entry: unknown = Array.isArray(value) ? value[Number(index)] : undefined
  const name =
    typeof entry === 'object' && entry !== null && 'name' in entry && typeof entry.name === 'string' ? entry.name : undefined
  const what = name === undefined ? `query ${Number(index) + 1}` : foreignLine(name, 80)
  return rest.length === 0 ? `${what}: ` : `${what}, ${rest.map(String).join('.')}: `
}

function wrong(faults: readonly string[]): ExpectedFailure {
  const told = faults.slice(0, FAULTS_TOLD).map(fault => foreignLine(fault, 400).replace(/\.$/, ''))
  const more = faults.length > FAULTS_TOLD ? `; and ${faults.length - FAULTS_TOLD} more` : ''
  return new ExpectedFailure('InvalidInput', `One input is wrong; nothing was changed. queries: ${told.join('; ')}${more}.`)
}
