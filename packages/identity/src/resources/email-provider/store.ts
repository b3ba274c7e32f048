import type { Tx } from '@tenantry/kernel/database/database.ts'
import { problems } from './rules.ts'

export interface ProviderRow {
  name: string
  enabled: boolean
  default_from_address: string | null
  smtp_host: string
  smtp_port: number
  smtp_user: string | null
  smtp_pass: Uint8Array | null
  updated_at: Date
}

const columns = (tx: Tx) => tx`
  name, enabled, default_from_address, smtp_host, smtp_port, smtp_user, smtp_pass, updated_at`

const values = (row: ProviderRow) => ({ ...row, smtp_pass: row.smtp_pass && Buffer.from(row.smtp_pass) })

/** @throws Problem `inexistent_email_provider` */
export async function get(tx: Tx): Promise<ProviderRow> {
  const [row] = await tx<ProviderRow[]>`select ${columns(tx)} from email_providers`
  if (!row) throw problems.inexistent_email_provider()
  return row
}

/** @throws Problem `inexistent_email_provider` */
export async function lock(tx: Tx): Promise<ProviderRow> {
  const [row] = await tx<ProviderRow[]>`select ${columns(tx)} from email_providers for update`
  if (!row) throw problems.inexistent_email_provider()
  return row
}

/** @throws Problem `email_provider_conflict` */
export async function insert(tx: Tx, environmentId: string, row: ProviderRow): Promise<void> {
  const made = await tx`
    insert into email_providers ${tx({ environment_id: environmentId, ...values(row) })}
    on conflict do nothing returning 1`
  if (made.length === 0) throw problems.email_provider_conflict()
}

export async function save(tx: Tx, row: ProviderRow): Promise<void> {
  await tx`update email_providers set ${tx(values(row))}`
}

export async function remove(tx: Tx): Promise<void> {
  await tx`delete from email_providers`
}
