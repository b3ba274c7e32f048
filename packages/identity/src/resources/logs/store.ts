import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { PendingQuery, Row } from 'postgres'
import { LOG_COLUMNS, type StoredLog } from '../../logs/entry.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'

const columns = (tx: Tx) => tx`position::text as position, ${tx(LOG_COLUMNS)}`

/** @param after entries past this position, oldest first; otherwise the newest come first, or as sorted */
export async function list(
  tx: Tx,
  page: Page,
  asked: { condition: PendingQuery<Row[]>; oldestFirst: boolean; after: string | undefined },
): Promise<Found<StoredLog>> {
  const { condition, oldestFirst, after } = asked
  const [rows, [count]] = await Promise.all([
    tx<StoredLog[]>`
      select ${columns(tx)} from logs where ${condition} and ${after === undefined ? tx`true` : tx`position > ${after}`}
      order by logs.position ${oldestFirst ? tx`asc` : tx`desc`} limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from logs where ${condition}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

export async function find(tx: Tx, position: string): Promise<StoredLog | undefined> {
  const [row] = await tx<StoredLog[]>`select ${columns(tx)} from logs where position = ${position}`
  return row
}
