import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createActionRunner } from '@tenantry/identity/actions/runner.ts'
import { seedEnvironment } from '@tenantry/identity/environments/seed.ts'
import { createIdentity } from '@tenantry/identity/identity.ts'
import { signJwt } from '@tenantry/identity/keys/jwt.ts'
import { createKeyrings } from '@tenantry/identity/keys/keyring.ts'
import { managementAudience } from '@tenantry/identity/resources/management-api.ts'
import { managementScopes } from '@tenantry/identity/resources/management-scopes.ts'
import { systemClock as clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import { createDatabase, type Database } from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import { type Quickstart, seedQuickstart } from './quickstart.ts'

const secrets = createSecrets(Buffer.alloc(32, 7))
const logger = createLogger({ level: 'silent' })
const runner = createActionRunner({ logger, egress: createEgress() })
let database: Database
let app: Api
before(async () => {
  database = await createDatabase({ urls: testDatabase() })
  app = await createIdentity({ database, secrets, clock, logger, mail: { kind: 'mailbox' }, runner })
})
after(async () => {
  await app.close()
  await runner.close()
  await database.close()
})

test('a second start changes nothing and finds what was changed meanwhile, and one with another port of the app moves the client there', async () => {
  const origin = `https://${newId.uuid()}.example.test`
  const { id } = await seedEnvironment({ database, secrets, clock }, { name: 'Stockroom', origins: [origin] })
  const uncached = { remember: <T>(_id: string, _key: readonly string[], load: () => Promise<T>) => load() }
  const now = epochSeconds(clock.now())
  const token = await signJwt((await createKeyrings({ database, secrets, cache: uncached })(id)).current, {
    iss: `${origin}/`,
    sub: 'quickstart@clients',
    aud: managementAudience(origin),
    iat: now,
    exp: now + 600,
    scope: managementScopes.join(' '),
  })
  const seed = (appUrl: string, known?: Partial<Quickstart>) =>
    seedQuickstart(
      app,
      { id, origin, token },
      {
        appUrl,
        apiAudience: 'https://api.stockroom.example',
        tenantClaim: 'https://stockroom.example/tenantId',
        tierClaim: 'https://stockroom.example/tier',
      },
      known,
    )
  const client = async (clientId: string) =>
    (
      await app.inject({
        url: `/api/v2/clients/${clientId}`,
        headers: { host: new URL(origin).host, authorization: `Bearer ${token}` },
      })
    ).json()
  const first = await seed('http://localhost:3000')
  const made = await client(first.spaClient.client_id)
  assert.deepEqual(made.callbacks, ['http://localhost:3000/callback'])
  assert.deepEqual(await seed('http://localhost:3000'), first)
  assert.deepEqual(await client(first.spaClient.client_id), made)

  assert.deepEqual(await seed('http://localhost:3000', first), first)

  const rotated = await app.inject({
    method: 'POST',
    url: `/api/v2/clients/${first.servicesClient.client_id}/rotate-secret`,
    headers: { host: new URL(origin).host, authorization: `Bearer ${token}` },
  })
  const renewed = {
    ...first,
    servicesClient: { ...first.servicesClient, client_secret: rotated.json().client_secret },
  }
  assert.notEqual(renewed.servicesClient.client_secret, first.servicesClient.client_secret)
  assert.deepEqual(await seed('http://localhost:3000', first), renewed)

  const elsewhere = await seed('http://localhost:3100', renewed)
  assert.deepEqual({ ...elsewhere, seed: renewed.seed }, renewed)
  assert.notEqual(elsewhere.seed, renewed.seed)
  const moved = await client(first.spaClient.client_id)
  assert.deepEqual(moved, {
    ...made,
    callbacks: ['http://localhost:3100/callback'],
    web_origins: ['http://localhost:3100'],
    allowed_logout_urls: ['http://localhost:3100'],
    initiate_login_uri: 'http://localhost:3100/login',
  })
})
