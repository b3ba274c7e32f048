import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { comparableEmail } from '../../email-address.ts'
import type { UserRow } from '../../users/store.ts'

/** Notes what the file has brought. @returns the keys that are new to it */
export async function notice(tx: Tx, environmentId: string, jobId: string, keys: string[]): Promise<Set<string>> {
  const rows = await tx<{ key: string }[]>`
    insert into job_seen (environment_id, job_id, key)
    select ${environmentId}, ${jobId}, key from unnest(${keys}::text[]) as key order by key
    on conflict do nothing returning key`
  return new Set(rows.map(({ key }) => key))
}

export const forgetNoticed = (tx: Tx, jobId: string) => tx`delete from job_seen where job_id = ${jobId}`

/**
 * Writes the users who are new: whose address, username and id nobody has, not even as a linked identity. Somebody who
 * is made at the same moment makes the whole step fail, and the job goes on with it later.
 *
 * @returns their ids; whoever is there already is left as they are
 */
export async function insertNew(
  tx: Tx,
  environmentId: string,
  connectionId: string,
  asked: UserRow[],
): Promise<Set<string>> {
  const emails = asked.map(({ email }) => comparableEmail(email!))
  const usernames = asked.map(usernameOf).filter((name) => name !== undefined)
  const ids = asked.map(({ user_id }) => user_id)
  // Three questions, because no index answers their disjunction.
  const rows = await tx<{ key: string }[]>`
    select 'email ' || email_key as key from user_identities
    where connection_id = ${connectionId} and email_key = any (${emails}::text[])
    union all
    select 'username ' || username_key from user_identities
    where connection_id = ${connectionId} and username_key = any (${usernames}::text[])
    union all
    select 'id ' || id from unnest(${ids}::text[]) as id join user_identities i
      on i.provider = split_part(id, '|', 1) and i.identity_id = substr(id, strpos(id, '|') + 1)`
  const taken = new Set(rows.map(({ key }) => key))
  const users = asked.filter(
    ({ user_id }, n) =>
      !taken.has(`email ${emails[n]}`) &&
      !taken.has(`username ${usernameOf(asked[n]!)}`) &&
      !taken.has(`id ${user_id}`),
  )
  if (users.length === 0) return new Set()
  // Always in one order, so that two imports at once wait for each other instead of deadlocking.
  const values = users
    .toSorted((a, b) => (comparableEmail(a.email!) < comparableEmail(b.email!) ? -1 : 1))
    .map((user) => ({
      ...user,
      environment_id: environmentId,
      user_metadata: tx.json(user.user_metadata as JSONValue),
      app_metadata: tx.json(user.app_metadata as JSONValue),
    }))
  const inserted = await tx<{ user_id: string }[]>`
    insert into users ${tx(values)} on conflict do nothing returning user_id`
  return new Set(inserted.map(({ user_id }) => user_id))
}

const usernameOf = ({ username }: UserRow): string | undefined => (username ? comparableEmail(username) : undefined)

export async function supportEmail(tx: Tx): Promise<string | undefined> {
  const [row] = await tx<{ address: string | null }[]>`select settings->>'support_email' as address from environments`
  return row?.address ?? undefined
}

export interface Existing {
  user_id: string
  /** False when the address is that of an identity which was linked to somebody else. */
  is_primary: boolean
  email: string
  password_hash: string | null
}

/** The users of the connection who have these addresses, locked until the transaction ends. */
export const lockByEmail = (tx: Tx, connectionId: string, emails: string[]) => tx<Existing[]>`
  select u.user_id, i.is_primary, i.email_key as email, u.password_hash
  from user_identities i join users u on u.user_id = i.user_id
  where i.connection_id = ${connectionId} and i.email_key = any (${emails}::text[]) order by u.user_id for update of u`

export interface Change {
  user_id: string
  email_verified?: boolean | undefined
  name?: string | undefined
  nickname?: string | undefined
  given_name?: string | undefined
  family_name?: string | undefined
  picture?: string | undefined
  user_metadata?: Record<string, unknown> | undefined
  app_metadata?: Record<string, unknown> | undefined
  password_hash?: string | undefined
}

/** What a row leaves out stays as it is. */
export async function update(tx: Tx, changes: Change[], now: Date): Promise<void> {
  if (changes.length === 0) return
  await tx`
    update users u set
      email_verified = coalesce(c.email_verified, u.email_verified), name = coalesce(c.name, u.name),
      nickname = coalesce(c.nickname, u.nickname), given_name = coalesce(c.given_name, u.given_name),
      family_name = coalesce(c.family_name, u.family_name), picture = coalesce(c.picture, u.picture),
      user_metadata = coalesce(c.user_metadata, u.user_metadata),
      app_metadata = coalesce(c.app_metadata, u.app_metadata),
      password_hash = coalesce(c.password_hash, u.password_hash), updated_at = ${now}
    from jsonb_to_recordset(${tx.json(changes as unknown as JSONValue)}) as c(
      user_id text, email_verified boolean, name text, nickname text, given_name text, family_name text, picture text,
      user_metadata jsonb, app_metadata jsonb, password_hash text)
    where u.user_id = c.user_id`
}
