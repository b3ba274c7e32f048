import { Agent, request } from 'undici'

export interface FetchLimits {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** Fetches one JSON document; rejects when it is late, too large, redirected, not 200 or not JSON. */
export type FetchJson = (url: string, limits: FetchLimits) => Promise<unknown>

/**
 * @param options.ca certificate authorities to trust instead of the public ones (PEM), for an issuer on a private one
 */
export function createFetchJson(options: { ca?: string } = {}): FetchJson {
  const dispatcher = new Agent({ connections: 4, ...(options.ca === undefined ? {} : { connect: { ca: options.ca } }) })
  return async (url, { timeoutMs, maxBytes }) => {
    // undici follows no redirect by itself: whoever can redirect an issuer's address could otherwise name its keys.
    const response = await request(url, {
      dispatcher,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json' },
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of response.body) {
      const part: Buffer = chunk
      bytes += part.length
      if (bytes > maxBytes) throw new Error(`${url} answered more than ${maxBytes} bytes`)
      chunks.push(part)
    }
    if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}, expected 200`)
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  }
}
