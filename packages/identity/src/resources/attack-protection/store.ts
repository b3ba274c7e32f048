import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { AttackProtectionSettings } from './settings.ts'

export type AttackProtectionRow = {
  [Name in keyof AttackProtectionSettings]: AttackProtectionSettings[Name] | null
}

export const read = (tx: Tx) => tx<AttackProtectionRow[]>`
  select brute_force_protection, suspicious_ip_throttling, breached_password_detection, text_messages
  from attack_protection`

/** The row, made if need be and locked until the transaction ends. */
export async function lock(tx: Tx, environmentId: string): Promise<AttackProtectionRow> {
  const [row] = await tx<AttackProtectionRow[]>`
    insert into attack_protection (environment_id) values (${environmentId})
    on conflict (environment_id) do update set environment_id = excluded.environment_id
    returning brute_force_protection, suspicious_ip_throttling, breached_password_detection, text_messages`
  return row!
}

export const save = (tx: Tx, change: Partial<AttackProtectionSettings>) => tx`
  update attack_protection set ${tx(
    Object.fromEntries(Object.entries(change).map(([name, value]) => [name, tx.json(value as unknown as JSONValue)])),
  )}`

/** Whose account it is, by address or username: in each of several connections somebody may have one. */
export const ownersOf = (tx: Tx, account: string) => tx<{ user_id: string }[]>`
  select distinct user_id from user_identities
  where is_primary and (email_key = ${account} or username_key = ${account}) limit 10`
