import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { BrandingSettings } from './schema.ts'

export async function get(tx: Tx): Promise<BrandingSettings> {
  const [row] = await tx<{ settings: BrandingSettings }[]>`select settings from branding`
  return row?.settings ?? {}
}

/** The settings, locked until the transaction ends: two changes at once are both kept. */
export async function lock(tx: Tx, environmentId: string): Promise<BrandingSettings> {
  await tx`insert into branding (environment_id) values (${environmentId}) on conflict do nothing`
  const [row] = await tx<{ settings: BrandingSettings }[]>`select settings from branding for update`
  return row!.settings
}

export async function save(tx: Tx, settings: BrandingSettings): Promise<void> {
  await tx`update branding set settings = ${tx.json(settings)}`
}

export async function pageTemplate(tx: Tx): Promise<string | undefined> {
  const [row] = await tx<{ page_template: string | null }[]>`select page_template from branding`
  return row?.page_template ?? undefined
}

/** @returns whether there was none before */
export async function savePageTemplate(tx: Tx, environmentId: string, template: string): Promise<boolean> {
  await tx`insert into branding (environment_id) values (${environmentId}) on conflict do nothing`
  const [before] = await tx<{ page_template: string | null }[]>`select page_template from branding for update`
  await tx`update branding set page_template = ${template}`
  return before!.page_template === null
}

export async function removePageTemplate(tx: Tx): Promise<void> {
  await tx`update branding set page_template = null where page_template is not null`
}
