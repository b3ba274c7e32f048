import type { Tx } from '@tenantry/kernel/database/database.ts'

/**
 * Ends grants: their codes and whole families of refresh tokens. Access tokens already out live until they expire. Whoever
 * makes another grant out of one of them holds that one: it is waited for, and the second statement, which sees what was
 * made, ends that too.
 *
 * @param which says it of `g`
 * @returns the ids of those that lived
 */
export async function revokeGrants(tx: Tx, which: ReturnType<Tx>, now: Date): Promise<{ id: string }[]> {
  await tx`select from grants g where g.revoked_at is null and ${which} for update`
  return tx<{ id: string }[]>`
    update grants g set revoked_at = ${now} where g.revoked_at is null and ${which} returning g.id`
}

/** The same for one, which nothing else is made from that its end is to reach. */
export const revokeGrant = (tx: Tx, grantId: string, now: Date) => tx`
  update grants set revoked_at = ${now} where id = ${grantId} and revoked_at is null`
