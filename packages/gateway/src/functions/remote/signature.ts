/** Signs requests by POST to AWS's services (Signature Version 4), with the library that AWS's own clients use. */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface SignableRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Sign = (request: SignableRequest, region: string, at: Date) => Promise<Record<string, string>>

/** @param credentials asked for at each request when it is a function; they may have been renewed */
export function createSign(
  credentials: AwsCredentials | (() => Promise<AwsCredentials>),
  service: 'lambda' | 'apigateway' = 'lambda',
): Sign {
  const signer = new SignatureV4({
    service,
    region: 'us-east-1',
    credentials: typeof credentials === 'function' ? credentials : async () => credentials,
    sha256: Sha256,
  })
  return async ({ url, headers, body }, region, at) => {
    const signed = await signer.sign(
      {
        method: 'POST',
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: {},
        headers: { ...headers, host: url.host },
        body,
      },
      { signingDate: at, signingRegion: region },
    )
    return signed.headers
  }
}

type Source = string | ArrayBuffer | ArrayBufferView

const bytesOf = (source: Source): string | Uint8Array => {
  if (typeof source === 'string') return source
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source)
}

// The library takes its hash as a class.
class Sha256 {
  private readonly secret: Source | undefined
  private hash: Hash | Hmac

  constructor(secret?: Source) {
    this.secret = secret
    this.hash = this.fresh()
  }

  private fresh(): Hash | Hmac {
    return this.secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(this.secret))
  }

  update(data: Source): void {
    this.hash.update(bytesOf(data))
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest()
  }

  reset(): void {
    this.hash = this.fresh()
  }
}
