/** Claim: `inTenant` costs at most 1.10 of a bare transaction of the same driver, and no round trip more. */
import { backgroundIdentity, createTenantDatabase, type Tx, withIdentity } from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'
import type { Sql } from 'postgres'
import { compare, costOf, openStock, tenantIdOf } from './stock.ts'

const TARGET = 1.1

export async function compareTransactions() {
  const stock = await openStock(10)
  const database = createTenantDatabase(stock.sql)
  await database.assertSafe()
  const identity = backgroundIdentity({ tenantId: tenantIdOf(3), reason: 'bench' })
  const read = (tx: Tx) => tx`select id, name from stock where id = 7`
  // The bare side names its tenant; a policy looks at the same rows, so a session's setting lets them pass.
  const bare = postgres(stock.url, {
    max: 4,
    connection: { 'app.tenant_id': identity.tenantId },
    onnotice: () => {},
  }) as unknown as Sql
  const readBare = (tx: Tx) => tx`select id, name from stock where tenant_id = ${identity.tenantId} and id = 7`
  try {
    const ratios = await compare({
      'bare transaction': () => costOf(stock.directory, () => bare.begin((tx) => readBare(tx as unknown as Tx))),
      inTenant: () => costOf(stock.directory, () => withIdentity(identity, () => database.inTenant(read))),
    })
    return { ...ratios.inTenant!, target: `<= ${TARGET}`, met: ratios.inTenant!.ratio <= TARGET }
  } finally {
    await bare.end()
    await stock.close()
  }
}
