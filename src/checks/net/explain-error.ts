// Errors of node's network stack in words, and how far the request had come.
import { foreignLine } from '../../runner/foreign-text.ts'
import type { NoAnswer, Stage } from '../answer.ts'

/** What did not come in time. */
export function explainTimeout(timeoutMs: number, stage: Stage): Omit<NoAnswer, 'ms'> {
  const seconds = `${(timeoutMs / 1_000).toFixed(1)} s`
  return stage === 'connecting'
    ? { stage, code: 'ETIMEDOUT', problem: `took no connection within ${seconds}` }
    : { stage, code: 'TIMEOUT', problem: `gave no whole answer within ${seconds}` }
}

/** What a code of the system means, to be said after the address. Codes of X.509 are those of OpenSSL's verify. */
const PROBLEMS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'has a host name that DNS does not know',
  EAI_AGAIN: 'has a host name that DNS could not look up now',
  ECONNREFUSED: 'refused the connection',
  EHOSTUNREACH: 'has no route to its host',
  ENETUNREACH: 'has no route to its network',
  EADDRNOTAVAIL: 'has no route to its host',
  ETIMEDOUT: 'took no connection in time',
  ECONNRESET: 'closed the connection before the whole answer',
  EPIPE: 'closed the connection before the whole answer',
  NO_HTTP2: 'does not speak HTTP/2',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'does not speak HTTP/2',
  ERR_HTTP2_ERROR: 'gave an answer that is not HTTP/2',
  CERT_HAS_EXPIRED: 'has a certificate that has expired',
  CERT_NOT_YET_VALID: 'has a certificate that is not valid yet',
  CERT_REVOKED: 'has a certificate that was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'has a self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'has a certificate of an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'has a certificate whose chain is incomplete or not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'has a certificate whose chain is incomplete or not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'has a certificate whose chain is incomplete or not trusted here',
}

const CERTIFICATE_CODES =
  /^(?:CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERROR_IN_CERT_\w+|ERR_TLS_CERT_ALTNAME_\w+)$/

/** Errors of node's network stack as a stage and a clause. An AggregateError (IPv4 and IPv6 both failed) bears the code of its first. */
export function explainError(error: NodeJS.ErrnoException, stage: Stage): Omit<NoAnswer, 'ms'> {
  const code = String(error.code ?? error.name)
  if (code === 'PROXY') return { stage: 'connecting', code, problem: `cannot be reached: ${foreignLine(error.message, 200)}` }
  if (stage === 'impossible') return { stage, code, problem: `cannot be asked from here: ${foreignLine(error.message, 200)}` }
  if (CERTIFICATE_CODES.test(code)) {
    const trust =
      code.includes('SELF_SIGNED') || code.includes('UNABLE_TO')
        ? '; to trust its authority set NODE_EXTRA_CA_CERTS to a PEM file'
        : ''
    const problem = code.startsWith('ERR_TLS_CERT_ALTNAME')
      ? `has a certificate for another name (${foreignLine((error as { reason?: string }).reason ?? error.message, 200)})`
      : (PROBLEMS[code] ?? `has a certificate that cannot be trusted (${code})`)
    return { stage: 'unhealable', code, problem: `${problem}${trust}` }
  }
  if (
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG' ||
    (code === 'EPROTO' && error.message.includes('wrong version number'))
  )
    return { stage: 'unhealable', code: 'NOT_TLS', problem: 'speaks no TLS; is it http:// and not https://?' }
  const problem = code.startsWith('HPE_') ? `gave an answer that is not HTTP (${code})` : PROBLEMS[code]
  return {
    stage,
    code,
    problem: problem ?? `gave no answer (${foreignLine(code === '' ? error.message : code, 200)})`,
  }
}
