/** A process that takes two places of a tenant, says so, and holds them until it is killed. */
import type { Sql } from 'postgres'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { postgres } from '../postgres/driver.ts'
import { createLimiter } from './limiter.ts'
import { postgresLimits } from './postgres.ts'

const [schema, tenantId] = process.argv.slice(2) as [string, string]
const { owner } = JSON.parse(process.env.TENANTRY_TEST_DATABASE!) as { owner: string }
const sql = postgres(owner, { max: 1 }) as unknown as Sql
const limiter = createLimiter({ store: postgresLimits(sql, { schema }), tiers: { basic: { concurrent: 2 } } })
await withIdentity(backgroundIdentity({ tenantId, reason: 'test', tier: 'basic' }), async () => {
  await limiter.enter()
  await limiter.enter()
})
console.log('inside')
setInterval(() => {}, 1_000)
