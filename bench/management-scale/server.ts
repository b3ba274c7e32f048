/** One identity process on an embedded PostgreSQL of its own, holding as many users and organizations as it is told. */
import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createActionRunner } from '@tenantry/identity/actions/runner.ts'
import { createConfigurationCache } from '@tenantry/identity/configuration-cache.ts'
import { seedEnvironment } from '@tenantry/identity/environments/seed.ts'
import { createIdentity } from '@tenantry/identity/identity.ts'
import { signJwt } from '@tenantry/identity/keys/jwt.ts'
import { createKeyrings } from '@tenantry/identity/keys/keyring.ts'
import { managementScopes } from '@tenantry/identity/resources/management-scopes.ts'
import { epochSeconds, systemClock } from '@tenantry/kernel/clock.ts'
import { grantApplication } from '@tenantry/kernel/database/application-role.ts'
import { connect, createDatabase } from '@tenantry/kernel/database/database.ts'
import { startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { migrate } from '@tenantry/kernel/database/migrate.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import Fastify from 'fastify'
import pino from 'pino'
import { load, type Size } from './load.ts'

const size = JSON.parse(process.argv[2]!) as Size
const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'))
chmodSync(directory, 0o711)
const postgres = await startEmbedded({ directory })
await migrate({
  url: postgres.urls.owner,
  directory: fileURLToPath(new URL('../../packages/identity/migrations', import.meta.url)),
})
const owner = connect(postgres.urls.owner, 1)
await grantApplication(owner, 'tenantry_app')

const database = await createDatabase({ urls: postgres.urls })
const secrets = createSecrets(Buffer.alloc(32, 1))
const logger = createLogger({ destination: pino.destination({ fd: openSync('/dev/null', 'w'), sync: false }) })
const runner = createActionRunner({ logger })
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

const postmaster = Number(readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])

/** Clock ticks of the database server so far, those of ended backends included. */
function databaseTicks(): number {
  const statOf = (pid: string | number) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    } catch {
      return undefined
    }
  }
  const sum = (stat: string[] | undefined, ...fields: number[]) =>
    stat ? fields.reduce((total, field) => total + Number(stat[field]), 0) : 0
  const children = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && statOf(pid)?.[1] === String(postmaster))
  return sum(statOf(postmaster), 11, 12, 13, 14) + children.reduce((total, pid) => total + sum(statOf(pid), 11, 12), 0)
}

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send!({ server: user + system, database: databaseTicks() * 10_000 })
})
process.on('disconnect', async () => {
  await hello.close()
  await app.close()
  await runner.close()
  await database.close()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
  process.exit(0)
})
process.send!({
  port,
  helloPort: (hello.server.address() as { port: number }).port,
  host: `localhost:${port}`,
  token,
  organization: `org_${createHash('md5').update('o0').digest('hex').slice(0, 16)}`,
})
