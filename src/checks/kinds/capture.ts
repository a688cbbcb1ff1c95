// What a step keeps of a right answer for later steps.
import { type AnswerContent, readJson } from '../answer.ts'
import type { Finding } from '../expectation.ts'
import { compileJsonQuery } from '../json-query.ts'
import type { Captured } from '../verdict.ts'
import type { Target } from './address.ts'
import { at, type Tools } from './kind.ts'

export interface Captures {
  readonly values: ReadonlyMap<string, Captured>
  /** Of what was not there to be captured. */
  readonly findings: readonly Finding[]
}

export type Capture = (
  answer: AnswerContent,
  from: Pick<Target, 'url' | 'cluster'> | undefined,
  tools: Pick<Tools, 'file' | 'mask'>,
) => Captures

/** A longer value is no name, number or address. */
const LONGEST = 64 * 1024

export async function compileCapture(
  given: Readonly<Record<string, string>> | undefined,
  path: readonly PropertyKey[],
): Promise<Capture> {
  const sources = await Promise.all(
    Object.entries(given ?? {}).map(async ([name, source]) => ({
      name,
      source,
      read: await at([...path, name], () => compileSource(source)),
    })),
  )
  return (answer, from, { file, mask }) => {
    const values = new Map<string, Captured>()
    const findings: Finding[] = []
    for (const { name, source, read } of sources) {
      const value = read(answer)
      const tooLong = value !== undefined && JSON.stringify(value).length > LONGEST
      if (value === undefined || tooLong) {
        const came = tooLong ? `a value longer than ${LONGEST} characters` : 'nothing'
        findings.push({
          kind: source.startsWith('header:') ? 'header' : 'json',
          what: source,
          expected: `a value for ${name}`,
          came,
          holds: false,
        })
        continue
      }
      if (file.variables.isSecret(name) && typeof value !== 'object') mask(String(value))
      values.set(name, { value, from: from?.url, service: from?.cluster })
    }
    return { values, findings }
  }
}

async function compileSource(source: string): Promise<(answer: AnswerContent) => unknown> {
  const header = /^header:\s*(\S+)$/.exec(source)?.[1]?.toLowerCase()
  if (header !== undefined) return answer => [answer.headers[header]].flat()[0]
  if (source === 'body') return answer => (answer.body.trim() === '' ? undefined : answer.body.trim())
  const find = await compileJsonQuery(source)
  return answer => {
    const json = readJson(answer)
    const value = 'unreadable' in json ? undefined : find(json.document)[0]
    return value === null ? undefined : value
  }
}
