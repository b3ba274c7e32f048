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

/** Writes the users who are new. @returns their ids; whoever is there already is left as they are */
export async function insertNew(tx: Tx, environmentId: string, users: UserRow[]): Promise<Set<string>> {
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
  const rows = await tx<{ user_id: string }[]>`
    insert into users ${tx(values)} on conflict do nothing returning user_id`
  return new Set(rows.map(({ user_id }) => user_id))
}

export interface Existing {
  user_id: string
  email: string
  password_hash: string | null
}

/** The users of the connection who have these addresses, locked until the transaction ends. */
export const lockByEmail = (tx: Tx, connectionId: string, emails: string[]) => tx<Existing[]>`
  select user_id, lower(email) as email, password_hash from users
  where connection_id = ${connectionId} and lower(email) = any (${emails}::text[]) order by user_id for update`

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
