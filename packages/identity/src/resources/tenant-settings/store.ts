import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { EnvironmentSettings } from '../../environments/environment.ts'

export interface SettingsRow {
  name: string
  settings: EnvironmentSettings
}

/** The scope shows one environment: this one. */
export async function get(tx: Tx): Promise<SettingsRow> {
  const [row] = await tx<SettingsRow[]>`select name, settings from environments`
  return row!
}

export async function lock(tx: Tx): Promise<SettingsRow> {
  const [row] = await tx<SettingsRow[]>`select name, settings from environments for update`
  return row!
}

export async function save(tx: Tx, settings: EnvironmentSettings): Promise<void> {
  await tx`update environments set settings = ${tx.json(settings as JSONValue)}`
}
