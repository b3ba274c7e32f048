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
    select id, name, origins, settings, (select domain from custom_domains where is_default) as default_domain
    from environments where id = ${id}`
  return row
}

export const insert = (sql: Sql, environment: Environment): Promise<void> =>
  sql.begin(async (tx) => {
    await tx`insert into environments ${tx({ ...environment, settings: tx.json(environment.settings as JSONValue) })}`
    for (const origin of environment.origins) {
      await tx`insert into environment_origins ${tx({ origin, environment_id: environment.id })}`
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
