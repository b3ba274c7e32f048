/**
 * Where tenants' rows are: shared tables, a schema or a database of their own, as their tier says. A place is made when
 * somebody of the tenant comes for the first time with a token, and not before: to get one they have opened the invitation,
 * so the address is proven, and a thousand registrations of nobody cost no schema and no database.
 */
import {
  createPlacedDatabase,
  createPlacements,
  currentIdentity,
  type Lifecycle,
  postgresDriver,
  type TenantDatabase,
  TenantUnavailable,
} from '@tenantry/tenancy'
import type { Database } from '../database/database.ts'
import { Refusal } from '../refusal.ts'
import * as directory from '../tenants/store.ts'
import type { Making } from './provisioning.ts'

export interface Places {
  /** Every service's way to a tenant's rows, the same for all models. */
  database: TenantDatabase
  close(): Promise<void>
}

export async function openPlaces(
  { sql, schema, controlSchema }: Database,
  silos: Making['silos'],
  lifecycle: Lifecycle,
): Promise<Places> {
  const placements = await createPlacements({ sql, schema: controlSchema })
  const placed = createPlacedDatabase({
    placements,
    pool: postgresDriver(sql),
    schemas: [schema],
    ...(silos ? { silos } : {}),
  })

  /** @returns false for whoever is in no tenant that may have a place */
  async function makePlace(): Promise<boolean> {
    const { tenantId, organizationId } = currentIdentity()
    const tenant = await directory.get(sql, tenantId)
    if (tenant?.state !== 'active' || !organizationId || tenant.organizationId !== organizationId) return false
    await directory.arrive(sql, tenantId)
    for (const saga of ['provision', 'activate']) {
      // All who come at once ask for the same one; after one that failed, for the next.
      const failed = (await lifecycle.history(tenantId)).filter((one) => one.saga === saga && one.state === 'failed')
      const key = `for-the-first-who-came-${failed.length}`
      const { state } = await lifecycle.run({ saga, key, tenantId, input: {} })
      if (state !== 'done') {
        throw new Refusal(503, 'place_not_ready', 'Your company’s place is being made. Try again in a moment.')
      }
    }
    placements.forget(tenantId)
    return true
  }

  return {
    database: {
      assertSafe: placed.assertSafe,
      async inTenant(work) {
        try {
          return await placed.inTenant(work)
        } catch (error) {
          // Nothing was written: the place is looked up before the work begins.
          const first = error instanceof TenantUnavailable && error.code === 'tenant_unknown'
          if (!first || !(await makePlace())) throw error
          return placed.inTenant(work)
        }
      },
    },
    async close() {
      await placements.close()
      await placed.end()
    },
  }
}
