import type { DatabaseUrls } from './database.ts'

/**
 * The test run's database. It is started once by `npm test` and handed to every test file through the environment,
 * the one place outside the command line that reads it: node:test has no other way to reach its children.
 *
 * @throws Error that tells how to run a test file, when it was started on its own
 */
export function testDatabase(): DatabaseUrls {
  const given = process.env.TENANTRY_TEST_DATABASE
  if (!given) throw new Error('This test needs the test database. Run it with: npm test -- <path of the file>')
  return JSON.parse(given) as DatabaseUrls
}
