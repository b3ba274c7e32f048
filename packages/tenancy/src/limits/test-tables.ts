import type { TestDatabase } from '../postgres/test-database.ts'
import { limitTables } from './tables.ts'

/** The tables of limits and usage in the schema of a test; the owner serves as the limiter’s role. */
export async function createTables({ owner, schema, applicationRole }: TestDatabase): Promise<void> {
  const [row] = await owner<{ role: string }[]>`select current_user::text as role`
  await owner.unsafe(limitTables({ schema, applicationRole, limiterRole: row!.role }))
}
