import type { Tx } from '@tenantry/kernel/database/database.ts'
import { violates } from '../../constraint.ts'
import { CREDENTIALS_PER_CLIENT, problems } from './rules.ts'

export interface CredentialRow {
  id: string
  credential_type: string
  name: string | null
  kid: string
  alg: string
  public_key: string
  created_at: Date
  updated_at: Date
  expires_at: Date | null
}

const columns = (tx: Tx) => tx`
  id, credential_type, name, kid, alg, public_key, created_at, updated_at, expires_at`

export const list = (tx: Tx, clientId: string): Promise<CredentialRow[]> => tx<CredentialRow[]>`
  select ${columns(tx)} from client_credentials where client_id = ${clientId} order by created_at, id`

/** @throws Problem `inexistent_credential` */
export async function get(tx: Tx, clientId: string, id: string): Promise<CredentialRow> {
  const [row] = await tx<CredentialRow[]>`
    select ${columns(tx)} from client_credentials where client_id = ${clientId} and id = ${id}`
  if (!row) throw problems.inexistent_credential()
  return row
}

/** The client must be locked, so that two at once are counted. @throws Problem `too_many_credentials`, `credential_conflict` */
export async function insert(tx: Tx, environmentId: string, clientId: string, row: CredentialRow): Promise<void> {
  const [count] = await tx<{ total: number }[]>`
    select count(*)::int as total from client_credentials where client_id = ${clientId}`
  if (count!.total >= CREDENTIALS_PER_CLIENT) {
    throw problems.too_many_credentials({ facts: { limit: CREDENTIALS_PER_CLIENT } })
  }
  const same = await tx`
    select 1 from client_credentials where client_id = ${clientId} and public_key = ${row.public_key}`
  if (same.length > 0) throw problems.credential_conflict()
  await tx`insert into client_credentials ${tx({ environment_id: environmentId, client_id: clientId, ...row })}`.catch(
    violates('client_credential_kid', problems.credential_conflict),
  )
}

/** @throws Problem `inexistent_credential` */
export async function expire(
  tx: Tx,
  clientId: string,
  id: string,
  change: { expires_at: Date | null; updated_at: Date },
): Promise<CredentialRow> {
  const [row] = await tx<CredentialRow[]>`
    update client_credentials set ${tx(change)} where client_id = ${clientId} and id = ${id}
    returning ${columns(tx)}`
  if (!row) throw problems.inexistent_credential()
  return row
}

export async function remove(tx: Tx, clientId: string, id: string): Promise<boolean> {
  const gone = await tx`delete from client_credentials where client_id = ${clientId} and id = ${id} returning 1`
  return gone.length > 0
}
