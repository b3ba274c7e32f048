import type { Tx } from '@tenantry/kernel/database/database.ts'

const hex = (hash: Buffer): string => hash.toString('hex')

export interface BlockRow {
  account: Uint8Array
  ip: string | null
}

/** Counters of these accounts that let no further try through. */
export const blocksOf = (
  tx: Tx,
  accounts: Buffer[],
  limits: { account_at_address: number; account: number },
  now: Date,
) => tx<BlockRow[]>`
  select account, ip from login_failures
  where account in (select decode(a, 'hex') from unnest(${accounts.map(hex)}::text[]) as a) and window_ends_at > ${now}
    and failures >= case kind when 'account' then ${limits.account}::float8 else ${limits.account_at_address}::float8 end
  order by ip nulls first`

/** @returns how many counters were cleared */
export async function clearAccounts(tx: Tx, accounts: Buffer[]): Promise<number> {
  const gone = await tx`
    delete from login_failures
    where account in (select decode(a, 'hex') from unnest(${accounts.map(hex)}::text[]) as a) returning 1`
  return gone.length
}

/** Whether nothing is left of an address's stock: its tries would all be given back later than this moment. */
export async function isSpent(tx: Tx, bucket: Buffer, after: Date): Promise<boolean> {
  const found = await tx`
    select from login_failures where bucket = ${bucket} and kind = 'address' and window_ends_at > ${after}`
  return found.length > 0
}

export const clearAddress = (tx: Tx, bucket: Buffer) => tx`
  delete from login_failures where bucket = ${bucket} and kind = 'address'`

/** Whatever a person may type to name their account, of linked identities too, with the connection it is known in. */
export const identifiersOf = (tx: Tx, userId: string) => tx<{ identifier: string; connection: string }[]>`
  select k.identifier, c.name as connection
  from user_identities i join connections c on c.id = i.connection_id
    cross join lateral (values (i.email_key), (i.username_key), (i.phone_key)) as k (identifier)
  where i.user_id = ${userId} and k.identifier is not null
  order by i.is_primary desc, i.linked_at, k.identifier`
