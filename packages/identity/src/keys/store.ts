import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Sql } from 'postgres'

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
 * @param onlyIfSince rotates only a key that has signed since then or longer; without it, whichever signs
 * @returns the key that signs now, or undefined when the one that signs is younger than asked for
 */
export async function rotate(
  tx: Tx,
  environmentId: string,
  fresh: KeyRow,
  now: Date,
  onlyIfSince?: Date,
): Promise<PublicKeyRow | undefined> {
  await tx`select from environments where id = ${environmentId} for update`
  // Whoever waited for the lock came with an older time than the key that has begun to sign meanwhile.
  const retired = await tx`
    update signing_keys set state = 'previous', current_until = greatest(${now}, current_since)
    where state = 'current' ${onlyIfSince ? tx`and current_since <= ${onlyIfSince}` : tx``} returning kid`
  if (retired.length === 0) return undefined
  const [current] = await tx<PublicKeyRow[]>`
    update signing_keys set state = 'current', current_since = ${now} where state = 'next' returning ${shownColumns(tx)}`
  await insert(tx, environmentId, fresh)
  return current
}

/** Environments whose key has signed long enough, and whose next key has been published long enough. */
export const environmentsDue = async (sql: Sql, signingSince: Date, publishedSince: Date): Promise<string[]> =>
  (
    await sql<{ environment_id: string }[]>`
      select c.environment_id from signing_keys c
      join signing_keys n on n.environment_id = c.environment_id and n.state = 'next'
      where c.state = 'current' and c.current_since <= ${signingSince} and n.created_at <= ${publishedSince}`
  ).map((row) => row.environment_id)

export const environmentsWithOldKeys = async (sql: Sql, signedUntil: Date): Promise<string[]> =>
  (
    await sql<{ environment_id: string }[]>`
      select distinct environment_id from signing_keys where state = 'previous' and current_until <= ${signedUntil}`
  ).map((row) => row.environment_id)

/** Ends keys whose last token is over, as a revocation would. @returns how many */
export async function retire(tx: Tx, signedUntil: Date, now: Date): Promise<number> {
  const { count } = await tx`
    update signing_keys set state = 'revoked', revoked_at = ${now}, private_key = ''
    where state = 'previous' and current_until <= ${signedUntil}`
  return count
}

/** A previous key verifies nothing from now on, and its private half is destroyed. @returns undefined for any other key */
export async function revoke(tx: Tx, kid: string, now: Date): Promise<PublicKeyRow | undefined> {
  const [row] = await tx<PublicKeyRow[]>`
    update signing_keys set state = 'revoked', revoked_at = ${now}, private_key = ''
    where kid = ${kid} and state = 'previous' returning ${shownColumns(tx)}`
  return row
}
