import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../../constraint.ts'
import { revokeGrants } from '../../grants/store.ts'
import { problems as userProblems } from '../rules.ts'
import type { IdentityShown, UserRow } from '../store.ts'
import * as users from '../store.ts'
import { independent, type LinkedIdentity, MAXIMUM_IDENTITIES, problems, profileOf } from './rules.ts'

export async function list(tx: Tx, userId: string): Promise<IdentityShown[]> {
  const [row] = await tx<{ identities: IdentityShown[] }[]>`select identities_of(${userId}) as identities`
  return row!.identities
}

/**
 * Makes the secondary user an identity of the primary one. The secondary's row goes with everything that hung on it;
 * identities that were linked to it come along.
 *
 * @throws Problem `inexistent_user`, `identity_conflict`, `same_user`, `too_many_identities`
 */
export async function link(
  tx: Tx,
  environmentId: string,
  primaryId: string,
  secondary: { userId: string; connectionId: string | undefined },
  now: Date,
): Promise<void> {
  const { userId: secondaryId } = secondary
  // In one order, or two links of the same two users the other way round would wait for each other for ever.
  const rows = await tx<UserRow[]>`
    select * from users where user_id = any (${[primaryId, secondaryId]}::text[]) order by user_id for update`
  if (!rows.some((row) => row.user_id === primaryId)) throw userProblems.inexistent_user()
  if (primaryId === secondaryId) throw problems.same_user()
  const row = rows.find(({ user_id }) => user_id === secondaryId)
  if (!row) throw (await isLinked(tx, secondaryId)) ? problems.identity_conflict() : userProblems.inexistent_user()
  if (secondary.connectionId !== undefined && secondary.connectionId !== row.connection_id) {
    throw userProblems.inexistent_user()
  }

  const [{ held } = { held: 0 }] = await tx<{ held: number }[]>`
    select count(*)::int as held from user_identities where user_id = any (${[primaryId, secondaryId]}::text[])`
  if (held > MAXIMUM_IDENTITIES) throw problems.too_many_identities({ facts: { limit: MAXIMUM_IDENTITIES } })
  await tx`
    update user_identities set user_id = ${primaryId} where user_id = ${secondaryId} and not is_primary`
  const [own] = await tx<{ email_key: string | null; username_key: string | null; phone_key: string | null }[]>`
    select provider, identity_id, connection_id, email_key, username_key, phone_key from user_identities
    where user_id = ${secondaryId} and is_primary`
  await users.remove(tx, secondaryId)
  await tx`insert into user_identities ${tx({
    environment_id: environmentId,
    ...own!,
    user_id: primaryId,
    is_primary: false,
    password_hash: row.password_hash,
    profile_data: tx.json(profileOf(row) as JSONValue),
    linked_at: now,
  })}`
    .catch(violates('users_email', problems.identity_conflict))
    .catch(violates('users_username', problems.identity_conflict))
    .catch(violates('users_phone', problems.identity_conflict))
}

/** A linked identity that has a password of its own. */
export interface DatabaseIdentity {
  user_id: string
  provider: string
  identity_id: string
  connection_id: string
  /** The name of its connection. */
  connection: string
  email: string | null
  /** Whether the address was proven when it was linked: until then it may be somebody else's. */
  email_verified: boolean
}

/** By what it is called, or by its address in a connection. */
export async function findDatabaseIdentity(
  tx: Tx,
  which: { provider: string; identity_id: string } | { connection_id: string; email: string },
): Promise<DatabaseIdentity | undefined> {
  const [found] = await tx<DatabaseIdentity[]>`
    select i.user_id, i.provider, i.identity_id, i.connection_id, c.name as connection, i.profile_data ->> 'email' as email,
      coalesce((i.profile_data ->> 'email_verified')::boolean, false) as email_verified
    from user_identities i join connections c on c.id = i.connection_id
    where not i.is_primary and c.strategy = 'auth0'
      and ${
        'email' in which
          ? tx`i.connection_id = ${which.connection_id} and i.email_key = lower(${which.email})`
          : tx`i.provider = ${which.provider} and i.identity_id = ${which.identity_id}`
      }`
  return found
}

async function isLinked(tx: Tx, userId: string): Promise<boolean> {
  const rows = await tx`
    select from user_identities where provider = provider_of(${userId}) and identity_id = identity_of(${userId})`
  return rows.length > 0
}

/**
 * Makes a linked identity a user of its own again. Whoever came in through its connection is signed out of the user that
 * it leaves.
 *
 * @throws Problem `inexistent_user`, `inexistent_identity`, `main_identity`
 */
export async function unlink(
  tx: Tx,
  environmentId: string,
  userId: string,
  { provider, identityId }: { provider: string; identityId: string },
  now: Date,
): Promise<void> {
  await users.lock(tx, userId)
  const [identity] = await tx<LinkedIdentity[]>`
    select provider, identity_id, connection_id, is_primary, password_hash, profile_data from user_identities
    where provider = ${provider} and identity_id = ${identityId} and user_id = ${userId} for update`
  if (!identity) throw problems.inexistent_identity()
  if (identity.is_primary) throw problems.main_identity()
  await tx`delete from user_identities where provider = ${provider} and identity_id = ${identityId}`
  await users.insert(tx, environmentId, independent(identity, now))
  const { connection_id } = identity
  await tx`delete from sessions where user_id = ${userId} and connection_id = ${connection_id}`
  await revokeGrants(tx, tx`g.user_id = ${userId} and g.connection_id = ${connection_id}`, now)
}
