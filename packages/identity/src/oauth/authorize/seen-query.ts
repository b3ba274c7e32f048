import type { Parameters } from './checks.ts'

/** What proves something to whoever holds it, or is not kept anywhere: no Action sees it. */
const PROOFS = new Set([
  'client_secret',
  'client_assertion',
  'id_token_hint',
  'invitation',
  'login_ticket',
  'verification_code',
  'request',
])
const MOST_CHARACTERS = 16_000

/**
 * The parameters of an authorization request as Actions see them, those of an application's own included. They are kept
 * with the sign-in: what would make it large is left out, and what PostgreSQL cannot hold.
 */
export function seenQuery(parameters: Parameters): Record<string, string> {
  let left = MOST_CHARACTERS
  const kept = Object.entries(parameters).filter(([name, value]) => {
    const text = name + value
    if (PROOFS.has(name) || text.includes('\0') || !text.isWellFormed() || text.length > left) return false
    left -= text.length
    return true
  })
  return Object.fromEntries(kept)
}
