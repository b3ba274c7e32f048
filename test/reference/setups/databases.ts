/** Tables that are not isolated yet, and an ORM's own description of those that are. */
import { pgTable, text } from 'drizzle-orm/pg-core'
import type { Desk } from '../desk.ts'
import { setup } from './setup.ts'

const TABLES = `
  create table customers (id bigint primary key, name text);
  create table orders (id bigint primary key, customer bigint references customers, total numeric);`

const orders = (more = '') => ({
  async given({ owner }: Desk): Promise<object> {
    await owner.unsafe(`drop table if exists orders, customers; ${TABLES} ${more}`)
    return {}
  },
  verify: ({ owner }: Desk) => owner`drop table orders, customers`,
})

export const databaseSetups = {
  'tenancy inspectIsolation': setup(orders('alter table orders add tenant_id text; grant select on orders to app')),
  'tenancy protect': setup(orders('insert into orders values (1, null, 9.5)')),
  'tenancy protectSql': setup(orders()),
  'tenancy/drizzle createTenantDatabase': setup({
    given: () => ({ items: pgTable('items', { id: text().notNull(), name: text().notNull() }) }),
  }),
}
