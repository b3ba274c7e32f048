/** Which scopes a token gets: a pure function of what was asked, what the API has and what the person may do now. */
import type { ResourceServer } from '../configuration.ts'

const OIDC = new Set(['openid', 'profile', 'email', 'phone', 'address', 'offline_access'])

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

/**
 * With RBAC (`enforce_policies`) asked ∩ permitted, without it asked ∩ what the API has; OpenID's scopes pass, and
 * `offline_access` passes where the API allows it.
 */
export function cutScope(asked: string[], api: ResourceServer | undefined, permissions: string[]): string[] {
  const known = new Set(api ? (api.enforce_policies ? permissions : api.scopes.map(({ value }) => value)) : [])
  return asked.filter((scope) => {
    if (scope === 'offline_access') return api === undefined || api.allow_offline_access
    return OIDC.has(scope) || known.has(scope)
  })
}
