import type { Guard } from '@tenantry/kernel/http/egress.ts'
import { Agent, request } from 'undici'

export interface FetchOptions {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent by POST. */
  readonly form?: Readonly<Record<string, string>>
}

/** Fetches one JSON document; rejects when it is late, too large, redirected, not 200 or not JSON. */
export type FetchJson = (url: string, options: FetchOptions) => Promise<unknown>

/** The address answered, and not with 200. */
export class UnexpectedStatus extends Error {
  readonly status: number

  constructor(url: string, status: number) {
    super(`${url} answered ${status}, expected 200`)
    this.status = status
  }
}

/**
 * @param options.ca certificate authorities to trust instead of the public ones (PEM), for an issuer on a private one
 * @param options.guard says which networks may be called; by default all of them
 */
export function createFetchJson({ ca, guard }: { ca?: string; guard?: Guard } = {}): FetchJson {
  const connect = { ...(ca === undefined ? {} : { ca }), ...(guard === undefined ? {} : { lookup: guard.lookup }) }
  const dispatcher = new Agent({ connections: 4, connect })
  return async (url, { timeoutMs, maxBytes, headers = {}, form }) => {
    const refusal = guard?.refusal(new URL(url).hostname) ?? null
    if (refusal !== null) throw new Error(`${url} cannot be called: ${refusal}`)
    // undici follows no redirect by itself: whoever can redirect an issuer's address could otherwise name its keys.
    const response = await request(url, {
      dispatcher,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: 'application/json',
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form).toString() }),
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of response.body) {
      const part: Buffer = chunk
      bytes += part.length
      if (bytes > maxBytes) throw new Error(`${url} answered more than ${maxBytes} bytes`)
      chunks.push(part)
    }
    if (response.statusCode !== 200) throw new UnexpectedStatus(url, response.statusCode)
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  }
}
