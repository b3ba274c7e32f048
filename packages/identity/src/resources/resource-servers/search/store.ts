import type { Tx } from '@tenantry/kernel/database/database.ts'
import { isTimestamp, keysetPlace, keysetText } from '../../keyset.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import type { Query } from '../../search/lucene.ts'
import { exact } from '../../search/query.ts'
import { fieldsOf, limited, text, time, toCondition } from '../../search/store.ts'
import { columns, type ResourceServerRow } from '../store.ts'

const fields = fieldsOf(
  {
    id: exact((tx) => tx`id`),
    identifier: text((tx) => tx`identifier`),
    name: text((tx) => tx`name`),
    updated_at: time((tx) => tx`updated_at`),
  },
  ['name', 'identifier'],
)

/** @throws Problem `invalid_query_string`, `invalid_paging`, `search_timeout` */
export async function search(
  tx: Tx,
  query: Query,
  page: Page,
  sort: 'name' | 'identifier' | 'updated_at',
): Promise<Found<ResourceServerRow & { place: string }>> {
  const condition = toCondition(tx, query, fields)
  // What has no name comes first.
  const column = { name: tx`coalesce(name, '')`, identifier: tx`identifier`, updated_at: tx`updated_at` }[sort]
  const isTime = sort === 'updated_at'
  const place = keysetPlace(page.after, sort, isTime ? isTimestamp : undefined)
  const value = place && (isTime ? tx`${place.value}::timestamptz` : tx`${place.value}`)
  const rows = await limited(
    tx,
    () => tx<(ResourceServerRow & { sorted: string })[]>`
      select ${columns(tx)}, ${isTime ? tx`(updated_at at time zone 'UTC')::text || '+00'` : column} as sorted
      from resource_servers
      where ${condition} and ${place ? tx`(${column}, id) > (${value!}, ${place.id})` : tx`true`}
      order by ${column}, id limit ${fetchLimit(page)}`,
  )
  return {
    rows: rows.map(({ sorted, ...row }) => ({ ...row, place: keysetText(sort, { value: sorted, id: row.id }) })),
    total: 0,
  }
}
