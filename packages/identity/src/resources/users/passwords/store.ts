import type { Tx } from '@tenantry/kernel/database/database.ts'

/** A linked identity, where the password is not the person's own. */
export interface Linked {
  provider: string
  identity_id: string
}

const current = (tx: Tx, userId: string, linked: Linked | undefined) =>
  linked
    ? tx`
      select user_id, password_hash from user_identities where user_id = ${userId} and not is_primary
        and provider = ${linked.provider} and identity_id = ${linked.identity_id} and password_hash is not null`
    : tx`select user_id, password_hash from users where user_id = ${userId} and password_hash is not null`

/** The password that is replaced and those the person had before it, the latest first. */
export async function earlier(tx: Tx, userId: string, size: number, linked?: Linked): Promise<string[]> {
  const rows = await tx<{ password_hash: string }[]>`
    (select password_hash from (${current(tx, userId, linked)}) as now)
    union all
    (select password_hash from password_history where user_id = ${userId} order by id desc limit ${size})`
  return rows.slice(0, size).map((row) => row.password_hash)
}

/** Keeps the password that is about to be replaced, and forgets those that are older than the last `size`. */
export async function remember(
  tx: Tx,
  environmentId: string,
  userId: string,
  size: number,
  now: Date,
  linked?: Linked,
): Promise<void> {
  await tx`
    insert into password_history (environment_id, user_id, password_hash, replaced_at)
    select ${environmentId}, user_id, password_hash, ${now} from (${current(tx, userId, linked)}) as now
    where ${size > 0}`
  await tx`
    delete from password_history where user_id = ${userId} and id not in (
      select id from password_history where user_id = ${userId} order by id desc limit ${size})`
}
