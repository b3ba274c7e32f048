import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Sql } from 'postgres'

export interface StoredKey {
  id: string
  environment_id: string
  account_id: string
  secret: Buffer
}

/** Across environments: a key's id is the first that is known of a request. */
export const find = async (sql: Sql, id: string): Promise<StoredKey | undefined> =>
  (
    await sql<StoredKey[]>`
      select key.id, key.environment_id, account.id as account_id, key.secret
      from gateway.access_keys key join gateway.accounts account using (environment_id)
      where key.id = ${id}`
  )[0]

export const oldest = async (tx: Tx): Promise<StoredKey | undefined> =>
  (
    await tx<StoredKey[]>`
      select key.id, key.environment_id, account.id as account_id, key.secret
      from gateway.access_keys key join gateway.accounts account using (environment_id)
      order by key.created_at, key.id limit 1`
  )[0]

/** Keeps the account that is there already. */
export const insertAccount = (tx: Tx, environmentId: string, id: string) =>
  tx`insert into gateway.accounts (environment_id, id) values (${environmentId}, ${id}) on conflict (environment_id) do nothing`

/** The environment's account, locked: of several starts at once, one makes the first key. */
export const lockAccount = (tx: Tx) => tx<{ id: string }[]>`select id from gateway.accounts for update`

export const insert = (tx: Tx, key: { id: string; environment_id: string; secret: Buffer }) =>
  tx`insert into gateway.access_keys ${tx(key)}`
