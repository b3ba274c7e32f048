/** A process that counts durably, eight at a time, and writes a line for each that was acknowledged, until it is killed. */
import { writeSync } from 'node:fs'
import type { Sql } from 'postgres'
import { withIdentity } from '../../identity/context.ts'
import { backgroundIdentity } from '../../identity/saas-identity.ts'
import { postgres } from '../../postgres/driver.ts'
import { createUsageMeter } from './meter.ts'

const [schema, tenantId] = process.argv.slice(2) as [string, string]
const { owner } = JSON.parse(process.env.TENANTRY_TEST_DATABASE!) as { owner: string }
const usage = createUsageMeter({
  sql: postgres(owner, { max: 1 }) as unknown as Sql,
  schema,
  now: () => Date.UTC(2026, 10, 30, 12),
})
const count = async (): Promise<void> => {
  for (;;) {
    await usage.countDurably('orders')
    writeSync(1, 'acknowledged\n')
  }
}
await withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () =>
  Promise.all(Array.from({ length: 8 }, count)),
)
