import type { Sql } from 'postgres'

export interface Tenant {
  id: string
  name: string
  slug: string
  plan: string
  organizationId: string | null
  state: 'preparing' | 'active'
}

const columns = (sql: Sql) => sql`id, name, slug, plan, organization_id as "organizationId", state`

/** @returns undefined when another tenant has the slug. The same tenant once more is no conflict. */
export async function insert(
  sql: Sql,
  tenant: { id: string; name: string; slug: string; plan: string; createdAt: Date },
): Promise<Tenant | undefined> {
  await sql`
    insert into tenants (id, name, slug, plan, created_at)
    values (${tenant.id}, ${tenant.name}, ${tenant.slug}, ${tenant.plan}, ${tenant.createdAt})
    on conflict do nothing`
  return get(sql, tenant.id)
}

export const get = async (sql: Sql, id: string): Promise<Tenant | undefined> =>
  (await sql<Tenant[]>`select ${columns(sql)} from tenants where id = ${id}`)[0]

export const findActive = async (sql: Sql, slug: string): Promise<Tenant | undefined> =>
  (await sql<Tenant[]>`select ${columns(sql)} from tenants where slug = ${slug} and state = 'active'`)[0]

export const setOrganization = async (sql: Sql, id: string, organizationId: string): Promise<void> => {
  await sql`update tenants set organization_id = ${organizationId} where id = ${id}`
}

export const activate = async (sql: Sql, id: string): Promise<void> => {
  await sql`update tenants set state = 'active' where id = ${id}`
}

export const remove = async (sql: Sql, id: string): Promise<void> => {
  await sql`delete from tenants where id = ${id}`
}
