/** SQL of what proves a person besides the password. */
import type { Tx } from '@tenantry/kernel/database/database.ts'

export type MethodType =
  | 'totp'
  | 'email'
  | 'phone'
  | 'recovery-code'
  | 'webauthn-roaming'
  | 'webauthn-platform'
  | 'passkey'

export interface MethodRow {
  id: string
  user_id: string
  type: MethodType
  confirmed: boolean
  name: string | null
  email: string | null
  phone_number: string | null
  secret: Uint8Array | null
  last_used_step: string | null
  code_hash: Uint8Array | null
  credential_id: string | null
  public_key: Uint8Array | null
  sign_count: string | null
  transports: string[] | null
  relying_party_identifier: string | null
  credential_device_type: string | null
  credential_backed_up: boolean | null
  user_agent: string | null
  created_at: Date
  enrolled_at: Date | null
  last_auth_at: Date | null
}

/** What a new row says beyond the defaults: nothing proven, nothing used. */
export type NewMethod = Pick<MethodRow, 'id' | 'user_id' | 'type' | 'created_at'> & Partial<MethodRow>

export async function insert(tx: Tx, environmentId: string, rows: NewMethod[]): Promise<void> {
  for (const row of rows) {
    await tx`insert into authentication_methods ${tx({ environment_id: environmentId, confirmed: false, ...row })}`
  }
}

/** In the order in which they were made. */
export const list = (tx: Tx, userId: string) => tx<MethodRow[]>`
  select * from authentication_methods where user_id = ${userId} order by created_at, id`

export const listConfirmed = (tx: Tx, userId: string) => tx<MethodRow[]>`
  select * from authentication_methods where user_id = ${userId} and confirmed order by created_at, id`

export async function find(tx: Tx, userId: string, id: string): Promise<MethodRow | undefined> {
  const [row] = await tx<MethodRow[]>`
    select * from authentication_methods where user_id = ${userId} and id = ${id}`
  return row
}

/** Holds the person, so that of two enrolments at once the second sees the first. */
export const lockPerson = (tx: Tx, userId: string) => tx`select from users where user_id = ${userId} for update`

/** Proven from now on; what else was begun is dropped. */
export async function confirm(tx: Tx, userId: string, id: string, now: Date): Promise<void> {
  await tx`
    update authentication_methods set confirmed = true, enrolled_at = ${now}, last_auth_at = ${now} where id = ${id}`
  await tx`
    delete from authentication_methods
    where user_id = ${userId} and not confirmed and type not in ('recovery-code', 'passkey') and id <> ${id}`
}

export const touch = (tx: Tx, id: string, now: Date) => tx`
  update authentication_methods set last_auth_at = ${now} where id = ${id}`

/** Of any number of tries with values of one step, or of an earlier one, one gets a row. */
export const useStep = (tx: Tx, id: string, step: number, now: Date) => tx<{ id: string }[]>`
  update authentication_methods set last_used_step = ${step}, last_auth_at = ${now}
  where id = ${id} and (last_used_step is null or last_used_step < ${step}) returning id`

/** Uses a recovery code up. Of any number of tries one gets a row. */
export const useRecoveryCode = (tx: Tx, userId: string, codeHash: Buffer) => tx<{ id: string }[]>`
  delete from authentication_methods
  where user_id = ${userId} and type = 'recovery-code' and confirmed and code_hash = ${codeHash} returning id`

/** There is one of each person; a new one takes its place. */
export async function replaceRecoveryCode(tx: Tx, environmentId: string, row: NewMethod): Promise<void> {
  await tx`delete from authentication_methods where user_id = ${row.user_id} and type = 'recovery-code'`
  await insert(tx, environmentId, [row])
}

/** The person has kept the code that was shown. @returns false when it is no longer that one */
export async function keepRecoveryCode(tx: Tx, userId: string, id: string, now: Date): Promise<boolean> {
  const kept = await tx`
    update authentication_methods set confirmed = true, enrolled_at = ${now}
    where user_id = ${userId} and id = ${id} and type = 'recovery-code' and not confirmed returning 1`
  return kept.length > 0
}

export const rename = (tx: Tx, userId: string, id: string, name: string) => tx<MethodRow[]>`
  update authentication_methods set name = ${name} where user_id = ${userId} and id = ${id} returning *`

export interface Removed {
  id: string
  user_id: string
  type: MethodType
}

/** A browser that was told to remember a factor which is gone must ask again. */
async function removed(tx: Tx, statement: PromiseLike<Removed[]>): Promise<Removed[]> {
  const rows = await statement
  for (const userId of new Set(rows.map((row) => row.user_id))) await forgetBrowsers(tx, userId)
  return rows
}

export const removeAll = (tx: Tx, userId: string) =>
  removed(tx, tx<Removed[]>`delete from authentication_methods where user_id = ${userId} returning id, user_id, type`)

/** Passkeys are a way to sign in, not a second factor, and stay when those are reset. */
export const removeFactors = (tx: Tx, userId: string, types?: MethodType[]) =>
  removed(
    tx,
    tx<Removed[]>`delete from authentication_methods where user_id = ${userId}
      and ${types ? tx`type = any (${types}::text[])` : tx`type <> 'passkey'`} returning id, user_id, type`,
  )

export const remove = (tx: Tx, userId: string, id: string) =>
  removed(
    tx,
    tx<Removed[]>`
      delete from authentication_methods where user_id = ${userId} and id = ${id} returning id, user_id, type`,
  )

/** By its id alone, as Guardian names it. */
export const removeById = (tx: Tx, id: string) =>
  removed(tx, tx<Removed[]>`delete from authentication_methods where id = ${id} returning id, user_id, type`)

export async function page(tx: Tx, userId: string, limit: number, offset: number) {
  const [rows, [count]] = await Promise.all([
    tx<MethodRow[]>`
      select * from authentication_methods where user_id = ${userId} order by created_at, id
      limit ${limit} offset ${offset}`,
    tx<{ total: number }[]>`
      select count(*)::int as total from authentication_methods where user_id = ${userId}`,
  ])
  return { rows, total: count!.total }
}

export async function findById(tx: Tx, id: string): Promise<MethodRow | undefined> {
  const [row] = await tx<MethodRow[]>`select * from authentication_methods where id = ${id}`
  return row
}

/** Every browser asks this person again. */
export const forgetBrowsers = (tx: Tx, userId: string) => tx`
  delete from remembered_browsers where user_id = ${userId}`
