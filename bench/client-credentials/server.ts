/** One identity process on an embedded PostgreSQL of its own, with a machine client that may ask for tokens. */

import { mkdtempSync, openSync, rmSync } from 'node:fs'
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
import { systemClock } from '@tenantry/kernel/clock.ts'
import { grantApplication } from '@tenantry/kernel/database/application-role.ts'
import { connect, createDatabase } from '@tenantry/kernel/database/database.ts'
import { startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { migrate } from '@tenantry/kernel/database/migrate.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import pino from 'pino'

const directory = mkdtempSync(join(tmpdir(), 'tenantry-bench-'))
const postgres = await startEmbedded({ directory })
await migrate({
  url: postgres.urls.owner,
  directory: fileURLToPath(new URL('../../packages/identity/migrations', import.meta.url)),
})
const owner = connect(postgres.urls.owner, 1)
await grantApplication(owner, 'tenantry_app')
await owner.end()

const database = await createDatabase({ urls: postgres.urls })
const secrets = createSecrets(Buffer.alloc(32, 1))
const logger = createLogger({ destination: pino.destination({ fd: openSync('/dev/null', 'w'), sync: false }) })
const runner = createActionRunner({ logger })
const app = await createIdentity({ database, secrets, clock: systemClock, logger, mail: { kind: 'mailbox' }, runner })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as { port: number }
const host = `localhost:${port}`
const origin = `http://${host}`
const environment = await seedEnvironment(
  { database, secrets, clock: systemClock },
  { name: 'Bench', origins: [origin] },
)

const client = await provision()
process.send!({
  port,
  host,
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: client.client_id,
    client_secret: client.client_secret,
    audience: 'https://api.example.test',
  }).toString(),
})
process.on('disconnect', async () => {
  await app.close()
  await runner.close()
  await database.close()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
  process.exit(0)
})

async function provision(): Promise<{ client_id: string; client_secret: string }> {
  const keyring = await createKeyrings({ database, secrets, cache: createConfigurationCache({ onChange: () => {} }) })(
    environment.id,
  )
  const now = Math.floor(Date.now() / 1000)
  const scope = managementScopes.join(' ')
  const token = await signJwt(keyring.current, {
    iss: `${origin}/`,
    sub: 'bench',
    aud: `${origin}/api/v2/`,
    iat: now,
    exp: now + 600,
    scope,
  })
  const post = async (path: string, payload: object) => {
    const answer = await app.inject({
      method: 'POST',
      url: `/api/v2${path}`,
      headers: { host, authorization: `Bearer ${token}` },
      payload,
    })
    if (answer.statusCode !== 201) throw new Error(answer.body)
    return answer.json()
  }
  await post('/resource-servers', {
    name: 'Items',
    identifier: 'https://api.example.test',
    scopes: [{ value: 'read:item' }, { value: 'create:item' }],
  })
  const made = await post('/clients', {
    name: 'Machine',
    app_type: 'non_interactive',
    grant_types: ['client_credentials'],
  })
  await post('/client-grants', {
    client_id: made.client_id,
    audience: 'https://api.example.test',
    scope: ['read:item', 'create:item'],
  })
  return made
}
