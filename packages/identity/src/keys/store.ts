import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface KeyRow {
  kid: string
  state: 'current' | 'next' | 'previous' | 'revoked'
  public_jwk: { n: string; e: string }
  certificate: string
  private_key: Uint8Array
}

/** The keys that verifiers may trust, the signing one first. */
export const published = (tx: Tx): Promise<KeyRow[]> => tx<KeyRow[]>`
  select kid, state, public_jwk, certificate, private_key from signing_keys
  where state in ('current', 'next', 'previous') order by array_position(array['current', 'next', 'previous'], state)`

export const insert = (tx: Tx, environmentId: string, key: KeyRow): Promise<unknown> => tx`
  insert into signing_keys ${tx({ ...key, public_jwk: tx.json(key.public_jwk), environment_id: environmentId })}`
