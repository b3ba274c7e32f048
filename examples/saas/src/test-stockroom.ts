/** Stockroom for its own tests: real servers, a schema of its own in the PostgreSQL of TENANTRY_TEST_DATABASE. */
import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import type { Connection } from './database/database.ts'
import { createStockroom, type Stockroom, type StockroomOptions } from './stockroom.ts'
import { AUDIENCE, CONNECTION, startManagement, TENANT_CLAIM } from './test-management.ts'

export async function startTestStockroom() {
  const configured = process.env.TENANTRY_TEST_DATABASE
  if (!configured) {
    throw new Error(
      'TENANTRY_TEST_DATABASE is not set. Run the tests with `npm test`, which starts a PostgreSQL and sets it.',
    )
  }
  const connections = JSON.parse(configured) as { application: Connection; owner: Connection }
  const schema = `stockroom_${randomBytes(6).toString('hex')}`
  const database = { application: connections.application, owner: connections.owner, schema }
  const ownerOptions = { max: 1, onnotice: () => {}, connection: { search_path: schema } }
  const owner = (typeof connections.owner === 'string'
    ? postgres(connections.owner, ownerOptions)
    : postgres({ ...connections.owner, ...ownerOptions })) as unknown as Sql
  const management = await startManagement()
  const clock = { offsetSeconds: 0 }
  const errors: unknown[] = []
  const running: Stockroom[] = []

  return {
    owner,
    management,
    clock,
    errors,
    controlSchema: `${schema}_control`,
    /** A tenant as a registration leaves it; its organization is `org_<id>`. */
    async tenant(id: string, plan = 'basic') {
      await owner`
        insert into tenants (id, name, slug, plan, organization_id, state, created_at)
        values (${id}, ${id}, ${id.toLowerCase()}, ${plan}, ${`org_${id}`}, 'active', now())`
      await owner`
        insert into ${owner(`${schema}_control`)}.tenants (tenant, state, tier, placement)
        values (${id}, 'registered', ${plan}, '{"model":"pool"}')`
      const organization = {
        id: `org_${id}`,
        name: id.toLowerCase(),
        connections: [],
        members: new Map(),
        invitations: [],
      }
      management.organizations.set(organization.id, organization)
    },
    /** Another process, as it were, over the same database. */
    async start(overrides: Partial<StockroomOptions> = {}): Promise<Stockroom> {
      const stockroom = await createStockroom({
        database,
        issuer: management.issuer,
        apiAudience: AUDIENCE,
        tenantClaim: TENANT_CLAIM,
        management: management.options,
        connection: CONNECTION,
        spaClientId: 'spa-client',
        roles: { admin: 'admin', member: 'member' },
        logger: { info: () => {}, error: (facts) => void errors.push(facts) },
        now: () => new Date(Date.now() + clock.offsetSeconds * 1000),
        ...overrides,
      })
      running.push(stockroom)
      await stockroom.listen()
      return stockroom
    },
    async stop(stockroom: Stockroom) {
      running.splice(running.indexOf(stockroom), 1)
      await stockroom.close()
    },
    async close() {
      for (const stockroom of running) await stockroom.close()
      await management.close()
      await owner`drop schema ${owner(schema)}, ${owner(`${schema}_control`)}, ${owner(`${schema}_exports`)} cascade`
      await owner.end({ timeout: 2 })
    },
  }
}

export type TestStockroom = Awaited<ReturnType<typeof startTestStockroom>>
