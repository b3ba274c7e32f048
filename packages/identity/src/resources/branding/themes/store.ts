import type { Tx } from '@tenantry/kernel/database/database.ts'
import { problems } from './rules.ts'
import type { Theme } from './schema.ts'

export interface ThemeRow {
  id: string
  theme: Theme
  created_at: Date
}

/** @throws Problem `theme_not_found` */
export async function get(tx: Tx, id: string): Promise<ThemeRow> {
  const [row] = await tx<ThemeRow[]>`select id, theme, created_at from branding_themes where id = ${id}`
  if (!row) throw problems.theme_not_found()
  return row
}

/** The first one. @throws Problem `theme_not_found` */
export async function getDefault(tx: Tx): Promise<ThemeRow> {
  const [row] = await tx<ThemeRow[]>`
    select id, theme, created_at from branding_themes order by created_at, id limit 1`
  if (!row) throw problems.theme_not_found()
  return row
}

export async function insert(tx: Tx, environmentId: string, row: ThemeRow): Promise<void> {
  await tx`insert into branding_themes ${tx({ ...row, environment_id: environmentId, theme: tx.json(row.theme) })}`
}

/** @throws Problem `theme_not_found` */
export async function replace(tx: Tx, id: string, theme: Theme): Promise<void> {
  const changed = await tx`update branding_themes set theme = ${tx.json(theme)} where id = ${id} returning 1`
  if (changed.length === 0) throw problems.theme_not_found()
}

/** @throws Problem `theme_not_found` */
export async function remove(tx: Tx, id: string): Promise<void> {
  const gone = await tx`delete from branding_themes where id = ${id} returning 1`
  if (gone.length === 0) throw problems.theme_not_found()
}
