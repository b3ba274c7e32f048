import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { PendingQuery, Row } from 'postgres'
import type { LogRow } from '../../logs/store.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'

export interface StoredLog extends Omit<LogRow, 'date'> {
  date: Date
  position: string
}

const columns = (tx: Tx) => tx`
  position::text as position, date, type, description, connection, connection_id, client_id, client_name, ip, user_agent,
  hostname, user_id, user_name, strategy, strategy_type, audience, scope, organization_id, organization_name, details`

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
