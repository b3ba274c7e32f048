/** One identity process on an embedded PostgreSQL of its own, holding as many users and organizations as it is told. */
import { createHash } from 'node:crypto'
import { createActionRunner } from '@tenantry/identity/actions/runner.ts'
import { createConfigurationCache } from '@tenantry/identity/configuration-cache.ts'
import { seedEnvironment } from '@tenantry/identity/environments/seed.ts'
import { createIdentity } from '@tenantry/identity/identity.ts'
import { signJwt } from '@tenantry/identity/keys/jwt.ts'
import { createKeyrings } from '@tenantry/identity/keys/keyring.ts'
import { managementScopes } from '@tenantry/identity/resources/management-scopes.ts'
import { epochSeconds, systemClock } from '@tenantry/kernel/clock.ts'
import { connect, createDatabase } from '@tenantry/kernel/database/database.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import Fastify from 'fastify'
import pino from 'pino'
import { databaseCpu } from './database-cpu.ts'
import { load, type Size } from './load.ts'
import { openScratchDatabase } from './scratch-database.ts'

const size = JSON.parse(process.argv[2]!) as Size
const scratch = await openScratchDatabase()
const database = await createDatabase({ urls: scratch.urls })
const secrets = createSecrets(Buffer.alloc(32, 1))
// As \`npm start\` opens its log.
const destination = pino.destination({ dest: '/dev/null', sync: false, minLength: 12_288, periodicFlush: 100 })
const logger = createLogger({ destination })
const runner = createActionRunner({ logger, egress: createEgress() })
const app = await createIdentity({
  database,
  secrets,
  clock: systemClock,
  logger,
  mail: { kind: 'mailbox' },
  runner,
  managementRate: { requests: 1e9, seconds: 60 },
})
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as { port: number }
const origin = `http://localhost:${port}`
const environment = await seedEnvironment(
  { database, secrets, clock: systemClock },
  { name: 'Bench', origins: [origin] },
)
const owner = connect(scratch.urls.owner, 1)
await load(owner, environment.id, size)
await owner.end()
const keyrings = createKeyrings({ database, secrets, cache: createConfigurationCache({ onChange: () => {} }) })
const now = epochSeconds(systemClock.now())
const token = await signJwt((await keyrings(environment.id)).current, {
  iss: `${origin}/`,
  sub: 'bench@clients',
  aud: `${origin}/api/v2/`,
  iat: now,
  exp: now + 86_400,
  scope: managementScopes.join(' '),
})

// What a request costs on this machine before anything is done for it.
const hello = Fastify()
hello.get('/', async () => ({ hello: 'world' }))
await hello.listen({ port: 0, host: '127.0.0.1' })

process.on('message', async (wanted) => {
  if (wanted === 'settle') await settle()
  if (wanted === 'memory') return void process.send!(process.memoryUsage.rss())
  const { user, system } = process.cpuUsage()
  process.send!({ server: user + system, database: databaseCpu(scratch.directory) })
})

/** What autovacuum does within a minute or two: until then plans are those of tables that were empty a moment ago. */
async function settle(): Promise<void> {
  const sql = connect(scratch.urls.owner, 1)
  await sql`vacuum analyze`
  await sql.end()
}

process.on('disconnect', async () => {
  await hello.close()
  await app.close()
  await runner.close()
  await database.close()
  await scratch.stop()
  process.exit(0)
})
process.send!({
  port,
  helloPort: (hello.server.address() as { port: number }).port,
  host: `localhost:${port}`,
  token,
  organization: `org_${createHash('md5').update('o0').digest('hex').slice(0, 16)}`,
})
