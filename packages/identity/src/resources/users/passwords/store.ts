import type { Tx } from '@tenantry/kernel/database/database.ts'

/** The person's password and those they had before it, the latest first. */
export async function earlier(tx: Tx, userId: string, size: number): Promise<string[]> {
  const rows = await tx<{ password_hash: string }[]>`
    (select password_hash from users where user_id = ${userId} and password_hash is not null)
    union all
    (select password_hash from password_history where user_id = ${userId} order by id desc limit ${size})`
  return rows.slice(0, size).map((row) => row.password_hash)
}

/** Keeps the password that is about to be replaced, and forgets those that are older than the last `size`. */
export async function remember(tx: Tx, environmentId: string, userId: string, size: number, now: Date): Promise<void> {
  await tx`
    insert into password_history (environment_id, user_id, password_hash, replaced_at)
    select ${environmentId}, user_id, password_hash, ${now} from users
    where user_id = ${userId} and password_hash is not null and ${size > 0}`
  await tx`
    delete from password_history where user_id = ${userId} and id not in (
      select id from password_history where user_id = ${userId} order by id desc limit ${size})`
}
