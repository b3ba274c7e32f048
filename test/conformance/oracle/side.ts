import type { Answer, Ask } from '@tenantry/identity/testing.ts'

/** One of the two servers that are asked the same. */
export interface Side {
  name: string
  origin: string
  paths: Record<'authorize' | 'token' | 'userinfo' | 'revoke' | 'jwks', string>
  /** Parameters that only this one needs for the same request. */
  extra: Record<string, string>
  /** What this one wants beside `offline_access`. */
  offline: Record<string, string>
  request(path: string, ask?: Ask): Promise<Answer>
  close(): void
}

/** The ids and secrets are the same on both sides, where the issuer lets them be chosen; else each has its own. */
export interface Clients {
  spa: string
  web: { id: string; secret: string }
  machine: { id: string; secret: string }
}

/**
 * What a client would notice of an answer: the status, the error, and of a success which members came back. Texts and
 * values are each server's own.
 */
export function noticed(answer: Answer, redirectUri?: string): string {
  const { status, headers, json } = answer
  const location = headers.location
  if (location !== undefined && redirectUri !== undefined && location.startsWith(redirectUri)) {
    const { hash, searchParams } = new URL(location)
    const told = hash ? new URLSearchParams(hash.slice(1)) : searchParams
    const error = told.get('error')
    const members = [...told.keys()].filter((name) => name !== 'error_description' && name !== 'error').sort()
    return `${hash ? 'fragment' : 'redirect'} ${error ? `${error} ` : ''}with ${members.join(', ')}`
  }
  if (location !== undefined) return 'on to a page'
  if (json?.error !== undefined) return `${status} ${json.error}`
  if (json !== undefined && json !== null) return `${status} ${Object.keys(json).sort().join(', ')}`
  return `${status}`
}
