// The certificate kind of step: whether a server's certificate is trusted, for the right names, and for how long yet.
import { checkServerIdentity, type DetailedPeerCertificate, type PeerCertificate, type TLSSocket } from 'node:tls'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { CertificateStep } from '../check-file/smoke-schema.ts'
import type { Finding } from '../expectation.ts'
import { compileMatcher } from '../matcher.ts'
import { explainError } from '../net/explain-error.ts'
import { openConnection } from '../net/open.ts'
import { within } from '../net/within.ts'
import type { Scope } from '../smoke/scope.ts'
import { hostPort } from './host-port.ts'
import { at, type CompiledStep, finding, readPem, shown, type Tools } from './kind.ts'
import { compileResolve } from './request-settings.ts'

const DAY_MS = 24 * 3_600_000

/** `now` is the machine's clock, in ms. */
export async function compileTls(
  given: CertificateStep,
  path: readonly PropertyKey[],
  tools: Tools,
  now: () => number = Date.now,
): Promise<CompiledStep> {
  const expect = given.expect ?? {}
  const resolve = await compileResolve(given.resolve, [...path, 'resolve'], tools)
  const ca = await readPem(given.ca, [...path, 'ca'], tools)
  const issuer =
    expect.issuer === undefined ? undefined : await at([...path, 'expect', 'issuer'], () => compileMatcher(expect.issuer ?? ''))
  const days = expect['days-left'] ?? 0
  return {
    changes: false,
    prepare: (scope: Scope) => {
      const { host, port } = hostPort(scope.fill(given.tls).replace(/^https:\/\/([^/?#]+).*$/, '$1'), 443)
      const serverName = given['server-name'] === undefined ? undefined : scope.fill(given['server-name'])
      const names = [serverName ?? host, ...(expect.names ?? []).map(name => scope.fill(name))]
      return {
        address: `tls ${foreignLine(host)}:${port}`,
        asked: [`a certificate for ${names.join(', ')}`, ...(days > 0 ? [`valid for ${days} days`] : [])].join(', '),
        ask: (timeoutMs, outer) =>
          within(timeoutMs, outer, async (signal, onStage, elapsed) => {
            const road = { host, port, resolve, tls: { ca, serverName, verify: false } }
            const socket = (await openConnection(road, signal, onStage)) as TLSSocket
            try {
              const certificate = socket.getPeerCertificate(true)
              const chain = chainOf(certificate)
              const overdue = chain.some(each => !isValidAt(each, now()))
              const findings = [
                ...(expect.chain === 'any' ? [] : [chainFinding(socket.authorizationError, overdue)]),
                ...names.map(name => nameFinding(name, certificate)),
                ...chain.map((each, index) => validityFinding(each, index, days, now())),
                ...(issuer === undefined
                  ? []
                  : [finding('certificate', 'issuer', issuer, [issuerOf(certificate)], scope, tools.redact)]),
              ]
              const wrong = findings.some(found => !found.holds)
              return {
                kind: 'answer',
                answer: { ms: elapsed(), label: socket.getProtocol() ?? 'TLS' },
                findings,
                ...(wrong ? { final: true } : {}),
              }
            } finally {
              socket.on('error', () => undefined).destroy()
            }
          }),
      }
    },
  }
}

/** `overdue`: a certificate whose dates are told by themselves is not valid now. */
function chainFinding(error: Error | string | null | undefined, overdue: boolean): Finding {
  const code =
    typeof error === 'string' ? error : ((error as NodeJS.ErrnoException | null | undefined)?.code ?? error?.message ?? '')
  // That it has expired, or is for another name, is told of the certificate itself; of the root it is told nowhere else.
  const ofDates = code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID'
  const holds = code === '' || code.startsWith('ERR_TLS_CERT_ALTNAME') || (ofDates && overdue)
  if (ofDates && !holds) {
    const came = `from a root that ${code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'}`
    return { kind: 'certificate', what: 'chain', expected: 'trusted', came, holds }
  }
  const came = holds ? 'it is' : explainError(Object.assign(new Error(code), { code }), 'answering').problem.replace(/^has /, '')
  return { kind: 'certificate', what: 'chain', expected: 'trusted', came, holds }
}

function nameFinding(name: string, certificate: PeerCertificate): Finding {
  const error = checkServerIdentity(name, certificate)
  const given = foreignLine(
    (certificate.subjectaltname ?? String(certificate.subject?.CN ?? 'no name')).replace(/DNS:|IP Address:/g, ''),
    200,
  )
  return {
    kind: 'certificate',
    what: 'name',
    expected: shown(name),
    came: error === undefined ? 'it' : given,
    holds: error === undefined,
  }
}

function isValidAt({ valid_from, valid_to }: PeerCertificate, now: number): boolean {
  return Date.parse(valid_from) <= now && now < Date.parse(valid_to)
}

function validityFinding(certificate: PeerCertificate, index: number, days: number, now: number): Finding {
  const left = (Date.parse(certificate.valid_to) - now) / DAY_MS
  const early = Date.parse(certificate.valid_from) > now
  const which = index === 0 ? 'validity' : `validity of ${foreignLine(String(certificate.subject?.CN ?? 'an authority'), 60)}`
  const came = early
    ? `not valid before ${certificate.valid_from}`
    : left < 0
      ? `it expired on ${certificate.valid_to}`
      : `${Math.floor(left)} days`
  return {
    kind: 'certificate',
    what: which,
    expected: days === 0 ? 'not over' : `${days} days left`,
    came,
    holds: !early && left >= days && left > 0,
  }
}

/** The server's own certificate and those above it, the root left out: it is trusted by itself. */
function chainOf(certificate: DetailedPeerCertificate): PeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [certificate]
  for (let above = certificate.issuerCertificate; above !== undefined && chain.length < 10; above = above.issuerCertificate) {
    if (above.fingerprint256 === chain.at(-1)?.fingerprint256 || above.issuerCertificate?.fingerprint256 === above.fingerprint256)
      break
    chain.push(above)
  }
  return chain
}

function issuerOf({ issuer }: PeerCertificate): string {
  return [issuer?.O, issuer?.CN]
    .flat()
    .filter(part => part !== undefined)
    .join(' ')
}
