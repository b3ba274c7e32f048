import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface EnrolmentTicket {
  handle_hash: Buffer
  user_id: string
  factor: string | null
  allow_multiple: boolean
  created_at: Date
  expires_at: Date
}

export const insert = (tx: Tx, environmentId: string, row: EnrolmentTicket) => tx`
  insert into enrolment_tickets ${tx({ environment_id: environmentId, ...row })}`

export async function find(tx: Tx, handleHash: Buffer, now: Date): Promise<EnrolmentTicket | undefined> {
  const [row] = await tx<EnrolmentTicket[]>`
    select handle_hash, user_id, factor, allow_multiple, created_at, expires_at from enrolment_tickets
    where handle_hash = ${handleHash} and expires_at > ${now}`
  return row
}

/** Uses the ticket up. */
export const redeem = (tx: Tx, handleHash: Buffer) => tx`
  delete from enrolment_tickets where handle_hash = ${handleHash}`
