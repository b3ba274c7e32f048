/** The sample SaaS, through the gateway, stands the proof. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { loadOpenApi } from '@tenantry/gateway/definition/openapi.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { proveIsolation } from '@tenantry/tenancy/proof'
import { parse } from 'yaml'
import { AUDIENCE } from '../../examples/saas/src/test-management.ts'
import { startTestStockroom, type TestStockroom } from '../../examples/saas/src/test-stockroom.ts'

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../examples/saas/${name}`, import.meta.url)), 'utf8')

let world: TestStockroom
let baseUrl: string
let stop: () => Promise<void>
before(async () => {
  world = await startTestStockroom()
  const { urls } = await world.start()
  const { api } = await loadOpenApi(read('api.openapi.yaml'), {
    id: 'stockroom',
    variables: { issuer: world.management.issuer, audience: AUDIENCE, appUrl: 'http://localhost:3000' },
    stageVariables: Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, url && new URL(url).host])),
    discover: createDiscover(createFetchJson()),
  })
  const gateway = createGateway({ apis: [api], clock: systemClock, logger: createLogger({ level: 'silent' }) })
  const { port } = await gateway.listen(0, '127.0.0.1')
  baseUrl = `http://127.0.0.1:${port}`
  stop = async () => {
    gateway.server.closeAllConnections()
    await gateway.close()
  }
})
after(async () => {
  await stop?.()
  await world?.close()
})

/** A finished one. @returns it as a hint */
async function anExport(token: string): Promise<Record<string, string[]>> {
  const headers = { authorization: `Bearer ${token}` }
  assert.equal((await fetch(`${baseUrl}/tenant`, { headers })).status, 200)
  const asked = await fetch(`${baseUrl}/tenant/exports`, { method: 'POST', headers })
  const { id } = (await asked.json()) as { id: string }
  for (;;) {
    const list = (await (await fetch(`${baseUrl}/tenant/exports`, { headers })).json()) as {
      exports: { state: string }[]
    }
    if (list.exports[0]!.state === 'done') return { '/tenant/exports/{id}': [id] }
    await new Promise((done) => setTimeout(done, 20))
  }
}

test('N134 N135 N220 N230 nothing of one tenant of the sample is seen, changed or betrayed to another', async (t) => {
  const [a, b] = ['Heron', 'Wren'].map((name) => name.padEnd(24, 'x'))
  const scope = 'read:item create:item delete:item read:tenant export:tenant'
  for (const tenantId of [a, b]) await world.tenant(tenantId!, 'standard')
  const [ofA, ofB] = [{ org_id: `org_${a}` }, { org_id: `org_${b}` }]
  const tokens = {
    a: world.management.token(a, scope, ofA),
    b: world.management.token(b, scope, { ...ofB, sub: 'auth0|ona' }),
  }
  const ids = { a: await anExport(tokens.a), b: await anExport(tokens.b) }
  const proof = await proveIsolation({
    openapi: parse(read('api.openapi.yaml')),
    baseUrl,
    tokens,
    furtherTokensOfA: { reader: world.management.token(a, 'read:item', ofA) },
    expiredToken: world.management.token(a, scope, { ...ofA, exp: 1 }),
    hints: { ...parse(read('isolation-hints.yaml')), ids },
    seed: 'sample',
    rate: Number.POSITIVE_INFINITY,
  })
  t.diagnostic(`${proof.requests} requests in ${proof.seconds} s`)
  assert.deepEqual(proof.findings, [])
  // Without this, finding nothing could mean having looked at nothing.
  const tested = proof.routes.filter((route) => route.tested).map(({ route }) => route)
  assert.deepEqual(tested, [
    'GET /items',
    'POST /items',
    'GET /items/{id}',
    'DELETE /items/{id}',
    'GET /tenant',
    'GET /tenant/plan',
    'GET /tenant/exports',
    'POST /tenant/exports',
    'GET /tenant/exports/{id}',
  ])
  // Members are the issuer's, and these tokens may not ask for them: that is said, and not taken for isolation.
  for (const { route, reason } of proof.routes.filter((one) => !one.tested)) {
    const expected = /registrations|resolve/.test(route)
      ? /^it is open to anybody on purpose$/
      : /answers 403 to tenant A itself|left out by the hints|no id of tenant A|nothing was made in this run/
    assert.match(reason!, expected, route)
  }
  const held = proof.routes.flatMap(({ checks }) => checks).filter(({ outcome }) => outcome === 'held')
  t.diagnostic(held.map(({ route, kind }) => `${route} ${kind}`).join(', '))
  const wanted = [
    'own-request',
    'read-by-id',
    'delete-by-id',
    'body-tenant',
    'header-tenant',
    'no-token',
    'forged-token',
    'expired-token',
    'race',
    'connection',
    'cache-shared',
    'existence',
    'uniqueness',
    'aggregate',
  ]
  assert.deepEqual(
    wanted.filter((kind) => !held.some((check) => check.kind === kind)),
    [],
  )
  assert.equal(proof.left, 0)
  assert.deepEqual(world.errors, [])
})
