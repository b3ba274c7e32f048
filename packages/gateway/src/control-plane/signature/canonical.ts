import { createHmac, hash } from 'node:crypto'
import type { Claim, RawRequest } from './signed-request.ts'

/** As AWS encodes: everything but letters, digits, `-`, `.`, `_` and `~`. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * The text whose signature is compared.
 *
 * @param bodyHash SHA-256 of the body that came, in hex
 * @returns `null` when the request has no one canonical form
 */
export function canonicalRequest({ method, target }: RawRequest, claim: Claim, bodyHash: string): string | null {
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  const query = at < 0 ? '' : canonicalQuery(target.slice(at + 1))
  if (query === null || !/^\/[\x21-\x7e]*$/.test(path)) return null
  const headers = claim.signedHeaders.map((name) => `${name}:${claim.headers.get(name)!.trim().replace(/ +/g, ' ')}\n`)
  return [
    method,
    // Encoded a second time: this is not object storage, so the path is signed as it is sent.
    path.split('/').map(encode).join('/'),
    query,
    headers.join(''),
    claim.signedHeaders.join(';'),
    bodyHash,
  ].join('\n')
}

/** Sorted by encoded name, then value. A `+` has two readings, so no client sends it and none is accepted. */
function canonicalQuery(query: string): string | null {
  if (query.includes('+')) return null
  try {
    return query
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const at = pair.indexOf('=')
        const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
        return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))] as const
      })
      .filter(([name]) => name.toLowerCase() !== 'x-amz-signature')
      .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join('&')
  } catch {
    return null
  }
}

/** @returns 64 hex digits */
export function signatureOf(canonical: string, { timestamp, scope, date, region, service }: Claim, secret: string) {
  const toSign = ['AWS4-HMAC-SHA256', timestamp, scope, hash('sha256', canonical, 'hex')].join('\n')
  const key = [date, region, service, 'aws4_request'].reduce<Buffer>(
    (signing, part) => createHmac('sha256', signing).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  )
  return createHmac('sha256', key).update(toSign).digest('hex')
}
