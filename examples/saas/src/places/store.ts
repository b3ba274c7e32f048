/** The control plane's record of tenants, in the tables that the kit's `migrateLifecycle` makes. */
import type { Placement } from '@tenantry/tenancy'
import type { TransactionSql } from 'postgres'

export const addTenant = async (
  tx: TransactionSql,
  schema: string,
  { tenantId, tier, placement }: { tenantId: string; tier: string; placement: Placement },
): Promise<void> => {
  // A tenant that is gone stays gone: its id is never used again.
  await tx`
    insert into ${tx(schema)}.tenants (tenant, state, tier, placement)
    values (${tenantId}, 'provisioned', ${tier}, ${tx.json(placement)})
    on conflict (tenant) do nothing`
}

export const activate = async (tx: TransactionSql, schema: string, tenantId: string): Promise<void> => {
  await tx`
    update ${tx(schema)}.tenants set state = 'active', changed_at = clock_timestamp()
    where tenant = ${tenantId} and state = 'provisioned'`
}
