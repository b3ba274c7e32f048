/**
 * A tenant goes, and everything of it: rows in every place where it has been, files, its organization, and what the control plane
 * itself remembers. What stays is that its id was used, and a record of what was there and that nothing is.
 */
import { createHash } from 'node:crypto'
import { sumsOf, type TableSum } from '../placement/copying.ts'
import { begin, rollback } from '../placement/end.ts'
import { asOwner, deleteRows } from '../placement/owner.ts'
import { type Placement, samePlace } from '../placement/placement.ts'
import { canonical } from './canonical.ts'
import type { Step } from './saga.ts'
import type { TenantLifeOptions } from './tenant-life.ts'

const POOL: Placement = { model: 'pool' }

export interface PlaceSums {
  placement: Placement
  tables: TableSum[]
}

export interface OffboardingRecord {
  tenantId: string
  /** Rows and checksum of each table in each place, before. */
  before: PlaceSums[]
  /** The same of the pool, afterwards; other places are gone whole. */
  after: PlaceSums[]
  /** What was deleted outside of the database, by kind. */
  storage: Record<string, number>
}

export function offboardingSteps(options: TenantLifeOptions): Step<Record<string, unknown>>[] {
  const { control, controlSchema: schema, identity, provisioning, deleteStorage } = options

  /** Where it is, where it has been and nobody has cleared yet, and the pool, where something could have stayed behind. */
  async function placesOf(tenantId: string): Promise<Placement[]> {
    const rows = await control<{ placement: Placement }[]>`
      select placement from ${control(schema)}.tenants where tenant = ${tenantId}
      union all select placement from ${control(schema)}.departures where tenant = ${tenantId}`
    const places: Placement[] = [POOL]
    for (const { placement } of rows) if (!places.some((place) => samePlace(place, placement))) places.push(placement)
    return places
  }
  return [
    { name: 'people', irreversible: true, run: async ({ tenantId }) => identity.suspendOrganization({ tenantId }) },
    {
      name: 'count',
      async run({ tenantId }) {
        const places = await placesOf(tenantId)
        const before: PlaceSums[] = []
        for (const placement of places) before.push({ placement, tables: await sumsIn(options, tenantId, placement) })
        return { places, before }
      },
    },
    {
      name: 'data',
      event: 'deprovisionSuccess',
      async run({ tenantId, memory }) {
        for (const placement of memory.places as Placement[]) {
          if (placement.model === 'pool') await deleteRows(options, tenantId, placement)
          else await provisioning.deprovision(tenantId, placement)
        }
      },
    },
    { name: 'storage', run: async ({ tenantId }) => ({ storage: (await deleteStorage?.(tenantId)) ?? {} }) },
    { name: 'organization', run: async ({ tenantId }) => identity.deleteOrganization({ tenantId }) },
    {
      name: 'sign off',
      async run({ tenantId }) {
        const after = [{ placement: POOL, tables: await sumsIn(options, tenantId, POOL) }]
        const left = after[0]!.tables.filter(({ rows }) => rows > 0).map(({ table }) => table)
        if (left.length > 0) throw new Error(`Rows of the tenant are still in ${left.join(', ')}.`)
        return { after }
      },
      async record(tx, { id, tenantId, memory }) {
        const { before, after, storage } = memory as unknown as OffboardingRecord
        const record: OffboardingRecord = { tenantId, before, after, storage }
        const hash = createHash('sha256').update(canonical(record)).digest('hex')
        await tx`
          insert into ${tx(schema)}.offboardings (tenant, record, hash) values (${tenantId}, ${tx.json(record as never)}, ${hash})`
        await tx`
          update ${tx(schema)}.tenants set state = 'gone', placement = ${tx.json(POOL)}, facts = '{}', changed_at = clock_timestamp()
          where tenant = ${tenantId}`
        await tx`delete from ${tx(schema)}.departures where tenant = ${tenantId}`
        // Requests held names and addresses of people. Keys stay, so that a repetition still finds its answer.
        await tx`
          update ${tx(schema)}.sagas set input = '{}', memory = '{}', failure = failure - 'message'
          where tenant = ${tenantId} and id <> ${id}`
        await tx`
          update ${tx(schema)}.outbox set detail = jsonb_build_object('tenantId', tenant)
          where tenant = ${tenantId} and delivered_at is not null`
      },
    },
  ]
}

/** Counts and checksums of a tenant's rows in one place; none where the place is not there any more. */
async function sumsIn(options: TenantLifeOptions, tenantId: string, placement: Placement): Promise<TableSum[]> {
  try {
    return await asOwner(options, tenantId, placement, async (end, relations) => {
      await begin(end, 'repeatable read')
      const sums = await sumsOf(end, relations)
      await rollback(end)
      return sums
    })
  } catch (error) {
    // No such database: a tenant that was registered and never provisioned has none.
    if ((error as { code?: unknown }).code === '3D000') return []
    throw error
  }
}
