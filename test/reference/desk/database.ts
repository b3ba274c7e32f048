/**
 * A database of the examples' own, so that its schemas are called `public`, `control` and `tenancy` as a reader's are, with a
 * role for each who works with it: `app` serves tenants, `control_plane` the tenants' lives, `app_limiter` limits and usage.
 */
import { randomBytes } from 'node:crypto'
import { makeMovable, migrateLifecycle } from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'
import { limitTables } from '@tenantry/tenancy/limits'
import type { Sql } from 'postgres'

const ROLES = ['app', 'control_plane', 'app_limiter']

export interface Place {
  /** Connections of the owner of the tables, and of who may create databases and roles. */
  urls: { owner: string; administrator: string }
  /** Of the role that serves tenants. */
  url: string
  limitsUrl: string
  owner: Sql
  sql: Sql
  control: Sql
  /** What the application's migrations make, in any schema. */
  migrate(sql: Sql, schema: string, role: string): Promise<void>
  /** The tenant's rows as the examples find them. */
  restock(tenantId: string): Promise<void>
  close(): Promise<void>
}

async function migrate(sql: Sql, schema: string, role: string): Promise<void> {
  const items = `"${schema}".items`
  await sql.unsafe(`
    create table if not exists ${items}
      (tenant_id text not null, id text not null, name text not null, primary key (tenant_id, id));
    alter table ${items} enable row level security;
    alter table ${items} force row level security;
    drop policy if exists tenant on ${items};
    create policy tenant on ${items}
      using (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
      with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
    grant select, insert, update, delete on ${items} to "${role}"`)
}

export async function openPlace(): Promise<Place> {
  const given = JSON.parse(process.env.TENANTRY_TEST_DATABASE ?? '{}') as Record<string, string>
  if (!given.administrator) throw new Error('TENANTRY_TEST_DATABASE is not set. Run the tests with `npm test`.')
  const name = `examples_${randomBytes(6).toString('hex')}`
  const at = (url: string, role?: string): string => {
    const place = new URL(url)
    place.pathname = `/${name}`
    if (role) place.search = `options=-c%20role%3D${role}`
    return place.href
  }
  const connect = (url: string, max = 2): Sql => postgres(url, { max, onnotice: () => {} }) as unknown as Sql
  const [applicationLogin, ownerLogin] = [given.application!, given.owner!].map((url) =>
    decodeURIComponent(new URL(url).username),
  )

  const administrator = connect(given.administrator, 1)
  for (const role of ROLES) {
    // They belong to the server: another run of the tests may have made them, and may need them still.
    await administrator`create role ${administrator(role)}`.catch(unless('42710', '23505'))
    await administrator`grant ${administrator(role)} to ${administrator(applicationLogin!)}`
  }
  await administrator`create database ${administrator(name)} owner ${administrator(ownerLogin!)}`

  const [url, controlUrl, limitsUrl] = ROLES.map((role) => at(given.application!, role)) as [string, string, string]
  const [owner, sql, control] = [connect(at(given.owner!)), connect(url, 4), connect(controlUrl)]
  await migrate(owner, 'public', 'app')
  await makeMovable(owner, { schema: 'public' })
  await migrateLifecycle(owner, { schema: 'control', role: 'control_plane', reader: 'app' })
  await owner.unsafe(limitTables({ applicationRole: 'app', limiterRole: 'app_limiter' }))
  return {
    urls: { owner: at(given.owner!), administrator: given.administrator },
    ...{ url, limitsUrl, owner, sql, control, migrate },
    async restock(tenantId) {
      await owner.begin(async (tx) => {
        await tx`select set_config('app.tenant_id', ${tenantId}, true)`
        // What is as it should be stays in its place: rows come back in the order in which they stand.
        await tx`delete from items where id not in ('1', '2')`
        await tx`
          insert into items values (${tenantId}, '1', 'Anvil'), (${tenantId}, '2', 'Rope') on conflict do nothing`
        await tx`
          insert into control.tenants (tenant, state, tier, placement)
          values (${tenantId}, 'active', 'basic', '{"model":"pool"}') on conflict do nothing`
      })
    },
    async close() {
      await Promise.all([owner, sql, control].map((pool) => pool.end({ timeout: 1 })))
      await administrator`drop database ${administrator(name)} with (force)`
      for (const role of ROLES) await administrator`drop role ${administrator(role)}`.catch(unless('2BP01', '42704'))
      await administrator.end({ timeout: 1 })
    },
  }
}

const unless =
  (...codes: string[]) =>
  (error: { code?: string }) => {
    if (!codes.includes(error.code ?? '')) throw error
  }
