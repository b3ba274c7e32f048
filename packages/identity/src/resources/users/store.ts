import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../constraint.ts'
import { revokeGrants } from '../grants/store.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import type { Query } from '../search/lucene.ts'
import { limited } from '../search/store.ts'
import { because, type Initiator } from '../sessions/store.ts'
import { problems } from './rules.ts'
import { condition } from './search-store.ts'

export interface UserRow {
  user_id: string
  connection_id: string
  email: string | null
  email_verified: boolean
  username: string | null
  phone_number: string | null
  phone_verified: boolean | null
  name: string | null
  nickname: string | null
  given_name: string | null
  family_name: string | null
  picture: string | null
  user_metadata: Record<string, unknown>
  app_metadata: Record<string, unknown>
  blocked: boolean
  password_hash: string | null
  last_password_reset: Date | null
  last_login: Date | null
  last_ip: string | null
  logins_count: number
  created_at: Date
  updated_at: Date
}
export interface IdentityShown {
  connection: string
  user_id: string
  provider: string
  isSocial: boolean
  /** Of a linked identity: the user it was. */
  profileData?: Record<string, unknown>
}
/** `connection` is the name of the user's own connection. */
export type UserWithConnection = UserRow & { connection: string; identities: IdentityShown[] }

const columns = (tx: Tx) => tx`
  u.user_id, u.connection_id, u.email, u.email_verified, u.username, u.phone_number, u.phone_verified, u.name, u.nickname, u.given_name, u.family_name, u.picture,
  u.user_metadata, u.app_metadata, u.blocked, u.password_hash, u.last_password_reset, u.last_login, u.last_ip,
  u.logins_count, u.created_at, u.updated_at, c.name as connection, identities_of(u.user_id) as identities`

const values = (tx: Tx, row: UserRow) => ({
  ...row,
  user_metadata: tx.json(row.user_metadata as JSONValue),
  app_metadata: tx.json(row.app_metadata as JSONValue),
})

export async function find(tx: Tx, id: string): Promise<UserWithConnection | undefined> {
  const [row] = await tx<UserWithConnection[]>`
    select ${columns(tx)} from users u join connections c on c.id = u.connection_id where u.user_id = ${id}`
  return row
}

/** @throws Problem `inexistent_user` */
export async function get(tx: Tx, id: string): Promise<UserWithConnection> {
  const row = await find(tx, id)
  if (!row) throw problems.inexistent_user()
  return row
}

/** The row, locked until the transaction ends. @throws Problem `inexistent_user` */
export async function lock(tx: Tx, id: string): Promise<UserWithConnection> {
  const [row] = await tx<UserWithConnection[]>`
    select ${columns(tx)} from users u join connections c on c.id = u.connection_id
    where u.user_id = ${id} for update of u`
  if (!row) throw problems.inexistent_user()
  return row
}

/** Checks that all these users exist and keeps them until the transaction ends. @throws Problem `inexistent_user` */
export async function lockAll(tx: Tx, ids: string[]): Promise<void> {
  const found = await tx`select from users where user_id = any (${ids}::text[]) order by user_id for key share`
  if (found.length < new Set(ids).size) throw problems.inexistent_user()
}

/** One address may belong to a user in each of several connections. */
export async function listByEmail(tx: Tx, email: string): Promise<UserWithConnection[]> {
  return tx<UserWithConnection[]>`
    select ${columns(tx)} from user_identities own
    join users u on u.user_id = own.user_id join connections c on c.id = u.connection_id
    where own.is_primary and own.email_key = lower(${email}) order by u.created_at, u.user_id`
}

export interface UserListFilter {
  connection?: string | undefined
  sort?: string | undefined
  query?: Query | undefined
}

/** What a list is sorted by, where that is not the column of this name: the forms in which texts are indexed. */
const SORTED_BY: Record<string, string> = { email: 'own.email_key', name: 'u.name_key' }

/** @throws Problem `invalid_query_string`, `search_timeout` */
export async function list(tx: Tx, page: Page, filter: UserListFilter): Promise<Found<UserWithConnection>> {
  const [column, direction] = (filter.sort ?? 'created_at:1').split(':') as [string, string]
  const way = direction === '-1' ? tx`desc` : tx`asc`
  // As its index has it: who never signed in comes first, or the other way round last.
  const nulls = column !== 'last_login' ? tx`` : direction === '-1' ? tx`nulls last` : tx`nulls first`
  return limited(tx, async () => {
    const search = filter.query && (await condition(tx, filter.query))
    const where = tx`
      ${
        filter.connection === undefined
          ? tx`true`
          : tx`exists (
              select from user_identities i join connections ic on ic.id = i.connection_id
              where i.user_id = u.user_id and ic.name = ${filter.connection})`
      } and ${search?.where ?? tx`true`}`
    const searched = tx`users u join user_identities own on own.user_id = u.user_id and own.is_primary`
    const [rows, [count]] = await Promise.all([
      tx<UserWithConnection[]>`
        select ${columns(tx)} from ${searched} join connections c on c.id = u.connection_id
        where ${where} order by ${tx(SORTED_BY[column] ?? `u.${column}`)} ${way} ${nulls}, u.user_id ${way}
        limit ${fetchLimit(page)} offset ${page.offset}`,
      page.kind === 'totals'
        ? tx<{ total: number }[]>`select count(*)::int as total from ${searched} where ${where}`
        : [{ total: 0 }],
    ])
    return { rows, total: count!.total }
  })
}

/** @throws Problem `user_exists`, `unknown_connection` */
export async function insert(tx: Tx, environmentId: string, row: UserRow): Promise<void> {
  await tx`insert into users ${tx({ environment_id: environmentId, ...values(tx, row) })}`
    .catch(violates('users_email', problems.user_exists))
    .catch(violates('users_username', problems.username_exists))
    .catch(violates('users_phone', problems.user_exists))
    .catch(violates('users_pkey', problems.user_exists))
    .catch(violates('user_identities_pkey', problems.user_exists))
    .catch(violates('users_environment_id_connection_id_fkey', problems.unknown_connection))
}

/** What a person or an administrator changes; sign-ins count elsewhere. @throws Problem `user_exists` */
export async function save(tx: Tx, row: UserWithConnection): Promise<void> {
  const { user_id, connection, connection_id, identities, last_login, last_ip, logins_count, created_at, ...rest } = row
  const { user_metadata, app_metadata } = values(tx, row)
  await tx`update users set ${tx({ ...rest, user_metadata, app_metadata })} where user_id = ${user_id}`
    .catch(violates('users_email', problems.user_exists))
    .catch(violates('users_username', problems.username_exists))
    .catch(violates('users_phone', problems.user_exists))
}

/** Signs a person out everywhere: no session is left, and whatever was authorized can no longer be refreshed. */
export async function endAccess(tx: Tx, id: string, now: Date, why: Initiator): Promise<void> {
  await tx`delete from remembered_browsers where user_id = ${id}`
  await tx`delete from sessions where user_id = ${id} and ${because(tx, why)}`
  await revokeGrants(tx, tx`g.user_id = ${id}`, now)
  // A link to choose a password, made before, would bring whoever holds it back in.
  await tx`delete from tickets where user_id = ${id} and kind = 'password_change'`
}

/** Sessions, grants, memberships, roles and permissions go with the user, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string): Promise<boolean> {
  const gone = await tx`delete from users where user_id = ${id} and ${because(tx, 'account-deleted')} returning 1`
  return gone.length > 0
}
