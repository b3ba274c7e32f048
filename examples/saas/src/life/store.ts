/** What is asked of the control plane's tables, which the kit's `migrateLifecycle` makes. */
import type { Sql } from 'postgres'

/** Tenants that were registered before then and for whom nobody has come yet. */
export const listUnopened = async (sql: Sql, schema: string, before: Date): Promise<string[]> => {
  const rows = await sql<{ tenant: string }[]>`
    select tenant from ${sql(schema)}.tenants where state = 'registered' and registered_at <= ${before}
      and not exists (select from tenants directory where directory.id = tenant and directory.arrived_at is not null)
    order by registered_at limit 20`
  return rows.map(({ tenant }) => tenant)
}
