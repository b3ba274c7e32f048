import type { Sql } from 'postgres'

export interface Tenant {
  id: string
  name: string
  slug: string
  plan: string
  organizationId: string | null
  state: 'preparing' | 'active' | 'suspended' | 'closed'
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

export const setPlan = async (sql: Sql, id: string, plan: string): Promise<void> => {
  await sql`update tenants set plan = ${plan} where id = ${id}`
}

export const setState = async (sql: Sql, id: string, state: 'active' | 'suspended'): Promise<void> => {
  await sql`update tenants set state = ${state} where id = ${id} and state <> 'closed'`
}

/** Somebody has come in. */
export const arrive = async (sql: Sql, id: string): Promise<void> => {
  await sql`update tenants set arrived_at = now() where id = ${id} and arrived_at is null`
}

/** A slug under which somebody has worked stays taken; one that nobody came for is free again. */
export const remove = async (sql: Sql, id: string): Promise<void> => {
  await sql`delete from tenants where id = ${id} and arrived_at is null`
  await sql`update tenants set state = 'closed', name = '', organization_id = null where id = ${id}`
}
