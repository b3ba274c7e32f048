import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import type { Sink } from '../../delivery/log-streams/request.ts'
import { MAXIMUM_STREAMS, problems } from './rules.ts'

export interface LogStreamRow {
  id: string
  name: string
  type: string
  /** active, paused, suspended */
  status: string
  filters: { type: string; name: string }[]
  sink: Sink
  created_at: Date
  updated_at: Date
}
export type SealedLogStream = LogStreamRow & { secrets: Uint8Array }

const columns = (tx: Tx) => tx`id, name, type, status, filters, sink, secrets, created_at, updated_at`

export const list = (tx: Tx): Promise<SealedLogStream[]> =>
  tx<SealedLogStream[]>`select ${columns(tx)} from log_streams order by created_at, id`

/** @throws Problem `inexistent_log_stream` */
export async function get(tx: Tx, id: string): Promise<SealedLogStream> {
  const [row] = await tx<SealedLogStream[]>`select ${columns(tx)} from log_streams where id = ${id}`
  if (!row) throw problems.inexistent_log_stream()
  return row
}

/** The row, locked until the transaction ends. @throws Problem `inexistent_log_stream` */
export async function lock(tx: Tx, id: string): Promise<SealedLogStream> {
  const [row] = await tx<SealedLogStream[]>`select ${columns(tx)} from log_streams where id = ${id} for update`
  if (!row) throw problems.inexistent_log_stream()
  return row
}

/**
 * @param startFrom entries of that time and later; without it those that come from now on
 * @throws Problem `too_many_log_streams`
 */
export async function insert(
  tx: Tx,
  environmentId: string,
  { filters, sink, ...row }: LogStreamRow,
  secrets: Buffer,
  startFrom: string | undefined,
): Promise<void> {
  // Locked, so that two at once cannot pass the limit together.
  await tx`select from environments for update`
  const [counted] = await tx<{ streams: number }[]>`select count(*)::int as streams from log_streams`
  if (counted!.streams >= MAXIMUM_STREAMS) throw problems.too_many_log_streams({ facts: { limit: MAXIMUM_STREAMS } })
  await tx`
    insert into log_streams ${tx({
      environment_id: environmentId,
      ...row,
      filters: tx.json(filters),
      sink: tx.json(sink as unknown as JSONValue),
      secrets,
      position: 0,
    })}`
  await tx`
    update log_streams set position = coalesce(
      (select min(l.position) - 1 from logs l where l.date >= ${startFrom ?? null}::timestamptz),
      (select c.last from log_counters c), 0)
    where id = ${row.id}`
}

export async function save(tx: Tx, { filters, sink, ...row }: LogStreamRow, secrets: Buffer): Promise<void> {
  await tx`
    update log_streams set ${tx({
      name: row.name,
      status: row.status,
      updated_at: row.updated_at,
      filters: tx.json(filters),
      sink: tx.json(sink as unknown as JSONValue),
      secrets,
    })}, attempts = 0, next_attempt_at = null
    where id = ${row.id}`
}

export async function remove(tx: Tx, id: string): Promise<boolean> {
  const gone = await tx`delete from log_streams where id = ${id} returning 1`
  return gone.length > 0
}
