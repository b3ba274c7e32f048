/** What an application in CommonJS says to the kit's adapters whose libraries come in both kinds. That it compiles is the test. */
import type { Pool } from 'pg'

const { drizzle } = require('drizzle-orm/node-postgres') as typeof import('drizzle-orm/node-postgres')
const { pgTable, text } = require('drizzle-orm/pg-core') as typeof import('drizzle-orm/pg-core')
const { createTenantDatabase } = require('@tenantry/tenancy/drizzle') as typeof import('@tenantry/tenancy/drizzle')

const items = pgTable('items', { name: text().notNull() })

module.exports = async (pool: Pool): Promise<string[]> => {
  const database = createTenantDatabase(drizzle(pool, { schema: { items } }))
  const found = await database.inTenant((tx) => tx.query.items.findMany())
  return found.map(({ name }) => name)
}
