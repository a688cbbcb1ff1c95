// Signs a request to an AWS service that has no client of its own here, with the credentials that every AWS SDK finds.
import { createHash, createHmac } from 'node:crypto'
import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Checksum, SourceData } from '@smithy/types'
import { messageOf } from '../../../runner/failure.ts'
import { foreignLine } from '../../../runner/foreign-text.ts'
import { fault } from '../json-request.ts'
import type { Fault } from '../provider.ts'

/** SHA-256 as the signer wants it. */
class Sha256 implements Checksum {
  readonly #hash
  constructor(secret?: SourceData) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytes(secret))
  }
  update(data: Uint8Array): void {
    this.#hash.update(data)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {
    throw new Error('a checksum here is used once')
  }
}

function bytes(data: SourceData): Buffer | string {
  if (typeof data === 'string') return data
  return data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

export interface Unsigned {
  readonly url: URL
  readonly method: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer | undefined
  readonly region: string
  readonly service: string
}

type Credentials = ReturnType<typeof defaultProvider>
let credentials: Credentials | undefined

/** The headers to add. They are good for some minutes. */
export async function signedHeaders(
  { url, method, headers, body, region, service }: Unsigned,
  from: Credentials | undefined = undefined,
  signingDate = new Date(),
): Promise<readonly (readonly [name: string, value: string])[] | Fault> {
  // One provider for the whole step: it keeps temporary credentials until they end.
  credentials ??= defaultProvider()
  const signer = new SignatureV4({ service, region, credentials: from ?? credentials, sha256: Sha256 })
  try {
    const signed = await signer.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        ...(url.port === '' ? {} : { port: Number(url.port) }),
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { ...Object.fromEntries(headers), host: url.host },
        ...(body === undefined ? {} : { body }),
      },
      { signingDate },
    )
    return Object.entries(signed.headers).filter(([name]) => /^(authorization|x-amz-.*)$/i.test(name))
  } catch (error) {
    return fault(
      'Unauthorized',
      `could not be asked: there are no AWS credentials here (${foreignLine(messageOf(error), 200)})`,
      false,
    )
  }
}
