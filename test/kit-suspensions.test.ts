/** What is decided at the issuer is obeyed by services that use the kit, over HTTP alone. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { movableClock, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import { createSuspensions, TokenRefused } from '@tenantry/tenancy'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity({ clock: movableClock() })
})
after(() => identity.close())

test('N04 W10 the kit refuses a suspended organization’s good token, others go on, and without news it closes', async (t) => {
  // The kit asks the issuer by its own.
  const { issuer, manage } = await identity.environment({}, '127.0.0.1')
  const make = async (path: string, body: object) => {
    const answer = await manage('POST', path, body)
    assert.equal(answer.status, 201, answer.text)
    return answer.json
  }
  const { client_id: clientId, client_secret: clientSecret } = await make('/clients', {
    name: 'Service',
    app_type: 'non_interactive',
    grant_types: ['client_credentials'],
  })
  const scope = ['read:organizations_summary']
  await make('/client-grants', { client_id: clientId, audience: `${issuer}api/v2/`, scope })
  const [acme, globex] = [
    await make('/organizations', { name: 'acme' }),
    await make('/organizations', { name: 'globex' }),
  ]
  let isDown = false
  // Standing still: however slow the machine is, what is known grows old only here.
  const begun = Date.now()
  let offsetSeconds = 0
  const faults: unknown[] = []
  const suspensions = createSuspensions({
    issuer,
    credentials: { clientId, clientSecret },
    pollSeconds: 0.2,
    now: () => new Date(begun + offsetSeconds * 1000),
    fetch: (...request) => (isDown ? Promise.reject(new Error('down')) : fetch(...request)),
    onFault: (error) => faults.push(error),
  })
  t.after(() => suspensions.close())
  const of = (organization: unknown, from = issuer) => {
    try {
      suspensions.check({ issuer: from, claims: { org_id: organization } as never })
      return 'served'
    } catch (error) {
      assert.ok(error instanceof TokenRefused)
      return `${error.status} ${error.code}`
    }
  }
  const becomes = async (organization: string, expected: string) => {
    const from = performance.now()
    while (of(organization) !== expected) {
      assert.ok(performance.now() - from < 60_000, `${of(organization)}; ${faults.at(-1)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  assert.equal(of(acme.id), '503 suspensions_unknown')
  await becomes(acme.id, 'served')
  assert.equal((await manage('PATCH', `/organizations/${acme.id}`, { is_suspended: true })).status, 200)
  await becomes(acme.id, '403 tenant_suspended')
  assert.deepEqual(
    [of(globex.id), of(undefined), of(acme.id, 'https://other.example/')],
    ['served', 'served', 'served'],
  )
  assert.equal(of([globex.id]), '403 tenant_suspended')
  assert.equal((await manage('PATCH', `/organizations/${acme.id}`, { is_suspended: false })).status, 200)
  await becomes(acme.id, 'served')

  isDown = true
  offsetSeconds = 6
  assert.equal(of(globex.id), '503 suspensions_unknown')
  assert.equal(of(undefined), 'served')
  isDown = false
  await becomes(globex.id, 'served')
})
