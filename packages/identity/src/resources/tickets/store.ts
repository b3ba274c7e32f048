import type { Tx } from '@tenantry/kernel/database/database.ts'

export type TicketKind = 'email_verification' | 'password_change' | 'unblock'

export interface TicketRow {
  handle_hash: Uint8Array
  kind: TicketKind
  user_id: string
  /** The linked identity that it is for; of none, it is for the person's own. */
  provider: string | null
  identity_id: string | null
  email: string | null
  result_url: string | null
  include_email_in_redirect: boolean
  mark_email_as_verified: boolean
  client_id: string | null
  organization_id: string | null
  /** Of a sign-up: the password that was chosen, and in which browser. */
  password_hash: string | null
  browser_hash: Uint8Array | null
  created_at: Date
  expires_at: Date
}

export async function insert(tx: Tx, environmentId: string, row: TicketRow): Promise<void> {
  const values = {
    environment_id: environmentId,
    ...row,
    handle_hash: Buffer.from(row.handle_hash),
    browser_hash: row.browser_hash && Buffer.from(row.browser_hash),
  }
  await tx`insert into tickets ${tx(values)}`
}

const columns = (tx: Tx) => tx`
  t.handle_hash, t.kind, t.user_id, t.provider, t.identity_id, t.email, t.result_url, t.include_email_in_redirect, t.mark_email_as_verified,
  t.client_id, t.organization_id, t.password_hash, t.browser_hash, t.created_at, t.expires_at`

/** A ticket counts only for the address that its person, or the linked identity, still has. */
const counts = (tx: Tx, handleHash: Buffer, kind: TicketKind, now: Date) => tx`
  t.handle_hash = ${handleHash} and t.kind = ${kind} and t.expires_at > ${now}
  and exists (
    select from user_identities i
    where i.user_id = t.user_id and i.email_key is not distinct from lower(t.email)
      and case when t.provider is null then i.is_primary
        else not i.is_primary and i.provider = t.provider and i.identity_id = t.identity_id end)`

export async function find(tx: Tx, handleHash: Buffer, kind: TicketKind, now: Date): Promise<TicketRow | undefined> {
  const [row] = await tx<TicketRow[]>`select ${columns(tx)} from tickets t where ${counts(tx, handleHash, kind, now)}`
  return row
}

/** Uses the ticket up. Of any number of tries at once one gets the row. */
export async function redeem(tx: Tx, handleHash: Buffer, kind: TicketKind, now: Date): Promise<TicketRow | undefined> {
  const [row] = await tx<TicketRow[]>`
    delete from tickets t where ${counts(tx, handleHash, kind, now)} returning ${columns(tx)}`
  return row
}

/** @returns whether the address was proven just now; false when it was before, or is another one by now */
export async function verifyEmail(tx: Tx, userId: string, email: string, now: Date): Promise<boolean> {
  const proven = await tx`
    update users set email_verified = true, updated_at = ${now}
    where user_id = ${userId} and lower(email) = lower(${email}) and not email_verified returning 1`
  return proven.length > 0
}

/** Whether somebody has signed up for this person and the address waits to be proven. */
export async function isSignUpOpen(tx: Tx, userId: string, now: Date): Promise<boolean> {
  const open = await tx`
    select from tickets t join users u on u.user_id = t.user_id
    where t.user_id = ${userId} and t.password_hash is not null and t.expires_at > ${now} and u.password_hash is null`
  return open.length > 0
}

/**
 * The password of a sign-up becomes the person's, unless they have one by now; other sign-ups for them end.
 *
 * @returns whether it did
 */
export async function settleSignUp(tx: Tx, userId: string, hash: string, now: Date): Promise<boolean> {
  await tx`delete from tickets where user_id = ${userId} and password_hash is not null`
  const settled = await tx`
    update users set password_hash = ${hash}, updated_at = ${now}
    where user_id = ${userId} and password_hash is null returning 1`
  return settled.length > 0
}

/** Links to choose a password that were mailed before; those that were made through the API stay. */
export const endMailedResets = (tx: Tx, userId: string) => tx`
  delete from tickets where user_id = ${userId} and kind = 'password_change' and mark_email_as_verified`

export async function setPassword(
  tx: Tx,
  { user_id, provider, identity_id }: Pick<TicketRow, 'user_id' | 'provider' | 'identity_id'>,
  hash: string,
  now: Date,
): Promise<void> {
  const isLinked = provider !== null
  if (isLinked) {
    await tx`
      update user_identities set password_hash = ${hash}
      where user_id = ${user_id} and provider = ${provider} and identity_id = ${identity_id} and not is_primary`
  }
  await tx`
    update users set ${isLinked ? tx`` : tx`password_hash = ${hash},`} last_password_reset = ${now}, updated_at = ${now}
    where user_id = ${user_id}`
}
