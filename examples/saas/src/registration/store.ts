/** Who has begun registrations, for as long as that limits how many more they may begin. */
import type { Sql } from 'postgres'

export interface Begun {
  keyHash: Buffer
  email: string
  address: string
  createdAt: Date
}

/** Of several at once with the same key, one inserts. */
export const insert = async (sql: Sql, { keyHash, email, address, createdAt }: Begun): Promise<void> => {
  await sql`
    insert into registrations (key_hash, email, address, created_at)
    values (${keyHash}, ${email}, ${address}, ${createdAt}) on conflict do nothing`
}

export const isKnown = async (sql: Sql, keyHash: Buffer): Promise<boolean> =>
  (await sql`select from registrations where key_hash = ${keyHash}`).count === 1

/** How many registrations an address of mail or network has begun since then, and when the first of them leaves the window. */
export const count = async (sql: Sql, by: { email: string } | { address: string }, since: Date) => {
  const match = 'email' in by ? sql`email = ${by.email}` : sql`address = ${by.address}`
  const [row] = await sql<{ count: number; oldest: Date | null }[]>`
    select count(*)::int as count, min(created_at) as oldest from registrations where ${match} and created_at > ${since}`
  return row!
}

export const forget = async (sql: Sql, before: Date): Promise<void> => {
  await sql`delete from registrations where created_at <= ${before}`
}
