/**
 * The database that the test runner has prepared. Reading the environment is the command line's business everywhere
 * else; a test file is a program of its own, started by `node --test`, and has no other way to be told.
 */
import type { DatabaseUrls } from './database.ts'

interface TestDatabase extends DatabaseUrls {
  /** May create roles and databases on the same server. */
  administrator?: string
}

/** Connections to the migrated test database. Shared by all tests: each makes an environment of its own. */
export function testDatabase(): DatabaseUrls {
  const { application, owner } = read()
  return { application, owner }
}

/** A connection that may create databases and roles, for tests of just that. They drop what they create. */
export function testServer(): string {
  const { administrator } = read()
  if (!administrator) throw new Error('TENANTRY_TEST_DATABASE has no "administrator"; run the test through npm test.')
  return administrator
}

function read(): TestDatabase {
  const text = process.env.TENANTRY_TEST_DATABASE
  if (!text) {
    const file = process.argv[1]?.replace(`${process.cwd()}/`, '') ?? '<file>'
    throw new Error(`This test needs a database, which the test runner starts. Run: npm test -- ${file}`)
  }
  return JSON.parse(text) as TestDatabase
}
