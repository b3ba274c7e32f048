import { fileURLToPath } from 'node:url'
import type { SchemaSource } from '@tenantry/kernel/database/migrate.ts'

const migrationsOf = (part: string): string => fileURLToPath(new URL(`../../${part}/migrations`, import.meta.url))

/** Everything that a database of ours holds. Each part has its schema, so neither names a table of the other. */
export const schemas: readonly SchemaSource[] = [
  { directory: migrationsOf('identity') },
  { schema: 'gateway', directory: migrationsOf('gateway') },
]
