/** Claim: a read of `inTenant` costs as much among 10,000 tenants as among 10. */
import { backgroundIdentity, createTenantDatabase, type Tx, withIdentity } from '@tenantry/tenancy'
import { compare, costOf, openStock, type Stock, tenantIdOf } from './stock.ts'

const TARGET = 1.1

export async function compareTenants() {
  const [few, many] = await Promise.all([openStock(10), openStock(10_000)])
  const read = (tx: Tx) => tx`select id, name from stock where id between 5 and 9`
  const side = (stock: Stock, tenants: number) => {
    const database = createTenantDatabase(stock.sql)
    const identities = Array.from({ length: tenants }, (_, n) =>
      backgroundIdentity({ tenantId: tenantIdOf(n), reason: 'bench' }),
    )
    return () =>
      costOf(stock.directory, (n) =>
        // A step that visits every tenant in an order without neighbours.
        withIdentity(identities[(n * 7919) % tenants]!, () => database.inTenant(read)),
      )
  }
  try {
    const ratios = await compare({ '10 tenants': side(few, 10), '10,000 tenants': side(many, 10_000) })
    const ratio = ratios['10,000 tenants']!
    return { ...ratio, target: `<= ${TARGET}`, met: ratio.ratio <= TARGET }
  } finally {
    await few.close()
    await many.close()
  }
}
