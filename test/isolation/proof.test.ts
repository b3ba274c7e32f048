/** The proof of isolation proves itself: each leak that is seeded is found where it is, and none where there is none. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Kind, kinds, type Proof, proveIsolation } from '@tenantry/tenancy/proof'
import { type BrokenApi, openapi, startBrokenApi } from './broken-api/broken-api.ts'
import { type Leak, leaks } from './broken-api/leaks.ts'
import { tokenOf } from './broken-api/tokens.ts'

let api: BrokenApi
before(async () => {
  api = await startBrokenApi()
})
after(() => api?.close())

async function prove(leak: Leak | undefined, only?: readonly string[]): Promise<Proof> {
  await api.break(leak)
  const [a, b] = [0, 1].map(() => `tn${randomBytes(6).toString('hex')}`) as [string, string]
  return proveIsolation({
    openapi,
    baseUrl: api.url,
    tokens: { a: tokenOf(a), b: tokenOf(b) },
    expiredToken: tokenOf(a, { expiresIn: -30 }),
    seed: `seed of ${leak}`,
    ...(only ? { only } : {}),
    rate: Number.POSITIVE_INFINITY,
  })
}

const found = ({ findings }: Proof): string[] => findings.map(({ kind, route }) => `${kind} at ${route}`).sort()

test('N246 of an API that keeps its tenants apart nothing is reported', async (t) => {
  const proof = await prove(undefined)
  t.diagnostic(`${proof.requests} requests in ${proof.seconds} s`)
  assert.deepEqual(proof.findings, [])
  // Without this, finding nothing could mean having looked at nothing.
  assert.deepEqual(
    proof.routes.filter(({ tested }) => !tested).map(({ route, reason }) => `${route}: ${reason}`),
    ['GET /health: it is open to anybody on purpose'],
  )
  const held = new Set(
    proof.routes.flatMap(({ checks }) => checks).flatMap(({ outcome, kind }) => (outcome === 'held' ? [kind] : [])),
  )
  // Of hosts there is one only; an error's text is looked at with everything else.
  assert.deepEqual(
    Object.keys(kinds).filter((kind) => !held.has(kind as Kind)),
    ['error-text', 'wrong-host'],
  )
})

for (const leak of Object.keys(leaks) as Leak[]) {
  const { kind, route, what } = leaks[leak]
  test(`N246 ${leak} is found: ${what}`, async () => {
    assert.deepEqual(found(await prove(leak, [route])), [`${kind} at ${route}`])
  })
}

test('N246 a leak of one route is not taken for one of another that only shows it', async () => {
  for (const leak of ['read-unlimited', 'mass-assignment', 'cache-of-item'] as const) {
    const { kind, route } = leaks[leak]
    assert.deepEqual(found(await prove(leak)), [`${kind} at ${route}`])
  }
})
