import type { Tx } from '@tenantry/kernel/database/database.ts'

export type TicketKind = 'email_verification' | 'password_change'

export interface TicketRow {
  handle_hash: Uint8Array
  kind: TicketKind
  user_id: string
  email: string | null
  result_url: string | null
  include_email_in_redirect: boolean
  mark_email_as_verified: boolean
  client_id: string | null
  organization_id: string | null
  created_at: Date
  expires_at: Date
}

export async function insert(tx: Tx, environmentId: string, row: TicketRow): Promise<void> {
  const values = { environment_id: environmentId, ...row, handle_hash: Buffer.from(row.handle_hash) }
  await tx`insert into tickets ${tx(values)}`
}

const columns = (tx: Tx) => tx`
  t.handle_hash, t.kind, t.user_id, t.email, t.result_url, t.include_email_in_redirect, t.mark_email_as_verified,
  t.client_id, t.organization_id, t.created_at, t.expires_at`

/** A ticket counts only for the address that its person still has. */
const counts = (tx: Tx, handleHash: Buffer, kind: TicketKind, now: Date) => tx`
  t.handle_hash = ${handleHash} and t.kind = ${kind} and t.expires_at > ${now}
  and exists (select from users u where u.user_id = t.user_id and lower(u.email) is not distinct from lower(t.email))`

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

export async function setPassword(tx: Tx, userId: string, hash: string, now: Date): Promise<void> {
  await tx`
    update users set password_hash = ${hash}, last_password_reset = ${now}, updated_at = ${now}
    where user_id = ${userId}`
}
