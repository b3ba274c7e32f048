import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface MfaTokenRow {
  token_hash: Buffer
  client_id: string
  user_id: string
  connection_id: string
  organization_id: string | null
  audience: string | null
  scope: string[]
  amr: string[]
  /** The identity that was proven, and whether its password is still that one; null after a refresh. */
  provider: string | null
  identity_id: string | null
  proof_hash: Buffer | null
  /** The refresh token that it stands for, in the place of a first factor. */
  refresh_token_id: string | null
  grant_type: string | null
  protocol: string
  issuer: string
  adding_id: string | null
  recovery_id: string | null
  created_at: Date
  expires_at: Date
}

/**
 * Of one refresh token at most ten wait: it is not used up by asking, so whoever holds it could ask without end. Windows that
 * refresh at the same time are fewer.
 */
export const insert = (tx: Tx, environmentId: string, row: MfaTokenRow) => tx`
  with surplus as (
    delete from mfa_tokens where refresh_token_id = ${row.refresh_token_id} and token_hash in (
      select token_hash from mfa_tokens where refresh_token_id = ${row.refresh_token_id}
      order by created_at desc offset 9))
  insert into mfa_tokens ${tx({ environment_id: environmentId, ...row })}`

export const read = (tx: Tx, tokenHash: Buffer) => tx<MfaTokenRow[]>`
  select token_hash, client_id, user_id, connection_id, organization_id, audience, scope, amr, provider, identity_id,
    proof_hash, refresh_token_id, grant_type, protocol, issuer, adding_id, recovery_id, created_at, expires_at
  from mfa_tokens where token_hash = ${tokenHash}`

/** The method that is being enrolled; another one takes its place. */
export const noteAdding = (tx: Tx, tokenHash: Buffer, addingId: string, recoveryId: string | null) => tx`
  update mfa_tokens set adding_id = ${addingId}, recovery_id = ${recoveryId} where token_hash = ${tokenHash}`

/** Of any number of right answers one gets a row. */
export const take = (tx: Tx, tokenHash: Buffer, now: Date) => tx<{ taken: number }[]>`
  delete from mfa_tokens where token_hash = ${tokenHash} and expires_at > ${now} returning 1 as taken`
