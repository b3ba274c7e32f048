/** How a tenant is refused, down to the answer over HTTP. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fastify from 'fastify'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import { refusalAnswer } from '../servers/http.ts'
import { createLimiter } from './limiter.ts'
import { postgresLimits } from './postgres.ts'
import { createTables } from './test-tables.ts'
import { as, newTenant } from './test-tenants.ts'

let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
  await createTables(database)
})
after(() => database.close())

test('a tier that is not known, or none, is refused and not unlimited', async () => {
  const store = postgresLimits(database.owner, { schema: database.schema })
  const limiter = createLimiter({ store, tiers: { platinum: {} } })
  for (const tier of ['gold', 'toString', undefined]) {
    const error = await as(newTenant(), tier, () => limiter.enter()).catch((reason: unknown) => reason)
    assert.deepEqual(refusalAnswer(error), {
      status: 403,
      headers: {},
      body: { message: 'The tenant has no plan that is known here.', code: 'tier_unknown' },
    })
  }
  assert.deepEqual((await as(newTenant(), 'platinum', () => limiter.enter())).headers, {})
  await assert.rejects(limiter.enter(), { name: 'IdentityMissing' })
  await limiter.close()
  assert.throws(() => createLimiter({ store, tiers: { a: { rate: { perSecond: 1, burst: -1 } } } }), /rate\.burst/)
  assert.throws(() => createLimiter({ store, tiers: { a: { qouta: {} } as never } }), /"qouta"/)
  assert.throws(() => createLimiter({ store, tiers: {}, defaultTier: 'basic' }), /default tier/)
})

test('through HTTP: 200 with what is left, then 429 with when to come back; another tenant is served meanwhile', async () => {
  const limiter = createLimiter({
    store: postgresLimits(database.owner, { schema: database.schema }),
    tiers: { basic: { rate: { perSecond: 0.1, burst: 2 } } },
  })
  const app = fastify()
  app.setErrorHandler((error, _request, reply) => {
    const answer = refusalAnswer(error)
    if (!answer) throw error
    return reply.status(answer.status).headers(answer.headers).send(answer.body)
  })
  // The tenant of a test is whom it says; in an application tenantRoute has verified a token.
  app.get<{ Querystring: { as: string } }>('/', ({ query }, reply) =>
    as(query.as, 'basic', async () => {
      const admission = await limiter.enter()
      reply.headers(admission.headers)
      await admission.leave()
      return { served: true }
    }),
  )
  const [one, other] = [newTenant(), newTenant()]
  const ask = (tenantId: string) => app.inject({ url: `/?as=${tenantId}` })
  const first = await ask(one)
  assert.equal(first.statusCode, 200)
  assert.equal(first.headers['ratelimit-policy'], '"rate";q=2;w=20')
  assert.equal(first.headers.ratelimit, '"rate";r=1;t=10')
  await ask(one)
  const refused = await ask(one)
  assert.equal(refused.statusCode, 429)
  assert.deepEqual(refused.json(), { message: 'Too many requests. Try again later.', code: 'rate_exceeded' })
  assert.equal(refused.headers['retry-after'], '10')
  assert.equal(refused.headers.ratelimit, '"rate";r=0;t=20')
  assert.equal((await ask(other)).statusCode, 200)
  await Promise.all([app.close(), limiter.close()])
})
