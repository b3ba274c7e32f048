/** Which scopes a token gets: a pure function of what was asked, what the API has and what the person may do now. */
import type { ResourceServer } from '../configuration.ts'

/** OpenID's own: they are about the person, and no API's. */
export const OIDC: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'phone', 'address', 'offline_access'])

/**
 * Scope tokens of RFC 6749 §3.3, in the order asked, each once.
 *
 * @returns undefined for characters outside the grammar
 */
export function parseScope(text: string | undefined): string[] | undefined {
  if (text === undefined || text.trim() === '') return []
  if (!/^[\x21\x23-\x5b\x5d-\x7e ]*$/.test(text)) return undefined
  return [...new Set(text.split(' ').filter(Boolean))]
}

/** What the client may ask of the API at all. OpenID's scopes are no API's. */
export const withinGrant = (asked: string[], api: ResourceServer | undefined): string[] =>
  asked.filter((scope) => OIDC.has(scope) || (api?.granted?.includes(scope) ?? true))

/**
 * With RBAC (`enforce_policies`) asked ∩ permitted, without it asked ∩ what the API has; OpenID's scopes pass, and
 * `offline_access` passes where the API allows it.
 */
export function cutScope(asked: string[], api: ResourceServer | undefined, permissions: string[]): string[] {
  const known = new Set(api ? (api.enforce_policies ? permissions : api.scopes.map(({ value }) => value)) : [])
  return withinGrant(asked, api).filter((scope) => {
    if (scope === 'offline_access') return api === undefined || api.allow_offline_access
    return OIDC.has(scope) || known.has(scope)
  })
}
