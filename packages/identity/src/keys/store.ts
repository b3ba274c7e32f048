import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface KeyRow {
  kid: string
  state: 'current' | 'next' | 'previous' | 'revoked'
  public_jwk: { n: string; e: string }
  certificate: string
  private_key: Uint8Array
  current_since: Date | null
  current_until: Date | null
  revoked_at: Date | null
}

/** What may be shown of a key. */
export type PublicKeyRow = Omit<KeyRow, 'private_key'>

/** The keys that verifiers may trust, the signing one first. */
export const published = (tx: Tx): Promise<KeyRow[]> => tx<KeyRow[]>`
  select kid, state, public_jwk, certificate, private_key, current_since, current_until, revoked_at from signing_keys
  where state in ('current', 'next', 'previous') order by array_position(array['current', 'next', 'previous'], state)`

export const insert = (tx: Tx, environmentId: string, key: KeyRow): Promise<unknown> => tx`
  insert into signing_keys ${tx({ ...key, public_jwk: tx.json(key.public_jwk), environment_id: environmentId })}`

const shownColumns = (tx: Tx) => tx`kid, state, public_jwk, certificate, current_since, current_until, revoked_at`

/** Every key there ever was, those in use first. */
export const all = (tx: Tx): Promise<PublicKeyRow[]> => tx<PublicKeyRow[]>`
  select ${shownColumns(tx)} from signing_keys
  order by array_position(array['current', 'next', 'previous', 'revoked'], state), created_at desc, kid`

export async function find(tx: Tx, kid: string): Promise<PublicKeyRow | undefined> {
  const [row] = await tx<PublicKeyRow[]>`select ${shownColumns(tx)} from signing_keys where kid = ${kid}`
  return row
}

/**
 * The next key signs, the one that signed is a previous one, and the given one waits. Rotations at once come one after
 * the other: each locks the keys first.
 *
 * @returns the key that signs now
 */
export async function rotate(tx: Tx, environmentId: string, fresh: KeyRow, now: Date): Promise<PublicKeyRow> {
  await tx`select from environments where id = ${environmentId} for update`
  await tx`update signing_keys set state = 'previous', current_until = ${now} where state = 'current'`
  const [current] = await tx<PublicKeyRow[]>`
    update signing_keys set state = 'current', current_since = ${now} where state = 'next' returning ${shownColumns(tx)}`
  await insert(tx, environmentId, fresh)
  return current!
}

/** A previous key verifies nothing from now on, and its private half is destroyed. @returns undefined for any other key */
export async function revoke(tx: Tx, kid: string, now: Date): Promise<PublicKeyRow | undefined> {
  const [row] = await tx<PublicKeyRow[]>`
    update signing_keys set state = 'revoked', revoked_at = ${now}, private_key = ''
    where kid = ${kid} and state = 'previous' returning ${shownColumns(tx)}`
  return row
}
