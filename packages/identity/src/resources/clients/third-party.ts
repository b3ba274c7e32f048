/**
 * Clients of third parties. Those that registered themselves are known by the start of their id, as at Auth0; nobody
 * vouches for them, so what holds for them is lifted by no setting: PKCE, two grants, and of an API only what a grant of
 * the client gives.
 */
import type { ClientRow } from './store.ts'

export const isSelfRegistered = ({ client_id }: { client_id: string }): boolean => client_id.startsWith('tpc_')

export const THIRD_PARTY_GRANTS = ['authorization_code', 'refresh_token']

/** @returns what a client of a third party must not be, or undefined */
export function flawOfThirdParty(row: ClientRow): string | undefined {
  // Organizations let no third parties in (`third_party_client_access` is block).
  if (!row.is_first_party && row.organization_usage !== 'deny') {
    return "a client of a third party signs nobody in to organizations: set 'organization_usage' to deny."
  }
  // People would type their passwords into its pages.
  if (!row.is_first_party && row.cross_origin_authentication) {
    return "a client of a third party cannot have 'cross_origin_authentication'."
  }
  // People agreed to one API, and a refresh can ask them for no other.
  if (!row.is_first_party && row.refresh_token?.policies) {
    return "a client of a third party cannot have 'refresh_token.policies'."
  }
  if (!isSelfRegistered(row)) return undefined
  if (row.is_first_party) return "'is_first_party' stays false for a client that registered itself."
  const other = row.grant_types.find((grant) => !THIRD_PARTY_GRANTS.includes(grant))
  if (other === undefined) return undefined
  return `'grant_types' of a client that registered itself are among ${THIRD_PARTY_GRANTS.join(' and ')}.`
}
