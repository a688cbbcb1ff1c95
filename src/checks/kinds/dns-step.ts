// The DNS kind of step: the records of a name.
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { DnsStep } from '../check-file/smoke-schema.ts'
import { TemplateFault } from '../check-file/template.ts'
import type { Finding } from '../expectation.ts'
import { parseHostPort } from '../net/open.ts'
import { within } from '../net/within.ts'
import type { Scope } from '../smoke/scope.ts'
import { at, type CompiledStep, shown, type Tools, timeFinding } from './kind.ts'

/** The server has answered that there is no such name or no such record: an answer, and a wrong one. */
const NOTHING_THERE = new Set(['ENOTFOUND', 'ENODATA'])

export async function compileDns(given: DnsStep, path: readonly PropertyKey[], tools: Tools): Promise<CompiledStep> {
  const type = given.type ?? 'A'
  const expect = given.expect ?? {}
  const server =
    given.server === undefined
      ? undefined
      : await at([...path, 'server'], () => serverOf(tools.file.variables.fill(given.server ?? '')))
  return {
    changes: false,
    prepare: (scope: Scope) => {
      const name = scope.fill(given.dns)
      return {
        address: `dns ${type} ${foreignLine(name)}${server === undefined ? '' : ` at ${server}`}`,
        asked: `${type} records`,
        ask: (timeoutMs, outer) =>
          within(timeoutMs, outer, async (signal, _onStage, elapsed) => {
            const resolver = new Resolver({ timeout: Math.max(1, Math.floor(timeoutMs)), tries: 1 })
            if (server !== undefined) resolver.setServers([server])
            signal.addEventListener('abort', () => resolver.cancel(), { once: true })
            const records = await recordsOf(resolver, name, type)
            const findings = [
              ...recordFindings(records, expect.records ?? {}, scope),
              ...timeFinding(elapsed(), expect['time-below']),
            ]
            return {
              kind: 'answer',
              answer: { ms: elapsed(), label: records.length === 0 ? 'no record' : `${records.length} records` },
              findings,
            }
          }),
      }
    },
  }
}

function serverOf(text: string): string {
  const found = parseHostPort(text)
  if (found === undefined || isIP(found.host) === 0)
    throw new TemplateFault('must be the IP address of a DNS server, with or without a port')
  const host = isIP(found.host) === 6 ? `[${found.host}]` : found.host
  return found.port === undefined ? host : `${host}:${found.port}`
}

async function recordsOf(resolver: Resolver, name: string, type: string): Promise<string[]> {
  try {
    const records = (await resolver.resolve(name, type)) as unknown
    return [records].flat().map(recordText)
  } catch (error) {
    if (NOTHING_THERE.has((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}

/** As a zone file has it: `10 mail.example.com` for MX, texts joined. */
function recordText(record: unknown): string {
  if (typeof record === 'string') return record
  if (Array.isArray(record)) return record.join('')
  const { priority, weight, port, exchange, name, ...other } = record as Record<string, unknown>
  if (exchange !== undefined) return `${priority} ${exchange}`
  if (port !== undefined) return `${priority} ${weight} ${port} ${name}`
  return Object.entries(other)
    .filter(([key]) => key !== 'type')
    .map(([key, value]) => `${key} ${value}`)
    .join(' ')
}

type Records = NonNullable<NonNullable<DnsStep['expect']>['records']>

function recordFindings(records: readonly string[], wanted: Records, scope: Scope): Finding[] {
  const same = (text: string): string => text.toLowerCase().replace(/\.$/, '')
  const given = new Set(records.map(same))
  const came = records.length === 0 ? 'none' : shown(records.slice(0, 10).join(', '))
  const least = wanted['at-least'] ?? 1
  const equals = wanted.equals?.map(each => scope.fill(each))
  return [
    {
      kind: 'records',
      what: 'records',
      expected: `at least ${least}`,
      came: records.length >= least ? String(records.length) : came,
      holds: records.length >= least,
    },
    ...(wanted.contains ?? []).map(each => {
      const text = scope.fill(each)
      return { kind: 'records' as const, what: 'records', expected: `with ${shown(text)}`, came, holds: given.has(same(text)) }
    }),
    ...(equals === undefined
      ? []
      : [
          {
            kind: 'records' as const,
            what: 'records',
            expected: shown(equals.join(', ')),
            came,
            holds: given.size === new Set(equals.map(same)).size && equals.every(each => given.has(same(each))),
          },
        ]),
  ]
}
