import type { Tx } from '@tenantry/kernel/database/database.ts'

export interface LoginTicketRow {
  ticket_hash: Buffer
  browser_hash: Buffer
  client_id: string
  user_id: string
  connection_id: string
  amr: string[]
  provider: string
  identity_id: string
  proof_hash: Uint8Array
  issuer: string
  expires_at: Date
}

export const insert = (tx: Tx, environmentId: string, row: LoginTicketRow) => tx`
  insert into login_tickets ${tx({ environment_id: environmentId, ...row, proof_hash: Buffer.from(row.proof_hash) })}`

/** Of any number that present it one gets it, and only in its browser, at its client and issuer. */
export const take = (
  tx: Tx,
  wanted: Pick<LoginTicketRow, 'ticket_hash' | 'browser_hash' | 'client_id' | 'issuer'>,
  now: Date,
) => tx<LoginTicketRow[]>`
  delete from login_tickets
  where ticket_hash = ${wanted.ticket_hash} and browser_hash = ${wanted.browser_hash}
    and client_id = ${wanted.client_id} and issuer = ${wanted.issuer} and expires_at > ${now}
  returning user_id, connection_id, amr, provider, identity_id, proof_hash`
