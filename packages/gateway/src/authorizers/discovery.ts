import { limits } from '../api.ts'
import type { FetchJson } from './fetch-json.ts'

export interface Discovery {
  readonly issuer: string
  readonly jwksUri: string
}

/** Reads an issuer's discovery document (OpenID Connect Discovery 1.0 §4); rejects when it is late or broken. */
export type Discover = (discoveryUrl: string) => Promise<Discovery>

const suffix = '/.well-known/openid-configuration'

/** Where an issuer's discovery document is. A trailing slash of the issuer does not double. */
export const discoveryUrlOf = (issuer: string): string => `${issuer.replace(/\/$/, '')}${suffix}`

/** The issuer a full discovery URL names, without trailing slash, or `null` when it is not a discovery URL. */
export const issuerOfDiscoveryUrl = (url: string): string | null =>
  url.endsWith(suffix) ? url.slice(0, -suffix.length) : null

export function createDiscover(fetchJson: FetchJson): Discover {
  return async (discoveryUrl) => {
    requireTrustworthy(discoveryUrl)
    const document = await fetchJson(discoveryUrl, {
      timeoutMs: limits.discoveryTimeoutMs,
      maxBytes: limits.keySetBytes,
    })
    if (typeof document !== 'object' || document === null) throw new Error(`${discoveryUrl} is not a JSON object`)
    const { issuer, jwks_uri: jwksUri } = document as Record<string, unknown>
    if (typeof issuer !== 'string' || typeof jwksUri !== 'string') {
      throw new Error(`${discoveryUrl} names no "issuer" or no "jwks_uri"`)
    }
    requireTrustworthy(jwksUri)
    return { issuer, jwksUri }
  }
}

/**
 * Keys fetched in the clear are keys anyone on the way may choose; only this machine's own loopback needs no TLS.
 *
 * @throws Error saying what to do
 */
export function requireTrustworthy(url: string): void {
  const { protocol, hostname, username, password, hash } = new URL(url)
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback)) {
    throw new Error(`${url} must use https (http is accepted for loopback addresses only)`)
  }
  if (username !== '' || password !== '' || hash !== '') throw new Error(`${url} must have no user and no fragment`)
}
