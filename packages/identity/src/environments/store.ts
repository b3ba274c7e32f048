import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue, Sql } from 'postgres'
import type { Environment } from './environment.ts'

export async function idByOrigin(sql: Sql, origin: string): Promise<string | undefined> {
  const [row] = await sql<{ environment_id: string }[]>`
    select environment_id from environment_origins where origin = ${origin}`
  return row?.environment_id
}

export interface EnvironmentRow extends Environment {
  /** The custom domain to which links in mails lead, if one was chosen. */
  default_domain: string | null
}

export async function get(tx: Tx, id: string): Promise<EnvironmentRow | undefined> {
  const [row] = await tx<EnvironmentRow[]>`
    select e.id, e.name, e.origins, e.settings, e.prompts, (select domain from custom_domains where is_default) as default_domain,
      jsonb_build_object(
        'settings', coalesce(b.settings, '{}'), 'page_template', b.page_template,
        'theme', (select t.theme from branding_themes t where t.environment_id = e.id order by t.created_at, t.id limit 1)
      ) as branding
    from environments e left join branding b on b.environment_id = e.id where e.id = ${id}`
  return row
}

export const insert = (sql: Sql, { id, name, origins, settings }: Environment): Promise<void> =>
  sql.begin(async (tx) => {
    await tx`insert into environments ${tx({ id, name, origins, settings: tx.json(settings as JSONValue) })}`
    for (const origin of origins) {
      await tx`insert into environment_origins ${tx({ origin, environment_id: id })}`
    }
  }) as Promise<unknown> as Promise<void>

export const move = (sql: Sql, { id, origins: old }: Environment, origins: string[]): Promise<void> =>
  sql.begin(async (tx) => {
    await tx`delete from environment_origins where environment_id = ${id}`
    for (const origin of origins) await tx`insert into environment_origins ${tx({ origin, environment_id: id })}`
    await tx`update environments set origins = ${origins} where id = ${id}`
    await tx`
      update resource_servers set identifier = ${`${origins[0]}/api/v2/`}
      where environment_id = ${id} and is_system and identifier = ${`${old[0]}/api/v2/`}`
  }) as Promise<unknown> as Promise<void>

export async function oldest(sql: Sql): Promise<Environment | undefined> {
  const [row] = await sql<Environment[]>`
    select id, name, origins, settings from environments order by created_at, id limit 1`
  return row
}

/** Writes only where something is missing: every start does it. */
export const setManagementApis = (sql: Sql, name: string, scopes: readonly string[]) => sql`
  update resource_servers set name = ${name}, scopes = (select jsonb_agg(jsonb_build_object('value', s)) from unnest(${scopes as string[]}::text[]) s)
  where is_system and (name <> ${name} or jsonb_array_length(scopes) <> ${scopes.length})`
