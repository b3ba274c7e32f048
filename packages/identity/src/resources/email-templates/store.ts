import type { Tx } from '@tenantry/kernel/database/database.ts'
import { problems } from './rules.ts'
import type { SentTemplate } from './schema.ts'

export interface TemplateRow {
  template: SentTemplate
  body: string | null
  sender: string | null
  result_url: string | null
  subject: string | null
  url_lifetime_in_seconds: number | null
  include_email_in_redirect: boolean | null
  enabled: boolean
}

const columns = (tx: Tx) => tx`
  template, body, sender, result_url, subject, url_lifetime_in_seconds, include_email_in_redirect, enabled`

export async function find(tx: Tx, template: SentTemplate): Promise<TemplateRow | undefined> {
  const [row] = await tx<TemplateRow[]>`select ${columns(tx)} from email_templates where template = ${template}`
  return row
}

/** @throws Problem `inexistent_email_template` */
export async function lock(tx: Tx, template: SentTemplate): Promise<TemplateRow> {
  const [row] = await tx<TemplateRow[]>`
    select ${columns(tx)} from email_templates where template = ${template} for update`
  if (!row) throw problems.inexistent_email_template()
  return row
}

/** @throws Problem `template_conflict` */
export async function insert(tx: Tx, environmentId: string, row: TemplateRow): Promise<void> {
  const made = await tx`
    insert into email_templates ${tx({ environment_id: environmentId, ...row })} on conflict do nothing returning 1`
  if (made.length === 0) throw problems.template_conflict()
}

export async function save(tx: Tx, environmentId: string, row: TemplateRow): Promise<void> {
  await tx`
    insert into email_templates ${tx({ environment_id: environmentId, ...row })}
    on conflict (environment_id, template) do update set ${tx(row)}`
}
