import type { Sql } from 'postgres'
import { LOG_COLUMNS, type StoredLog } from '../../logs/entry.ts'
import type { Sink } from './request.ts'

export interface DueStream {
  environment_id: string
  id: string
  filters: { name: string }[]
  sink: Sink
  secrets: Uint8Array
  position: string
  attempts: number
}

/**
 * Takes one stream that has something to deliver, of any environment, and sets when it may be taken again before anything
 * is sent: a process that dies on the way leaves a batch that another one sends once more, and never one that is lost.
 */
export async function claim(sql: Sql, now: Date, until: Date): Promise<DueStream | undefined> {
  const [row] = await sql<DueStream[]>`
    update log_streams set next_attempt_at = ${until}
    where (environment_id, id) = (
      select s.environment_id, s.id from log_streams s join log_counters c on c.environment_id = s.environment_id
      where s.status = 'active' and c.last > s.position and (s.next_attempt_at is null or s.next_attempt_at <= ${now})
      order by s.next_attempt_at nulls first limit 1 for update of s skip locked)
    returning environment_id, id, filters, sink, secrets, position::text as position, attempts`
  return row
}

export const entriesAfter = (sql: Sql, stream: DueStream, limit: number): Promise<StoredLog[]> =>
  sql<StoredLog[]>`
    select position::text as position, ${sql(LOG_COLUMNS)} from logs
    where environment_id = ${stream.environment_id} and position > ${stream.position}
    order by logs.position limit ${limit}`

/** Moves on only if nobody else has meanwhile: a worker that was too slow must not set the position back. */
export const markDelivered = (sql: Sql, stream: DueStream, position: string, mine: Date) => sql`
  update log_streams set position = ${position}, attempts = 0, next_attempt_at = null, last_error = null
  where environment_id = ${stream.environment_id} and id = ${stream.id} and position = ${stream.position}
    and next_attempt_at = ${mine}`

export const markFailed = (
  sql: Sql,
  stream: DueStream,
  mine: Date,
  failure: { error: string; again: Date; suspend: boolean },
) => sql`
  update log_streams set attempts = attempts + 1, last_error = ${failure.error}, next_attempt_at = ${failure.again},
    status = case when ${failure.suspend} then 'suspended' else status end
  where environment_id = ${stream.environment_id} and id = ${stream.id} and position = ${stream.position}
    and next_attempt_at = ${mine}`
