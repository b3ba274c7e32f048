import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { PhoneProvider } from '../../../delivery/sms/provider.ts'
import { problems } from './rules.ts'

export interface PhoneProviderRow extends PhoneProvider {
  id: string
  disabled: boolean
  created_at: Date
  updated_at: Date
}

const columns = (tx: Tx) => tx`id, name, disabled, configuration, credentials, created_at, updated_at`

const values = (tx: Tx, row: PhoneProviderRow) => ({
  ...row,
  configuration: tx.json(row.configuration as unknown as JSONValue),
  credentials: row.credentials && Buffer.from(row.credentials),
})

/** At most one: all text messages of an environment leave by the same. */
export const list = (tx: Tx, disabled: boolean | undefined): Promise<PhoneProviderRow[]> =>
  tx<PhoneProviderRow[]>`
    select ${columns(tx)} from phone_providers where ${disabled === undefined ? tx`true` : tx`disabled = ${disabled}`}`

/** @throws Problem `inexistent_phone_provider` */
export async function get(tx: Tx, id: string): Promise<PhoneProviderRow> {
  const [row] = await tx<PhoneProviderRow[]>`select ${columns(tx)} from phone_providers where id = ${id}`
  if (!row) throw problems.inexistent_phone_provider()
  return row
}

/** @throws Problem `inexistent_phone_provider` */
export async function lock(tx: Tx, id: string): Promise<PhoneProviderRow> {
  const [row] = await tx<PhoneProviderRow[]>`select ${columns(tx)} from phone_providers where id = ${id} for update`
  if (!row) throw problems.inexistent_phone_provider()
  return row
}

/** @throws Problem `phone_provider_conflict` */
export async function insert(tx: Tx, environmentId: string, row: PhoneProviderRow): Promise<void> {
  const made = await tx`
    insert into phone_providers ${tx({ environment_id: environmentId, ...values(tx, row) })}
    on conflict do nothing returning 1`
  if (made.length === 0) throw problems.phone_provider_conflict()
}

export async function save(tx: Tx, row: PhoneProviderRow): Promise<void> {
  const { id, ...rest } = values(tx, row)
  await tx`update phone_providers set ${tx(rest)} where id = ${id}`
}

/** @throws Problem `inexistent_phone_provider` */
export async function remove(tx: Tx, id: string): Promise<void> {
  const [gone] = await tx`delete from phone_providers where id = ${id} returning true`
  if (!gone) throw problems.inexistent_phone_provider()
}
