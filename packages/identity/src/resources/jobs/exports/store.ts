import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { UserWithConnection } from '../../users/store.ts'

/** The users after one, by id: each step costs the same, wherever it is. */
export const usersAfter = (tx: Tx, connectionId: string | null, after: string, limit: number) => tx<
  UserWithConnection[]
>`
  select u.user_id, u.connection_id, u.email, u.email_verified, u.username, u.phone_number, u.phone_verified, u.name,
    u.nickname, u.given_name, u.family_name, u.picture, u.user_metadata, u.app_metadata, u.blocked,
    null as password_hash, u.last_password_reset, u.last_login, u.last_ip, u.logins_count, u.created_at, u.updated_at,
    c.name as connection, identities_of(u.user_id) as identities
  from users u join connections c on c.id = u.connection_id
  where u.user_id > ${after} ${connectionId === null ? tx`` : tx`and u.connection_id = ${connectionId}`}
  order by u.user_id limit ${limit}`

export async function countUsers(tx: Tx, connectionId: string | null): Promise<number> {
  const [row] = await tx<{ total: number }[]>`
    select count(*)::int as total from users
    ${connectionId === null ? tx`` : tx`where connection_id = ${connectionId}`}`
  return row!.total
}
