// Certificates made in the test, so that no key lies in the repository.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export interface Made {
  readonly key: string
  /** PEM, its own certificate alone. */
  readonly cert: string
  readonly name: string
  readonly privateKey: KeyObject
}

export interface Wanted {
  /** What it is for: a DNS name, or an IPv4 address. */
  readonly name: string
  /** Who signs it; itself where nothing is said. */
  readonly issuer?: Made
  /** It may sign others. */
  readonly authority?: boolean
  /** Days from now until it is over; negative for one that has expired. */
  readonly days?: number
}

/** A key and a self-signed certificate for `name`, both PEM, valid for a day. */
export function selfSigned(name: string): { key: string; cert: string } {
  return makeCertificate({ name })
}

/** DER by hand: node has no maker of certificates (RFC 5280, section 4.1). */
export function makeCertificate({ name, issuer, authority = false, days = 1 }: Wanted): Made {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
  const time = (ms: number): Buffer => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))
  const now = Date.now()
  const until = now + days * 86_400_000
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1, ...crypto.getRandomValues(new Uint8Array(8))])),
    algorithm,
    nameOf(issuer?.name ?? name),
    der(0x30, time(Math.min(now, until) - 3_600_000), time(until)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, alternativeName(name), ...(authority ? [basicConstraints()] : []))),
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, issuer?.privateKey ?? privateKey))
  const cert = der(0x30, body, algorithm, signature)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')
  return {
    name,
    privateKey,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${cert}-----END CERTIFICATE-----\n`,
  }
}

function nameOf(name: string): Buffer {
  return der(0x30, der(0x31, der(0x30, der(0x06, Buffer.from('550403', 'hex')), der(0x0c, Buffer.from(name)))))
}

function alternativeName(name: string): Buffer {
  const address = name.split('.').map(Number)
  const isAddress = address.length === 4 && address.every(part => part >= 0 && part < 256)
  const value = isAddress ? der(0x87, Buffer.from(address)) : der(0x82, Buffer.from(name))
  return der(0x30, der(0x06, Buffer.from('551d11', 'hex')), der(0x04, der(0x30, value)))
}

function basicConstraints(): Buffer {
  const yes = Buffer.from([0x01, 0x01, 0xff])
  return der(0x30, der(0x06, Buffer.from('551d13', 'hex')), yes, der(0x04, der(0x30, yes)))
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
