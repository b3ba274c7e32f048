/** No statement here names a tenant in its WHERE: the transaction sees one tenant's rows and no others. */
import type { Tx } from '@tenantry/tenancy'

export interface Item {
  id: string
  name: string
  location: string
  quantity: number
  lowAt: number
  createdBy: string
  createdAt: Date
}

const columns = (tx: Tx) =>
  tx`id, name, location, quantity, low_at as "lowAt", created_by as "createdBy", created_at as "createdAt"`

/** A page after an id, in the order of ids: stable while others write. `q` is looked for in names and codes. */
export const list = (tx: Tx, { q, after, limit }: { q: string; after: string; limit: number }): Promise<Item[]> => {
  const pattern = `%${q.replace(/[\\%_]/g, '\\$&')}%`
  return tx<Item[]>`
    select ${columns(tx)} from items
    where id > ${after} ${q === '' ? tx`` : tx`and (name ilike ${pattern} or id ilike ${pattern})`}
    order by id limit ${limit}`
}

export interface Figures {
  total: number
  low: number
  out: number
}

export const figures = async (tx: Tx): Promise<Figures> =>
  (
    await tx<Figures[]>`
      select count(*)::int as total,
             (count(*) filter (where quantity > 0 and quantity <= low_at))::int as low,
             (count(*) filter (where quantity = 0))::int as out
      from items`
  )[0]!

/** How many there are, while no other transaction of this tenant counts: two at once would both find the last place free. */
export const countAlone = async (tx: Tx, tenantId: string): Promise<number> => {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`stockroom items of ${tenantId}`}, 0))`
  return (await tx<{ count: number }[]>`select count(*)::int as count from items`)[0]!.count
}

export const get = async (tx: Tx, id: string): Promise<Item | undefined> =>
  (await tx<Item[]>`select ${columns(tx)} from items where id = ${id}`)[0]

/** @returns undefined when the tenant has an item of this id. */
export const insert = async (tx: Tx, tenantId: string, item: Item): Promise<Item | undefined> =>
  (
    await tx<Item[]>`
      insert into items (tenant_id, id, name, location, quantity, low_at, created_by, created_at)
      values (${tenantId}, ${item.id}, ${item.name}, ${item.location}, ${item.quantity}, ${item.lowAt},
              ${item.createdBy}, ${item.createdAt})
      on conflict (tenant_id, id) do nothing
      returning ${columns(tx)}`
  )[0]

export const remove = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx`delete from items where id = ${id}`).count === 1
