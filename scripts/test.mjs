/**
 * `npm test`: sets up what is missing, then runs the tests against an embedded PostgreSQL.
 *
 *   npm test                                   all
 *   npm test -- packages/kernel organizations  files under a path, or whose path holds the text
 *   npm test -- --postgres                     on the server of DATABASE_URL, in a database that is dropped afterwards
 *   npm test -- --test-name-pattern=N245       options of `node --test`
 */
import { join } from 'node:path'
import { forward } from './process.mjs'
import { prepare, root } from './toolchain.mjs'

await forward(async () => {
  const { node, env } = await prepare()
  return { command: node, args: [join(root, 'scripts/test-run.ts'), ...process.argv.slice(2)], env, cwd: root }
})
